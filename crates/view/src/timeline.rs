//! The events of all agents as one timeline: who could have caused what, in numbers that a page only has to compare.

mod clocks;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use eqmesh_replica::AgentId;
use eqmesh_timeline::{Event, EventKind};
use eqmesh_trace::{Timeline, Vocabulary as _};
use serde::Serialize;

/// The most events in one document.
pub const MAX_EVENTS: usize = 2_000;

/// How often each rule was applied.
pub type Rules = BTreeMap<String, u64>;

/// What is known of events besides what they say: by agent and index, what the facts of a step applied.
pub type Applied = BTreeMap<(AgentId, u64), Rules>;

/// Which events are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Later than this, in microseconds since 1970.
    pub after: u64,
    /// Not later than this, likewise.
    pub until: u64,
    /// The newest so many, at most [`MAX_EVENTS`].
    pub limit: usize,
    /// Of agents with these numbers; all if it is empty.
    pub agents: BTreeSet<u32>,
    /// Of these kinds; all if it is empty.
    pub kinds: BTreeSet<EventKind>,
    /// That applied this rule.
    pub rule: Option<String>,
}

impl Default for Filter {
    fn default() -> Filter {
        Filter {
            after: 0,
            until: u64::MAX,
            limit: 500,
            agents: BTreeSet::new(),
            kinds: BTreeSet::new(),
            rule: None,
        }
    }
}

impl Filter {
    fn takes(&self, event: &Event, applied: &Applied) -> bool {
        let entry = &event.entry;
        let has = |rule: &String| {
            let rules = applied.get(&(entry.agent, event.index));
            rules.is_some_and(|rules| rules.contains_key(rule))
        };
        event.at.micros > self.after
            && event.at.micros <= self.until
            && (self.agents.is_empty() || self.agents.contains(&entry.agent.number()))
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && self.rule.as_ref().is_none_or(has)
    }

    /// The positions in the timeline of the events that are wanted, ascending, and how many there are without the limit.
    fn choose(&self, timeline: &Timeline, applied: &Applied) -> (Vec<usize>, usize) {
        let events = timeline.events().iter().enumerate();
        let wanted: Vec<usize> = events
            .filter(|(_, event)| self.takes(event, applied))
            .map(|(at, _)| at)
            .collect();
        let newest = wanted.len().saturating_sub(self.limit.min(MAX_EVENTS));
        (wanted[newest..].to_vec(), wanted.len())
    }

    /// The timeline of the wanted events alone, for an export. What is not wanted counts as left out.
    pub fn apply(&self, timeline: &Timeline, applied: &Applied) -> Timeline {
        let (chosen, _) = self.choose(timeline, applied);
        let left_out = timeline.left_out() + (timeline.events().len() - chosen.len()) as u64;
        let events = chosen.iter().map(|&at| timeline.events()[at].clone());
        timeline
            .names()
            .iter()
            .filter(|(agent, _)| self.agents.is_empty() || self.agents.contains(&agent.number()))
            .fold(Timeline::new(events), |timeline, (&agent, name)| {
                timeline.named(agent, name.as_str())
            })
            .leaving_out(left_out)
    }
}

/// An agent's line in the diagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lane {
    /// Its number,
    pub agent: u32,
    /// and its incarnation.
    pub incarnation: u16,
    /// For people.
    pub name: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shown {
    /// `agent.incarnation.index`: unique, and the same in every document.
    pub id: String,
    /// Its agent's place in [`View::lanes`].
    pub lane: usize,
    /// Its number in its agent's log, from 0.
    pub index: u64,
    /// By the agent's hybrid clock: microseconds since 1970,
    pub at: u64,
    /// and what orders events of the same microsecond.
    pub logical: u32,
    /// The kind's word.
    pub kind: &'static str,
    /// The number of who else took part; none for everybody, or nobody.
    pub peer: Option<u32>,
    /// The message, numbered by its sender.
    pub message: Option<u64>,
    /// The fact that it is about, of a step the last one that it made: `agent#sequence`.
    pub fact: Option<String>,
    /// The size of the message or of what was refused.
    pub bytes: u64,
    /// The round (0 where the network runs free).
    pub round: u32,
    /// The phase's word.
    pub phase: &'static str,
    /// The rule that the facts of a step applied most often, the least name where several did; none where there are no such facts, or nothing is known of them any more.
    pub rule: Option<String>,
    /// How often they applied each rule.
    pub rules: Rules,
    /// The position along the axis of time, from 0 to 1. Distances grow with the logarithm of the time in between.
    pub x: f64,
    /// What happened, in words.
    pub text: String,
    /// The event that caused it by a message.
    pub cause: Option<String>,
    /// By lane: how many of the shown events there could have caused it, itself included in its own lane. So an event is in its past if and only if its place
    /// in its lane, from 0, is less than this.
    pub clock: Vec<usize>,
}

