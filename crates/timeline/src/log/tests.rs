//! Tests of the log as a whole, by its public interface.

use std::collections::BTreeSet;

use eqmesh_replica::{Dot, VersionVector};
use proptest::prelude::*;

use super::*;
use crate::{EventKind, Latency, MAX_PEERS, Phase};

fn entry(kind: EventKind, agent: u32, peer: Option<u32>, message: Option<u64>) -> Entry {
    let fact = Dot {
        agent: AgentId(agent),
        sequence: 1,
    };
    Entry {
        kind,
        agent: AgentId(agent),
        peer: peer.map(AgentId),
        message,
        fact: Some(fact),
        version: VersionVector::from_iter([fact]),
        bytes: 100,
        round: 1,
        phase: Phase::Reconcile,
    }
}

fn step(agent: u32) -> Entry {
    entry(EventKind::Step, agent, None, None)
}

fn sent(agent: u32, peer: impl Into<Option<u32>>, message: u64) -> Entry {
    entry(EventKind::Sent, agent, peer.into(), Some(message))
}

fn received(agent: u32, peer: u32, message: u64) -> Entry {
    entry(EventKind::Received, agent, Some(peer), Some(message))
}

/// Records an event and answers its index.
fn add(log: &mut Log, entry: Entry, now: u64) -> u64 {
    log.record(entry, now, None).index
}

fn time(micros: u64, logical: u32) -> Timestamp {
    Timestamp { micros, logical }
}

#[test]
fn events_are_numbered_stamped_and_listed() {
    let mut log = Log::new(10);
    assert_eq!(log.events(0, 10), []);
    let recorded = [1_000, 1_000, 2_000, 500].map(|now| log.record(step(0), now, None));
    assert_eq!(recorded.each_ref().map(|event| event.index), [0, 1, 2, 3]);
    assert_eq!(recorded[0].entry, step(0));
    let stamps = [time(1_000, 0), time(1_000, 1), time(2_000, 0), time(2_000, 1)];
    assert_eq!(recorded.each_ref().map(|event| event.at), stamps);
    assert_eq!(log.events(0, 10), recorded);
    assert_eq!(log.events(1, 2), recorded[1..3]);
    assert_eq!(log.events(4, 2), []);
    assert_eq!(log.events(u64::MAX, u32::MAX), []);
    assert_eq!(log.events(0, 0), []);
}

#[test]
fn a_reception_comes_after_the_senders_time() {
    let mut log = Log::new(10);
    let event = log.record(received(0, 1, 7), 1_000, Some(time(9_000, 4)));
    assert_eq!(event.at, time(9_000, 5));
    assert_eq!(log.record(step(0), 1_001, None).at, time(9_000, 6));
    assert_eq!(log.record(step(0), 10_000, None).at, time(10_000, 0));
}

/// 0 sends 7 to 1, who steps in between, receives it and steps again; 0 steps too.
fn conversation() -> (Log, [u64; 5]) {
    let mut log = Log::new(100);
    let said = [
        (sent(0, 1, 7), 10),
        (step(1), 11),
        (received(1, 0, 7), 30),
        (step(1), 31),
        (step(0), 32),
    ];
    let events = said.map(|(entry, now)| add(&mut log, entry, now));
    (log, events)
}

#[test]
fn causality_is_decided_by_program_order_and_messages() {
    let (log, [send, apart, receive, after, own]) = conversation();
    let cases = [
        (send, send, Causality::Same),
        (send, receive, Causality::Before),
        (receive, send, Causality::After),
        (send, after, Causality::Before),
        (apart, receive, Causality::Before),
        (send, apart, Causality::Concurrent),
        (own, after, Causality::Concurrent),
        (own, receive, Causality::Concurrent),
        (send, own, Causality::Before),
    ];
    for (a, b, expected) in cases {
        assert_eq!(log.compare(a, b), Ok(expected), "{a} and {b}");
    }
    assert_eq!(log.past(after), Ok(vec![send, apart, receive]));
    assert_eq!(log.past(own), Ok(vec![send]));
    assert_eq!(log.past(send), Ok(vec![]));
    assert_eq!(log.matching(send), Ok(vec![receive]));
    assert_eq!(log.matching(receive), Ok(vec![send]));
    assert_eq!(log.matching(own), Ok(vec![]));
    assert_eq!(log.compare(99, send), Err(TimelineError::Absent(99)));
    assert_eq!(log.compare(send, 99), Err(TimelineError::Absent(99)));
    assert_eq!(log.past(99), Err(TimelineError::Absent(99)));
    assert_eq!(log.matching(99), Err(TimelineError::Absent(99)));
}

