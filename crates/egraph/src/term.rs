//! Terms as text: reading an s-expression over known operators, and writing one out. Nothing here recurses: a term may be
//! nested as deep as memory reaches.

use std::fmt::Write as _;

use crate::graph::{EGraph, OperatorId, RowId};
use crate::operator::Sort;
use crate::value::{Float, Rational, Value, ValueId, ValueType};

/// The most e-nodes that a term may have.
pub const MAX_TERM_NODES: usize = 10_000_000;

/// The longest text that a term is written as, in bytes. A term with much sharing can be exponentially longer than its e-graph.
pub const MAX_TERM_TEXT: usize = 64 << 20;

/// What stands under a node of a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument<R> {
    /// An earlier node of the term, by position.
    Node(u32),
    /// Something outside the term that stands for an e-class: what a label was bound to.
    Reference(R),
    /// A primitive value.
    Value(ValueId),
}

/// A term as a flat list of nodes, children before parents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term<R> {
    nodes: Vec<(OperatorId, u32)>,
    arguments: Vec<Argument<R>>,
    /// The whole term: the last node, or a reference alone.
    pub root: Argument<R>,
}

impl<R: Copy> Term<R> {
    /// A term without nodes that is one reference.
    pub fn reference(reference: R) -> Term<R> {
        Term {
            nodes: Vec::new(),
            arguments: Vec::new(),
            root: Argument::Reference(reference),
        }
    }

    /// Appends a node; its arguments must be earlier. It becomes the root.
    pub fn push(&mut self, operator: OperatorId, arguments: impl IntoIterator<Item = Argument<R>>) -> u32 {
        let position = self.nodes.len() as u32;
        self.arguments.extend(arguments);
        self.nodes.push((operator, self.arguments.len() as u32));
        self.root = Argument::Node(position);
        position
    }

    /// How many nodes it has.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether it is a reference alone.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes, children before parents: operator and arguments.
    pub fn nodes(&self) -> impl Iterator<Item = (OperatorId, &[Argument<R>])> {
        let mut start = 0;
        self.nodes.iter().map(move |&(operator, end)| {
            let arguments = &self.arguments[start as usize..end as usize];
            start = end;
            (operator, arguments)
        })
    }
}

/// A name that stands for a term in texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The name.
    pub name: String,
    /// The sort of its term.
    pub sort: String,
    /// The term as it was given, labels in it as they are. None if it cannot be written, or would be longer than [`MAX_TERM_TEXT`].
    pub term: Option<String>,
}

/// Why a text is not a term. Positions are byte offsets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TermError {
    /// The text is not one s-expression.
    #[error("at byte {at}: {what}")]
    Malformed {
        /// Where.
        at: usize,
        /// What is wrong.
        what: String,
    },
    /// No operator or label of this name (with so many arguments).
    #[error("at byte {at}: no operator `{name}` with {arity} arguments and no label of that name is declared")]
    Unknown {
        /// Where.
        at: usize,
        /// The name.
        name: String,
        /// How many arguments it was given.
        arity: usize,
    },
    /// The arguments do not fit the operator.
    #[error("at byte {at}: {what}")]
    Mismatch {
        /// Where.
        at: usize,
        /// What does not fit.
        what: String,
    },
    /// The term has more than [`MAX_TERM_NODES`] nodes.
    #[error("the term has more than {MAX_TERM_NODES} nodes")]
    Limit,
}

#[derive(Clone, Debug)]
enum Parsed<R> {
    Done(Argument<R>, String),
    /// An atom whose meaning depends on the column it stands in.
    Atom {
        at: usize,
        text: String,
        quoted: bool,
    },
    Rational(usize, Rational),
}

struct Open {
    at: usize,
    children: usize,
}

