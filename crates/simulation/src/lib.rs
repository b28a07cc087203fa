//! A network of agents in virtual time, with every fault that a real one has, repeatable from a seed.
//!
//! The agents are real ones ([`eqmesh_agent::Node`]) over the plain parts; what is simulated is time, their hosts' disks, and the network between
//! them. Every event happens at a virtual time, in an order that the seed determines, so the same seed gives the same report, byte for byte.
//!
//! At the end it is checked that all agents hold the same facts, that these mean what one agent alone comes to, that nothing was lost that an agent
//! said it had stored, and that no agent ever said that all had converged on facts that are no fixpoint.
//!
//! ```
//! use eqmesh_simulation::{Scenario, Simulation};
//!
//! let scenario = Scenario { agents: 4, loss: 0.2, crashes: vec!["2@3s..8s:none".parse().unwrap()], ..Scenario::default() };
//! let report = Simulation::new(scenario).unwrap().run(7);
//! assert!(report.holds(), "{report}");
//! assert_eq!(report.crashes, 1);
//! ```

mod fault;
mod forger;
mod mutant;
mod oracle;
mod parts;
mod region;
mod report;
mod scenario;
mod seeds;
mod span;
mod workload;
mod world;

pub use fault::{Crash, Delay, Partition, Recovery};
pub use mutant::Mutant;
pub use region::{RegionError, Regions};
pub use report::Report;
pub use scenario::{Scenario, ScenarioError, Simulation, topology_name, topology_of};
pub use seeds::{Seeds, Sweep};
pub use span::Span;
pub use workload::{NAMED, Submission, Workload};
