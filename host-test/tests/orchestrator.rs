//! The component `agent-orchestrator`, alone: every function of its interface, every error that can occur.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use eqmesh_host_test::orchestrator::OrchestratorComponent;
use eqmesh_host_test::orchestrator::exports::eqmesh::network::orchestrator::{Barrier, Greeting, OrchestrationError};
use eqmesh_host_test::types::{Claim, Color, Entrance, Life, MemberState, MessageKind, Topology, Verdict, Vote};
use eqmesh_host_test::{Instance, component};
use wasmtime::component::{Component, ResourceAny};

type Orchestrator = Instance<OrchestratorComponent>;

fn start() -> Orchestrator {
    static COMPONENT: LazyLock<Component> = LazyLock::new(|| component("agent-orchestrator"));
    Instance::new(
        (),
        |_| Ok(()),
        |store, linker| OrchestratorComponent::instantiate(store, &COMPONENT, linker),
    )
}

/// Calls a method of a network.
macro_rules! on {
    ($orchestrator:ident, $network:expr, $method:ident $(, $argument:expr)*) => {
        $orchestrator
            .world
            .eqmesh_network_orchestrator()
            .network()
            .$method(&mut $orchestrator.store, $network $(, $argument)*)
            .unwrap()
    };
}

macro_rules! assert_error {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => (),
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}

fn network(orchestrator: &mut Orchestrator, me: u32, agents: u32, coloring: bool, topology: Topology) -> ResourceAny {
    let networks = orchestrator.world.eqmesh_network_orchestrator().network();
    networks
        .call_constructor(&mut orchestrator.store, me, agents, coloring, topology)
        .unwrap()
}

fn mesh(orchestrator: &mut Orchestrator, me: u32, agents: u32) -> ResourceAny {
    network(orchestrator, me, agents, true, Topology::Mesh)
}

const COLORS: [Color; 3] = [Color::Red, Color::Blue, Color::Green];

#[test]
fn members_are_colored_by_number() {
    let mut orchestrator = start();
    for agents in [1, 2, 3, 9, 20] {
        let network = mesh(&mut orchestrator, 0, agents);
        let members = on!(orchestrator, network, call_members);
        assert_eq!(members.len() as u32, agents);
        for (at, member) in members.iter().enumerate() {
            assert_eq!(
                (member.id, member.color, member.state),
                (at as u32, COLORS[at % 3], MemberState::Active)
            );
        }
    }
}

#[test]
fn shares_of_each_color_are_all_taken_once() {
    let mut orchestrator = start();
    for agents in [1, 2, 3, 4, 5, 9, 10] {
        let network = mesh(&mut orchestrator, 0, agents);
        for color in COLORS {
            let mut parts = BTreeSet::new();
            let mut counts = BTreeSet::new();
            for agent in 0..agents {
                let shares = on!(orchestrator, network, call_shares, agent).unwrap();
                if agents >= 3 {
                    assert_eq!(shares.len(), 1, "from three agents on, each has its own color only");
                    assert_eq!(shares[0].0, COLORS[agent as usize % 3]);
                } else {
                    assert_eq!(shares.len(), 3);
                }
                for (_, share) in shares.into_iter().filter(|(own, _)| *own == color) {
                    assert!(
                        parts.insert(share.index),
                        "part {} of {color:?} is taken twice",
                        share.index
                    );
                    counts.insert(share.count);
                }
            }
            assert_eq!(counts.len(), 1, "all count the same number of parts");
            assert_eq!(parts, (0..*counts.first().unwrap()).collect());
        }
        assert_error!(
            on!(orchestrator, network, call_shares, agents),
            OrchestrationError::Stranger(_)
        );
    }
}

