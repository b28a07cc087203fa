//! The laws of replicas, on random programs and schedules: agents say, derive, certify, cut, compact, restart and talk to each other in any order, and still hold the same in the end.

use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Budget, Dot, Options, Replica, Share, VersionVector};
use proptest::prelude::*;

use support::{Rewrite, Tree, compile, rule, tree};

mod support;

const AGENTS: usize = 3;

/// Growth is stopped here.
const ENOUGH: u64 = 150;

const STEP: Budget = Budget {
    matches: 200,
    nodes: 60,
};

const UNLIMITED: Budget = Budget {
    matches: u64::MAX,
    nodes: u64::MAX,
};

/// What an agent does.
#[derive(Clone, Debug)]
enum Act {
    Say(Tree),
    /// Under a label that nobody else gives.
    Name(Tree),
    /// A term over what was named last.
    Build,
    Unite(Tree, Tree),
    Derive(Share),
    Certify,
    Tell(usize),
    Cut,
    Compact,
    /// With what it had, as another incarnation.
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        2 => tree(false).prop_map(Act::Say),
        1 => tree(false).prop_map(Act::Name),
        1 => Just(Act::Build),
        1 => (tree(false), tree(false)).prop_map(|(left, right)| Act::Unite(left, right)),
        5 => (0u32..3).prop_map(|index| Act::Derive(Share { index, count: 3 })),
        2 => Just(Act::Certify),
        8 => (0..AGENTS).prop_map(Act::Tell),
        2 => Just(Act::Cut),
        2 => Just(Act::Compact),
        1 => Just(Act::Restart),
    ]
}

struct Network {
    coloring: bool,
    replicas: Vec<Replica>,
    rules: Vec<Dot>,
    /// Every block that was ever made.
    blocks: Vec<Vec<u8>>,
    restarts: u16,
    labels: Vec<String>,
}

impl Network {
    fn new(coloring: bool, rules: &[Rewrite]) -> Network {
        let (operators, programs) = compile(rules);
        let options = |agent: usize| Options {
            agent: AgentId(agent as u32),
            coloring,
        };
        let mut replicas: Vec<Replica> = (0..AGENTS).map(|agent| Replica::new(options(agent))).collect();
        replicas[0].declare(&operators).unwrap();
        let rules = programs.iter().map(|own| replicas[0].add_rule(own).unwrap()).collect();
        replicas[0].insert("(F (A) (G (B)))", None, Color::Green).unwrap();
        let mut network = Network {
            coloring,
            replicas,
            rules,
            blocks: Vec::new(),
            restarts: 0,
            labels: Vec::new(),
        };
        network.seal(0);
        for agent in 1..AGENTS {
            network.tell(0, agent);
        }
        network
    }

    fn seal(&mut self, agent: usize) {
        self.blocks.extend(self.replicas[agent].seal());
        self.settle(agent);
    }

    fn settle(&mut self, agent: usize) {
        let settled = self.replicas[agent].settle();
        assert_eq!((settled.refused, settled.waiting), (Vec::new(), 0));
    }

    fn tell(&mut self, from: usize, to: usize) {
        let version = self.replicas[to].version();
        for block in self.replicas[from].delta_since(&version) {
            self.replicas[to].receive(&block).unwrap();
        }
        self.settle(to);
    }

    /// What all have, and what anybody has.
    fn acknowledged(&self) -> (VersionVector, VersionVector) {
        let mut known = VersionVector::default();
        for replica in &self.replicas {
            known.join(&replica.version());
        }
        let all = |dot: Dot| Dot {
            sequence: self
                .replicas
                .iter()
                .map(|own| own.version().get(dot.agent))
                .min()
                .unwrap(),
            ..dot
        };
        (known.iter().map(all).collect(), known)
    }

