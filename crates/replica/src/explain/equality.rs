//! Equalities between concrete terms, closed under congruence, each with why it holds.
//!
//! All that was said is kept as a graph, also what was known by then: a later edge may be the shorter way. The *proof forest* within it (Nieuwenhuis and
//! Oliveras, "Proof-producing congruence closure", 2005) has just the edges that made two classes one; the path in it between two equal terms never
//! changes once it is there. It tells at once how far two terms are from each other at most.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use eqmesh_egraph::graph::OperatorId;

use super::concrete::{Child, Term, Terms};
use super::path::Search;
use crate::version::Dot;

/// What justifies an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The arguments are equal, by older edges.
    Congruence,
    /// The user asserted it.
    Asserted(Dot),
    /// From left to right; the position among the applications.
    Rule(u32),
    /// The snapshot that stands for the first facts has both in one class.
    Compacted,
}

/// What an edge of a snapshot weighs, in steps: it says nothing, so that many steps that say something are better.
const COMPACTED: u32 = 1_000;

/// An equality. Its age is its position among all: less is older.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) left: u32,
    pub(super) right: u32,
    pub(super) why: Why,
    /// How many steps it comes to, at most: those that it stands for, and those of a rule's conditions.
    pub(super) weight: u32,
}

impl Edge {
    /// The other end.
    pub(super) fn across(&self, from: u32) -> u32 {
        if self.left == from { self.right } else { self.left }
    }
}

/// Equalities that are still to be entered.
#[derive(Clone, Copy, Debug)]
struct Pending {
    left: u32,
    right: u32,
    why: Why,
    /// What the conditions weigh.
    conditions: u32,
}

/// Which side of a climb in the forest has been at a term, in which climb, and how far from its start.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    climb: u32,
    right: bool,
    weight: u32,
}

#[derive(Debug, Default)]
pub(super) struct Equalities {
    pub(super) terms: Terms,
    pub(super) edges: Vec<Edge>,
    /// The edges at each term.
    edges_at: Vec<Vec<u32>>,
    parents: Vec<u32>,
    users: Vec<Vec<u32>>,
    congruent: BTreeMap<Term, u32>,
    /// Pairs that an edge says are congruent.
    told: BTreeSet<(u32, u32)>,
    /// The proof forest: the edge towards the root.
    proofs: Vec<Option<u32>>,
    pending: VecDeque<Pending>,
    marks: Vec<Mark>,
    climbs: u32,
    pub(super) search: Search,
}

impl Equalities {
    pub(super) fn find(&mut self, mut id: u32) -> u32 {
        while self.parents[id as usize] != id {
            let next = self.parents[self.parents[id as usize] as usize];
            self.parents[id as usize] = next;
            id = next;
        }
        id
    }

    /// How many terms have been added.
    pub(super) fn term_count(&self) -> usize {
        self.parents.len()
    }

    /// The edges at a term, the oldest first.
    pub(super) fn edges_at(&self, term: u32) -> &[u32] {
        self.edges_at.get(term as usize).map_or(&[], Vec::as_slice)
    }

    fn canonical(&mut self, id: u32) -> Term {
        let (operator, mut children) = self.terms.get(id).clone();
        for child in &mut children {
            if let Child::Term(below) = child {
                *below = self.find(*below);
            }
        }
        (operator, children)
    }

    /// Adds a concrete term; if another one is congruent to it, they become equal at the next `close`. Terms that only stand in a chain
    /// ([`Terms::replace`]) must come after the last one that is added here.
    pub(super) fn add(&mut self, operator: OperatorId, children: Box<[Child]>) -> u32 {
        let (id, new) = self.terms.intern(operator, children);
        if new {
            self.edges_at.push(Vec::new());
            self.parents.push(id);
            self.users.push(Vec::new());
            self.proofs.push(None);
            self.marks.push(Mark::default());
            let key = self.canonical(id);
            for child in &key.1 {
                if let Child::Term(below) = child {
                    self.users[*below as usize].push(id);
                }
            }
            self.meet(key, id);
        }
        id
    }