#[test]
fn causality_passes_through_third_parties() {
    let mut log = Log::new(100);
    let first = add(&mut log, step(0), 1);
    add(&mut log, sent(0, 1, 1), 2);
    let late = add(&mut log, step(0), 3);
    add(&mut log, received(1, 0, 1), 4);
    add(&mut log, sent(1, 2, 1), 5);
    let last = add(&mut log, received(2, 1, 1), 6);
    assert_eq!(log.compare(first, last), Ok(Causality::Before));
    assert_eq!(log.compare(late, last), Ok(Causality::Concurrent));
    assert_eq!(log.past(last), Ok(vec![0, 1, 3, 4]));
}

#[test]
fn ids_belong_to_their_senders() {
    let mut log = Log::new(100);
    let ones = [sent(1, None, 7), received(0, 1, 7), received(2, 1, 7)].map(|entry| add(&mut log, entry, 1));
    let other = [sent(2, 0, 7), received(0, 2, 7)].map(|entry| add(&mut log, entry, 1));
    assert_eq!(log.matching(ones[0]), Ok(vec![ones[1], ones[2]]));
    assert_eq!(log.matching(other[1]), Ok(vec![other[0]]));
    // Neither says which message it is about.
    let vague = [
        entry(EventKind::Received, 0, None, Some(7)),
        entry(EventKind::Sent, 1, None, None),
    ];
    for vague in vague {
        let event = add(&mut log, vague, 1);
        assert_eq!(log.matching(event), Ok(vec![]));
    }
}

#[test]
fn the_order_of_recording_does_not_matter_between_agents() {
    let mut log = Log::new(100);
    let receive = add(&mut log, received(1, 0, 7), 30);
    let after = add(&mut log, step(1), 31);
    assert_eq!(log.metrics().latency.count, 0);
    let before = add(&mut log, step(0), 9);
    let send = add(&mut log, sent(0, 1, 7), 10);
    assert_eq!(log.compare(send, after), Ok(Causality::Before));
    assert_eq!(log.past(receive), Ok(vec![before, send]));
    assert_eq!(log.matching(receive), Ok(vec![send]));
    assert_eq!(log.metrics().latency.max, 20);
}

#[test]
fn only_the_first_sending_of_a_message_is_a_cause_for_certain() {
    let mut log = Log::new(4);
    let sendings = [1, 2].map(|now| add(&mut log, sent(0, 1, 7), now));
    let receive = add(&mut log, received(1, 0, 7), 10);
    assert_eq!(log.matching(receive), Ok(sendings.to_vec()));
    assert_eq!(log.compare(sendings[0], receive), Ok(Causality::Before));
    assert_eq!(log.compare(sendings[1], receive), Ok(Causality::Concurrent));
    // The first is folded: nothing is known of the second still.
    add(&mut log, step(2), 11);
    add(&mut log, step(2), 12);
    assert_eq!(log.matching(receive), Ok(vec![sendings[1]]));
    assert_eq!(log.compare(sendings[1], receive), Ok(Causality::Concurrent));
    assert_eq!(log.past(receive), Ok(vec![]));
}

#[test]
fn a_log_that_contradicts_itself_is_a_partial_order_still() {
    let mut log = Log::new(100);
    // Each receives what the other sends later.
    let first = add(&mut log, step(0), 1);
    let circle =
        [received(0, 1, 1), sent(0, 1, 2), received(1, 0, 2), sent(1, 0, 1)].map(|entry| add(&mut log, entry, 1));
    let last = add(&mut log, step(1), 1);
    assert_eq!(log.compare(circle[0], circle[2]), Ok(Causality::Concurrent));
    assert_eq!(log.compare(circle[2], circle[0]), Ok(Causality::Concurrent));
    assert_eq!(log.compare(circle[0], circle[1]), Ok(Causality::Before));
    assert_eq!(log.past(circle[1]), Ok(vec![first, circle[0]]));
    assert_eq!(log.past(circle[3]), Ok(vec![first, circle[2]]));
    assert_eq!(
        log.past(last),
        Ok(vec![first, circle[0], circle[1], circle[2], circle[3]])
    );
    // A message to oneself adds nothing to program order.
    let oneself = [received(5, 5, 1), sent(5, 5, 1)].map(|entry| add(&mut log, entry, 1));
    assert_eq!(log.compare(oneself[0], oneself[1]), Ok(Causality::Before));
    assert_eq!(log.past(oneself[1]), Ok(vec![oneself[0]]));
}