#[test]
fn green_agents_together_certify_everybody_once() {
    let mut orchestrator = start();
    for agents in [1, 2, 3, 4, 9] {
        let network = mesh(&mut orchestrator, 0, agents);
        let mut certified = Vec::new();
        for agent in 0..agents {
            let own = on!(orchestrator, network, call_certifies, agent).unwrap();
            if agents >= 3 && COLORS[agent as usize % 3] != Color::Green {
                assert_eq!(own, []);
            }
            certified.extend(own);
        }
        certified.sort_unstable();
        certified.dedup();
        assert_eq!(certified, (0..agents).collect::<Vec<_>>(), "{agents} agents");
        assert_error!(
            on!(orchestrator, network, call_certifies, agents),
            OrchestrationError::Stranger(_)
        );
    }
}

#[test]
fn a_mesh_connects_everybody() {
    let mut orchestrator = start();
    let network = mesh(&mut orchestrator, 4, 9);
    for agent in 0..9 {
        let others: Vec<u32> = (0..9).filter(|&other| other != agent).collect();
        assert_eq!(on!(orchestrator, network, call_neighbours, agent), Ok(others));
    }
    assert_eq!(on!(orchestrator, network, call_diameter), 1);
    assert_error!(
        on!(orchestrator, network, call_neighbours, 9),
        OrchestrationError::Stranger(9)
    );
    let alone = mesh(&mut orchestrator, 0, 1);
    assert_eq!(on!(orchestrator, alone, call_neighbours, 0), Ok(vec![]));
    assert_eq!(on!(orchestrator, alone, call_diameter), 0);
}

#[test]
fn the_sierpinski_lattice_is_that_of_the_design() {
    let lattice: [&[u32]; 9] = [
        &[1, 2],
        &[0, 2, 3, 4, 5],
        &[0, 1, 5, 6, 7],
        &[1, 4, 8],
        &[1, 3, 5, 8],
        &[1, 2, 4, 6, 8],
        &[2, 5, 7],
        &[2, 6],
        &[3, 4, 5],
    ];
    let mut orchestrator = start();
    let network = network(&mut orchestrator, 0, 9, true, Topology::Sierpinski);
    for (agent, neighbours) in lattice.into_iter().enumerate() {
        assert_eq!(
            on!(orchestrator, network, call_neighbours, agent as u32),
            Ok(neighbours.to_vec())
        );
    }
    // Breadth first from each: 0 to 8 and 7 to 8 are the farthest.
    let farthest = |from: usize| {
        let mut distance = [u32::MAX; 9];
        distance[from] = 0;
        let mut queue = std::collections::VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            for &next in lattice[at] {
                if distance[next as usize] == u32::MAX {
                    distance[next as usize] = distance[at] + 1;
                    queue.push_back(next as usize);
                }
            }
        }
        distance.into_iter().max().unwrap()
    };
    assert_eq!(
        on!(orchestrator, network, call_diameter),
        (0..9).map(farthest).max().unwrap()
    );
}

fn vote(digest: u8, saturated: bool) -> Vote {
    Vote {
        state_digest: vec![digest; 32],
        saturated,
        exhausted: false,
        matches: 5,
        applied: 2,
        blocked: 1,
    }
}

/// Everybody arrives at the barrier awaited, and it is passed.
fn pass(orchestrator: &mut Orchestrator, network: ResourceAny, agents: u32, round: u32) -> Option<Barrier> {
    let (_, barrier) = on!(orchestrator, network, call_round);
    let barrier = barrier.expect("a round is under way");
    let awaited: Vec<u32> = (0..agents)
        .filter(|agent| {
            let certifies = !on!(orchestrator, network, call_certifies, *agent).unwrap().is_empty();
            barrier != Barrier::Certified || certifies
        })
        .collect();
    for (at, &agent) in awaited.iter().enumerate() {
        assert!(!on!(orchestrator, network, call_ready));
        assert_error!(
            on!(orchestrator, network, call_advance),
            OrchestrationError::Misplaced(_)
        );
        let ready = on!(orchestrator, network, call_arrive, agent, round, barrier).unwrap();
        assert_eq!(ready, at + 1 == awaited.len(), "{barrier:?}, agent {agent}");
    }
    assert!(on!(orchestrator, network, call_ready));
    on!(orchestrator, network, call_advance).unwrap()
}

