//! `GET /view/timeline`: the events of all agents as one.

use eqmesh_http::{Asked, Problem, answer, json};
use eqmesh_timeline::EventKind;
use eqmesh_trace::{Document, Drawing, MAX_DRAWN, Timeline, Vocabulary as _, perfetto, svg};
use eqmesh_view::timeline::{Applied, Filter, MAX_EVENTS, View};
use futures::future::join_all;
use serde::Serialize;
use spin_sdk::http::Response;

use crate::network::{self, question};

/// How far back before `after` causes are looked for, in microseconds: of a hundred agents, all events that they list are too many to be asked for every second.
const CAUSES: u64 = 5_000_000;

/// A view, and who has not told its part.
#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    view: View,
    /// The numbers of agents whose events are not here, as they do not answer.
    silent: Vec<u32>,
}

fn filter(asked: &Asked) -> Result<Filter, Problem> {
    let mut filter = Filter {
        after: asked.query.number("after", 0, u64::MAX)?,
        until: asked.query.number("until", u64::MAX, u64::MAX)?,
        limit: asked.query.number("limit", 500, MAX_EVENTS as u64)? as usize,
        rule: asked
            .query
            .parameter("rule")
            .filter(|rule| !rule.is_empty())
            .map(str::to_owned),
        ..Filter::default()
    };
    for agent in asked.query.list("agents") {
        let number = agent.parse();
        filter.agents.insert(number.map_err(|_| {
            Problem::bad_request(format!(
                "`agents` lists numbers of agents with commas in between, not `{agent}`"
            ))
        })?);
    }
    for kind in asked.query.list("kinds") {
        let known = EventKind::ALL.into_iter().find(|known| known.word() == kind);
        filter.kinds.insert(known.ok_or_else(|| {
            let words = EventKind::ALL.map(EventKind::word).join(", ");
            Problem::bad_request(format!("there is no kind `{kind}` of events; there are {words}"))
        })?);
    }
    Ok(filter)
}

pub(crate) async fn serve(asked: &Asked, agents: u32) -> Result<Response, Problem> {
    asked
        .query
        .only(&["after", "until", "limit", "agents", "kinds", "rule", "format"])?;
    let format = asked.query.parameter("format");
    if let Some(other) = format.filter(|format| !["json", "perfetto", "svg"].contains(format)) {
        return Err(Problem::bad_request(format!(
            "`format` is json, perfetto or svg, not `{other}`; leave it out for what the page draws"
        )));
    }
    let filter = filter(asked)?;
    let after = filter.after.saturating_sub(CAUSES).to_string();
    let parameters = [("limit", "100000"), ("after", after.as_str())];
    let ask = |agent: u32| question(agent, "timeline", &parameters, None);
    let answers = join_all((0..agents).map(ask)).await;
    let (mut documents, mut silent) = (Vec::new(), Vec::new());
    for (agent, answer) in (0..agents).zip(answers) {
        let text = match answer {
            Ok(network::Told::Answer(body, _)) => String::from_utf8(body).ok(),
            Ok(network::Told::Unchanged(_)) | Err(_) => None,
        };
        match text.and_then(|text| Document::read(&text).ok()) {
            Some(document) => documents.push(document),
            None => silent.push(agent),
        }
    }
    let parts: Vec<Timeline> = documents.iter().map(Document::timeline).collect();
    let left_out = parts.iter().map(Timeline::left_out).sum();
    let events = parts.iter().flat_map(|part| part.events().iter().cloned());
    let timeline = Timeline::new(events).leaving_out(left_out);
    let applied: Applied = documents.iter().flat_map(Document::rules).collect();
    let Some(format) = format else {
        let view = View::of(&timeline, &applied, &filter);
        return Ok(json(200, &Told { view, silent }));
    };
    let timeline = filter.apply(&timeline, &applied);
    let (media, text) = match format {
        "perfetto" => ("application/json", perfetto(&timeline)),
        "svg" => {
            let drawing = Drawing {
                events: filter.limit.min(MAX_DRAWN),
                ..Drawing::default()
            };
            ("image/svg+xml", svg(&timeline, &drawing))
        }
        _ => {
            let metrics: Vec<_> = documents.iter().flat_map(Document::metrics).collect();
            ("application/json", eqmesh_trace::json(&timeline, &metrics))
        }
    };
    Ok(answer(200, media, text.into_bytes()))
}