#[test]
fn metrics_count_everything() {
    let (log, _) = conversation();
    let metrics = log.metrics();
    let count = |kind| metrics.counts.iter().find(|(known, _)| *known == kind).unwrap().1;
    assert_eq!(
        metrics.counts.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        EventKind::ALL
    );
    assert_eq!(
        [EventKind::Sent, EventKind::Received, EventKind::Step].map(count),
        [1, 1, 3]
    );
    assert_eq!((metrics.messages_sent, metrics.bytes_sent), (1, 100));
    assert_eq!((metrics.messages_received, metrics.bytes_received), (1, 100));
    assert_eq!(metrics.folded, 0);
    let latency = Latency {
        count: 1,
        p50: 20,
        p95: 20,
        p99: 20,
        max: 20,
    };
    assert_eq!(metrics.latency, latency);
    assert_eq!(
        log.metrics_with(AgentId(0)).latency,
        latency,
        "the reception names its sender"
    );
    assert_eq!(log.metrics_with(AgentId(1)).latency.count, 0);
}

#[test]
fn latency_is_measured_once_for_each_receiver() {
    let mut log = Log::new(100);
    add(&mut log, sent(0, None, 7), 100);
    // The sending was recorded here, so the sender's time does not count.
    log.record(received(1, 0, 7), 110, Some(time(5, 0)));
    log.record(received(2, 0, 7), 130, Some(time(5, 0)));
    log.record(received(1, 0, 7), 9_000, Some(time(5, 0)));
    let metrics = log.metrics();
    assert_eq!((metrics.messages_received, metrics.latency.count), (3, 2));
    assert_eq!((metrics.latency.p50, metrics.latency.max), (10, 30));
    // The sending was not: then it does.
    log.record(received(1, 5, 1), 10_040, Some(time(10_000, 3)));
    assert_eq!(log.metrics_with(AgentId(5)).latency.max, 40);
    // A sending that is recorded after all changes nothing then, and neither does one without any time.
    add(&mut log, sent(5, 1, 1), 1);
    log.record(received(1, 5, 2), 20_000, None);
    // A sender whose clock is ahead.
    log.record(received(1, 5, 3), 20_000, Some(time(30_000, 0)));
    let latency = log.metrics_with(AgentId(5)).latency;
    assert_eq!((latency.count, latency.p50, latency.max), (2, 0, 40));
}

#[test]
fn metrics_are_kept_by_peer() {
    let mut log = Log::new(100);
    for (message, peer) in [(1, 1), (2, 1), (3, 2)] {
        add(&mut log, sent(0, peer, message), message);
    }
    assert_eq!(log.metrics_with(AgentId(1)).messages_sent, 2);
    assert_eq!(log.metrics_with(AgentId(2)).bytes_sent, 100);
    assert_eq!(log.metrics_with(AgentId(3)).messages_sent, 0);
    assert_eq!(log.metrics().messages_sent, 3);
}

#[test]
fn peers_that_are_kept_apart_are_bounded() {
    let mut log = Log::new(3);
    let many = MAX_PEERS as u32 + 10;
    for peer in (0..many).chain(0..many) {
        add(&mut log, sent(0, peer, 1), 1);
    }
    assert_eq!(log.metrics_with(AgentId(0)).messages_sent, 2);
    assert_eq!(log.metrics_with(AgentId(many - 1)).messages_sent, 0);
    assert_eq!(log.metrics().messages_sent, u64::from(2 * many));
}

#[test]
fn old_events_are_folded_into_the_metrics() {
    let mut log = Log::new(4);
    for message in 0..10 {
        add(&mut log, sent(0, 1, message), message);
    }
    let kept: Vec<u64> = log.events(0, 100).iter().map(|event| event.index).collect();
    assert_eq!(kept, [6, 7, 8, 9]);
    let metrics = log.metrics();
    assert_eq!(
        (metrics.messages_sent, metrics.bytes_sent, metrics.folded),
        (10, 1_000, 6)
    );
    assert_eq!(log.metrics_with(AgentId(1)).folded, 6);
    assert_eq!(log.past(5), Err(TimelineError::Absent(5)));
    assert_eq!(log.past(9), Ok(vec![6, 7, 8]));
}

#[test]
fn at_least_one_event_is_kept() {
    let mut log = Log::new(0);
    add(&mut log, step(0), 1);
    add(&mut log, step(0), 2);
    assert_eq!(log.events(0, 9).len(), 1);
}

#[test]
fn a_long_run_is_recorded_in_bounded_memory() {
    let mut log = Log::new(1_000);
    for message in 0..100_000 {
        let (sender, receiver) = ((message % 9) as u32, ((message + 1) % 9) as u32);
        add(&mut log, sent(sender, receiver, message), 2 * message);
        add(&mut log, received(receiver, sender, message), 2 * message + 1);
    }
    assert_eq!((log.kept.len(), log.order.size()), (1_000, 1_000));
    let metrics = log.metrics();
    assert_eq!((metrics.messages_received, metrics.folded), (100_000, 199_000));
    assert_eq!((metrics.latency.count, metrics.latency.max), (100_000, 1));
    assert_eq!(log.past(199_999).map(|past| past.len()), Ok(999));
}

