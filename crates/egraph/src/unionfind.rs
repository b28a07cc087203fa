//! Disjoint sets of e-classes.

use crate::graph::{Growth, copy};

/// Union-find over dense 32-bit ids with path halving. Which id represents a set is the caller's choice (`union` keeps its
/// first argument), so that the e-graph can weigh by the size of use lists.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    /// Becomes sets of one, this many.
    pub(crate) fn refill(&mut self, count: u32) {
        self.parents.clear();
        self.parents.extend(0..count);
    }

    /// Becomes a copy, in the memory that there is.
    pub(crate) fn copy_from(&mut self, other: &UnionFind, growth: Growth) {
        copy(&mut self.parents, &other.parents, growth);
    }

    /// The number of sets ever made.
    pub(crate) fn len(&self) -> usize {
        self.parents.len()
    }

    /// A new set of one.
    pub(crate) fn make(&mut self) -> u32 {
        let id = self.parents.len() as u32;
        self.parents.push(id);
        id
    }

    /// The representative of a set. Near constant, amortized.
    pub(crate) fn find(&mut self, mut id: u32) -> u32 {
        loop {
            let parent = self.parents[id as usize];
            if parent == id {
                return id;
            }
            let grandparent = self.parents[parent as usize];
            self.parents[id as usize] = grandparent;
            id = grandparent;
        }
    }

    /// The representative, without shortening the path.
    pub(crate) fn get(&self, mut id: u32) -> u32 {
        while self.parents[id as usize] != id {
            id = self.parents[id as usize];
        }
        id
    }

    /// Puts the set of representative `child` under representative `root`.
    pub(crate) fn union(&mut self, root: u32, child: u32) {
        debug_assert!(self.parents[root as usize] == root && self.parents[child as usize] == child);
        self.parents[child as usize] = root;
    }
}
