//! Laws of the exports, for whatever is recorded; and an example.

use eqmesh_replica::{AgentId, Dot, VersionVector};
use eqmesh_timeline::{Entry, Event, EventKind, Log, Phase, Timestamp};
use eqmesh_trace::{Document, DocumentError, Drawing, MAX_DRAWN, Timeline, json, perfetto, svg};
use proptest::prelude::*;
use serde_json::Value;

fn agent() -> impl Strategy<Value = AgentId> {
    (0_u32..3, 0_u32..2).prop_map(|(number, incarnation)| AgentId(incarnation << 16 | number))
}

fn entry() -> impl Strategy<Value = Entry> {
    let phases = [Phase::Backfill, Phase::Verify, Phase::Live, Phase::Reconcile];
    let message = prop_oneof![4 => (0_u64..5).prop_map(Some), 1 => Just(None), 1 => any::<u64>().prop_map(Some)];
    let version = prop::collection::vec((agent(), 1_u64..100), 0..3);
    let dot = |(agent, sequence)| Dot { agent, sequence };
    // Messages matter most here.
    let kinds = [
        [EventKind::Sent, EventKind::Received].repeat(6),
        EventKind::ALL.to_vec(),
    ]
    .concat();
    (
        prop::sample::select(kinds),
        (agent(), prop::option::weighted(0.9, agent())),
        message,
        prop::option::of((agent(), any::<u64>()).prop_map(dot)),
        version.prop_map(move |entries| entries.into_iter().map(dot).collect::<VersionVector>()),
        (any::<u64>(), any::<u32>(), prop::sample::select(phases.to_vec())),
    )
        .prop_map(
            |(kind, (agent, peer), message, fact, version, (bytes, round, phase))| Entry {
                kind,
                agent,
                peer,
                message,
                fact,
                version,
                bytes,
                round,
                phase,
            },
        )
}

/// A log of several agents, which may contradict itself: messages that are received before they are sent, or sent twice.
fn log() -> impl Strategy<Value = (Log, Vec<Event>)> {
    let heard = prop::option::of((0_u64..5_000, 0_u32..5).prop_map(|(micros, logical)| Timestamp { micros, logical }));
    prop::collection::vec((entry(), 0_u64..5_000, heard), 0..40).prop_map(|entries| {
        let mut log = Log::new(100);
        let record = |(entry, now, heard)| log.record(entry, now, heard);
        let events = entries.into_iter().map(record).collect();
        (log, events)
    })
}

/// Events of which any may be anything, times and indices included.
fn wild() -> impl Strategy<Value = Vec<Event>> {
    let at = prop_oneof![(0_u64..50, 0_u32..3), (any::<u64>(), any::<u32>())];
    let event = (0_u64..50, at, entry()).prop_map(|(index, (micros, logical), entry)| Event {
        index,
        at: Timestamp { micros, logical },
        entry,
    });
    prop::collection::vec(event, 0..40)
}

/// Text with all that could be taken for markup, and what neither XML nor JSON can hold as it is.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = [
        "<script>", "</text>", "]]>", "\"", "'", "&amp;", "&", "\\", "\u{0}", "\u{1b}", "\u{ffff}", "\u{202e}", "\n",
        "é", "🦆",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..60).prop_map(|pieces| pieces.concat())
}

fn lines(trace: &str) -> Vec<Value> {
    let trace: Value = serde_json::from_str(trace).unwrap();
    trace["traceEvents"].as_array().unwrap().clone()
}

fn of_class<'a>(document: &'a roxmltree::Document<'a>, class: &str) -> Vec<roxmltree::Node<'a, 'a>> {
    let is = |node: &roxmltree::Node<'_, '_>| {
        let mut classes = node.attribute("class").unwrap_or("").split(' ');
        classes.any(|one| one == class) && node.attribute("aria-hidden").is_none()
    };
    document.descendants().filter(is).collect()
}

