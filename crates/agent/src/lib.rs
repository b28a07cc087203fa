//! One agent of the network, sans-I/O: a message or a command in, messages and results out.
//!
//! A [`Node`] holds no e-graph, no stream and no clock of its own: it is written against [`Parts`], what the WIT world `agent-component` imports, so
//! that the very same code runs over the plain crates ([`Native`]) and, as a component, over the other components.
//!
//! ```
//! use eqmesh_agent::{Config, Native, Node, RoundTask};
//! use eqmesh_replica::{AgentId, Budget};
//!
//! let mut alone = Node::new(Config { id: AgentId(0), agents: 1, coloring: true, timeline_capacity: 100 }, Native::solo());
//! alone.submit("(datatype Math (Num i64) (Add Math Math)) (rewrite (Add a b) (Add b a)) (Add (Num 1) (Num 2))", 0).unwrap();
//! let task = RoundTask { ruleset: String::new(), budget: Budget { matches: u64::MAX, nodes: u64::MAX } };
//! while !alone.verdict().is_some_and(|verdict| verdict.saturated) {
//!     alone.start_round(&task, 0).unwrap();
//! }
//! assert_eq!(alone.check("(= (Add (Num 1) (Num 2)) (Add (Num 2) (Num 1)))", 1), Ok(1));
//! ```

mod blocks;
mod body;
mod message;
mod native;
mod node;
mod ports;

pub use message::{MAX_MESSAGE, Message};
pub use native::Native;
pub use node::{Config, Dispute, Node, RoundTask, Summary, Unstored, timeline_of};
pub use ports::{Diagnostic, Graph, Log, Network, Parts, Signature};
