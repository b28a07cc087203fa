//! Space-time diagrams: Lamport, "Time, Clocks, and the Ordering of Events", CACM 1978.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Range;

use eqmesh_picture::escape;
use eqmesh_replica::AgentId;
use eqmesh_timeline::{Causality, Event, EventKind, Timestamp};

use crate::document::describe;
use crate::shape::outline;
use crate::{AgentName, Timeline, Vocabulary as _};

/// The most events that a diagram shows, whatever is asked for. Each takes about 400 bytes and up to 60 pixels.
pub const MAX_DRAWN: usize = 2_000;

/// What a diagram shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawing {
    /// What stands above it.
    pub title: String,
    /// How many events it shows: the newest, or those around the marked one. At most [`MAX_DRAWN`].
    pub events: usize,
    /// An event, by its agent and its index there. It is ringed, and what it could have been caused by, or could have caused, stands out. Without
    /// effect if there is no such event.
    pub marked: Option<(AgentId, u64)>,
}

impl Default for Drawing {
    fn default() -> Drawing {
        Drawing {
            title: "What happened".to_owned(),
            events: 200,
            marked: None,
        }
    }
}

/// Widths and heights in pixels.
const CHARACTER: usize = 8;
const MARGIN: usize = 24;
const LANE: usize = 56;
const TOP: usize = 92;
/// Between the labels of two ticks.
const TICK: usize = 100;
/// Of an entry of the legend.
const LEGEND: usize = 150;

/// The longest title and the longest name that are shown in full, in characters.
const MAX_TITLE: usize = 100;
const MAX_NAME: usize = 32;

