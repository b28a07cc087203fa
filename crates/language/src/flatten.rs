//! From expressions to the atoms and actions that the engine runs.
//!
//! Atoms of operators come first: the left side's in preorder, then those of the facts and labels. Equalities, differences and primitive functions
//! follow, each after what binds its operands.

use std::collections::BTreeMap;

use eqmesh_egraph::primitive::Primitive;
use eqmesh_egraph::rule::{Action, Atom, Operand, OperatorIndex, Query, Variable, VariableInfo};
use eqmesh_egraph::value::{Value, ValueType};

use crate::diagnostic::Diagnostic;
use crate::pattern::{Fact, Node, Pattern, Shape};
use crate::reader::Forms;
use crate::scope::Scope;
use crate::signature::SortId;

/// Flattens the expressions of one rule or query.
pub(crate) struct Flattener<'a, 's> {
    scope: &'a Scope<'s>,
    pattern: &'a Pattern,
    forms: &'a Forms<'a>,
    operators: BTreeMap<u32, OperatorIndex>,
    query: Query,
    actions: Vec<Action>,
    /// The operand that each node stands for, once it is known.
    operands: Vec<Option<Operand>>,
    /// The query's variable of each of the user's.
    variables: Vec<Variable>,
    /// Atoms that need something bound, with the node to blame.
    pending: Vec<(Atom, u32)>,
    bound: Vec<bool>,
}

impl<'a, 's> Flattener<'a, 's> {
    /// Every sort must have been inferred.
    pub(crate) fn new(scope: &'a Scope<'s>, pattern: &'a Pattern, forms: &'a Forms<'a>) -> Flattener<'a, 's> {
        let mut flattener = Flattener {
            scope,
            pattern,
            forms,
            operators: BTreeMap::new(),
            query: Query::default(),
            actions: Vec::new(),
            operands: vec![None; pattern.nodes.len()],
            variables: Vec::new(),
            pending: Vec::new(),
            bound: Vec::new(),
        };
        for (index, named) in pattern.variables.iter().enumerate() {
            let name = named.written.strip_prefix('?').unwrap_or(&named.written).to_owned();
            let variable = flattener.variable(name, pattern.variable_sort(index as u32));
            flattener.variables.push(variable);
        }
        flattener
    }

    /// A variable without a sort occurs nowhere but in a mistake that is reported elsewhere.
    fn variable(&mut self, name: String, sort: Option<SortId>) -> Variable {
        let sort = self
            .scope
            .signature
            .engine_sort(sort.unwrap_or(crate::signature::UNTYPED_SORT));
        self.query.variables.push(VariableInfo { name, sort });
        self.bound.push(false);
        Variable(self.query.variables.len() as u32 - 1)
    }

    fn operator(&mut self, operator: u32) -> OperatorIndex {
        let (scope, query) = (self.scope, &mut self.query);
        *self.operators.entry(operator).or_insert_with(|| {
            query.operators.push(scope.operator(operator).operator.clone());
            OperatorIndex(query.operators.len() as u32 - 1)
        })
    }

