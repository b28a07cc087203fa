//! Terms: flat lists of nodes in preorder, so that a subterm is a slice and two terms are equal if their nodes are.

use std::fmt;

use crate::sexp::{Forms, Kind, SyntaxError};
use crate::value::Value;

/// What a node of a term is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Label {
    /// `(name …)`.
    Call(String),
    /// A symbol alone: a number or truth value, or the leaf of an untyped term.
    Leaf(String),
    /// A string.
    Text(String),
}

/// A node and how much of what follows stands under it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) label: Label,
    pub(crate) arity: u32,
    /// The nodes of its subtree, itself included.
    pub(crate) size: usize,
}

/// A ground term.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(pub(crate) Vec<Node>);

impl Term {
    /// Reads a text that is one term, or one primitive value. O(length).
    pub fn read(text: &str) -> Result<Term, SyntaxError> {
        let forms = Forms::read(text)?;
        let error = |line: u32, what: &str| SyntaxError {
            line,
            what: what.to_owned(),
        };
        let mut roots = forms.roots();
        let (Some(root), None) = (roots.next(), roots.next()) else {
            return Err(error(1, "one term is wanted"));
        };
        let mut builder = Builder::default();
        let mut at = root;
        while at < forms.after(root) {
            match forms.kind(at) {
                Kind::List => {
                    let name = forms
                        .head(at)
                        .ok_or_else(|| error(forms.line(at), "a term begins with an operator's name"))?;
                    builder.call(name, forms.elements(at).count() - 1);
                    at += 1;
                }
                Kind::Symbol(symbol) => builder.leaf(Label::Leaf(symbol.clone())),
                Kind::Text(text) => builder.leaf(Label::Text(text.clone())),
            }
            at += 1;
        }
        Ok(Term(builder.nodes))
    }

    /// The nodes of the subterm that a place leads to.
    pub(crate) fn at(&self, place: &[u32]) -> Option<std::ops::Range<usize>> {
        let mut at = 0;
        for &column in place {
            if column >= self.0[at].arity {
                return None;
            }
            at += 1;
            for _ in 0..column {
                at += self.0[at].size;
            }
        }
        Some(at..at + self.0[at].size)
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(&self.0, f)
    }
}

/// Writes a slice that is one term.
pub(crate) fn write(nodes: &[Node], f: &mut dyn fmt::Write) -> fmt::Result {
    let mut open: Vec<usize> = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        while open.last().is_some_and(|&end| end <= at) {
            open.pop();
            f.write_char(')')?;
        }
        if at > 0 {
            f.write_char(' ')?;
        }
        match &node.label {
            Label::Call(name) => {
                write!(f, "({name}")?;
                open.push(at + node.size);
            }
            Label::Leaf(symbol) => f.write_str(symbol)?,
            Label::Text(text) => write!(f, "{}", Value::Text(text.clone()))?,
        }
    }
    open.iter().try_for_each(|_| f.write_char(')'))
}

/// The value that a slice says, if it is one.
pub(crate) fn value(nodes: &[Node]) -> Option<Value> {
    match nodes {
        [
            Node {
                label: Label::Leaf(symbol),
                ..
            },
        ] => Value::of_symbol(symbol),
        [
            Node {
                label: Label::Text(text),
                ..
            },
        ] => Some(Value::Text(text.clone())),
        [
            Node {
                label: Label::Call(name),
                ..
            },
            Node {
                label: Label::Leaf(numerator),
                ..
            },
            Node {
                label: Label::Leaf(denominator),
                ..
            },
        ] if name == "rational" => {
            let (numerator, denominator): (i64, i64) = (numerator.parse().ok()?, denominator.parse().ok()?);
            let value = Value::rational(numerator.into(), denominator.into())?;
            // Only fractions in lowest terms are values.
            (value == Value::Rational(numerator, denominator)).then_some(value)
        }
        _ => None,
    }
}

/// Makes a term from its nodes in preorder.
#[derive(Debug, Default)]
pub(crate) struct Builder {
    pub(crate) nodes: Vec<Node>,
    /// Calls whose arguments are not complete: where they are, and how many are missing.
    open: Vec<(usize, usize)>,
}

impl Builder {
    pub(crate) fn call(&mut self, name: &str, arity: usize) {
        self.nodes.push(Node {
            label: Label::Call(name.to_owned()),
            arity: arity as u32,
            size: 0,
        });
        self.open.push((self.nodes.len() - 1, arity));
        if arity == 0 {
            self.close();
        }
    }

    pub(crate) fn leaf(&mut self, label: Label) {
        self.nodes.push(Node {
            label,
            arity: 0,
            size: 1,
        });
        self.argument();
    }

    /// A term that is complete already.
    pub(crate) fn term(&mut self, nodes: &[Node]) {
        self.nodes.extend_from_slice(nodes);
        self.argument();
    }

    pub(crate) fn value(&mut self, value: &Value) {
        match value {
            Value::Text(text) => self.leaf(Label::Text(text.clone())),
            Value::Rational(numerator, denominator) => {
                self.call("rational", 2);
                self.leaf(Label::Leaf(numerator.to_string()));
                self.leaf(Label::Leaf(denominator.to_string()));
            }
            other => self.leaf(Label::Leaf(other.to_string())),
        }
    }

    fn argument(&mut self) {
        if let Some((_, missing)) = self.open.last_mut() {
            *missing -= 1;
            if *missing == 0 {
                self.close();
            }
        }
    }

    /// Closes the innermost call, and those that it was the last argument of.
    fn close(&mut self) {
        while let Some((at, 0)) = self.open.last().copied() {
            self.open.pop();
            self.nodes[at].size = self.nodes.len() - at;
            if let Some((_, missing)) = self.open.last_mut() {
                *missing -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_read_and_written() {
        for text in [
            "x",
            "(f)",
            "(f (g x) \"a \\\" b\" 1.5 (rational 1 2))",
            "(+ 1 (+ 2 (+ 3 4)))",
        ] {
            let term = Term::read(text).expect(text);
            assert_eq!(term.to_string(), text);
            assert_eq!(term.0[0].size, term.0.len());
        }
        let term = Term::read("(f (g x) (h y (k z)))").expect("a term");
        let at = |place: &[u32]| term.at(place).map(|range| Term(term.0[range].to_vec()).to_string());
        assert_eq!(at(&[]), Some(term.to_string()));
        assert_eq!(at(&[1, 1]), Some("(k z)".to_owned()));
        assert_eq!(at(&[1, 1, 0]), Some("z".to_owned()));
        assert_eq!(at(&[2]), None);
        assert_eq!(at(&[0, 0, 0]), None);
        for text in ["", "(", ")", "()", "a b", "(\"f\")", "\"a", "((f) x)"] {
            assert!(Term::read(text).is_err(), "{text}");
        }
        let deep = format!("{}x{}", "(f ".repeat(100_000), ")".repeat(100_000));
        assert_eq!(Term::read(&deep).expect("deep").to_string(), deep);
    }
}