/// Colors with a contrast of at least 4.5 to their background, in both schemes, but for what is dimmed.
const STYLE: &str = "
text { font: 13px ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; fill: #1b1f24; }
.page { fill: #ffffff; } .heading { font-weight: bold; } .how { fill: #57606a; }
.lane, .tick { stroke: #57606a; fill: none; } .tick { stroke-dasharray: 1 5; }
.arrow { stroke: #57606a; fill: none; } .head { fill: #57606a; } .causal { stroke-width: 2.5; }
.mark path { stroke: #0b4f9e; stroke-width: 1.5; fill: #0b4f9e; } .mark .open { fill: #ffffff; } .mark .line { fill: none; }
.mark .ring, .mark .bar { fill: none; stroke: #b34700; stroke-width: 2; } .apart { opacity: 0.35; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; } .page { fill: #0d1117; } .how { fill: #9aa4ae; }
.lane, .tick, .arrow { stroke: #9aa4ae; } .head { fill: #9aa4ae; }
.mark path { stroke: #79b8ff; fill: #79b8ff; } .mark .open { fill: #0d1117; } .mark .line { fill: none; }
.mark .ring, .mark .bar { stroke: #ffa657; }
}
";

/// Which events are shown: all if they are few enough, or those around the marked one, or the newest.
fn window(count: usize, limit: usize, marked: Option<usize>) -> Range<usize> {
    let shown = count.min(limit);
    let last = count - shown;
    let start = marked.map_or(last, |marked| marked.saturating_sub(shown / 2).min(last));
    start..start + shown
}

/// How far apart two neighbours in time are drawn. It grows with the logarithm of the time between them, from 16 to 60 pixels.
fn gap(micros: u64) -> usize {
    16 + 2 * ((u64::BITS - micros.leading_zeros()) as usize).min(22)
}

/// Milliseconds after the start, and the logical part of the clock.
fn milliseconds(at: Timestamp, start: u64) -> String {
    let micros = at.micros.saturating_sub(start);
    let logical = match at.logical {
        0 => String::new(),
        logical => format!("+{logical}"),
    };
    format!("{}.{:03}{logical}", micros / 1_000, micros % 1_000)
}

fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A line of text whose length is stated, so that the picture is the same with whatever font there is. Answers where it ends.
fn line(body: &mut String, class: &str, x: usize, y: usize, text: &str) -> usize {
    let length = text.chars().count() * CHARACTER;
    if length > 0 {
        let text = escape(text.chars());
        let _ = writeln!(
            body,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\">{text}</text>"
        );
    }
    x + length
}

/// The form of a kind: closed ones are filled.
fn form(kind: EventKind) -> String {
    let class = match kind {
        EventKind::Received => "open",
        EventKind::Sent | EventKind::Step | EventKind::Certified | EventKind::Converged => "closed",
        _ => "line",
    };
    format!("<path class=\"{class}\" d=\"{}\"/>", outline(kind))
}

/// What shows how an event stands to the marked one, and the words for it.
fn emphasis(causality: Causality) -> (&'static str, &'static str) {
    match causality {
        Causality::Same => ("<circle class=\"ring\" r=\"11\"/>", "the marked event"),
        Causality::Before => (
            "<path class=\"bar\" d=\"M-6 12H6\"/>",
            "could have caused the marked event",
        ),
        Causality::After => (
            "<path class=\"bar\" d=\"M-6 -12H6\"/>",
            "the marked event could have caused it",
        ),
        Causality::Concurrent => ("", "concurrent with the marked event"),
    }
}

/// Where the events of a window stand.
struct Layout<'a> {
    events: &'a [Event],
    /// The heights of the lines of agents.
    lanes: BTreeMap<AgentId, usize>,
    /// Of each event.
    columns: Vec<usize>,
    left: usize,
    right: usize,
}

impl Layout<'_> {
    /// What happened at the same time stands in one column, unless it is of one agent.
    fn new<'a>(events: &'a [Event], labels: &BTreeMap<AgentId, String>) -> Layout<'a> {
        let longest = labels.values().map(|label| label.chars().count()).max().unwrap_or(0);
        let left = MARGIN + longest * CHARACTER + 24;
        let mut columns = Vec::with_capacity(events.len());
        let mut x = left;
        let mut last: Option<Timestamp> = None;
        let mut here = BTreeSet::new();
        for event in events {
            if let Some(last) = last
                && (last != event.at || here.contains(&event.entry.agent))
            {
                x += gap(event.at.micros.saturating_sub(last.micros));
                here.clear();
            }
            here.insert(event.entry.agent);
            last = Some(event.at);
            columns.push(x);
        }
        Layout {
            events,
            lanes: labels
                .keys()
                .enumerate()
                .map(|(at, &agent)| (agent, TOP + at * LANE))
                .collect(),
            columns,
            left,
            right: x + MARGIN,
        }
    }

    fn place(&self, at: usize) -> (usize, usize) {
        (self.columns[at], self.lanes[&self.events[at].entry.agent])
    }

    fn bottom(&self) -> usize {
        TOP + self.lanes.len() * LANE
    }

    /// Lines of agents and of time.
    fn grid(&self, body: &mut String, labels: &BTreeMap<AgentId, String>, start: u64) -> usize {
        let mut width = self.right;
        for (agent, y) in &self.lanes {
            line(body, "name", MARGIN, y + 4, &labels[agent]);
            let _ = writeln!(
                body,
                "<path class=\"lane\" d=\"M{} {y}H{}\"/>",
                self.left - 12,
                self.right
            );
        }
        let mut free = 0;
        for (event, &x) in self.events.iter().zip(&self.columns) {
            if x >= free {
                let _ = writeln!(
                    body,
                    "<path class=\"tick\" d=\"M{x} {}V{}\"/>",
                    TOP - 20,
                    self.bottom() - 14
                );
                let end = line(body, "how", x, self.bottom(), &milliseconds(event.at, start));
                free = (x + TICK).max(end + CHARACTER);
                width = width.max(end + MARGIN);
            }
        }
        width
    }
}

/// A legend of the kinds that occur, and of how events stand to the marked one. Answers how far down it reaches.
fn legend(body: &mut String, kinds: &BTreeSet<EventKind>, marked: bool, width: usize, mut y: usize) -> usize {
    let mut entries: Vec<(String, &str)> = kinds.iter().map(|&kind| (form(kind), kind.word())).collect();
    if marked {
        for (causality, word) in [
            (Causality::Same, "marked"),
            (Causality::Before, "possible cause"),
            (Causality::After, "possible effect"),
        ] {
            entries.push((emphasis(causality).0.to_owned(), word));
        }
    }
    let in_row = ((width - 2 * MARGIN) / LEGEND).max(1);
    for row in entries.chunks(in_row) {
        for (at, (shape, word)) in row.iter().enumerate() {
            let x = MARGIN + 8 + at * LEGEND;
            let _ = writeln!(
                body,
                "<g class=\"mark\" transform=\"translate({x} {y})\" aria-hidden=\"true\">{shape}</g>"
            );
            line(body, "how", x + 16, y + 4, word);
        }
        y += 28;
    }
    y
}

/// Draws a timeline as an SVG document: a line for each agent, a mark for each event, an arrow for each message that was sent and received, time from
/// left to right by the hybrid clock.
///
/// The file needs nothing else, follows the reader's light or dark scheme, and says in text what it shows. It is bounded ([`MAX_DRAWN`]) and says how
/// many events there are. An arrow is drawn if both its ends are. Distances say how long it took on a logarithmic scale.
///
/// O(n log n) for n events.
pub fn svg(timeline: &Timeline, drawing: &Drawing) -> String {
    let all = timeline.events();
    let marked = drawing
        .marked
        .and_then(|(agent, index)| timeline.position(agent, index));
    let shown = window(all.len(), drawing.events.min(MAX_DRAWN), marked);
    let causality = marked.map(|marked| timeline.causality(marked));
    let stands = |at: usize| causality.as_ref().map(|causality| causality[at]);
    let events = &all[shown.clone()];
    let start = events.first().map_or(0, |event| event.at.micros);

    let agents: BTreeSet<AgentId> = events.iter().map(|event| event.entry.agent).collect();
    let label = |agent: AgentId| match timeline.names().get(&agent) {
        Some(name) => format!("agent {} ({})", AgentName(agent), cut(name, MAX_NAME)),
        None => format!("agent {}", AgentName(agent)),
    };
    let labels: BTreeMap<AgentId, String> = agents.into_iter().map(|agent| (agent, label(agent))).collect();
    let layout = Layout::new(events, &labels);

    let mut body = String::new();
    let title = cut(&drawing.title, MAX_TITLE);
    let total = (all.len() as u64).saturating_add(timeline.left_out());
    let count = format!("{} of {total} events", events.len());
    let axis = format!("{count}; milliseconds of the hybrid clock since {start} µs, not to scale");
    let mut width =
        line(&mut body, "heading", MARGIN, 28, &title).max(line(&mut body, "how", MARGIN, 50, &axis)) + MARGIN;
    width = width.max(layout.grid(&mut body, &labels, start));

    let mut arrows = 0;
    for arrow in timeline.arrows() {
        if !shown.contains(&arrow.from) || !shown.contains(&arrow.to) {
            continue;
        }
        let class = match (stands(arrow.from), stands(arrow.to)) {
            (None, _) | (_, None) => "arrow",
            (Some(Causality::Before), Some(Causality::Before | Causality::Same))
            | (Some(Causality::Same | Causality::After), Some(Causality::After)) => "arrow causal",
            _ => "arrow apart",
        };
        let ((x, y), (to_x, to_y)) = (
            layout.place(arrow.from - shown.start),
            layout.place(arrow.to - shown.start),
        );
        let _ = writeln!(
            body,
            "<path class=\"{class}\" marker-end=\"url(#eqmesh-head)\" d=\"M{x} {y}L{to_x} {to_y}\"/>"
        );
        arrows += 1;
    }
    for (at, event) in events.iter().enumerate() {
        let (x, y) = layout.place(at);
        let time = milliseconds(event.at, start);
        let mut text = format!("{}, at {time} ms", describe(event));
        let mut class = "mark".to_owned();
        let mut more = "";
        if let Some(causality) = stands(shown.start + at) {
            let (shape, words) = emphasis(causality);
            let _ = write!(text, "; {words}");
            more = shape;
            if causality == Causality::Concurrent {
                class.push_str(" apart");
            }
        }
        let text = escape(text.chars());
        let _ = writeln!(
            body,
            "<g class=\"{class}\" role=\"graphics-symbol img\" aria-label=\"{text}\" transform=\"translate({x} {y})\"><title>{text}</title>{}{more}</g>",
            form(event.entry.kind)
        );
    }
    let kinds: BTreeSet<EventKind> = events.iter().map(|event| event.entry.kind).collect();
    let height = legend(&mut body, &kinds, marked.is_some(), width, layout.bottom() + 36);

    let mut description = format!(
        "{count} of {} agents, and {arrows} messages from sender to receiver.",
        labels.len()
    );
    if let Some(marked) = marked {
        let _ = write!(description, " Marked is {}.", describe(&all[marked]));
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"graphics-document document\" aria-labelledby=\"eqmesh-title eqmesh-desc\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">
<title id=\"eqmesh-title\">{}</title>
<desc id=\"eqmesh-desc\">{}</desc>
<style>{STYLE}</style>
<defs><marker id=\"eqmesh-head\" viewBox=\"0 0 8 8\" refX=\"15\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"head\" d=\"M0 0L8 4L0 8Z\"/></marker></defs>
<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>
{body}</svg>
",
        escape(title.chars()),
        escape(description.chars()),
    )
}
