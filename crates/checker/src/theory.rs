//! A theory: what a program declares, its rules, and what it asserts. Read from the program's text, by the language's documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::pattern::{NoInstance, Part, Pattern, Shape, Substitution};
use crate::primitive;
use crate::rule::{Condition, Rule};
use crate::sexp::{Forms, Kind, SyntaxError};
use crate::term::{self, Label, Node, Term};
use crate::value::Value;

/// Why a program cannot be understood. Programs that `eqmesh run` refuses may well be understood here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TheoryError {
    /// The text is not made of s-expressions.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// A statement is not written like this.
    #[error("line {line}: {what}")]
    Statement {
        /// From 1.
        line: u32,
        /// What is wrong.
        what: String,
    },
    /// A term is not ground, or a primitive in it is undefined.
    #[error("line {line}: {why}")]
    Ground {
        /// From 1.
        line: u32,
        /// Why not.
        why: NoInstance,
    },
}

/// The sorts of an operator.
#[derive(Clone, Debug)]
struct Signature {
    columns: Vec<String>,
    sort: String,
}

/// What is known: operators, rules, labels, and what was stated. Cheap to copy.
#[derive(Clone, Debug, Default)]
pub struct Theory {
    operators: Rc<BTreeMap<String, Signature>>,
    labels: Rc<BTreeMap<String, Term>>,
    rules: Rc<BTreeMap<String, Vec<Rule>>>,
    equalities: Rc<Vec<(Term, Term)>>,
    stated: Rc<Vec<Term>>,
    snapshots: Rc<BTreeSet<String>>,
}

/// What a statement asks of whoever reads a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Nothing.
    Nothing,
    /// Another file is to be read.
    Include(String),
    /// A scope is opened or closed so often.
    Push(u32),
    Pop(u32),
    /// Why two terms are equal.
    Explain(Term, Term),
}

fn statement_error(forms: &Forms, form: usize, what: &str) -> TheoryError {
    TheoryError::Statement {
        line: forms.line(form),
        what: what.to_owned(),
    }
}

fn is_key(forms: &Forms, form: usize) -> bool {
    forms
        .symbol(form)
        .is_some_and(|symbol| symbol.len() > 1 && symbol.starts_with(':'))
}

/// The terms that primitive sorts and untyped terms may stand for.
const VALUE_SORTS: [&str; 5] = ["i64", "f64", "String", "bool", "Rational"];

/// What a term may be, as far as its text tells.
#[derive(Clone, Debug, Default)]
struct Sorts<'a> {
    class: Option<&'a str>,
    value: Option<&'static str>,
    untyped: bool,
}

impl Theory {
    /// Nothing is known.
    pub fn new() -> Theory {
        Theory::default()
    }

    /// Reads declarations, rules, terms and assertions; what a program does besides is passed over, and scopes are not kept apart: see
    /// [`crate::check_run`] for whole programs. All or nothing.
    pub fn read(&mut self, text: &str) -> Result<(), TheoryError> {
        let forms = Forms::read(text)?;
        let mut theory = self.clone();
        for form in forms.roots() {
            theory.statement(&forms, form)?;
        }
        *self = theory;
        Ok(())
    }

    /// Takes on trust, from now on, what a snapshot is said to hold equal: the facts before it were compacted, so nobody can check that any more. `digest`: its BLAKE3 digest, in
    /// hexadecimal digits, as the cut that made it tells. An agent that was there when it was made has checked the facts, and refuses a cut with another digest.
    pub fn trust_snapshot(&mut self, digest: &str) {
        Rc::make_mut(&mut self.snapshots).insert(digest.to_ascii_lowercase());
    }

    pub(crate) fn trusts_snapshot(&self, digest: &str) -> bool {
        self.snapshots.contains(&digest.to_ascii_lowercase())
    }

