//! Patterns and facts: the expressions of one rule or query as an arena in preorder.
//!
//! A name is a variable unless it is a label; the term of a label is read into the arena too, once.

use std::collections::BTreeMap;
use std::ops::Range;

use eqmesh_egraph::primitive::Primitive;
use eqmesh_egraph::value::{Rational, Value};

use crate::diagnostic::Diagnostic;
use crate::ground::{no_overload, untyped_term};
use crate::literal::{Literal, literal};
use crate::reader::{Form, Forms, Kind};
use crate::scope::Scope;
use crate::signature::{SortId, UNTYPED_SORT};

/// The most nodes that the expressions of one rule or query may have, the terms of labels included.
const MAX_NODES: usize = 100_000;

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A variable, by position.
    Variable(u32),
    /// A literal.
    Value(Value),
    /// An operator of the scope.
    Call(u32),
    /// A primitive function: what it may be, until inference leaves one.
    Primitive(Vec<Primitive>),
    /// A label, by position.
    Label(u32),
    /// An error was reported.
    Bad,
}

/// An expression.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) shape: Shape,
    pub(crate) arguments: Vec<u32>,
    /// The node after its subtree.
    pub(crate) end: u32,
    pub(crate) form: Form,
    pub(crate) slot: u32,
}

/// A variable as the user wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    /// `?x` or `x`.
    pub(crate) written: String,
    pub(crate) slot: u32,
    /// Where it first occurs.
    pub(crate) span: Range<usize>,
}

/// A label that is used, and the root of its term.
#[derive(Clone, Debug)]
pub(crate) struct UsedLabel {
    pub(crate) name: String,
    pub(crate) root: u32,
    pub(crate) slot: u32,
}

/// A conjunct.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// All are equal.
    Equal(Vec<u32>),
    /// The two differ.
    Different(u32, u32),
    /// The expression is there, or defined.
    Holds(u32),
}

/// All expressions of one rule or query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    pub(crate) nodes: Vec<Node>,
    pub(crate) variables: Vec<Named>,
    pub(crate) labels: Vec<UsedLabel>,
    by_name: BTreeMap<String, u32>,
    /// Slots of sorts, joined by union-find: the parent, and at the root the sort where it is known.
    pub(crate) slots: Vec<(u32, Option<SortId>)>,
}

impl Pattern {
    fn slot(&mut self, sort: Option<SortId>) -> u32 {
        let slot = self.slots.len() as u32;
        self.slots.push((slot, sort));
        slot
    }

    pub(crate) fn find(&self, mut slot: u32) -> u32 {
        while self.slots[slot as usize].0 != slot {
            slot = self.slots[slot as usize].0;
        }
        slot
    }

    /// The sort of a node, where it is known.
    pub(crate) fn sort(&self, node: u32) -> Option<SortId> {
        self.slots[self.find(self.nodes[node as usize].slot) as usize].1
    }

    /// The sort of a variable, where it is known.
    pub(crate) fn variable_sort(&self, variable: u32) -> Option<SortId> {
        self.slots[self.find(self.variables[variable as usize].slot) as usize].1
    }

    /// How many operators and functions it has.
    pub(crate) fn operators(&self) -> usize {
        self.nodes
            .iter()
            .filter(|node| matches!(node.shape, Shape::Call(_) | Shape::Primitive(_)))
            .count()
    }

