//! An agent that stays in memory from one request to the next, where the host lets one instance answer both: it need not be read and made anew then.

use crate::blob::Blob;
use crate::index::Index;
use crate::member::Member;
use crate::service::{Facts, Service};
use crate::store::{Host, Store};

/// An agent as it was when all that it is had been stored, or read.
#[derive(Debug)]
pub(crate) struct Kept<M> {
    member: M,
    facts: Facts,
    /// What it was suspended into. Names are used once, so an index that names this one is the index that this agent is of.
    node: Blob,
}

impl<S: Store, H: Host, M: Member> Service<S, H, M> {
    /// Another request begins. What was seen of the store before may be old by now, and is looked at again.
    pub fn begin(&self) {
        self.seen.take();
    }

    /// Leaves an agent to later requests. It must be what this index stands for.
    pub(crate) fn keep(&self, member: M, facts: Facts, index: &Index) {
        let kept = index.node.map(|node| Kept { member, facts, node });
        self.kept.replace(kept);
    }

    /// The agent that an earlier request has left, if it is what this index stands for, and has its facts if these are needed. If not, it makes room for one that is.
    pub(crate) fn left(&self, index: &Index, facts: Facts) -> Option<(M, Facts)> {
        let kept = self.kept.take()?;
        let has = kept.facts == Facts::Taken || facts == Facts::Left;
        (has && index.node == Some(kept.node)).then_some((kept.member, kept.facts))
    }
}
