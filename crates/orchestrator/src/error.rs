//! Why a call was refused.

use eqmesh_replica::AgentId;

/// Nothing has changed when a function answers with an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrchestrationError {
    /// No such member.
    #[error("there is no agent {} in this network", .0.0)]
    Stranger(AgentId),
    /// What belongs to this round is over, or was said before by this member: a repetition, which is harmless.
    #[error("this was said before, or too late for round {0}: it can be ignored")]
    Stale(u32),
    /// A message for this round, which lies further ahead than the next.
    #[error("round {0} lies further ahead than the next: catch up first")]
    Premature(u32),
    /// Not a topic of the network.
    #[error("this is no topic of the network: {0}")]
    Topic(String),
    /// Not what `save` answers.
    #[error("{0}")]
    Malformed(String),
    /// The call does not fit the state of the round.
    #[error("{0}")]
    Misplaced(String),
}
