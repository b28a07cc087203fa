//! A host for the HTTP components of a `spin.toml`, to be embedded.
//!
//! It serves an application as Spin does: routes, headers, variables, key-value stores, service chaining. It adds what a network
//! that runs for long needs: state that is durable when an answer says so, limits on everything a component can use, metrics, and
//! a shutdown that loses nothing.
//!
//! ```no_run
//! use eqmesh_host::{Host, Options};
//!
//! # async fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! let options = Options { manifest: "spin.toml".into(), state: Some("state".into()), ..Options::default() };
//! let host = Host::load(&options)?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! host.serve(listener, eqmesh_host::signals()?).await?;
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod body;
mod collapse;
pub mod database;
mod engine;
mod gate;
mod guest;
mod headers;
mod host;
mod idle;
mod keyvalue;
pub mod limits;
pub mod log;
pub mod manifest;
pub mod metrics;
#[cfg(feature = "otel")]
mod otel;
pub mod outbound;
mod outgoing;
mod output;
mod problem;
pub mod router;
mod run;
mod server;
mod trace;
pub mod variables;

pub use host::{Host, LoadError, Options};
pub use limits::Limits;
pub use server::signals;
/// Why a body ends early.
pub use wasmtime_wasi_http::Error as BodyError;
/// The body of an answer.
pub use wasmtime_wasi_http::WasiBody as Body;
