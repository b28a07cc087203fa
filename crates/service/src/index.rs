//! The index of an agent: which of its blobs count, and what has to be known without reading them.

use eqmesh_replica::Fault;
use eqmesh_replica::wire::{Reader, put_bytes, seal};
use serde::{Deserialize, Serialize};

use crate::blob::Blob;

const MAGIC: &[u8; 4] = b"eqi\x01";

/// A request that may change facts. Nobody else begins to until it is over, or its time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Which request.
    pub token: u64,
    /// Until when, in milliseconds since 1970.
    pub until: u64,
}

/// Messages that wait for being carried away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbox {
    /// So many messages have been published, of all that there ever were.
    pub published: u64,
    /// The messages after these, in order; each blob with as many as it says.
    pub blobs: Vec<Blob>,
}

impl Outbox {
    /// Messages in it.
    pub fn len(&self) -> u64 {
        self.blobs.iter().map(|blob| u64::from(blob.items)).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty()
    }

    /// The number of its last message, counted from 1 over all that there ever were.
    pub fn last(&self) -> u64 {
        self.published + self.len()
    }

    /// Forgets messages up to a number that were published: whole blobs. Answers these blobs.
    pub fn confirm(&mut self, published: u64) -> Vec<Blob> {
        let mut gone = Vec::new();
        while let Some(first) = self.blobs.first() {
            let upto = self.published + u64::from(first.items);
            if upto > published {
                break;
            }
            self.published = upto;
            gone.push(self.blobs.remove(0));
        }
        gone
    }
}

/// Which blobs count. Compared and swapped as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Counts up with every change, so that no value of the index comes back.
    pub revision: u64,
    /// The incarnation under which the agent makes facts.
    pub incarnation: u16,
    /// The session of its claim. 0 before it has joined.
    pub session: u64,
    /// When it joined under this incarnation, in milliseconds since 1970.
    pub born: u64,
    /// Whether it may have run before, as far as it can tell: until it has heard the others, it makes no facts.
    pub fresh: bool,
    /// Who may change facts now.
    pub lease: Option<Lease>,
    /// The facts, as parts to be restored.
    pub log: Vec<Blob>,
    /// The suspended agent.
    pub node: Option<Blob>,
    /// Messages that have come.
    pub inbox: Vec<Blob>,
    /// Messages that are to go.
    pub outbox: Outbox,
    /// Blobs that count no more, to be removed by who changes the index next.
    pub garbage: Vec<Blob>,
    /// When the agent is to tick, in milliseconds since 1970.
    pub tick: u64,
    /// Whether there was more to do when it was last at work.
    pub unfinished: bool,
    /// When keys were last collected that nothing names, in milliseconds since 1970.
    pub swept: u64,
    /// The agent at a glance, as JSON: what a state query answers.
    #[serde(with = "serde_bytes")]
    pub state: Vec<u8>,
}

impl Index {
    /// The index as bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        put_bytes(
            &mut bytes,
            &postcard::to_allocvec(self).expect("an index serialises into memory"),
        );
        seal(bytes)
    }

    /// Reads it again. Fails with [`Fault::Malformed`] if these are no such bytes.
    pub fn decode(bytes: &[u8]) -> Result<Index, Fault> {
        let mut reader = Reader::open(bytes, MAGIC, "index")?;
        let index = postcard::from_bytes(reader.bytes()?).map_err(|error| reader.malformed(&error.to_string()))?;
        reader.end()?;
        Ok(index)
    }

    /// Bytes in all blobs that count.
    pub fn stored_bytes(&self) -> u64 {
        self.blobs().map(|blob| blob.bytes).sum()
    }

    /// All blobs that it names, those included that are to be removed.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        self.log
            .iter()
            .chain(&self.node)
            .chain(&self.inbox)
            .chain(&self.outbox.blobs)
            .chain(&self.garbage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(items: u32) -> Blob {
        Blob {
            at: 1,
            nonce: u64::from(items),
            chunks: 1,
            bytes: 10,
            items,
        }
    }

    #[test]
    fn an_outbox_forgets_what_was_published_and_no_more() {
        let mut outbox = Outbox {
            published: 10,
            blobs: vec![blob(3), blob(2)],
        };
        assert_eq!(outbox.last(), 15);
        assert_eq!(outbox.confirm(12), []);
        assert_eq!(outbox.confirm(13), [blob(3)]);
        assert_eq!((outbox.published, outbox.len()), (13, 2));
        assert_eq!(outbox.confirm(99), [blob(2)]);
        assert_eq!((outbox.published, outbox.last()), (15, 15));
    }

    #[test]
    fn an_index_is_read_as_it_was_written_and_not_when_altered() {
        let index = Index {
            revision: 7,
            log: vec![blob(1), blob(2)],
            lease: Some(Lease { token: 5, until: 9 }),
            ..Index::default()
        };
        let bytes = index.encode();
        assert_eq!(Index::decode(&bytes), Ok(index));
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(Index::decode(&altered).is_err());
            assert!(Index::decode(&bytes[..at]).is_err());
        }
    }
}