#[test]
fn a_round_passes_three_barriers_and_ends_with_a_verdict() {
    let mut orchestrator = start();
    let agents = 3;
    let network = mesh(&mut orchestrator, 1, agents);
    assert_eq!(on!(orchestrator, network, call_round), (0, None));
    assert_eq!(on!(orchestrator, network, call_verdict), None);
    assert_error!(
        on!(orchestrator, network, call_advance),
        OrchestrationError::Misplaced(_)
    );
    for round in 1..=3 {
        assert_eq!(on!(orchestrator, network, call_begin_round), Ok(round));
        assert_error!(
            on!(orchestrator, network, call_begin_round),
            OrchestrationError::Misplaced(_)
        );
        assert_eq!(on!(orchestrator, network, call_round), (round, Some(Barrier::Derived)));
        assert_eq!(
            pass(&mut orchestrator, network, agents, round),
            Some(Barrier::Certified)
        );
        assert_eq!(pass(&mut orchestrator, network, agents, round), Some(Barrier::Compared));
        for agent in 0..agents {
            // Round 2: one differs. Round 3: all saturated, nothing blocked.
            let digest = u8::from(round == 2 && agent == 2);
            let mut vote = vote(digest, round == 3);
            vote.blocked = u64::from(round != 3);
            on!(orchestrator, network, call_cast, agent, round, &vote).unwrap();
        }
        assert_eq!(pass(&mut orchestrator, network, agents, round), None);
        let expected = Verdict {
            round,
            saturated: round == 3,
            exhausted: false,
            agreed: round != 2,
            matches: 15,
            applied: 6,
            blocked: if round == 3 { 0 } else { 3 },
        };
        assert_eq!(on!(orchestrator, network, call_verdict), Some(expected));
        assert_eq!(on!(orchestrator, network, call_round), (round, None));
    }
}

#[test]
fn one_exhausted_vote_exhausts_the_round() {
    let mut orchestrator = start();
    let network = network(&mut orchestrator, 0, 2, false, Topology::Mesh);
    on!(orchestrator, network, call_begin_round).unwrap();
    // Without coloring no certificates are awaited.
    assert_eq!(pass(&mut orchestrator, network, 2, 1), Some(Barrier::Compared));
    let mut exhausted = vote(0, true);
    (exhausted.exhausted, exhausted.blocked) = (true, 0);
    on!(orchestrator, network, call_cast, 0, 1, &exhausted).unwrap();
    let mut calm = vote(0, true);
    calm.blocked = 0;
    on!(orchestrator, network, call_cast, 1, 1, &calm).unwrap();
    assert_eq!(pass(&mut orchestrator, network, 2, 1), None);
    let verdict = on!(orchestrator, network, call_verdict).unwrap();
    assert!(verdict.exhausted && !verdict.saturated && verdict.agreed);
}

