//! A nats-server of one's own, for tests.
//!
//! ```
//! let mut server = eqmesh_nats_fixture::Server::start("");
//! assert!(server.url().starts_with("nats://127.0.0.1:"));
//! server.kill();
//! server.restart();
//! ```
//!
//! The server listens on a free port of the loopback device, stores into a folder of its own, and is killed when the [`Server`] is dropped, also where a
//! test fails. What does not work ends the test: all functions panic.

mod binary;
mod server;

pub use binary::binary;
pub use server::Server;
