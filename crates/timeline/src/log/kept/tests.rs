//! What is saved and loaded goes on as if it had never been away.

use eqmesh_replica::wire::seal;
use eqmesh_replica::{AgentId, Dot, VersionVector};
use proptest::prelude::*;

use crate::{Entry, EventKind, Log, MAX_LATENCY, MAX_PEERS, Phase, TimelineError, Timestamp};

fn any_entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        Just(EventKind::Sent),
        Just(EventKind::Received),
        prop::sample::select(EventKind::ALL.to_vec())
    ];
    let phase = prop::sample::select(vec![Phase::Backfill, Phase::Verify, Phase::Live, Phase::Reconcile]);
    let who = (0u32..3, prop::option::of(0u32..3), prop::option::of(0u64..4));
    let version = prop::collection::btree_map(0u32..3, 1u64..300, 0..3);
    (kind, phase, who, any::<(bool, u16, u8)>(), version).prop_map(
        |(kind, phase, who, (fact, bytes, round), version)| {
            let (agent, peer, message) = who;
            let dot = |(agent, sequence)| Dot {
                agent: AgentId(agent),
                sequence,
            };
            Entry {
                kind,
                agent: AgentId(agent),
                peer: peer.map(AgentId),
                message,
                fact: fact.then(|| dot((agent, 7))),
                version: version.into_iter().map(dot).collect::<VersionVector>(),
                bytes: bytes.into(),
                round: round.into(),
                phase,
            }
        },
    )
}

/// An event as it is recorded: the entry, the time, the sender's time.
type Deed = (Entry, u64, Option<u64>);

fn any_deeds(most: usize) -> impl Strategy<Value = Vec<Deed>> {
    let now = prop_oneof![0u64..100_000, any::<u64>()];
    prop::collection::vec((any_entry(), now.clone(), prop::option::of(now)), 0..most)
}

fn happen(log: &mut Log, (entry, now, sender): &Deed) {
    let at = sender.map(|micros| Timestamp { micros, logical: 3 });
    log.record(entry.clone(), *now, at);
}

/// Everything that a log answers.
fn seen(log: &Log) -> String {
    let events = log.events(0, u32::MAX);
    let pairs = events
        .iter()
        .flat_map(|a| events.iter().map(move |b| (a.index, b.index)));
    let orders: Vec<_> = pairs.map(|(a, b)| log.compare(a, b)).collect();
    let of = |index| (log.past(index), log.matching(index));
    let pasts: Vec<_> = events.iter().map(|event| of(event.index)).collect();
    let peers: Vec<_> = (0..4).map(|peer| log.metrics_with(AgentId(peer))).collect();
    format!("{:?}", (&events, orders, pasts, log.metrics(), peers))
}

fn again(saved: &[u8], capacity: u32) -> Log {
    let mut log = Log::new(capacity);
    log.load(saved).unwrap();
    log
}

proptest! {
    #[test]
    fn who_was_away_between_any_two_events_is_as_if_it_had_stayed(deeds in any_deeds(30), capacity in 1u32..12) {
        let (mut stayed, mut away) = (Log::new(capacity), Log::new(capacity));
        for deed in &deeds {
            let saved = away.save();
            away = again(&saved, capacity);
            prop_assert_eq!(away.save(), saved);
            happen(&mut stayed, deed);
            happen(&mut away, deed);
            prop_assert_eq!(seen(&away), seen(&stayed));
        }
    }

    #[test]
    fn who_comes_back_with_less_room_has_folded_the_oldest(deeds in any_deeds(30), capacity in 1u32..12) {
        let mut whole = Log::new(100);
        deeds.iter().for_each(|deed| happen(&mut whole, deed));
        let small = again(&whole.save(), capacity);
        prop_assert_eq!(small.metrics().folded, (deeds.len() as u64).saturating_sub(capacity.into()));
        let kept = small.events(0, u32::MAX);
        prop_assert_eq!(&kept, &whole.events(small.metrics().folded, u32::MAX));
    }

    #[test]
    fn what_is_altered_is_read_as_something_else_or_not_at_all(
        deeds in any_deeds(20), at in any::<prop::sample::Index>(), other: u8, cut: bool
    ) {
        let mut log = Log::new(10);
        deeds.iter().for_each(|deed| happen(&mut log, deed));
        let mut bytes = log.save();
        bytes.truncate(bytes.len() - 8);
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] = other;
        }
        let bytes = seal(bytes);
        let (mut read, before) = (log.clone(), seen(&log));
        match read.load(&bytes) {
            Ok(()) => {
                // Whatever it says, nothing breaks.
                deeds.iter().for_each(|deed| happen(&mut read, deed));
                seen(&read);
                prop_assert_eq!(again(&bytes, u32::MAX).save(), bytes);
            }
            Err(error) => {
                prop_assert!(matches!(error, TimelineError::Malformed(_)));
                prop_assert_eq!(seen(&read), before, "nothing has changed");
            }
        }
    }
}

#[test]
fn latencies_of_every_length_come_back() {
    let mut log = Log::new(1);
    for (peer, latency) in [0, 1, 2_047, 2_048, 1_000_000, MAX_LATENCY - 1, MAX_LATENCY, u64::MAX]
        .into_iter()
        .enumerate()
    {
        let entry = Entry {
            kind: EventKind::Received,
            agent: AgentId(0),
            peer: Some(AgentId(peer as u32)),
            message: Some(latency),
            fact: None,
            version: VersionVector::default(),
            bytes: 1,
            round: 0,
            phase: Phase::Live,
        };
        log.record(entry, latency, Some(Timestamp::default()));
        let read = again(&log.save(), 1);
        assert_eq!(read.metrics(), log.metrics());
        assert_eq!(
            read.metrics_with(AgentId(peer as u32)),
            log.metrics_with(AgentId(peer as u32))
        );
    }
}

#[test]
fn as_many_peers_come_back_as_are_kept_apart() {
    let mut log = Log::new(1);
    for peer in 0..MAX_PEERS as u32 + 10 {
        let entry = Entry {
            kind: EventKind::Sent,
            agent: AgentId(0),
            peer: Some(AgentId(peer)),
            message: None,
            fact: None,
            version: VersionVector::default(),
            bytes: 1,
            round: 0,
            phase: Phase::Live,
        };
        log.record(entry, 0, None);
    }
    assert_eq!(again(&log.save(), 1).save(), log.save());
}
