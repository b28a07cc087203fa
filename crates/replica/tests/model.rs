//! Every order of a small network's events: three replicas make facts, some from what they have heard so far, their blocks arrive late, twice or never, one replica loses
//! what it has not stored, the facts are compacted meanwhile. All reachable states are visited, by stateright.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Budget, Dot, Options, Replica, Share, VersionVector};
use eqmesh_transduction::{Signature, Statement};
use stateright::{Checker as _, Model, Property};

const AGENTS: u32 = 3;

/// Who makes cuts.
const CUTTER: u32 = 0;

/// What each agent is told by its users.
const PROGRAMS: [&str; AGENTS as usize] = [
    "(untyped (rewrite (f ?x ?y) (f ?y ?x) :name \"swap\")) (untyped (f a b))",
    "(untyped (g (f b a)))",
    "",
];

type Block = Arc<[u8]>;

/// What an agent does once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Once {
    Tell,
    Derive,
    Compact,
}

fn dots(version: &VersionVector) -> Vec<Dot> {
    version.iter().collect()
}

/// A replica, and what its host keeps of it.
#[derive(Clone)]
struct Node {
    replica: Arc<Replica>,
    /// What it has stored: a stop loses the rest.
    stored: Arc<[u8]>,
    /// What it has ever acknowledged: nothing that it has not stored.
    acknowledged: VersionVector,
    /// What it acknowledged when it had first settled the cut.
    with_cut: Option<VersionVector>,
    done: BTreeSet<Once>,
    /// Of the state and of its meaning.
    digests: [[u8; 32]; 2],
    /// Blocks that it has received and not settled.
    waiting: BTreeSet<Block>,
    refused: bool,
}

/// A replica is a function of the facts that are settled and of the blocks that wait.
impl Node {
    fn identity(&self) -> impl PartialEq + Hash {
        (
            (self.stored.clone(), self.digests, self.waiting.clone()),
            (self.done.clone(), self.refused),
            [Some(&self.acknowledged), self.with_cut.as_ref()].map(|version| version.map(dots)),
        )
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.identity() == other.identity()
    }
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.identity().hash(hasher);
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version: Vec<_> = self
            .acknowledged
            .iter()
            .map(|dot| (dot.agent.0, dot.sequence))
            .collect();
        write!(formatter, "{version:?}, {} wait", self.waiting.len())
    }
}

/// A block on its way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Message {
    to: u32,
    from: u32,
    block: Block,
}

impl fmt::Debug for Message {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} bytes from {} to {}",
            self.block.len(),
            self.from,
            self.to
        )
    }
}

#[derive(Clone, Debug, PartialEq, Hash)]
struct State {
    nodes: Vec<Node>,
    network: BTreeSet<Message>,
    losses: u32,
    repetitions: u32,
    stops: u32,
    cut: Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Cut {
    Never,
    NotYet,
    Made(Dot),
    Closed(Dot),
}

#[derive(Clone, Debug, PartialEq)]
enum Action {
    /// The agent is told its program.
    Tell(u32),
    /// It searches everything, once.
    Derive(u32),
    /// It cuts what everybody has acknowledged.
    Cut,
    /// Who made the cut closes it, as everybody has it.
    Close,
    /// It takes away what was cut.
    Compact(u32),
    Deliver(Message),
    /// Delivered, and it comes again.
    Repeat(Message),
    Lose(Message),
    /// It begins again with what it has stored.
    Stop(u32),
    /// The first asks the second for what it lacks, and gets it.
    Ask(u32, u32),
}

/// Three replicas, with bounds on what they do and on what goes wrong.
struct Network {
    derive: &'static [u32],
    losses: u32,
    repetitions: u32,
    stops: u32,
    cut: Cut,
}

fn elaborate(replica: &mut Replica, program: &str) {
    let said = Signature::new().elaborate(program).expect("a program");
    for statement in &said.statements {
        match statement {
            Statement::Declaration(operators) => replica.declare(operators).expect("operators"),
            Statement::Rules(rules) => {
                for rule in rules {
                    replica.add_rule(&rule.program).expect("a rule");
                }
            }
            Statement::Term(label, text) => {
                replica.insert(text, label.as_deref(), Color::Green).expect("a term");
            }
            Statement::Equality(..) | Statement::Ruleset(_) => unreachable!("no program has them"),
        }
    }
}

impl Node {
    /// Settles what it has, stores that, and from then on acknowledges it.
    fn settle(&mut self, mut replica: Replica) {
        let settled = replica.settle();
        let version = replica.version();
        self.refused |= !settled.refused.is_empty() || replica.refused().next().is_some();
        if settled.waiting == 0 {
            self.waiting.clear();
        } else {
            let all = replica.delta_since(&VersionVector::default());
            self.waiting.retain(|block| !all.contains(block));
        }
        self.stored = replica.save().into();
        self.acknowledged.join(&version);
        self.digests = [replica.state_digest(), replica.meaning_digest()];
        self.replica = Arc::new(replica);
    }

