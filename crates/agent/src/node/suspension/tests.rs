//! Agents that are away between any two things that happen to them. How they bear up under faults is tested by the simulation.

use eqmesh_egraph::color::Color;
use eqmesh_orchestrator::{Entrance, Topology};
use eqmesh_replica::Budget;
use eqmesh_timeline::Phase;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::blocks::Blocks;
use crate::body::Body;
use crate::message::Message;
use crate::native::Native;
use crate::node::{Config, RoundTask, Unstored};

const SECOND: u64 = 1_000_000;

/// What a user says, in turn: a program, an operator that no fact tells of, something that uses it, and a ruleset that no fact tells of.
const TEXTS: [&str; 4] = [
    "(datatype Math (Num i64) (Var String) (Add Math Math))
     (rewrite (Add a b) (Add b a))
     (birewrite (Add (Add a b) c) (Add a (Add b c)))
     (rewrite (Add (Num a) (Num b)) (Num (+ a b)))
     (let start (Add (Var \"x\") (Add (Num 1) (Add (Var \"y\") (Num 2)))))",
    "(datatype Late (L i64))",
    "(let late (L 3))",
    "(ruleset extra)",
];

/// How many things happen at most.
const MOST: usize = 120;

fn task() -> RoundTask {
    RoundTask {
        ruleset: String::new(),
        budget: Budget {
            matches: 40,
            nodes: 1_000,
        },
    }
}

fn config(number: u32, incarnation: u16, agents: u32) -> Config {
    Config {
        id: AgentId::new(number, incarnation).unwrap(),
        agents,
        coloring: true,
        timeline_capacity: 64,
    }
}

fn fresh(config: Config) -> Node<Native> {
    Node::new(config, Native::of_color(Color::ALL[config.id.number() as usize % 3]))
}

fn entrance(session: u64) -> Entrance {
    Entrance {
        session,
        joining: false,
        interval: SECOND,
        topology: Topology::Mesh,
    }
}

/// How an agent is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    /// Not at all.
    Never,
    /// All but its e-graph is thrown away.
    BesidesTheGraph,
    /// All is thrown away but what its host has stored.
    Whole,
}

/// A network, with what its hosts have stored and the messages that travel.
struct Mesh {
    absence: Absence,
    nodes: Vec<Node<Native>>,
    disks: Vec<Vec<Vec<u8>>>,
    travelling: Vec<Message>,
    /// All that was ever said.
    said: Vec<Vec<u8>>,
    now: u64,
    submitted: usize,
    /// How many lives needed no facts.
    idle: usize,
}

impl Mesh {
    fn founded(agents: u32, absence: Absence, cut_after: u64) -> Mesh {
        let mut mesh = Mesh {
            absence,
            nodes: (0..agents).map(|number| fresh(config(number, 0, agents))).collect(),
            disks: vec![Vec::new(); agents as usize],
            travelling: Vec::new(),
            said: Vec::new(),
            now: 0,
            submitted: 0,
            idle: 0,
        };
        for at in 0..agents as usize {
            let messages = mesh.nodes[at].join(entrance(at as u64 + 1), 0).unwrap();
            mesh.nodes[at].cut_after(cut_after).unwrap();
            mesh.after(at, messages);
        }
        mesh
    }

    /// Stores, sends, and is away.
    fn after(&mut self, at: usize, messages: Vec<Message>) {
        let Unstored { instead, parts } = self.nodes[at].unstored();
        let disk = &mut self.disks[at];
        if instead {
            disk.clear();
        }
        disk.extend(parts);
        self.said.extend(messages.iter().map(Message::encode));
        self.travelling.extend(messages);
        if self.absence == Absence::Never || self.nodes[at].is_outdated() {
            return;
        }
        let state = self.nodes[at].suspend().unwrap();
        let mut again = fresh(self.nodes[at].config);
        if self.absence == Absence::Whole {
            again.resume(&state, Some(self.disks[at].clone()), self.now).unwrap();
        } else {
            let awaited = again.awaited(&state, self.now).unwrap();
            let before = &mut self.nodes[at];
            std::mem::swap(&mut again.graph, &mut before.graph);
            (again.stored, again.parts_stored) = (before.stored.clone(), before.parts_stored);
            again.go_on(awaited).unwrap();
        }
        assert_eq!(again.suspend().as_ref(), Ok(&state));
        assert_eq!(again.unstored(), Unstored::default(), "all is stored");
        self.nodes[at] = again;
    }

    fn tick(&mut self, at: usize) {
        self.live(at, |node, now| {
            let mut messages = node.step(&task(), now)?;
            messages.extend(node.tick(now)?);
            Ok(messages)
        });
    }

    /// A life of an agent. One that is away tries it without its facts first: unless it says that it lacks them, it comes to the very same.
    fn live(&mut self, at: usize, act: impl Fn(&mut Node<Native>, u64) -> Result<Vec<Message>, Fault>) {
        let is_away = self.absence == Absence::Whole && self.nodes[at].graph.is_away();
        let idle = is_away.then(|| {
            let state = self.nodes[at].suspend().unwrap();
            let mut idle = fresh(self.nodes[at].config);
            idle.resume(&state, None, self.now).unwrap();
            (act(&mut idle, self.now), idle)
        });
        let messages = act(&mut self.nodes[at], self.now);
        if let Some((said, mut idle)) = idle
            && !idle.lacks_facts()
        {
            assert_eq!(said, messages);
            assert_eq!(idle.unstored(), Unstored::default());
            assert!(self.nodes[at].graph.is_away());
            assert_eq!(idle.suspend(), self.nodes[at].suspend());
            self.idle += 1;
        }
        self.after(at, messages.unwrap());
    }

    fn submit(&mut self, text: &str) {
        let messages = self.nodes[0].submit(text, self.now).unwrap();
        self.after(0, messages);
    }

    fn receive(&mut self, message: &Message) {
        for at in 0..self.nodes.len() {
            let is_for = message.receiver.is_none_or(|own| own.number() as usize == at);
            if is_for && message.sender.number() as usize != at {
                self.live(at, |node, now| node.receive(message, now));
            }
        }
    }

    /// One of the things that can happen.
    fn happen(&mut self, (what, which): (u8, Index)) {
        // So many things happen within two intervals, in which no review counts as missed.
        self.now += 2 * SECOND / MOST as u64;
        match what {
            0..=2 => self.tick(which.index(self.nodes.len())),
            3 if self.submitted < TEXTS.len() => {
                let text = TEXTS[self.submitted];
                self.submitted += 1;
                self.submit(text);
            }
            _ if self.travelling.is_empty() => {}
            4 => _ = self.travelling.swap_remove(which.index(self.travelling.len())),
            5 => {
                let message = self.travelling[which.index(self.travelling.len())].clone();
                self.receive(&message);
            }
            _ => {
                let message = self.travelling.remove(which.index(self.travelling.len()));
                self.receive(&message);
            }
        }
    }

    /// All goes well, and nobody is away.
    fn calm(&mut self, ticks: u32) {
        let absence = std::mem::replace(&mut self.absence, Absence::Never);
        for _ in 0..ticks {
            self.now += SECOND;
            for at in 0..self.nodes.len() {
                self.tick(at);
                while !self.travelling.is_empty() {
                    self.now += 731;
                    let message = self.travelling.remove(0);
                    self.receive(&message);
                }
            }
        }
        self.absence = absence;
    }

    /// Everything that agents can be asked without changing them.
    fn seen(&mut self) -> String {
        let of = |node: &mut Node<Native>| {
            let whole = (node.summary(), node.events(0, u32::MAX), node.metrics());
            let network = (node.members(), node.claim(), node.superseded(), node.doubles());
            let facts = (node.version(), node.stable(), node.is_spare(), node.converged());
            let labels = (
                node.check("(= late (L 3))", 1).ok(),
                node.check("(= (L 4) (L 5))", 1).ok(),
            );
            format!("{:?}", (whole, network, facts, labels))
        };
        self.nodes.iter_mut().map(of).collect::<Vec<_>>().join("\n")
    }
}

fn any_events(most: usize) -> impl Strategy<Value = Vec<(u8, Index)>> {
    prop::collection::vec((0u8..10, any::<Index>()), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn who_was_away_says_and_answers_the_very_same(agents in 1u32..5, events in any_events(MOST), cut_after in prop::sample::select(vec![12, u64::MAX])) {
        let mut stayed = Mesh::founded(agents, Absence::Never, cut_after);
        let mut away = Mesh::founded(agents, Absence::BesidesTheGraph, cut_after);
        for (at, &event) in events.iter().enumerate() {
            stayed.happen(event);
            away.happen(event);
            prop_assert_eq!(&away.said, &stayed.said);
            if at % 16 == 0 {
                prop_assert_eq!(away.seen(), stayed.seen());
            }
        }
        prop_assert_eq!(away.seen(), stayed.seen());
    }

    #[test]
    fn who_has_its_facts_from_its_host_comes_to_the_same(agents in 1u32..5, events in any_events(60), cut_after in prop::sample::select(vec![12, u64::MAX])) {
        let mut stayed = Mesh::founded(agents, Absence::Never, cut_after);
        let mut away = Mesh::founded(agents, Absence::Whole, cut_after);
        for mesh in [&mut stayed, &mut away] {
            events.iter().for_each(|&event| mesh.happen(event));
            mesh.calm(5);
            TEXTS[mesh.submitted..].iter().for_each(|text| mesh.submit(text));
            mesh.calm(50);
        }
        let digest = away.nodes[0].state_digest();
        for (own, other) in away.nodes.iter_mut().zip(&mut stayed.nodes) {
            prop_assert!(own.converged() && other.converged());
            prop_assert_eq!(own.state_digest(), digest);
            prop_assert_eq!(own.meaning_digest(), other.meaning_digest());
            prop_assert_eq!(own.summary().refused, vec![]);
        }
    }

    #[test]
    fn what_is_altered_is_read_as_something_else_or_not_at_all(events in any_events(60), altered in prop::collection::vec((any::<Index>(), any::<u8>(), any::<bool>()), 8)) {
        let mut mesh = Mesh::founded(3, Absence::Never, u64::MAX);
        events.iter().for_each(|&event| mesh.happen(event));
        let state = mesh.nodes[0].suspend().unwrap();
        let disk = &mesh.disks[0];
        for (at, other, cut) in altered {
            let mut bytes = state[..state.len() - 8].to_vec();
            let at = at.index(bytes.len());
            if cut {
                bytes.truncate(at);
            } else {
                bytes[at] = other;
            }
            prop_assert!(bytes == state[..state.len() - 8] || Suspended::decode(&[&bytes[..], &state[state.len() - 8..]].concat()).is_err());
            let bytes = seal(bytes);
            if let Ok(read) = Suspended::decode(&bytes) {
                prop_assert_eq!(read.encode(), &bytes[..]);
                let mut read = fresh(mesh.nodes[0].config);
                if read.resume(&bytes, Some(disk.clone()), mesh.now).is_ok() {
                    // Whatever it says, nothing breaks.
                    for message in &mesh.travelling {
                        let _answered = read.receive(message, mesh.now);
                    }
                    let _stepped = (read.step(&task(), mesh.now), read.tick(mesh.now));
                } else {
                    prop_assert_eq!(read.claim(), None);
                    if read.version().iter().len() == 0 {
                        let resumed = read.resume(&state, Some(disk.clone()), mesh.now);
                        prop_assert_eq!(resumed, Ok(()), "nothing had changed");
                    }
                }
            }
        }
        let mut again = fresh(mesh.nodes[0].config);
        prop_assert_eq!(again.resume(&state, Some(disk.clone()), mesh.now), Ok(()));
        prop_assert_eq!(again.suspend(), Ok(state));
    }

    #[test]
    fn whatever_is_read_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let bytes = seal([&MAGIC[..], &bytes].concat());
        if let Ok(read) = Suspended::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }
}

/// Three that have converged, without any absence so far.
fn converged(cut_after: u64) -> Mesh {
    let mut mesh = Mesh::founded(3, Absence::Never, cut_after);
    TEXTS.iter().for_each(|text| mesh.submit(text));
    mesh.calm(60);
    assert!(mesh.nodes.iter_mut().all(Node::converged));
    mesh
}

#[test]
fn only_what_is_new_is_stored_after_an_absence() {
    for cut_after in [12, u64::MAX] {
        let mut mesh = converged(cut_after);
        assert_eq!(mesh.nodes[0].graph.beginning().is_some(), cut_after == 12);
        let state = mesh.nodes[0].suspend().unwrap();
        let mut again = fresh(mesh.nodes[0].config);
        again.resume(&state, Some(mesh.disks[0].clone()), mesh.now).unwrap();
        assert!(again.converged(), "it need not search again");
        assert_eq!(again.unstored(), Unstored::default());
        let last = again.version().get(again.config.id);
        let messages = again.submit("(Num 77)", mesh.now).unwrap();
        let new = again.unstored();
        assert_eq!((new.instead, new.parts.len()), (false, 1));
        let span = eqmesh_replica::span(&new.parts[0]).unwrap();
        assert_eq!(
            (span.origin, span.first),
            (again.config.id, last + 1),
            "it goes on behind its facts"
        );
        // Message ids go on, too.
        let before = mesh.nodes[0].next_message;
        assert!(before > 0 && messages[0].id == before);
    }
}

#[test]
fn facts_that_the_state_does_not_know_of_are_no_harm() {
    let mut mesh = converged(u64::MAX);
    let state = mesh.nodes[0].suspend().unwrap();
    // A life that breaks off after its facts were stored: nothing of it was sent.
    mesh.nodes[0].submit("(Num 77)", mesh.now).unwrap();
    mesh.disks[0].extend(mesh.nodes[0].unstored().parts);
    let mut again = fresh(mesh.nodes[0].config);
    again.resume(&state, Some(mesh.disks[0].clone()), mesh.now).unwrap();
    assert!(!again.graph.is_away(), "they are taken in at once");
    assert!(!again.converged());
    mesh.nodes[0] = again;
    mesh.calm(10);
    for node in &mut mesh.nodes {
        assert!(node.converged());
        assert_eq!(
            node.extract("(Num 77)", 1, eqmesh_egraph::extract::CostModel::Tree, None)
                .unwrap()
                .len(),
            1
        );
    }
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let mut mesh = converged(u64::MAX);
    let (config, now) = (mesh.nodes[0].config, mesh.now);
    assert!(
        matches!(fresh(config).suspend(), Err(Fault::Misplaced(_))),
        "it does not run free"
    );
    let state = mesh.nodes[0].suspend().unwrap();
    assert!(
        matches!(
            mesh.nodes[0].resume(&state, Some(Vec::new()), now),
            Err(Fault::Misplaced(_))
        ),
        "it is there"
    );
    let stored = mesh.disks[0].clone();
    for other in [
        Config {
            id: AgentId(1),
            ..config
        },
        Config {
            id: AgentId::new(0, 1).unwrap(),
            ..config
        },
        Config { agents: 4, ..config },
        Config {
            coloring: false,
            ..config
        },
    ] {
        let mut node = fresh(other);
        assert!(
            matches!(node.resume(&state, Some(stored.clone()), now), Err(Fault::Misplaced(_))),
            "{other:?}"
        );
        assert_eq!((node.claim(), node.version().iter().len()), (None, 0));
    }
    // Without some of the facts that it had.
    let mut node = fresh(config);
    let some = stored[..stored.len() / 2].to_vec();
    assert!(matches!(node.resume(&state, Some(some), now), Err(Fault::Absent(_))));
    let mut node = fresh(config);
    assert!(matches!(
        node.resume(&state, Some(Vec::new()), now),
        Err(Fault::Absent(_))
    ));
    assert!(node.join(entrance(1), now).is_ok(), "nothing has changed");
    let mut node = fresh(config);
    for broken in [&state[..state.len() - 1], &state[1..], &[]] {
        let resumed = node.resume(broken, Some(stored.clone()), now);
        assert!(matches!(resumed, Err(Fault::Malformed(_))));
    }
    // What is stored is not what was written.
    for at in 0..stored.len() {
        let (mut damaged, mut node) = (stored.clone(), fresh(config));
        damaged[at][8] ^= 1;
        let resumed = node.resume(&state, Some(damaged), now);
        assert!(matches!(resumed, Err(Fault::Malformed(_))), "{resumed:?}");
    }
    // Nobody knows which facts it has made besides, and sent.
    let mut restored = fresh(config);
    assert_eq!(restored.restore(&stored, now), 0);
    assert!(matches!(restored.join(entrance(9), now), Err(Fault::Misplaced(_))));
    assert!(matches!(
        restored.resume(&state, Some(stored.clone()), now),
        Err(Fault::Misplaced(_))
    ));
    assert_eq!(node.resume(&state, Some(stored), now), Ok(()));
    assert!(matches!(node.join(entrance(9), now), Err(Fault::Misplaced(_))));
    // What is not stored would be lost.
    node.submit("(Num 77)", now).unwrap();
    assert!(matches!(node.suspend(), Err(Fault::Misplaced(_))));
    node.unstored();
    assert!(node.suspend().is_ok());
    // One that has spoken is not new.
    let mut spoken = fresh(config);
    spoken.heartbeat(now);
    let resumed = spoken.resume(&state, Some(Vec::new()), now);
    assert!(matches!(resumed, Err(Fault::Misplaced(_))));
}

#[test]
fn a_suspended_agent_of_nine_is_small() {
    let mut mesh = Mesh::founded(9, Absence::Never, u64::MAX);
    TEXTS.iter().for_each(|text| mesh.submit(text));
    mesh.calm(12);
    assert!(mesh.nodes.iter_mut().all(Node::converged));
    assert!(mesh.nodes[0].metrics().folded > 0, "the timeline is full");
    let bytes = mesh.nodes.iter_mut().map(|node| node.suspend().unwrap().len());
    let longest = bytes.max().unwrap();
    assert!(longest < 16 << 10, "{longest} bytes");
    println!("{longest} bytes");
}

/// What happens between agents that have converged needs no e-graph, and the first thing that does finds it as it was.
#[test]
fn who_has_nothing_to_do_never_makes_its_graph() {
    for cut_after in [12, u64::MAX] {
        let mut mesh = converged(cut_after);
        mesh.absence = Absence::Whole;
        for at in 0..3 {
            mesh.after(at, Vec::new());
            assert!(mesh.nodes[at].graph.is_away());
        }
        let before = mesh.said.len();
        for _ in 0..8 {
            mesh.now += SECOND;
            for at in 0..3 {
                mesh.tick(at);
                // Everybody hears it twice, and its last facts once more.
                mesh.travelling.extend(mesh.travelling.clone());
                let last = mesh.disks[at].last().unwrap().clone();
                let body = Body::State {
                    reached: None,
                    rulesets: Vec::new(),
                    blocks: Blocks::pack(vec![last]),
                };
                let message = mesh.nodes[at].send(None, &body, mesh.now, Phase::Reconcile);
                mesh.after(at, vec![message]);
                while !mesh.travelling.is_empty() {
                    let message = mesh.travelling.remove(0);
                    mesh.receive(&message);
                }
            }
            assert!(mesh.nodes.iter().all(|node| node.graph.is_away()));
        }
        assert!(mesh.said.len() > before + 24 && mesh.idle > 24);
        let mut stayed = converged(cut_after);
        for (node, other) in mesh.nodes.iter_mut().zip(&mut stayed.nodes) {
            assert!(node.converged());
            assert_eq!(
                (node.state_digest(), node.version()),
                (other.state_digest(), other.version())
            );
            let (summary, expected) = (node.summary(), other.summary());
            assert_eq!((summary.size, summary.refused), (expected.size, expected.refused));
            assert!(node.graph.is_away());
            assert_eq!(node.meaning_digest(), other.meaning_digest());
            assert!(!node.graph.is_away() && !node.graph.is_misled());
            let (state, again) = (node.suspend().unwrap(), other.graph.operators());
            assert_eq!(node.graph.operators(), again);
            assert!(Suspended::decode(&state).unwrap().outline.is_some());
        }
        // News are taken in, and told.
        mesh.submit("(let news (Add (Num 1) (Num 41)))");
        mesh.calm(20);
        for node in &mut mesh.nodes {
            assert!(node.converged());
            assert_eq!(node.check("(= news (Num 42))", 1).unwrap(), 1);
        }
    }
}

/// An outline that is not that of its parts is not believed for longer than until they are looked at.
#[test]
fn an_outline_that_says_something_else_is_found_out() {
    let mut mesh = converged(u64::MAX);
    let state = mesh.nodes[0].suspend().unwrap();
    let mut forged = Suspended::decode(&state).unwrap();
    let outline = forged.outline.as_mut().unwrap();
    outline.state_digest[0] ^= 1;
    let mut node = fresh(mesh.nodes[0].config);
    node.resume(&forged.encode(), Some(mesh.disks[0].clone()), mesh.now)
        .unwrap();
    assert!(node.suspend().is_ok(), "nobody has looked");
    node.meaning_digest();
    assert!(matches!(node.suspend(), Err(Fault::Malformed(_))));
}
