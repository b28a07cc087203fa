//! Random programs over one sort: three constants, and operators of one, two and three arguments.
#![allow(unreachable_pub)]

use std::fmt::Write as _;

use eqmesh_egraph::operator::Operator;
use eqmesh_transduction::{Signature, Statement};
use proptest::prelude::*;

/// A term, or a side of a rule.
#[derive(Clone, Debug)]
pub enum Tree {
    Variable(usize),
    Node(&'static str, Vec<Tree>),
}

impl Tree {
    fn variables(&self, into: &mut Vec<usize>) {
        match self {
            Tree::Variable(variable) => into.push(*variable),
            Tree::Node(_, children) => children.iter().for_each(|child| child.variables(into)),
        }
    }

    /// Variables by their place among those that are bound.
    fn bind(&self, bound: &[usize]) -> Tree {
        match self {
            Tree::Variable(variable) if bound.is_empty() => {
                let _ = variable;
                Tree::Node("A", Vec::new())
            }
            Tree::Variable(variable) => Tree::Variable(bound[variable % bound.len()]),
            Tree::Node(name, children) => Tree::Node(name, children.iter().map(|child| child.bind(bound)).collect()),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Tree::Variable(variable) => format!("v{variable}"),
            Tree::Node(name, children) => {
                let mut text = format!("({name}");
                for child in children {
                    write!(text, " {}", child.text()).unwrap();
                }
                text + ")"
            }
        }
    }
}

/// A tree with variables or without.
pub fn tree(variables: bool) -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        2 => prop::sample::select(vec!["A", "B", "C"]).prop_map(|name| Tree::Node(name, Vec::new())),
        5 => (0usize..3).prop_map(move |variable| if variables {
            Tree::Variable(variable)
        } else {
            Tree::Node(["A", "B", "C"][variable], Vec::new())
        }),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            1 => inner.clone().prop_map(|a| Tree::Node("G", vec![a])),
            4 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::Node("F", vec![a, b])),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| Tree::Node("H", vec![a, b, c])),
        ]
    })
}

/// A left side that is no variable, and a right side over its variables.
pub fn rule() -> impl Strategy<Value = Rewrite> {
    let left = tree(true).prop_filter("a variable alone", |tree| matches!(tree, Tree::Node(..)));
    (left, tree(true), 0usize..3).prop_map(|(left, right, color)| {
        let mut bound = Vec::new();
        left.variables(&mut bound);
        let right = right.bind(&bound);
        (left, right, color)
    })
}

/// A rule: left and right side, and its color from red, blue and green.
pub type Rewrite = (Tree, Tree, usize);

/// The operators of random programs, and these rules compiled.
pub fn compile(rules: &[Rewrite]) -> (Vec<Operator>, Vec<Vec<u8>>) {
    let mut text = "(datatype M (F M M) (G M) (H M M M) (A) (B) (C))".to_owned();
    for (left, right, color) in rules {
        let color = ["red", "blue", "green"][*color];
        write!(text, "(rewrite {} {} :color {color})", left.text(), right.text()).unwrap();
    }
    let said = Signature::new().elaborate(&text).expect("a correct text");
    let (mut operators, mut programs) = (Vec::new(), Vec::new());
    for statement in said.statements {
        match statement {
            Statement::Declaration(own) => operators.extend(own),
            Statement::Rules(rules) => programs.extend(rules.into_iter().map(|rule| rule.program)),
            _ => {}
        }
    }
    (operators, programs)
}