#[test]
fn early_arrivals_are_kept_and_repetitions_are_harmless() {
    let mut orchestrator = start();
    let network = mesh(&mut orchestrator, 0, 3);
    on!(orchestrator, network, call_begin_round).unwrap();
    // Somebody quick has passed all barriers of this round and the first of the next.
    for barrier in [Barrier::Derived, Barrier::Certified, Barrier::Compared] {
        on!(orchestrator, network, call_arrive, 2, 1, barrier).unwrap();
    }
    on!(orchestrator, network, call_arrive, 2, 2, Barrier::Derived).unwrap();
    assert_error!(
        on!(orchestrator, network, call_arrive, 2, 3, Barrier::Derived),
        OrchestrationError::Premature(_)
    );
    assert_error!(
        on!(orchestrator, network, call_arrive, 3, 1, Barrier::Derived),
        OrchestrationError::Stranger(3)
    );
    on!(orchestrator, network, call_arrive, 0, 1, Barrier::Derived).unwrap();
    assert_error!(
        on!(orchestrator, network, call_arrive, 0, 1, Barrier::Derived),
        OrchestrationError::Stale(_)
    );
    assert!(!on!(orchestrator, network, call_ready));
    assert_eq!(
        on!(orchestrator, network, call_arrive, 1, 1, Barrier::Derived),
        Ok(true)
    );
    assert_eq!(on!(orchestrator, network, call_advance), Ok(Some(Barrier::Certified)));
    // The only GREEN agent had arrived before.
    assert!(on!(orchestrator, network, call_ready));
    assert_eq!(on!(orchestrator, network, call_advance), Ok(Some(Barrier::Compared)));
    for agent in 0..3 {
        on!(orchestrator, network, call_cast, agent, 1, &vote(0, false)).unwrap();
    }
    on!(orchestrator, network, call_arrive, 0, 1, Barrier::Compared).unwrap();
    on!(orchestrator, network, call_arrive, 1, 1, Barrier::Compared).unwrap();
    assert_eq!(on!(orchestrator, network, call_advance), Ok(None));
    assert_error!(
        on!(orchestrator, network, call_arrive, 0, 1, Barrier::Derived),
        OrchestrationError::Stale(_)
    );
    assert_eq!(on!(orchestrator, network, call_begin_round), Ok(2));
    on!(orchestrator, network, call_arrive, 0, 2, Barrier::Derived).unwrap();
    assert_eq!(
        on!(orchestrator, network, call_arrive, 1, 2, Barrier::Derived),
        Ok(true),
        "agent 2 was kept"
    );
}

#[test]
fn votes_of_strangers_and_of_other_rounds_are_refused() {
    let mut orchestrator = start();
    let network = mesh(&mut orchestrator, 0, 3);
    on!(orchestrator, network, call_begin_round).unwrap();
    assert_error!(
        on!(orchestrator, network, call_cast, 3, 1, &vote(0, true)),
        OrchestrationError::Stranger(3)
    );
    assert_error!(
        on!(orchestrator, network, call_cast, 0, 0, &vote(0, true)),
        OrchestrationError::Stale(_)
    );
    assert_error!(
        on!(orchestrator, network, call_cast, 0, 9, &vote(0, true)),
        OrchestrationError::Premature(_)
    );
}

#[test]
fn messages_have_topics_and_topics_are_read_back() {
    let mut orchestrator = start();
    let network = mesh(&mut orchestrator, 0, 9);
    let cases = [
        (MessageKind::State, 3, None, "agent.3.state", Some(3)),
        (MessageKind::Sync, 3, Some(5), "agent.5.sync", Some(5)),
        (MessageKind::Heartbeat, 3, Some(5), "agent.3.heartbeat", Some(3)),
        (MessageKind::Heartbeat, 3, None, "broadcast.heartbeat", None),
        (MessageKind::Ack, 8, None, "agent.8.ack", Some(8)),
    ];
    for (kind, sender, receiver, topic, named) in cases {
        assert_eq!(
            on!(orchestrator, network, call_topic, kind, sender, receiver),
            Ok(topic.to_owned())
        );
        assert_eq!(on!(orchestrator, network, call_parse_topic, topic), Ok((kind, named)));
    }
    assert_error!(
        on!(orchestrator, network, call_topic, MessageKind::State, 9, None),
        OrchestrationError::Stranger(9)
    );
    assert_error!(
        on!(orchestrator, network, call_topic, MessageKind::Sync, 0, Some(9)),
        OrchestrationError::Stranger(9)
    );
    let strange = [
        "",
        "agent",
        "agent.3",
        "agent.3.mood",
        "agent.x.state",
        "agent.-1.state",
        "broadcast.state",
    ];
    for topic in strange
        .into_iter()
        .chain(["agent.3.state.more", "agent.99999999999.state", "agent.+3.state"])
    {
        assert_error!(
            on!(orchestrator, network, call_parse_topic, topic),
            OrchestrationError::Topic(_)
        );
    }
}