/// Reads a term. `label` says what a bare symbol stands for, with its sort, where it is a label.
pub fn parse<R: Copy>(
    graph: &mut EGraph,
    text: &str,
    label: &dyn Fn(&str) -> Option<(R, String)>,
) -> Result<(Term<R>, String), TermError> {
    let bytes = text.as_bytes();
    let mut term = Term {
        nodes: Vec::new(),
        arguments: Vec::new(),
        root: Argument::Node(0),
    };
    let mut stack: Vec<Open> = Vec::new();
    let mut values: Vec<Parsed<R>> = Vec::new();
    let mut at = 0;
    let malformed = |at, what: &str| TermError::Malformed {
        at,
        what: what.to_owned(),
    };
    loop {
        while at < bytes.len() && bytes[at].is_ascii_whitespace() {
            at += 1;
        }
        if at == bytes.len() {
            break;
        }
        if stack.is_empty() && !values.is_empty() {
            return Err(malformed(at, "more than one term"));
        }
        match bytes[at] {
            b'(' => {
                stack.push(Open {
                    at,
                    children: values.len(),
                });
                at += 1;
            }
            b')' => {
                let open = stack.pop().ok_or_else(|| malformed(at, "`)` without `(`"))?;
                let mut children = values.split_off(open.children).into_iter();
                let value = match children.next() {
                    Some(Parsed::Atom {
                        at,
                        text,
                        quoted: false,
                    }) => close(graph, &mut term, at, &text, children.collect(), label)?,
                    Some(_) => return Err(malformed(open.at, "a term begins with an operator's name")),
                    None => return Err(malformed(open.at, "`()` is not a term")),
                };
                values.push(value);
                at += 1;
            }
            b'"' => {
                let start = at;
                at += 1;
                let mut content = String::new();
                loop {
                    let Some(c) = text[at..].chars().next() else {
                        return Err(malformed(start, "unclosed string"));
                    };
                    at += c.len_utf8();
                    match c {
                        '"' => break,
                        '\\' => {
                            let escaped = text[at..]
                                .chars()
                                .next()
                                .ok_or_else(|| malformed(start, "unclosed string"))?;
                            at += escaped.len_utf8();
                            content.push(match escaped {
                                'n' => '\n',
                                't' => '\t',
                                'r' => '\r',
                                other => other,
                            });
                        }
                        c => content.push(c),
                    }
                }
                values.push(Parsed::Atom {
                    at: start,
                    text: content,
                    quoted: true,
                });
            }
            _ => {
                let start = at;
                while at < bytes.len() && !bytes[at].is_ascii_whitespace() && !matches!(bytes[at], b'(' | b')' | b'"') {
                    at += 1;
                }
                values.push(Parsed::Atom {
                    at: start,
                    text: text[start..at].to_owned(),
                    quoted: false,
                });
            }
        }
        if term.nodes.len() > MAX_TERM_NODES {
            return Err(TermError::Limit);
        }
    }
    if let Some(open) = stack.last() {
        return Err(malformed(open.at, "unclosed `(`"));
    }
    let value = values
        .pop()
        .ok_or_else(|| malformed(0, "an empty text is not a term"))?;
    let (root, sort) = match value {
        Parsed::Done(root, sort) => (root, sort),
        Parsed::Atom {
            at,
            text,
            quoted: false,
        } => leaf(graph, &mut term, at, &text, None, label)?,
        Parsed::Atom { at, .. } | Parsed::Rational(at, _) => {
            return Err(TermError::Mismatch {
                at,
                what: "a primitive value alone is not a term".to_owned(),
            });
        }
    };
    term.root = root;
    Ok((term, sort))
}

/// A bare symbol where an e-class is wanted: a label, or an operator without arguments.
fn leaf<R: Copy>(
    graph: &EGraph,
    term: &mut Term<R>,
    at: usize,
    name: &str,
    sort: Option<&str>,
    label: &dyn Fn(&str) -> Option<(R, String)>,
) -> Result<(Argument<R>, String), TermError> {
    let fits = |other: &str| sort.is_none_or(|sort| sort == other);
    if let Some((reference, own)) = label(name)
        && fits(&own)
    {
        return Ok((Argument::Reference(reference), own));
    }
    let id = graph
        .operators_named(name, Some(0))
        .find(|&id| fits(graph.operator(id).output.sort()))
        .ok_or_else(|| TermError::Unknown {
            at,
            name: name.to_owned(),
            arity: 0,
        })?;
    let position = term.push(id, []);
    Ok((Argument::Node(position), graph.operator(id).output.sort().to_owned()))
}

