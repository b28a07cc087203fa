//! Questions to the agent.

use std::collections::BTreeMap;

use eqmesh_agent::Diagnostic;
use eqmesh_guest::types;
use eqmesh_http::{Asked, Problem, answer, etag, json, tagged, unchanged};
use eqmesh_replica::Fault;
use eqmesh_service::{ColorNames, ServiceError, hex, label};
use eqmesh_trace::{Document, Drawing, Timeline, perfetto, svg};
use serde::Serialize;
use spin_sdk::http::Response;

use crate::look::names;
use crate::ports::Imported;
use crate::{Agent, problem};

/// The most e-nodes on one page.
const MAX_PAGE: u64 = 1_000;

/// A page is full with so many bytes of text, too,
const PAGE_BYTES: usize = 4 << 20;

/// which are asked for in parts of about so many.
const PART_BYTES: usize = 1 << 20;

/// The most terms that one question brings.
const MAX_VARIANTS: u64 = 1_000;

fn failed(error: ServiceError) -> Problem {
    problem::of(error, "")
}

pub(crate) fn fault(own: types::Fault) -> Problem {
    problem::fault(&Fault::from(own))
}

pub(crate) fn plain(own: eqmesh_language::Diagnostic) -> Diagnostic {
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Diagnostic {
        code: own.code.to_owned(),
        message: own.message,
        help: own.help,
        start: offset(own.span.start),
        end: offset(own.span.end),
        error: own.error,
    }
}

/// The answer to a question about the e-graph, of the agent with all its facts. Its tag is the state digest, which tells all answers about the e-graph apart from those before:
/// who has it already is told so by what the state says, and nothing is restored for that.
pub(crate) fn answered(
    agent: &Agent,
    asked: &Asked,
    answer: impl FnOnce(&Imported, &str) -> Result<Response, Problem>,
) -> Result<Response, Problem> {
    if asked.header("if-none-match").is_some() {
        let glance = agent.glance().map_err(failed)?;
        let digest = &glance.state.state_digest;
        let tag = etag(digest);
        // One that has not worked has none yet.
        if !digest.is_empty() && asked.has(&tag) {
            return Ok(unchanged(&tag));
        }
    }
    let answered = agent.ask(|member| {
        let digest = hex(&member.0.summary().state_digest);
        tagged(asked, &etag(&digest), || answer(member, &digest))
    });
    answered.map_err(failed)?
}

/// `GET state`: the agent at a glance. Reads one small value, whatever the size of the e-graph.
pub(crate) fn state(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&[])?;
    let glance = agent.glance().map_err(failed)?;
    let state = &glance.state;
    // The state digest says when the facts change; the rest of the state also changes without them.
    let queue = state.queue;
    let digest = state.state_digest.get(..32).unwrap_or("none");
    let tag = etag(&format!(
        "{digest}-{:x}-{:x}-{:x}-{}",
        state.updated_at,
        queue.inbox,
        queue.outbox,
        u8::from(queue.working)
    ));
    tagged(asked, &tag, || Ok(answer(200, "application/json", glance.json.clone())))
}

#[derive(Serialize)]
struct Health<'a> {
    status: &'static str,
    id: u32,
    life: &'a str,
    region: &'a str,
}

/// `GET health`: 200 if the agent can serve, 503 if its store cannot be read.
pub(crate) fn health(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&[])?;
    let glance = agent.glance().map_err(failed)?;
    let state = &glance.state;
    Ok(json(
        200,
        &Health {
            status: "ok",
            id: state.id,
            life: &state.life,
            region: &state.region,
        },
    ))
}

#[derive(Serialize)]
struct Row {
    operator: String,
    node: String,
    class: String,
    colors: ColorNames,
}

