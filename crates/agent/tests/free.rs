//! Running free, one thing at a time; how it bears up under faults is tested by the simulation.

use std::collections::BTreeMap;

use eqmesh_agent::{Config, Message, Native, Node, RoundTask};
use eqmesh_egraph::color::Color;
use eqmesh_orchestrator::{Entrance, Life, MemberState, MessageKind, Topology};
use eqmesh_replica::{AgentId, Budget, Fault, Replica, VersionVector, span};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;

const PROGRAM: &str = "
    (datatype Math (Num i64) (Var String) (Add Math Math))
    (rewrite (Add a b) (Add b a))
    (birewrite (Add (Add a b) c) (Add a (Add b c)))
    (rewrite (Add (Num a) (Num b)) (Num (+ a b)))
    (let start (Add (Var \"x\") (Add (Num 1) (Add (Var \"y\") (Num 2)))))
";

fn task(matches: u64) -> RoundTask {
    RoundTask {
        ruleset: String::new(),
        budget: Budget {
            matches,
            nodes: matches,
        },
    }
}

fn entrance(session: u64, joining: bool) -> Entrance {
    Entrance {
        session,
        joining,
        interval: SECOND,
        topology: Topology::Mesh,
    }
}

fn native(number: u32) -> Native {
    Native::of_color(Color::ALL[number as usize % 3])
}

fn node(number: u32, incarnation: u16, founders: u32) -> Node<Native> {
    let config = Config {
        id: AgentId::new(number, incarnation).unwrap(),
        agents: founders,
        coloring: true,
        timeline_capacity: 100,
    };
    Node::new(config, native(number))
}

/// Agents, with what their hosts stored; messages arrive at once.
#[derive(Default)]
struct Mesh {
    nodes: BTreeMap<u32, Node<Native>>,
    stored: BTreeMap<u32, Vec<Vec<u8>>>,
    now: u64,
    /// Kind of each message that was sent, and how long it was.
    sent: Vec<(MessageKind, usize)>,
}

impl Mesh {
    fn founded(agents: u32) -> Mesh {
        let mut mesh = Mesh::default();
        for number in 0..agents {
            mesh.enter(number, node(number, 0, agents), false);
        }
        mesh
    }

    fn enter(&mut self, number: u32, mut node: Node<Native>, joining: bool) {
        let messages = node.join(entrance(u64::from(number) + 1, joining), self.now).unwrap();
        self.nodes.insert(number, node);
        self.carry(number, messages);
    }

    /// Stores what is to be stored, then carries messages and all answers.
    fn carry(&mut self, from: u32, messages: Vec<Message>) {
        let mut travelling: Vec<(u32, Message)> = messages.into_iter().map(|message| (from, message)).collect();
        while !travelling.is_empty() {
            let mut answers = Vec::new();
            for (from, message) in travelling {
                self.store(from);
                self.sent.push((message.kind, message.encode().len()));
                for (&to, node) in &mut self.nodes {
                    let is_for = message.receiver.is_none_or(|receiver| receiver.number() == to);
                    if to != from && is_for {
                        let said = node.receive(&message, self.now).unwrap();
                        answers.extend(said.into_iter().map(|message| (to, message)));
                    }
                }
            }
            travelling = answers;
        }
    }

    fn store(&mut self, number: u32) {
        let blocks = self.nodes.get_mut(&number).unwrap().unstored();
        let stored = self.stored.entry(number).or_default();
        if blocks.instead {
            stored.clear();
        }
        stored.extend(blocks.parts);
    }

    /// Everybody steps and ticks so many times.
    fn run(&mut self, ticks: u32, task: &RoundTask) {
        for _ in 0..ticks {
            self.now += SECOND;
            for number in self.nodes.keys().copied().collect::<Vec<_>>() {
                let (now, node) = (self.now, self.nodes.get_mut(&number).unwrap());
                let mut messages = node.step(task, now).unwrap();
                messages.extend(node.tick(now).unwrap());
                self.carry(number, messages);
            }
        }
    }

    fn submit(&mut self, number: u32, text: &str) {
        let messages = self.nodes.get_mut(&number).unwrap().submit(text, self.now).unwrap();
        self.carry(number, messages);
    }

    /// That all have converged, and on what.
    fn meaning(&mut self) -> [u8; 32] {
        let mut outcomes: Vec<_> = self
            .nodes
            .values_mut()
            .map(|node| {
                (
                    node.converged(),
                    node.state_digest(),
                    node.meaning_digest(),
                    node.summary().refused,
                )
            })
            .collect();
        assert!(outcomes[0].0, "converged");
        assert_eq!(outcomes[0].3, []);
        outcomes.dedup();
        assert_eq!(outcomes.len(), 1, "all alike: {outcomes:?}");
        outcomes[0].2
    }

    fn get(&mut self, number: u32) -> &mut Node<Native> {
        self.nodes.get_mut(&number).unwrap()
    }
}

/// What one agent alone comes to.
fn alone() -> [u8; 32] {
    let config = Config {
        id: AgentId(0),
        agents: 1,
        coloring: true,
        timeline_capacity: 0,
    };
    let mut node = Node::new(config, Native::solo());
    node.submit(PROGRAM, 0).unwrap();
    while !node.verdict().is_some_and(|verdict| verdict.saturated) {
        node.start_round(&task(u64::MAX), 0).unwrap();
    }
    node.meaning_digest()
}

#[test]
fn any_number_of_agents_comes_to_what_one_comes_to() {
    for agents in [1, 2, 3, 4, 9] {
        let mut mesh = Mesh::founded(agents);
        mesh.submit(0, PROGRAM);
        mesh.run(20, &task(10_000));
        assert_eq!(mesh.meaning(), alone(), "{agents} agents");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn messages_may_be_lost_and_repeated_and_come_in_any_order(
        agents in prop::sample::select(vec![2u32, 3, 5]),
        choices in prop::collection::vec((any::<prop::sample::Index>(), 0u8..4), 50..400),
    ) {
        let mut mesh = Mesh::founded(agents);
        let mut travelling: Vec<(u32, Message)> = Vec::new();
        let first = mesh.get(0).submit(PROGRAM, 0).unwrap();
        travelling.extend(first.into_iter().map(|message| (0, message)));
        for chosen in choices.chunks(25) {
            mesh.now += SECOND;
            for number in 0..agents {
                let (now, node) = (mesh.now, mesh.get(number));
                let mut messages = node.step(&task(100), now).unwrap();
                messages.extend(node.tick(now).unwrap());
                travelling.extend(messages.into_iter().map(|message| (number, message)));
            }
            for (choice, fate) in chosen {
                if travelling.is_empty() {
                    break;
                }
                let at = choice.index(travelling.len());
                // It arrives and stays to arrive again, is lost, or arrives once.
                let (from, message) = match fate {
                    0 => travelling[at].clone(),
                    1 => {
                        travelling.swap_remove(at);
                        continue;
                    }
                    _ => travelling.swap_remove(at),
                };
                for to in (0..agents).filter(|&to| to != from) {
                    if message.receiver.is_none_or(|receiver| receiver.number() == to) {
                        let now = mesh.now;
                        let answers = mesh.get(to).receive(&message, now).unwrap();
                        travelling.extend(answers.into_iter().map(|answer| (to, answer)));
                    }
                }
            }
        }
        // From now on all is well; some may have taken each other for lost.
        mesh.run(60, &task(10_000));
        prop_assert_eq!(mesh.meaning(), alone());
    }
}

#[test]
fn the_smallest_budget_gets_there_too() {
    let mut mesh = Mesh::founded(4);
    mesh.submit(0, PROGRAM);
    mesh.run(400, &task(1));
    assert_eq!(mesh.meaning(), alone());
}

#[test]
fn an_empty_network_has_converged_and_says_nothing_of_what_comes_later() {
    let mut mesh = Mesh::founded(3);
    mesh.run(3, &task(100));
    mesh.meaning();
    mesh.submit(1, PROGRAM);
    for node in mesh.nodes.values_mut() {
        assert!(!node.converged());
    }
}

#[test]
fn nothing_is_sent_to_who_is_known_to_have_it() {
    let mut mesh = Mesh::founded(4);
    mesh.submit(2, PROGRAM);
    mesh.run(20, &task(10_000));
    mesh.meaning();
    mesh.sent.clear();
    mesh.run(1, &task(10_000));
    assert!(mesh.sent.iter().all(|(kind, _)| *kind == MessageKind::Heartbeat));
    assert_eq!(mesh.sent.len(), 4);
}

#[test]
fn a_newcomer_catches_up_and_takes_its_share() {
    let mut mesh = Mesh::founded(3);
    mesh.submit(0, PROGRAM);
    mesh.run(20, &task(10_000));
    mesh.enter(7, node(7, 0, 3), true);
    assert_eq!(mesh.get(7).claim().unwrap().life, Life::Joining);
    mesh.run(10, &task(10_000));
    assert_eq!(mesh.get(7).claim().unwrap().life, Life::Active);
    assert_eq!(mesh.meaning(), alone());
    assert_eq!(mesh.get(0).members().len(), 4);
    // What comes now is shared among four.
    mesh.submit(7, "(Add (Var \"z\") start)");
    mesh.run(30, &task(10_000));
    mesh.meaning();
    assert_eq!(
        mesh.get(1)
            .check("(= (Add (Var \"z\") start) (Add start (Var \"z\")))", 1),
        Ok(1)
    );
}

#[test]
fn who_leaves_leaves_everything_behind() {
    let mut mesh = Mesh::founded(4);
    mesh.submit(3, PROGRAM);
    mesh.run(2, &task(10_000));
    let (now, node) = (mesh.now, mesh.get(3));
    let messages = node.leave(now).unwrap();
    mesh.carry(3, messages);
    mesh.run(2, &task(10_000));
    assert!(mesh.get(3).is_spare());
    assert_eq!(mesh.get(0).members()[3].state, MemberState::Left);
    mesh.nodes.remove(&3);
    mesh.run(20, &task(10_000));
    assert_eq!(mesh.meaning(), alone());
}

#[test]
fn what_was_stored_comes_back_under_another_incarnation() {
    let mut mesh = Mesh::founded(3);
    mesh.submit(0, PROGRAM);
    mesh.run(4, &task(10_000));
    let digest = mesh.get(0).state_digest();
    mesh.store(0);
    let mut again = node(0, 1, 3);
    // In any order, some twice, and one that is broken.
    let mut blocks = mesh.stored[&0].clone();
    blocks.reverse();
    blocks.push(blocks[0].clone());
    blocks.push(vec![1, 2, 3]);
    assert_eq!(again.restore(&blocks, mesh.now), 1);
    assert_eq!(again.state_digest(), digest);
    assert_eq!(again.unstored().parts, Vec::<Vec<u8>>::new(), "it is stored");
    mesh.enter(0, again, true);
    mesh.run(20, &task(10_000));
    assert_eq!(mesh.meaning(), alone());
    mesh.submit(0, "(Var \"after\")");
    mesh.store(0);
    let last = span(mesh.stored[&0].last().unwrap()).unwrap();
    assert_eq!((last.origin, last.first), (AgentId::new(0, 1).unwrap(), last.first));
    assert_eq!(last.origin.incarnation(), 1);
}

#[test]
fn of_two_runs_exactly_one_stops_and_says_why() {
    for (incarnation, session) in [(1, 1), (0, u64::MAX)] {
        let mut mesh = Mesh::founded(3);
        let mut second = node(2, incarnation, 3);
        let messages = second.join(entrance(session, true), mesh.now).unwrap();
        let heartbeat = messages.iter().find(|own| own.kind == MessageKind::Heartbeat).unwrap();
        let first = mesh.get(2);
        let refused = first.receive(heartbeat, 1).unwrap_err();
        assert!(
            matches!(&refused, Fault::Misplaced(why) if why.contains("agent 2 was started twice")),
            "{refused}"
        );
        // From now on that is the answer to everything.
        assert_eq!(first.tick(2), Err(refused.clone()));
        assert_eq!(first.step(&task(1), 2).map(|_| ()), Err(refused.clone()));
        assert_eq!(first.leave(2).map(|_| ()), Err(refused.clone()));
        assert_eq!(first.receive(heartbeat, 3).map(|_| ()), Err(refused.clone()));
        assert!(first.submit("(datatype T (A))", 3).is_err());
        assert!(!first.converged());
        // The second hears the first, goes on, and reports it.
        let late = mesh.get(0);
        late.receive(heartbeat, 2).unwrap();
        assert_eq!(late.doubles().len(), 0);
        assert!(second.tick(2).is_ok());
        assert_eq!(second.superseded(), None);
    }
}

#[test]
fn an_earlier_run_is_told_by_those_who_know() {
    let mut first = node(2, 0, 3);
    let hello = first.join(entrance(5, false), 0).unwrap();
    let mut second = node(2, 1, 3);
    let other = second.join(entrance(1, true), 0).unwrap();
    let mut third = node(0, 0, 3);
    third.join(entrance(1, false), 0).unwrap();
    third.receive(&other[0], 1).unwrap();
    let answer = third.receive(&hello[0], 2).unwrap();
    assert_eq!(third.doubles().len(), 1);
    assert!(first.receive(&answer[0], 3).is_err());
    assert!(first.superseded().is_some());
    assert_eq!(
        second.receive(&answer[0], 3).map(|_| ()),
        Ok(()),
        "the same reaches the second, which goes on"
    );
}

#[test]
fn what_is_stable_is_stored_by_all_active_members() {
    let mut mesh = Mesh::founded(3);
    let silent = mesh.nodes.remove(&2).unwrap();
    mesh.submit(0, PROGRAM);
    mesh.run(3, &task(10_000));
    assert_eq!(
        mesh.get(0).stable(),
        VersionVector::default(),
        "agent 2 has said nothing"
    );
    mesh.nodes.insert(2, silent);
    mesh.run(30, &task(10_000));
    mesh.meaning();
    let version = mesh.get(1).version();
    assert!(version.facts() > 0);
    assert_eq!(mesh.get(1).stable(), *version);
    // And before all say that they have converged, what they acknowledged counts.
    mesh.submit(0, "(Var \"z\")");
    let node = mesh.get(1);
    assert!(!node.converged());
    assert!(node.stable().facts() > 0 && version.covers(&node.stable()));
}

#[test]
fn rounds_and_scopes_do_not_go_with_running_free() {
    let mut mesh = Mesh::founded(3);
    let node = mesh.get(0);
    let misplaced = |outcome: Result<(), Fault>| assert!(matches!(outcome, Err(Fault::Misplaced(_))), "{outcome:?}");
    misplaced(node.start_round(&task(1), 0).map(|_| ()));
    misplaced(node.push());
    misplaced(node.pop());
    misplaced(node.join(entrance(1, false), 0).map(|_| ()));
    let mut rounds = self::node(0, 0, 3);
    misplaced(rounds.tick(0).map(|_| ()));
    misplaced(rounds.step(&task(1), 0).map(|_| ()));
    misplaced(rounds.leave(0).map(|_| ()));
    let heartbeat = node.tick(1).unwrap().remove(0);
    misplaced(self::node(1, 0, 3).receive(&heartbeat, 1).map(|_| ()));
    assert!(!rounds.converged());
}

#[test]
fn broken_messages_change_nothing() {
    let mut mesh = Mesh::founded(3);
    mesh.submit(0, PROGRAM);
    mesh.run(20, &task(10_000));
    let (digest, members) = (mesh.get(0).state_digest(), mesh.get(0).members());
    let now = mesh.now;
    let good = mesh.get(1).tick(now).unwrap().remove(0);
    for at in 0..good.body.len() {
        let mut bad = good.clone();
        bad.body.truncate(at);
        assert!(mesh.get(0).receive(&bad, 1).is_err());
    }
    let kinds = MessageKind::ALL
        .into_iter()
        .filter(|kind| *kind != good.kind && *kind != MessageKind::Sync);
    for kind in kinds {
        let bad = Message {
            kind,
            topic: kind.topic(good.sender, None).unwrap(),
            ..good.clone()
        };
        assert!(mesh.get(0).receive(&bad, 1).is_err(), "{kind:?}");
    }
    let other_topic = Message {
        topic: "agent.2.heartbeat".to_owned(),
        ..good.clone()
    };
    assert!(mesh.get(0).receive(&other_topic, 1).is_err());
    // Blocks that are none are left out.
    let state = Message {
        kind: MessageKind::State,
        topic: MessageKind::State.topic(good.sender, None).unwrap(),
        body: vec![0, 0, 0, 1, 3, 1, 2, 3],
        ..good
    };
    assert_eq!(mesh.get(0).receive(&state, 1), Ok(Vec::new()));
    assert_eq!((mesh.get(0).state_digest(), mesh.get(0).members()), (digest, members));
    mesh.meaning();
}

#[test]
fn stored_blocks_are_all_that_a_replica_needs() {
    let mut mesh = Mesh::founded(3);
    mesh.submit(0, PROGRAM);
    mesh.run(20, &task(10_000));
    let meaning = mesh.meaning();
    for number in 0..3 {
        mesh.store(number);
        let options = eqmesh_replica::Options {
            agent: AgentId(9),
            coloring: true,
        };
        let mut replica = Replica::new(options);
        for block in &mesh.stored[&number] {
            replica.receive(block).unwrap();
        }
        assert_eq!(replica.settle().waiting, 0);
        assert_eq!(replica.meaning_digest(), meaning);
    }
}

/// What agents with numbers in a range have made: a block each.
fn made_by(numbers: std::ops::Range<u32>) -> Vec<Vec<u8>> {
    let block = |number: u32| {
        let mut node = node(number, 0, number + 1);
        node.submit(&format!("(datatype Math (Num i64)) (let t{number} (Num {number}))"), 0)
            .unwrap();
        node.unstored().parts
    };
    numbers.flat_map(block).collect()
}

/// Two members who have what these agents have made besides the common ones, and come to have all of it. Answers how long the requests were that it took.
fn requests(common: &[Vec<u8>], mine: std::ops::Range<u32>, theirs: std::ops::Range<u32>) -> Vec<usize> {
    let mut mesh = Mesh::default();
    for (number, own) in [(0, mine), (1, theirs)] {
        let mut node = node(number, 0, 2);
        assert_eq!(node.restore(&[common, &made_by(own)].concat(), 0), 0);
        mesh.enter(number, node, false);
    }
    mesh.run(20, &task(0));
    let (digest, version) = (mesh.get(0).state_digest(), mesh.get(0).version());
    assert_eq!((mesh.get(1).state_digest(), mesh.get(1).version()), (digest, version));
    let sent = mesh.sent.iter();
    sent.filter(|(kind, _)| *kind == MessageKind::Sync)
        .map(|&(_, bytes)| bytes)
        .collect()
}

/// The vector of so many agents with one fact each, as bytes: their numbers take two.
fn listed(agents: usize) -> usize {
    3 * agents
}

#[test]
fn where_many_have_made_facts_a_request_is_as_long_as_the_difference() {
    const COMMON: u32 = 3000;
    let common = made_by(1000..1000 + COMMON);
    // As many as the first symbols tell.
    let few = requests(&common, 100..103, 200..207);
    assert!(!few.is_empty());
    assert!(few.iter().all(|bytes| *bytes < 64 * 25 + 100), "{few:?}");
    // More than they tell: asked again with more of them,
    let some = requests(&common, 100..150, 200..250);
    let bound = 256 * 25 + 100;
    assert!(some.iter().any(|bytes| *bytes > 64 * 25 + 100), "{some:?}");
    assert!(
        some.iter()
            .all(|bytes| *bytes < bound && *bytes < listed(COMMON as usize)),
        "{some:?}"
    );
    // and with more of them than the vector would take: that is sent.
    let many = requests(&common, 100..400, 500..800);
    assert!(many.iter().any(|bytes| *bytes >= listed(COMMON as usize)), "{many:?}");
    assert!(
        many.iter().all(|bytes| *bytes < 2 * listed(COMMON as usize)),
        "{many:?}"
    );
    // Of few agents the vector is short.
    let short = requests(&made_by(1000..1100), 100..103, 200..203);
    assert!(!short.is_empty());
    assert!(
        short.iter().all(|bytes| (listed(100)..2 * listed(100)).contains(bytes)),
        "{short:?}"
    );
}

#[test]
fn what_nobody_asked_for_is_no_reason_to_ask() {
    let mut mesh = Mesh::founded(2);
    mesh.submit(0, PROGRAM);
    mesh.run(20, &task(10_000));
    let sync = |body: Vec<u8>| Message {
        id: 1 << 20,
        kind: MessageKind::Sync,
        sender: AgentId(1),
        receiver: Some(AgentId(0)),
        topic: "agent.0.sync".to_owned(),
        version: VersionVector::default(),
        at: eqmesh_timeline::Timestamp { micros: 1, logical: 0 },
        body,
    };
    let (digest, now) = (mesh.get(0).state_digest(), mesh.now);
    // "So many symbols do not tell", of no request.
    for count in [0u8, 1, 64, 127] {
        assert_eq!(mesh.get(0).receive(&sync(vec![2, count]), now), Ok(Vec::new()));
    }
    // Symbols of no set.
    let mut symbols = [vec![1], vec![7; 16], b"eqr\x01".to_vec(), vec![1, 0, 1, 0], vec![9; 22]].concat();
    let answers = mesh.get(0).receive(&sync(symbols.clone()), now).unwrap();
    assert_eq!(answers.len(), 1);
    assert_eq!(
        (answers[0].kind, answers[0].body.as_slice()),
        (MessageKind::Sync, &[2, 1][..])
    );
    // Symbols that are broken off, that begin later, or that are none.
    symbols.pop();
    assert!(matches!(
        mesh.get(0).receive(&sync(symbols.clone()), now),
        Err(Fault::Malformed(_))
    ));
    symbols.push(9);
    symbols[22] = 1;
    assert!(matches!(
        mesh.get(0).receive(&sync(symbols), now),
        Err(Fault::Malformed(_))
    ));
    let none = [vec![1], vec![7; 16], b"eqr\x01".to_vec(), vec![1, 0, 0]].concat();
    assert!(matches!(
        mesh.get(0).receive(&sync(none), now),
        Err(Fault::Malformed(_))
    ));
    for other in [vec![], vec![0, 0], vec![3, 1], vec![2]] {
        assert!(matches!(
            mesh.get(0).receive(&sync(other), now),
            Err(Fault::Malformed(_))
        ));
    }
    assert_eq!(mesh.get(0).state_digest(), digest);
    // An agent that runs in rounds reconciles no sets.
    let mut rounds = node(0, 0, 2);
    assert!(matches!(
        rounds.receive(&sync(vec![2, 64]), now),
        Err(Fault::Misplaced(_))
    ));
}
