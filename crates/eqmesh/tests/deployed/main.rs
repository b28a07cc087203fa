//! The network as it is deployed, each part a process of its own: nats-server, `eqmesh gateway`, `eqmesh serve --no-carrier`, and the client's commands.

mod client;
mod crashes;
mod processes;
mod spin;
