//! Patterns: what the sides and conditions of a rule look like, and what it means for a term to be an instance.

use std::collections::BTreeMap;

use crate::primitive;
use crate::term::{self, Builder, Label, Node, Term};
use crate::value::Value;

/// What a node of a pattern is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A variable, as it is written.
    Variable(String),
    /// `_`: anything.
    Wildcard,
    Value(Value),
    /// The leaf of an untyped term.
    Leaf(String),
    Call(String),
    Primitive(String),
    /// What `let` bound: its name and its term.
    Bound(String, Term),
}

/// A node and how much of what follows stands under it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) shape: Shape,
    pub(crate) arity: usize,
    pub(crate) size: usize,
}

/// A pattern: its nodes in preorder.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) parts: Vec<Part>,
    pub(crate) untyped: bool,
}

/// What each variable stands for, by its name without `?`.
pub(crate) type Substitution = BTreeMap<String, Term>;

/// Why a term is no instance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoInstance {
    /// A variable without a term.
    #[error("nothing is substituted for the variable `{0}`")]
    Unbound(String),
    /// A primitive that has no value there.
    #[error("`{0}` is undefined there")]
    Undefined(String),
    /// Something else stands there.
    #[error("`{found}` stands where `{wanted}` should")]
    Differs {
        /// What the pattern says, or what a variable stands for.
        wanted: String,
        /// What the term says.
        found: String,
    },
}

/// The name of a variable in a substitution.
pub(crate) fn name(written: &str) -> &str {
    written.strip_prefix('?').unwrap_or(written)
}

/// What stands for a variable.
fn bound<'s>(substitution: &'s Substitution, written: &str) -> Result<&'s Term, NoInstance> {
    let name = name(written);
    substitution
        .get(name)
        .ok_or_else(|| NoInstance::Unbound(name.to_owned()))
}

fn text(nodes: &[Node]) -> String {
    let mut text = String::new();
    // Writing into memory does not fail.
    let _ = term::write(nodes, &mut text);
    text
}

impl Pattern {
    /// The names of the variables, each as often as it occurs.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match &part.shape {
            Shape::Variable(written) => Some(name(written)),
            Shape::Wildcard => Some("_"),
            _ => None,
        })
    }

    /// Whether something in it stands for anything.
    pub(crate) fn has_wildcard(&self) -> bool {
        self.parts.iter().any(|part| part.shape == Shape::Wildcard)
    }

    /// Whether a term is the instance under a substitution. O(both).
    pub(crate) fn fits(&self, substitution: &Substitution, nodes: &[Node]) -> Result<(), NoInstance> {
        let (mut part, mut at) = (0, 0);
        while part < self.parts.len() {
            let own = &self.parts[part];
            // Arities agree above, so there is a node for each part.
            let found = &nodes[at..at + nodes[at].size];
            let whole = |wanted: &[Node]| {
                if wanted == found {
                    Ok(())
                } else {
                    Err(NoInstance::Differs {
                        wanted: text(wanted),
                        found: text(found),
                    })
                }
            };
            match &own.shape {
                Shape::Wildcard => {}
                Shape::Variable(written) => whole(&bound(substitution, written)?.0)?,
                Shape::Bound(_, term) => whole(&term.0)?,
                Shape::Value(value) => whole(&value_term(value).0)?,
                Shape::Primitive(_) => whole(&value_term(&self.compute(part, substitution)?).0)?,
                Shape::Call(wanted) => {
                    let same = matches!(&found[0].label, Label::Call(name) if name == wanted)
                        && found[0].arity as usize == own.arity;
                    if !same {
                        return Err(NoInstance::Differs {
                            wanted: format!("({wanted}{})", " …".repeat(own.arity)),
                            found: text(found),
                        });
                    }
                    (part, at) = (part + 1, at + 1);
                    continue;
                }
                Shape::Leaf(wanted) => {
                    if found[0].label != Label::Leaf(wanted.clone()) {
                        return Err(NoInstance::Differs {
                            wanted: wanted.clone(),
                            found: text(found),
                        });
                    }
                }
            }
            (part, at) = (part + own.size, at + found.len());
        }
        Ok(())
    }

    /// The instance under a substitution. It must have no wildcard. O(size).
    pub(crate) fn instance(&self, substitution: &Substitution) -> Result<Term, NoInstance> {
        let mut builder = Builder::default();
        let mut part = 0;
        while part < self.parts.len() {
            let own = &self.parts[part];
            match &own.shape {
                Shape::Wildcard => return Err(NoInstance::Unbound("_".to_owned())),
                Shape::Variable(written) => builder.term(&bound(substitution, written)?.0),
                Shape::Bound(_, term) => builder.term(&term.0),
                Shape::Value(value) => builder.value(value),
                Shape::Leaf(symbol) => builder.leaf(Label::Leaf(symbol.clone())),
                Shape::Call(name) => builder.call(name, own.arity),
                Shape::Primitive(_) => {
                    builder.value(&self.compute(part, substitution)?);
                    part += own.size;
                    continue;
                }
            }
            part += 1;
        }
        Ok(Term(builder.nodes))
    }

    /// The value of the primitive at a part: arguments before what they are handed to, that is backwards.
    pub(crate) fn compute(&self, root: usize, substitution: &Substitution) -> Result<Value, NoInstance> {
        let mut values: Vec<Value> = Vec::new();
        for own in self.parts[root..root + self.parts[root].size].iter().rev() {
            let value = match &own.shape {
                Shape::Value(value) => value.clone(),
                Shape::Primitive(name) => {
                    // The first argument was computed last.
                    let arguments: Vec<Value> = values.drain(values.len() - own.arity..).rev().collect();
                    primitive::apply(name, &arguments).ok_or_else(|| {
                        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
                        NoInstance::Undefined(format!("({name} {})", arguments.join(" ")))
                    })?
                }
                Shape::Variable(written) => {
                    let term = bound(substitution, written)?;
                    term::value(&term.0).ok_or_else(|| NoInstance::Undefined(format!("{written} = {term}")))?
                }
                other => return Err(NoInstance::Undefined(format!("{other:?}"))),
            };
            values.push(value);
        }
        values.pop().ok_or_else(|| NoInstance::Undefined("nothing".to_owned()))
    }

    /// The pattern as the language writes it.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut open: Vec<usize> = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            while open.last().is_some_and(|&end| end <= at) {
                open.pop();
                text.push(')');
            }
            if at > 0 {
                text.push(' ');
            }
            match &part.shape {
                Shape::Variable(written) => text.push_str(written),
                Shape::Wildcard => text.push('_'),
                Shape::Value(value) => text.push_str(&value.to_string()),
                Shape::Leaf(symbol) => text.push_str(symbol),
                Shape::Bound(name, _) => text.push_str(name),
                Shape::Call(name) | Shape::Primitive(name) => {
                    text.push('(');
                    text.push_str(name);
                    open.push(at + part.size);
                }
            }
        }
        text.extend(open.iter().map(|_| ')'));
        text
    }
}

fn value_term(value: &Value) -> Term {
    let mut builder = Builder::default();
    builder.value(value);
    Term(builder.nodes)
}
