//! A stranger that tells facts which do not hold.

use eqmesh_agent::{Config, Message, Native, Node, RoundTask};
use eqmesh_orchestrator::{Entrance, MessageKind, Topology};
use eqmesh_replica::{AgentId, Budget, VersionVector};
use eqmesh_timeline::Timestamp;

use crate::parts::FORGER;

const DECLARATIONS: &str = "(datatype Math (Num i64) (Var String) (Add Math Math) (Neg Math))";

/// What it teaches others as its rule (the terms are those of the workload `tiny`),
const TOLD: &str = "(rewrite (Add a b) (Add b a)) (Num 0) (Num 1) (Num 2)";

/// and what it applies under that rule's name.
const MEANT: &str = "(rewrite (Num a) (Num (+ a 1))) (Num 0) (Num 1) (Num 2)";

/// An agent that takes part in a network of its own.
fn alone(id: AgentId) -> Node<Native> {
    let config = Config {
        id,
        agents: 1,
        coloring: false,
        timeline_capacity: 0,
    };
    let mut node = Node::new(config, Native::solo());
    let entrance = Entrance {
        session: 1,
        joining: false,
        interval: 1,
        topology: Topology::Mesh,
    };
    node.join(entrance, 0).expect("for the first time");
    node
}

/// Makes a stranger that holds these facts.
fn stranger(text: &str) -> Node<Native> {
    let mut node = alone(FORGER);
    let said = node.submit(&format!("{DECLARATIONS} {text}"), 0);
    said.expect("a sound program");
    node
}

/// What it answers to somebody that has facts up to this version.
fn ask(node: &mut Node<Native>, version: VersionVector) -> Vec<Message> {
    let (sender, receiver) = (AgentId(0), Some(FORGER));
    let question = Message {
        id: 0,
        kind: MessageKind::Sync,
        sender,
        receiver,
        topic: MessageKind::Sync.topic(sender, receiver).expect("both have numbers"),
        version,
        at: Timestamp::default(),
        // "I have what my version vector says."
        body: vec![0],
    };
    let mut answers = node.receive(&question, 0).expect("it serves");
    for answer in &mut answers {
        answer.receiver = None;
        answer.topic = answer.kind.topic(FORGER, None).expect("it has a number");
    }
    answers
}

/// Messages to everybody: a rule and a term that are sound, and an application of that rule where it does not match.
pub(crate) fn messages() -> Vec<Message> {
    let (mut told, mut meant) = (stranger(TOLD), stranger(MEANT));
    let known = (*meant.version()).clone();
    let task = RoundTask {
        ruleset: String::new(),
        budget: Budget { matches: 10, nodes: 10 },
    };
    meant.step(&task, 0).expect("it serves");
    let mut messages = ask(&mut told, VersionVector::default());
    messages.extend(ask(&mut meant, known));
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_sound_and_one_is_not() {
        let messages = messages();
        assert_eq!(messages.len(), 2);
        let mut node = alone(AgentId(0));
        node.receive(&messages[0], 1).unwrap();
        assert_eq!(node.summary().refused, []);
        assert_eq!(node.check("(Num 1)", 1), Ok(1));
        node.receive(&messages[1], 2).unwrap();
        assert_eq!(node.summary().refused.len(), 1, "{:?}", node.summary());
        for below in 0..3 {
            let claim = format!("(= (Num {below}) (Num {}))", below + 1);
            assert!(node.check(&claim, 1) != Ok(1), "{claim}");
        }
    }
}
