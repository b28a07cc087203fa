//! The answer does not depend on how messages travel: any order, any number of times, and lost ones are asked for again.

use eqmesh_agent::{Config, Message, Native, Node, RoundTask};
use eqmesh_orchestrator::Verdict;
use eqmesh_replica::{AgentId, Budget};
use proptest::prelude::*;

const PROGRAM: &str = "
    (datatype Math (Num i64) (Var String) (Add Math Math) (Mul Math Math))
    (rewrite (Add a b) (Add b a))
    (rewrite (Mul a b) (Mul b a))
    (birewrite (Add (Add a b) c) (Add a (Add b c)))
    (birewrite (Mul a (Add b c)) (Add (Mul a b) (Mul a c)))
    (rewrite (Add (Num a) (Num b)) (Num (+ a b)))
    (let start (Add (Mul (Var \"x\") (Num 3)) (Mul (Var \"x\") (Add (Num 4) (Var \"y\")))))
";

fn network(agents: u32, coloring: bool) -> Vec<Node<Native>> {
    let node = |id: u32| {
        let config = Config {
            id: AgentId(id),
            agents,
            coloring,
            timeline_capacity: 64,
        };
        Node::new(config, Native::of_member(id, agents))
    };
    (0..agents).map(node).collect()
}

/// How the next message is chosen among those that travel, and whether it stays there to arrive again.
trait Carrier {
    fn next(&mut self, travelling: usize) -> (usize, bool);
}

/// The oldest first.
struct InOrder;

impl Carrier for InOrder {
    fn next(&mut self, _: usize) -> (usize, bool) {
        (0, false)
    }
}

/// As a list of numbers says, in turn.
struct Scrambled<'a>(std::iter::Cycle<std::slice::Iter<'a, (u16, bool)>>);

impl Carrier for Scrambled<'_> {
    fn next(&mut self, travelling: usize) -> (usize, bool) {
        let &(choice, again) = self.0.next().expect("a cycle of at least one");
        (usize::from(choice) % travelling, again)
    }
}

fn carry(nodes: &mut [Node<Native>], messages: Vec<Message>, carrier: &mut dyn Carrier) {
    let mut travelling: Vec<(usize, Message)> = Vec::new();
    let post = |travelling: &mut Vec<(usize, Message)>, messages: Vec<Message>, count: usize| {
        for message in messages {
            for to in 0..count {
                let id = AgentId(to as u32);
                if message.receiver.map_or(message.sender != id, |receiver| receiver == id) {
                    travelling.push((to, message.clone()));
                }
            }
        }
    };
    let count = nodes.len();
    post(&mut travelling, messages, count);
    let mut deliveries = 0;
    while !travelling.is_empty() {
        deliveries += 1;
        let (at, again) = carrier.next(travelling.len());
        // Repetitions are bounded, so that it ends.
        let (to, message) = if again && deliveries < 2_000 {
            travelling[at].clone()
        } else {
            travelling.remove(at)
        };
        let answers = nodes[to]
            .receive(&message, deliveries)
            .expect("a message of this network");
        post(&mut travelling, answers, count);
    }
}

const TASK: RoundTask = RoundTask {
    ruleset: String::new(),
    budget: Budget {
        matches: u64::MAX,
        nodes: u64::MAX,
    },
};

fn round(nodes: &mut [Node<Native>], carrier: &mut dyn Carrier) -> Verdict {
    let messages: Vec<Message> = nodes
        .iter_mut()
        .flat_map(|node| node.start_round(&TASK, 0).expect("no round is under way"))
        .collect();
    carry(nodes, messages, carrier);
    let verdicts: Vec<Verdict> = nodes
        .iter()
        .map(|node| node.verdict().expect("the round is over"))
        .collect();
    assert!(
        verdicts.iter().all(|own| *own == verdicts[0] && own.agreed),
        "{verdicts:?}"
    );
    verdicts[0]
}

/// What a network comes to: rounds, the state digest of all, the meaning digest of all.
fn outcome(agents: u32, coloring: bool, carrier: &mut dyn Carrier) -> (u32, [u8; 32], [u8; 32]) {
    let mut nodes = network(agents, coloring);
    let messages = nodes[0].submit(PROGRAM, 0).expect("a sound program");
    carry(&mut nodes, messages, carrier);
    let rounds = (1..=30)
        .find(|_| round(&mut nodes, carrier).saturated)
        .expect("it saturates");
    let (state, meaning) = (nodes[0].summary().state_digest, nodes[0].meaning_digest());
    let snapshot = nodes[0].snapshot();
    for node in &mut nodes {
        assert_eq!(node.summary().state_digest, state);
        assert_eq!(node.meaning_digest(), meaning);
        assert_eq!(node.snapshot(), snapshot, "byte for byte");
        assert_eq!(node.summary().refused, []);
    }
    (rounds, state, meaning)
}

#[test]
fn any_number_of_agents_means_the_same() {
    let (_, _, meaning) = outcome(1, true, &mut InOrder);
    for agents in [1, 2, 3, 4, 5, 7, 9, 12] {
        for coloring in [true, false] {
            assert_eq!(
                outcome(agents, coloring, &mut InOrder).2,
                meaning,
                "{agents} agents, coloring {coloring}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_order_of_messages_changes_nothing(
        agents in prop::sample::select(vec![2u32, 3, 5, 9]),
        coloring: bool,
        choices in prop::collection::vec((any::<u16>(), prop::bool::weighted(0.2)), 1..200),
    ) {
        let expected = outcome(agents, coloring, &mut InOrder);
        let mut carrier = Scrambled(choices.iter().cycle());
        prop_assert_eq!(outcome(agents, coloring, &mut carrier), expected);
    }
}

#[test]
fn who_lost_a_message_asks_for_it() {
    let mut nodes = network(3, true);
    let messages = nodes[0].submit(PROGRAM, 0).unwrap();
    // Agent 2 never gets it.
    for message in &messages {
        nodes[1].receive(message, 1).unwrap();
    }
    assert_eq!(nodes[2].summary().size.facts, 0);
    let alive = nodes[1].heartbeat(2);
    let asked = nodes[2].receive(&alive, 3).unwrap();
    assert_eq!(asked.len(), 1, "it asks whoever it heard from");
    let told = nodes[1].receive(&asked[0], 4).unwrap();
    assert!(!told.is_empty());
    for message in &told {
        nodes[2].receive(message, 5).unwrap();
    }
    assert_eq!(nodes[2].summary().state_digest, nodes[0].summary().state_digest);
    // Who has everything has nothing to ask.
    let alive = nodes[1].heartbeat(6);
    assert_eq!(nodes[2].receive(&alive, 7).unwrap(), []);
    assert!(round(&mut nodes, &mut InOrder).applied > 0);
}

#[test]
fn what_is_submitted_within_a_round_waits_for_its_end() {
    let mut nodes = network(3, true);
    let messages = nodes[0].submit(PROGRAM, 0).unwrap();
    carry(&mut nodes, messages, &mut InOrder);
    // Agent 1 is told something before it begins the round that the others have begun.
    let mut early: Vec<Message> = nodes[0].start_round(&TASK, 1).unwrap();
    let late = nodes[1].submit("(Var \"late\")", 1).unwrap();
    assert!(nodes[0].submit("(Var \"never\")", 1).is_err(), "not within a round");
    let digest = nodes[0].summary().state_digest;
    for message in &late {
        assert_eq!(
            nodes[0].receive(message, 2).unwrap(),
            [],
            "kept, and not acknowledged yet"
        );
        nodes[2].receive(message, 2).unwrap();
    }
    assert_eq!(nodes[0].summary().state_digest, digest);
    early.extend(nodes[1].start_round(&TASK, 3).unwrap());
    early.extend(nodes[2].start_round(&TASK, 3).unwrap());
    carry(&mut nodes, early, &mut InOrder);
    // The round found them apart; with its end they are not.
    let messages: Vec<Message> = nodes.iter_mut().map(|node| node.heartbeat(9)).collect();
    carry(&mut nodes, messages, &mut InOrder);
    let digests: Vec<[u8; 32]> = nodes.iter().map(|node| node.summary().state_digest).collect();
    assert!(digests.iter().all(|own| *own == digests[0]));
    assert!(round(&mut nodes, &mut InOrder).agreed);
    assert_eq!(nodes[2].check("(Var \"late\")", 1), Ok(1));
}

#[test]
fn a_submission_is_taken_as_a_whole_or_not_at_all() {
    let mut nodes = network(3, true);
    let messages = nodes[0].submit(PROGRAM, 0).unwrap();
    carry(&mut nodes, messages, &mut InOrder);
    let before = nodes[0].summary();
    // The second statement is wrong.
    assert!(nodes[0].submit("(let fine (Num 5)) (let start (Num 6))", 1).is_err());
    let after = nodes[0].summary();
    assert_eq!((after.state_digest, after.size), (before.state_digest, before.size));
    // So the name of the first is still free.
    let messages = nodes[0].submit("(let fine (Num 7))", 2).unwrap();
    carry(&mut nodes, messages, &mut InOrder);
    assert_eq!(nodes[1].check("(= fine (Num 7))", 1), Ok(1));
    assert!(nodes[1].submit("(let fine (Num 8))", 3).is_err(), "bound everywhere");
}
