//! Rules built by hand, for tests of the e-graph that must not depend on the component that compiles them.

use std::collections::BTreeMap;

use eqmesh_egraph::color::Color;
use eqmesh_egraph::operator::{Operator, Sort, UNTYPED};
use eqmesh_egraph::program::{encode_query, encode_rule};
use eqmesh_egraph::rule::{Action, Atom, Operand, OperatorIndex, Query, Rule, Variable, VariableInfo};

/// A pattern over untyped operators.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// A variable.
    Variable(&'static str),
    /// An operator over patterns.
    Node(&'static str, Vec<Pattern>),
}

/// A variable.
pub fn variable(name: &'static str) -> Pattern {
    Pattern::Variable(name)
}

/// An operator over patterns.
pub fn node(operator: &'static str, children: impl IntoIterator<Item = Pattern>) -> Pattern {
    Pattern::Node(operator, children.into_iter().collect())
}

/// The program of a rewrite rule.
pub fn rewrite(name: &str, ruleset: &str, color: Color, left: &Pattern, right: &Pattern) -> Vec<u8> {
    let mut builder = Builder::default();
    let root = builder.atoms(left);
    let mut actions = Vec::new();
    let result = builder.actions(right, &mut actions);
    actions.push(Action::Unite(root, result));
    encode_rule(&Rule {
        name: name.to_owned(),
        ruleset: ruleset.to_owned(),
        color,
        query: builder.query,
        actions,
    })
}

/// The program of a query.
pub fn query(pattern: &Pattern) -> Vec<u8> {
    let mut builder = Builder::default();
    builder.atoms(pattern);
    encode_query(&builder.query)
}

#[derive(Default)]
struct Builder {
    query: Query,
    variables: BTreeMap<&'static str, Variable>,
}

impl Builder {
    fn fresh(&mut self, name: &str) -> Variable {
        let sort = Sort::Class(UNTYPED.to_owned());
        self.query.variables.push(VariableInfo {
            name: name.to_owned(),
            sort,
        });
        Variable(self.query.variables.len() as u32 - 1)
    }

    fn named(&mut self, name: &'static str) -> Variable {
        if let Some(&known) = self.variables.get(name) {
            return known;
        }
        let fresh = self.fresh(name);
        self.variables.insert(name, fresh);
        fresh
    }

    fn operator(&mut self, name: &str, arity: usize) -> OperatorIndex {
        let operator = Operator::untyped(name, arity);
        let known = self.query.operators.iter().position(|known| *known == operator);
        OperatorIndex(known.unwrap_or_else(|| {
            self.query.operators.push(operator);
            self.query.operators.len() - 1
        }) as u32)
    }

    /// Flattens a pattern into atoms, the root's first.
    fn atoms(&mut self, pattern: &Pattern) -> Variable {
        let (name, children) = match pattern {
            Pattern::Variable(name) => return self.named(name),
            Pattern::Node(name, children) => (name, children),
        };
        let class = self.fresh("");
        let operator = self.operator(name, children.len());
        let at = self.query.atoms.len();
        self.query.atoms.push(Atom::Row {
            operator,
            arguments: Vec::new(),
            class,
        });
        let operands = children
            .iter()
            .map(|child| Operand::Variable(self.atoms(child)))
            .collect();
        self.query.atoms[at] = Atom::Row {
            operator,
            arguments: operands,
            class,
        };
        class
    }

    /// Flattens a right side into actions, the leaves' first.
    fn actions(&mut self, pattern: &Pattern, actions: &mut Vec<Action>) -> Variable {
        let (name, children) = match pattern {
            Pattern::Variable(name) => return self.named(name),
            Pattern::Node(name, children) => (name, children),
        };
        let arguments = children
            .iter()
            .map(|child| Operand::Variable(self.actions(child, actions)))
            .collect();
        let operator = self.operator(name, children.len());
        let class = self.fresh("");
        actions.push(Action::Add {
            operator,
            arguments,
            class,
        });
        class
    }
}
