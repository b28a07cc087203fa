//! Random programs over one sort with numbers in it.

use std::fmt::Write as _;

use proptest::prelude::*;

#[derive(Clone, Debug)]
pub(crate) enum Tree {
    Class(usize),
    /// A variable of sort `i64`, and what is added to it (on the right side).
    Number(usize, i64),
    Literal(i64),
    Node(&'static str, Vec<Tree>),
}

impl Tree {
    pub(crate) fn text(&self) -> String {
        match self {
            Tree::Class(variable) => format!("v{variable}"),
            Tree::Number(variable, 0) => format!("(N n{variable})"),
            Tree::Number(variable, add) => format!("(N (+ n{variable} {add}))"),
            Tree::Literal(value) => format!("(N {value})"),
            Tree::Node(name, children) => {
                let mut text = format!("({name}");
                for child in children {
                    write!(text, " {}", child.text()).expect("into memory");
                }
                text + ")"
            }
        }
    }

    /// The variables of each sort, as often as they occur.
    fn variables(&self, classes: &mut Vec<usize>, numbers: &mut Vec<usize>) {
        match self {
            Tree::Class(variable) => classes.push(*variable),
            Tree::Number(variable, _) => numbers.push(*variable),
            Tree::Literal(_) => {}
            Tree::Node(_, children) => children.iter().for_each(|child| child.variables(classes, numbers)),
        }
    }

    /// Its variables replaced by some that are bound.
    fn bind(&self, classes: &[usize], numbers: &[usize]) -> Tree {
        match self {
            Tree::Class(variable) if !classes.is_empty() => Tree::Class(classes[variable % classes.len()]),
            Tree::Number(variable, add) if !numbers.is_empty() => Tree::Number(numbers[variable % numbers.len()], *add),
            Tree::Class(_) => Tree::Node("A", Vec::new()),
            Tree::Number(_, add) => Tree::Literal(*add),
            Tree::Literal(value) => Tree::Literal(*value),
            Tree::Node(name, children) => Tree::Node(
                name,
                children.iter().map(|child| child.bind(classes, numbers)).collect(),
            ),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Ground,
    Left,
    Right,
}

/// A tree that stands for itself, or for the side of a rule.
pub(crate) fn tree(kind: Kind) -> impl Strategy<Value = Tree> {
    let ground = prop_oneof![
        3 => prop::sample::select(vec!["A", "B", "C"]).prop_map(|name| Tree::Node(name, Vec::new())),
        2 => (0i64..3).prop_map(Tree::Literal),
    ];
    let open = prop_oneof![
        2 => prop::sample::select(vec!["A", "B"]).prop_map(|name| Tree::Node(name, Vec::new())),
        4 => (0usize..3).prop_map(Tree::Class),
        2 => (0usize..2, 0i64..2).prop_map(move |(variable, add)| {
            Tree::Number(variable, if kind == Kind::Right { add } else { 0 })
        }),
    ];
    let leaf = if kind == Kind::Ground {
        ground.boxed()
    } else {
        open.boxed()
    };
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            2 => inner.clone().prop_map(|a| Tree::Node("G", vec![a])),
            4 => (inner.clone(), inner.clone()).prop_map(|(a, b)| Tree::Node("F", vec![a, b])),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| Tree::Node("H", vec![a, b, c])),
        ]
    })
}

/// A condition, given the variables that the left side binds.
#[derive(Clone, Debug)]
enum Condition {
    /// A bound variable is equal to a pattern.
    Pattern(usize, Tree),
    /// Two bound variables are equal.
    Same(usize, usize),
    /// Two patterns over bound variables are equal.
    Both(Tree, Tree),
    /// An operator over a bound variable and anything.
    Wildcard(usize),
    /// A pattern is there.
    Present(usize),
    /// A number is less than another.
    Less(usize, i64),
}

impl Condition {
    fn text(&self, classes: &[usize], numbers: &[usize]) -> Option<String> {
        let class = |variable: &usize| {
            classes
                .get(variable % classes.len().max(1))
                .map(|own| format!("v{own}"))
        };
        Some(match self {
            Condition::Pattern(variable, tree) => format!("(= {} {})", class(variable)?, tree.text()),
            Condition::Same(a, b) => format!("(= {} {})", class(a)?, class(b)?),
            Condition::Both(a, b) => {
                format!(
                    "(= {} {})",
                    a.bind(classes, numbers).text(),
                    b.bind(classes, numbers).text()
                )
            }
            Condition::Wildcard(variable) => format!("(= {} (F _ label))", class(variable)?),
            Condition::Present(variable) => format!("(G {})", class(variable)?),
            Condition::Less(variable, value) => {
                format!("(< n{} {value})", numbers.get(variable % numbers.len().max(1))?)
            }
        })
    }
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        4 => (0usize..3, tree(Kind::Left)).prop_map(|(variable, tree)| Condition::Pattern(variable, tree)),
        1 => (0usize..3, 0usize..3).prop_map(|(a, b)| Condition::Same(a, b)),
        2 => (tree(Kind::Left), tree(Kind::Left)).prop_map(|(a, b)| Condition::Both(a, b)),
        1 => (0usize..3).prop_map(Condition::Wildcard),
        1 => (0usize..3).prop_map(Condition::Present),
        1 => (0usize..2, 0i64..4).prop_map(|(variable, value)| Condition::Less(variable, value)),
    ]
}

/// A rule as a statement. Not all are rules: some do not bind what they use.
pub(crate) fn rule() -> impl Strategy<Value = String> {
    let head = prop::sample::select(vec!["rewrite", "rewrite", "birewrite"]);
    let color = prop::sample::select(vec!["", " :color red", " :color blue", " :color green"]);
    let left = tree(Kind::Left).prop_filter("a variable alone", |tree| !matches!(tree, Tree::Class(_)));
    let conditions = prop::collection::vec(condition(), 0..3);
    (head, left, tree(Kind::Right), conditions, color).prop_map(|(head, left, right, conditions, color)| {
        let (mut classes, mut numbers) = (Vec::new(), Vec::new());
        left.variables(&mut classes, &mut numbers);
        let right = right.bind(&classes, &numbers);
        let conditions: Vec<String> = conditions
            .iter()
            .filter_map(|own| own.text(&classes, &numbers))
            .collect();
        let when = if conditions.is_empty() {
            String::new()
        } else {
            format!(" :when ({})", conditions.join(" "))
        };
        format!("({head} {} {}{when}{color})", left.text(), right.text())
    })
}

/// Rules that keep things going.
pub(crate) const COMMON: [&str; 5] = [
    "(rewrite (F v0 v1) (F v1 v0))",
    "(birewrite (F (F v0 v1) v2) (F v0 (F v1 v2)))",
    "(rewrite (G v0) v0 :when ((= v0 (N n0)) (< n0 2)))",
    "(rewrite (F v0 v1) (H v0 v1 v1) :when ((= v1 (G v2)) (= v2 (N n0))))",
    "(rewrite (F (N n0) (N n1)) (N (+ n0 n1)))",
];

pub(crate) const DECLARATIONS: &str = "(datatype M (N i64) (F M M) (G M) (H M M M) (A) (B) (C)) (let label (G (A)))";
