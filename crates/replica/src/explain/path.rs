//! Light paths between equal terms.
//!
//! The least proof by congruence closure is NP-hard to find (Fellner, Fontaine and Woltzenlogel Paleo, 2017). This is an approximation after Flatt et al.
//! ("Small Proofs from Congruence Closure", FMCAD 2022): each congruence weighs as many steps as some path between its arguments that is easily found, and
//! the lightest path over all edges is taken. Congruences in a row are one (what is between them need not be visited), and the arguments of each are looked
//! for anew in the same way.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::equality::{Edge, Equalities, Why};

/// How often the weights of congruences are looked at anew. More brings next to nothing.
const ROUNDS: usize = 4;

/// A part of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// One edge that is no congruence, and whether it is walked from its left to its right.
    Step { edge: u32, forward: bool },
    /// From one term to another whose arguments are equal, by edges older than `before`.
    Congruence { from: u32, to: u32, before: u32 },
}

/// What a search knows of each term: in which search it was met, what the way there weighs, and its last edge.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    met: Vec<u32>,
    weights: Vec<u32>,
    via: Vec<Option<u32>>,
    number: u32,
    front: BinaryHeap<Reverse<(u32, u32)>>,
}

impl Search {
    fn begin(&mut self, terms: usize, from: impl IntoIterator<Item = u32>) {
        self.met.resize(terms.max(self.met.len()), 0);
        self.weights.resize(self.met.len(), 0);
        self.via.resize(self.met.len(), None);
        self.number += 1;
        self.front.clear();
        from.into_iter().for_each(|term| self.reach(term, 0, None));
    }

    /// Notes a way to a term if it is lighter than those known.
    fn reach(&mut self, term: u32, weight: u32, via: Option<u32>) {
        let at = term as usize;
        if self.met[at] != self.number || weight < self.weights[at] {
            self.met[at] = self.number;
            self.weights[at] = weight;
            self.via[at] = via;
            self.front.push(Reverse((weight, term)));
        }
    }
}

impl Equalities {
    /// Searches from where it was begun until it comes to a goal, over edges older than `before`. Of equally near goals always the same. Dijkstra's algorithm:
    /// O(n log n) in the edges that are no farther.
    fn search(&self, search: &mut Search, before: u32, is_goal: &dyn Fn(u32) -> bool) -> Option<u32> {
        while let Some(Reverse((weight, at))) = search.front.pop() {
            if search.weights[at as usize] < weight {
                continue;
            }
            if is_goal(at) {
                return Some(at);
            }
            for &edge in self.edges_at(at) {
                if edge >= before {
                    break;
                }
                let own = &self.edges[edge as usize];
                search.reach(own.across(at), weight.saturating_add(own.weight), Some(edge));
            }
        }
        None
    }

    /// Makes congruences lighter where there are lighter paths between their arguments than the proof forest had: those through trees of lightest paths, from
    /// the oldest term of each class and from its most connected one in turn. O(n log n) in the edges for each round.
    pub(super) fn refine(&mut self) {
        let mut search = std::mem::take(&mut self.search);
        for round in 0..ROUNDS {
            let mut centers: BTreeMap<u32, u32> = BTreeMap::new();
            for term in 0..self.term_count() as u32 {
                let class = self.find(term);
                let center = centers.entry(class).or_insert(term);
                if round % 2 == 1 && self.edges_at(term).len() > self.edges_at(*center).len() {
                    *center = term;
                }
            }
            search.begin(self.term_count(), centers.into_values());
            self.search(&mut search, u32::MAX, &|_| false);
            for edge in 0..self.edges.len() {
                let Edge {
                    left,
                    right,
                    why,
                    weight,
                } = self.edges[edge];
                if why == Why::Congruence {
                    let through = |(a, b): (u32, u32)| self.through_tree(&search, a, b);
                    let lighter: u32 = self
                        .arguments(left, right)
                        .into_iter()
                        .map(through)
                        .fold(0, u32::saturating_add);
                    self.edges[edge].weight = weight.min(lighter);
                }
            }
        }
        self.search = search;
    }

    /// What the path between two terms of a class weighs that a finished search has: up to where their ways to its start meet.
    fn through_tree(&self, search: &Search, a: u32, b: u32) -> u32 {
        let weight = |term: u32| search.weights[term as usize];
        let (mut x, mut y) = (a, b);
        while x != y {
            // The farther one is no start, and so was reached by an edge, which weighs at least one.
            let farther = if weight(x) >= weight(y) { &mut x } else { &mut y };
            match search.via[*farther as usize] {
                Some(edge) => *farther = self.edges[edge as usize].across(*farther),
                None => return u32::MAX,
            }
        }
        (weight(a) - weight(x)).saturating_add(weight(b) - weight(x))
    }

    /// The lightest path from a term to the nearest that is a goal, over edges older than `before`, and that goal. None if no goal can be reached.
    pub(super) fn path(
        &mut self,
        from: u32,
        before: u32,
        is_goal: &dyn Fn(u32) -> bool,
    ) -> Option<(u32, Vec<Segment>)> {
        let mut search = std::mem::take(&mut self.search);
        search.begin(self.term_count(), [from]);
        let goal = self.search(&mut search, before, is_goal);
        let mut edges = Vec::new();
        if let Some(mut at) = goal {
            while let Some(edge) = search.via[at as usize] {
                at = self.edges[edge as usize].across(at);
                edges.push(edge);
            }
        }
        self.search = search;
        let goal = goal?;
        let (mut path, mut at) = (Vec::new(), from);
        for edge in edges.into_iter().rev() {
            let own = &self.edges[edge as usize];
            let to = own.across(at);
            match (own.why, path.last_mut()) {
                (Why::Congruence, Some(Segment::Congruence { to: end, before, .. })) => {
                    (*end, *before) = (to, edge.max(*before));
                }
                (Why::Congruence, _) => path.push(Segment::Congruence {
                    from: at,
                    to,
                    before: edge,
                }),
                (Why::Rule(_) | Why::Asserted(_) | Why::Compacted, _) => path.push(Segment::Step {
                    edge,
                    forward: own.left == at,
                }),
            }
            at = to;
        }
        Some((goal, path))
    }
}
