//! `GET /view/egraph` and `GET /view/search`: the classes around one, laid out, and where to begin.

use eqmesh_http::{Asked, Problem, json, unchanged};
use eqmesh_service::ShownNeighbourhood;
use eqmesh_view::egraph::{Picture, short};
use serde::{Deserialize, Serialize};
use spin_sdk::http::Response;

use crate::network::{Told, question, silent};

/// The agent that is asked; the first if none is named.
fn agent(asked: &Asked, agents: u32) -> Result<u32, Problem> {
    Ok(asked.query.number("agent", 0, u64::from(agents.saturating_sub(1)))? as u32)
}

/// What this component makes of answers differs from one version of it to another.
const VERSION: &str = concat!("-", env!("CARGO_PKG_VERSION"), "\"");

/// The answer that is made of an agent's. It goes by the agent's tag, so that one that the client has already costs the agent next to nothing.
async fn made_of<T: for<'de> Deserialize<'de>, M: Serialize>(
    asked: &Asked,
    agent: u32,
    resource: &str,
    parameters: &[(&str, &str)],
    make: impl FnOnce(T) -> M,
) -> Result<Response, Problem> {
    let known = asked.header("if-none-match").unwrap_or_default();
    let known: Vec<String> = known
        .split(',')
        .filter_map(|tag| match tag.trim() {
            "*" => Some("*".to_owned()),
            tag => Some(format!("{}\"", tag.strip_suffix(VERSION)?)),
        })
        .collect();
    let known = (!known.is_empty()).then(|| known.join(","));
    let own = |tag: &str| format!("{}{VERSION}", tag.trim_end_matches('"'));
    match question(agent, resource, parameters, known.as_deref()).await? {
        Told::Unchanged(tag) => Ok(unchanged(&own(&tag))),
        Told::Answer(body, tag) => {
            let told = serde_json::from_slice(&body)
                .map_err(|error| silent(agent, &format!("its answer is none: {error}")))?;
            let mut response = json(200, &make(told));
            if let Some(tag) = tag {
                response.set_header("etag", own(&tag));
            }
            Ok(response)
        }
    }
}

pub(crate) async fn picture(asked: &Asked, agents: u32) -> Result<Response, Problem> {
    asked.query.only(&["agent", "term", "expand", "classes"])?;
    let agent = agent(asked, agents)?;
    let classes = asked.query.parameter("classes").unwrap_or("40");
    let mut parameters = vec![("classes", classes)];
    parameters.extend(
        asked
            .query
            .parameter("term")
            .filter(|term| !term.is_empty())
            .map(|term| ("term", term)),
    );
    parameters.extend(asked.query.all("expand").map(|class| ("expand", class)));
    made_of(asked, agent, "neighbourhood", &parameters, |own: ShownNeighbourhood| {
        Picture::of(own)
    })
    .await
}

/// What an agent answers to a search.
#[derive(Deserialize)]
struct Found {
    state_digest: String,
    classes: Vec<String>,
    more: bool,
}

#[derive(Serialize)]
struct Class {
    label: String,
    id: String,
}

#[derive(Serialize)]
struct Listed {
    state_digest: String,
    classes: Vec<Class>,
    shown: usize,
    more: bool,
}

pub(crate) async fn search(asked: &Asked, agents: u32) -> Result<Response, Problem> {
    asked.query.only(&["agent", "q", "limit"])?;
    let agent = agent(asked, agents)?;
    let text = asked.query.parameter("q").unwrap_or("");
    let limit = asked.query.parameter("limit").unwrap_or("20");
    let class = |id: String| Class { label: short(&id), id };
    made_of(
        asked,
        agent,
        "search",
        &[("q", text), ("limit", limit)],
        |found: Found| Listed {
            state_digest: found.state_digest,
            shown: found.classes.len(),
            classes: found.classes.into_iter().map(class).collect(),
            more: found.more,
        },
    )
    .await
}
