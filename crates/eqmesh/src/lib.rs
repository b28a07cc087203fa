//! The embedded host of eqmesh: composed agents under wasmtime, a broker in this process, and programs that run on them.
//!
//! ```
//! use eqmesh::{Engine, Limits, Session, Setup, program};
//!
//! let text = "(datatype Math (Num i64) (Add Math Math))
//!             (rewrite (Add a b) (Add b a))
//!             (let sum (Add (Num 1) (Num 2)))
//!             (run 5)
//!             (check (= sum (Add (Num 2) (Num 1))))";
//! let program = program::of_text("sum.egg", text).unwrap();
//! let setup = Setup { agents: 9, coloring: true, engine: Engine::Wasm };
//! let mut session = Session::new(setup, Limits::default()).unwrap();
//! session.execute(&program, &mut ());
//! let report = session.report();
//! assert!(report.converged && report.holds());
//! ```

mod agent;
mod answer;
mod broker;
mod carrier;
mod limits;
#[cfg(feature = "network")]
mod nats;
mod pictures;
pub mod program;
mod report;
mod session;
mod wasm;

pub use agent::{Agent, AgentError};
pub use answer::{Answer, ExtractedTerm, Fact, Lemma, OperatorSize, Row, Step};
pub use broker::{Broker, Engine, Setup};
pub use carrier::{Carrier, CarrierError};
pub use limits::{Limits, Stop};
#[cfg(feature = "network")]
pub use nats::{NatsCarrier, NatsError};
pub use pictures::pictures;
pub use report::{AgentReport, Outcome, Report, SCHEMA};
pub use session::{DEFAULT_ROUNDS, Progress, RoundStatus, Session};
pub use wasm::{Host, HostError, WasmAgent};
