//! Declarative statements: what they declare, and what they say.

use std::collections::BTreeSet;

use eqmesh_egraph::operator::{Operator, Output, UNTYPED};
use eqmesh_egraph::primitive::Primitive;
use eqmesh_egraph::rule::MAX_ARITY;
use eqmesh_egraph::value::ValueType;

use crate::diagnostic::{Diagnostic, suggestion};
use crate::ground::ground;
use crate::options::{self, Setting};
use crate::reader::{Form, Forms, Kind};
use crate::refusal;
use crate::rewrite::{self, CompiledRule};
use crate::scope::Scope;
use crate::signature::{Declared, Label, Signature, SortId};

/// What one statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// `sort`, `datatype`, `constructor`: the operators that they declare (possibly none). Untyped operators are declared by a statement of this
    /// kind before the one that uses them first.
    Declaration(Vec<Operator>),
    /// `rewrite` (one) and `birewrite` (two).
    Rules(Vec<CompiledRule>),
    /// `let` (with its name) and a bare expression.
    Term {
        /// The name that `let` binds.
        label: Option<String>,
        /// The term in canonical form, primitives computed.
        text: String,
    },
    /// `union`.
    Equality {
        /// A term in canonical form.
        left: String,
        /// Another of the same sort.
        right: String,
    },
    /// `ruleset`: its name.
    Ruleset(String),
}

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Elaborated {
    /// In the order of the text.
    pub statements: Vec<Statement>,
    /// What is odd in the text and does no harm.
    pub warnings: Vec<Diagnostic>,
}

/// The statements that only declare, assert or bind.
pub(crate) const DECLARATIVE: [&str; 9] = [
    "sort",
    "datatype",
    "constructor",
    "ruleset",
    "rewrite",
    "birewrite",
    "let",
    "union",
    "untyped",
];

/// Elaborates a text of statements. All or nothing.
pub(crate) fn elaborate(signature: &mut Signature, text: &str) -> Result<Elaborated, Vec<Diagnostic>> {
    let forms = Forms::read(text)?;
    let mark = signature.mark();
    let mut elaborator = Elaborator {
        signature,
        forms: &forms,
        failed: &mut BTreeSet::new(),
        diagnostics: Vec::new(),
    };
    let mut statements = Vec::new();
    for form in forms.roots() {
        statements.extend(elaborator.statement(form));
    }
    let (errors, warnings): (Vec<_>, Vec<_>) = elaborator.diagnostics.into_iter().partition(|own| own.error);
    if errors.is_empty() {
        Ok(Elaborated { statements, warnings })
    } else {
        signature.rollback(mark);
        Err(in_order(errors))
    }
}

/// By place.
pub(crate) fn in_order(mut diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    diagnostics.sort_by_key(|own| (own.span.start, own.span.end));
    diagnostics
}

/// Elaborates statements one by one into a signature. What fails is left out, and its names are remembered, so that their uses are not reported too.
pub(crate) struct Elaborator<'e, 't> {
    pub(crate) signature: &'e mut Signature,
    pub(crate) forms: &'e Forms<'t>,
    pub(crate) failed: &'e mut BTreeSet<String>,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Elaborator<'_, '_> {
    /// What a statement says; nothing where an error was reported.
    pub(crate) fn statement(&mut self, form: Form) -> Vec<Statement> {
        let forms = self.forms;
        match forms.head(form) {
            Some("sort") => self.sort(form),
            Some("datatype") => self.datatype(form),
            Some("constructor") => self.constructor(form),
            Some("ruleset") => self.ruleset(form),
            Some("untyped") => {
                let inner: Vec<Form> = forms.elements(form).skip(1).collect();
                if inner.is_empty() {
                    self.error("usage", form, "`untyped` stands around statements or terms", "");
                }
                inner
                    .into_iter()
                    .flat_map(|form| self.rule_or_term(form, true))
                    .collect()
            }
            _ => self.rule_or_term(form, false),
        }
    }