/// What an agent does: a step, sending a numbered message, or receiving one of somebody.
fn deed() -> impl Strategy<Value = Entry> {
    let (agent, message) = (0_u32..4, 0_u64..6);
    prop_oneof![
        agent.clone().prop_map(step),
        (agent.clone(), message.clone()).prop_map(|(agent, message)| sent(agent, None, message)),
        (agent.clone(), agent, message).prop_map(|(agent, peer, message)| received(agent, peer, message)),
    ]
}

/// Happened-before by its definition: the transitive closure of program order and messages, less the circles.
fn before(kept: &[Event], first: &BTreeSet<u64>) -> BTreeSet<(u64, u64)> {
    let letter = |event: &Event| event.entry.letter();
    let mut leads = vec![vec![false; kept.len()]; kept.len()];
    for (i, a) in kept.iter().enumerate() {
        for (j, b) in kept.iter().enumerate() {
            let program = a.entry.agent == b.entry.agent && a.index < b.index;
            let message =
                matches!((letter(a), letter(b)), (Some((x, End::Sending)), Some((y, End::Reception))) if x == y);
            leads[i][j] = program || (message && a.entry.agent != b.entry.agent && first.contains(&a.index));
        }
    }
    for via in 0..kept.len() {
        for i in 0..kept.len() {
            for j in 0..kept.len() {
                leads[i][j] |= leads[i][via] && leads[via][j];
            }
        }
    }
    let mut before = BTreeSet::new();
    for (i, a) in kept.iter().enumerate() {
        for (j, b) in kept.iter().enumerate() {
            let same = a.entry.agent == b.entry.agent;
            if if same { i < j } else { leads[i][j] && !leads[j][i] } {
                before.insert((a.index, b.index));
            }
        }
    }
    before
}

proptest! {
    #[test]
    fn causality_is_that_of_its_definition(deeds in prop::collection::vec(deed(), 1..30), capacity in 1_u32..40) {
        let mut log = Log::new(capacity);
        let mut all = Vec::new();
        for (now, deed) in deeds.into_iter().enumerate() {
            all.push(log.record(deed, now as u64, None));
        }
        let kept = log.events(0, u32::MAX);
        prop_assert_eq!(&kept[..], &all[all.len() - kept.len()..]);
        // Which sendings are the first of their message, as far as the log could know: no other was kept when they were recorded.
        let first = all.iter().filter(|event| {
            let oldest = (event.index + 1).saturating_sub(u64::from(capacity));
            let earlier = &all[oldest as usize..event.index as usize];
            !earlier.iter().any(|other| other.entry.letter() == event.entry.letter())
        });
        let first = first.map(|event| event.index).collect();
        let expected = before(&kept, &first);
        for a in &kept {
            for b in &kept {
                let (a, b) = (a.index, b.index);
                let causality = match (expected.contains(&(a, b)), expected.contains(&(b, a))) {
                    _ if a == b => Causality::Same,
                    (true, _) => Causality::Before,
                    (_, true) => Causality::After,
                    _ => Causality::Concurrent,
                };
                prop_assert_eq!(log.compare(a, b), Ok(causality), "{} and {}", a, b);
            }
            let past: Vec<u64> = kept.iter().map(|b| b.index).filter(|&b| expected.contains(&(b, a.index))).collect();
            prop_assert_eq!(log.past(a.index), Ok(past));
        }
    }

    #[test]
    fn matching_is_mutual(deeds in prop::collection::vec(deed(), 1..40), capacity in 1_u32..40) {
        let mut log = Log::new(capacity);
        for deed in deeds {
            add(&mut log, deed, 0);
        }
        for event in log.events(0, u32::MAX) {
            for other in log.matching(event.index).unwrap() {
                prop_assert!(log.matching(other).unwrap().contains(&event.index));
            }
        }
    }

    #[test]
    fn metrics_do_not_depend_on_the_capacity(deeds in prop::collection::vec(deed(), 0..40), capacity in 1_u32..40) {
        let (mut small, mut large) = (Log::new(capacity), Log::new(100));
        for deed in &deeds {
            add(&mut small, deed.clone(), 0);
            add(&mut large, deed.clone(), 0);
        }
        let small = small.metrics();
        prop_assert_eq!(small.folded, (deeds.len() as u64).saturating_sub(u64::from(capacity)));
        prop_assert_eq!(Metrics { folded: 0, latency: Latency::default(), ..small }, Metrics { latency: Latency::default(), ..large.metrics() });
    }
}
