//! Tests of the network as a whole, by its public interface.

use proptest::prelude::*;

use super::*;

fn mesh(me: u32, agents: u32) -> Network {
    Network::new(AgentId(me), agents, true, Topology::Mesh)
}

fn vote(digest: u8, saturated: bool) -> Vote {
    Vote {
        state_digest: [digest; 32],
        saturated,
        exhausted: false,
        matches: 5,
        applied: 2,
        blocked: 1,
    }
}

/// Says that a member has arrived.
fn arrive(network: &mut Network, agent: u32, round: u32, barrier: Barrier) -> Result<bool, OrchestrationError> {
    network.arrive(AgentId(agent), round, barrier)
}

/// Everybody arrives at the barrier awaited, and it is passed.
fn pass(network: &mut Network, agents: u32, round: u32) -> Option<Barrier> {
    let barrier = network.round().1.expect("a round is under way");
    let certifies = |agent: &u32| !network.certifies(AgentId(*agent)).unwrap().is_empty();
    let awaited: Vec<u32> = (0..agents)
        .filter(|agent| barrier != Barrier::Certified || certifies(agent))
        .collect();
    for (at, &agent) in awaited.iter().enumerate() {
        assert!(!network.ready());
        assert!(matches!(network.advance(), Err(OrchestrationError::Misplaced(_))));
        assert_eq!(arrive(network, agent, round, barrier), Ok(at + 1 == awaited.len()));
    }
    assert!(network.ready());
    network.advance().unwrap()
}

#[test]
fn members_are_colored_by_number() {
    for agents in [1, 2, 3, 9, 20] {
        let network = mesh(0, agents);
        assert_eq!(network.members().len() as u32, agents);
        for (at, member) in network.members().into_iter().enumerate() {
            let expected = Member {
                id: AgentId(at as u32),
                color: Color::ALL[at % 3],
                state: MemberState::Active,
            };
            assert_eq!(member, expected);
        }
    }
    assert_eq!(mesh(0, 0).members().len(), 1);
    assert_eq!(mesh(4, 9).me(), AgentId(4));
}

#[test]
fn strangers_are_named() {
    let mut network = mesh(0, 9);
    let stranger = OrchestrationError::Stranger(AgentId(9));
    assert_eq!(network.shares(AgentId(9)), Err(stranger.clone()));
    assert_eq!(network.certifies(AgentId(9)), Err(stranger.clone()));
    assert_eq!(network.neighbours(AgentId(9)), Err(stranger.clone()));
    assert_eq!(arrive(&mut network, 9, 1, Barrier::Derived), Err(stranger.clone()));
    assert_eq!(network.cast(AgentId(9), 1, Vote::default()), Err(stranger.clone()));
    assert_eq!(
        network.topic(MessageKind::State, AgentId(9), None),
        Err(stranger.clone())
    );
    assert_eq!(
        network.topic(MessageKind::Sync, AgentId(0), Some(AgentId(9))),
        Err(stranger.clone())
    );
    assert_eq!(network.parse_topic("agent.9.state"), Err(stranger.clone()));
    assert_eq!(stranger.to_string(), "there is no agent 9 in this network");
}

#[test]
fn topics_are_read_back() {
    let network = mesh(0, 9);
    assert_eq!(
        network.topic(MessageKind::Ack, AgentId(8), None).unwrap(),
        "agent.8.ack"
    );
    assert_eq!(
        network.parse_topic("agent.8.ack"),
        Ok((MessageKind::Ack, Some(AgentId(8))))
    );
    assert_eq!(
        network.parse_topic("broadcast.heartbeat"),
        Ok((MessageKind::Heartbeat, None))
    );
    assert_eq!(
        network.parse_topic("agent"),
        Err(OrchestrationError::Topic("agent".to_owned()))
    );
}

