//! An agent at a glance, put into words.

use std::collections::BTreeMap;

use eqmesh_egraph::color::Color;
use eqmesh_orchestrator::{Life, MemberState};
use eqmesh_replica::AgentId;
use eqmesh_timeline::EventKind;
use eqmesh_trace::Vocabulary as _;

use crate::index::Index;
use crate::member::Member;
use crate::service::Service;
use crate::state::{AgentState, ColorState, LatencyState, LeaseState, MemberInfo, Refusal, StepRules};
use crate::store::{Host, Store};

/// The most errors that are shown.
const MAX_ERRORS: usize = 8;

/// An agent as a word: its number and, after restarts, its incarnation (`3`, `3.1`).
pub fn label(agent: AgentId) -> String {
    match agent.incarnation() {
        0 => agent.number().to_string(),
        incarnation => format!("{}.{incarnation}", agent.number()),
    }
}

fn color_name(color: Color) -> String {
    match color {
        Color::Red => "red",
        Color::Blue => "blue",
        Color::Green => "green",
    }
    .to_owned()
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(u32::from(digit), 16).expect("four bits are a digit"));
            }
            text
        })
}

/// What the steps applied that the timeline lists: of those that are known already, and of the new ones by asking.
fn steps<M: Member>(member: &M, mut known: Vec<StepRules>) -> Vec<StepRules> {
    let from = known.last().map_or(0, |last| last.index + 1);
    let events = member.events(0, u32::MAX);
    let first = events.first().map_or(u64::MAX, |event| event.index);
    known.retain(|step| step.index >= first);
    let new = events
        .iter()
        .filter(|event| event.index >= from && event.entry.kind == EventKind::Step);
    for (event, fact) in new.filter_map(|event| Some((event, event.entry.fact?))) {
        let rules: BTreeMap<String, u64> = member.applied(fact).into_iter().collect();
        if !rules.is_empty() {
            known.push(StepRules {
                index: event.index,
                rules,
            });
        }
    }
    known
}

impl<S: Store, H: Host, M: Member> Service<S, H, M> {
    /// The agent at a glance, after a piece of work with these errors that took so many microseconds.
    pub(crate) fn describe(&self, index: &Index, member: &mut M, mut errors: Vec<String>, took: u64) -> AgentState {
        let summary = member.summary();
        let metrics = member.metrics();
        let earlier: AgentState = serde_json::from_slice(&index.state).unwrap_or_default();
        let state_digest = hex(&summary.state_digest);
        // What earlier versions did not count is counted, too.
        let counted = earlier.state_digest == state_digest && earlier.colors != ColorState::default();
        errors.extend(earlier.errors);
        errors.truncate(MAX_ERRORS);
        AgentState {
            id: u32::from(self.settings.number),
            color: summary.color.map(color_name),
            region: self.settings.region.clone(),
            nats_url: self.settings.nats_url.clone(),
            incarnation: index.incarnation,
            life: match member.claim().map(|claim| claim.life) {
                _ if member.superseded().is_some() => "superseded",
                Some(Life::Joining) => "joining",
                Some(Life::Active) => "active",
                Some(Life::Left) | None => "left",
            }
            .to_owned(),
            converged: member.converged(),
            limited: summary.size.enodes >= self.settings.node_limit,
            facts: summary.size.facts,
            enodes: summary.size.enodes,
            eclasses: summary.size.eclasses,
            meaning_digest: if earlier.state_digest == state_digest {
                earlier.meaning_digest
            } else {
                hex(&member.meaning_digest())
            },
            state_digest,
            version: member
                .version()
                .iter()
                .map(|dot| (label(dot.agent), dot.sequence))
                .collect(),
            members: member
                .members()
                .into_iter()
                .map(|own| MemberInfo {
                    id: own.id.number(),
                    color: color_name(own.color),
                    state: match own.state {
                        MemberState::Joining => "joining",
                        MemberState::Active => "active",
                        MemberState::Suspected => "suspected",
                        MemberState::Left => "left",
                    }
                    .to_owned(),
                    incarnation: own.id.incarnation(),
                })
                .collect(),
            messages_sent: summary.messages_sent,
            bytes_sent: summary.bytes_sent,
            messages_received: summary.messages_received,
            bytes_received: summary.bytes_received,
            latency: LatencyState {
                count: metrics.latency.count,
                p50: metrics.latency.p50,
                p95: metrics.latency.p95,
                p99: metrics.latency.p99,
                max: metrics.latency.max,
            },
            counts: metrics
                .counts
                .iter()
                .map(|&(kind, count)| (kind.word().to_owned(), count))
                .collect(),
            colors: if counted {
                earlier.colors
            } else {
                let own = member.color_counts();
                ColorState {
                    red: own.red,
                    blue: own.blue,
                    green: own.green,
                    certified: own.certified,
                }
            },
            steps: steps(member, earlier.steps),
            refused: summary
                .refused
                .into_iter()
                .map(|(dot, reason)| Refusal {
                    agent: label(dot.agent),
                    sequence: dot.sequence,
                    reason,
                })
                .collect(),
            errors,
            stored_bytes: index.stored_bytes(),
            work_micros: took,
            updated_at: self.milliseconds(),
            queue: LeaseState::default(),
        }
    }
}
