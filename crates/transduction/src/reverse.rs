//! Turning a rule round: the 2-cell from its right side to its left.
//!
//! The atoms of the left side become actions and the actions atoms; conditions stay. What belongs to the left side is what hangs below its root
//! by variables that flattening made: a variable that the user named is a place for whatever stands there, so atoms about it are conditions.

use std::collections::{BTreeMap, BTreeSet};

use eqmesh_egraph::color::Color;
use eqmesh_egraph::program::{ProgramError, check_rule, decode_rule, encode_rule};
use eqmesh_egraph::rule::{Action, Atom, Operand, Query, Rule, Variable};

/// Why a rule cannot be turned round.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReversible {
    /// The bytes are not a rule's program.
    #[error("{0}")]
    Program(#[from] ProgramError),
    /// It does more or less than to unite its root with one right side.
    #[error("the rule `{0}` is no rewrite of one side into another")]
    NotARewrite(String),
    /// Its right side is a variable or has no operator, so that nothing is left to match.
    #[error("the right side of `{0}` has no operator to begin with")]
    Rootless(String),
    /// A variable that only one side has.
    #[error("only one side of the rule has the variable `{0}`")]
    OneSided(String),
}

/// The rule from right to left, with RED and BLUE exchanged. Its name gets `-rev` at the end, or loses it. Turning it round again gives the rule back,
/// up to the order of its atoms. O(size^2).
pub fn reverse(program: &[u8]) -> Result<Vec<u8>, NotReversible> {
    let rule = reversed(&decode_rule(program)?)?;
    check_rule(&rule)?;
    Ok(encode_rule(&rule))
}

/// What a variable that flattening made stands for.
enum Made {
    /// An e-node.
    Node(Atom),
    /// A function's result.
    Value(Atom),
}

impl Made {
    fn arguments(&self) -> &[Operand] {
        let (Made::Node(atom) | Made::Value(atom)) = self;
        match atom {
            Atom::Row { arguments, .. } | Atom::Primitive { arguments, .. } => arguments,
            Atom::Equal(..) | Atom::Different(..) => &[],
        }
    }
}

fn reversed(rule: &Rule) -> Result<Rule, NotReversible> {
    let not_a_rewrite = || NotReversible::NotARewrite(rule.name.clone());
    let Some((Action::Unite(a, b), actions)) = rule.actions.split_last() else {
        return Err(not_a_rewrite());
    };
    let Some(Atom::Row { class: root, .. }) = rule.query.atoms.first() else {
        return Err(not_a_rewrite());
    };
    let right = match (a == root, b == root) {
        (true, _) => *b,
        (_, true) => *a,
        _ => return Err(not_a_rewrite()),
    };

    let mut right_side = BTreeMap::new();
    for action in actions {
        let (variable, made) = match action.clone() {
            Action::Add {
                operator,
                arguments,
                class,
            } => (
                class,
                Made::Node(Atom::Row {
                    operator,
                    arguments,
                    class,
                }),
            ),
            Action::Compute {
                function,
                arguments,
                result,
            } => (
                result,
                Made::Value(Atom::Primitive {
                    function,
                    arguments,
                    result: Operand::Variable(result),
                }),
            ),
            Action::Unite(..) => return Err(not_a_rewrite()),
        };
        right_side.insert(variable, made);
    }
    if !matches!(right_side.get(&right), Some(Made::Node(_))) {
        return Err(NotReversible::Rootless(rule.name.clone()));
    }
    let (left_side, conditions) = left_side(&rule.query, *root);

    // The right side as atoms, the root first; functions after all e-nodes.
    let order = preorder(&right_side, right);
    let atom = |variable: &Variable| match right_side.get(variable) {
        Some(Made::Node(atom) | Made::Value(atom)) => Some(atom.clone()),
        None => None,
    };
    let (rows, functions): (Vec<Atom>, Vec<Atom>) = order
        .iter()
        .filter_map(atom)
        .partition(|atom| matches!(atom, Atom::Row { .. }));
    // A function comes after those whose results it takes: children before parents.
    let atoms: Vec<Atom> = rows
        .into_iter()
        .chain(functions.into_iter().rev())
        .chain(conditions)
        .collect();

    // The left side as actions, the root last.
    let mut actions: Vec<Action> = Vec::new();
    for variable in preorder(&left_side, *root).into_iter().rev() {
        actions.extend(match left_side.get(&variable) {
            Some(Made::Node(Atom::Row {
                operator,
                arguments,
                class,
            })) => Some(Action::Add {
                operator: *operator,
                arguments: arguments.clone(),
                class: *class,
            }),
            Some(Made::Value(Atom::Primitive {
                function,
                arguments,
                result: Operand::Variable(result),
            })) => Some(Action::Compute {
                function: *function,
                arguments: arguments.clone(),
                result: *result,
            }),
            _ => None,
        });
    }
    actions.push(Action::Unite(right, *root));

    same_variables(&rule.query, &left_side, &right_side)?;
    let name = rule
        .name
        .strip_suffix("-rev")
        .map_or_else(|| format!("{}-rev", rule.name), str::to_owned);
    let color = match rule.color {
        Color::Red => Color::Blue,
        Color::Blue => Color::Red,
        Color::Green => Color::Green,
    };
    let query = Query {
        atoms,
        ..rule.query.clone()
    };
    Ok(Rule {
        name,
        ruleset: rule.ruleset.clone(),
        color,
        query,
        actions,
    })
}