    /// Whether something in it is [`Shape::Bad`].
    pub(crate) fn is_bad(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.shape, Shape::Bad))
    }

    /// Reads an expression into the arena. Answers its root; errors are reported, and what they concern is [`Shape::Bad`].
    pub(crate) fn read(
        &mut self,
        scope: &mut Scope<'_>,
        forms: &Forms<'_>,
        form: Form,
        untyped: bool,
        errors: &mut Vec<Diagnostic>,
    ) -> Option<u32> {
        let (form, untyped) = match untyped_term(scope, forms, form) {
            Some(Ok(inner)) if !untyped => (inner, true),
            Some(Err(error)) if !untyped => {
                errors.push(error);
                return None;
            }
            _ => (form, untyped),
        };
        let end = forms.after(form);
        if self.nodes.len() + (end.0 - form.0) as usize > MAX_NODES {
            errors.push(too_large(forms.span(form)));
            return None;
        }
        let root = self.nodes.len() as u32;
        let mut open: Vec<(u32, Form)> = Vec::new();
        let mut at = form;
        while at < end {
            while let Some(&(list, close)) = open.last()
                && close <= at
            {
                self.nodes[list as usize].end = self.nodes.len() as u32;
                open.pop();
            }
            if at != form && forms.is_head(at) && forms.kind(at) != Kind::List {
                at = Form(at.0 + 1);
                continue;
            }
            let node = self.nodes.len() as u32;
            let mut next = Form(at.0 + 1);
            let (shape, sort) = match forms.kind(at) {
                Kind::Symbol => self.symbol(scope, forms, at, untyped, errors),
                Kind::String if untyped => {
                    let message = "an untyped term has no strings";
                    errors.push(Diagnostic::error("string-in-untyped", forms.span(at), message).help("write a symbol"));
                    (Shape::Bad, None)
                }
                Kind::String => of_value(Value::String(forms.string(at).unwrap_or_default().into())),
                Kind::List => {
                    if let Some(value) = fraction(forms, at).filter(|_| !untyped) {
                        next = forms.after(at);
                        of_value(value)
                    } else {
                        open.push((node, forms.after(at)));
                        list(scope, forms, at, untyped, errors)
                    }
                }
            };
            let slot = match shape {
                Shape::Variable(variable) => self.variables[variable as usize].slot,
                Shape::Label(label) => self.labels[label as usize].slot,
                _ => self.slot(sort),
            };
            let parent = open.iter().rev().find(|(list, _)| *list != node);
            if let Some(&(parent, _)) = parent {
                self.nodes[parent as usize].arguments.push(node);
            }
            self.nodes.push(Node {
                shape,
                arguments: Vec::new(),
                end: node + 1,
                form: at,
                slot,
            });
            at = next;
        }
        for (list, _) in open {
            self.nodes[list as usize].end = self.nodes.len() as u32;
        }
        Some(root)
    }

    fn symbol(
        &mut self,
        scope: &mut Scope<'_>,
        forms: &Forms<'_>,
        form: Form,
        untyped: bool,
        errors: &mut Vec<Diagnostic>,
    ) -> (Shape, Option<SortId>) {
        let (symbol, span) = (forms.source(form), forms.span(form));
        if untyped && !symbol.starts_with('?') {
            return match scope.untyped(symbol, 0, span) {
                Ok(operator) => (Shape::Call(operator), Some(UNTYPED_SORT)),
                Err(error) => {
                    errors.push(error);
                    (Shape::Bad, None)
                }
            };
        }
        if symbol == "?" {
            errors.push(Diagnostic::error(
                "bad-literal",
                span,
                "a variable needs a name after its `?`",
            ));
            return (Shape::Bad, None);
        }
        if !untyped && let Some(label) = scope.signature.labels.get(symbol) {
            if label.text.is_none() {
                let message = format!("the term of the label `{symbol}` is not known here");
                let help = "write the term itself: labels bound elsewhere cannot stand in patterns";
                errors.push(Diagnostic::error("label-in-pattern", span, message).help(help));
                return (Shape::Bad, Some(label.sort));
            }
            return (Shape::Label(self.label(symbol, label.sort)), Some(label.sort));
        }
        match literal(symbol) {
            Literal::Value(value) if !untyped => of_value(value),
            Literal::Overflow | Literal::Malformed if !untyped => {
                errors.push(Scope::bad_literal(symbol, literal(symbol) == Literal::Overflow, span));
                (Shape::Bad, None)
            }
            _ => {
                let known = self.by_name.get(symbol).copied().filter(|_| symbol != "_");
                let variable = known.unwrap_or_else(|| {
                    let slot = self.slot(untyped.then_some(UNTYPED_SORT));
                    let variable = self.variables.len() as u32;
                    self.variables.push(Named {
                        written: symbol.to_owned(),
                        slot,
                        span,
                    });
                    self.by_name.insert(symbol.to_owned(), variable);
                    variable
                });
                (Shape::Variable(variable), None)
            }
        }
    }

    fn label(&mut self, name: &str, sort: SortId) -> u32 {
        if let Some(known) = self.labels.iter().position(|label| label.name == name) {
            return known as u32;
        }
        let slot = self.slot(Some(sort));
        self.labels.push(UsedLabel {
            name: name.to_owned(),
            root: u32::MAX,
            slot,
        });
        self.labels.len() as u32 - 1
    }

    /// Reads the terms of the labels that are used, and of those that these use. Their forms are those of
    /// another text and so of no use: they become the first form.
    pub(crate) fn read_labels(&mut self, scope: &mut Scope<'_>, place: &Range<usize>, errors: &mut Vec<Diagnostic>) {
        let mut next = 0;
        while let Some(label) = self.labels.get(next) {
            let text = scope
                .signature
                .labels
                .get(&label.name)
                .and_then(|label| label.text.clone());
            let untyped = self.slots[label.slot as usize].1 == Some(UNTYPED_SORT);
            let mut wrong = Vec::new();
            let start = self.nodes.len();
            let root = text.and_then(|text| {
                let forms = Forms::read(&text).ok()?;
                let form = forms.roots().next()?;
                self.read(scope, &forms, form, untyped, &mut wrong)
            });
            for node in &mut self.nodes[start..] {
                node.form = Form(0);
            }
            match root {
                Some(root) if wrong.is_empty() => self.labels[next].root = root,
                _ => {
                    let message = format!(
                        "the term of the label `{}` is too large for a pattern",
                        self.labels[next].name
                    );
                    errors.push(Diagnostic::error("label-in-pattern", place.clone(), message));
                    return;
                }
            }
            next += 1;
        }
    }

    /// Reads facts.
    pub(crate) fn facts(
        &mut self,
        scope: &mut Scope<'_>,
        forms: &Forms<'_>,
        list: &[Form],
        untyped: bool,
        errors: &mut Vec<Diagnostic>,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        for &form in list {
            let inner = match untyped_term(scope, forms, form) {
                Some(Ok(inner)) if !untyped => Some(inner),
                _ => None,
            };
            let (form, untyped) = inner.map_or((form, untyped), |inner| (inner, true));
            let relation = forms.head(form).filter(|head| matches!(*head, "=" | "!="));
            let Some(relation) = relation else {
                facts.extend(self.read(scope, forms, form, untyped, errors).map(Fact::Holds));
                continue;
            };
            let sides: Vec<Form> = forms.elements(form).skip(1).collect();
            if sides.len() < 2 || relation == "!=" && sides.len() > 2 {
                let message = format!(
                    "`{relation}` compares two expressions{}",
                    if relation == "=" { " or more" } else { "" }
                );
                errors.push(Diagnostic::error("arity", forms.span(form), message));
                continue;
            }
            let roots: Vec<Option<u32>> = sides
                .iter()
                .map(|&side| self.read(scope, forms, side, untyped, errors))
                .collect();
            if let Some(roots) = roots.into_iter().collect::<Option<Vec<u32>>>() {
                facts.push(if relation == "=" {
                    Fact::Equal(roots)
                } else {
                    Fact::Different(roots[0], roots[1])
                });
            }
        }
        facts
    }
}

