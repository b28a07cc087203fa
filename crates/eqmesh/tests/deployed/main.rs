//! The network as it is deployed, each part a process of its own: nats-server, `eqmesh gateway`, `eqmesh serve --no-carrier`, and the client's commands; and `eqmesh run --serve`, which is all of that in one.

mod client;
mod crashes;
mod live;
mod processes;
mod spin;
