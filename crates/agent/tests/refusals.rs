//! A liar, in rounds and running free: honest agents refuse what does not hold, and say so to its maker.

use std::collections::VecDeque;

use eqmesh_agent::{Config, Dispute, Message, Native, Node, RoundTask};
use eqmesh_orchestrator::{Entrance, MessageKind, Topology};
use eqmesh_replica::{AgentId, Budget};
use eqmesh_timeline::EventKind;

const AGENTS: u32 = 3;
const LIAR: usize = 2;

const DECLARATIONS: &str = "(datatype Math (Num i64) (Add Math Math))";

/// The rule that the liar tells of, and the one that it applies under its name. The last of three agents looks after GREEN rules.
const TOLD: &str = "(rewrite (Add a b) (Add b a) :color green)";
const MEANT: &str = "(rewrite (Num a) (Num (+ a 1)) :color green)";

const TASK: RoundTask = RoundTask {
    ruleset: String::new(),
    budget: Budget { matches: 20, nodes: 20 },
};

fn node(number: usize, free: bool) -> Node<Native> {
    let config = Config {
        id: AgentId(number as u32),
        agents: AGENTS,
        coloring: false,
        timeline_capacity: 5_000,
    };
    let mut node = Node::new(config, Native::solo());
    if free {
        let entrance = Entrance {
            session: 1,
            joining: false,
            interval: 1,
            topology: Topology::Mesh,
        };
        node.join(entrance, 0).expect("for the first time");
    }
    node
}

/// Some of the terms fall into anybody's share.
fn program(rule: &str) -> String {
    let terms: Vec<String> = (0..30).map(|number| format!("(Num {number})")).collect();
    format!("{DECLARATIONS} {rule} {}", terms.join(" "))
}

/// Carries messages, and what answers them, until there are none. Answers those that say something to the liar.
fn carry(nodes: &mut [Node<Native>], messages: Vec<Message>, now: u64) -> Vec<Message> {
    let mut travelling = VecDeque::from(messages);
    let mut told = Vec::new();
    while let Some(message) = travelling.pop_front() {
        let is_told = message.kind == MessageKind::Ack && message.receiver == Some(AgentId(LIAR as u32));
        if is_told && message.body != [0] {
            told.push(message.clone());
        }
        for (to, node) in nodes.iter_mut().enumerate() {
            let number = AgentId(to as u32);
            if message.sender != number && message.receiver.is_none_or(|receiver| receiver == number) {
                travelling.extend(node.receive(&message, now).expect("a message of this network"));
            }
        }
    }
    told
}

/// Everybody ticks at these times. Answers what is said to the liar.
fn pass(nodes: &mut [Node<Native>], times: std::ops::Range<u64>) -> Vec<Message> {
    let mut told = Vec::new();
    for now in times {
        for at in 0..nodes.len() {
            let messages = nodes[at].tick(now).expect("it serves");
            told.extend(carry(nodes, messages, now));
        }
    }
    told
}

/// Two honest agents, who have heard of the liar's rule what it told, and the liar.
fn network(free: bool) -> Vec<Node<Native>> {
    let mut teller = node(LIAR, free);
    let said = teller.submit(&program(TOLD), 1).expect("a sound program");
    let mut nodes = vec![node(0, free), node(1, free)];
    assert_eq!(carry(&mut nodes, said, 1), []);
    let mut liar = node(LIAR, free);
    liar.submit(&program(MEANT), 1).expect("a sound program");
    nodes.push(liar);
    nodes
}

fn check(nodes: &[Node<Native>], told: &[Message]) {
    let [first, second] = [&nodes[0], &nodes[1]].map(Node::summary);
    assert_eq!(first.refused.len(), 1, "{first:?}");
    assert_eq!(first.refused, second.refused);
    let (fact, reason) = &first.refused[0];
    assert_eq!(fact.agent, AgentId(LIAR as u32));
    assert_eq!((first.disputes, second.disputes), (Vec::new(), Vec::new()));
    let dispute = |by| Dispute {
        fact: *fact,
        by,
        reason: reason.clone(),
    };
    assert_eq!(nodes[LIAR].summary().disputes, [dispute(0), dispute(1)]);
    assert_eq!(told.len(), 2, "each of them said so once: {told:?}");
    // Its timeline says by whom, in which message, and of what.
    let events = nodes[LIAR].events(0, 5_000).into_iter();
    let refused: Vec<_> = events.filter(|own| own.entry.kind == EventKind::Refused).collect();
    assert_eq!(refused.len(), 2);
    for (event, message) in refused.iter().zip(told) {
        assert_eq!(event.entry.peer, Some(message.sender));
        assert_eq!(event.entry.message, Some(message.id));
        assert_eq!(event.entry.fact, Some(*fact));
    }
}

#[test]
fn a_liar_that_runs_free_is_told_once_until_it_is_reminded() {
    let mut nodes = network(true);
    let lies = nodes[LIAR].step(&TASK, 2).expect("it serves");
    assert!(!lies.is_empty());
    let mut told = carry(&mut nodes, lies.clone(), 2);
    check(&nodes, &told);
    // Neither repetitions nor a little time make anybody say it again.
    told.extend(carry(&mut nodes, lies, 3));
    told.extend(pass(&mut nodes, 4..19));
    check(&nodes, &told);
    // More of it does, which changes nothing where it was heard.
    let reminded = pass(&mut nodes, 19..50);
    assert_eq!(reminded.len(), 2, "{reminded:?}");
    check(&nodes, &told);
}

#[test]
fn a_refusal_that_is_lost_is_repeated() {
    let mut nodes = network(true);
    let mut liar = nodes.pop().expect("three of them");
    for lie in liar.step(&TASK, 2).expect("it serves") {
        for node in &mut nodes {
            node.receive(&lie, 2).expect("a message of this network");
        }
    }
    nodes.push(liar);
    assert_eq!(nodes[LIAR].summary().disputes, []);
    let told = pass(&mut nodes, 3..30);
    check(&nodes, &told);
}

#[test]
fn a_liar_in_rounds_is_told() {
    let mut nodes = network(false);
    let mut messages = Vec::new();
    for node in &mut nodes {
        messages.extend(node.start_round(&TASK, 2).expect("between rounds"));
    }
    let told = carry(&mut nodes, messages, 2);
    check(&nodes, &told);
}

#[test]
fn what_others_refuse_of_somebody_else_is_not_heard() {
    let mut nodes = network(true);
    let lies = nodes[LIAR].step(&TASK, 2).expect("it serves");
    let told = carry(&mut nodes, lies, 2);
    let mut stray = told[0].clone();
    stray.receiver = Some(AgentId(1));
    nodes[1].receive(&stray, 3).expect("a message of this network");
    assert_eq!(nodes[1].summary().disputes, []);
}
