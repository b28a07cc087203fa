//! A timeline for others to look at: as JSON, as a trace for Perfetto, as a space-time diagram.
//!
//! A [`Timeline`] merges the events of any number of agents, whatever logs they are from, and finds out which message arrived where. Nothing here
//! does I/O, and the same events always give the same bytes.
//!
//! ```
//! use eqmesh_replica::{AgentId, VersionVector};
//! use eqmesh_timeline::{Entry, EventKind, Log, Phase};
//! use eqmesh_trace::{Document, Drawing, Timeline, json, perfetto, svg};
//!
//! let (ann, bob) = (AgentId(0), AgentId(1));
//! let entry = |kind, agent, peer| Entry {
//!     kind,
//!     agent,
//!     peer: Some(peer),
//!     message: Some(7),
//!     fact: None,
//!     version: VersionVector::default(),
//!     bytes: 100,
//!     round: 1,
//!     phase: Phase::Reconcile,
//! };
//! // Each has a log of its own.
//! let sent = Log::new(10).record(entry(EventKind::Sent, ann, bob), 10, None);
//! let received = Log::new(10).record(entry(EventKind::Received, bob, ann), 30, Some(sent.at));
//!
//! let timeline = Timeline::new([received, sent]).named(ann, "Ann");
//! assert_eq!(timeline.arrows().len(), 1);
//! assert_eq!(Document::read(&json(&timeline, &[])).unwrap().timeline(), timeline);
//! assert!(perfetto(&timeline).contains("\"ph\":\"f\""));
//! assert!(svg(&timeline, &Drawing::default()).contains("2 of 2 events"));
//! ```

mod diagram;
mod document;
mod merge;
mod perfetto;
mod shape;
mod word;

pub use diagram::{Drawing, MAX_DRAWN, svg};
pub use document::{
    AgentName, AgentRecord, Document, DocumentError, EventRecord, FactRecord, Member, MetricsRecord, SCHEMA, Time, json,
};
pub use merge::{Arrow, Timeline};
pub use perfetto::perfetto;
pub use word::{Vocabulary, Word};
