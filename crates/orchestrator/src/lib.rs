//! Who takes part in a network of agents, who does which share, and when a round is over.
//!
//! Pure state: messages in, decisions out. Every agent runs one [`Network`], and all decide alike whatever the order of the messages. A network runs in
//! rounds, as below, with the members that it was founded with; or [free](Network::enter), and then members come and go.
//!
//! ```
//! use eqmesh_orchestrator::{Barrier, Network, Topology, Vote};
//! use eqmesh_replica::AgentId;
//!
//! # fn main() -> Result<(), eqmesh_orchestrator::OrchestrationError> {
//! let mut network = Network::new(AgentId(0), 3, true, Topology::Mesh);
//! let round = network.begin_round()?;
//! while let (_, Some(barrier)) = network.round() {
//!     // What the messages of the three would say.
//!     for agent in (0..3).map(AgentId) {
//!         if barrier == Barrier::Compared {
//!             network.cast(agent, round, Vote { saturated: true, ..Vote::default() })?;
//!         }
//!         if barrier != Barrier::Certified || !network.certifies(agent)?.is_empty() {
//!             network.arrive(agent, round, barrier)?;
//!         }
//!     }
//!     network.advance()?;
//! }
//! assert!(network.verdict().is_some_and(|verdict| verdict.saturated && verdict.agreed));
//! # Ok(())
//! # }
//! ```

mod error;
mod free;
mod member;
mod network;
mod number_set;
mod roster;
mod round;
mod suspicion;
mod topic;
mod topology;

pub use error::OrchestrationError;
pub use free::{Entrance, Greeting};
pub use member::{Member, MemberState};
pub use network::Network;
pub use number_set::{MAX_NUMBER_SET, NumberSet};
pub use roster::{Claim, Life, Roster, RosterEntry};
pub use round::{Barrier, Verdict, Vote};
pub use suspicion::{LOST, SUSPECTED};
pub use topic::MessageKind;
pub use topology::Topology;
