//! Looking for new matches only finds as much as looking at all of them: on random programs, with one agent or three, with and without the coloring,
//! with facts from outside between the rounds, and with shares that change hands.

use eqmesh_egraph::color::Color;
use eqmesh_replica::{AgentId, Budget, Dot, Name, NodeInfo, Options, Replica, Share, VersionVector};
use proptest::prelude::*;

use support::{Rewrite, Tree, compile, rule, tree};

mod support;

const UNLIMITED: Budget = Budget {
    matches: u64::MAX,
    nodes: u64::MAX,
};

/// Growth is stopped here: a random program may double with each round.
const ENOUGH: u64 = 1_500;

/// What happens between two rounds.
#[derive(Clone, Debug)]
struct Between {
    said: Option<Tree>,
    equal: Option<(Tree, Tree)>,
    /// Who searches everything alone; otherwise everybody a share.
    alone: Option<usize>,
    /// Whether what is known by then is certified.
    certified: bool,
    /// Whether everybody first searches for nothing and throws it away.
    discarded: bool,
}

fn between() -> impl Strategy<Value = Between> {
    (
        prop::option::weighted(0.3, tree(false)),
        prop::option::weighted(0.2, (tree(false), tree(false))),
        prop::option::weighted(0.2, 0usize..3),
        prop::bool::weighted(0.5),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(said, equal, alone, certified, discarded)| Between {
            said,
            equal,
            alone,
            certified,
            discarded,
        })
}

struct Mesh {
    replicas: Vec<Replica>,
    rules: Vec<Dot>,
    coloring: bool,
    forgetful: bool,
}

impl Mesh {
    fn new(agents: usize, coloring: bool, forgetful: bool, rules: &[Rewrite], terms: &[Tree]) -> Mesh {
        let (operators, programs) = compile(rules);
        let mut replicas: Vec<Replica> = (0..agents)
            .map(|agent| {
                Replica::new(Options {
                    agent: AgentId(agent as u32),
                    coloring,
                })
            })
            .collect();
        replicas[0].declare(&operators).unwrap();
        let dots = programs
            .iter()
            .map(|program| replicas[0].add_rule(program).unwrap())
            .collect();
        for term in terms {
            replicas[0].insert(&term.text(), None, Color::Green).unwrap();
        }
        let mut mesh = Mesh {
            replicas,
            rules: dots,
            coloring,
            forgetful,
        };
        mesh.exchange(false);
        mesh
    }

    fn exchange(&mut self, certified: bool) {
        let blocks: Vec<Vec<u8>> = self.replicas.iter_mut().filter_map(Replica::seal).collect();
        for replica in &mut self.replicas {
            for block in blocks.iter().rev() {
                replica.receive(block).unwrap();
            }
            let settled = replica.settle();
            assert_eq!((settled.refused, settled.waiting), (Vec::new(), 0));
        }
        if self.coloring && certified {
            let agents: Vec<AgentId> = (0..self.replicas.len() as u32).map(AgentId).collect();
            if self.replicas[0].certify(&agents).is_some() {
                let block = self.replicas[0].seal().unwrap();
                for replica in &mut self.replicas {
                    replica.receive(&block).unwrap();
                    replica.settle();
                }
            }
        }
    }

