//! What a service tells of its agent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An agent at a glance: what a state query answers, made anew whenever the agent has worked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AgentState {
    /// Its number.
    pub id: u32,
    /// `red`, `blue` or `green`; none if it has all streams.
    pub color: Option<String>,
    /// Where it runs, as configured.
    pub region: String,
    /// The broker that it is reached by, as configured, without credentials.
    pub nats_url: String,
    /// Under which incarnation it makes facts.
    pub incarnation: u16,
    /// `joining`, `active` or `left`; `superseded` if another run has taken its number, `new` before it has worked.
    pub life: String,
    /// All active members have stated of these very facts that they add nothing to them.
    pub converged: bool,
    /// Nothing is derived any more, since the e-graph has as many e-nodes as are allowed.
    pub limited: bool,
    /// Facts, of all agents.
    pub facts: u64,
    /// After canonicalization, without duplicates.
    pub enodes: u64,
    /// E-classes.
    pub eclasses: u64,
    /// Covers the facts, in hexadecimal digits.
    pub state_digest: String,
    /// Covers the closed e-graph, in hexadecimal digits.
    pub meaning_digest: String,
    /// For each agent (`number` or, after restarts, `number.incarnation`), how many of its facts are here.
    pub version: BTreeMap<String, u64>,
    /// The members as this agent sees them.
    pub members: Vec<MemberInfo>,
    /// Messages and bytes of their bodies.
    pub messages_sent: u64,
    /// Bytes.
    pub bytes_sent: u64,
    /// Repetitions included.
    pub messages_received: u64,
    /// Bytes.
    pub bytes_received: u64,
    /// How long messages were under way, by the timeline: from sending to the first reception here.
    #[serde(default)]
    pub latency: LatencyState,
    /// How many events of each kind the timeline has recorded, by the kind's word.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// How many e-nodes carry each color.
    #[serde(default)]
    pub colors: ColorState,
    /// What its steps applied, of those that the timeline still lists and that made facts: ascending.
    #[serde(default)]
    pub steps: Vec<StepRules>,
    /// Facts that were refused.
    pub refused: Vec<Refusal>,
    /// Messages that could not be taken in, the last ones.
    pub errors: Vec<String>,
    /// Bytes of blobs in the store.
    pub stored_bytes: u64,
    /// How long it was last at work, in microseconds.
    pub work_micros: u64,
    /// When that was, in milliseconds since 1970.
    pub updated_at: u64,
    /// What has changed since; not stored.
    #[serde(default)]
    pub queue: LeaseState,
}

/// Latencies in microseconds, to three digits; all 0 if none was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyState {
    /// How many were measured.
    pub count: u64,
    /// Half of them were at most this,
    pub p50: u64,
    /// 95 of 100 at most this,
    pub p95: u64,
    /// 99 of 100 at most this,
    pub p99: u64,
    /// and all at most this.
    pub max: u64,
}

/// How many e-nodes carry each color. One that carries several counts for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColorState {
    /// Positive.
    pub red: u64,
    /// Negative.
    pub blue: u64,
    /// Neutral.
    pub green: u64,
    /// Re-checked by a GREEN agent.
    pub certified: u64,
}

/// What the facts of a step applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRules {
    /// The step's number in the timeline.
    pub index: u64,
    /// How often each rule was applied, by name.
    pub rules: BTreeMap<String, u64>,
}

/// What waits for the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseState {
    /// Messages that have come and were not looked at yet.
    pub inbox: u64,
    /// Messages that are to go.
    pub outbox: u64,
    /// A request is at work.
    pub working: bool,
}

/// A member of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberInfo {
    /// Its number.
    pub id: u32,
    /// `red`, `blue` or `green`.
    pub color: String,
    /// `joining`, `active`, `suspected` or `left`.
    pub state: String,
    /// Its incarnation.
    pub incarnation: u16,
}

/// A fact that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Who made it: `number` or `number.incarnation`.
    pub agent: String,
    /// Which of its facts.
    pub sequence: u64,
    /// Why.
    pub reason: String,
}
