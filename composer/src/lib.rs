//! Composes components into agents: one e-graph, one stream (or all three), colors, transduction, timeline, orchestrator, and
//! the agent that ties them together.
//!
//! ```
//! use eqmesh_composer::{World, compose, inspect};
//!
//! let agent = compose(World::Red)?;
//! let interfaces = inspect("agent-red", &agent)?;
//! assert_eq!(interfaces.exports, ["eqmesh:network/agent@0.1.0"]);
//! // All that is left to import is the vocabulary, which has types only: an agent can do nothing but compute.
//! assert_eq!(interfaces.imports, ["eqmesh:network/types@0.1.0"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! All consumers of the e-graph share one *instance* of it: a handle that one instance gave out means nothing to another. Tools
//! that plug each import on its own cannot do this. The `.wac` files beside this crate say the same for `wac compose`.

mod components;
mod compose;
mod describe;
mod inspect;
#[cfg(feature = "services")]
mod service;
mod target;
mod world;

pub use components::{Components, NoSuchComponent};
pub use compose::{ComposeError, compose, compose_from};
pub use describe::{AgentDescription, DescribeError, PartDescription, describe, table};
pub use inspect::{InspectError, Interfaces, inspect};
#[cfg(feature = "services")]
pub use service::{ALONE, compose_service, services};
pub use target::{TargetError, check, wit_world};
pub use world::{UnknownWorld, World};
