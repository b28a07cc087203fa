use eqmesh_replica::{Dot, VersionVector};
use eqmesh_timeline::{Causality, Entry, Log, Phase};
use proptest::prelude::*;

use super::*;

fn entry(kind: EventKind, agent: u32, peer: Option<u32>, message: Option<u64>) -> Entry {
    Entry {
        kind,
        agent: AgentId(agent),
        peer: peer.map(AgentId),
        message,
        fact: None,
        version: VersionVector::default(),
        bytes: 100,
        round: 0,
        phase: Phase::Live,
    }
}

/// What three agents do, each with a log of its own: steps, sendings to everybody, and receptions of anything that was sent before.
fn run(doings: &[(u32, u8, usize)]) -> Timeline {
    let mut logs: Vec<Log> = (0..3).map(|_| Log::new(1_000)).collect();
    let mut sent: Vec<(u32, Event)> = Vec::new();
    let mut events = Vec::new();
    for (now, &(agent, doing, which)) in (1_700_000_000_000_000..).zip(doings) {
        let log = &mut logs[agent as usize];
        let event = match doing {
            0 => log.record(entry(EventKind::Step, agent, None, None), now, None),
            1 => {
                let message = Some(sent.len() as u64);
                let event = log.record(entry(EventKind::Sent, agent, None, message), now, None);
                sent.push((agent, event.clone()));
                event
            }
            _ => {
                let Some((sender, sending)) = sent.get(which % sent.len().max(1)) else {
                    continue;
                };
                if *sender == agent {
                    continue;
                }
                let received = entry(EventKind::Received, agent, Some(*sender), sending.entry.message);
                log.record(received, now, Some(sending.at))
            }
        };
        events.push(event);
    }
    Timeline::new(events)
}

fn doings() -> impl Strategy<Value = Vec<(u32, u8, usize)>> {
    prop::collection::vec((0_u32..3, 0_u8..4, 0_usize..50), 0..60)
}

/// The place of an event among the shown ones of its lane.
fn place(view: &View, at: usize) -> usize {
    let lane = view.events[at].lane;
    view.events[..at].iter().filter(|event| event.lane == lane).count()
}

proptest! {
    /// Comparing numbers says the same as following all ways, also where events in between are not shown.
    #[test]
    fn clocks_say_who_could_have_caused_what(doings in doings(), kinds in prop::collection::vec(any::<bool>(), 3), limit in 1_usize..60) {
        let timeline = run(&doings);
        let wanted = [EventKind::Step, EventKind::Sent, EventKind::Received];
        let kinds = wanted.into_iter().zip(kinds).filter(|(_, wanted)| *wanted).map(|(kind, _)| kind).collect();
        let filter = Filter { limit, kinds, ..Filter::default() };
        let view = View::of(&timeline, &Applied::new(), &filter);
        let (chosen, total) = filter.choose(&timeline, &Applied::new());
        prop_assert_eq!((view.shown, view.total), (chosen.len(), total));
        for (at, &position) in chosen.iter().enumerate() {
            let causality = timeline.causality(position);
            let event = &view.events[at];
            for (other, &earlier) in chosen.iter().enumerate() {
                let past = place(&view, other) < event.clock[view.events[other].lane];
                let expected = matches!(causality[earlier], Causality::Before | Causality::Same);
                prop_assert_eq!(past, expected, "{} before {}", view.events[other].id, event.id);
            }
        }
        for arrow in &view.arrows {
            prop_assert_eq!(view.events[arrow.to].cause.as_ref(), Some(&view.events[arrow.from].id));
        }
    }

    /// What had happened up to a moment is what comes first of all that has happened, and the same as it looks from later.
    #[test]
    fn a_moment_of_the_past_is_a_beginning(doings in doings(), moment in 0_u64..60) {
        let timeline = run(&doings);
        let until = 1_700_000_000_000_000 + moment;
        let whole = View::of(&timeline, &Applied::new(), &Filter::default());
        let then = View::of(&timeline, &Applied::new(), &Filter { until, ..Filter::default() });
        let happened = whole.events.iter().take_while(|event| event.at <= until).count();
        prop_assert_eq!((then.shown, then.total), (happened, happened));
        for (now, before) in whole.events.iter().zip(&then.events) {
            prop_assert_eq!((&now.id, &now.clock), (&before.id, &before.clock));
        }
        prop_assert!(whole.events[happened..].iter().all(|event| event.at > until));
    }

    /// Whatever is recorded, events in a circle included: positions ascend from 0 to 1, every event counts itself, and nothing panics.
    #[test]
    fn any_events_have_a_view(
        wild in prop::collection::vec((0_u32..4, 0_usize..10, 0_u32..4, 0_u64..6, 0_u64..200), 0..50),
        after in 0_u64..100,
    ) {
        let events = (0..).zip(wild).map(|(index, (agent, kind, peer, message, micros))| Event {
            index,
            at: eqmesh_timeline::Timestamp { micros, logical: 0 },
            entry: entry(EventKind::ALL[kind], agent, Some(peer), Some(message)),
        });
        let filter = Filter { after, ..Filter::default() };
        let view = View::of(&Timeline::new(events), &Applied::new(), &filter);
        let xs: Vec<f64> = view.events.iter().map(|event| event.x).collect();
        prop_assert!(xs.is_sorted());
        if xs.len() > 1 {
            prop_assert_eq!((xs[0], xs[xs.len() - 1]), (0.0, 1.0));
        }
        for (at, event) in view.events.iter().enumerate() {
            prop_assert!(event.at > after);
            prop_assert!(event.clock[event.lane] > place(&view, at));
            prop_assert_eq!(event.clock.len(), view.lanes.len());
        }
    }
}