proptest! {
    #[test]
    fn a_timeline_does_not_depend_on_the_order_in_which_events_are_given(events in wild(), seed in any::<prop::sample::Index>()) {
        let timeline = Timeline::new(events.clone());
        let mut turned = events.clone();
        if !turned.is_empty() {
            turned.rotate_left(seed.index(events.len()));
        }
        turned.reverse();
        prop_assert_eq!(&Timeline::new(turned.into_iter().chain(events)), &timeline);
        prop_assert!(timeline.events().is_sorted_by_key(|event| event.at));
    }

    #[test]
    fn arrows_and_causality_are_those_of_the_log((log, events) in log()) {
        let timeline = Timeline::new(events);
        for (at, event) in timeline.events().iter().enumerate() {
            prop_assert_eq!(event.index, at as u64);
            let arrow = timeline.arrows().iter().find(|arrow| arrow.to == at);
            let received = event.entry.kind == EventKind::Received && event.entry.peer != Some(event.entry.agent);
            let sendings = if received { log.matching(event.index).unwrap() } else { vec![] };
            prop_assert_eq!(arrow.map(|arrow| arrow.from as u64), sendings.first().copied());
            let causality = timeline.causality(at);
            for (other, stands) in causality.into_iter().enumerate() {
                prop_assert_eq!(log.compare(other as u64, at as u64), Ok(stands));
            }
        }
    }

    #[test]
    fn json_is_read_again((log, events) in log(), more in wild(), name in hostile(), named in agent(), left_out in any::<u64>()) {
        let timeline = Timeline::new(events.into_iter().chain(more)).named(named, name).leaving_out(left_out);
        let metrics = vec![(AgentId(0), log.metrics()), (AgentId(1 << 16), log.metrics_with(AgentId(1)))];
        let text = json(&timeline, &metrics);
        let document = Document::read(&text).unwrap();
        prop_assert_eq!(document.timeline(), timeline);
        prop_assert_eq!(document.metrics(), metrics);
    }

    #[test]
    fn flows_begin_and_end((_, events) in log(), more in wild(), name in hostile(), named in agent()) {
        let timeline = Timeline::new(events.into_iter().chain(more)).named(named, name);
        let lines = lines(&perfetto(&timeline));
        let of = |phase: &str| lines.iter().filter(|line| line["ph"] == phase).collect::<Vec<_>>();
        let arrows = timeline.arrows();
        prop_assert_eq!((of("s").len(), of("f").len()), (arrows.len(), arrows.len()));
        for end in of("f") {
            let begins: Vec<_> = of("s").into_iter().filter(|begin| begin["id"] == end["id"]).collect();
            prop_assert_eq!(begins.len(), 1);
            // Each end of an arrow lies in a slice of its process.
            for (line, name) in [(begins[0], "sent"), (end, "received")] {
                let around = |slice: &&Value| slice["ts"] == line["ts"] && slice["pid"] == line["pid"] && slice["name"] == name;
                prop_assert!(of("X").into_iter().any(|slice| around(&slice)), "{}", line);
            }
        }
        let shown = lines.iter().filter(|line| line["args"]["kind"].is_string()).count();
        let ends = of("X").iter().filter(|line| line["name"] == "sync").count();
        prop_assert_eq!(shown, timeline.events().len());
        prop_assert!(of("X").iter().all(|line| line["dur"].as_f64() >= Some(0.0)));
        prop_assert!(ends <= timeline.events().iter().filter(|event| event.entry.kind == EventKind::SyncCompleted).count());
    }

    #[test]
    fn diagrams_are_svg_and_bounded(
        (_, events) in log(),
        more in wild(),
        (title, name, named) in (hostile(), hostile(), agent()),
        limit in 0_usize..100,
        mark in any::<prop::sample::Index>(),
        left_out in any::<u64>(),
    ) {
        let timeline = Timeline::new(events.into_iter().chain(more)).named(named, name).leaving_out(left_out);
        let all = timeline.events();
        let marked = (!all.is_empty()).then(|| &all[mark.index(all.len())]).map(|event| (event.entry.agent, event.index));
        for marked in [None, marked] {
            let text = svg(&timeline, &Drawing { title: title.clone(), events: limit, marked });
            let document = roxmltree::Document::parse(&text).unwrap();
            let tags = ["svg", "title", "desc", "style", "defs", "marker", "rect", "path", "circle", "g", "text"];
            prop_assert!(document.descendants().filter(roxmltree::Node::is_element).all(|node| tags.contains(&node.tag_name().name())));
            let marks: Vec<_> = of_class(&document, "mark");
            prop_assert_eq!(marks.len(), limit.min(all.len()));
            prop_assert!(marks.iter().all(|mark| mark.attribute("aria-label") == mark.first_child().and_then(|title| title.text())));
            prop_assert!(of_class(&document, "arrow").len() <= timeline.arrows().len());
            if limit >= all.len() {
                prop_assert_eq!(of_class(&document, "arrow").len(), timeline.arrows().len());
            }
            let total = left_out.saturating_add(all.len() as u64);
            let count = format!("{} of {total} events", marks.len());
            prop_assert!(text.contains(&count), "{}", count);
            if marked.is_some() && limit > 0 {
                let rings = of_class(&document, "ring").into_iter().filter(|ring| ring.parent().unwrap().attribute("aria-hidden").is_none());
                prop_assert_eq!(rings.count(), 1, "the marked event is shown");
            }
        }
    }
}

