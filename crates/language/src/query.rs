//! What follows `check` and `:until`: facts, compiled into a query.

use eqmesh_egraph::program;
use eqmesh_egraph::rule::Query;

use crate::diagnostic::Diagnostic;
use crate::flatten::Flattener;
use crate::pattern::{Fact, Pattern, Shape, too_large};
use crate::reader::{Form, Forms};
use crate::scope::{NONE, Scope};
use crate::signature::Signature;

/// Compiles a text that is facts and nothing else.
pub(crate) fn compile(signature: &Signature, forms: &Forms<'_>) -> Result<Query, Vec<Diagnostic>> {
    let list: Vec<Form> = forms.roots().collect();
    let mut errors = Vec::new();
    let mut scope = Scope::new(signature, NONE);
    if list.is_empty() {
        let message = "a fact is wanted";
        return Err(vec![Diagnostic::error("usage", 0..forms.text().len(), message)]);
    }
    let query = facts(&mut scope, forms, &list, &mut errors);
    match query {
        Some(query) if errors.is_empty() => Ok(query),
        _ => Err(errors),
    }
}

/// Compiles facts.
pub(crate) fn facts(
    scope: &mut Scope<'_>,
    forms: &Forms<'_>,
    list: &[Form],
    errors: &mut Vec<Diagnostic>,
) -> Option<Query> {
    let before = errors.len();
    let place = forms.span_of(list);
    let mut pattern = Pattern::default();
    let facts = pattern.facts(scope, forms, list, false, errors);
    pattern.read_labels(scope, &place, errors);
    pattern.infer(scope, forms, &groups(&facts, None), errors);
    check_facts(&pattern, forms, &facts, errors);
    if pattern.is_bad() || errors.len() > before {
        return None;
    }
    let mut flattener = Flattener::new(scope, &pattern, forms);
    flattener.match_all(None, &facts, errors);
    let (query, _) = flattener.finish();
    if errors.len() > before {
        return None;
    }
    match program::check_query(&query, true) {
        Ok(()) => Some(query),
        Err(program::ProgramError::Size) => {
            errors.push(too_large(place));
            None
        }
        Err(error) => {
            errors.push(Diagnostic::error("query", place, error.to_string()));
            None
        }
    }
}

/// Nodes that must be of one sort.
pub(crate) fn groups(facts: &[Fact], sides: Option<(u32, u32)>) -> Vec<Vec<u32>> {
    let of_fact = |fact: &Fact| match fact {
        Fact::Equal(sides) => Some(sides.clone()),
        Fact::Different(a, b) => Some(vec![*a, *b]),
        Fact::Holds(_) => None,
    };
    sides
        .map(|(left, right)| vec![left, right])
        .into_iter()
        .chain(facts.iter().filter_map(of_fact))
        .collect()
}

/// A fact that is a variable or a literal alone says nothing.
pub(crate) fn check_facts(pattern: &Pattern, forms: &Forms<'_>, facts: &[Fact], errors: &mut Vec<Diagnostic>) {
    for fact in facts {
        let Fact::Holds(expression) = fact else { continue };
        let node = &pattern.nodes[*expression as usize];
        let what = match node.shape {
            Shape::Variable(_) => "a variable",
            Shape::Value(_) => "a literal",
            _ => continue,
        };
        let message = format!("{what} alone is not a fact");
        let help = "a fact is a pattern, a primitive predicate, `(= a b)` or `(!= a b)`";
        errors.push(Diagnostic::error("fact", forms.span(node.form), message).help(help));
    }
}
