//! Which subjects of a broker messages travel under.
//!
//! | subject | topic | who publishes |
//! |---|---|---|
//! | `agent.{i}.state`, `agent.{i}.ack`, `agent.{i}.heartbeat` | the same | agent i |
//! | `agent.{r}.sync.{i}` | `agent.{r}.sync` | agent i |
//! | `broadcast.heartbeat.{i}` | `broadcast.heartbeat` | agent i |
//! | `replay.{r}.` and one of the above | that of the rest | whoever replays dead letters |
//! | `dead-letters.{r}` | none | whoever delivers to agent r |
//!
//! So every subject names its sender: where the topic does not, its number follows. A broker, which sees subjects and no content, can then keep each to its own (see
//! [`server_config`](crate::server_config)), and [`Subjects::read`] lets no message pass whose sender is another one than its subject says. All of it may stand under a prefix, the name of the network.

use eqmesh_agent::Message;
use eqmesh_orchestrator::MessageKind;
use eqmesh_replica::AgentId;

/// Why a message that a broker carries is not what its subject says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misrouted {
    /// It cannot be read.
    #[error("it is no message: {0}")]
    Unreadable(String),
    /// No message travels under this subject.
    #[error("no message travels under {0}")]
    Subject(String),
    /// It says that it is of another sender, or of another topic, than its subject.
    #[error("it says that it is for {says}, but was published under {subject}")]
    Forged {
        /// The subject that fits the message.
        says: String,
        /// The subject that it had.
        subject: String,
    },
}

/// The subjects of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subjects {
    /// Empty, or the network's name and a dot.
    prefix: String,
}

/// The stream's name where the network has none.
pub(crate) const UNNAMED: &str = "eqmesh";

/// How the name of a network's stream of dead letters ends.
pub(crate) const DEAD_LETTERS: &str = "-dead-letters";

/// How the name of its stream of what the server says of messages that nobody settled ends.
pub(crate) const ADVISORIES: &str = "-advisories";

/// The name of a network is no part of a subject, or that of something else in the broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot name a network: choose from 1 to 64 letters, digits, `-` and `_`, but not `eqmesh`, which is the network without a name, nor an end in \
     `-dead-letters` or `-advisories`, which are the streams of another one"
)]
pub struct BadName(String);

impl Subjects {
    /// The subjects of a network with a name, or of the only one of its broker.
    pub fn new(network: Option<&str>) -> Result<Subjects, BadName> {
        let Some(name) = network else {
            return Ok(Subjects::default());
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let taken = name == UNNAMED || [DEAD_LETTERS, ADVISORIES].iter().any(|end| name.ends_with(end));
        if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) || taken {
            return Err(BadName(name.to_owned()));
        }
        Ok(Subjects {
            prefix: format!("{name}."),
        })
    }

    /// A subject, or a pattern of subjects, of this network.
    pub fn under(&self, subject: &str) -> String {
        format!("{}{subject}", self.prefix)
    }

    /// Where a message is published.
    pub fn of(&self, message: &Message) -> String {
        self.under(&plain(message))
    }

    /// Reads a message that came under a subject, and makes sure that the two fit.
    pub fn read(&self, subject: &str, bytes: &[u8]) -> Result<Message, Misrouted> {
        let strange = || Misrouted::Subject(subject.to_owned());
        let mut rest = subject.strip_prefix(&self.prefix).ok_or_else(strange)?;
        if let Some(replayed) = rest.strip_prefix("replay.") {
            rest = replayed.split_once('.').ok_or_else(strange)?.1;
        }
        let message = Message::decode(bytes).map_err(|fault| Misrouted::Unreadable(fault.to_string()))?;
        let says = plain(&message);
        if says != rest {
            return Err(Misrouted::Forged {
                says,
                subject: rest.to_owned(),
            });
        }
        Ok(message)
    }

    /// Where a message of a subject goes again, for one agent alone.
    pub fn replay(&self, subject: &str, receiver: AgentId) -> String {
        let rest = subject.strip_prefix(&self.prefix).unwrap_or(subject);
        let rest = match rest.strip_prefix("replay.").and_then(|rest| rest.split_once('.')) {
            Some((_, rest)) => rest,
            None => rest,
        };
        self.under(&format!("replay.{}.{rest}", receiver.number()))
    }

    /// Where what could not be delivered to an agent is kept.
    pub fn dead_letters(&self, receiver: AgentId) -> String {
        self.under(&format!("dead-letters.{}", receiver.number()))
    }

    /// All subjects whose messages are kept until they are delivered.
    pub fn durable(&self) -> Vec<String> {
        ["agent.*.state", "agent.*.ack", "agent.*.sync.*", "replay.>"]
            .map(|subject| self.under(subject))
            .to_vec()
    }

    /// Those of them that can concern an agent.
    pub fn durable_for(&self, agent: AgentId) -> Vec<String> {
        let number = agent.number();
        let own = [format!("agent.{number}.sync.*"), format!("replay.{number}.>")];
        ["agent.*.state", "agent.*.ack"]
            .map(str::to_owned)
            .into_iter()
            .chain(own)
            .map(|subject| self.under(&subject))
            .collect()
    }

    /// All subjects of signs of life, which are not kept: the next follows soon.
    pub fn fleeting(&self) -> Vec<String> {
        ["agent.*.heartbeat", "broadcast.heartbeat.*"]
            .map(|subject| self.under(subject))
            .to_vec()
    }

    /// What an agent's sender may publish, besides what it tells its broker.
    pub fn own(&self, agent: AgentId) -> Vec<String> {
        let number = agent.number();
        let own = ["state", "ack", "heartbeat"].map(|kind| format!("agent.{number}.{kind}"));
        let shared = [
            format!("agent.*.sync.{number}"),
            format!("broadcast.heartbeat.{number}"),
            format!("dead-letters.{number}"),
        ];
        own.into_iter()
            .chain(shared)
            .map(|subject| self.under(&subject))
            .collect()
    }
}

/// Whether a message is not kept.
pub fn is_fleeting(message: &Message) -> bool {
    message.kind == MessageKind::Heartbeat
}

fn plain(message: &Message) -> String {
    let sender = message.sender.number();
    match (message.kind, message.receiver) {
        (MessageKind::Sync, _) | (MessageKind::Heartbeat, None) => format!("{}.{sender}", message.topic),
        _ => message.topic.clone(),
    }
}
