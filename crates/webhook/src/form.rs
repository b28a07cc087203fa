//! Several messages as one body of HTTP. `docs/wire-format.md` specifies both forms.

use eqmesh_agent::Message;
use eqmesh_replica::wire::{Reader, put, put_bytes, seal};
use eqmesh_replica::{AgentId, Fault};

/// The media type of a [`Batch`].
pub const BATCH_TYPE: &str = "application/vnd.eqmesh.messages";
/// The media type of a [`Delivery`].
pub const DELIVERY_TYPE: &str = "application/vnd.eqmesh.delivery";

/// The most messages in a batch or delivery.
pub const MAX_MESSAGES: usize = 1024;
/// The longest batch or delivery, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// The longest subject, in bytes.
pub const MAX_SUBJECT: usize = 256;

const BATCH: &[u8; 4] = b"eqp\x01";
const DELIVERY: &[u8; 4] = b"eqd\x01";

/// What stands around the messages, in bytes, at the most: magic number, receiver, subject, count, checksum.
const AROUND: usize = 4 + 5 + 2 + MAX_SUBJECT + 2 + 8;

/// What stands before each message, in bytes, at the most: its length.
const BEFORE: usize = 4;

/// Messages that an agent wants to have published, each in the form of [`Message::encode`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// At most [`MAX_MESSAGES`], none empty.
    pub messages: Vec<Vec<u8>>,
}

/// Messages of one subject for one agent, each in the form of [`Message::encode`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// For whom: a number without an incarnation.
    pub receiver: AgentId,
    /// Where they were published. It stands here because a signature covers the body and not the path.
    pub subject: String,
    /// From 1 to [`MAX_MESSAGES`], none empty.
    pub messages: Vec<Vec<u8>>,
}

/// How many of these messages, from the first on, fit into one batch or delivery. None if the first alone is too long for any.
pub fn fitting<'a>(messages: impl IntoIterator<Item = &'a [u8]>) -> usize {
    let mut size = AROUND;
    let fits = |message: &&[u8]| {
        size = size.saturating_add(message.len()).saturating_add(BEFORE);
        size <= MAX_BYTES
    };
    messages.into_iter().take(MAX_MESSAGES).take_while(fits).count()
}

impl Batch {
    /// The batch as bytes. What does not fit (see [`fitting`]) is not read again by [`Batch::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = BATCH.to_vec();
        put_messages(&mut bytes, &self.messages);
        seal(bytes)
    }

    /// Reads a batch. Never panics, and reads nothing that [`Batch::encode`] would not write. The messages are not read here.
    pub fn decode(bytes: &[u8]) -> Result<Batch, Fault> {
        let mut reader = open(bytes, BATCH, "batch")?;
        let messages = messages(&mut reader)?;
        reader.end()?;
        Ok(Batch { messages })
    }

    /// Reads its messages. Fails with the first that is none.
    pub fn read(&self) -> Result<Vec<Message>, Fault> {
        self.messages.iter().map(|message| Message::decode(message)).collect()
    }
}

impl Delivery {
    /// The delivery as bytes. What does not fit (see [`fitting`], [`MAX_SUBJECT`]) is not read again by [`Delivery::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = DELIVERY.to_vec();
        put(&mut bytes, u64::from(self.receiver.0));
        put_bytes(&mut bytes, self.subject.as_bytes());
        put_messages(&mut bytes, &self.messages);
        seal(bytes)
    }

    /// Reads a delivery. Never panics, and reads nothing that [`Delivery::encode`] would not write. The messages are not read here.
    pub fn decode(bytes: &[u8]) -> Result<Delivery, Fault> {
        let mut reader = open(bytes, DELIVERY, "delivery")?;
        let receiver = AgentId(reader.small()?);
        if receiver.0 > AgentId::MAX_NUMBER {
            return Err(reader.malformed("its receiver is no number of an agent"));
        }
        let subject = reader.string()?;
        if subject.is_empty() || subject.len() > MAX_SUBJECT {
            return Err(Fault::Limit(format!("a subject has from 1 to {MAX_SUBJECT} bytes")));
        }
        let messages = messages(&mut reader)?;
        if messages.is_empty() {
            return Err(reader.malformed("it has no message"));
        }
        reader.end()?;
        Ok(Delivery {
            receiver,
            subject,
            messages,
        })
    }

    /// Reads its messages. Fails with the first that is none.
    pub fn read(&self) -> Result<Vec<Message>, Fault> {
        self.messages.iter().map(|message| Message::decode(message)).collect()
    }
}

fn open<'a>(bytes: &'a [u8], magic: &[u8], what: &'static str) -> Result<Reader<'a>, Fault> {
    if bytes.len() > MAX_BYTES {
        return Err(Fault::Limit(format!("a {what} has at most {MAX_BYTES} bytes")));
    }
    Reader::open(bytes, magic, what)
}

fn put_messages(bytes: &mut Vec<u8>, messages: &[Vec<u8>]) {
    put(bytes, messages.len() as u64);
    messages.iter().for_each(|message| put_bytes(bytes, message));
}

