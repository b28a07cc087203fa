//! The drawing itself.

use std::fmt::Write as _;
use std::ops::Range;

use crate::fold::{Folded, LIMIT};
use crate::place::find;
use crate::{Chain, Direction, Step};

/// Widths and heights in pixels.
const CHARACTER: usize = 8;
const MARGIN: usize = 24;
const TERM: usize = 30;
const RULE: usize = 44;
const HEADING: usize = 40;

/// The longest text that a row shows in full when it is pointed at, in characters.
const MAX_TOOLTIP: usize = 4_000;

/// Colors with a contrast of at least 4.5 to their background, in both schemes.
const STYLE: &str = "
text { font: 13px ui-monospace, 'SF Mono', 'Cascadia Mono', 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; }
.page { fill: #ffffff; } .term { fill: #1b1f24; } .heading { fill: #1b1f24; font-weight: bold; }
.rule { fill: #0b4f9e; } .how { fill: #57606a; font-size: 11px; } .arrow { stroke: #57606a; fill: none; stroke-width: 1.5; } .gone { stroke-dasharray: 2 3; }
.became { fill: #c8ecd0; } .becomes { fill: none; stroke: #b34700; stroke-width: 1.5; stroke-dasharray: 4 2; }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117; } .term { fill: #e6edf3; } .heading { fill: #e6edf3; }
.rule { fill: #79b8ff; } .how { fill: #9aa4ae; } .arrow { stroke: #9aa4ae; }
.became { fill: #14532d; } .becomes { stroke: #ffa657; }
}
";

/// Text as XML holds it, in an element or an attribute: what it cannot hold at all is replaced.
pub fn escape(text: impl IntoIterator<Item = char>) -> String {
    let mut escaped = String::new();
    for c in text {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            // Blanks of all kinds are one column wide.
            '\t' | '\n' | '\r' => escaped.push(' '),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

fn fold(text: &str) -> Vec<char> {
    let characters: Vec<char> = text.chars().collect();
    Folded::new(&characters, &[]).text
}

#[derive(Default)]
struct Drawing {
    body: String,
    width: usize,
    y: usize,
}

impl Drawing {
    fn line(&mut self, class: &str, x: usize, y: usize, text: &[char], character: usize) {
        if text.is_empty() {
            return;
        }
        // The length is stated, so that the picture is the same with whatever font there is.
        let length = text.len() * character;
        self.width = self.width.max(x + length + MARGIN);
        let text = escape(text.iter().copied());
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\">{text}</text>"
        );
    }

    fn mark(&mut self, class: &str, part: &Range<usize>) {
        let (x, width) = (MARGIN + part.start * CHARACTER, part.len() * CHARACTER);
        let y = self.y + 4;
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{}\" y=\"{y}\" width=\"{}\" height=\"22\" rx=\"4\"/>",
            x - 2,
            width + 4
        );
    }

    /// A term, with what has just changed in it, and what changes next.
    fn term(&mut self, text: &str, became: Option<&[u32]>, becomes: Option<&[u32]>) {
        let characters: Vec<char> = text.chars().collect();
        let at = |place: Option<&[u32]>| place.and_then(|place| find(&characters, place));
        let (became, becomes) = (at(became), at(becomes));
        let matters: Vec<Range<usize>> = became.iter().chain(&becomes).cloned().collect();
        let folded = Folded::new(&characters, &matters);
        self.body.push_str("<g>\n");
        if folded.text.len() < characters.len() {
            let shown = characters.iter().copied().take(MAX_TOOLTIP);
            let cut = characters.len().saturating_sub(MAX_TOOLTIP);
            let rest = if cut > 0 { format!("⋯{cut}⋯") } else { String::new() };
            let _ = writeln!(self.body, "<title>{}{rest}</title>", escape(shown));
        }
        if let Some(part) = became {
            self.mark("became", &folded.part(&part));
        }
        if let Some(part) = becomes {
            self.mark("becomes", &folded.part(&part));
        }
        self.line("term", MARGIN, self.y + 19, &folded.text, CHARACTER);
        self.body.push_str("</g>\n");
        self.y += TERM;
    }

    fn rule(&mut self, step: &Step) {
        let x = MARGIN + 10;
        let (top, bottom) = (self.y + 6, self.y + RULE - 6);
        // The arrow points to where the rule leads: up, if it was used from right to left.
        let ends = match step.direction {
            Direction::Forward => Some((top, bottom, bottom - 5)),
            Direction::Backward => Some((bottom, top, top + 5)),
            Direction::Neither => None,
        };
        let _ = match ends {
            Some((tail, head, wing)) => writeln!(
                self.body,
                "<path class=\"arrow\" d=\"M{x} {tail}V{head}M{} {wing}L{x} {head}L{} {wing}\"/>",
                x - 4,
                x + 4
            ),
            None => writeln!(self.body, "<path class=\"arrow gone\" d=\"M{x} {top}V{bottom}\"/>"),
        };
        let place: Vec<String> = step.place.iter().map(u32::to_string).collect();
        let direction = match step.direction {
            Direction::Forward => ", forward",
            Direction::Backward => ", backward",
            Direction::Neither => "",
        };
        let rule: String = fold(&step.rule).iter().collect();
        let mut text = format!("{rule}{direction} ({})", step.source);
        if !place.is_empty() {
            let _ = write!(text, " at {}", place.join("."));
        }
        if !step.lemmas.is_empty() {
            let numbers: Vec<String> = step.lemmas.iter().map(u32::to_string).collect();
            let _ = write!(text, " with lemma {}", numbers.join(", "));
        }
        let text: Vec<char> = text.chars().collect();
        self.line("rule", x + 16, self.y + 20, &Folded::new(&text, &[]).text, CHARACTER);
        let how: Vec<String> = step
            .substitution
            .iter()
            .map(|(name, term)| format!("{name} = {term}"))
            .collect();
        self.line("how", x + 16, self.y + 36, &fold(&how.join(", ")), CHARACTER - 1);
        self.y += RULE;
    }

    fn chain(&mut self, chain: &Chain) {
        if !chain.heading.is_empty() {
            self.line("heading", MARGIN, self.y + 26, &fold(&chain.heading), CHARACTER);
            self.y += HEADING;
        }
        let mut became = None;
        for step in &chain.steps {
            self.term(&step.before, became, Some(&step.place));
            self.rule(step);
            became = Some(step.place.as_slice());
        }
        match chain.steps.last() {
            Some(step) => self.term(&step.after, became, None),
            None => self.term(&chain.start, None, None),
        }
    }
}

/// Draws chains below each other, as one SVG document.
pub fn svg(title: &str, chains: &[Chain]) -> String {
    let mut drawing = Drawing {
        width: MARGIN * 2 + LIMIT * CHARACTER / 2,
        y: MARGIN / 2,
        ..Drawing::default()
    };
    for chain in chains {
        drawing.chain(chain);
    }
    let (width, height) = (drawing.width, drawing.y + MARGIN / 2);
    let steps: usize = chains.iter().map(|chain| chain.steps.len()).sum();
    let rules = chains
        .iter()
        .flat_map(|chain| &chain.steps)
        .map(|step| step.rule.as_str());
    let shown: Vec<&str> = rules.take(20).collect();
    let mut description = format!("A chain of {steps} rewrites");
    if let [first, ..] = chains
        && first.steps.len() < steps
    {
        description = format!(
            "A chain of {} rewrites, and {} of lemmas",
            first.steps.len(),
            steps - first.steps.len()
        );
    }
    if !shown.is_empty() {
        let _ = write!(description, ", by {}", shown.join(", "));
        if steps > shown.len() {
            description.push_str(", and so on");
        }
    }
    description.push_str(". What a step changes is framed before it and filled after it.");
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"eqmesh-title eqmesh-desc\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">
<title id=\"eqmesh-title\">{}</title>
<desc id=\"eqmesh-desc\">{}</desc>
<style>{STYLE}</style>
<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>
{}</svg>
",
        escape(fold(title)),
        escape(description.chars()),
        drawing.body
    )
}
