//! A look at a part of the e-graph: the classes around one, and where to begin.

use eqmesh_egraph::color::{Color, Colors};
use eqmesh_egraph::neighbourhood::{ClassShown, MAX_CLASSES, NodeShown};
use eqmesh_guest::types;
use eqmesh_http::{Asked, Problem, json};
use eqmesh_service::{ColorNames, ShownClass, ShownNeighbourhood, ShownNode};
use serde::Serialize;
use spin_sdk::http::Response;

use crate::Agent;
use crate::ask::{answered, fault};

/// The most classes that a search brings.
const MAX_FOUND: u64 = 1_000;

/// The names of colors, the most dominant first.
pub(crate) fn names(colors: types::Colors) -> ColorNames {
    let colors = Colors::from(colors);
    let made = Color::ALL
        .into_iter()
        .filter(|&color| colors.intersects(Colors::from(color)));
    let certified = colors.intersects(Colors::CERTIFIED).then_some("certified");
    made.map(Color::name).chain(certified).map(str::to_owned).collect()
}

fn node(own: NodeShown) -> ShownNode {
    ShownNode {
        text: own.text,
        operator: own.operator,
        children: own.children,
        colors: names(own.colors.into()),
        best: own.best,
    }
}

fn class(own: ClassShown) -> ShownClass {
    ShownClass {
        id: own.id,
        best: own.best,
        cost: own.cost,
        colors: names(own.colors.into()),
        nodes: own.nodes.into_iter().map(node).collect(),
        nodes_total: own.nodes_total as u64,
    }
}

/// `GET neighbourhood`: the classes around that of a term.
pub(crate) fn neighbourhood(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&["term", "expand", "classes"])?;
    let classes = asked.query.number("classes", 40, MAX_CLASSES as u64)?.max(1) as u32;
    let term = asked.query.parameter("term");
    let expanded: Vec<String> = asked.query.all("expand").map(str::to_owned).collect();
    answered(agent, asked, |member, digest| {
        let size = member.0.summary().size;
        let found = member.0.neighbourhood(term, &expanded, classes).map_err(fault)?;
        let found = eqmesh_egraph::neighbourhood::Neighbourhood::from(found);
        Ok(json(
            200,
            &ShownNeighbourhood {
                state_digest: digest.to_owned(),
                enodes: size.enodes,
                eclasses: size.eclasses,
                classes: found.classes.into_iter().map(class).collect(),
                total: found.total as u64,
                total_is_limit: found.total_is_limit,
            },
        ))
    })
}

#[derive(Serialize)]
struct Found {
    state_digest: String,
    /// Names of classes.
    classes: Vec<String>,
    /// There are more.
    more: bool,
}

/// `GET search?q=…`: the classes with a node whose text contains something.
pub(crate) fn search(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&["q", "limit"])?;
    let text = asked.query.parameter("q").unwrap_or("");
    let limit = asked.query.number("limit", 20, MAX_FOUND)? as u32;
    answered(agent, asked, |member, digest| {
        let (classes, more) = member.0.search(text, limit);
        Ok(json(
            200,
            &Found {
                state_digest: digest.to_owned(),
                classes,
                more,
            },
        ))
    })
}
