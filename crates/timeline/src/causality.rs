//! Which event could have caused which: Lamport's happened-before, "Time, Clocks, and the Ordering of Events", CACM 1978.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use eqmesh_replica::AgentId;

use crate::event::{End, Letter};

/// How two events stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Causality {
    /// They are one event.
    Same,
    /// The first could have caused the second.
    Before,
    /// The second could have caused the first.
    After,
    /// Neither could have caused the other.
    Concurrent,
}

/// The kept events of one agent, in program order, which is the order of their indices.
#[derive(Clone, Debug, Default)]
struct Lane {
    events: VecDeque<u64>,
    /// Those that are receptions of a message of somebody else, with that message.
    receptions: VecDeque<(u64, Letter)>,
}

/// One end of a message: the message, which end, the agent at that end, the event.
type Mark = (Letter, End, AgentId, u64);

/// The order of the kept events. An event happens after those that its agent recorded before it, and a reception also after the
/// sending; nothing else counts.
///
/// Memory is linear in the kept events.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order {
    lanes: BTreeMap<AgentId, Lane>,
    marks: BTreeSet<Mark>,
    /// Sendings of a message that had been sent before: they caused no reception for certain.
    repeated: BTreeSet<u64>,
}

impl Order {
    /// Adds the newest event. Answers whether it repeats an earlier one that is kept: a sending of the same message, or its reception
    /// by the same agent. O(log n).
    pub(crate) fn push(&mut self, index: u64, agent: AgentId, letter: Option<(Letter, End)>) -> bool {
        let lane = self.lanes.entry(agent).or_default();
        lane.events.push_back(index);
        let Some((letter, end)) = letter else { return false };
        if end == End::Reception && letter.0 != agent {
            lane.receptions.push_back((index, letter));
        }
        let repeats = self
            .marks
            .range((letter, end, agent, 0)..(letter, end, agent, index))
            .next()
            .is_some();
        self.marks.insert((letter, end, agent, index));
        if repeats && end == End::Sending {
            self.repeated.insert(index);
        }
        repeats
    }

    /// Whether this is the sending of a message that had been sent before.
    pub(crate) fn repeats(&self, sending: u64) -> bool {
        self.repeated.contains(&sending)
    }

    /// Notes of the newest event, a sending, that its message had been sent before, which was known when more events were kept.
    pub(crate) fn note_repeated(&mut self, sending: u64) {
        self.repeated.insert(sending);
    }

    /// The events that the tables speak of.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        let lanes: usize = self.lanes.values().map(|lane| lane.events.len()).sum();
        let receptions: usize = self.lanes.values().map(|lane| lane.receptions.len()).sum();
        lanes.max(receptions).max(self.marks.len()).max(self.repeated.len())
    }

    /// Drops the oldest event. O(log n).
    pub(crate) fn fold(&mut self, index: u64, agent: AgentId, letter: Option<(Letter, End)>) {
        if let Some(lane) = self.lanes.get_mut(&agent) {
            lane.events.pop_front();
            if lane.receptions.front().is_some_and(|&(oldest, _)| oldest == index) {
                lane.receptions.pop_front();
            }
            if lane.events.is_empty() {
                self.lanes.remove(&agent);
            }
        }
        if let Some((letter, end)) = letter {
            self.marks.remove(&(letter, end, agent, index));
            self.repeated.remove(&index);
        }
    }

    /// The events at one end of a message, in order of agents. O(log n + answer).
    pub(crate) fn ends(&self, letter: Letter, end: End) -> impl Iterator<Item = u64> {
        self.marks
            .range((letter, end, AgentId(0), 0)..=(letter, end, AgentId(u32::MAX), u64::MAX))
            .map(|&(.., index)| index)
    }

    /// The sending that every reception of a message happened after: the first, if it is kept. O(log n).
    pub(crate) fn cause(&self, letter: Letter) -> Option<u64> {
        self.ends(letter, End::Sending)
            .next()
            .filter(|sending| !self.repeated.contains(sending))
    }

    /// What leads to an event: for each agent the last of its events that does (the event itself for its own). Also answers whether
    /// the event leads to itself, as it does in a log that contradicts itself. O(receptions among them × log n).
    fn causes(&self, agent: AgentId, event: u64) -> (BTreeMap<AgentId, u64>, bool) {
        let mut last = BTreeMap::from([(agent, event)]);
        let mut cyclic = false;
        // Events of each agent whose receptions must still be followed: above the first index, up to the second.
        let mut pending = vec![(agent, None, event)];
        while let Some((receiver, above, upto)) = pending.pop() {
            let Some(lane) = self.lanes.get(&receiver) else {
                continue;
            };
            let from = lane.receptions.partition_point(|&(index, _)| Some(index) <= above);
            let new = lane
                .receptions
                .iter()
                .skip(from)
                .take_while(|&&(index, _)| index <= upto);
            for &(_, letter) in new {
                let Some(sending) = self.cause(letter) else { continue };
                let sender = letter.0;
                cyclic |= sender == agent && sending >= event;
                let known = last.get(&sender).copied();
                if known < Some(sending) {
                    last.insert(sender, sending);
                    pending.push((sender, known, sending));
                }
            }
        }
        (last, cyclic)
    }

    /// Whether there is a way from one event to the other along program order and messages.
    fn leads(&self, from: (AgentId, u64), to: (AgentId, u64)) -> bool {
        let (last, _) = self.causes(to.0, to.1);
        last.get(&from.0).is_some_and(|&last| from.1 <= last)
    }

    /// How two events, each given with its agent, stand to each other. O(r log n) for r kept receptions in their pasts; O(1) if they are of one agent.
    ///
    /// A strict partial order for any log whatever. In one that contradicts itself (messages that were received before they were
    /// sent, in a circle) events of different agents on a circle are concurrent.
    pub(crate) fn compare(&self, a: (AgentId, u64), b: (AgentId, u64)) -> Causality {
        if a.0 == b.0 {
            return match a.1.cmp(&b.1) {
                std::cmp::Ordering::Less => Causality::Before,
                std::cmp::Ordering::Equal => Causality::Same,
                std::cmp::Ordering::Greater => Causality::After,
            };
        }
        match (self.leads(a, b), self.leads(b, a)) {
            (true, false) => Causality::Before,
            (false, true) => Causality::After,
            _ => Causality::Concurrent,
        }
    }

    /// The kept events before an event of an agent, ascending. O(answer × log n); in a log that contradicts itself
    /// O(agents × log n) times as much as [`compare`](Order::compare).
    pub(crate) fn past(&self, agent: AgentId, event: u64) -> Vec<u64> {
        let (last, cyclic) = self.causes(agent, event);
        let mut past = Vec::new();
        for (other, last) in last {
            let Some(Lane { events, .. }) = self.lanes.get(&other) else {
                continue;
            };
            let before = if other == agent {
                events.partition_point(|&index| index < event)
            } else if cyclic {
                // What lies on a circle with the event is not before it.
                events.partition_point(|&index| index <= last && !self.leads((agent, event), (other, index)))
            } else {
                events.partition_point(|&index| index <= last)
            };
            past.extend(events.iter().take(before));
        }
        past.sort_unstable();
        past
    }
}