    /// Adds a rule over untyped terms: `?x` is a variable, every other name an operator.
    pub fn add_rule(&mut self, name: &str, left: &str, right: &str) -> Result<(), TheoryError> {
        let side = |text: &str| {
            let forms = Forms::read(text)?;
            let root = forms.roots().next().ok_or_else(|| SyntaxError {
                line: 1,
                what: "a term is wanted".to_owned(),
            })?;
            self.pattern(&forms, root, true)
        };
        let (left, right) = (side(left)?, side(right)?);
        self.enter(Rule {
            name: name.to_owned(),
            left,
            right,
            conditions: Vec::new(),
        });
        Ok(())
    }

    /// A ground term, its labels replaced and its primitives computed.
    pub fn term(&self, text: &str) -> Result<Term, TheoryError> {
        let forms = Forms::read(text)?;
        let mut roots = forms.roots();
        let (Some(root), None) = (roots.next(), roots.next()) else {
            return Err(TheoryError::Statement {
                line: 1,
                what: "one term is wanted".to_owned(),
            });
        };
        self.ground(&forms, root, false)
    }

    pub(crate) fn rules_named(&self, name: &str) -> &[Rule] {
        self.rules.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn is_asserted(&self, left: &[Node], right: &[Node]) -> bool {
        self.equalities
            .iter()
            .any(|(a, b)| a.0.as_slice() == left && b.0.as_slice() == right)
    }

    /// Whether a term is a part of one that the program states. O(the program).
    pub(crate) fn is_stated(&self, nodes: &[Node]) -> bool {
        self.stated
            .iter()
            .any(|term| term.0.windows(nodes.len()).any(|part| part == nodes))
    }

    /// Checks that a term is made as the operators are declared. Answers whether it is an untyped one.
    pub(crate) fn is_untyped(&self, term: &Term) -> Result<bool, String> {
        let mut stack: Vec<Sorts<'_>> = Vec::new();
        for (at, node) in term.0.iter().enumerate().rev() {
            let nodes = &term.0[at..at + node.size];
            // As it is written, so that one value has one text.
            let value = term::value(nodes)
                .filter(|value| value.to_string() == Term(nodes.to_vec()).to_string())
                .map(|value| value.sort());
            let sorts = match &node.label {
                Label::Leaf(_) => Sorts {
                    value,
                    untyped: true,
                    class: None,
                },
                Label::Text(_) => Sorts {
                    value,
                    ..Sorts::default()
                },
                Label::Call(name) => {
                    let children = stack.split_off(stack.len() - node.arity as usize);
                    let fits = |own: &&Signature| {
                        own.columns.len() == children.len()
                            && own.columns.iter().zip(children.iter().rev()).all(|(column, child)| {
                                if VALUE_SORTS.contains(&column.as_str()) {
                                    child.value == Some(column.as_str())
                                } else {
                                    child.class == Some(column.as_str())
                                }
                            })
                    };
                    Sorts {
                        class: self.operators.get(name).filter(fits).map(|own| own.sort.as_str()),
                        value,
                        untyped: !children.is_empty() && children.iter().all(|child| child.untyped),
                    }
                }
            };
            if sorts.class.is_none() && sorts.value.is_none() && !sorts.untyped {
                return Err(format!(
                    "`{}` is not made as operators are declared",
                    Term(nodes.to_vec())
                ));
            }
            stack.push(sorts);
        }
        match stack.pop() {
            Some(Sorts { class: Some(_), .. }) => Ok(false),
            Some(Sorts { untyped: true, .. }) => Ok(true),
            _ => Err(format!("`{term}` is a value, not a term")),
        }
    }

    pub(crate) fn enter(&mut self, rule: Rule) {
        Rc::make_mut(&mut self.rules)
            .entry(rule.name.clone())
            .or_default()
            .push(rule);
    }

    /// Takes in one statement.
    pub(crate) fn statement(&mut self, forms: &Forms, form: usize) -> Result<Request, TheoryError> {
        let error = |what: &str| statement_error(forms, form, what);
        let Some(head) = forms.head(form) else {
            // A label alone.
            return self.state(forms, form, false);
        };
        let parts: Vec<usize> = forms.elements(form).skip(1).collect();
        let count = || -> Result<u32, TheoryError> {
            match parts[..] {
                [] => Ok(1),
                [only] => forms
                    .symbol(only)
                    .and_then(|count| count.parse().ok())
                    .ok_or_else(|| error("how often is a number")),
                _ => Err(error("how often is one number")),
            }
        };
        if self.operators.contains_key(head) {
            return self.state(forms, form, false);
        }
        match head {
            "sort" | "ruleset" | "run" | "run-schedule" | "check" | "fail" | "print-size" | "print-function" => {}
            "datatype" => self.datatype(forms, form, &parts)?,
            "constructor" => {
                let [name, columns, sort, ..] = parts[..] else {
                    return Err(error("`constructor` takes a name, a list of sorts and a sort"));
                };
                let columns: Vec<usize> = forms.elements(columns).collect();
                self.operator(forms, name, &columns, sort)?;
            }
            "rewrite" | "birewrite" => self.rewrite(forms, form, false)?,
            "untyped" => {
                for part in parts {
                    self.untyped(forms, part)?;
                }
            }
            "let" => {
                let [label, term] = parts[..] else {
                    return Err(error("`let` takes a name and a term"));
                };
                let name = forms.symbol(label).ok_or_else(|| error("a label is a name"))?;
                let term = self.ground(forms, term, false)?;
                Rc::make_mut(&mut self.labels).insert(name.to_owned(), term.clone());
                Rc::make_mut(&mut self.stated).push(term);
            }
            "union" => self.union(forms, form, &parts, false)?,
            "extract" => {
                let term = *parts.first().ok_or_else(|| error("`extract` takes a term"))?;
                let term = self.ground(forms, term, false)?;
                Rc::make_mut(&mut self.stated).push(term);
            }
            "push" => return count().map(Request::Push),
            "pop" => return count().map(Request::Pop),
            "include" => {
                return match parts.first().map(|&part| forms.kind(part)) {
                    Some(Kind::Text(path)) => Ok(Request::Include(path.clone())),
                    _ => Err(error("`include` takes a path between quotes")),
                };
            }
            "explain" => {
                let [left, right] = parts[..] else {
                    return Err(error("`explain` takes two terms"));
                };
                let (left, right) = (self.ground(forms, left, false)?, self.ground(forms, right, false)?);
                return Ok(Request::Explain(left, right));
            }
            _ => return self.state(forms, form, false),
        }
        Ok(Request::Nothing)
    }

    fn state(&mut self, forms: &Forms, form: usize, untyped: bool) -> Result<Request, TheoryError> {
        let term = self.ground(forms, form, untyped)?;
        Rc::make_mut(&mut self.stated).push(term);
        Ok(Request::Nothing)
    }

    /// A statement inside `untyped`.
    fn untyped(&mut self, forms: &Forms, form: usize) -> Result<(), TheoryError> {
        let parts: Vec<usize> = forms.elements(form).skip(1).collect();
        match (forms.head(form), &parts[..]) {
            (Some("rewrite" | "birewrite"), _) => self.rewrite(forms, form, true),
            (Some("union"), _) => self.union(forms, form, &parts, true),
            // A term, even if its operator has the name of a statement.
            (Some("untyped"), &[inner]) => self.state(forms, inner, true).map(|_| ()),
            _ => self.state(forms, form, true).map(|_| ()),
        }
    }

    fn union(&mut self, forms: &Forms, form: usize, parts: &[usize], untyped: bool) -> Result<(), TheoryError> {
        let &[left, right] = parts else {
            return Err(statement_error(forms, form, "`union` takes two terms"));
        };
        let (left, right) = (self.ground(forms, left, untyped)?, self.ground(forms, right, untyped)?);
        Rc::make_mut(&mut self.stated).extend([left.clone(), right.clone()]);
        Rc::make_mut(&mut self.equalities).push((left, right));
        Ok(())
    }

    fn datatype(&mut self, forms: &Forms, form: usize, parts: &[usize]) -> Result<(), TheoryError> {
        let [sort, variants @ ..] = parts else {
            return Err(statement_error(forms, form, "`datatype` takes a name and variants"));
        };
        for &variant in variants {
            let columns: Vec<usize> = forms
                .elements(variant)
                .take_while(|&part| !is_key(forms, part))
                .collect();
            let [name, columns @ ..] = &columns[..] else {
                return Err(statement_error(forms, variant, "a variant begins with its name"));
            };
            self.operator(forms, *name, columns, *sort)?;
        }
        Ok(())
    }

    fn operator(&mut self, forms: &Forms, name: usize, columns: &[usize], sort: usize) -> Result<(), TheoryError> {
        let symbol = |form: usize| {
            forms
                .symbol(form)
                .map(str::to_owned)
                .ok_or_else(|| statement_error(forms, form, "operators and sorts are names"))
        };
        let signature = Signature {
            columns: columns.iter().map(|&column| symbol(column)).collect::<Result<_, _>>()?,
            sort: symbol(sort)?,
        };
        Rc::make_mut(&mut self.operators).insert(symbol(name)?, signature);
        Ok(())
    }

    fn rewrite(&mut self, forms: &Forms, form: usize, untyped: bool) -> Result<(), TheoryError> {
        let parts: Vec<usize> = forms.elements(form).skip(1).collect();
        let [left, right, settings @ ..] = &parts[..] else {
            return Err(statement_error(forms, form, "a rule has two sides"));
        };
        let (mut name, mut conditions) = (None, Vec::new());
        for pair in settings.windows(2) {
            match forms.symbol(pair[0]) {
                Some(":name") => {
                    name = match forms.kind(pair[1]) {
                        Kind::Symbol(name) | Kind::Text(name) => Some(name.clone()),
                        Kind::List => None,
                    };
                }
                Some(":when") => {
                    for fact in forms.elements(pair[1]) {
                        conditions.push(self.condition(forms, fact, untyped)?);
                    }
                }
                _ => {}
            }
        }
        let (left, right) = (
            self.pattern(forms, *left, untyped)?,
            self.pattern(forms, *right, untyped)?,
        );
        let both = forms.head(form) == Some("birewrite");
        let mut directions = vec![(left.clone(), right.clone(), "")];
        if both {
            directions.push((right, left, "-rev"));
        }
        for (left, right, suffix) in directions {
            let name = match &name {
                Some(name) => format!("{name}{suffix}"),
                None => {
                    let texts: Vec<String> = conditions.iter().map(Condition::text).collect();
                    let when = if texts.is_empty() { "" } else { " :when " };
                    format!("{} => {}{when}{}", left.text(), right.text(), texts.join(" "))
                }
            };
            self.enter(Rule {
                name,
                left,
                right,
                conditions: conditions.clone(),
            });
        }
        Ok(())
    }

    fn condition(&self, forms: &Forms, fact: usize, untyped: bool) -> Result<Condition, TheoryError> {
        let (fact, untyped) = self.inside_untyped(forms, fact, untyped);
        let relation = forms.head(fact).filter(|head| matches!(*head, "=" | "!="));
        let Some(relation) = relation else {
            return self.pattern(forms, fact, untyped).map(Condition::Holds);
        };
        let sides = forms.elements(fact).skip(1);
        let sides: Vec<Pattern> = sides
            .map(|side| self.pattern(forms, side, untyped))
            .collect::<Result<_, _>>()?;
        match (relation, &sides[..]) {
            ("=", [_, _, ..]) => Ok(Condition::Equal(sides)),
            ("!=", [a, b]) => Ok(Condition::Different(a.clone(), b.clone())),
            _ => Err(statement_error(forms, fact, "this compares two expressions")),
        }
    }

    /// The form inside `(untyped form)`, and whether it is untyped.
    fn inside_untyped(&self, forms: &Forms, form: usize, untyped: bool) -> (usize, bool) {
        let mut inner = forms.elements(form).skip(1);
        let wrapped = !untyped && forms.head(form) == Some("untyped") && !self.operators.contains_key("untyped");
        match (wrapped, inner.next(), inner.next()) {
            (true, Some(only), None) => (only, true),
            _ => (form, untyped),
        }
    }

    fn ground(&self, forms: &Forms, form: usize, untyped: bool) -> Result<Term, TheoryError> {
        let pattern = self.pattern(forms, form, untyped)?;
        pattern
            .instance(&Substitution::new())
            .map_err(|why| TheoryError::Ground {
                line: forms.line(form),
                why,
            })
    }

    /// Reads a pattern, or a ground term, which is one without variables.
    pub(crate) fn pattern(&self, forms: &Forms, form: usize, untyped: bool) -> Result<Pattern, TheoryError> {
        let (root, untyped) = self.inside_untyped(forms, form, untyped);
        let mut parts: Vec<Part> = Vec::new();
        let mut open: Vec<(usize, usize)> = Vec::new();
        let mut at = root;
        while at < forms.after(root) {
            while let Some(&(part, end)) = open.last().filter(|&&(_, end)| end <= at) {
                debug_assert!(end <= at);
                parts[part].size = parts.len() - part;
                open.pop();
            }
            let (mut arity, mut next) = (0, at + 1);
            let shape = match forms.kind(at) {
                Kind::Symbol(symbol) if untyped && symbol.starts_with('?') => Shape::Variable(symbol.clone()),
                Kind::Symbol(symbol) if untyped => Shape::Leaf(symbol.clone()),
                Kind::Symbol(symbol) => self.symbol(symbol),
                Kind::Text(text) => Shape::Value(Value::Text(text.clone())),
                Kind::List if !untyped && forms.elements(at).next().is_none() => Shape::Value(Value::Unit),
                Kind::List => {
                    let Some(name) = forms.head(at) else {
                        return Err(statement_error(forms, at, "a term begins with an operator's name"));
                    };
                    arity = forms.elements(at).count() - 1;
                    open.push((parts.len(), forms.after(at)));
                    next = at + 2;
                    if untyped && arity == 0 {
                        Shape::Leaf(name.to_owned())
                    } else if untyped || self.operators.contains_key(name) {
                        Shape::Call(name.to_owned())
                    } else if let Some(value) = fraction(forms, at) {
                        open.pop();
                        (arity, next) = (0, forms.after(at));
                        Shape::Value(value)
                    } else if primitive::is_primitive(name) {
                        Shape::Primitive(name.to_owned())
                    } else {
                        return Err(statement_error(forms, at, &format!("no operator `{name}` is declared")));
                    }
                }
            };
            parts.push(Part { shape, arity, size: 1 });
            at = next;
        }
        for (part, _) in open {
            parts[part].size = parts.len() - part;
        }
        Ok(Pattern { parts, untyped })
    }

    /// What a symbol of a typed pattern is.
    fn symbol(&self, symbol: &str) -> Shape {
        if let Some(term) = self.labels.get(symbol) {
            return Shape::Bound(symbol.to_owned(), term.clone());
        }
        match (symbol, Value::of_symbol(symbol)) {
            ("_", _) => Shape::Wildcard,
            (_, Some(value)) => Shape::Value(value),
            (_, None) => Shape::Variable(symbol.to_owned()),
        }
    }
}

/// `(rational 1 2)` as a literal.
fn fraction(forms: &Forms, form: usize) -> Option<Value> {
    let mut parts = forms.elements(form);
    let (head, numerator, denominator) = (parts.next()?, parts.next()?, parts.next()?);
    if forms.symbol(head) != Some("rational") || parts.next().is_some() {
        return None;
    }
    let number = |form: usize| forms.symbol(form).and_then(|text| text.parse::<i64>().ok());
    Value::rational(number(numerator)?.into(), number(denominator)?.into())
}
