//! Light paths between equal terms.
//!
//! The least proof by congruence closure is NP-hard to find (Fellner, Fontaine and Woltzenlogel Paleo, 2017). This is the greedy approximation of Flatt et al.
//! ("Small Proofs from Congruence Closure", FMCAD 2022): each congruence counts as many steps as the proof forest gives it, the lightest path
//! over all edges is taken, and the arguments of each congruence on it are looked for anew in the same way, among older edges. It is never longer than the path in
//! the forest, since that is one of those looked at.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::equality::Equalities;

/// One edge of a path, and whether it is walked from its left to its right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    pub(super) edge: u32,
    pub(super) forward: bool,
}

impl Equalities {
    /// The lightest path from a term to the nearest that is a goal, over edges older than `before`; of equally light ones always the same. None if no goal can be
    /// reached. Dijkstra's algorithm: O(n log n) in the edges that are no farther.
    pub(super) fn path(&self, from: u32, before: u32, is_goal: impl Fn(u32) -> bool) -> Option<Vec<Walk>> {
        let mut reached: BTreeMap<u32, (u32, Option<u32>)> = BTreeMap::from([(from, (0, None))]);
        let mut front = BinaryHeap::from([Reverse((0u32, from))]);
        while let Some(Reverse((weight, at))) = front.pop() {
            if reached[&at].0 < weight {
                continue;
            }
            if is_goal(at) {
                return Some(self.walk_back(&reached, at));
            }
            for &edge in self.edges_at(at) {
                if edge >= before {
                    break;
                }
                let own = &self.edges[edge as usize];
                let (next, weight) = (own.across(at), weight.saturating_add(own.weight));
                let lighter = reached.get(&next).is_none_or(|&(known, _)| weight < known);
                if lighter {
                    reached.insert(next, (weight, Some(edge)));
                    front.push(Reverse((weight, next)));
                }
            }
        }
        None
    }

    fn walk_back(&self, reached: &BTreeMap<u32, (u32, Option<u32>)>, goal: u32) -> Vec<Walk> {
        let mut path = Vec::new();
        let mut at = goal;
        while let Some(edge) = reached[&at].1 {
            let own = &self.edges[edge as usize];
            path.push(Walk {
                edge,
                forward: own.right == at,
            });
            at = own.across(at);
        }
        path.reverse();
        path
    }
}
