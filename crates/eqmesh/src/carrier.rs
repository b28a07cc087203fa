//! What carries messages between the agents of a run.

use eqmesh_agent::Message;

/// Why messages did not arrive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CarrierError(pub String);

/// Carries messages from agents to agents.
pub trait Carrier: Send {
    /// Carries a wave of messages, and answers what arrived for each of so many agents, in the order of the wave. Returns when each message has arrived once
    /// at each agent that it [concerns](Message::concerns), or else fails.
    fn carry(&mut self, wave: &[Message], agents: u32) -> Result<Vec<Vec<Message>>, CarrierError>;
}