#[test]
fn an_expander_is_sparse_and_shallow() {
    let mut orchestrator = start();
    let network = network(&mut orchestrator, 0, 300, true, Topology::Expander);
    for agent in [0, 7, 299] {
        let neighbours = on!(orchestrator, network, call_neighbours, agent).unwrap();
        assert!((4..=8).contains(&neighbours.len()) && neighbours.is_sorted());
        for other in neighbours {
            assert!(
                on!(orchestrator, network, call_neighbours, other)
                    .unwrap()
                    .contains(&agent)
            );
        }
    }
    assert!((3..=5).contains(&on!(orchestrator, network, call_diameter)));
}

const SECOND: u64 = 1_000_000;

fn entrance(session: u64, joining: bool) -> Entrance {
    Entrance {
        session,
        joining,
        interval: SECOND,
        topology: Topology::Mesh,
    }
}

/// A network that runs free, seen by a founder.
fn free(orchestrator: &mut Orchestrator, me: u32, agents: u32) -> ResourceAny {
    let network = mesh(orchestrator, me, agents);
    on!(orchestrator, network, call_enter, entrance(1, false)).unwrap();
    network
}

#[test]
fn before_it_runs_free_a_network_has_no_claims() {
    let mut orchestrator = start();
    let network = mesh(&mut orchestrator, 0, 3);
    assert_eq!(on!(orchestrator, network, call_claim), None);
    assert_eq!(on!(orchestrator, network, call_claim_of, 1), None);
    assert_eq!(on!(orchestrator, network, call_superseded), None);
    assert_eq!(on!(orchestrator, network, call_certifier, 1), None);
    assert_eq!(on!(orchestrator, network, call_next_absent), None);
    assert_eq!(on!(orchestrator, network, call_doubles).len(), 0);
    assert_eq!(on!(orchestrator, network, call_claims_since, 0, 9), (vec![], 0));
    assert!(!on!(orchestrator, network, call_agreed));
    on!(orchestrator, network, call_begin_round).unwrap();
    assert_error!(
        on!(orchestrator, network, call_enter, entrance(1, false)),
        OrchestrationError::Misplaced(_)
    );
}

