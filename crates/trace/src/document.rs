//! The JSON form: `docs/timeline.md` specifies it.

use std::collections::BTreeMap;
use std::fmt;

use eqmesh_replica::{AgentId, Dot, VersionVector};
use eqmesh_timeline::{Entry, Event, EventKind, Latency, Metrics, Phase, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Timeline, Vocabulary as _, Word};

/// What the documents of this version say that they are.
pub const SCHEMA: &str = "eqmesh.timeline/1";

/// Why a text is no document.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON, or something in it is missing or of the wrong kind.
    #[error("not a timeline: {0}")]
    Malformed(#[from] serde_json::Error),
    /// It is of another version, or something else altogether.
    #[error("the schema is `{0}`, and `{SCHEMA}` is understood")]
    Schema(String),
}

/// An agent as a word: its number, and after a dot its incarnation unless that is 0, such as `3` or `3.1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName(pub AgentId);

impl fmt::Display for AgentName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.number())?;
        match self.0.incarnation() {
            0 => Ok(()),
            incarnation => write!(formatter, ".{incarnation}"),
        }
    }
}

impl Serialize for AgentName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AgentName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AgentName, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (number, incarnation) = text.split_once('.').unwrap_or((&text, "0"));
        let name = match (number.parse(), incarnation.parse()) {
            (Ok(agent), Ok(incarnation)) => Some(AgentName(AgentId::from(AgentRecord { agent, incarnation }))),
            _ => None,
        };
        // There is one way to write each, so that no map speaks of an agent twice.
        name.filter(|name| name.to_string() == text)
            .ok_or_else(|| serde::de::Error::custom(format_args!("`{text}` names no agent")))
    }
}

/// An agent as two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// Its number in the network.
    pub agent: u16,
    /// Which incarnation of that number.
    pub incarnation: u16,
}

impl From<AgentId> for AgentRecord {
    fn from(agent: AgentId) -> AgentRecord {
        AgentRecord {
            agent: agent.number() as u16,
            incarnation: agent.incarnation(),
        }
    }
}

impl From<AgentRecord> for AgentId {
    fn from(agent: AgentRecord) -> AgentId {
        AgentId(u32::from(agent.incarnation) << 16 | u32::from(agent.agent))
    }
}

/// An agent of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Which one.
    #[serde(flatten)]
    pub agent: AgentRecord,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A point of a hybrid logical clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// Microseconds.
    pub micros: u64,
    /// Orders what has the same `micros`.
    pub logical: u32,
}

/// The name of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRecord {
    /// Who made it.
    #[serde(flatten)]
    pub maker: AgentRecord,
    /// Its number among the maker's facts, from 1.
    pub sequence: u64,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// Its number in its log.
    pub index: u64,
    /// When.
    pub at: Time,
    /// What it is about.
    pub kind: Word<EventKind>,
    /// Where it happened.
    #[serde(flatten)]
    pub agent: AgentRecord,
    /// Who else took part.
    pub peer: Option<AgentRecord>,
    /// The message, numbered by its sender.
    pub message: Option<u64>,
    /// The fact.
    pub fact: Option<FactRecord>,
    /// What the agent had settled, or what the message said of its sender.
    pub version: BTreeMap<AgentName, u64>,
    /// The size of the message or of what was refused.
    pub bytes: u64,
    /// The round in which it happened,
    pub round: u32,
    /// and the phase of that round.
    pub phase: Word<Phase>,
}

impl From<&Event> for EventRecord {
    fn from(event: &Event) -> EventRecord {
        let entry = &event.entry;
        EventRecord {
            index: event.index,
            at: Time {
                micros: event.at.micros,
                logical: event.at.logical,
            },
            kind: Word(entry.kind),
            agent: entry.agent.into(),
            peer: entry.peer.map(AgentRecord::from),
            message: entry.message,
            fact: entry.fact.map(|fact| FactRecord {
                maker: fact.agent.into(),
                sequence: fact.sequence,
            }),
            version: entry
                .version
                .iter()
                .map(|dot| (AgentName(dot.agent), dot.sequence))
                .collect(),
            bytes: entry.bytes,
            round: entry.round,
            phase: Word(entry.phase),
        }
    }
}

impl From<&EventRecord> for Event {
    fn from(record: &EventRecord) -> Event {
        let dots = record.version.iter().map(|(name, &sequence)| Dot {
            agent: name.0,
            sequence,
        });
        Event {
            index: record.index,
            at: Timestamp {
                micros: record.at.micros,
                logical: record.at.logical,
            },
            entry: Entry {
                kind: record.kind.0,
                agent: record.agent.into(),
                peer: record.peer.map(AgentId::from),
                message: record.message,
                fact: record.fact.map(|fact| Dot {
                    agent: fact.maker.into(),
                    sequence: fact.sequence,
                }),
                version: dots.collect::<VersionVector>(),
                bytes: record.bytes,
                round: record.round,
                phase: record.phase.0,
            },
        }
    }
}

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct LatencyRecord {
    count: u64,
    p50: u64,
    p95: u64,
    p99: u64,
    max: u64,
}

/// What the events of an agent amount to, as [`Metrics`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetricsRecord {
    counts: BTreeMap<Word<EventKind>, u64>,
    messages_sent: u64,
    bytes_sent: u64,
    messages_received: u64,
    bytes_received: u64,
    latency_micros: LatencyRecord,
    folded: u64,
}