#[test]
fn a_round_passes_three_barriers_and_ends_with_a_verdict() {
    for agents in [1, 2, 3, 4, 9] {
        let mut network = mesh(0, agents);
        assert_eq!((network.round(), network.verdict()), ((0, None), None));
        assert!(!network.ready());
        assert!(matches!(network.advance(), Err(OrchestrationError::Misplaced(_))));
        for round in 1..=3 {
            assert_eq!(network.begin_round(), Ok(round));
            assert!(matches!(network.begin_round(), Err(OrchestrationError::Misplaced(_))));
            assert_eq!(network.round(), (round, Some(Barrier::Derived)));
            assert_eq!(pass(&mut network, agents, round), Some(Barrier::Certified));
            assert_eq!(pass(&mut network, agents, round), Some(Barrier::Compared));
            for agent in 0..agents {
                // Round 2: one differs. Round 3: all saturated, nothing blocked.
                let mut vote = vote(u8::from(round == 2 && agent == agents - 1), round == 3);
                vote.blocked = u64::from(round != 3);
                network.cast(AgentId(agent), round, vote).unwrap();
            }
            assert_eq!(pass(&mut network, agents, round), None);
            let expected = Verdict {
                round,
                saturated: round == 3,
                exhausted: false,
                agreed: round != 2 || agents == 1,
                matches: 5 * u64::from(agents),
                applied: 2 * u64::from(agents),
                blocked: if round == 3 { 0 } else { u64::from(agents) },
            };
            assert_eq!(network.verdict(), Some(expected));
            assert_eq!(network.round(), (round, None));
        }
    }
}

#[test]
fn without_coloring_no_certificates_are_awaited() {
    let mut network = Network::new(AgentId(0), 2, false, Topology::Mesh);
    network.begin_round().unwrap();
    assert!(matches!(
        arrive(&mut network, 0, 1, Barrier::Certified),
        Err(OrchestrationError::Misplaced(_))
    ));
    assert_eq!(pass(&mut network, 2, 1), Some(Barrier::Compared));
    let calm = Vote {
        blocked: 0,
        ..vote(0, true)
    };
    let exhausted = Vote {
        exhausted: true,
        ..calm
    };
    network.cast(AgentId(0), 1, exhausted).unwrap();
    network.cast(AgentId(1), 1, calm).unwrap();
    assert_eq!(pass(&mut network, 2, 1), None);
    let verdict = network.verdict().unwrap();
    assert!(verdict.exhausted && !verdict.saturated && verdict.agreed);
}

#[test]
fn early_arrivals_are_kept_and_repetitions_are_harmless() {
    let mut network = mesh(0, 3);
    network.begin_round().unwrap();
    for barrier in [Barrier::Derived, Barrier::Certified, Barrier::Compared] {
        assert_eq!(arrive(&mut network, 2, 1, barrier), Ok(false));
    }
    assert_eq!(arrive(&mut network, 2, 2, Barrier::Derived), Ok(false));
    assert_eq!(
        arrive(&mut network, 2, 2, Barrier::Derived),
        Err(OrchestrationError::Stale(2))
    );
    assert_eq!(
        arrive(&mut network, 2, 3, Barrier::Derived),
        Err(OrchestrationError::Premature(3))
    );
    assert_eq!(arrive(&mut network, 0, 1, Barrier::Derived), Ok(false));
    assert_eq!(
        arrive(&mut network, 0, 1, Barrier::Derived),
        Err(OrchestrationError::Stale(1))
    );
    assert!(!network.ready());
    assert_eq!(arrive(&mut network, 1, 1, Barrier::Derived), Ok(true));
    assert_eq!(network.advance(), Ok(Some(Barrier::Certified)));
    assert!(network.ready(), "the only GREEN agent had arrived before");
    assert_eq!(network.advance(), Ok(Some(Barrier::Compared)));
    for agent in 0..3 {
        network.cast(AgentId(agent), 1, vote(0, false)).unwrap();
    }
    network.cast(AgentId(1), 2, vote(9, false)).unwrap();
    arrive(&mut network, 0, 1, Barrier::Compared).unwrap();
    assert_eq!(arrive(&mut network, 1, 1, Barrier::Compared), Ok(true));
    assert_eq!(network.advance(), Ok(None));
    assert_eq!(
        arrive(&mut network, 0, 1, Barrier::Derived),
        Err(OrchestrationError::Stale(1))
    );
    assert_eq!(
        network.cast(AgentId(0), 1, vote(0, true)),
        Err(OrchestrationError::Stale(1))
    );
    assert_eq!(network.begin_round(), Ok(2));
    arrive(&mut network, 0, 2, Barrier::Derived).unwrap();
    assert_eq!(
        arrive(&mut network, 1, 2, Barrier::Derived),
        Ok(true),
        "agent 2 was kept"
    );
    assert_eq!(
        network.cast(AgentId(1), 2, vote(9, false)),
        Err(OrchestrationError::Stale(2)),
        "the vote was kept"
    );
}