fn happening(kind: EventKind, agent: u32, peer: Option<u32>, message: Option<u64>) -> Entry {
    Entry {
        kind,
        agent: AgentId(agent),
        peer: peer.map(AgentId),
        message,
        fact: None,
        version: VersionVector::default(),
        bytes: 0,
        round: 1,
        phase: Phase::Reconcile,
    }
}

/// Two agents with a log each: the first steps and asks, the second answers, the first steps again; the second steps, unknown to the first.
fn conversation() -> Timeline {
    let (mut ann, mut bob) = (Log::new(10), Log::new(10));
    ann.record(happening(EventKind::Step, 0, None, None), 1_000, None);
    let asked = ann.record(happening(EventKind::Sent, 0, Some(1), Some(4)), 2_000, None);
    // Bob's clock is behind.
    bob.record(happening(EventKind::Received, 1, Some(0), Some(4)), 500, Some(asked.at));
    bob.record(happening(EventKind::SyncStarted, 1, Some(0), Some(4)), 500, None);
    let answered = bob.record(happening(EventKind::Sent, 1, Some(0), Some(0)), 500, None);
    bob.record(happening(EventKind::SyncCompleted, 1, Some(0), Some(4)), 500, None);
    bob.record(happening(EventKind::Step, 1, None, None), 9_000, None);
    ann.record(
        happening(EventKind::Received, 0, Some(1), Some(0)),
        6_000,
        Some(answered.at),
    );
    ann.record(happening(EventKind::Step, 0, None, None), 7_000, None);
    Timeline::new([ann.events(0, 10), bob.events(0, 10)].concat()).named(AgentId(1), "Bob & <co>")
}

