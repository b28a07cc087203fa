//! Carries messages between a broker and agents behind HTTP.
//!
//! A [`Gateway`] takes messages from a [`Broker`], delivers them to the agents of an app in signed requests, and tells the broker so only after the app has
//! taken them and what it answered is published. It also has the agents work, step by step, and publishes what comes of that. `docs/gateway.md` says what is
//! guaranteed, and what a deployment needs.
//!
//! ```no_run
//! use eqmesh_gateway::{Connection, Gateway, Layout, Nats, Options, connect};
//! use eqmesh_replica::AgentId;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let layout = Layout::new(None)?;
//! let mut options = Options::new("http://127.0.0.1:3000", std::fs::read_to_string("secret")?.parse()?, (0..9).map(AgentId));
//! options.subjects = layout.subjects().clone();
//! let client = connect(&Connection { url: "nats://127.0.0.1:4222".to_owned(), ..Connection::default() }).await?;
//! Gateway::new(Nats::new(client, layout), options)?.run(std::future::pending()).await;
//! # Ok(())
//! # }
//! ```

mod app;
mod broker;
mod deliveries;
mod gateway;
mod heartbeats;
mod in_process;
mod metrics;
mod nats;
mod route;
pub mod server_config;
mod steps;

pub use app::AppError;
pub use broker::{Broker, BrokerError, DeadLetter, Incoming, Outgoing, Settlement};
pub use eqmesh_webhook::Secret;
pub use gateway::{Gateway, Options};
pub use in_process::{InProcess, Ticket};
pub use metrics::{Metrics, serve as serve_metrics};
pub use nats::{ConnectError, Connection, Credentials, Keeping, Layout, Nats, connect};
pub use route::{BadName, Misrouted, Subjects, is_fleeting};