    fn node(&self, node: u32) -> &'a Node {
        &self.pattern.nodes[node as usize]
    }

    /// The operand that a node of the query stands for.
    fn operand(&mut self, node: u32) -> Operand {
        if let Some(operand) = &self.operands[node as usize] {
            return operand.clone();
        }
        let operand = match &self.node(node).shape {
            Shape::Variable(variable) => Operand::Variable(self.variables[*variable as usize]),
            Shape::Value(value) => Operand::Value(value.clone()),
            Shape::Label(label) => self.operand_of_label(*label),
            Shape::Call(_) | Shape::Primitive(_) | Shape::Bad => {
                Operand::Variable(self.variable(String::new(), self.pattern.sort(node)))
            }
        };
        self.operands[node as usize] = Some(operand.clone());
        operand
    }

    /// The class of a label's term. (The term of a label may be another label; that one was bound before.)
    fn operand_of_label(&mut self, mut label: u32) -> Operand {
        loop {
            let root = self.pattern.labels[label as usize].root;
            match self.node(root).shape {
                Shape::Label(other) => label = other,
                _ => return self.operand(root),
            }
        }
    }

    fn class(&mut self, node: u32) -> Variable {
        match self.operand(node) {
            Operand::Variable(variable) => variable,
            // Sorts were inferred: a call is of a sort of e-classes and never equal to a literal.
            Operand::Value(_) => self.variable(String::new(), self.pattern.sort(node)),
        }
    }

    /// Adds the atoms of an expression of the query, the root first.
    fn match_expression(&mut self, root: u32) {
        for node in root..self.node(root).end {
            match &self.node(node).shape {
                Shape::Call(operator) => {
                    let operator = self.operator(*operator);
                    let class = self.class(node);
                    let arguments = self.arguments(node);
                    self.bind(&Operand::Variable(class));
                    for argument in &arguments {
                        self.bind(argument);
                    }
                    self.query.atoms.push(Atom::Row {
                        operator,
                        arguments,
                        class,
                    });
                }
                Shape::Primitive(candidates) => {
                    if let Some(&function) = candidates.first() {
                        let result = self.operand(node);
                        let arguments = self.arguments(node);
                        self.pending.push((
                            Atom::Primitive {
                                function,
                                arguments,
                                result,
                            },
                            node,
                        ));
                    }
                }
                Shape::Variable(_) | Shape::Value(_) | Shape::Label(_) | Shape::Bad => {}
            }
        }
    }

    fn arguments(&mut self, node: u32) -> Vec<Operand> {
        self.node(node)
            .arguments
            .iter()
            .map(|&argument| self.operand(argument))
            .collect()
    }

    fn bind(&mut self, operand: &Operand) {
        if let Operand::Variable(variable) = operand {
            self.bound[variable.0 as usize] = true;
        }
    }

    fn is_bound(&self, operand: &Operand) -> bool {
        match operand {
            Operand::Variable(variable) => self.bound[variable.0 as usize],
            Operand::Value(_) => true,
        }
    }

    /// Adds everything that has to match: the left side, if there is one, the facts, and the terms of the labels used. Reports variables that
    /// nothing binds.
    pub(crate) fn match_all(&mut self, left: Option<u32>, facts: &[Fact], errors: &mut Vec<Diagnostic>) {
        for fact in facts {
            self.equate(fact);
        }
        if let Some(left) = left {
            self.match_expression(left);
        }
        for fact in facts {
            match fact {
                Fact::Equal(sides) => sides.iter().for_each(|&side| self.match_expression(side)),
                Fact::Different(a, b) => {
                    self.match_expression(*a);
                    self.match_expression(*b);
                    let atom = Atom::Different(self.operand(*a), self.operand(*b));
                    self.pending.push((atom, *a));
                }
                Fact::Holds(expression) => {
                    let unit = matches!(&self.node(*expression).shape, Shape::Primitive(candidates)
                        if candidates.first().is_some_and(|own| own.result() == ValueType::Unit));
                    if unit {
                        self.operands[*expression as usize] = Some(Operand::Value(Value::Unit));
                    }
                    self.match_expression(*expression);
                }
            }
        }
        for label in &self.pattern.labels {
            self.match_expression(label.root);
        }
        self.order(errors);
    }

    /// Lets the sides of an equality stand for one operand, so that most equalities need no atom.
    fn equate(&mut self, fact: &Fact) {
        let Fact::Equal(sides) = fact else { return };
        let shape = |side: u32| &self.pattern.nodes[side as usize].shape;
        let named = |side: &&u32| matches!(shape(**side), Shape::Variable(_) | Shape::Label(_));
        let literal = |side: &&u32| matches!(shape(**side), Shape::Value(_));
        let first = sides
            .iter()
            .find(named)
            .or_else(|| sides.iter().find(literal))
            .unwrap_or(&sides[0]);
        let common = self.operand(*first);
        for &side in sides {
            match &self.node(side).shape {
                Shape::Call(_) | Shape::Primitive(_) => self.operands[side as usize] = Some(common.clone()),
                _ => {
                    let own = self.operand(side);
                    if own != common {
                        self.pending.push((Atom::Equal(common.clone(), own), side));
                    }
                }
            }
        }
    }

    /// Puts what is pending behind what binds its operands.
    fn order(&mut self, errors: &mut Vec<Diagnostic>) {
        let mut pending = std::mem::take(&mut self.pending);
        loop {
            let count = pending.len();
            let mut still = Vec::new();
            for (atom, node) in pending {
                let ready = match &atom {
                    Atom::Primitive { arguments, .. } => arguments.iter().all(|argument| self.is_bound(argument)),
                    Atom::Equal(a, b) => self.is_bound(a) || self.is_bound(b),
                    Atom::Different(a, b) => self.is_bound(a) && self.is_bound(b),
                    Atom::Row { .. } => true,
                };
                if !ready {
                    still.push((atom, node));
                    continue;
                }
                match &atom {
                    Atom::Primitive { result, .. } => self.bind(result),
                    Atom::Equal(a, b) => {
                        self.bind(a);
                        self.bind(b);
                    }
                    Atom::Row { .. } | Atom::Different(..) => {}
                }
                self.query.atoms.push(atom);
            }
            pending = still;
            if pending.is_empty() || pending.len() == count {
                break;
            }
        }
        let mut blamed: Vec<u32> = Vec::new();
        for (_, node) in pending {
            let variables = (node..self.node(node).end).filter_map(|node| match self.node(node).shape {
                Shape::Variable(variable) => Some(variable),
                _ => None,
            });
            blamed.extend(variables.filter(|&variable| !self.bound[self.variables[variable as usize].0 as usize]));
        }
        blamed.sort_unstable();
        blamed.dedup();
        for variable in blamed {
            let named = &self.pattern.variables[variable as usize];
            let message = format!("nothing binds the variable `{}`", named.written);
            let help = "a variable is bound by standing in a column of an operator";
            errors.push(Diagnostic::error("unbound-variable", named.span.clone(), message).help(help));
        }
    }

    /// Adds what builds the right side, equal subterms once, and unites it with the left side's class. Reports variables that nothing binds.
    pub(crate) fn build(&mut self, left: u32, right: u32, errors: &mut Vec<Diagnostic>) {
        let mut reported: Vec<u32> = Vec::new();
        for node in (right..self.node(right).end).rev() {
            match &self.node(node).shape {
                Shape::Variable(variable) => {
                    let named = &self.pattern.variables[*variable as usize];
                    if !self.bound[self.variables[*variable as usize].0 as usize] && !reported.contains(variable) {
                        reported.push(*variable);
                        let place = self.forms.span(self.node(node).form);
                        let message = format!("the variable `{}` of the right side is not on the left", named.written);
                        let operator = self.scope.signature.typed(&named.written);
                        let help = match operator {
                            Some((_, own)) if own.columns.is_empty() => {
                                format!("the constructor is written `({})`", named.written)
                            }
                            _ => "bind it on the left side or in `:when`".to_owned(),
                        };
                        errors.push(Diagnostic::error("unbound-variable", place, message).help(help));
                    }
                }
                Shape::Call(operator) => {
                    let operator = self.operator(*operator);
                    let arguments = self.arguments(node);
                    self.add(node, operator, arguments);
                }
                Shape::Primitive(candidates) => {
                    if let Some(&function) = candidates.first() {
                        let arguments = self.arguments(node);
                        self.compute(node, function, arguments);
                    }
                }
                Shape::Value(_) | Shape::Label(_) | Shape::Bad => {}
            }
        }
        let (left, right) = (self.class(left), self.class(right));
        self.actions.push(Action::Unite(left, right));
    }

    fn add(&mut self, node: u32, operator: OperatorIndex, arguments: Vec<Operand>) {
        let same = self.actions.iter().find_map(|action| match action {
            Action::Add {
                operator: own,
                arguments: theirs,
                class,
            } if *own == operator && *theirs == arguments => Some(*class),
            _ => None,
        });
        let class = same.unwrap_or_else(|| {
            let class = self.variable(String::new(), self.pattern.sort(node));
            self.actions.push(Action::Add {
                operator,
                arguments,
                class,
            });
            class
        });
        self.operands[node as usize] = Some(Operand::Variable(class));
    }

    fn compute(&mut self, node: u32, function: Primitive, arguments: Vec<Operand>) {
        let same = self.actions.iter().find_map(|action| match action {
            Action::Compute {
                function: own,
                arguments: theirs,
                result,
            } if *own == function && *theirs == arguments => Some(*result),
            _ => None,
        });
        let result = same.unwrap_or_else(|| {
            let result = self.variable(String::new(), self.pattern.sort(node));
            self.actions.push(Action::Compute {
                function,
                arguments,
                result,
            });
            result
        });
        self.operands[node as usize] = Some(Operand::Variable(result));
    }

    /// What was made.
    pub(crate) fn finish(self) -> (Query, Vec<Action>) {
        (self.query, self.actions)
    }
}