fn close<R: Copy>(
    graph: &mut EGraph,
    term: &mut Term<R>,
    at: usize,
    name: &str,
    children: Vec<Parsed<R>>,
    label: &dyn Fn(&str) -> Option<(R, String)>,
) -> Result<Parsed<R>, TermError> {
    let candidates: Vec<OperatorId> = graph.operators_named(name, Some(children.len())).collect();
    let fits = |id: &&OperatorId| {
        graph
            .operator(**id)
            .columns
            .iter()
            .zip(&children)
            .all(|(column, child)| match (column, child) {
                (Sort::Class(sort), Parsed::Done(_, own)) => sort == own,
                (
                    Sort::Class(sort),
                    Parsed::Atom {
                        text, quoted: false, ..
                    },
                ) => {
                    label(text).is_some_and(|(_, own)| own == *sort)
                        || graph
                            .operators_named(text, Some(0))
                            .any(|id| graph.operator(id).output.sort() == sort)
                }
                (Sort::Value(sort), Parsed::Atom { text, quoted, .. }) => literal(*sort, text, *quoted).is_some(),
                (Sort::Value(ValueType::Rational), Parsed::Rational(..)) => true,
                _ => false,
            })
    };
    let Some(&id) = candidates.iter().find(fits) else {
        if let (true, "rational", [Parsed::Atom { text: a, .. }, Parsed::Atom { text: b, .. }]) =
            (candidates.is_empty(), name, children.as_slice())
            && let (Ok(a), Ok(b)) = (a.parse(), b.parse())
            && let Some(value) = Rational::new(a, b)
        {
            return Ok(Parsed::Rational(at, value));
        }
        return Err(match candidates.first() {
            None => TermError::Unknown {
                at,
                name: name.to_owned(),
                arity: children.len(),
            },
            Some(&id) => TermError::Mismatch {
                at,
                what: format!("the arguments do not fit {}", graph.operator(id)),
            },
        });
    };
    let operator = graph.operator(id).clone();
    let mut arguments = Vec::with_capacity(children.len());
    for (column, child) in operator.columns.iter().zip(children) {
        arguments.push(match (column, child) {
            (Sort::Class(sort), Parsed::Atom { at, text, .. }) => leaf(graph, term, at, &text, Some(sort), label)?.0,
            (_, Parsed::Done(argument, _)) => argument,
            (_, Parsed::Rational(_, value)) => Argument::Value(graph.values.intern(&Value::Rational(value))),
            (Sort::Value(sort), Parsed::Atom { at, text, quoted }) => {
                let value = literal(*sort, &text, quoted).ok_or_else(|| TermError::Mismatch {
                    at,
                    what: format!("`{text}` is not a value of {}", sort.name()),
                })?;
                Argument::Value(graph.values.intern(&value))
            }
        });
    }
    let position = term.push(id, arguments);
    Ok(Parsed::Done(
        Argument::Node(position),
        operator.output.sort().to_owned(),
    ))
}

/// Reads an atom as a value of a primitive sort.
fn literal(sort: ValueType, text: &str, quoted: bool) -> Option<Value> {
    match (sort, quoted) {
        (ValueType::String, true) => Some(Value::String(text.into())),
        (ValueType::I64, false) => text.parse().ok().map(Value::I64),
        (ValueType::F64, false) => match text {
            "NaN" => Some(Value::F64(Float::from(f64::NAN))),
            "inf" => Some(Value::F64(Float::from(f64::INFINITY))),
            "-inf" => Some(Value::F64(Float::from(f64::NEG_INFINITY))),
            _ if text.bytes().any(|b| b.is_ascii_digit()) => {
                text.parse::<f64>().ok().map(|value| Value::F64(Float::from(value)))
            }
            _ => None,
        },
        (ValueType::Bool, false) => text.parse().ok().map(Value::Bool),
        _ => None,
    }
}

/// A term's text would be longer than [`MAX_TERM_TEXT`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the term's text is longer than {MAX_TERM_TEXT} bytes")]
pub struct TooLong;

/// Writes the term that starts with this row and goes on, for each argument class, with the row that `choose` answers. The choice must be
/// well-founded. As egglog writes it; leaves of untyped terms are bare.
pub fn write(graph: &EGraph, root: RowId, choose: impl Fn(u32) -> RowId) -> Result<String, TooLong> {
    match write_within(graph, root, choose, MAX_TERM_TEXT) {
        (text, true) => Ok(text),
        (_, false) => Err(TooLong),
    }
}

/// The same, but no longer than a limit in bytes: answers the text, and whether it is complete. The beginning of one that is not may exceed the limit by a node or a value.
pub(crate) fn write_within(graph: &EGraph, root: RowId, choose: impl Fn(u32) -> RowId, limit: usize) -> (String, bool) {
    let mut text = String::new();
    let mut stack = vec![(root, 0usize)];
    while let Some((row, column)) = stack.pop() {
        if text.len() > limit {
            return (text, false);
        }
        let operator = graph.operator(graph.operator_of(row));
        let arguments = graph.arguments(row);
        if arguments.is_empty() && operator.is_untyped() {
            text.push_str(&operator.name);
            continue;
        }
        if column == 0 {
            text.push('(');
            text.push_str(&operator.name);
        }
        let mut column = column;
        loop {
            let Some(&argument) = arguments.get(column) else {
                text.push(')');
                break;
            };
            text.push(' ');
            column += 1;
            if operator.columns[column - 1].is_class() {
                stack.push((row, column.max(1)));
                stack.push((choose(argument), 0));
                break;
            }
            let _ = write!(text, "{}", graph.value(argument));
        }
    }
    let complete = text.len() <= limit;
    (text, complete)
}