    fn receive(&mut self, blocks: impl IntoIterator<Item = Block>) {
        let mut replica = Replica::clone(&self.replica);
        for block in blocks {
            self.refused |= replica.receive(&block).is_err();
            self.waiting.insert(block);
        }
        self.settle(replica);
    }
}

/// What all of these cover.
fn meet(versions: &[&VersionVector]) -> VersionVector {
    let least = |dot: Dot| {
        let sequence = versions.iter().map(|version| version.get(dot.agent)).min();
        let sequence = sequence.expect("at least this one");
        Dot { sequence, ..dot }
    };
    versions[0].iter().map(least).collect()
}

impl State {
    /// An agent's facts since the last block go to everybody, once they are stored.
    fn publish(&mut self, agent: u32, mut replica: Replica) -> Option<()> {
        let block: Block = replica.seal()?.into();
        let node = &mut self.nodes[agent as usize];
        node.settle(replica);
        for to in (0..AGENTS).filter(|&to| to != agent) {
            self.network.insert(Message {
                to,
                from: agent,
                block: block.clone(),
            });
        }
        Some(())
    }

    fn deliver(&mut self, message: Message) {
        let node = &mut self.nodes[message.to as usize];
        node.receive([message.block]);
    }

    /// Remembers who has settled the cut by now.
    fn acknowledge_cut(&mut self) {
        if let Cut::Made(dot) | Cut::Closed(dot) = self.cut {
            for node in &mut self.nodes {
                if node.with_cut.is_none() && node.acknowledged.get(dot.agent) >= dot.sequence {
                    node.with_cut = Some(node.acknowledged.clone());
                }
            }
        }
    }

    /// What one would learn from another one.
    fn lacks(&self, who: u32, whom: u32) -> bool {
        let [who, whom] = [who, whom].map(|agent| &self.nodes[agent as usize]);
        !who.acknowledged.covers(&whom.acknowledged)
    }

    fn agree(&self) -> bool {
        self.nodes.iter().all(|node| {
            node.acknowledged == self.nodes[0].acknowledged
                && node.digests == self.nodes[0].digests
                && node.waiting.is_empty()
        })
    }

