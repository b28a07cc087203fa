//! Dots, names of e-nodes, and version vectors.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The number of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AgentId(pub u32);

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