    fn act(&mut self, agent: usize, act: &Act) {
        let (stable, known) = self.acknowledged();
        let own = &mut self.replicas[agent];
        match act {
            Act::Say(term) => {
                own.insert(&term.text(), None, Color::Green).unwrap();
            }
            Act::Name(term) => {
                let label = format!("label{}", self.labels.len());
                own.insert(&term.text(), Some(&label), Color::Green).unwrap();
                self.labels.push(label);
            }
            Act::Build => {
                let bound = own.labels();
                if let Some(label) = bound.last() {
                    own.insert(&format!("(G {})", label.name), None, Color::Green).unwrap();
                }
            }
            Act::Unite(left, right) => {
                own.unite(&left.text(), &right.text()).unwrap();
            }
            Act::Derive(share) => {
                if own.size().enodes < ENOUGH {
                    own.derive(&self.rules, *share, STEP).unwrap();
                }
            }
            Act::Certify => {
                let agents: Vec<AgentId> = own.version().iter().map(|dot| dot.agent).collect();
                own.certify(&agents);
            }
            Act::Tell(other) if *other != agent => self.tell(agent, *other),
            Act::Tell(_) => {}
            Act::Cut => {
                own.cut(&stable).unwrap();
            }
            Act::Compact => {
                let before = (own.state_digest(), own.meaning_digest());
                own.compact(&stable, &known);
                assert_eq!((own.state_digest(), own.meaning_digest()), before);
            }
            Act::Restart => {
                self.restarts += 1;
                let options = Options {
                    agent: AgentId::new(agent as u32, self.restarts).unwrap(),
                    coloring: self.coloring,
                };
                let before = (own.state_digest(), own.meaning_digest(), own.labels());
                *own = Replica::load(options, &own.save()).unwrap();
                assert_eq!((own.state_digest(), own.meaning_digest(), own.labels()), before);
            }
        }
        self.seal(agent);
    }

    fn everybody_tells_everybody(&mut self) {
        for _ in 0..2 {
            for from in 0..AGENTS {
                for to in 0..AGENTS {
                    self.tell(from, to);
                }
            }
        }
    }
}

/// A replica of all blocks, taken in in an order of its own, some of them twice.
fn replay(coloring: bool, blocks: &[Vec<u8>], order: &[usize]) -> Replica {
    let mut replica = Replica::new(Options {
        agent: AgentId(99),
        coloring,
    });
    let mut left: Vec<&Vec<u8>> = blocks.iter().collect();
    let mut order = order.iter().cycle();
    while !left.is_empty() {
        let at = order.next().unwrap() % left.len();
        let block = left.swap_remove(at);
        replica.receive(block).unwrap();
        if at.is_multiple_of(3) {
            replica.receive(block).unwrap();
            replica.settle();
        }
    }
    let settled = replica.settle();
    assert_eq!((settled.refused, settled.waiting), (Vec::new(), 0));
    replica
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn replicas_with_the_same_facts_are_the_same(
        rules in prop::collection::vec(rule(), 1..4),
        acts in prop::collection::vec((0..AGENTS, act()), 1..40),
        order in prop::collection::vec(0usize..1000, 1..20),
        coloring in any::<bool>(),
    ) {
        let mut network = Network::new(coloring, &rules);
        for (agent, act) in &acts {
            network.act(*agent, act);
        }
        network.everybody_tells_everybody();
        let mut replayed = replay(coloring, &network.blocks, &order);
        let state = replayed.state_digest();
        let meaning = replayed.snapshot();
        let labels = replayed.labels();
        for replica in &mut network.replicas {
            prop_assert_eq!(replica.version(), replayed.version());
            prop_assert_eq!(replica.state_digest(), state);
            prop_assert_eq!(replica.snapshot(), meaning.clone());
            prop_assert_eq!(replica.size(), replayed.size());
            prop_assert_eq!(replica.labels(), labels.clone());
        }
        if replayed.size().enodes > 100 {
            return Ok(());
        }
        // Whatever was compacted where, the shares of different replicas make up the whole.
        let options = |agent| Options { agent: AgentId(agent), coloring };
        let mut whole = Replica::load(options(50), &replayed.save()).unwrap();
        let mut parts: Vec<Replica> = network.replicas.iter().zip(51..)
            .map(|(own, agent)| Replica::load(options(agent), &own.save()).unwrap())
            .collect();
        whole.derive(&network.rules, Share { index: 0, count: 1 }, UNLIMITED).unwrap();
        whole.seal();
        whole.settle();
        let blocks: Vec<Vec<u8>> = parts.iter_mut().zip(0..)
            .filter_map(|(own, index)| {
                own.derive(&network.rules, Share { index, count: AGENTS as u32 }, UNLIMITED).unwrap();
                own.seal()
            })
            .collect();
        for own in &mut parts {
            for block in &blocks {
                own.receive(block).unwrap();
            }
            let settled = own.settle();
            prop_assert_eq!((settled.refused, settled.waiting), (Vec::new(), 0));
            prop_assert_eq!(own.meaning_digest(), whole.meaning_digest());
        }
    }
}
