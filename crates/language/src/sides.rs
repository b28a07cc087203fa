//! The sides of a rule as text: what its polarity is inferred from, and what tells whether two rules are the same.

use std::collections::BTreeMap;

use crate::pattern::{Fact, Pattern, Shape};
use crate::scope::Scope;

/// The shape of one side of a rule, as far as polarity needs it. See `side` in the WIT package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The number of nodes of the term: operators, functions, literals, labels, and variables as often as they occur.
    pub weight: u32,
    /// The side and the conditions as text, variables numbered in order of first occurrence in the whole rule, left side first.
    pub left_first: String,
    /// The same, numbered with the right side first.
    pub right_first: String,
}

/// Writes the expressions of a pattern.
pub(crate) struct Printer<'a, 's> {
    pub(crate) scope: &'a Scope<'s>,
    pub(crate) pattern: &'a Pattern,
}

impl Printer<'_, '_> {
    /// An expression, with variables as `variable` names them.
    pub(crate) fn expression(&self, root: u32, variable: &dyn Fn(u32) -> String) -> String {
        let mut text = String::new();
        let mut open: Vec<u32> = Vec::new();
        let end = self.pattern.nodes[root as usize].end;
        for at in root..end {
            while open.last().is_some_and(|&close| close <= at) {
                open.pop();
                text.push(')');
            }
            if at != root {
                text.push(' ');
            }
            let node = &self.pattern.nodes[at as usize];
            match &node.shape {
                Shape::Variable(own) => text.push_str(&variable(*own)),
                Shape::Value(value) => text.push_str(&value.to_string()),
                Shape::Label(label) => text.push_str(&self.pattern.labels[*label as usize].name),
                Shape::Call(operator) => {
                    let operator = &self.scope.operator(*operator).operator;
                    if operator.is_untyped() && operator.columns.is_empty() {
                        text.push_str(&operator.name);
                    } else {
                        text.push('(');
                        text.push_str(&operator.name);
                        open.push(node.end);
                    }
                }
                Shape::Primitive(candidates) => {
                    text.push('(');
                    text.push_str(candidates.first().map_or("", |own| own.name()));
                    open.push(node.end);
                }
                Shape::Bad => {}
            }
        }
        text.extend(open.iter().map(|_| ')'));
        text
    }

    /// Facts, with one blank between them.
    pub(crate) fn facts(&self, facts: &[Fact], variable: &dyn Fn(u32) -> String) -> String {
        let list = |relation: &str, sides: &[u32]| {
            let sides: Vec<String> = sides.iter().map(|&side| self.expression(side, variable)).collect();
            format!("({relation} {})", sides.join(" "))
        };
        let facts: Vec<String> = facts
            .iter()
            .map(|fact| match fact {
                Fact::Equal(sides) => list("=", sides),
                Fact::Different(a, b) => list("!=", &[*a, *b]),
                Fact::Holds(expression) => self.expression(*expression, variable),
            })
            .collect();
        facts.join(" ")
    }

    /// Both sides of a rule with these conditions.
    pub(crate) fn sides(&self, left: u32, right: u32, facts: &[Fact]) -> (Side, Side) {
        let roots_of = |fact: &Fact| match fact {
            Fact::Equal(sides) => sides.clone(),
            Fact::Different(a, b) => vec![*a, *b],
            Fact::Holds(expression) => vec![*expression],
        };
        let conditions: Vec<u32> = facts.iter().flat_map(roots_of).collect();
        let numbering = |first: u32, second: u32| {
            let mut numbers: BTreeMap<u32, usize> = BTreeMap::new();
            for &root in [first, second].iter().chain(&conditions) {
                for node in root..self.pattern.nodes[root as usize].end {
                    if let Shape::Variable(variable) = self.pattern.nodes[node as usize].shape {
                        let next = numbers.len();
                        numbers.entry(variable).or_insert(next);
                    }
                }
            }
            numbers
        };
        let (by_left, by_right) = (numbering(left, right), numbering(right, left));
        let text = |root: u32, numbers: &BTreeMap<u32, usize>| {
            let variable = |variable: u32| format!("?{}", numbers[&variable]);
            let conditions = self.facts(facts, &variable);
            let separator = if conditions.is_empty() { "" } else { " :when " };
            format!("{}{separator}{conditions}", self.expression(root, &variable))
        };
        let side = |root: u32| Side {
            weight: self.pattern.nodes[root as usize].end - root,
            left_first: text(root, &by_left),
            right_first: text(root, &by_right),
        };
        (side(left), side(right))
    }
}
