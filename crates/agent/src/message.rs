//! Messages between agents: the envelope. What they say is in `body.rs`; `docs/wire-format.md` specifies both.

use eqmesh_orchestrator::MessageKind;
use eqmesh_replica::wire::{Reader, put, put_bytes, put_version, seal};
use eqmesh_replica::{AgentId, Fault, VersionVector};
use eqmesh_timeline::Timestamp;

/// The longest body of a message, in bytes: a block and a little around it.
pub const MAX_MESSAGE: usize = eqmesh_replica::MAX_BLOCK + (1 << 20);

/// The longest envelope around a body, in bytes: with a version vector of as many agents as there can be.
const MAX_ENVELOPE: usize = 1 << 21;

/// The first bytes of a message: a magic number and the version.
const MAGIC: &[u8; 4] = b"eqm\x01";

/// A message between agents. The sender's clock and version vector go with every one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Unique among the sender's messages.
    pub id: u64,
    /// What it is about.
    pub kind: MessageKind,
    /// Who says it.
    pub sender: AgentId,
    /// To whom; none for everybody else. Where the network runs free, the number says it, and the incarnation does not matter.
    pub receiver: Option<AgentId>,
    /// Where it travels: follows from kind, sender and receiver.
    pub topic: String,
    /// What the sender had settled. Heartbeats of a network that runs free leave it out, as their digest says the same.
    pub version: VersionVector,
    /// When it was sent, by the sender's hybrid clock.
    pub at: Timestamp,
    /// What it says, in binary.
    pub body: Vec<u8>,
}

impl Message {
    /// Whether an agent is to get this message: it is for it, or for everybody else than its sender. Incarnations do not matter.
    pub fn concerns(&self, agent: AgentId) -> bool {
        match self.receiver {
            Some(receiver) => receiver.number() == agent.number(),
            None => self.sender.number() != agent.number(),
        }
    }

    /// The message as bytes. The topic is left out, since it follows from the rest.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.body.len() + 64);
        bytes.extend_from_slice(MAGIC);
        bytes.push(self.kind as u8);
        put(&mut bytes, self.id);
        put(&mut bytes, u64::from(self.sender.0));
        put(
            &mut bytes,
            self.receiver.map_or(0, |receiver| u64::from(receiver.0) + 1),
        );
        put(&mut bytes, self.at.micros);
        put(&mut bytes, u64::from(self.at.logical));
        put_version(&mut bytes, &self.version);
        put_bytes(&mut bytes, &self.body);
        seal(bytes)
    }

    /// Reads a message. Never panics, allocates at most a small multiple of the input, and reads nothing that [`Message::encode`] would not write:
    /// encoding what was read gives the same bytes. The body is not read here.
    pub fn decode(bytes: &[u8]) -> Result<Message, Fault> {
        if bytes.len() > MAX_MESSAGE + MAX_ENVELOPE {
            return Err(Fault::Limit(format!("a message has at most {MAX_MESSAGE} bytes")));
        }
        let mut reader = Reader::open(bytes, MAGIC, "message")?;
        let kind = reader.byte()?;
        let kind = MessageKind::ALL.into_iter().find(|own| *own as u8 == kind);
        let kind = kind.ok_or_else(|| reader.malformed("it is of no known kind"))?;
        let id = reader.varint()?;
        let sender = AgentId(reader.small()?);
        let receiver = match reader.varint()?.checked_sub(1) {
            None => None,
            Some(receiver) => {
                let receiver = u32::try_from(receiver).map_err(|_| reader.malformed("a number is too large"))?;
                Some(AgentId(receiver))
            }
        };
        let at = Timestamp {
            micros: reader.varint()?,
            logical: reader.small()?,
        };
        let version = reader.version()?;
        let body = reader.bytes()?;
        if body.len() > MAX_MESSAGE {
            return Err(Fault::Limit(format!("a message has at most {MAX_MESSAGE} bytes")));
        }
        reader.end()?;
        let topic = kind.topic(sender, receiver);
        Ok(Message {
            id,
            kind,
            sender,
            receiver,
            topic: topic.map_err(|error| Fault::Malformed(error.to_string()))?,
            version,
            at,
            body: body.to_vec(),
        })
    }
}
