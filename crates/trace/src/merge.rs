//! The events of several agents as one timeline.

use std::collections::{BTreeMap, BTreeSet};

use eqmesh_replica::AgentId;
use eqmesh_timeline::{Causality, Event, EventKind};

/// A message from where it was sent to one of the places where it was received, as positions in [`Timeline::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arrow {
    /// The sending.
    pub from: usize,
    /// The reception.
    pub to: usize,
}

/// Events of any number of agents, in the order of their hybrid clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    events: Vec<Event>,
    names: BTreeMap<AgentId, String>,
    /// By reception.
    arrows: Vec<Arrow>,
    left_out: u64,
}

impl Timeline {
    /// Merges events, given in any order. One that is given twice counts once.
    ///
    /// They are ordered by time, then agent, then index. As a hybrid clock never stands still, the events of one agent are in program order, and a
    /// reception comes after its sending, unless a clock lies. O(n log n).
    pub fn new(events: impl IntoIterator<Item = Event>) -> Timeline {
        let mut events: Vec<Event> = events.into_iter().collect();
        // In full, so that the result does not depend on the order in which contradictory events are given.
        events.sort_by(|a, b| {
            key(a)
                .cmp(&key(b))
                .then_with(|| a.entry.version.iter().cmp(b.entry.version.iter()))
        });
        events.dedup();
        let arrows = arrows(&events);
        Timeline {
            events,
            arrows,
            ..Timeline::default()
        }
    }

    /// Gives an agent a name for people, to be shown next to its number.
    #[must_use]
    pub fn named(mut self, agent: AgentId, name: impl Into<String>) -> Timeline {
        self.names.insert(agent, name.into());
        self
    }

    /// Says how many events are known to have happened, and are not here.
    #[must_use]
    pub fn leaving_out(mut self, events: u64) -> Timeline {
        self.left_out = events;
        self
    }

    /// The events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// The names for people that agents were given.
    pub fn names(&self) -> &BTreeMap<AgentId, String> {
        &self.names
    }

    /// How many events are known to have happened, and are not here.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Who has events or a name, ascending. O(n log agents).
    pub fn agents(&self) -> Vec<AgentId> {
        let present = self.events.iter().map(|event| event.entry.agent);
        let agents: BTreeSet<AgentId> = self.names.keys().copied().chain(present).collect();
        agents.into_iter().collect()
    }

    /// Every reception whose sending is here, with it; receptions ascending.
    ///
    /// They belong together by the sender and the number that it gave the message. Where a message was sent several times, its receptions happened
    /// after the first sending; whether after the others, nobody knows. What an agent sent to itself is no arrow.
    pub fn arrows(&self) -> &[Arrow] {
        &self.arrows
    }

    /// The position of an event. O(n).
    pub fn position(&self, agent: AgentId, index: u64) -> Option<usize> {
        self.events
            .iter()
            .position(|event| event.entry.agent == agent && event.index == index)
    }

    /// How each event stands to the one at a position, by the program order of agents and by messages: those [`Causality::Before`] it could have
    /// caused it. All are [`Causality::Concurrent`] to an event that is not here.
    ///
    /// The answers are those of [`eqmesh_timeline::Log::compare`], also for events that contradict each other. O(n log agents).
    pub fn causality(&self, position: usize) -> Vec<Causality> {
        let count = self.events.len();
        let Some(event) = self.events.get(position) else {
            return vec![Causality::Concurrent; count];
        };
        let mut previous = vec![None; count];
        let mut next = vec![None; count];
        let mut last = BTreeMap::new();
        for (at, event) in self.events.iter().enumerate() {
            if let Some(before) = last.insert(event.entry.agent, at) {
                previous[at] = Some(before);
                let following: &mut Option<usize> = &mut next[before];
                *following = Some(at);
            }
        }
        let mut effects = self.arrows.clone();
        effects.sort_unstable();
        let causes = reached(count, position, |at, found| {
            found.extend(previous[at]);
            let arrow = self.arrows.binary_search_by_key(&at, |arrow| arrow.to);
            found.extend(arrow.ok().map(|arrow| self.arrows[arrow].from));
        });
        let effects = reached(count, position, |at, found| {
            found.extend(next[at]);
            let first = effects.partition_point(|arrow| arrow.from < at);
            let of_this = effects[first..].iter().take_while(|arrow| arrow.from == at);
            found.extend(of_this.map(|arrow| arrow.to));
        });
        let agent = event.entry.agent;
        let stands = |(at, other): (usize, &Event)| {
            if other.entry.agent == agent {
                return match at.cmp(&position) {
                    std::cmp::Ordering::Less => Causality::Before,
                    std::cmp::Ordering::Equal => Causality::Same,
                    std::cmp::Ordering::Greater => Causality::After,
                };
            }
            match (causes[at], effects[at]) {
                (true, false) => Causality::Before,
                (false, true) => Causality::After,
                _ => Causality::Concurrent,
            }
        };
        self.events.iter().enumerate().map(stands).collect()
    }
}

/// By what events are ordered: all that they say but the version.
fn key(event: &Event) -> impl Ord + use<> {
    let entry = &event.entry;
    let about = (entry.kind, entry.peer, entry.message, entry.fact);
    (
        event.at,
        entry.agent,
        event.index,
        about,
        (entry.bytes, entry.round, entry.phase),
    )
}

fn arrows(events: &[Event]) -> Vec<Arrow> {
    let mut sendings = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        if let (EventKind::Sent, Some(message)) = (event.entry.kind, event.entry.message) {
            sendings.entry((event.entry.agent, message)).or_insert(at);
        }
    }
    let arrow = |(to, event): (usize, &Event)| {
        let entry = &event.entry;
        let sender = entry.peer.filter(|&peer| peer != entry.agent)?;
        let sending = sendings.get(&(sender, entry.message?));
        let from = *sending.filter(|_| entry.kind == EventKind::Received)?;
        Some(Arrow { from, to })
    };
    events.iter().enumerate().filter_map(arrow).collect()
}

/// What can be reached from a node, itself included. O(nodes + edges).
fn reached(nodes: usize, start: usize, neighbours: impl Fn(usize, &mut Vec<usize>)) -> Vec<bool> {
    let mut reached = vec![false; nodes];
    let mut pending = vec![start];
    while let Some(node) = pending.pop() {
        if !std::mem::replace(&mut reached[node], true) {
            neighbours(node, &mut pending);
        }
    }
    reached
}
