//! The component `interaction-timeline`, alone: every function of its interface, and its one error.

use std::sync::LazyLock;

use eqmesh_host_test::timeline::TimelineComponent;
use eqmesh_host_test::timeline::exports::eqmesh::network::timeline::{Causality, TimelineError};
use eqmesh_host_test::types::{Dot, Entry, Event, EventKind, Phase, Timestamp};
use eqmesh_host_test::{Instance, component};
use wasmtime::component::{Component, ResourceAny};

type Timeline = Instance<TimelineComponent>;

fn start() -> Timeline {
    static COMPONENT: LazyLock<Component> = LazyLock::new(|| component("interaction-timeline"));
    Instance::new(
        (),
        |_| Ok(()),
        |store, linker| TimelineComponent::instantiate(store, &COMPONENT, linker),
    )
}

/// Calls a method of a log.
macro_rules! on {
    ($timeline:ident, $log:expr, $method:ident $(, $argument:expr)*) => {
        $timeline.world.eqmesh_network_timeline().log().$method(&mut $timeline.store, $log $(, $argument)*).unwrap()
    };
}

fn log(timeline: &mut Timeline, capacity: u32) -> ResourceAny {
    timeline
        .world
        .eqmesh_network_timeline()
        .log()
        .call_constructor(&mut timeline.store, capacity)
        .unwrap()
}

fn entry(kind: EventKind, agent: u32, peer: Option<u32>, message: Option<u64>) -> Entry {
    Entry {
        kind,
        agent,
        peer,
        message,
        fact: Some(Dot { agent, sequence: 1 }),
        version: vec![Dot { agent, sequence: 1 }],
        bytes: 100,
        round: 1,
        phase: Phase::Reconcile,
    }
}

fn step(agent: u32) -> Entry {
    entry(EventKind::Step, agent, None, None)
}

fn record(timeline: &mut Timeline, log: ResourceAny, entry: &Entry, now: u64) -> Event {
    on!(timeline, log, call_record, entry, now, None)
}

#[test]
fn events_are_numbered_stamped_and_listed() {
    let mut timeline = start();
    let log = log(&mut timeline, 10);
    assert_eq!(on!(timeline, log, call_events, 0, 10), []);
    let mut recorded = Vec::new();
    for now in [1_000, 1_000, 2_000, 500] {
        recorded.push(record(&mut timeline, log, &step(0), now));
    }
    assert_eq!(
        recorded.iter().map(|event| event.index).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert_eq!(recorded[0].entry, step(0));
    // The hybrid clock never runs back, whatever the physical one does.
    let stamps: Vec<(u64, u32)> = recorded
        .iter()
        .map(|event| (event.at.micros, event.at.logical))
        .collect();
    assert_eq!(stamps, [(1_000, 0), (1_000, 1), (2_000, 0), (2_000, 1)]);
    assert_eq!(on!(timeline, log, call_events, 0, 10), recorded);
    assert_eq!(on!(timeline, log, call_events, 1, 2), recorded[1..3]);
    assert_eq!(on!(timeline, log, call_events, 4, 2), []);
    assert_eq!(on!(timeline, log, call_events, 0, 0), []);
}

#[test]
fn a_reception_comes_after_the_senders_time() {
    let mut timeline = start();
    let log = log(&mut timeline, 10);
    let sent = Timestamp {
        micros: 9_000,
        logical: 4,
    };
    let reception = entry(EventKind::Received, 0, Some(1), Some(7));
    let received = on!(timeline, log, call_record, &reception, 1_000, Some(sent));
    assert_eq!((received.at.micros, received.at.logical), (9_000, 5));
    let next = record(&mut timeline, log, &step(0), 1_001);
    assert_eq!((next.at.micros, next.at.logical), (9_000, 6));
    let later = record(&mut timeline, log, &step(0), 10_000);
    assert_eq!((later.at.micros, later.at.logical), (10_000, 0));
}

/// 0 sends 7 to 1, who steps in between, receives it and steps again; 0 steps too.
fn conversation(timeline: &mut Timeline) -> (ResourceAny, [u64; 5]) {
    let log = log(timeline, 100);
    let send = record(timeline, log, &entry(EventKind::Sent, 0, Some(1), Some(7)), 10).index;
    let apart = record(timeline, log, &step(1), 11).index;
    let receive = record(timeline, log, &entry(EventKind::Received, 1, Some(0), Some(7)), 30).index;
    let after = record(timeline, log, &step(1), 31).index;
    let own = record(timeline, log, &step(0), 32).index;
    (log, [send, apart, receive, after, own])
}

#[test]
fn causality_is_decided_by_program_order_and_messages() {
    let mut timeline = start();
    let (log, [send, apart, receive, after, own]) = conversation(&mut timeline);
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
        assert_eq!(on!(timeline, log, call_compare, a, b), Ok(expected), "{a} and {b}");
    }
    assert_eq!(on!(timeline, log, call_past, after), Ok(vec![send, apart, receive]));
    assert_eq!(on!(timeline, log, call_past, own), Ok(vec![send]));
    assert_eq!(on!(timeline, log, call_past, send), Ok(vec![]));
    assert_eq!(on!(timeline, log, call_matching, send), Ok(vec![receive]));
    assert_eq!(on!(timeline, log, call_matching, receive), Ok(vec![send]));
    assert_eq!(on!(timeline, log, call_matching, own), Ok(vec![]));
    let absent = 99;
    let error = TimelineError::Absent(absent);
    assert!(
        matches!(
            on!(timeline, log, call_compare, absent, send),
            Err(TimelineError::Absent(99))
        ),
        "{error:?}"
    );
    assert!(matches!(
        on!(timeline, log, call_compare, send, absent),
        Err(TimelineError::Absent(99))
    ));
    assert!(matches!(
        on!(timeline, log, call_past, absent),
        Err(TimelineError::Absent(99))
    ));
    assert!(matches!(
        on!(timeline, log, call_matching, absent),
        Err(TimelineError::Absent(99))
    ));
}