    fn error(&mut self, code: &'static str, form: Form, message: &str, help: &str) {
        self.diagnostics
            .push(Diagnostic::error(code, self.forms.span(form), message).help(help));
    }

    fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|own| own.error).count()
    }

    fn rule_or_term(&mut self, form: Form, untyped: bool) -> Vec<Statement> {
        let forms = self.forms;
        let head = forms.head(form);
        let before = self.errors();
        let mut seen_rules: Vec<String> = Vec::new();
        let mut scope = Scope::new(self.signature, self.failed);
        let statement = match head {
            Some("rewrite" | "birewrite") => {
                let rules = &self.signature.rules;
                let mut seen = |key: &str| {
                    let new = !rules.contains(key) && !seen_rules.iter().any(|own| own == key);
                    seen_rules.push(key.to_owned());
                    new
                };
                let rules = rewrite::compile(&mut scope, forms, form, untyped, &mut seen, &mut self.diagnostics);
                Some(Statement::Rules(rules))
            }
            Some("untyped") if untyped && forms.elements(form).count() == 2 => {
                // A term, even if its operator is called `union`.
                let inner = forms.elements(form).nth(1).unwrap_or(form);
                ground(&mut scope, forms, inner, true, &mut self.diagnostics)
                    .map(|(text, _)| Statement::Term { label: None, text })
            }
            Some("union") => {
                let sides: Vec<Form> = forms.elements(form).skip(1).collect();
                if let [left, right] = sides[..] {
                    let sides =
                        [left, right].map(|side| ground(&mut scope, forms, side, untyped, &mut self.diagnostics));
                    match sides {
                        [Some((left_text, left_sort)), Some((right_text, right_sort))] => {
                            if left_sort != right_sort {
                                let name = |sort| scope.signature.sort_name(sort);
                                let message = format!("the sides are {} and {}", name(left_sort), name(right_sort));
                                self.diagnostics
                                    .push(Diagnostic::error("sort-mismatch", forms.span(form), message));
                            }
                            Some(Statement::Equality {
                                left: left_text,
                                right: right_text,
                            })
                        }
                        _ => None,
                    }
                } else {
                    let message = format!("`union` takes two terms, not {}", sides.len());
                    self.diagnostics
                        .push(Diagnostic::error("usage", forms.span(form), message));
                    None
                }
            }
            Some("let") if !untyped => return self.bind(form),
            _ if untyped || is_term(self.signature, forms, form) => {
                ground(&mut scope, forms, form, untyped, &mut self.diagnostics)
                    .map(|(text, _)| Statement::Term { label: None, text })
            }
            _ => {
                let diagnostic = unknown_statement(self.signature, self.failed, forms, form, &DECLARATIVE);
                self.diagnostics.extend(diagnostic);
                None
            }
        };
        let fresh = scope.into_fresh();
        if self.errors() > before {
            return Vec::new();
        }
        for key in seen_rules {
            self.signature.rules.insert(&key, ());
        }
        let mut statements = self.declare_fresh(fresh);
        statements.extend(statement);
        statements
    }

    fn declare_fresh(&mut self, fresh: Vec<Declared>) -> Vec<Statement> {
        if fresh.is_empty() {
            return Vec::new();
        }
        let operators = fresh.iter().map(|declared| declared.operator.clone()).collect();
        for declared in fresh {
            self.signature.declare(declared);
        }
        vec![Statement::Declaration(operators)]
    }

    fn bind(&mut self, form: Form) -> Vec<Statement> {
        let forms = self.forms;
        let parts: Vec<Form> = forms.elements(form).skip(1).collect();
        let (&[label, term], Some(name)) = (&parts[..], parts.first().and_then(|&label| forms.symbol(label))) else {
            self.error("usage", form, "`let` takes a name and a term", "(let name term)");
            return Vec::new();
        };
        let before = self.errors();
        self.check_label(label, name);
        let mut scope = Scope::new(self.signature, self.failed);
        let bound = ground(&mut scope, forms, term, false, &mut self.diagnostics);
        let fresh = scope.into_fresh();
        let clash = fresh
            .iter()
            .any(|own| own.columns.is_empty() && own.operator.name == name);
        if clash {
            self.taken(label, name, "an untyped leaf");
        }
        let Some((text, sort)) = bound.filter(|_| self.errors() == before) else {
            self.failed.insert(name.to_owned());
            return Vec::new();
        };
        let mut statements = self.declare_fresh(fresh);
        self.signature.labels.insert(
            name,
            Label {
                sort,
                text: Some(text.as_str().into()),
            },
        );
        statements.push(Statement::Term {
            label: Some(name.to_owned()),
            text,
        });
        statements
    }

    fn check_label(&mut self, label: Form, name: &str) {
        if self.signature.labels.contains(name) {
            self.taken(label, name, "a label");
        } else if self.signature.untyped(name, 0).is_some() {
            self.taken(label, name, "an untyped leaf");
        } else if !matches!(crate::literal::literal(name), crate::literal::Literal::Name) || name.starts_with('?') {
            let message = format!("`{name}` cannot be a label");
            self.error(
                "bad-literal",
                label,
                &message,
                "a label is neither a number nor begins with `?`",
            );
        }
    }

    fn taken(&mut self, form: Form, name: &str, what: &str) {
        self.error(
            "redeclared",
            form,
            &format!("`{name}` is {what} already"),
            "choose another name",
        );
    }

    fn ruleset(&mut self, form: Form) -> Vec<Statement> {
        let forms = self.forms;
        let parts: Vec<Form> = forms.elements(form).skip(1).collect();
        let (&[ruleset], Some(name)) = (&parts[..], parts.first().and_then(|&part| forms.symbol(part))) else {
            self.error("usage", form, "`ruleset` takes a name", "(ruleset name)");
            return Vec::new();
        };
        if !self.signature.rulesets.insert(name, ()) {
            self.taken(ruleset, name, "a ruleset");
            return Vec::new();
        }
        vec![Statement::Ruleset(name.to_owned())]
    }

    /// Declares a sort that is named here.
    fn new_sort(&mut self, form: Form) -> Option<SortId> {
        let forms = self.forms;
        let Some(name) = forms.symbol(form) else {
            self.error("usage", form, "a sort is a name", "");
            return None;
        };
        if ValueType::from_name(name).is_some() || name == UNTYPED {
            self.taken(form, name, "a sort of the language");
            return None;
        }
        if self.signature.sort(name).is_some() {
            self.taken(form, name, "a sort");
            return None;
        }
        Some(self.signature.learn_sort(name))
    }

    fn sort(&mut self, form: Form) -> Vec<Statement> {
        let forms = self.forms;
        let parts: Vec<Form> = forms.elements(form).skip(1).collect();
        match parts[..] {
            [name] => {
                self.new_sort(name);
            }
            [name, container, ..] => {
                let what = forms.head(container).unwrap_or("such");
                let message = format!("{what} sorts are not supported");
                self.error(
                    "not-supported",
                    container,
                    &message,
                    "declare a datatype with `Nil` and `Cons` instead",
                );
                self.failed.extend(forms.symbol(name).map(str::to_owned));
            }
            [] => self.error("usage", form, "`sort` takes a name", "(sort Name)"),
        }
        vec![Statement::Declaration(Vec::new())]
    }

    fn datatype(&mut self, form: Form) -> Vec<Statement> {
        let forms = self.forms;
        let parts: Vec<Form> = forms.elements(form).skip(1).collect();
        let [name, variants @ ..] = &parts[..] else {
            self.error(
                "usage",
                form,
                "`datatype` takes a name and variants",
                "(datatype Name (Variant sorts…) …)",
            );
            return Vec::new();
        };
        let Some(output) = self.new_sort(*name) else {
            self.failed.extend(forms.symbol(*name).map(str::to_owned));
            for &variant in variants {
                self.failed.extend(forms.head(variant).map(str::to_owned));
            }
            return Vec::new();
        };
        let mut operators = Vec::new();
        for &variant in variants {
            let parts: Vec<Form> = forms.elements(variant).collect();
            let [constructor, rest @ ..] = &parts[..] else {
                let help = "a variant is `(Name sorts… [:cost n])`";
                self.error("usage", variant, "a variant is a list that begins with its name", help);
                continue;
            };
            let end = rest
                .iter()
                .position(|&part| options::is_key(forms, part))
                .unwrap_or(rest.len());
            let (columns, settings) = rest.split_at(end);
            operators.extend(self.operator(*constructor, columns, output, settings));
        }
        vec![Statement::Declaration(operators)]
    }

    fn constructor(&mut self, form: Form) -> Vec<Statement> {
        let forms = self.forms;
        let parts: Vec<Form> = forms.elements(form).skip(1).collect();
        let [name, columns, sort, settings @ ..] = &parts[..] else {
            let help = "(constructor Name (sorts…) Sort [:cost n])";
            self.error(
                "usage",
                form,
                "`constructor` takes a name, a list of sorts and a sort",
                help,
            );
            return Vec::new();
        };
        let before = self.errors();
        if forms.kind(*columns) != Kind::List {
            self.error(
                "usage",
                *columns,
                "the sorts of the arguments are a list",
                "write `()` for none",
            );
        }
        let output = self.known_sort(*sort);
        if let Some(output) = output
            && !output.is_class()
        {
            let message = format!(
                "a constructor makes terms, and {} is a primitive sort",
                forms.source(*sort)
            );
            self.error(
                "sort-mismatch",
                *sort,
                &message,
                "declare a sort of your own with `sort`",
            );
        }
        let (Some(output), true) = (output, self.errors() == before) else {
            self.failed.extend(forms.symbol(*name).map(str::to_owned));
            return Vec::new();
        };
        let columns: Vec<Form> = forms.elements(*columns).collect();
        let operator = self.operator(*name, &columns, output, settings);
        operator
            .map(|operator| Statement::Declaration(vec![operator]))
            .into_iter()
            .collect()
    }

    /// A sort that is used here. None if an error was reported now or when it was declared.
    fn known_sort(&mut self, form: Form) -> Option<SortId> {
        let forms = self.forms;
        let Some(name) = forms.symbol(form) else {
            self.error("usage", form, "a sort is a name", "");
            return None;
        };
        match self.signature.sort(name) {
            Some(sort) if name != UNTYPED && sort != SortId::of_value(ValueType::Unit) => Some(sort),
            _ if self.failed.contains(name) => None,
            _ => {
                let names = ["i64", "f64", "String", "bool", "Rational"]
                    .into_iter()
                    .chain(self.signature.sorts.names());
                let otherwise = match name {
                    "BigInt" => "use `i64`; integers of any size are not supported",
                    "BigRat" => "use `Rational`; fractions of any size are not supported",
                    _ => "declare it with `sort` or `datatype`",
                };
                let help = suggestion(name, names, otherwise);
                self.error("unknown-sort", form, &format!("no sort `{name}` is declared"), &help);
                None
            }
        }
    }

    fn operator(&mut self, name: Form, columns: &[Form], output: SortId, settings: &[Form]) -> Option<Operator> {
        let declared = self.checked_operator(name, columns, output, settings);
        let Some(declared) = declared else {
            self.failed.extend(self.forms.symbol(name).map(str::to_owned));
            return None;
        };
        let operator = declared.operator.clone();
        self.signature.declare(declared);
        Some(operator)
    }

    fn checked_operator(
        &mut self,
        form: Form,
        columns: &[Form],
        output: SortId,
        settings: &[Form],
    ) -> Option<Declared> {
        let forms = self.forms;
        let before = self.errors();
        let Some(name) = forms.symbol(form) else {
            self.error("usage", form, "an operator is a name", "");
            return None;
        };
        if self.signature.typed(name).is_some() {
            self.taken(form, name, "an operator");
        } else if Primitive::named(name).next().is_some() || matches!(name, "=" | "!=") {
            self.taken(form, name, "a primitive function");
        } else if columns.is_empty() && self.signature.untyped(name, 0).is_some() {
            self.taken(form, name, "an untyped leaf");
        } else if DECLARATIVE.contains(&name) || crate::command::COMMANDS.contains(&name) {
            self.taken(form, name, "a command");
        }
        if columns.len() > MAX_ARITY {
            let message = format!(
                "`{name}` has {} columns; an operator has at most {MAX_ARITY}",
                columns.len()
            );
            self.error(
                "too-many-columns",
                form,
                &message,
                "put several of them into a term of their own",
            );
        }
        let sorts: Vec<SortId> = columns.iter().filter_map(|&column| self.known_sort(column)).collect();
        let cost = self.cost(settings);
        if self.errors() > before || sorts.len() < columns.len() {
            return None;
        }
        let operator = Operator {
            name: name.to_owned(),
            columns: sorts.iter().map(|&sort| self.signature.engine_sort(sort)).collect(),
            output: Output::Class(self.signature.sort_name(output).to_owned()),
            cost,
        };
        Some(Declared {
            operator,
            columns: sorts,
            output,
        })
    }

    fn cost(&mut self, settings: &[Form]) -> u64 {
        let forms = self.forms;
        let mut cost = 1;
        for Setting { key, name, values } in options::settings(forms, settings) {
            let number = values
                .first()
                .and_then(|&value| forms.symbol(value))
                .and_then(|value| value.parse().ok());
            match (name, number, values.len()) {
                (":cost", Some(number), 1) => cost = number,
                (":cost", ..) => self.error("usage", key, "`:cost` takes a number from 0 up", ":cost 5"),
                (":unextractable", ..) => {
                    let help = "give it a high `:cost` instead";
                    self.error("not-supported", key, "`:unextractable` is not supported", help);
                }
                _ => {
                    let message = format!("an operator has no option `{name}`");
                    self.error("unknown-option", key, &message, "the option is `:cost n`");
                }
            }
        }
        cost
    }
}

