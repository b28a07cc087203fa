//! `GET /view/egraph` and `GET /view/search`: the classes around one, laid out, and where to begin.

use eqmesh_service::ShownNeighbourhood;
use eqmesh_view::egraph::{Picture, short};
use serde::{Deserialize, Serialize};
use spin_sdk::http::Response;

use crate::answer::{Problem, json, tag_of, tagged};
use crate::asked::Asked;
use crate::network::question;

/// The agent that is asked; the first if none is named.
fn agent(asked: &Asked, agents: u32) -> Result<u32, Problem> {
    Ok(asked.query.number("agent", 0, u64::from(agents.saturating_sub(1)))? as u32)
}

fn understood<'a, T: Deserialize<'a>>(agent: u32, body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::silent(agent, &format!("its answer is none: {error}")))
}

/// A document with a tag of its own bytes.
fn whole(asked: &Asked, document: &impl Serialize) -> Response {
    let response = json(200, document);
    let tag = tag_of(response.body());
    tagged(asked, &tag, || response)
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
    let body = question(agent, "neighbourhood", &parameters).await?;
    let own: ShownNeighbourhood = understood(agent, &body)?;
    Ok(whole(asked, &Picture::of(own)))
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
    let body = question(agent, "search", &[("q", text), ("limit", limit)]).await?;
    let found: Found = understood(agent, &body)?;
    let class = |id: String| Class { label: short(&id), id };
    let listed = Listed {
        state_digest: found.state_digest,
        shown: found.classes.len(),
        classes: found.classes.into_iter().map(class).collect(),
        more: found.more,
    };
    Ok(whole(asked, &listed))
}