    /// Nothing is on its way, and nobody would learn from anybody.
    fn quiet(&self) -> bool {
        let all = || (0..AGENTS).flat_map(|who| (0..AGENTS).map(move |whom| (who, whom)));
        let told = self.nodes.iter().all(|node| node.done.contains(&Once::Tell));
        let open = matches!(self.cut, Cut::Made(_));
        self.network.is_empty() && told && !open && !all().any(|(who, whom)| self.lacks(who, whom))
    }
}

impl Model for Network {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let node = |agent| {
            let replica = Replica::new(Options {
                agent: AgentId(agent),
                coloring: false,
            });
            let mut node = Node {
                replica: Arc::new(replica.clone()),
                stored: [].into(),
                acknowledged: VersionVector::default(),
                with_cut: None,
                done: BTreeSet::new(),
                digests: [[0; 32]; 2],
                waiting: BTreeSet::new(),
                refused: false,
            };
            if PROGRAMS[agent as usize].is_empty() {
                node.done.insert(Once::Tell);
            }
            node.settle(replica);
            node
        };
        vec![State {
            nodes: (0..AGENTS).map(node).collect(),
            network: BTreeSet::new(),
            losses: self.losses,
            repetitions: self.repetitions,
            stops: self.stops,
            cut: self.cut,
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        for agent in 0..AGENTS {
            let node = &state.nodes[agent as usize];
            if !node.done.contains(&Once::Tell) {
                actions.push(Action::Tell(agent));
            } else if !node.done.contains(&Once::Derive) && self.derive.contains(&agent) {
                actions.push(Action::Derive(agent));
            }
            if state.stops > 0 {
                actions.push(Action::Stop(agent));
            }
            let closed = node.replica.last_cut().is_some() && node.replica.open_cut().is_none();
            if closed && !node.done.contains(&Once::Compact) {
                actions.push(Action::Compact(agent));
            }
            // Nobody asks while it may still be told.
            let told = state.network.iter().any(|message| message.to == agent);
            let others = (0..AGENTS).filter(|&other| !told && state.lacks(agent, other));
            actions.extend(others.map(|other| Action::Ask(agent, other)));
        }
        if state.cut == Cut::NotYet {
            actions.push(Action::Cut);
        }
        let everybody = state.nodes.iter().all(|node| node.with_cut.is_some());
        if everybody && matches!(state.cut, Cut::Made(_)) {
            actions.push(Action::Close);
        }
        for message in &state.network {
            actions.push(Action::Deliver(message.clone()));
            if state.repetitions > 0 {
                actions.push(Action::Repeat(message.clone()));
            }
            if state.losses > 0 {
                actions.push(Action::Lose(message.clone()));
            }
        }
    }

    /// None where the action changes nothing.
    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Tell(agent) => {
                let node = &mut state.nodes[agent as usize];
                node.done.insert(Once::Tell);
                let mut replica = Replica::clone(&node.replica);
                elaborate(&mut replica, PROGRAMS[agent as usize]);
                state.publish(agent, replica)?;
            }
            Action::Derive(agent) => {
                let node = &mut state.nodes[agent as usize];
                node.done.insert(Once::Derive);
                let mut replica = Replica::clone(&node.replica);
                let rules: Vec<Dot> = replica.rules().map(|(dot, _)| dot).collect();
                let (matches, nodes) = (u64::MAX, u64::MAX);
                let share = Share { index: 0, count: 1 };
                replica
                    .derive(&rules, share, Budget { matches, nodes })
                    .expect("known rules");
                state.publish(agent, replica)?;
            }
            Action::Cut => {
                let versions: Vec<&VersionVector> = state.nodes.iter().map(|node| &node.acknowledged).collect();
                let mut replica = Replica::clone(&state.nodes[CUTTER as usize].replica);
                let dot = replica.cut(&meet(&versions)).expect("settled facts")?;
                state.cut = Cut::Made(dot);
                state.publish(CUTTER, replica)?;
            }
            Action::Close => {
                // The least that it has to have heard from the others.
                let mut known = VersionVector::default();
                for node in &state.nodes {
                    known.join(node.with_cut.as_ref().expect("everybody has it"));
                }
                let mut replica = Replica::clone(&state.nodes[CUTTER as usize].replica);
                replica.close(&known)?;
                let Cut::Made(dot) = state.cut else { return None };
                state.cut = Cut::Closed(dot);
                state.publish(CUTTER, replica)?;
            }
            Action::Compact(agent) => {
                let node = &mut state.nodes[agent as usize];
                node.done.insert(Once::Compact);
                let mut replica = Replica::clone(&node.replica);
                if !replica.compact() {
                    return None;
                }
                node.settle(replica);
            }
            Action::Deliver(message) => {
                state.network.remove(&message);
                state.deliver(message);
            }
            Action::Repeat(message) => {
                state.repetitions -= 1;
                state.deliver(message);
            }
            Action::Lose(message) => {
                state.losses -= 1;
                state.network.remove(&message);
            }
            Action::Stop(agent) => {
                state.stops -= 1;
                let node = &mut state.nodes[agent as usize];
                let options = node.replica.options();
                let replica = Replica::load(options, &node.stored).expect("what was stored");
                node.waiting.clear();
                node.settle(replica);
            }
            Action::Ask(who, whom) => {
                let whom_node = &state.nodes[whom as usize];
                let known = &state.nodes[who as usize].acknowledged;
                let blocks = whom_node.replica.delta_since(known);
                state.nodes[who as usize].receive(blocks);
                // Who asks in vain comes to rest, without being quiet.
                if state == *last {
                    return None;
                }
            }
        }
        state.acknowledge_cut();
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Network>> {
        vec![
            Property::always("replicas with the same facts are the same", |_, state: &State| {
                state.nodes.iter().all(|a| {
                    let same = |b: &&Node| a.acknowledged == b.acknowledged;
                    state.nodes.iter().filter(same).all(|b| a.digests == b.digests)
                })
            }),
            Property::always("nothing that was acknowledged is lost", |_, state: &State| {
                let kept = |node: &Node| node.replica.version().covers(&node.acknowledged);
                state.nodes.iter().all(kept)
            }),
            Property::always("nothing true is refused", |_, state: &State| {
                !state.nodes.iter().any(|node| node.refused)
            }),
            Property::always("when all is quiet, all agree", |_, state: &State| {
                !state.quiet() || state.agree()
            }),
            Property::eventually("all is quiet", |_, state: &State| state.quiet()),
            Property::sometimes("a block waits for its past", |_, state: &State| {
                state.nodes.iter().any(|node| !node.waiting.is_empty())
            }),
            // Lest the above hold for want of anything that could go wrong.
            Property::sometimes(
                "two make facts that neither has heard of from the other",
                |_, state: &State| state.lacks(1, 2) && state.lacks(2, 1),
            ),
        ]
    }
}

/// Visits all states.
fn check(network: Network) {
    let checker = network.checker().threads(1).spawn_bfs().join();
    println!(
        "{} states, {} of them different",
        checker.state_count(),
        checker.unique_state_count()
    );
    checker.assert_properties();
}

#[test]
fn blocks_come_late_twice_or_never() {
    check(Network {
        derive: &[1, 2],
        losses: 1,
        repetitions: 1,
        stops: 0,
        cut: Cut::Never,
    });
}

#[test]
fn a_replica_stops_and_begins_with_what_it_has_stored() {
    check(Network {
        derive: &[1, 2],
        losses: 1,
        repetitions: 0,
        stops: 1,
        cut: Cut::Never,
    });
}

#[test]
fn facts_are_compacted_while_others_are_made() {
    check(Network {
        derive: &[2],
        losses: 0,
        repetitions: 0,
        stops: 0,
        cut: Cut::NotYet,
    });
}

#[test]
fn a_replica_stops_while_facts_are_compacted() {
    check(Network {
        derive: &[],
        losses: 0,
        repetitions: 0,
        stops: 1,
        cut: Cut::NotYet,
    });
}