/// Whether a form at the top is a bare expression: a label, or a list that begins with an operator or a primitive function.
pub(crate) fn is_term(signature: &Signature, forms: &Forms<'_>, form: Form) -> bool {
    match (forms.kind(form), forms.head(form)) {
        (Kind::Symbol, _) => signature.labels.contains(forms.source(form)),
        (_, Some(head)) => signature.typed(head).is_some() || Primitive::named(head).next().is_some(),
        _ => false,
    }
}

/// What to say of a form that is neither one of these statements nor a term. Nothing if its name failed to be declared.
pub(crate) fn unknown_statement(
    signature: &Signature,
    failed: &BTreeSet<String>,
    forms: &Forms<'_>,
    form: Form,
    statements: &[&'static str],
) -> Option<Diagnostic> {
    let span = forms.span(form);
    let Some(head) = forms.head(form) else {
        let source = forms.source(form);
        if failed.contains(source) {
            return None;
        }
        let message = "a statement is a list that begins with its name";
        return Some(Diagnostic::error("usage", span, message).help("for example `(rewrite (Add a b) (Add b a))`"));
    };
    if failed.contains(head) {
        return None;
    }
    let place = forms.elements(form).next().map_or(span, |head| forms.span(head));
    if let Some(refused) = refusal::of_command(head, &place) {
        return Some(refused);
    }
    if crate::command::COMMANDS.contains(&head) {
        let message = format!("the command `{head}` cannot stand here");
        let help = "commands stand at the top of a program file";
        return Some(Diagnostic::error("misplaced-command", place, message).help(help));
    }
    let names = statements.iter().copied().chain(signature.typed_names());
    let help = suggestion(
        head,
        names,
        "declare an operator of that name, or write the term as `(untyped …)`",
    );
    let message = format!("`{head}` is neither a command nor an operator");
    Some(Diagnostic::error("unknown-command", place, message).help(help))
}