/// A message from one shown event to another, as places in [`View::events`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Arrow {
    /// The sending.
    pub from: usize,
    /// The reception.
    pub to: usize,
}

/// A timeline, ready to be drawn.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Agents with events or a name, ascending.
    pub lanes: Vec<Lane>,
    /// In the order of time.
    pub events: Vec<Shown>,
    /// The messages between them, by reception.
    pub arrows: Vec<Arrow>,
    /// Events that are known to have happened, and that agents list no more.
    pub left_out: u64,
    /// How many events are here,
    pub shown: usize,
    /// of how many that the filter takes.
    pub total: usize,
}

fn identity(event: &Event) -> String {
    let agent = event.entry.agent;
    format!("{}.{}.{}", agent.number(), agent.incarnation(), event.index)
}

/// How far apart neighbours in time are drawn. As in the diagrams of `eqmesh_trace`.
fn gap(micros: u64) -> u32 {
    8 + (u64::BITS - micros.leading_zeros()).min(22)
}

/// Positions from 0 to 1 along the axis; all in the middle if there is no time between them.
fn positions<'a>(events: impl Iterator<Item = &'a Event> + Clone) -> Vec<f64> {
    let next = events.clone().skip(1);
    let mut at = 0;
    let mut places = vec![0];
    places.extend(events.zip(next).map(|(event, next)| {
        at += gap(next.at.micros.saturating_sub(event.at.micros));
        at
    }));
    places
        .into_iter()
        .map(|place| match at {
            0 => 0.5,
            // Five digits are a fiftieth of a pixel on a screen of 2,000.
            _ => (f64::from(place) / f64::from(at) * 1e5).round() / 1e5,
        })
        .collect()
}

impl View {
    /// What a filter takes of a timeline. Causality also goes by way of events that are not shown. O(events × agents + n log n).
    pub fn of(timeline: &Timeline, applied: &Applied, filter: &Filter) -> View {
        let (chosen, total) = filter.choose(timeline, applied);
        let agents = timeline.agents();
        let clocks = clocks::clocks(timeline, &agents, &chosen);
        let events = timeline.events();
        let causes: BTreeMap<usize, usize> = timeline.arrows().iter().map(|arrow| (arrow.to, arrow.from)).collect();
        let place: BTreeMap<usize, usize> = chosen.iter().enumerate().map(|(at, &event)| (event, at)).collect();
        let xs = positions(chosen.iter().map(|&at| &events[at]));
        let none = Rules::new();
        let shown = chosen.iter().zip(clocks).zip(xs).map(|((&at, clock), x)| {
            let event = &events[at];
            let entry = &event.entry;
            let cause = causes.get(&at).map(|&from| &events[from]);
            let rules = applied.get(&(entry.agent, event.index)).unwrap_or(&none);
            let most = rules
                .iter()
                .max_by_key(|(name, count)| (**count, std::cmp::Reverse(*name)));
            Shown {
                id: identity(event),
                lane: agents
                    .binary_search(&entry.agent)
                    .expect("every agent with events has a lane"),
                index: event.index,
                at: event.at.micros,
                logical: event.at.logical,
                kind: entry.kind.word(),
                peer: entry.peer.map(AgentId::number),
                message: entry.message,
                fact: entry
                    .fact
                    .map(|fact| format!("{}#{}", words::agent(fact.agent), fact.sequence)),
                bytes: entry.bytes,
                round: entry.round,
                phase: entry.phase.word(),
                rule: most.map(|(name, _)| name.clone()),
                rules: rules.clone(),
                x,
                text: words::text(event, cause, rules),
                cause: cause.map(identity),
                clock,
            }
        });
        let shown: Vec<Shown> = shown.collect();
        let arrow = |(&to, &from): (&usize, &usize)| {
            Some(Arrow {
                from: *place.get(&from)?,
                to: *place.get(&to)?,
            })
        };
        let lane = |agent: &AgentId| Lane {
            agent: agent.number(),
            incarnation: agent.incarnation(),
            name: timeline
                .names()
                .get(agent)
                .cloned()
                .unwrap_or_else(|| format!("agent {}", words::agent(*agent))),
        };
        View {
            lanes: agents.iter().map(lane).collect(),
            arrows: causes.iter().filter_map(arrow).collect(),
            left_out: timeline.left_out(),
            shown: shown.len(),
            total,
            events: shown,
        }
    }
}

#[cfg(test)]
mod tests;