#[derive(Serialize)]
struct Page {
    state_digest: String,
    enodes: u64,
    eclasses: u64,
    /// E-nodes of each operator, those without any included.
    operators: BTreeMap<String, u64>,
    rows: Vec<Row>,
    /// To be given as `cursor` for the next page; left out at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET egraph`: e-nodes, a page at a time: of all operators or one, of which the text (or that of the class) contains something.
pub(crate) fn egraph(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked
        .query
        .only(&["operator", "contains", "class", "color", "cursor", "limit"])?;
    let color = match asked.query.parameter("color") {
        None => types::Colors::all(),
        Some("red") => types::Colors::RED,
        Some("blue") => types::Colors::BLUE,
        Some("green") => types::Colors::GREEN,
        Some("certified") => types::Colors::CERTIFIED,
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "`color` is red, blue, green or certified, not `{other}`"
            )));
        }
    };
    let limit = asked.query.number("limit", 100, MAX_PAGE)?.max(1) as usize;
    let (at, begin) = match asked.query.parameter("cursor") {
        None => (None, 0),
        Some(cursor) => {
            let parts = cursor.rsplit_once('.');
            let parts = parts.and_then(|(operator, offset)| Some((operator, offset.parse::<u32>().ok()?)));
            let (operator, offset) = parts.ok_or_else(|| {
                Problem::bad_request(format!(
                    "`{cursor}` is no cursor: give `next` of the page before, on the same state"
                ))
            })?;
            (Some(operator.to_owned()), offset)
        }
    };
    answered(agent, asked, |member, digest| {
        let summary = member.0.summary();
        let sizes: BTreeMap<String, u64> = member.0.sizes().into_iter().collect();
        let wanted = asked.query.parameter("operator");
        if let Some(operator) = wanted.filter(|operator| !sizes.contains_key(*operator)) {
            return Err(Problem::not_found(format!("there is no operator `{operator}`")));
        }
        let (contains, class) = (
            asked.query.parameter("contains").unwrap_or(""),
            asked.query.parameter("class"),
        );
        let operators = sizes.keys().filter(|name| wanted.is_none_or(|wanted| wanted == *name));
        let operators = operators.skip_while(|name| at.as_ref().is_some_and(|at| at > *name));
        let (mut rows, mut next, mut shown) = (Vec::new(), None, 0);
        'pages: for operator in operators {
            let mut offset = if at.as_ref() == Some(operator) { begin } else { 0 };
            // As many at a time as have about so many bytes: texts are long where terms are deep.
            let mut part = 256;
            loop {
                let found = member.0.rows(operator, offset, part).map_err(fault)?;
                if found.is_empty() {
                    break;
                }
                let bytes: usize = found.iter().map(|row| row.node.len() + row.class.len()).sum();
                part = (found.len() * PART_BYTES / bytes.max(1)).clamp(16, 1 << 15) as u32;
                for row in found {
                    if rows.len() == limit || shown >= PAGE_BYTES {
                        next = Some(format!("{operator}.{offset}"));
                        break 'pages;
                    }
                    offset += 1;
                    let colored = row.colors.intersects(color);
                    if colored && row.node.contains(contains) && class.is_none_or(|class| class == row.class) {
                        shown += row.node.len() + row.class.len();
                        rows.push(Row {
                            operator: operator.clone(),
                            node: row.node,
                            class: row.class,
                            colors: names(row.colors),
                        });
                    }
                }
            }
        }
        let page = Page {
            state_digest: digest.to_owned(),
            enodes: summary.size.enodes,
            eclasses: summary.size.eclasses,
            operators: sizes,
            rows,
            next,
        };
        Ok(json(200, &page))
    })
}

#[derive(Serialize)]
struct Term {
    term: String,
    cost: u64,
}

#[derive(Serialize)]
struct Terms {
    state_digest: String,
    results: Vec<Term>,
}

/// `GET extract?term=…`: the cheapest terms that are equal to one.
pub(crate) fn extract(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&["term", "variants", "cost", "within"])?;
    let term = asked.query.needed("term")?;
    let variants = asked.query.number("variants", 1, MAX_VARIANTS)?.max(1) as u32;
    let cost = match asked.query.parameter("cost") {
        None | Some("tree") => types::CostModel::Tree,
        Some("dag") => types::CostModel::Dag,
        Some(other) => return Err(Problem::bad_request(format!("`cost` is tree or dag, not `{other}`"))),
    };
    let mut within = types::Colors::empty();
    for color in asked
        .query
        .parameter("within")
        .unwrap_or("")
        .split(',')
        .filter(|color| !color.is_empty())
    {
        within |= match color {
            "red" => types::Colors::RED,
            "blue" => types::Colors::BLUE,
            "green" => types::Colors::GREEN,
            other => {
                return Err(Problem::bad_request(format!(
                    "`within` lists red, blue and green, not `{other}`"
                )));
            }
        };
    }
    let within = (!within.is_empty()).then_some(within);
    answered(agent, asked, |member, digest| {
        let found = member.0.extract(term, variants, cost, within).map_err(fault)?;
        let results = found
            .into_iter()
            .map(|own| Term {
                term: own.term,
                cost: own.cost,
            })
            .collect();
        Ok(json(
            200,
            &Terms {
                state_digest: digest.to_owned(),
                results,
            },
        ))
    })
}

#[derive(Serialize)]
struct Checked {
    state_digest: String,
    holds: bool,
    matches: u64,
}

/// `GET check?facts=…`: do all of these hold?
pub(crate) fn check(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&["facts", "limit"])?;
    let facts = asked.query.needed("facts")?;
    let limit = asked.query.number("limit", 1, 1 << 20)?.max(1);
    answered(agent, asked, |member, digest| {
        let matches = member.0.check(facts, limit);
        let matches = matches.map_err(|own| problem::text(crate::ports::diagnostics(own), facts))?;
        Ok(json(
            200,
            &Checked {
                state_digest: digest.to_owned(),
                holds: matches > 0,
                matches,
            },
        ))
    })
}

