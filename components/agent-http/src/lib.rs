//! An agent's HTTP surface: `/agent/{id}/…`, as `docs/openapi.yaml` describes it. It adapts HTTP to `eqmesh-service`, which keeps the agent's state in a
//! key-value store, over the agent that this component is composed with.
//!
//! An instance serves one request at a time, and keeps nothing between them that the store does not hold. The number comes from the configuration and must be that of the path: Spin's header with the path's parameters
//! can be forged by the client, and is not there at all where one component calls another.

#![allow(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "the macros declare the component's entry points"
)]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "service-component",
        with: { "eqmesh:network/types@0.1.0": eqmesh_guest::types },
        generate_all,
    });
}

mod ask;
mod change;
mod configuration;
mod look;
mod ports;
mod problem;

use std::cell::RefCell;

use eqmesh_http::{Asked, Problem, finish};
use eqmesh_service::Service;
use spin_sdk::http::{Method, Request, Response};
use spin_sdk::http_component;

use configuration::Configuration;
use ports::{Imported, Stored, System};

pub(crate) type Agent = Service<Stored, System, Imported>;

thread_local! {
    /// For the case that the host lets this instance answer another request.
    static OWN: RefCell<Option<Own>> = const { RefCell::new(None) };
}

/// The agent of this instance, as the manifest has set it up.
struct Own {
    agent: Agent,
    /// Pages of this origin may change something; none if it is empty.
    origin: String,
}

impl Own {
    fn configured() -> Result<Own, Problem> {
        let Configuration { settings, origin } = Configuration::read()?;
        let agent = Agent::new(Stored, System, (), settings);
        Ok(Own { agent, origin })
    }
}

/// How a resource answers.
type Handler = fn(&Agent, &Asked) -> Result<Response, Problem>;

/// A resource under `/agent/{id}/`.
struct Resource {
    name: &'static str,
    /// What can be done with it.
    allow: &'static str,
    get: Option<Handler>,
    post: Option<Handler>,
}

const READ: &str = "GET, HEAD, OPTIONS";
const CHANGE: &str = "POST, OPTIONS";

const RESOURCES: &[Resource] = &[
    Resource {
        name: "state",
        allow: READ,
        get: Some(ask::state),
        post: None,
    },
    Resource {
        name: "health",
        allow: READ,
        get: Some(ask::health),
        post: None,
    },
    Resource {
        name: "egraph",
        allow: READ,
        get: Some(ask::egraph),
        post: None,
    },
    Resource {
        name: "neighbourhood",
        allow: READ,
        get: Some(look::neighbourhood),
        post: None,
    },
    Resource {
        name: "search",
        allow: READ,
        get: Some(look::search),
        post: None,
    },
    Resource {
        name: "extract",
        allow: READ,
        get: Some(ask::extract),
        post: None,
    },
    Resource {
        name: "check",
        allow: READ,
        get: Some(ask::check),
        post: None,
    },
    Resource {
        name: "explain",
        allow: READ,
        get: Some(ask::explain),
        post: None,
    },
    Resource {
        name: "timeline",
        allow: READ,
        get: Some(ask::timeline),
        post: None,
    },
    Resource {
        name: "sync",
        allow: CHANGE,
        get: None,
        post: Some(change::sync),
    },
    Resource {
        name: "message",
        allow: CHANGE,
        get: None,
        post: Some(change::message),
    },
    Resource {
        name: "program",
        allow: CHANGE,
        get: None,
        post: Some(change::program),
    },
    Resource {
        name: "step",
        allow: CHANGE,
        get: None,
        post: Some(change::step),
    },
];

#[http_component]
fn handle(request: Request) -> Response {
    let asked = Asked::of(request);
    let (kept, result) = match OWN.take().map_or_else(Own::configured, Ok) {
        Ok(own) => {
            own.agent.begin();
            let result = serve(&asked, &own);
            (Some(own), result)
        }
        Err(problem) => (None, Err(problem)),
    };
    let origin = kept.as_ref().map_or(String::new(), |own| own.origin.clone());
    OWN.set(kept);
    let mut response = result.unwrap_or_else(Problem::answer);
    let method = asked.request.method();
    if !origin.is_empty() {
        response.set_header("access-control-allow-origin", origin);
        response.set_header("vary", "origin");
    } else if matches!(method, Method::Get | Method::Head) {
        // Anybody may look. What changes something takes a page of the same origin, or one that is configured.
        response.set_header("access-control-allow-origin", "*");
    }
    finish(method, response)
}

fn serve(asked: &Asked, own: &Own) -> Result<Response, Problem> {
    let number = own.agent.settings().number;
    let path = asked.request.path();
    let rest = path.strip_prefix("/agent/").and_then(|rest| rest.split_once('/'));
    let Some((id, name)) = rest else {
        return Err(Problem::not_found(format!(
            "this is agent {number}: its paths begin with /agent/{number}/"
        )));
    };
    if id != number.to_string() {
        return Err(Problem::not_found(format!(
            "this is agent {number}, and there is no agent `{id}` here"
        )));
    }
    let Some(resource) = RESOURCES.iter().find(|resource| resource.name == name) else {
        let names: Vec<&str> = RESOURCES.iter().map(|resource| resource.name).collect();
        return Err(Problem::not_found(format!(
            "an agent has {}, and no `{name}`",
            names.join(", ")
        )));
    };
    let handler = match asked.request.method() {
        Method::Get | Method::Head => resource.get,
        Method::Post => resource.post,
        Method::Options => return Ok(options(resource.allow, &own.origin)),
        _ => None,
    };
    let handler = handler.ok_or_else(|| Problem::method(resource.allow))?;
    let trusted = Some(own.origin.as_str()).filter(|origin| !origin.is_empty());
    if matches!(asked.request.method(), Method::Post) && asked.is_foreign(trusted) {
        return Err(Problem::new(
            403,
            "#origin",
            "This page may not change anything",
            "pages of the same origin may, and those of the one that the variable `cors_origin` names",
        ));
    }
    handler(&own.agent, asked)
}

fn options(allow: &'static str, origin: &str) -> Response {
    let mut response = Response::builder();
    response.status(204).header("allow", allow);
    if !origin.is_empty() || allow == READ {
        response.header("access-control-allow-methods", allow);
        response.header("access-control-allow-headers", "content-type, if-none-match");
        response.header("access-control-max-age", "600");
    }
    response.build()
}
