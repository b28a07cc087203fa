//! Translation between the WIT vocabulary and the types of `eqmesh-timeline`.

use eqmesh_replica::{AgentId, Dot};
use eqmesh_timeline::{Entry, Event, EventKind, Latency, Metrics, Phase, Timestamp};

use crate::translate::{version_from_wit, version_to_wit};
use crate::types;

impl From<types::Timestamp> for Timestamp {
    fn from(at: types::Timestamp) -> Timestamp {
        Timestamp {
            micros: at.micros,
            logical: at.logical,
        }
    }
}

impl From<Timestamp> for types::Timestamp {
    fn from(at: Timestamp) -> types::Timestamp {
        types::Timestamp {
            micros: at.micros,
            logical: at.logical,
        }
    }
}

impl From<types::EventKind> for EventKind {
    fn from(kind: types::EventKind) -> EventKind {
        match kind {
            types::EventKind::Sent => EventKind::Sent,
            types::EventKind::Received => EventKind::Received,
            types::EventKind::Refused => EventKind::Refused,
            types::EventKind::Acknowledged => EventKind::Acknowledged,
            types::EventKind::SyncStarted => EventKind::SyncStarted,
            types::EventKind::SyncCompleted => EventKind::SyncCompleted,
            types::EventKind::Heartbeat => EventKind::Heartbeat,
            types::EventKind::Step => EventKind::Step,
            types::EventKind::Certified => EventKind::Certified,
            types::EventKind::Converged => EventKind::Converged,
        }
    }
}

impl From<EventKind> for types::EventKind {
    fn from(kind: EventKind) -> types::EventKind {
        match kind {
            EventKind::Sent => types::EventKind::Sent,
            EventKind::Received => types::EventKind::Received,
            EventKind::Refused => types::EventKind::Refused,
            EventKind::Acknowledged => types::EventKind::Acknowledged,
            EventKind::SyncStarted => types::EventKind::SyncStarted,
            EventKind::SyncCompleted => types::EventKind::SyncCompleted,
            EventKind::Heartbeat => types::EventKind::Heartbeat,
            EventKind::Step => types::EventKind::Step,
            EventKind::Certified => types::EventKind::Certified,
            EventKind::Converged => types::EventKind::Converged,
        }
    }
}

impl From<types::Phase> for Phase {
    fn from(phase: types::Phase) -> Phase {
        match phase {
            types::Phase::Backfill => Phase::Backfill,
            types::Phase::Verify => Phase::Verify,
            types::Phase::Live => Phase::Live,
            types::Phase::Reconcile => Phase::Reconcile,
        }
    }
}

impl From<Phase> for types::Phase {
    fn from(phase: Phase) -> types::Phase {
        match phase {
            Phase::Backfill => types::Phase::Backfill,
            Phase::Verify => types::Phase::Verify,
            Phase::Live => types::Phase::Live,
            Phase::Reconcile => types::Phase::Reconcile,
        }
    }
}

impl From<types::Entry> for Entry {
    fn from(entry: types::Entry) -> Entry {
        Entry {
            kind: entry.kind.into(),
            agent: AgentId(entry.agent),
            peer: entry.peer.map(AgentId),
            message: entry.message,
            fact: entry.fact.map(Dot::from),
            version: version_from_wit(entry.version),
            bytes: entry.bytes,
            round: entry.round,
            phase: entry.phase.into(),
        }
    }
}

impl From<Entry> for types::Entry {
    fn from(entry: Entry) -> types::Entry {
        types::Entry {
            kind: entry.kind.into(),
            agent: entry.agent.0,
            peer: entry.peer.map(|peer| peer.0),
            message: entry.message,
            fact: entry.fact.map(types::Dot::from),
            version: version_to_wit(&entry.version),
            bytes: entry.bytes,
            round: entry.round,
            phase: entry.phase.into(),
        }
    }
}

impl From<types::Event> for Event {
    fn from(event: types::Event) -> Event {
        Event {
            index: event.index,
            at: event.at.into(),
            entry: event.entry.into(),
        }
    }
}

impl From<Event> for types::Event {
    fn from(event: Event) -> types::Event {
        types::Event {
            index: event.index,
            at: event.at.into(),
            entry: event.entry.into(),
        }
    }
}

impl From<types::Latency> for Latency {
    fn from(latency: types::Latency) -> Latency {
        Latency {
            count: latency.count,
            p50: latency.p50,
            p95: latency.p95,
            p99: latency.p99,
            max: latency.max,
        }
    }
}

impl From<Latency> for types::Latency {
    fn from(latency: Latency) -> types::Latency {
        types::Latency {
            count: latency.count,
            p50: latency.p50,
            p95: latency.p95,
            p99: latency.p99,
            max: latency.max,
        }
    }
}

impl From<types::Metrics> for Metrics {
    fn from(metrics: types::Metrics) -> Metrics {
        let counts = metrics.counts.into_iter();
        Metrics {
            counts: counts.map(|(kind, count)| (kind.into(), count)).collect(),
            messages_sent: metrics.messages_sent,
            bytes_sent: metrics.bytes_sent,
            messages_received: metrics.messages_received,
            bytes_received: metrics.bytes_received,
            latency: metrics.latency.into(),
            folded: metrics.folded,
        }
    }
}

impl From<Metrics> for types::Metrics {
    fn from(metrics: Metrics) -> types::Metrics {
        let counts = metrics.counts.into_iter();
        types::Metrics {
            counts: counts.map(|(kind, count)| (kind.into(), count)).collect(),
            messages_sent: metrics.messages_sent,
            bytes_sent: metrics.bytes_sent,
            messages_received: metrics.messages_received,
            bytes_received: metrics.bytes_received,
            latency: metrics.latency.into(),
            folded: metrics.folded,
        }
    }
}