#[test]
fn arrivals_for_the_first_round_are_kept_before_it_begins() {
    let mut network = mesh(0, 1);
    assert_eq!(arrive(&mut network, 0, 1, Barrier::Derived), Ok(false));
    assert_eq!(
        arrive(&mut network, 0, 0, Barrier::Derived),
        Err(OrchestrationError::Stale(0))
    );
    network.begin_round().unwrap();
    assert!(network.ready());
}

#[test]
fn a_round_does_not_end_without_all_votes() {
    let mut network = mesh(0, 2);
    network.begin_round().unwrap();
    pass(&mut network, 2, 1);
    pass(&mut network, 2, 1);
    network.cast(AgentId(0), 1, vote(0, true)).unwrap();
    assert_eq!(arrive(&mut network, 0, 1, Barrier::Compared), Ok(false));
    assert_eq!(arrive(&mut network, 1, 1, Barrier::Compared), Ok(false));
    assert!(matches!(network.advance(), Err(OrchestrationError::Misplaced(_))));
    network.cast(AgentId(1), 1, vote(0, true)).unwrap();
    assert!(network.ready());
    assert_eq!(network.advance(), Ok(None));
}

#[test]
fn votes_of_other_rounds_are_refused_and_the_first_counts() {
    let mut network = mesh(0, 1);
    network.begin_round().unwrap();
    assert_eq!(
        network.cast(AgentId(0), 0, vote(0, true)),
        Err(OrchestrationError::Stale(0))
    );
    assert_eq!(
        network.cast(AgentId(0), 9, vote(0, true)),
        Err(OrchestrationError::Premature(9))
    );
    network.cast(AgentId(0), 1, Vote::default()).unwrap();
    assert_eq!(
        network.cast(AgentId(0), 1, vote(0, true)),
        Err(OrchestrationError::Stale(1))
    );
    for _ in 0..3 {
        pass(&mut network, 1, 1);
    }
    assert_eq!(network.verdict().unwrap().matches, 0);
}

#[test]
fn nobody_awaits_certificates_of_red_and_blue_agents() {
    let mut network = mesh(0, 4);
    network.begin_round().unwrap();
    for (agent, awaited) in [(0, false), (1, false), (2, true), (3, false)] {
        let answer = arrive(&mut network, agent, 1, Barrier::Certified);
        assert_eq!(answer.is_ok(), awaited, "{agent}: {answer:?}");
    }
}

#[test]
fn sums_stop_at_the_greatest_number() {
    let mut network = Network::new(AgentId(0), 2, false, Topology::Mesh);
    network.begin_round().unwrap();
    let much = Vote {
        matches: u64::MAX,
        applied: u64::MAX,
        blocked: u64::MAX,
        ..vote(0, true)
    };
    for agent in 0..2 {
        network.cast(AgentId(agent), 1, much).unwrap();
    }
    pass(&mut network, 2, 1);
    pass(&mut network, 2, 1);
    let verdict = network.verdict().unwrap();
    assert_eq!(
        (verdict.matches, verdict.applied, verdict.blocked),
        (u64::MAX, u64::MAX, u64::MAX)
    );
    assert!(!verdict.saturated);
}

#[test]
fn the_largest_network_costs_no_more_than_the_smallest() {
    let mut network = Network::new(AgentId(0), u32::MAX, true, Topology::Sierpinski);
    assert_eq!(
        network.diameter(),
        Network::new(AgentId(0), 18, true, Topology::Sierpinski).diameter()
    );
    network.begin_round().unwrap();
    assert_eq!(arrive(&mut network, u32::MAX - 1, 1, Barrier::Derived), Ok(false));
}