fn messages(reader: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, Fault> {
    let count = reader.count()?;
    if count > MAX_MESSAGES {
        return Err(Fault::Limit(format!("at most {MAX_MESSAGES} messages go together")));
    }
    let mut messages = Vec::with_capacity(count);
    for _ in 0..count {
        let message = reader.bytes()?;
        if message.is_empty() {
            return Err(reader.malformed("a message is empty"));
        }
        messages.push(message.to_vec());
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_messages(least: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), least..6)
    }

    fn any_delivery() -> impl Strategy<Value = Delivery> {
        let receiver = (0..=AgentId::MAX_NUMBER).prop_map(AgentId);
        (receiver, "[a-zé.0-9]{1,30}", any_messages(1)).prop_map(|(receiver, subject, messages)| Delivery {
            receiver,
            subject,
            messages,
        })
    }

    /// As an attacker would who knows the checksum, too.
    fn resealed(mut bytes: Vec<u8>, at: prop::sample::Index, other: u8) -> Vec<u8> {
        bytes.truncate(bytes.len() - 8);
        let at = at.index(bytes.len());
        bytes[at] = other;
        seal(bytes)
    }

    #[test]
    fn the_forms_are_those_that_are_documented() {
        let unsealed = |bytes: Vec<u8>| bytes[..bytes.len() - 8].to_vec();
        let messages = vec![b"ab".to_vec(), b"c".to_vec()];
        let batch = Batch {
            messages: messages.clone(),
        }
        .encode();
        assert_eq!(unsealed(batch), b"eqp\x01\x02\x02ab\x01c");
        let delivery = Delivery {
            receiver: AgentId(300),
            subject: "agent.3.state".to_owned(),
            messages,
        };
        assert_eq!(
            unsealed(delivery.encode()),
            b"eqd\x01\xac\x02\x0dagent.3.state\x02\x02ab\x01c"
        );
    }

    #[test]
    fn limits_are_kept() {
        let full = Batch {
            messages: vec![vec![1]; MAX_MESSAGES],
        };
        assert_eq!(Batch::decode(&full.encode()), Ok(full));
        let over = Batch {
            messages: vec![vec![1]; MAX_MESSAGES + 1],
        };
        assert!(matches!(Batch::decode(&over.encode()), Err(Fault::Limit(_))));
        let long = Batch {
            messages: vec![vec![1; MAX_BYTES]],
        };
        assert!(matches!(Batch::decode(&long.encode()), Err(Fault::Limit(_))));
        let empty = Batch { messages: vec![vec![]] };
        assert!(Batch::decode(&empty.encode()).is_err());
        let mut delivery = Delivery {
            receiver: AgentId(1),
            subject: "x".repeat(MAX_SUBJECT),
            messages: vec![vec![1]],
        };
        assert!(Delivery::decode(&delivery.encode()).is_ok());
        delivery.subject.push('x');
        assert!(Delivery::decode(&delivery.encode()).is_err());
        let nobody = Delivery {
            receiver: AgentId(0xffff),
            subject: "x".to_owned(),
            messages: vec![vec![1]],
        };
        assert!(Delivery::decode(&nobody.encode()).is_err());
        let nothing = Delivery {
            receiver: AgentId(1),
            subject: "x".to_owned(),
            messages: Vec::new(),
        };
        assert!(Delivery::decode(&nothing.encode()).is_err());
    }

    #[test]
    fn as_many_are_taken_as_fit() {
        let third = vec![0u8; MAX_BYTES / 3];
        assert_eq!(fitting([&third[..], &third, &third, &third]), 2);
        assert_eq!(fitting(std::iter::repeat_n(&[0u8; 10][..], 2000)), MAX_MESSAGES);
        let whole = vec![0u8; MAX_BYTES];
        assert_eq!(fitting([&whole[..]]), 0);
        let most = Delivery {
            receiver: AgentId(AgentId::MAX_NUMBER),
            subject: "x".repeat(MAX_SUBJECT),
            messages: vec![vec![1; MAX_BYTES - AROUND - BEFORE]],
        };
        assert_eq!(fitting(most.messages.iter().map(Vec::as_slice)), 1);
        assert_eq!(Delivery::decode(&most.encode()), Ok(most));
    }

    proptest! {
        #[test]
        fn a_batch_is_read_as_it_was_written(messages in any_messages(0)) {
            let batch = Batch { messages };
            prop_assert_eq!(Batch::decode(&batch.encode()), Ok(batch));
        }

        #[test]
        fn a_delivery_is_read_as_it_was_written(delivery in any_delivery()) {
            prop_assert_eq!(Delivery::decode(&delivery.encode()), Ok(delivery));
        }

        #[test]
        fn what_is_altered_is_read_as_something_else_or_not_at_all(delivery in any_delivery(), at in any::<prop::sample::Index>(), other: u8) {
            let bytes = resealed(delivery.encode(), at, other);
            if let Ok(read) = Delivery::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
            let bytes = resealed(Batch { messages: delivery.messages }.encode(), at, other);
            if let Ok(read) = Batch::decode(&bytes) {
                prop_assert_eq!(read.encode(), bytes);
            }
        }

        #[test]
        fn an_accident_is_noticed(delivery in any_delivery(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut bytes = delivery.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert!(Delivery::decode(&bytes).is_err());
            prop_assert!(Delivery::decode(&bytes[..at]).is_err());
        }

        #[test]
        fn any_bytes_have_one_form(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            for magic in [&BATCH[..], DELIVERY] {
                let bytes = seal([magic, &bytes].concat());
                if let Ok(read) = Batch::decode(&bytes) {
                    prop_assert_eq!(read.encode(), bytes.clone());
                }
                if let Ok(read) = Delivery::decode(&bytes) {
                    prop_assert_eq!(read.encode(), bytes);
                }
            }
        }
    }
}
