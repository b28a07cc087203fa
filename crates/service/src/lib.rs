//! An agent as a service: any number of requests at a time, in any number of instances that need not outlive a request, over one key-value store.
//!
//! A [`Service`] is one agent. What it knows lies in [blobs](blob), each written once under a name that nobody else uses, and in one small [`Index`](index::Index),
//! which says which blobs count. The index is the only value that changes, by compare-and-swap, so a request takes effect as a whole or not at all, and nothing that
//! was acknowledged is lost whenever a request dies. Blobs that no index names are collected later.
//!
//! Messages are [delivered](Service::deliver) into an inbox without looking at the e-graph: that is quick, and any number of requests do so side by side. What
//! changes facts ([`Service::work`], [`Service::submit`]) holds a lease in the meantime, so that an agent numbers its facts in one order only. The lease is for
//! speed; what keeps facts apart is the swap at the end, which fails where another request has taken over.
//!
//! An instance that answers another request keeps the agent that it has read or stored, and goes on with it if the index still names just that one. So whether
//! instances are kept makes a difference in time alone.
//!
//! What the agent has to say is kept in an outbox until whoever carries messages says that it is published. Carrying them twice does no harm.
//!
//! Sans-I/O: the store, the clock and randomness come in through [`Store`] and [`Host`], the agent itself through [`Member`]. So the same code runs in a component and in
//! the tests, which let requests die at every single call.

pub mod blob;
mod describe;
pub mod index;
mod kept;
mod member;
mod read;
mod service;
mod shown;
mod state;
mod store;
mod work;

#[cfg(test)]
mod tests;

pub use describe::{hex, label};
pub use member::Member;
pub use read::Glance;
pub use service::{Delivered, Service, ServiceError, Settings};
pub use shown::{ColorNames, ShownClass, ShownNeighbourhood, ShownNode};
pub use state::{AgentState, ColorState, LatencyState, LeaseState, MemberInfo, Refusal, StepRules};
pub use store::{Host, Store, StoreError};
pub use work::{Submitted, Task, Worked};
