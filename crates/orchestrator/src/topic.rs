//! Topics: where messages travel.

use eqmesh_replica::AgentId;

use crate::OrchestrationError;

/// The kinds of message, and so of topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageKind {
    /// Facts of the sender.
    State,
    /// A request to the receiver for facts that the sender lacks.
    Sync,
    /// A sign of life, with digests.
    Heartbeat,
    /// The sender has stored what its version vector says.
    Ack,
}

impl MessageKind {
    /// All kinds, in order.
    pub const ALL: [MessageKind; 4] = [
        MessageKind::State,
        MessageKind::Sync,
        MessageKind::Heartbeat,
        MessageKind::Ack,
    ];

    /// The last part of the kind's topics: `state`, `sync`, `heartbeat` or `ack`.
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::State => "state",
            MessageKind::Sync => "sync",
            MessageKind::Heartbeat => "heartbeat",
            MessageKind::Ack => "ack",
        }
    }

    /// The topic of a message of this kind: see [`Network::topic`](crate::Network::topic). Incarnations do not matter.
    ///
    /// Fails with [`Topic`](OrchestrationError::Topic) for a `sync` to everybody and [`Stranger`](OrchestrationError::Stranger) for a number that no agent has.
    pub fn topic(self, sender: AgentId, receiver: Option<AgentId>) -> Result<String, OrchestrationError> {
        let plain = |agent: AgentId| AgentId::new(agent.number(), 0).ok_or(OrchestrationError::Stranger(agent));
        topic(self, plain(sender)?, receiver.map(plain).transpose()?)
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<MessageKind> {
        MessageKind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

const BROADCAST: &str = "broadcast.heartbeat";

/// The topic of a message.
pub(crate) fn topic(
    kind: MessageKind,
    sender: AgentId,
    receiver: Option<AgentId>,
) -> Result<String, OrchestrationError> {
    let named = match (kind, receiver) {
        (MessageKind::Sync, Some(receiver)) => receiver,
        (MessageKind::Sync, None) => {
            return Err(OrchestrationError::Topic(
                "a request for facts goes to one agent, and none is named".to_owned(),
            ));
        }
        (MessageKind::Heartbeat, None) => return Ok(BROADCAST.to_owned()),
        (MessageKind::State | MessageKind::Heartbeat | MessageKind::Ack, _) => sender,
    };
    Ok(format!("agent.{}.{}", named.0, kind.name()))
}

/// What a topic says: the kind of its messages, and the agent that it names. Only the one way of writing a number is read, so that
/// different topics never mean the same.
pub(crate) fn parse(topic: &str) -> Option<(MessageKind, Option<AgentId>)> {
    if topic == BROADCAST {
        return Some((MessageKind::Heartbeat, None));
    }
    let (number, kind) = topic.strip_prefix("agent.")?.split_once('.')?;
    let agent: u32 = number.parse().ok()?;
    (agent.to_string() == number).then_some((MessageKind::from_name(kind)?, Some(AgentId(agent))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn topics_are_those_of_the_design() {
        let cases = [
            (MessageKind::State, None, "agent.3.state", Some(3)),
            (MessageKind::Sync, Some(5), "agent.5.sync", Some(5)),
            (MessageKind::Heartbeat, Some(5), "agent.3.heartbeat", Some(3)),
            (MessageKind::Heartbeat, None, "broadcast.heartbeat", None),
            (MessageKind::Ack, None, "agent.3.ack", Some(3)),
        ];
        for (kind, receiver, expected, named) in cases {
            assert_eq!(topic(kind, AgentId(3), receiver.map(AgentId)), Ok(expected.to_owned()));
            assert_eq!(parse(expected), Some((kind, named.map(AgentId))));
        }
        assert!(matches!(
            topic(MessageKind::Sync, AgentId(3), None),
            Err(OrchestrationError::Topic(_))
        ));
    }

    #[test]
    fn other_topics_are_not_read() {
        let strange = "agent|agent.3|agent.3.mood|agent.x.state|agent.-1.state|broadcast.state|agent.3.state.more|agent.99999999999.state|\
                       agent.+3.state|agent.03.state|agent..state|Agent.3.state|agent.3.State|agent.3.state |network.status|agent.٣.state|";
        for topic in strange.split('|') {
            assert_eq!(parse(topic), None, "{topic}");
        }
    }

    proptest! {
        #[test]
        fn a_topic_is_read_as_it_was_written(kind in prop::sample::select(MessageKind::ALL.to_vec()), sender: u32, receiver: u32) {
            let text = topic(kind, AgentId(sender), Some(AgentId(receiver))).unwrap();
            let named = if kind == MessageKind::Sync { receiver } else { sender };
            prop_assert_eq!(parse(&text), Some((kind, Some(AgentId(named)))));
        }

        #[test]
        fn one_topic_has_one_text(text in "agent\\.[0-9]{1,11}\\.(state|sync|heartbeat|ack)") {
            if let Some((kind, Some(agent))) = parse(&text) {
                prop_assert_eq!(format!("agent.{}.{}", agent.0, kind.name()), text);
            }
        }
    }
}
