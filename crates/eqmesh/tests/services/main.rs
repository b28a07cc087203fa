//! The deployed network as a whole: `spin.toml` on the embedded host, driven by a gateway, asked over HTTP.

mod agents;
mod application;
mod contract;
mod dashboard;
mod faults;
mod http;
