//! What a flattened rule looked like: which atom of its query spells out which class, and which equalities its conditions ask for.
//!
//! A class that the user did not name stands for the expression of the atom that defines it; one that has a name stands for itself. So `(F (G x) a)` with
//! the condition `(= a (Num n))` keeps its `a`, and the condition is an equality between `a` and `(Num n)`.

use eqmesh_egraph::rule::{Action, Atom, Operand, Rule, Variable};

/// One side of an equality that a condition asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// What a variable stands for.
    Class(Variable),
    /// The instance of an atom.
    Atom(usize),
}

/// What a condition asks of e-classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The two are equal.
    Equal(Side, Side),
    /// The instance of the atom is in the e-graph.
    Present(usize),
}

/// The shape of a rule.
#[derive(Clone, Debug)]
pub(super) struct Shape {
    /// For each variable the atom that spells it out, if one does.
    definitions: Vec<Option<usize>>,
    /// The atoms of operators, those of subterms before those that they stand in.
    pub(super) order: Vec<usize>,
    /// In the order of the query.
    pub(super) conditions: Vec<Condition>,
}

impl Shape {
    /// The shape of a rule. O(n) for what the language makes, O(n²) for whatever else came off the wire.
    pub(super) fn of(rule: &Rule) -> Shape {
        let query = &rule.query;
        let named = |variable: Variable| !query.variables[variable.0 as usize].name.is_empty();
        let mut definitions: Vec<Option<usize>> = vec![None; query.variables.len()];
        for (at, atom) in query.atoms.iter().enumerate() {
            if let Atom::Row { class, .. } = atom
                && !named(*class)
            {
                definitions[class.0 as usize] = Some(at);
            }
        }
        let order = order(&query.atoms, &mut definitions);
        let conditions = conditions(rule, &definitions, &named);
        Shape {
            definitions,
            order,
            conditions,
        }
    }

    /// The atom that spells out a variable.
    pub(super) fn definition(&self, variable: Variable) -> Option<usize> {
        self.definitions[variable.0 as usize]
    }
}

/// Puts atoms behind those that spell out their arguments. Definitions that go round in a circle, as no rule of the language has them, are dropped.
fn order(atoms: &[Atom], definitions: &mut [Option<usize>]) -> Vec<usize> {
    let mut order = Vec::new();
    let mut placed = vec![false; atoms.len()];
    loop {
        let before = order.len();
        for (at, atom) in atoms.iter().enumerate().rev() {
            let Atom::Row { arguments, .. } = atom else { continue };
            let ready = arguments.iter().all(|argument| match argument {
                Operand::Variable(variable) => definitions[variable.0 as usize].is_none_or(|atom| placed[atom]),
                Operand::Value(_) => true,
            });
            if !placed[at] && ready {
                placed[at] = true;
                order.push(at);
            }
        }
        if order.len() > before {
            continue;
        }
        let Some(circular) = definitions
            .iter_mut()
            .find(|atom| atom.is_some_and(|atom| !placed[atom]))
        else {
            return order;
        };
        *circular = None;
    }
}

fn conditions(rule: &Rule, definitions: &[Option<usize>], named: &dyn Fn(Variable) -> bool) -> Vec<Condition> {
    let query = &rule.query;
    let mut used = vec![false; query.variables.len()];
    let mut note = |operand: &Operand| {
        if let Operand::Variable(variable) = operand {
            used[variable.0 as usize] = true;
        }
    };
    for atom in &query.atoms {
        match atom {
            Atom::Row { arguments, .. } => arguments.iter().for_each(&mut note),
            Atom::Equal(a, b) => [a, b].into_iter().for_each(&mut note),
            Atom::Primitive { .. } | Atom::Different(..) => {}
        }
    }
    for action in &rule.actions {
        match action {
            Action::Add { arguments, .. } => arguments.iter().for_each(&mut note),
            Action::Unite(a, b) => [*a, *b].map(Operand::Variable).iter().for_each(&mut note),
            Action::Compute { .. } => {}
        }
    }
    let is_class = |variable: Variable| query.variables[variable.0 as usize].sort.is_class();
    let mut shared = vec![0usize; query.variables.len()];
    for atom in &query.atoms {
        if let Atom::Row { class, .. } = atom {
            shared[class.0 as usize] += 1;
        }
    }
    let condition = |(at, atom): (usize, &Atom)| match atom {
        Atom::Row { class, .. } if named(*class) => Some(Condition::Equal(Side::Class(*class), Side::Atom(at))),
        Atom::Row { class, .. } => match definitions[class.0 as usize] {
            Some(definition) if definition != at => Some(Condition::Equal(Side::Atom(at), Side::Atom(definition))),
            // A pattern alone: nothing else speaks of it.
            Some(_) if !used[class.0 as usize] && shared[class.0 as usize] == 1 => Some(Condition::Present(at)),
            _ => None,
        },
        Atom::Equal(Operand::Variable(a), Operand::Variable(b)) if is_class(*a) => {
            Some(Condition::Equal(Side::Class(*a), Side::Class(*b)))
        }
        _ => None,
    };
    query.atoms.iter().enumerate().filter_map(condition).collect()
}

#[cfg(test)]
mod tests {
    use eqmesh_transduction::{Signature, Statement};

    use super::*;

    /// Conditions as text: atoms by number, variables by name.
    fn conditions_of(text: &str) -> Vec<String> {
        let mut signature = Signature::new();
        let declarations = "(datatype M (Num i64) (Add M M) (Neg M)) (let two (Num 2))";
        let said = signature.elaborate(&format!("{declarations} {text}")).expect(text);
        let rule = said
            .statements
            .iter()
            .find_map(|own| match own {
                Statement::Rules(rules) => {
                    Some(eqmesh_egraph::program::decode_rule(&rules[0].program).expect("compiled"))
                }
                _ => None,
            })
            .expect("a rule");
        let side = |side: &Side| match side {
            Side::Class(variable) => rule.query.variables[variable.0 as usize].name.clone(),
            Side::Atom(at) => at.to_string(),
        };
        Shape::of(&rule)
            .conditions
            .iter()
            .map(|own| match own {
                Condition::Equal(a, b) => format!("{} = {}", side(a), side(b)),
                Condition::Present(at) => at.to_string(),
            })
            .collect()
    }

    #[test]
    fn conditions_are_told_from_sides() {
        let cases: [(&str, &[&str]); 9] = [
            ("(rewrite (Add (Neg a) (Num 1)) a)", &[]),
            (
                "(rewrite (Add a b) (Add b a) :when ((= a (Num n)) (< n 3)))",
                &["a = 1"],
            ),
            ("(rewrite (Add a b) (Neg b) :when ((= a (Add (Num n) b))))", &["a = 1"]),
            ("(rewrite (Add a b) (Neg b) :when ((= a b)))", &["a = b"]),
            ("(rewrite (Add a b) (Neg b) :when ((Neg a)))", &["1"]),
            ("(rewrite (Add a b) (Neg b) :when ((= (Neg a) (Neg b))))", &["1 = 2"]),
            ("(rewrite (Add a two) (Neg a))", &[]),
            ("(rewrite (Add a two) (Neg a) :when ((= two (Neg a))))", &["1 = 2"]),
            (
                "(rewrite (Add a b) (Neg a) :when ((= a (Neg b)) (= b (Neg a))))",
                &["a = 1", "b = 2"],
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(conditions_of(text), expected, "{text}");
        }
    }
}
