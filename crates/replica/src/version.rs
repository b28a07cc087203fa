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
#[serde(from = "BTreeMap<AgentId, u64>", into = "BTreeMap<AgentId, u64>")]
pub struct VersionVector(
    /// Agents ascending, no sequence 0. Most have a handful, and are made, compared and dropped for every block: a tree would take an allocation for each few.
    Vec<(AgentId, u64)>,
);

impl VersionVector {
    fn position(&self, agent: AgentId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&agent, |&(own, _)| own)
    }

    /// The sequence up to which the agent's facts are here; 0 for none. O(log agents).
    pub fn get(&self, agent: AgentId) -> u64 {
        self.position(agent).map_or(0, |at| self.0[at].1)
    }

    /// Raises an agent's entry; never lowers it. O(log agents), for one that was not there O(agents behind it).
    pub fn raise(&mut self, agent: AgentId, sequence: u64) {
        if sequence == 0 {
            return;
        }
        // Mostly they come in order.
        if self.0.last().is_none_or(|&(last, _)| last < agent) {
            self.0.push((agent, sequence));
            return;
        }
        match self.position(agent) {
            Ok(at) => self.0[at].1 = self.0[at].1.max(sequence),
            Err(at) => self.0.insert(at, (agent, sequence)),
        }
    }

    /// Whether every fact that `other` speaks of is spoken of here.
    pub fn covers(&self, other: &VersionVector) -> bool {
        other.0.iter().all(|&(agent, sequence)| self.get(agent) >= sequence)
    }

    /// The least vector that covers both. O(agents of both).
    pub fn join(&mut self, other: &VersionVector) {
        let mut rest = &mut self.0[..];
        let mut others = Vec::new();
        for &(agent, sequence) in &other.0 {
            let at = rest.partition_point(|&(own, _)| own < agent);
            rest = &mut rest[at..];
            match rest.first_mut() {
                Some((own, here)) if *own == agent => *here = (*here).max(sequence),
                _ => others.push((agent, sequence)),
            }
        }
        if !others.is_empty() {
            self.0.append(&mut others);
            // Two ascending runs, which this sort merges.
            self.0.sort_by_key(|&(agent, _)| agent);
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
        self.0.iter().map(|&(agent, sequence)| Dot { agent, sequence })
    }

    /// How many facts it speaks of.
    pub fn facts(&self) -> u64 {
        self.0.iter().map(|&(_, sequence)| sequence).sum()
    }
}

impl FromIterator<Dot> for VersionVector {
    fn from_iter<T: IntoIterator<Item = Dot>>(dots: T) -> VersionVector {
        let dots = dots.into_iter();
        let mut version = VersionVector(Vec::with_capacity(dots.size_hint().0));
        for dot in dots {
            version.raise(dot.agent, dot.sequence);
        }
        version
    }
}

impl From<BTreeMap<AgentId, u64>> for VersionVector {
    fn from(entries: BTreeMap<AgentId, u64>) -> VersionVector {
        let dot = |(agent, sequence)| Dot { agent, sequence };
        entries.into_iter().map(dot).collect()
    }
}

impl From<VersionVector> for BTreeMap<AgentId, u64> {
    fn from(version: VersionVector) -> BTreeMap<AgentId, u64> {
        version.0.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Entries = BTreeMap<AgentId, u64>;

    fn entries() -> impl Strategy<Value = Entries> {
        prop::collection::btree_map((0u32..12).prop_map(AgentId), 1u64..9, 0..8)
    }

    fn entry(own: &Entries, agent: AgentId) -> u64 {
        own.get(&agent).copied().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn vectors_are_what_maps_from_agents_to_sequences_would_be(a in entries(), b in entries(), agent in 0u32..12, sequence in 0u64..9) {
            let (own, other) = (VersionVector::from(a.clone()), VersionVector::from(b.clone()));
            let agents = || (0..12).map(AgentId);
            prop_assert!(agents().all(|agent| own.get(agent) == entry(&a, agent)));
            prop_assert_eq!(own.covers(&other), agents().all(|agent| entry(&a, agent) >= entry(&b, agent)));
            prop_assert_eq!(own.facts(), a.values().sum::<u64>());

            let both = |pick: fn(u64, u64) -> u64| {
                let common = agents().map(|agent| (agent, pick(entry(&a, agent), entry(&b, agent))));
                common.filter(|&(_, sequence)| sequence > 0).collect::<Entries>()
            };
            let mut joined = own.clone();
            joined.join(&other);
            prop_assert_eq!(Entries::from(joined), both(u64::max));
            prop_assert_eq!(Entries::from(own.meet(&other)), both(u64::min));

            let mut raised = own;
            raised.raise(AgentId(agent), sequence);
            let mut expected = a;
            if sequence > 0 {
                let own = expected.entry(AgentId(agent)).or_default();
                *own = (*own).max(sequence);
            }
            prop_assert_eq!(Entries::from(raised), expected);
        }

        #[test]
        fn they_are_written_as_maps(a in entries()) {
            let own = VersionVector::from(a.clone());
            prop_assert_eq!(postcard::to_allocvec(&own).unwrap(), postcard::to_allocvec(&a).unwrap());
            let read: VersionVector = postcard::from_bytes(&postcard::to_allocvec(&own).unwrap()).unwrap();
            prop_assert_eq!(read, own);
        }
    }
}