    /// Says that two terms are equal, from the next `close` on. `conditions`: pairs of terms that have to be equal before.
    pub(super) fn equate(&mut self, left: u32, right: u32, why: Why, conditions: &[(u32, u32)]) {
        let conditions = self.weight(conditions);
        self.pending.push_back(Pending {
            left,
            right,
            why,
            conditions,
        });
    }

    /// Enters a term under its canonical form, or has it meet the one that is there.
    fn meet(&mut self, key: Term, id: u32) {
        match self.congruent.get(&key) {
            Some(&other) if other != id => self.pending.push_back(Pending {
                left: id,
                right: other,
                why: Why::Congruence,
                conditions: 0,
            }),
            Some(_) => {}
            None => {
                self.congruent.insert(key, id);
            }
        }
    }

    /// Enters what is pending, and all that follows by congruence.
    pub(super) fn close(&mut self) {
        while let Some(Pending {
            left,
            right,
            why,
            conditions,
        }) = self.pending.pop_front()
        {
            if left == right || why == Why::Congruence && !self.told.insert((left.min(right), left.max(right))) {
                continue;
            }
            let weight = match why {
                Why::Congruence => {
                    let arguments = self.arguments(left, right);
                    self.weight(&arguments)
                }
                Why::Asserted(_) | Why::Rule(_) => 1u32.saturating_add(conditions),
                Why::Compacted => COMPACTED,
            };
            let edge = self.edges.len() as u32;
            self.edges.push(Edge {
                left,
                right,
                why,
                weight,
            });
            self.edges_at[left as usize].push(edge);
            self.edges_at[right as usize].push(edge);
            let (x, y) = (self.find(left), self.find(right));
            if x == y {
                continue;
            }
            let (root, child, from) = if self.users[x as usize].len() >= self.users[y as usize].len() {
                (x, y, right)
            } else {
                (y, x, left)
            };
            self.hang(from, edge);
            self.parents[child as usize] = root;
            let users = std::mem::take(&mut self.users[child as usize]);
            for &user in &users {
                let key = self.canonical(user);
                self.meet(key, user);
            }
            self.users[root as usize].extend(users);
        }
    }

    /// Hangs the tree of a term under the other end of an edge, after turning it so that the term is its root.
    fn hang(&mut self, term: u32, edge: u32) {
        let (mut at, mut above) = (term, edge);
        while let Some(old) = self.proofs[at as usize].replace(above) {
            at = self.edges[old as usize].across(at);
            above = old;
        }
    }

    /// The terms that stand in the same columns of two congruent ones, where they differ.
    pub(super) fn arguments(&self, left: u32, right: u32) -> Vec<(u32, u32)> {
        let pairs = self.terms.children(left).iter().zip(self.terms.children(right));
        pairs
            .filter_map(|(a, b)| Some((a.term()?, b.term()?)))
            .filter(|(a, b)| a != b)
            .collect()
    }

    /// What the paths in the forest between these terms weigh together.
    fn weight(&mut self, pairs: &[(u32, u32)]) -> u32 {
        pairs
            .iter()
            .fold(0, |sum: u32, &(a, b)| sum.saturating_add(self.forest_weight(a, b)))
    }

    /// What the path in the forest weighs; `u32::MAX` if there is none. Climbs from both ends in turn: O(its length).
    fn forest_weight(&mut self, a: u32, b: u32) -> u32 {
        if a == b {
            return 0;
        }
        self.climbs += 1;
        let climb = self.climbs;
        let mark = |right, weight| Mark { climb, right, weight };
        self.marks[a as usize] = mark(false, 0);
        self.marks[b as usize] = mark(true, 0);
        let mut climbers = [Some((a, 0u32)), Some((b, 0u32))];
        while climbers.iter().any(Option::is_some) {
            for (side, climber) in climbers.iter_mut().enumerate() {
                let Some((at, weight)) = *climber else { continue };
                *climber = None;
                let Some(edge) = self.proofs[at as usize] else { continue };
                let edge = self.edges[edge as usize];
                let (next, weight) = (edge.across(at), weight.saturating_add(edge.weight));
                let seen = self.marks[next as usize];
                if seen.climb == climb && seen.right != (side == 1) {
                    return weight.saturating_add(seen.weight);
                }
                self.marks[next as usize] = mark(side == 1, weight);
                *climber = Some((next, weight));
            }
        }
        u32::MAX
    }
}
