//! Chrome's Trace Event Format, which <https://ui.perfetto.dev> and `chrome://tracing` open. Its specification:
//! <https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU>.

use std::collections::BTreeMap;

use eqmesh_replica::AgentId;
use eqmesh_timeline::{Event, EventKind, Timestamp};
use serde::Serialize;

use crate::document::EventRecord;
use crate::{AgentName, Timeline, Vocabulary as _};

/// One event of the format. The fields are the format's.
#[derive(Serialize)]
struct TraceEvent<A> {
    name: &'static str,
    cat: &'static str,
    ph: &'static str,
    /// Microseconds since the first event.
    ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    pid: usize,
    /// An agent does one thing at a time: its only thread bears the number of its process.
    tid: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    /// An arrow ends at the slice around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    /// An instant is one of its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<A>,
}

/// What a process is called, and where it stands.
#[derive(Serialize)]
#[serde(untagged)]
enum Label {
    Name { name: String },
    SortIndex { sort_index: usize },
}

#[derive(Serialize)]
#[serde(untagged)]
enum Line {
    Label(TraceEvent<Label>),
    Event(TraceEvent<EventRecord>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Trace {
    display_time_unit: &'static str,
    other_data: OtherData,
    #[serde(rename = "traceEvents")]
    lines: Vec<Line>,
}

#[derive(Serialize)]
struct OtherData {
    /// The hybrid clock at the time 0 of the trace.
    start_micros: u64,
    left_out: u64,
}

/// The longest that a message's slice takes, in nanoseconds: long enough to be seen, and not so long that it looks like work.
const SLICE: u64 = 1_000;

/// Nanoseconds since the start. The logical part of the clock counts as nanoseconds, up to the last one of its microsecond, so that what has the same
/// physical time is still shown in order.
fn nanos(at: Timestamp, start: u64) -> u64 {
    let micros = at.micros.saturating_sub(start).saturating_mul(1_000);
    micros.saturating_add(u64::from(at.logical).min(999))
}

fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1_000.0
}

/// For each beginning of a synchronisation its end: the next event of its agent that begins or ends one must end it. So no two of an agent overlap.
fn syncs(events: &[Event]) -> BTreeMap<usize, usize> {
    let mut open: BTreeMap<AgentId, usize> = BTreeMap::new();
    let mut spans = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        let entry = &event.entry;
        match entry.kind {
            EventKind::SyncStarted => _ = open.insert(entry.agent, at),
            EventKind::SyncCompleted => {
                if let Some(start) = open.remove(&entry.agent) {
                    let begun = &events[start].entry;
                    if (begun.peer, begun.message) == (entry.peer, entry.message) {
                        spans.insert(start, at);
                    }
                }
            }
            _ => {}
        }
    }
    spans
}

/// A timeline in Chrome's Trace Event Format: a process for each agent; a slice for each synchronisation, each sending and each reception; an arrow
/// from the sending of a message to each of its receptions; an instant for everything else. Each has all that is known of it as arguments.
///
/// O(n log n); about 400 bytes for each event.
pub fn perfetto(timeline: &Timeline) -> String {
    let events = timeline.events();
    let start = events.first().map_or(0, |event| event.at.micros);
    let agents = timeline.agents();
    // 0 stands for the idle process.
    let process = |agent: AgentId| agents.partition_point(|&other| other < agent) + 1;
    let mut lines = Vec::new();
    for &agent in &agents {
        let number = AgentName(agent);
        let name = match timeline.names().get(&agent) {
            Some(name) => format!("agent {number} ({name})"),
            None => format!("agent {number}"),
        };
        let pid = process(agent);
        let thread = format!("agent {number}");
        for (about, label) in [
            ("process_name", Label::Name { name }),
            ("process_sort_index", Label::SortIndex { sort_index: pid }),
            ("thread_name", Label::Name { name: thread }),
        ] {
            lines.push(Line::Label(TraceEvent {
                name: about,
                cat: "__metadata",
                ph: "M",
                ts: 0.0,
                dur: None,
                pid,
                tid: pid,
                id: None,
                bp: None,
                s: None,
                args: Some(label),
            }));
        }
    }
    let mut next = vec![None; events.len()];
    let mut last = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        if let Some(before) = last.insert(event.entry.agent, at) {
            let following: &mut Option<usize> = &mut next[before];
            *following = Some(at);
        }
    }
    let time = |at: usize| nanos(events[at].at, start);
    let spans = syncs(events);
    // The numbers of the arrows that leave from an event. The one that ends at it is found by it.
    let mut leaving: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (id, arrow) in timeline.arrows().iter().enumerate() {
        leaving.entry(arrow.from).or_default().push(id);
    }
    for (at, event) in events.iter().enumerate() {
        let kind = event.entry.kind;
        let (ts, pid) = (time(at), process(event.entry.agent));
        let line = |name, ph, args| TraceEvent {
            name,
            cat: "eqmesh",
            ph,
            ts: micros(ts),
            dur: None,
            pid,
            tid: pid,
            id: None,
            bp: None,
            s: None,
            args,
        };
        let record = Some(EventRecord::from(event));
        let whole = match (kind, spans.get(&at)) {
            (EventKind::SyncStarted, Some(&end)) => TraceEvent {
                dur: Some(micros(time(end) - ts)),
                ..line("sync", "X", record)
            },
            (EventKind::Sent | EventKind::Received, _) => {
                let room = next[at].map_or(SLICE, |next| time(next) - ts);
                TraceEvent {
                    dur: Some(micros(room.min(SLICE))),
                    ..line(kind.word(), "X", record)
                }
            }
            _ => TraceEvent {
                s: Some("t"),
                ..line(kind.word(), "i", record)
            },
        };
        lines.push(Line::Event(whole));
        let arriving = timeline.arrows().binary_search_by_key(&at, |arrow| arrow.to);
        for id in leaving.remove(&at).unwrap_or_default() {
            lines.push(Line::Event(TraceEvent {
                id: Some(id),
                ..line("message", "s", None)
            }));
        }
        if let Ok(id) = arriving {
            lines.push(Line::Event(TraceEvent {
                id: Some(id),
                bp: Some("e"),
                ..line("message", "f", None)
            }));
        }
    }
    let trace = Trace {
        display_time_unit: "ns",
        other_data: OtherData {
            start_micros: start,
            left_out: timeline.left_out(),
        },
        lines,
    };
    serde_json::to_string(&trace).expect("all keys are words, all numbers finite, and writing to memory does not fail")
}