/// What a member says.
#[derive(Clone, Debug)]
enum Said {
    Arrival(AgentId, u32, Barrier),
    Vote(AgentId, u32, Vote),
}

/// Everything that is said in two rounds of this network.
fn everything(network: &Network, votes: &[Vote]) -> Vec<Said> {
    let mut said = Vec::new();
    for round in 1..=2 {
        for Member { id, .. } in network.members() {
            for barrier in [Barrier::Derived, Barrier::Certified, Barrier::Compared] {
                if network.awaits(id, barrier) {
                    said.push(Said::Arrival(id, round, barrier));
                }
            }
            said.push(Said::Vote(id, round, votes[id.0 as usize]));
        }
    }
    said
}

fn any_vote() -> impl Strategy<Value = Vote> {
    (0_u8..2, any::<bool>(), any::<bool>(), any::<u64>(), 0_u64..3, 0_u64..2).prop_map(
        |(digest, saturated, exhausted, matches, applied, blocked)| Vote {
            state_digest: [digest; 32],
            saturated,
            exhausted,
            matches,
            applied,
            blocked,
        },
    )
}

/// A number of agents, whether they are colored, their votes, and two orders of what they say, some of it twice.
fn network_and_orders() -> impl Strategy<Value = (Network, Vec<Said>, Vec<Said>)> {
    (1_u32..8, any::<bool>(), prop::collection::vec(any_vote(), 8)).prop_flat_map(|(agents, coloring, votes)| {
        let network = Network::new(AgentId(0), agents, coloring, Topology::Mesh);
        let mut said = everything(&network, &votes);
        said.extend(said.clone().into_iter().step_by(3));
        let orders = (Just(said.clone()).prop_shuffle(), Just(said).prop_shuffle());
        (Just(network), orders).prop_map(|(network, (one, other))| (network, one, other))
    })
}

/// Hears everything, begins a round as soon as it can, passes every barrier as soon as it can; answers the verdicts.
fn run(mut network: Network, said: &[Said]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    network.begin_round().unwrap();
    for said in said {
        let answer = match *said {
            Said::Arrival(agent, round, barrier) => network
                .arrive(agent, round, barrier)
                .map(|ready| assert_eq!(ready, network.ready())),
            Said::Vote(agent, round, vote) => network.cast(agent, round, vote),
        };
        assert!(
            matches!(answer, Ok(()) | Err(OrchestrationError::Stale(_))),
            "{said:?}: {answer:?}"
        );
        while network.ready() {
            if network.advance().unwrap().is_none() {
                verdicts.push(network.verdict().unwrap());
                network.begin_round().unwrap();
            }
        }
    }
    verdicts
}

proptest! {
    #[test]
    fn any_order_of_messages_gives_the_same_verdicts((network, one, other) in network_and_orders()) {
        let verdicts = run(network.clone(), &one);
        prop_assert_eq!(verdicts.len(), 2);
        prop_assert_eq!(verdicts, run(network, &other));
    }

    #[test]
    fn nothing_that_is_said_is_a_panic(
        agents in 0_u32..5,
        coloring: bool,
        said in prop::collection::vec((0_u32..6, 0_u32..5, 0_usize..4, any_vote()), 0..60),
    ) {
        let mut network = Network::new(AgentId(0), agents, coloring, Topology::Sierpinski);
        for (agent, round, what, vote) in said {
            let before = (network.round(), network.ready(), network.verdict());
            let refused = match [Barrier::Derived, Barrier::Certified, Barrier::Compared].get(what) {
                Some(&barrier) => network.arrive(AgentId(agent), round, barrier).is_err(),
                None => network.cast(AgentId(agent), round, vote).is_err(),
            };
            if refused {
                prop_assert_eq!((network.round(), network.ready(), network.verdict()), before);
            }
            let ready = network.ready();
            prop_assert_eq!(network.advance().is_ok(), ready);
            if agent == 0 {
                let between = network.round().1.is_none();
                prop_assert_eq!(network.begin_round().is_ok(), between);
            }
        }
    }
}