/// What to say of a rule or query beyond every limit.
pub(crate) fn too_large(span: Range<usize>) -> Diagnostic {
    let limit = eqmesh_egraph::rule::MAX_RULE_SIZE;
    Diagnostic::error("rule-too-large", span, format!("this has more than {limit} operators"))
        .help("split it, or insert the large part as a term and bind it with `let`")
}

fn of_value(value: Value) -> (Shape, Option<SortId>) {
    let sort = SortId::of_value(value.value_type());
    (Shape::Value(value), Some(sort))
}

/// `(rational 1 2)` as a literal.
fn fraction(forms: &Forms<'_>, form: Form) -> Option<Value> {
    if forms.head(form) != Some("rational") {
        return None;
    }
    let mut parts = forms
        .elements(form)
        .skip(1)
        .map(|part| forms.symbol(part).and_then(|part| part.parse().ok()));
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Some(numerator)), Some(Some(denominator)), None) => {
            Rational::new(numerator, denominator).map(Value::Rational)
        }
        _ => None,
    }
}

fn list(
    scope: &mut Scope<'_>,
    forms: &Forms<'_>,
    form: Form,
    untyped: bool,
    errors: &mut Vec<Diagnostic>,
) -> (Shape, Option<SortId>) {
    let mut elements = forms.elements(form);
    let Some(head) = elements.next() else {
        if untyped {
            let help = "a term begins with an operator's name";
            errors.push(Diagnostic::error("empty-list", forms.span(form), "`()` is not a term").help(help));
            return (Shape::Bad, None);
        }
        return of_value(Value::Unit);
    };
    let name = forms.symbol(head);
    let Some(name) = name.filter(|name| !(untyped && name.starts_with('?'))) else {
        let message = name.map_or_else(
            || "a pattern begins with an operator's name".to_owned(),
            |name| format!("the variable `{name}` stands where an operator belongs"),
        );
        errors.push(Diagnostic::error("head", forms.span(head), message));
        return (Shape::Bad, None);
    };
    let count = elements.count();
    if untyped {
        return match scope.untyped(name, count, forms.span(head)) {
            Ok(operator) => (Shape::Call(operator), Some(UNTYPED_SORT)),
            Err(error) => {
                errors.push(error);
                (Shape::Bad, None)
            }
        };
    }
    if let Some((operator, declared)) = scope.signature.typed(name) {
        if count != declared.columns.len() {
            errors.push(scope.arity_clash(operator, count, forms.span(form)));
            return (Shape::Bad, Some(declared.output));
        }
        return (Shape::Call(operator), Some(declared.output));
    }
    let all: Vec<Primitive> = Primitive::named(name).collect();
    if all.is_empty() {
        if matches!(name, "=" | "!=") {
            let message = format!("`{name}` is a fact and cannot stand inside an expression");
            errors.push(Diagnostic::error("head", forms.span(head), message));
        } else {
            errors.extend(scope.unknown_operator(name, forms.span(head)));
        }
        return (Shape::Bad, None);
    }
    let fitting: Vec<Primitive> = all
        .iter()
        .copied()
        .filter(|own| own.arguments().len() == count)
        .collect();
    if fitting.is_empty() {
        errors.push(no_overload(name, std::iter::repeat_n(None, count), forms, form));
        return (Shape::Bad, None);
    }
    let result = SortId::of_value(fitting[0].result());
    let certain = fitting.iter().all(|own| SortId::of_value(own.result()) == result);
    (Shape::Primitive(fitting), certain.then_some(result))
}
