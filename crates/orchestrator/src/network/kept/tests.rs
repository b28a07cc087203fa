//! What is saved and loaded behaves as if it had never been away.

use proptest::prelude::*;

use crate::roster::tests::any_claim;
use crate::*;
use eqmesh_replica::AgentId;
use eqmesh_replica::wire::seal;

const SECOND: u64 = 1_000_000;
const AGENTS: u32 = 5;

/// What can happen to a network.
#[derive(Clone, Debug)]
enum Event {
    Learn(u32, Claim),
    Greet(u32, Claim),
    Hear(u32),
    /// The next interval.
    Review,
    NextAbsent,
    TurnTo(u8),
    Vouch,
    Count(u8, Vec<u32>),
    Live(Life),
}

fn any_event() -> impl Strategy<Value = Event> {
    let number = 0u32..8;
    prop_oneof![
        (number.clone(), any_claim()).prop_map(|(number, claim)| Event::Learn(number, claim)),
        (number.clone(), any_claim()).prop_map(|(number, claim)| Event::Greet(number, claim)),
        number.clone().prop_map(Event::Hear),
        Just(Event::Review),
        Just(Event::Review),
        Just(Event::NextAbsent),
        (0u8..3).prop_map(Event::TurnTo),
        Just(Event::Vouch),
        (0u8..3, prop::collection::vec(number, 0..4)).prop_map(|(subject, numbers)| Event::Count(subject, numbers)),
        prop::sample::select(vec![Life::Active, Life::Left]).prop_map(Event::Live),
    ]
}

/// Everything that a network answers.
fn seen(network: &Network, now: u64) -> String {
    let of = |number| {
        let agent = AgentId(number);
        let claim = network.claim_of(number);
        let who = (network.certifier(number), network.suspicion(number, now).to_bits());
        (claim, who, network.shares(agent), network.neighbours(agent))
    };
    format!(
        "{:?}",
        (
            (
                network.members(),
                network.claim(),
                network.superseded(),
                network.doubles()
            ),
            (network.claims_since(0, 100), network.claims_since(3, 2)),
            (
                network.roster_digest(),
                network.view(),
                network.statement(),
                network.agreed()
            ),
            (0..8).map(of).collect::<Vec<_>>(),
        )
    )
}

fn happen(network: &mut Network, event: &Event, now: &mut u64) -> String {
    let answer = match event {
        Event::Learn(number, claim) => network.learn(&[(*number, *claim)]).to_string(),
        Event::Greet(number, claim) => format!("{:?}", network.greet(*number, *claim)),
        Event::Hear(number) => {
            network.hear(*number, *now);
            String::new()
        }
        Event::Review => {
            *now += SECOND;
            format!("{:?}", network.review(*now))
        }
        Event::NextAbsent => format!("{:?}", network.next_absent()),
        Event::TurnTo(subject) => {
            network.turn_to([*subject; 16]);
            String::new()
        }
        Event::Vouch => {
            network.vouch();
            String::new()
        }
        Event::Count(subject, numbers) => {
            network.count([*subject; 16], &numbers.iter().copied().collect());
            String::new()
        }
        Event::Live(life) => {
            network.live(*life);
            String::new()
        }
    };
    answer + &seen(network, *now)
}

fn fresh() -> Network {
    Network::new(AgentId(1), AGENTS, true, Topology::Mesh)
}

fn entered(topology: Topology) -> Network {
    let mut network = fresh();
    let entrance = Entrance {
        session: 1,
        joining: false,
        interval: SECOND,
        topology,
    };
    network.enter(entrance).unwrap();
    network
}

fn again(saved: &[u8], now: u64) -> Network {
    let mut network = fresh();
    network.load(saved, now).unwrap();
    network
}

fn any_topology() -> impl Strategy<Value = Topology> {
    prop::sample::select(vec![Topology::Mesh, Topology::Sierpinski, Topology::Expander])
}

proptest! {
    #[test]
    fn who_was_away_between_any_two_events_is_as_if_it_had_stayed(topology in any_topology(), events in prop::collection::vec(any_event(), 0..60)) {
        let (mut stayed, mut away) = (entered(topology), entered(topology));
        let (mut now, mut same) = (0, 0);
        for event in &events {
            let saved = away.save().unwrap();
            away = again(&saved, now);
            prop_assert_eq!(away.save().unwrap(), saved);
            prop_assert_eq!(happen(&mut away, event, &mut same), happen(&mut stayed, event, &mut now));
        }
    }

    #[test]
    fn what_is_altered_is_read_as_something_else_or_not_at_all(
        events in prop::collection::vec(any_event(), 0..40), at in any::<prop::sample::Index>(), other: u8, cut: bool
    ) {
        let (mut network, mut now) = (entered(Topology::Mesh), 0);
        events.iter().for_each(|event| _ = happen(&mut network, event, &mut now));
        let mut bytes = network.save().unwrap();
        bytes.truncate(bytes.len() - 8);
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = other;
        }
        let bytes = seal(bytes);
        let mut read = fresh();
        match read.load(&bytes, now) {
            Ok(()) => {
                // Whatever it says, nothing breaks.
                for event in &events {
                    happen(&mut read, event, &mut now);
                }
                prop_assert_eq!(again(&bytes, 0).save().unwrap(), bytes);
            }
            Err(_) => prop_assert_eq!(read.save().unwrap_err(), fresh().save().unwrap_err(), "nothing has changed"),
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let misplaced =
        |result: Result<(), OrchestrationError>| assert!(matches!(result, Err(OrchestrationError::Misplaced(_))));
    assert!(
        matches!(fresh().save(), Err(OrchestrationError::Misplaced(_))),
        "it does not run free"
    );
    let saved = entered(Topology::Mesh).save().unwrap();
    for (me, agents, coloring) in [
        (AgentId(2), AGENTS, true),
        (AgentId::new(1, 1).unwrap(), AGENTS, true),
        (AgentId(1), AGENTS + 1, true),
        (AgentId(1), AGENTS, false),
    ] {
        misplaced(Network::new(me, agents, coloring, Topology::Mesh).load(&saved, 0));
    }
    misplaced(entered(Topology::Mesh).load(&saved, 0));
    let mut running = fresh();
    running.begin_round().unwrap();
    misplaced(running.load(&saved, 0));
    let mut flipped = saved.clone();
    flipped[6] ^= 1;
    for broken in [&saved[..9], &flipped, b""] {
        assert!(matches!(fresh().load(broken, 0), Err(OrchestrationError::Malformed(_))));
    }
}

#[test]
fn the_silence_of_others_while_this_one_was_away_says_nothing_of_them() {
    let mut network = entered(Topology::Mesh);
    let others = [0, 2, 3, 4];
    for tick in 1..10 {
        others.iter().for_each(|&number| network.hear(number, tick * SECOND));
        assert_eq!(network.review(tick * SECOND), []);
    }
    let saved = network.save().unwrap();
    let day = 86_400 * SECOND;
    assert_eq!(
        network.review(day),
        others,
        "had it been there, it would have heard them"
    );
    let mut woken = again(&saved, day);
    assert_eq!(woken.review(day), []);
    assert!(others.iter().all(|&number| woken.suspicion(number, day) < SUSPECTED));
    // However often it is away before it comes to a review.
    let mut twice = again(&again(&saved, day / 2).save().unwrap(), day);
    assert_eq!(seen(&twice, day), seen(&again(&saved, day), day));
    // From then on it counts.
    let later = day + 20 * SECOND;
    assert_eq!(twice.review(later), others);
}