#[test]
fn members_come_and_go_and_are_told() {
    let mut orchestrator = start();
    let network = free(&mut orchestrator, 0, 4);
    assert_error!(
        on!(orchestrator, network, call_enter, entrance(1, false)),
        OrchestrationError::Misplaced(_)
    );
    assert_error!(
        on!(orchestrator, network, call_begin_round),
        OrchestrationError::Misplaced(_)
    );
    let own = on!(orchestrator, network, call_claim).unwrap();
    assert_eq!(
        (own.incarnation, own.session, own.term, own.life),
        (0, 1, 0, Life::Active)
    );
    let (view, digest) = (
        on!(orchestrator, network, call_view),
        on!(orchestrator, network, call_roster_digest),
    );
    assert_eq!((view.len(), digest.len()), (16, 16));
    // A newcomer joins, and then takes part.
    let joining = Claim {
        incarnation: 0,
        session: 5,
        term: 0,
        life: Life::Joining,
    };
    assert!(on!(orchestrator, network, call_learn, &[(9, joining)]));
    assert!(!on!(orchestrator, network, call_learn, &[(9, joining)]), "no news");
    assert_eq!(on!(orchestrator, network, call_view), view);
    assert_ne!(on!(orchestrator, network, call_roster_digest), digest);
    assert_eq!(on!(orchestrator, network, call_shares, 9), Ok(vec![]));
    assert_eq!(on!(orchestrator, network, call_neighbours, 0), Ok(vec![1, 2, 3, 9]));
    let active = Claim {
        life: Life::Active,
        ..joining
    };
    assert_eq!(on!(orchestrator, network, call_greet, 9, active), Greeting::Current);
    assert_ne!(on!(orchestrator, network, call_view), view);
    assert_eq!(on!(orchestrator, network, call_shares, 9).unwrap().len(), 1);
    // The only GREEN one leaves: its share, and its certificates, are taken by all others.
    let left = Claim {
        incarnation: 0,
        session: 0,
        term: 0,
        life: Life::Left,
    };
    assert_eq!(on!(orchestrator, network, call_certifier, 1), Some(2));
    assert!(on!(orchestrator, network, call_learn, &[(2, left)]));
    for agent in [0, 1, 3, 9] {
        let shares = on!(orchestrator, network, call_shares, agent).unwrap();
        assert!(
            shares
                .iter()
                .any(|(color, share)| *color == Color::Green && share.count == 4)
        );
        assert_eq!(on!(orchestrator, network, call_certifier, agent), Some(agent));
    }
    assert!([0, 1, 3, 9].contains(&on!(orchestrator, network, call_certifier, 2).unwrap()));
    assert_eq!(on!(orchestrator, network, call_next_absent), Some(2));
    let (entries, upto) = on!(orchestrator, network, call_claims_since, 0, 100);
    let mut numbers: Vec<u32> = entries.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 2, 9]);
    assert_eq!(on!(orchestrator, network, call_claims_since, upto, 100), (vec![], upto));
    assert_eq!(on!(orchestrator, network, call_claim_of, 2), Some(left));
    let states: Vec<MemberState> = on!(orchestrator, network, call_members)
        .iter()
        .map(|own| own.state)
        .collect();
    assert_eq!(states[2], MemberState::Left);
    // Whoever is said to have left, and has not, says so.
    assert!(on!(
        orchestrator,
        network,
        call_learn,
        &[(
            0,
            Claim {
                life: Life::Left,
                ..own
            }
        )]
    ));
    assert_eq!(on!(orchestrator, network, call_claim).unwrap().term, 1);
    on!(orchestrator, network, call_live, Life::Left);
    assert_eq!(on!(orchestrator, network, call_claim).unwrap().life, Life::Left);
    assert_eq!(on!(orchestrator, network, call_shares, 0), Ok(vec![]));
}

#[test]
fn who_was_started_twice_is_told_apart() {
    let mut orchestrator = start();
    let network = free(&mut orchestrator, 1, 3);
    let earlier = Claim {
        incarnation: 0,
        session: 0,
        term: 7,
        life: Life::Active,
    };
    assert_eq!(on!(orchestrator, network, call_greet, 1, earlier), Greeting::Superseded);
    assert_eq!(on!(orchestrator, network, call_doubles).len(), 1);
    assert_eq!(on!(orchestrator, network, call_superseded), None);
    let later = Claim {
        incarnation: 1,
        ..earlier
    };
    assert_eq!(on!(orchestrator, network, call_greet, 1, later), Greeting::Current);
    assert_eq!(on!(orchestrator, network, call_superseded), Some(later));
}

#[test]
fn silence_is_suspected_and_then_taken_for_loss() {
    let mut orchestrator = start();
    let network = free(&mut orchestrator, 0, 2);
    assert_eq!(on!(orchestrator, network, call_review, 0), []);
    for second in 1..=10 {
        on!(orchestrator, network, call_hear, 1, second * SECOND);
    }
    assert!(on!(orchestrator, network, call_suspicion, 1, 11 * SECOND) < 1.0);
    assert!(on!(orchestrator, network, call_suspicion, 1, 60 * SECOND) > 12.0);
    assert_eq!(on!(orchestrator, network, call_review, 11 * SECOND), []);
    assert_eq!(on!(orchestrator, network, call_review, 60 * SECOND), [1]);
    assert!(on!(orchestrator, network, call_suspicion, 1, 60 * SECOND) < f64::EPSILON);
}