    fn round(&mut self, between: &Between) -> bool {
        let count = self.replicas.len();
        let last = count - 1;
        if let Some(term) = &between.said {
            self.replicas[last].insert(&term.text(), None, Color::Green).unwrap();
        }
        if let Some((left, right)) = &between.equal {
            self.replicas[last].unite(&left.text(), &right.text()).unwrap();
        }
        self.exchange(false);
        let mut saturated = true;
        for index in 0..count {
            let share = match between.alone {
                Some(alone) if alone % count == index => Share { index: 0, count: 1 },
                Some(_) => continue,
                None => Share {
                    index: index as u32,
                    count: count as u32,
                },
            };
            if self.forgetful {
                self.replicas[index].forget_searches();
            }
            if between.discarded {
                self.replicas[index].derive(&self.rules, share, UNLIMITED).unwrap();
                self.replicas[index].discard();
            }
            // By halves, as an agent does it color by color.
            let (some, others) = self.rules.split_at(self.rules.len() / 2);
            for rules in [some, others] {
                saturated &= self.replicas[index].derive(rules, share, UNLIMITED).unwrap().saturated;
            }
        }
        self.exchange(between.certified);
        saturated
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn new_matches_are_all_that_matter(
        rules in prop::collection::vec(rule(), 1..5),
        terms in prop::collection::vec(tree(false), 1..4),
        rounds in prop::collection::vec(between(), 1..7),
        agents in prop::sample::select(vec![1usize, 3]),
        coloring in any::<bool>(),
    ) {
        let mut incremental = Mesh::new(agents, coloring, false, &rules, &terms);
        let mut full = Mesh::new(agents, coloring, true, &rules, &terms);
        for between in &rounds {
            prop_assert_eq!(incremental.round(between), full.round(between));
            let digest = full.replicas[0].meaning_digest();
            for replica in &mut incremental.replicas {
                prop_assert_eq!(replica.meaning_digest(), digest);
            }
            // Every match is in one share, of whatever number of shares, and looking at them changes nothing.
            let Mesh { replicas, rules, .. } = &mut full;
            replicas[0].forget_searches();
            let mut count = |index, count| replicas[0].count_matches(rules, Share { index, count }).unwrap();
            let all = count(0, 1);
            for shares in [2, 9] {
                prop_assert_eq!((0..shares).map(|index| count(index, shares)).sum::<u64>(), all);
            }
            prop_assert_eq!(count(0, 1), all);
            if full.replicas[0].size().enodes > ENOUGH {
                break;
            }
        }
        prop_assert_eq!(nodes(&incremental.replicas[0]), nodes(&replay(&incremental.replicas[0])));
    }
}

/// A replica that has taken in what another one knows.
fn replay(known: &Replica) -> Replica {
    let mut other = Replica::new(Options {
        agent: AgentId(99),
        ..known.options()
    });
    for block in known.delta_since(&VersionVector::default()) {
        other.receive(&block).unwrap();
    }
    other.settle();
    other
}

/// All that is named, with its colors.
fn nodes(replica: &Replica) -> Vec<NodeInfo> {
    let named = |agent| {
        (0..).map_while(move |ordinal| {
            let agent = AgentId(agent);
            replica.inspect(Name { agent, ordinal }).ok()
        })
    };
    (0..3).flat_map(named).collect()
}

/// A certificate that is settled between a search and its facts is not lost, whatever the replica has prepared meanwhile.
#[test]
fn certificates_survive_what_was_prepared_before_them() {
    let rules = [(
        Tree::Node("F", vec![Tree::Variable(0), Tree::Variable(1)]),
        Tree::Node("G", vec![Tree::Node("F", vec![Tree::Variable(1), Tree::Variable(0)])]),
        0,
    )];
    let leaf = |name| Tree::Node(name, Vec::new());
    let mut mesh = Mesh::new(1, true, false, &rules, &[Tree::Node("F", vec![leaf("A"), leaf("B")])]);
    let replica = &mut mesh.replicas[0];
    assert!(replica.certify(&[AgentId(0)]).is_some());
    let mut blocks = replica
        .delta_since(&VersionVector::default())
        .iter()
        .map(|block| block.to_vec())
        .collect::<Vec<_>>();
    blocks.extend(replica.seal());
    replica
        .derive(&mesh.rules, Share { index: 0, count: 1 }, UNLIMITED)
        .unwrap();
    blocks.extend(replica.seal());
    replica.settle();
    let mut other = Replica::new(Options {
        agent: AgentId(1),
        coloring: true,
    });
    for block in &blocks {
        other.receive(block).unwrap();
    }
    other.settle();
    assert_eq!(other.size(), replica.size());
    for ordinal in 0..5 {
        let name = Name {
            agent: AgentId(0),
            ordinal,
        };
        assert_eq!(replica.inspect(name).unwrap(), other.inspect(name).unwrap());
    }
}
