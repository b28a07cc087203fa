//! What happened in a network of agents, in which order, and how fast.
//!
//! A [`Log`] stamps events by a hybrid logical clock, decides which could have caused which, and counts them. Its memory is bounded:
//! old events are folded into the metrics. Time is an argument; nothing here reads a clock.
//!
//! ```
//! use eqmesh_replica::{AgentId, VersionVector};
//! use eqmesh_timeline::{Causality, Entry, EventKind, Log, Phase};
//!
//! let (ann, bob) = (AgentId(0), AgentId(1));
//! let entry = |kind, agent, peer, message| Entry {
//!     kind,
//!     agent,
//!     peer,
//!     message,
//!     fact: None,
//!     version: VersionVector::default(),
//!     bytes: 100,
//!     round: 1,
//!     phase: Phase::Reconcile,
//! };
//! let mut log = Log::new(1_000);
//! let send = log.record(entry(EventKind::Sent, ann, Some(bob), Some(7)), 10, None).index;
//! let apart = log.record(entry(EventKind::Step, bob, None, None), 20, None).index;
//! let receive = log.record(entry(EventKind::Received, bob, Some(ann), Some(7)), 30, None).index;
//!
//! assert_eq!(log.compare(send, receive), Ok(Causality::Before));
//! assert_eq!(log.compare(send, apart), Ok(Causality::Concurrent), "whatever the clock says");
//! assert_eq!(log.past(receive), Ok(vec![send, apart]));
//! assert_eq!(log.metrics().latency.p50, 20);
//! ```

mod causality;
mod clock;
mod event;
mod log;
mod metrics;

pub use causality::Causality;
pub use clock::Timestamp;
pub use event::{Entry, Event, EventKind, Phase};
pub use log::{Log, TimelineError};
pub use metrics::{Latency, MAX_LATENCY, MAX_PEERS, Metrics};
