//! The replicated state of eqmesh, sans-I/O: facts, blocks, version vectors and digests, and the e-graph as a function of the set of facts.
//!
//! Facts are only ever added, so replicas are joined by set union: associative, commutative, idempotent. They travel in [`Replica::seal`]ed blocks, which
//! [`Replica::receive`] takes in any order, any number of times; [`Replica::settle`] checks and applies what is complete.

mod block;
pub mod explain;
mod fault;
mod log;
mod pack;
mod replica;
mod snapshot;
mod version;
pub mod wire;

pub use block::{MAX_BLOCK, Span, span};
pub use explain::{Explanation, ExplanationStep, Lemma, Reason};
pub use fault::Fault;
pub use pack::{pack, unpack, unpacked_length};
pub use replica::{Budget, KnownRule, NodeInfo, Options, Replica, Row, Settled, Share, Size, StepReport};
pub use version::{AgentId, Dot, Name, VersionVector};