impl From<&Metrics> for MetricsRecord {
    fn from(metrics: &Metrics) -> MetricsRecord {
        let latency = metrics.latency;
        MetricsRecord {
            counts: metrics
                .counts
                .iter()
                .map(|&(kind, count)| (Word(kind), count))
                .collect(),
            messages_sent: metrics.messages_sent,
            bytes_sent: metrics.bytes_sent,
            messages_received: metrics.messages_received,
            bytes_received: metrics.bytes_received,
            latency_micros: LatencyRecord {
                count: latency.count,
                p50: latency.p50,
                p95: latency.p95,
                p99: latency.p99,
                max: latency.max,
            },
            folded: metrics.folded,
        }
    }
}

impl From<&MetricsRecord> for Metrics {
    fn from(record: &MetricsRecord) -> Metrics {
        let latency = record.latency_micros;
        Metrics {
            counts: record.counts.iter().map(|(kind, &count)| (kind.0, count)).collect(),
            messages_sent: record.messages_sent,
            bytes_sent: record.bytes_sent,
            messages_received: record.messages_received,
            bytes_received: record.bytes_received,
            latency: Latency {
                count: latency.count,
                p50: latency.p50,
                p95: latency.p95,
                p99: latency.p99,
                max: latency.max,
            },
            folded: record.folded,
        }
    }
}

/// A timeline as one JSON document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    schema: String,
    agents: Vec<Member>,
    left_out: u64,
    events: Vec<EventRecord>,
    metrics: BTreeMap<AgentName, MetricsRecord>,
    /// By agent and index of the event.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rules: BTreeMap<AgentName, BTreeMap<u64, BTreeMap<String, u64>>>,
}

impl Document {
    /// The document of a timeline, with the metrics of agents that are known.
    pub fn new(timeline: &Timeline, metrics: &[(AgentId, Metrics)]) -> Document {
        let member = |agent: AgentId| Member {
            agent: agent.into(),
            name: timeline.names().get(&agent).cloned(),
        };
        Document {
            schema: SCHEMA.to_owned(),
            agents: timeline.agents().into_iter().map(member).collect(),
            left_out: timeline.left_out(),
            events: timeline.events().iter().map(EventRecord::from).collect(),
            metrics: metrics
                .iter()
                .map(|(agent, metrics)| (AgentName(*agent), metrics.into()))
                .collect(),
            rules: BTreeMap::new(),
        }
    }

    /// Says of an event, given by its agent and index, how often its facts applied each rule.
    pub fn apply(&mut self, agent: AgentId, index: u64, rules: BTreeMap<String, u64>) {
        self.rules.entry(AgentName(agent)).or_default().insert(index, rules);
    }

    /// For each event of which it is known, by its agent and index, how often its facts applied each rule.
    pub fn rules(&self) -> impl Iterator<Item = ((AgentId, u64), BTreeMap<String, u64>)> {
        self.rules.iter().flat_map(|(name, events)| {
            let rules = move |(&index, rules): (&u64, &BTreeMap<String, u64>)| ((name.0, index), rules.clone());
            events.iter().map(rules)
        })
    }

    /// Reads a document. What it has more than is known here is ignored. Memory is linear in the text.
    pub fn read(text: &str) -> Result<Document, DocumentError> {
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let Head { schema } = serde_json::from_str(text)?;
        if schema != SCHEMA {
            return Err(DocumentError::Schema(schema.chars().take(80).collect()));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The agents of which it speaks, ascending.
    pub fn agents(&self) -> &[Member] {
        &self.agents
    }

    /// The events, in the document's order.
    pub fn events(&self) -> &[EventRecord] {
        &self.events
    }

    /// The timeline that the document is of.
    pub fn timeline(&self) -> Timeline {
        let timeline = Timeline::new(self.events.iter().map(Event::from)).leaving_out(self.left_out);
        self.agents
            .iter()
            .fold(timeline, |timeline, member| match &member.name {
                Some(name) => timeline.named(member.agent.into(), name.as_str()),
                None => timeline,
            })
    }

    /// The metrics of the agents of which they are known, agents ascending.
    pub fn metrics(&self) -> Vec<(AgentId, Metrics)> {
        let metrics = self.metrics.iter();
        metrics.map(|(name, record)| (name.0, record.into())).collect()
    }
}

/// A timeline as a document of the schema [`SCHEMA`], which [`Document::read`] reads again.
pub fn json(timeline: &Timeline, metrics: &[(AgentId, Metrics)]) -> String {
    serde_json::to_string(&Document::new(timeline, metrics))
        .expect("all keys are words, and writing to memory does not fail")
}

/// An event in one line of text, for people.
pub(crate) fn describe(event: &Event) -> String {
    use fmt::Write as _;
    let entry = &event.entry;
    let mut text = format!("agent {}: {}", AgentName(entry.agent), entry.kind.word());
    if let Some(message) = entry.message {
        let _ = write!(text, ", message {message}");
    }
    if let Some(peer) = entry.peer {
        let towards = if entry.kind == EventKind::Sent { "to" } else { "from" };
        let _ = write!(text, " {towards} agent {}", AgentName(peer));
    }
    if let Some(fact) = entry.fact {
        let _ = write!(text, ", fact {} of agent {}", fact.sequence, AgentName(fact.agent));
    }
    if entry.bytes > 0 {
        let _ = write!(text, ", {} bytes", entry.bytes);
    }
    let _ = write!(text, ", round {}, {}", entry.round, entry.phase.word());
    text
}