/// Splits the atoms into those of the left side and the conditions.
fn left_side(query: &Query, root: Variable) -> (BTreeMap<Variable, Made>, Vec<Atom>) {
    let made = |variable: Variable| query.variables[variable.0 as usize].name.is_empty();
    let mut side = BTreeMap::new();
    let mut taken = vec![false; query.atoms.len()];
    let mut wanted = vec![root];
    while let Some(variable) = wanted.pop() {
        if side.contains_key(&variable) || variable != root && !made(variable) {
            continue;
        }
        let found = query.atoms.iter().enumerate().find_map(|(i, atom)| match atom {
            Atom::Row { class, .. } if *class == variable => Some((i, Made::Node(atom.clone()))),
            Atom::Primitive { result, .. } if *result == Operand::Variable(variable) => {
                Some((i, Made::Value(atom.clone())))
            }
            _ => None,
        });
        if let Some((i, own)) = found {
            taken[i] = true;
            wanted.extend(variables(own.arguments()));
            side.insert(variable, own);
        }
    }
    let conditions = query
        .atoms
        .iter()
        .zip(taken)
        .filter(|(_, taken)| !taken)
        .map(|(atom, _)| atom.clone())
        .collect();
    (side, conditions)
}

fn variables(operands: &[Operand]) -> impl Iterator<Item = Variable> {
    operands.iter().filter_map(|operand| match operand {
        Operand::Variable(variable) => Some(*variable),
        Operand::Value(_) => None,
    })
}

/// The variables of a side from its root, each before those that stand below it; where one is shared, after all that stand above it.
fn preorder(side: &BTreeMap<Variable, Made>, root: Variable) -> Vec<Variable> {
    let mut left: BTreeMap<Variable, usize> = BTreeMap::new();
    let mut reached = vec![root];
    let mut seen = BTreeSet::from([root]);
    while let Some(variable) = reached.pop() {
        for below in side
            .get(&variable)
            .into_iter()
            .flat_map(|own| variables(own.arguments()))
        {
            *left.entry(below).or_default() += 1;
            if seen.insert(below) {
                reached.push(below);
            }
        }
    }
    let mut order = Vec::new();
    let mut ordered = BTreeSet::from([root]);
    let mut ready = vec![root];
    while let Some(variable) = ready.pop() {
        order.push(variable);
        let below: Vec<Variable> = side
            .get(&variable)
            .into_iter()
            .flat_map(|own| variables(own.arguments()))
            .collect();
        for variable in below.into_iter().rev() {
            // A program may be anything that decodes, so a side may be no tree: what stands below itself never gets ready.
            let count = left.entry(variable).or_default();
            *count = count.saturating_sub(1);
            if *count == 0 && ordered.insert(variable) {
                ready.push(variable);
            }
        }
    }
    order
}

/// The user's variables of both sides are the same, or the one that is missing.
fn same_variables(
    query: &Query,
    left: &BTreeMap<Variable, Made>,
    right: &BTreeMap<Variable, Made>,
) -> Result<(), NotReversible> {
    let has = |side: &BTreeMap<Variable, Made>, variable: Variable| {
        side.values()
            .any(|own| variables(own.arguments()).any(|own| own == variable))
    };
    for (index, info) in query.variables.iter().enumerate() {
        let variable = Variable(index as u32);
        if !info.name.is_empty() && has(left, variable) != has(right, variable) {
            return Err(NotReversible::OneSided(info.name.clone()));
        }
    }
    Ok(())
}
