//! Events: what a caller says happened, and what was recorded of it.

use eqmesh_replica::{AgentId, Dot, VersionVector};

use crate::Timestamp;

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// A message left.
    Sent,
    /// A message arrived.
    Received,
    /// A message or a fact was refused.
    Refused,
    /// A peer has stored what it was sent.
    Acknowledged,
    /// An exchange of missing facts began,
    SyncStarted,
    /// and ended.
    SyncCompleted,
    /// A sign of life.
    Heartbeat,
    /// A stream made a step.
    Step,
    /// A GREEN agent certified facts.
    Certified,
    /// Nothing is left to do.
    Converged,
}

impl EventKind {
    /// All kinds, in order.
    pub const ALL: [EventKind; 10] = [
        EventKind::Sent,
        EventKind::Received,
        EventKind::Refused,
        EventKind::Acknowledged,
        EventKind::SyncStarted,
        EventKind::SyncCompleted,
        EventKind::Heartbeat,
        EventKind::Step,
        EventKind::Certified,
        EventKind::Converged,
    ];
}

/// The four phases of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// BLUE steps.
    Backfill,
    /// GREEN steps.
    Verify,
    /// RED steps.
    Live,
    /// Exchange, certify, compare digests.
    Reconcile,
}

/// One event, as the caller describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: EventKind,
    /// Where it happened.
    pub agent: AgentId,
    /// Who else took part: to whom a message was sent (none for everybody), from whom it was received.
    pub peer: Option<AgentId>,
    /// The message that it is about, numbered by its sender.
    pub message: Option<u64>,
    /// The fact that it is about.
    pub fact: Option<Dot>,
    /// What the agent had settled (or what the message said of its sender).
    pub version: VersionVector,
    /// The size of the message or of what was refused.
    pub bytes: u64,
    /// The round in which it happened.
    pub round: u32,
    /// The phase of that round.
    pub phase: Phase,
}

/// Which end of a message an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum End {
    Sending,
    Reception,
}

/// What a sending and its receptions have in common: the sender, and the number that it gave the message.
pub(crate) type Letter = (AgentId, u64);

impl Entry {
    /// The message that this is the sending or the reception of. None if it is neither, or does not say enough.
    pub(crate) fn letter(&self) -> Option<(Letter, End)> {
        let message = self.message?;
        match self.kind {
            EventKind::Sent => Some(((self.agent, message), End::Sending)),
            EventKind::Received => Some(((self.peer?, message), End::Reception)),
            _ => None,
        }
    }
}

/// One event, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Counts from 0 for each log, without gaps.
    pub index: u64,
    /// By the log's hybrid clock.
    pub at: Timestamp,
    /// What the caller said.
    pub entry: Entry,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_are_listed_in_order() {
        for (at, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, at);
        }
    }
}
