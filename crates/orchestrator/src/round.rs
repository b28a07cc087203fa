//! Rounds: what was heard for each, and how it ended.

use std::collections::{BTreeMap, BTreeSet};

use eqmesh_replica::AgentId;

/// The barriers of a round, in order: one message of every member that is awaited there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Barrier {
    /// What every agent derived in this round.
    Derived,
    /// What the GREEN agents certified.
    Certified,
    /// Every agent's digest.
    Compared,
}

/// What a member says of its share at the end of a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Vote {
    /// The digest of its facts.
    pub state_digest: [u8; 32],
    /// Its whole share was searched and added nothing.
    pub saturated: bool,
    /// Its budget ended the search.
    pub exhausted: bool,
    /// Matches that it saw.
    pub matches: u64,
    /// Matches that became facts.
    pub applied: u64,
    /// Matches held back by the 3-coloring constraint.
    pub blocked: u64,
}

/// How a round ended, from the votes of all members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Verdict {
    /// The number of the round.
    pub round: u32,
    /// Nobody's share added anything, nothing was cut short and nothing blocked.
    pub saturated: bool,
    /// Somebody's search was cut short.
    pub exhausted: bool,
    /// All state digests are equal.
    pub agreed: bool,
    /// Matches that all saw together,
    pub matches: u64,
    /// that became facts,
    pub applied: u64,
    /// and that were held back. All three stop at the greatest number rather than wrap round.
    pub blocked: u64,
}

/// What was heard for one round. Memory is linear in the members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// For each barrier, in order.
    arrivals: [BTreeSet<AgentId>; 3],
    votes: BTreeMap<AgentId, Vote>,
}

impl Heard {
    /// Answers whether this was news. O(log agents).
    pub(crate) fn arrive(&mut self, agent: AgentId, barrier: Barrier) -> bool {
        self.arrivals[barrier as usize].insert(agent)
    }

    /// Answers whether this is the member's first vote; only that counts. O(log agents).
    pub(crate) fn cast(&mut self, agent: AgentId, vote: Vote) -> bool {
        let first = !self.votes.contains_key(&agent);
        self.votes.entry(agent).or_insert(vote);
        first
    }

    /// How many have arrived at a barrier.
    pub(crate) fn arrived(&self, barrier: Barrier) -> usize {
        self.arrivals[barrier as usize].len()
    }

    /// How many have voted.
    pub(crate) fn voted(&self) -> usize {
        self.votes.len()
    }

    /// What the votes amount to: the same in whatever order they came.
    pub(crate) fn verdict(&self, round: u32) -> Verdict {
        let sum = |part: fn(&Vote) -> u64| self.votes.values().map(part).fold(0, u64::saturating_add);
        let mut digests = self.votes.values().map(|vote| vote.state_digest);
        let first = digests.next();
        let exhausted = self.votes.values().any(|vote| vote.exhausted);
        let blocked = sum(|vote| vote.blocked);
        Verdict {
            round,
            saturated: self.votes.values().all(|vote| vote.saturated) && !exhausted && blocked == 0,
            exhausted,
            agreed: digests.all(|digest| Some(digest) == first),
            matches: sum(|vote| vote.matches),
            applied: sum(|vote| vote.applied),
            blocked,
        }
    }
}