#[derive(Serialize)]
struct Fact {
    agent: String,
    sequence: u64,
}

impl From<types::Dot> for Fact {
    fn from(dot: types::Dot) -> Fact {
        let dot = eqmesh_replica::Dot::from(dot);
        Fact {
            agent: label(dot.agent),
            sequence: dot.sequence,
        }
    }
}

#[derive(Serialize)]
struct Step {
    before: String,
    after: String,
    reason: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    rule: String,
    direction: &'static str,
    place: Vec<u32>,
    substitution: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lemmas: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fact: Option<Fact>,
    /// The digest of the snapshot that stands for what would show it, where that was compacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<String>,
}

impl From<types::ExplanationStep> for Step {
    fn from(own: types::ExplanationStep) -> Step {
        let mut step = Step {
            before: own.before,
            after: own.after,
            reason: "rule",
            rule: String::new(),
            direction: if own.forward { "forward" } else { "backward" },
            place: own.place,
            substitution: BTreeMap::new(),
            lemmas: Vec::new(),
            fact: None,
            snapshot: None,
        };
        match own.reason {
            types::StepReason::Applied(own) => {
                step.rule = own.rule;
                step.substitution = own.substitution.into_iter().collect();
                step.lemmas = own.lemmas;
                step.fact = Some(own.fact.into());
            }
            types::StepReason::Asserted(fact) => {
                step.reason = "asserted";
                "union".clone_into(&mut step.rule);
                step.fact = Some(fact.into());
            }
            types::StepReason::Compacted(snapshot) => {
                step.reason = "compacted";
                step.snapshot = Some(hex(&snapshot));
            }
        }
        step
    }
}

#[derive(Serialize)]
struct Lemma {
    left: String,
    right: String,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Explained {
    state_digest: String,
    steps: Vec<Step>,
    lemmas: Vec<Lemma>,
}

/// `GET explain?a=…&b=…`: why two terms are equal.
pub(crate) fn explain(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&["a", "b"])?;
    let (left, right) = (asked.query.needed("a")?, asked.query.needed("b")?);
    answered(agent, asked, |member, digest| {
        let own = member.0.explain(left, right).map_err(fault)?;
        let steps = |own: Vec<types::ExplanationStep>| own.into_iter().map(Step::from).collect();
        let lemma = |own: types::Lemma| Lemma {
            left: own.left,
            right: own.right,
            steps: steps(own.steps),
        };
        Ok(json(
            200,
            &Explained {
                state_digest: digest.to_owned(),
                steps: steps(own.steps),
                lemmas: own.lemmas.into_iter().map(lemma).collect(),
            },
        ))
    })
}

/// `GET timeline`: what happened lately, as JSON, for Perfetto, or as a picture.
pub(crate) fn timeline(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&["from", "after", "limit", "format"])?;
    let from = asked.query.number("from", 0, u64::MAX)?;
    let after = asked.query.number("after", 0, u64::MAX)?;
    let limit = asked.query.number("limit", 1_000, 100_000)? as usize;
    let format = match asked.query.parameter("format") {
        None if asked.accepts("accept", "image/svg+xml") => "svg",
        None => "json",
        Some(format @ ("json" | "perfetto" | "svg")) => format,
        Some(other) => {
            return Err(Problem::bad_request(format!(
                "`format` is json, perfetto or svg, not `{other}`"
            )));
        }
    };
    let told = agent.timeline().map_err(failed)?;
    let steps: Vec<_> = told.as_ref().map_or(Vec::new(), |(own, _, steps)| {
        steps
            .iter()
            .map(|step| (*own, step.index, step.rules.clone()))
            .collect()
    });
    let (events, left_out, metrics) = match told {
        Some((own, log, _)) => {
            // The limit is of those that are wanted.
            let mut events = log.events(from, u32::MAX);
            events.retain(|event| event.at.micros > after || after == 0);
            events.truncate(limit);
            let metrics = log.metrics();
            let recorded: u64 = metrics.counts.iter().map(|&(_, count)| count).sum();
            let left_out = recorded.saturating_sub(events.len() as u64);
            (events, left_out, vec![(own, metrics)])
        }
        None => (Vec::new(), 0, Vec::new()),
    };
    let timeline = Timeline::new(events).leaving_out(left_out);
    let (media, text) = match format {
        "perfetto" => ("application/json", perfetto(&timeline)),
        "svg" => ("image/svg+xml", svg(&timeline, &Drawing::default())),
        _ => {
            let mut document = Document::new(&timeline, &metrics);
            let listed = |own, index| timeline.position(own, index).is_some();
            for (own, index, rules) in steps.into_iter().filter(|&(own, index, _)| listed(own, index)) {
                document.apply(own, index, rules);
            }
            return Ok(json(200, &document));
        }
    };
    Ok(answer(200, media, text.into_bytes()))
}
