//! Dots, names of e-nodes, and version vectors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An agent, as the maker of facts: its number in the network, and which of its incarnations.
///
/// An agent that starts without the state it had must not make facts under dots that it has used before, so it comes back as another incarnation
/// (a number that the host draws at random, or counts up): the same agent to its users, another maker of facts. The incarnation that a network was founded
/// with is 0, so that `AgentId(3)` is agent 3. Numbers take the lower 16 bits, incarnations the upper ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentId(pub u32);

impl AgentId {
    /// The greatest number of an agent. The one above it is never anybody's.
    pub const MAX_NUMBER: u32 = 0xfffe;

    /// An incarnation of an agent. None if the number is greater than [`AgentId::MAX_NUMBER`].
    pub fn new(number: u32, incarnation: u16) -> Option<AgentId> {
        (number <= AgentId::MAX_NUMBER).then_some(AgentId(u32::from(incarnation) << 16 | number))
    }

    /// Its number in the network.
    pub fn number(self) -> u32 {
        self.0 & 0xffff
    }

    /// Which incarnation of that number it is.
    pub fn incarnation(self) -> u16 {
        (self.0 >> 16) as u16
    }
}

/// The name of a fact: its agent and its sequence there, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// Who made it.
    pub agent: AgentId,
    /// Its number among the agent's facts.
    pub sequence: u64,
}

/// The name of an e-node: the `ordinal`-th (from 0) that the agent's facts named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// Whose fact named it.
    pub agent: AgentId,
    /// Its number among the e-nodes that the agent's facts named.
    pub ordinal: u32,
}

/// For each agent the highest sequence up to which all its facts are here; an agent without facts is left out. Ordered as sets are: `a <= b` is
/// [`VersionVector::covers`], the join is [`VersionVector::join`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionVector(BTreeMap<AgentId, u64>);

impl VersionVector {
    /// The sequence up to which the agent's facts are here; 0 for none.
    pub fn get(&self, agent: AgentId) -> u64 {
        self.0.get(&agent).copied().unwrap_or(0)
    }

    /// Raises an agent's entry; never lowers it.
    pub fn raise(&mut self, agent: AgentId, sequence: u64) {
        if sequence > 0 {
            let own = self.0.entry(agent).or_default();
            *own = (*own).max(sequence);
        }
    }

    /// Whether every fact that `other` speaks of is spoken of here.
    pub fn covers(&self, other: &VersionVector) -> bool {
        other.0.iter().all(|(&agent, &sequence)| self.get(agent) >= sequence)
    }

    /// The least vector that covers both.
    pub fn join(&mut self, other: &VersionVector) {
        for (&agent, &sequence) in &other.0 {
            self.raise(agent, sequence);
        }
    }

    /// The greatest vector that both cover.
    #[must_use]
    pub fn meet(&self, other: &VersionVector) -> VersionVector {
        let common = |dot: Dot| Dot {
            sequence: dot.sequence.min(other.get(dot.agent)),
            ..dot
        };
        self.iter().map(common).collect()
    }

    /// The entries, agents ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Dot> {
        self.0.iter().map(|(&agent, &sequence)| Dot { agent, sequence })
    }

    /// How many facts it speaks of.
    pub fn facts(&self) -> u64 {
        self.0.values().sum()
    }
}

impl FromIterator<Dot> for VersionVector {
    fn from_iter<T: IntoIterator<Item = Dot>>(dots: T) -> VersionVector {
        let mut version = VersionVector::default();
        for dot in dots {
            version.raise(dot.agent, dot.sequence);
        }
        version
    }
}