#[test]
fn a_conversation_in_order() {
    let timeline = conversation();
    let order: Vec<(u32, u64)> = timeline
        .events()
        .iter()
        .map(|event| (event.entry.agent.0, event.index))
        .collect();
    assert_eq!(
        order,
        [(0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (0, 2), (0, 3), (1, 4)]
    );
    let arrows: Vec<(usize, usize)> = timeline.arrows().iter().map(|arrow| (arrow.from, arrow.to)).collect();
    assert_eq!(arrows, [(1, 2), (4, 6)]);
}

#[test]
fn a_conversation_as_a_trace() {
    let lines = lines(&perfetto(&conversation()));
    let named: Vec<&Value> = lines.iter().filter(|line| line["name"] == "process_name").collect();
    assert_eq!(named[1]["args"]["name"], "agent 1 (Bob & <co>)");
    let sync = lines.iter().find(|line| line["name"] == "sync").unwrap();
    // The clock stands at 2 ms for Bob, a millisecond after the first event: from the second logical step to the fourth.
    assert_eq!(
        (&sync["ts"], &sync["dur"], &sync["pid"]),
        (&1000.002.into(), &0.002.into(), &2.into())
    );
    let flows: Vec<_> = lines
        .iter()
        .filter(|line| line["cat"] == "eqmesh" && line["id"].is_u64())
        .collect();
    let flows: Vec<_> = flows
        .iter()
        .map(|line| (line["ph"].as_str().unwrap(), line["id"].as_u64().unwrap()))
        .collect();
    assert_eq!(flows, [("s", 0), ("f", 0), ("s", 1), ("f", 1)]);
}

#[test]
fn a_conversation_as_a_diagram() {
    let drawing = Drawing {
        title: "A <conversation>".to_owned(),
        marked: Some((AgentId(0), 2)),
        ..Drawing::default()
    };
    let text = svg(&conversation(), &drawing);
    let document = roxmltree::Document::parse(&text).unwrap();
    let labels: Vec<&str> = of_class(&document, "mark")
        .iter()
        .map(|mark| mark.attribute("aria-label").unwrap())
        .collect();
    assert_eq!(
        labels,
        [
            "agent 0: step, round 1, reconcile, at 0.000 ms; could have caused the marked event",
            "agent 0: sent, message 4 to agent 1, round 1, reconcile, at 1.000 ms; could have caused the marked event",
            "agent 1: received, message 4 from agent 0, round 1, reconcile, at 1.000+1 ms; could have caused the marked event",
            "agent 1: sync-started, message 4 from agent 0, round 1, reconcile, at 1.000+2 ms; could have caused the marked event",
            "agent 1: sent, message 0 to agent 0, round 1, reconcile, at 1.000+3 ms; could have caused the marked event",
            "agent 1: sync-completed, message 4 from agent 0, round 1, reconcile, at 1.000+4 ms; concurrent with the marked event",
            "agent 0: received, message 0 from agent 1, round 1, reconcile, at 5.000 ms; the marked event",
            "agent 0: step, round 1, reconcile, at 6.000 ms; the marked event could have caused it",
            "agent 1: step, round 1, reconcile, at 8.000 ms; concurrent with the marked event",
        ]
    );
    assert_eq!(of_class(&document, "causal").len(), 2);
    assert!(
        document
            .descendants()
            .any(|node| node.text() == Some("agent 1 (Bob & <co>)"))
    );
}

#[test]
fn a_conversation_as_json() {
    let text = json(&conversation(), &[]);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], "eqmesh.timeline/1");
    let received = serde_json::json!({
        "index": 0, "at": { "micros": 2_000, "logical": 1 }, "kind": "received", "agent": 1, "incarnation": 0,
        "peer": { "agent": 0, "incarnation": 0 }, "message": 4, "fact": null, "version": {}, "bytes": 0, "round": 1, "phase": "reconcile",
    });
    assert_eq!(value["events"][2], received);
    let other = text.replace("timeline/1", "timeline/2");
    assert!(matches!(Document::read(&other), Err(DocumentError::Schema(schema)) if schema == "eqmesh.timeline/2"));
}

#[test]
fn versions_name_agents_in_one_way() {
    let mut entry = happening(EventKind::Step, 0, None, None);
    entry.version.raise(AgentId(3), 17);
    entry.version.raise(AgentId(1 << 16 | 3), 2);
    let step = Log::new(1).record(entry, 0, None);
    let text = json(&Timeline::new([step]), &[]);
    assert!(text.contains(r#""version":{"3":17,"3.1":2}"#), "{text}");
    for name in ["3.0", "03", "+3", "3.01", "3.", "", "65536", "3.1.1", "-1", "3 "] {
        let wrong = text.replace("\"3.1\"", &format!("\"{name}\""));
        assert!(
            matches!(Document::read(&wrong), Err(DocumentError::Malformed(_))),
            "{name}"
        );
    }
}

#[test]
fn a_diagram_never_shows_more_than_it_may() {
    let mut log = Log::new(5_000);
    let record = |now| log.record(happening(EventKind::Heartbeat, 0, None, None), now, None);
    let timeline = Timeline::new((0..3_000).map(record));
    let text = svg(
        &timeline,
        &Drawing {
            events: usize::MAX,
            ..Drawing::default()
        },
    );
    assert!(text.contains("2000 of 3000 events"));
    assert_eq!(text.matches("graphics-symbol").count(), MAX_DRAWN);
}