#[test]
fn metrics_count_everything() {
    let mut timeline = start();
    let (log, _) = conversation(&mut timeline);
    let metrics = on!(timeline, log, call_metrics);
    let count = |kind: EventKind| {
        metrics
            .counts
            .iter()
            .find(|(known, _)| *known == kind)
            .map_or(0, |&(_, count)| count)
    };
    assert_eq!(
        (
            count(EventKind::Sent),
            count(EventKind::Received),
            count(EventKind::Step)
        ),
        (1, 1, 3)
    );
    assert_eq!((metrics.messages_sent, metrics.bytes_sent), (1, 100));
    assert_eq!((metrics.messages_received, metrics.bytes_received), (1, 100));
    assert_eq!(metrics.folded, 0);
    // Twenty microseconds from sending to reception.
    let latency = &metrics.latency;
    assert_eq!(
        (latency.count, latency.p50, latency.p95, latency.p99, latency.max),
        (1, 20, 20, 20, 20)
    );
}

#[test]
fn metrics_are_kept_by_peer() {
    let mut timeline = start();
    let log = log(&mut timeline, 100);
    for (message, peer) in [(1, 1), (2, 1), (3, 2)] {
        record(
            &mut timeline,
            log,
            &entry(EventKind::Sent, 0, Some(peer), Some(message)),
            message,
        );
    }
    assert_eq!(on!(timeline, log, call_metrics_with, 1).messages_sent, 2);
    assert_eq!(on!(timeline, log, call_metrics_with, 2).bytes_sent, 100);
    assert_eq!(on!(timeline, log, call_metrics_with, 3).messages_sent, 0);
    assert_eq!(on!(timeline, log, call_metrics).messages_sent, 3);
}

#[test]
fn old_events_are_folded_into_the_metrics() {
    let mut timeline = start();
    let log = log(&mut timeline, 4);
    for message in 0..10 {
        record(
            &mut timeline,
            log,
            &entry(EventKind::Sent, 0, Some(1), Some(message)),
            message,
        );
    }
    let kept = on!(timeline, log, call_events, 0, 100);
    assert_eq!(kept.iter().map(|event| event.index).collect::<Vec<_>>(), [6, 7, 8, 9]);
    let metrics = on!(timeline, log, call_metrics);
    assert_eq!(
        (metrics.messages_sent, metrics.bytes_sent, metrics.folded),
        (10, 1_000, 6)
    );
    assert!(matches!(
        on!(timeline, log, call_past, 5),
        Err(TimelineError::Absent(5))
    ));
    assert!(on!(timeline, log, call_past, 9).is_ok());
}

#[test]
fn at_least_one_event_is_kept() {
    let mut timeline = start();
    let log = log(&mut timeline, 0);
    record(&mut timeline, log, &step(0), 1);
    record(&mut timeline, log, &step(0), 2);
    assert_eq!(on!(timeline, log, call_events, 0, 9).len(), 1);
}

#[test]
fn a_log_that_is_saved_and_loaded_goes_on() {
    let mut timeline = start();
    let (whole, events) = conversation(&mut timeline);
    let saved = on!(timeline, whole, call_save);
    let again = log(&mut timeline, 100);
    on!(timeline, again, call_load, &saved).unwrap();
    assert_eq!(on!(timeline, again, call_save), saved);
    assert_eq!(
        on!(timeline, again, call_events, 0, 100),
        on!(timeline, whole, call_events, 0, 100)
    );
    assert_eq!(on!(timeline, again, call_metrics), on!(timeline, whole, call_metrics));
    for event in events {
        assert_eq!(
            on!(timeline, again, call_past, event).unwrap(),
            on!(timeline, whole, call_past, event).unwrap()
        );
    }
    // Both go on alike.
    let next = entry(EventKind::Received, 1, Some(0), Some(7));
    assert_eq!(
        record(&mut timeline, again, &next, 40),
        record(&mut timeline, whole, &next, 40)
    );
    assert_eq!(on!(timeline, again, call_metrics), on!(timeline, whole, call_metrics));
    // With less room the oldest are folded.
    let small = log(&mut timeline, 2);
    on!(timeline, small, call_load, &saved).unwrap();
    assert_eq!(on!(timeline, small, call_events, 0, 100).len(), 2);
    assert_eq!(on!(timeline, small, call_metrics).folded, 3);
    // What is broken changes nothing.
    let before = on!(timeline, small, call_save);
    for broken in [&saved[1..], &saved[..saved.len() - 1], &[]] {
        assert!(matches!(
            on!(timeline, small, call_load, broken),
            Err(TimelineError::Malformed(_))
        ));
    }
    assert_eq!(on!(timeline, small, call_save), before);
}
