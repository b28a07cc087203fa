//! Tests of networks that run free, by the public interface.

use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::roster::tests::any_claim;
use crate::*;
use eqmesh_egraph::color::Color;
use eqmesh_replica::AgentId;

const SECOND: u64 = 1_000_000;

fn entrance(session: u64) -> Entrance {
    Entrance {
        session,
        joining: false,
        interval: SECOND,
        topology: Topology::Mesh,
    }
}

fn free(me: AgentId, agents: u32, session: u64) -> Network {
    let mut network = Network::new(me, agents, true, Topology::Mesh);
    network.enter(entrance(session)).unwrap();
    network
}

fn founder(me: u32, agents: u32) -> Network {
    free(AgentId(me), agents, 1)
}

const LEFT: Claim = Claim {
    incarnation: 0,
    session: 0,
    term: 0,
    life: Life::Left,
};

/// A network of so many founders, of whom some have left.
fn without(agents: u32, gone: &BTreeSet<u32>) -> Network {
    let me = (0..agents)
        .find(|number| !gone.contains(number))
        .expect("somebody is there");
    let mut network = free(AgentId(me), agents, 0);
    let entries: Vec<RosterEntry> = gone.iter().map(|&number| (number, LEFT)).collect();
    network.learn(&entries);
    network
}

/// That of each color every part is taken once, by active members.
fn assert_shares(network: &Network, active: &[u32]) {
    for color in Color::ALL {
        let shares = active.iter().flat_map(|&agent| network.shares(AgentId(agent)).unwrap());
        let shares: Vec<_> = shares
            .filter(|(own, _)| *own == color)
            .map(|(_, share)| share)
            .collect();
        let parts: BTreeSet<u32> = shares.iter().map(|share| share.index).collect();
        assert!(
            shares.iter().all(|share| share.count as usize == shares.len()),
            "{color:?}: {shares:?}"
        );
        assert_eq!(parts, (0..shares.len() as u32).collect(), "{color:?}");
        assert!(!parts.is_empty(), "{color:?} is nobody's");
    }
}

proptest! {
    #[test]
    fn whoever_is_gone_all_shares_are_taken_and_all_facts_certified(agents in 1u32..30, gone in prop::collection::btree_set(0u32..30, 0..29)) {
        let gone: BTreeSet<u32> = gone.into_iter().filter(|&number| number < agents).collect();
        prop_assume!(gone.len() < agents as usize);
        let network = without(agents, &gone);
        let active: Vec<u32> = (0..agents).filter(|number| !gone.contains(number)).collect();
        assert_shares(&network, &active);
        let greens = active.iter().any(|number| number % 3 == 2);
        for number in 0..agents + 5 {
            let certifier = network.certifier(number).expect("somebody is active");
            prop_assert!(active.contains(&certifier));
            if active.len() >= 3 && greens {
                prop_assert_eq!(certifier % 3, 2);
            }
            if !active.contains(&number) {
                prop_assert_eq!(network.shares(AgentId(number)).unwrap(), vec![]);
            }
        }
        let certified: usize = active.iter().map(|&own| network.certifies(AgentId(own)).unwrap().len()).sum();
        prop_assert_eq!(certified, agents as usize);
    }

    #[test]
    fn what_is_computed_depends_on_the_claims_alone(claims in prop::collection::vec((0u32..7, any_claim()), 0..12), order in any::<prop::sample::Index>()) {
        let (mut one, mut other) = (free(AgentId(0), 5, 9), free(AgentId(0), 5, 9));
        one.learn(&claims);
        let mut turned = claims.clone();
        if !turned.is_empty() {
            let by = order.index(turned.len());
            turned.rotate_left(by);
        }
        for entry in turned.iter().chain(&claims) {
            other.learn(&[*entry]);
        }
        // What others say of this agent it answers, each time, with greater terms; the rest is the same.
        for number in 1..7 {
            prop_assert_eq!(one.claim_of(number), other.claim_of(number));
        }
        prop_assert_eq!(one.superseded(), other.superseded());
        let members = |network: &Network| network.members().into_iter().skip(1).collect::<Vec<_>>();
        prop_assert_eq!(members(&one), members(&other));
    }
}

#[test]
fn with_all_founders_shares_are_those_of_rounds() {
    for agents in 1..20 {
        let (network, rounds) = (
            founder(0, agents),
            Network::new(AgentId(0), agents, true, Topology::Mesh),
        );
        for agent in (0..agents).map(AgentId) {
            assert_eq!(network.shares(agent), rounds.shares(agent), "{agents} agents");
        }
    }
}

#[test]
fn who_is_silent_is_suspected_and_then_lost() {
    let mut network = founder(0, 3);
    let mut silent = founder(2, 3);
    network.greet(2, silent.claim().unwrap());
    network.review(0);
    for second in 1..=20 {
        network.hear(1, second * SECOND);
        network.hear(2, second * SECOND);
        assert_eq!(network.review(second * SECOND), []);
    }
    let view = network.view();
    let state = |network: &Network| network.members()[2].state;
    let mut states = vec![state(&network)];
    let mut lost = 0;
    for second in 21..=60 {
        network.hear(1, second * SECOND);
        let gone = network.review(second * SECOND);
        assert!(gone.is_empty() || gone == [2]);
        lost += gone.len();
        states.push(state(&network));
    }
    assert_eq!(lost, 1, "once");
    states.dedup();
    assert_eq!(states, [MemberState::Active, MemberState::Suspected, MemberState::Left]);
    assert_ne!(network.view(), view);
    assert_eq!(network.neighbours(AgentId(0)), Ok(vec![AgentId(1)]));
    assert_eq!(network.next_absent(), Some(2), "it is tried now and then");
    // It is there after all, and says so with a greater term.
    silent.learn(&network.claims_since(0, 100).0);
    let claim = silent.claim().unwrap();
    assert_eq!((claim.term, claim.life), (1, Life::Active));
    assert_eq!(network.greet(2, claim), Greeting::Current);
    assert_eq!(state(&network), MemberState::Active);
    assert_eq!(network.view(), view);
    assert_eq!(network.review(61 * SECOND), [], "it is waited for anew");
}

