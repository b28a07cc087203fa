//! Concrete terms: what the e-graph's classes are made of, each term once.

use std::collections::BTreeMap;

use eqmesh_egraph::graph::{EGraph, OperatorId};
use eqmesh_egraph::term::MAX_TERM_TEXT;
use eqmesh_egraph::value::ValueId;

use crate::fault::Fault;

/// What stands under a concrete term.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Child {
    Term(u32),
    Value(ValueId),
}

impl Child {
    /// The term, if it is one.
    pub(super) fn term(self) -> Option<u32> {
        match self {
            Child::Term(id) => Some(id),
            Child::Value(_) => None,
        }
    }
}

/// An operator and what stands under it.
pub(super) type Term = (OperatorId, Box<[Child]>);

/// Terms by number, in the order in which they were first met.
#[derive(Debug, Default)]
pub(super) struct Terms {
    terms: Vec<Term>,
    numbers: BTreeMap<Term, u32>,
}

impl Terms {
    /// The term's number, and whether it is new.
    pub(super) fn intern(&mut self, operator: OperatorId, children: Box<[Child]>) -> (u32, bool) {
        let next = self.terms.len() as u32;
        let term = (operator, children);
        let id = *self.numbers.entry(term.clone()).or_insert(next);
        if id == next {
            self.terms.push(term);
        }
        (id, id == next)
    }

    /// What stands under a term.
    pub(super) fn children(&self, id: u32) -> &[Child] {
        &self.terms[id as usize].1
    }

    /// The term's operator and what stands under it.
    pub(super) fn get(&self, id: u32) -> &Term {
        &self.terms[id as usize]
    }

    /// How many there are. The number of a term is greater than those of the terms under it.
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The subterm at a place, if the place leads to a term.
    pub(super) fn at(&self, whole: u32, place: &[u32]) -> Option<u32> {
        place
            .iter()
            .try_fold(whole, |at, &column| self.children(at).get(column as usize)?.term())
    }

    /// The term with the subterm at a place replaced; the place must lead to a term.
    pub(super) fn replace(&mut self, whole: u32, place: &[u32], with: u32) -> u32 {
        let mut way = Vec::with_capacity(place.len());
        let mut at = whole;
        for &column in place {
            way.push(at);
            match self.children(at).get(column as usize) {
                Some(Child::Term(below)) => at = *below,
                _ => return whole,
            }
        }
        let mut new = with;
        for (&above, &column) in way.iter().zip(place).rev() {
            let (operator, mut children) = self.get(above).clone();
            children[column as usize] = Child::Term(new);
            new = self.intern(operator, children).0;
        }
        new
    }

    /// The text of a term or a value.
    pub(super) fn text(&self, graph: &EGraph, child: Child) -> Result<String, Fault> {
        let mut text = String::new();
        let mut stack = vec![(child, 0usize)];
        while let Some((child, mut column)) = stack.pop() {
            if text.len() > MAX_TERM_TEXT {
                return Err(Fault::Limit(format!(
                    "a term of the explanation is longer than {MAX_TERM_TEXT} bytes"
                )));
            }
            let id = match child {
                Child::Value(value) => {
                    text.push_str(&graph.values.get(value).to_string());
                    continue;
                }
                Child::Term(id) => id,
            };
            let (operator, children) = self.get(id);
            let operator = graph.operator(*operator);
            if children.is_empty() && operator.is_untyped() {
                text.push_str(&operator.name);
                continue;
            }
            if column == 0 {
                text.push('(');
                text.push_str(&operator.name);
            }
            loop {
                let Some(&below) = children.get(column) else {
                    text.push(')');
                    break;
                };
                text.push(' ');
                column += 1;
                match below {
                    Child::Term(_) => {
                        stack.push((child, column));
                        stack.push((below, 0));
                        break;
                    }
                    Child::Value(value) => text.push_str(&graph.values.get(value).to_string()),
                }
            }
        }
        Ok(text)
    }
}