#[test]
fn an_event_says_what_happened_and_why() {
    let mut step = entry(EventKind::Step, 1, None, None);
    let dot = |sequence| Dot {
        agent: AgentId(1),
        sequence,
    };
    step.version = [dot(2)].into_iter().collect();
    step.fact = Some(dot(5));
    let mut log = Log::new(10);
    let step = log.record(step, 10, None);
    let sent = log.record(entry(EventKind::Sent, 1, Some(2), Some(12)), 20, None);
    let received = Log::new(10).record(
        entry(EventKind::Received, 2, Some(1), Some(12)),
        61_000_000,
        Some(sent.at),
    );
    let rules = Rules::from([("comm-add".to_owned(), 2), ("assoc".to_owned(), 1)]);
    let applied = Applied::from([((AgentId(1), 0), rules)]);
    let timeline = Timeline::new([step, sent, received]).leaving_out(4);
    let view = View::of(&timeline, &applied, &Filter::default());
    let texts: Vec<&str> = view.events.iter().map(|event| event.text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "agent 1 makes a step, up to its fact 5: comm-add × 2, assoc × 1",
            "agent 1 sends message 12 to agent 2 (100 bytes)",
            "agent 2 receives message 12 from agent 1 (100 bytes), caused by its sending at 00:00:00.000020",
        ]
    );
    assert_eq!(view.events[0].rule.as_deref(), Some("comm-add"));
    assert_eq!(view.events[0].fact.as_deref(), Some("1#5"));
    assert_eq!(view.events[2].cause.as_deref(), Some("1.0.1"));
    assert_eq!(view.events[2].clock, [2, 1]);
    assert_eq!(view.arrows, [Arrow { from: 1, to: 2 }]);
    assert_eq!(view.lanes[0].name, "agent 1");
    assert_eq!(view.left_out, 4);

    let by_rule = Filter {
        rule: Some("assoc".to_owned()),
        ..Filter::default()
    };
    let view = View::of(&timeline, &applied, &by_rule);
    assert_eq!((view.shown, view.total, view.events[0].index), (1, 1, 0));
    let of_two = Filter {
        agents: [2].into(),
        ..Filter::default()
    };
    let exported = of_two.apply(&timeline, &applied);
    assert_eq!((exported.events().len(), exported.left_out()), (1, 6));
    assert_eq!(
        View::of(&timeline, &applied, &of_two).events[0].cause.as_deref(),
        Some("1.0.1")
    );
}