#[test]
fn of_two_runs_of_one_number_the_earlier_stops() {
    let later = |incarnation| AgentId::new(1, incarnation).unwrap();
    for (old, new) in [
        (free(AgentId(1), 3, 5), free(later(1), 3, 2)),
        (free(AgentId(1), 3, 5), free(AgentId(1), 3, 6)),
    ] {
        let (mut old, mut new) = (old, new);
        let (first, second) = (old.claim().unwrap(), new.claim().unwrap());
        assert_eq!(new.greet(1, first), Greeting::Superseded);
        assert_eq!(new.superseded(), None);
        assert_eq!(new.doubles(), [(1, first, second)]);
        assert_eq!(
            old.greet(1, second),
            Greeting::Current,
            "of the number; this run is another"
        );
        assert_eq!(old.superseded(), Some(second));
        // Others report it, too.
        let mut third = founder(0, 3);
        assert_eq!(third.greet(1, second), Greeting::Current);
        assert_eq!(third.greet(1, first), Greeting::Superseded);
        assert_eq!(third.doubles(), [(1, first, second)]);
    }
}

#[test]
fn a_later_run_wins_whatever_the_earlier_has_said() {
    let mut old = free(AgentId(1), 3, u64::MAX);
    for _ in 0..5 {
        let claim = old.claim().unwrap();
        old.learn(&[(
            1,
            Claim {
                life: Life::Left,
                ..claim
            },
        )]);
    }
    assert_eq!(old.claim().unwrap().term, 5);
    let new = free(AgentId::new(1, 1).unwrap(), 3, 1);
    old.learn(&[(1, new.claim().unwrap())]);
    assert!(old.superseded().is_some());
}

#[test]
fn statements_count_only_for_their_subject() {
    let mut network = founder(0, 4);
    let (this, other) = ([1; 16], [2; 16]);
    let set = |numbers: &[u32]| numbers.iter().copied().collect::<NumberSet>();
    network.turn_to(this);
    network.vouch();
    network.count(this, &set(&[1, 3]));
    network.count(other, &set(&[2]));
    assert!(!network.agreed());
    assert_eq!(network.statement(), (this, set(&[0, 1, 3])));
    network.turn_to(this);
    assert!(!network.agreed());
    network.count(this, &set(&[2]));
    assert!(network.agreed());
    network.turn_to(other);
    assert!(!network.agreed());
    assert_eq!(network.statement(), (other, set(&[])));
}

#[test]
fn newcomers_beyond_the_founders_take_part() {
    let mut network = founder(0, 3);
    let joining = Claim {
        session: 4,
        life: Life::Joining,
        ..Claim::default()
    };
    assert!(network.learn(&[(7, joining)]));
    assert_eq!(
        network.neighbours(AgentId(0)),
        Ok(vec![AgentId(1), AgentId(2), AgentId(7)])
    );
    assert_eq!(network.shares(AgentId(7)), Ok(vec![]), "not yet");
    let view = network.view();
    network.learn(&[(
        7,
        Claim {
            life: Life::Active,
            ..joining
        },
    )]);
    assert_ne!(network.view(), view);
    assert_shares(&network, &[0, 1, 2, 7]);
    assert_eq!(
        network.topic(MessageKind::Sync, AgentId(0), Some(AgentId::new(7, 3).unwrap())),
        Ok("agent.7.sync".to_owned()),
        "incarnations do not matter to topics"
    );
}

#[test]
fn life_goes_on_only() {
    let mut network = Network::new(AgentId(2), 3, true, Topology::Mesh);
    network
        .enter(Entrance {
            joining: true,
            ..entrance(1)
        })
        .unwrap();
    let life = |network: &Network| network.claim().unwrap().life;
    assert_eq!(life(&network), Life::Joining);
    network.live(Life::Active);
    network.live(Life::Joining);
    assert_eq!(life(&network), Life::Active);
    network.live(Life::Left);
    network.live(Life::Active);
    assert_eq!(life(&network), Life::Left);
    assert_eq!(network.members()[2].state, MemberState::Left);
}

#[test]
fn rounds_and_running_free_exclude_each_other() {
    let mut network = Network::new(AgentId(0), 3, true, Topology::Mesh);
    network.begin_round().unwrap();
    assert!(matches!(
        network.enter(entrance(1)),
        Err(OrchestrationError::Misplaced(_))
    ));
    let mut network = founder(0, 3);
    assert!(matches!(network.begin_round(), Err(OrchestrationError::Misplaced(_))));
    assert!(matches!(
        network.enter(entrance(1)),
        Err(OrchestrationError::Misplaced(_))
    ));
}

#[test]
fn a_network_that_does_not_run_free_has_no_members_to_speak_of() {
    let mut network = Network::new(AgentId(0), 3, true, Topology::Mesh);
    assert_eq!(
        (network.claim(), network.superseded(), network.certifier(1)),
        (None, None, None)
    );
    assert!(!network.learn(&[(1, LEFT)]));
    network.vouch();
    assert!(!network.agreed());
    assert_eq!(network.review(SECOND), []);
    assert_eq!(network.members().len(), 3);
}
