//! Messages between agents, and what their bodies say.

use eqmesh_orchestrator::{Barrier, MessageKind, Vote};
use eqmesh_replica::{AgentId, Fault, VersionVector};
use eqmesh_timeline::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest body of a message, in bytes: a block and a little around it.
pub const MAX_MESSAGE: usize = eqmesh_replica::MAX_BLOCK + (1 << 20);

/// A message between agents. The sender's clock and version vector go with every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Unique among the sender's messages.
    pub id: u64,
    /// What it is about.
    pub kind: MessageKind,
    /// Who says it.
    pub sender: AgentId,
    /// To whom; none for everybody else.
    pub receiver: Option<AgentId>,
    /// Where it travels: follows from kind, sender and receiver.
    pub topic: String,
    /// What the sender had settled.
    pub version: VersionVector,
    /// When it was sent, by the sender's hybrid clock.
    pub at: Timestamp,
    /// What it says, in binary.
    pub body: Vec<u8>,
}

/// What a message of each kind says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Body {
    /// `state`
    State {
        /// The round and the barrier that the sender has reached with this; none outside of rounds.
        reached: Option<(u32, Stage)>,
        /// Rulesets that were declared.
        rulesets: Vec<String>,
        /// The facts, if there are any.
        block: Option<Vec<u8>>,
    },
    /// `sync`: "I have what my version vector says, send me the rest."
    Sync,
    /// `heartbeat`
    Heartbeat {
        /// The sender's state digest.
        digest: [u8; 32],
        /// At the end of a round, its number and what the sender says of its share.
        ballot: Option<(u32, Ballot)>,
    },
    /// `ack`: "I have settled what my version vector says."
    Ack,
}

/// A barrier that facts come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Derived,
    Certified,
}

impl From<Stage> for Barrier {
    fn from(stage: Stage) -> Barrier {
        match stage {
            Stage::Derived => Barrier::Derived,
            Stage::Certified => Barrier::Certified,
        }
    }
}

/// A vote without its digest, which the heartbeat carries anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ballot {
    pub(crate) saturated: bool,
    pub(crate) exhausted: bool,
    pub(crate) matches: u64,
    pub(crate) applied: u64,
    pub(crate) blocked: u64,
}

impl Ballot {
    pub(crate) fn vote(self, state_digest: [u8; 32]) -> Vote {
        Vote {
            state_digest,
            saturated: self.saturated,
            exhausted: self.exhausted,
            matches: self.matches,
            applied: self.applied,
            blocked: self.blocked,
        }
    }
}

impl Body {
    pub(crate) fn kind(&self) -> MessageKind {
        match self {
            Body::State { .. } => MessageKind::State,
            Body::Sync => MessageKind::Sync,
            Body::Heartbeat { .. } => MessageKind::Heartbeat,
            Body::Ack => MessageKind::Ack,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        postcard::to_allocvec(self).expect("a body serialises into memory")
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Body, Fault> {
        if bytes.len() > MAX_MESSAGE {
            return Err(Fault::Limit(format!("a message has at most {MAX_MESSAGE} bytes")));
        }
        match postcard::take_from_bytes(bytes) {
            Ok((body, [])) => Ok(body),
            Ok(_) => Err(Fault::Malformed("bytes follow the end of the message".to_owned())),
            Err(error) => Err(Fault::Malformed(format!(
                "the body of the message cannot be read: {error}"
            ))),
        }
    }
}