#[test]
fn statements_of_all_active_members_make_an_agreement() {
    let mut orchestrator = start();
    let network = free(&mut orchestrator, 0, 3);
    let (this, other) = ([1u8; 16], [2u8; 16]);
    on!(orchestrator, network, call_turn_to, &this);
    on!(orchestrator, network, call_vouch);
    on!(orchestrator, network, call_count, &other, &[6]);
    on!(orchestrator, network, call_count, &this, &[6, 0]);
    on!(orchestrator, network, call_count, &this[1..], &[6]);
    assert!(
        !on!(orchestrator, network, call_agreed),
        "of another subject, or in another form"
    );
    assert_eq!(on!(orchestrator, network, call_statement), (this.to_vec(), vec![1]));
    on!(orchestrator, network, call_count, &this, &[6]);
    assert!(on!(orchestrator, network, call_agreed));
    assert_eq!(on!(orchestrator, network, call_statement), (this.to_vec(), vec![7]));
    on!(orchestrator, network, call_turn_to, &other);
    assert!(!on!(orchestrator, network, call_agreed));
}

#[test]
fn a_network_that_is_saved_and_loaded_goes_on() {
    let mut orchestrator = start();
    let whole = free(&mut orchestrator, 0, 3);
    for second in 1..=10 {
        on!(orchestrator, whole, call_hear, 1, second * SECOND);
        on!(orchestrator, whole, call_hear, 2, second * SECOND);
        assert_eq!(on!(orchestrator, whole, call_review, second * SECOND), []);
    }
    let left = Claim {
        incarnation: 0,
        session: 5,
        term: 0,
        life: Life::Left,
    };
    assert!(on!(orchestrator, whole, call_learn, &[(7, left)]));
    on!(orchestrator, whole, call_turn_to, &[3; 16]);
    on!(orchestrator, whole, call_vouch);
    let saved = on!(orchestrator, whole, call_save).unwrap();
    let again = mesh(&mut orchestrator, 0, 3);
    assert_error!(on!(orchestrator, again, call_save), OrchestrationError::Misplaced(_));
    for broken in [&saved[1..], &saved[..saved.len() - 1], &[]] {
        assert_error!(
            on!(orchestrator, again, call_load, broken, 10 * SECOND),
            OrchestrationError::Malformed(_)
        );
    }
    assert_eq!(on!(orchestrator, again, call_claim), None, "nothing has changed");
    on!(orchestrator, again, call_load, &saved, 10 * SECOND).unwrap();
    assert_eq!(on!(orchestrator, again, call_save).unwrap(), saved);
    for network in [whole, again] {
        assert_eq!(on!(orchestrator, network, call_statement), (vec![3; 16], vec![1]));
        assert_eq!(on!(orchestrator, network, call_claim_of, 7), Some(left));
        assert!(on!(orchestrator, network, call_suspicion, 1, 14 * SECOND) > 1.0);
    }
    assert_eq!(
        on!(orchestrator, again, call_roster_digest),
        on!(orchestrator, whole, call_roster_digest)
    );
    assert_eq!(
        on!(orchestrator, again, call_claims_since, 0, 9),
        on!(orchestrator, whole, call_claims_since, 0, 9)
    );
    // The silence while it was away does not count.
    let late = mesh(&mut orchestrator, 0, 3);
    on!(orchestrator, late, call_load, &saved, 1_000 * SECOND).unwrap();
    assert_eq!(on!(orchestrator, late, call_review, 1_000 * SECOND), []);
    assert_eq!(on!(orchestrator, whole, call_review, 1_000 * SECOND), [1, 2]);
    // It was entered already, is another agent, or of another network.
    let other = mesh(&mut orchestrator, 1, 3);
    let larger = mesh(&mut orchestrator, 0, 4);
    for network in [again, other, larger] {
        assert_error!(
            on!(orchestrator, network, call_load, &saved, 10 * SECOND),
            OrchestrationError::Misplaced(_)
        );
    }
}
