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
#![allow(
    clippy::result_large_err,
    reason = "a problem is the answer, and there is one a request"
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

use eqmesh_query::Query;
use eqmesh_service::Service;
use spin_sdk::http::{Method, Request, Response};
use spin_sdk::http_component;

use configuration::Configuration;
use ports::{Imported, Stored, System};
use problem::Problem;

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

/// A request, taken apart.
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a Request,
    pub(crate) query: Query,
}

impl Asked<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.request.header(name).and_then(|value| value.as_str())
    }

    /// Whether the client would rather have this type than JSON.
    pub(crate) fn accepts(&self, media: &str) -> bool {
        self.header("accept").is_some_and(|accept| accept.contains(media))
    }

    /// Whether the client has what goes by this tag already.
    pub(crate) fn has(&self, tag: &str) -> bool {
        self.header("if-none-match")
            .is_some_and(|tags| eqmesh_query::has(tags, &format!("\"{tag}\"")))
    }

    /// The body's type without parameters, in lower case; empty if it is not given.
    pub(crate) fn media_type(&self) -> String {
        let media = self.header("content-type").unwrap_or_default();
        media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// The body, if it is not too long.
    pub(crate) fn body(&self, limit: usize) -> Result<&[u8], Problem> {
        let body = self.request.body();
        if body.len() > limit {
            return Err(Problem::too_large(limit));
        }
        Ok(body)
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
    let (kept, result) = match OWN.take().map_or_else(Own::configured, Ok) {
        Ok(own) => {
            own.agent.begin();
            let result = serve(&request, &own);
            (Some(own), result)
        }
        Err(problem) => (None, Err(problem)),
    };
    let origin = kept.as_ref().map_or(String::new(), |own| own.origin.clone());
    OWN.set(kept);
    let mut response = result.unwrap_or_else(Problem::answer);
    let reads = matches!(request.method(), Method::Get | Method::Head);
    if !origin.is_empty() {
        response.set_header("access-control-allow-origin", origin);
        response.set_header("vary", "origin");
    } else if reads {
        // Anybody may look. What changes something takes a page of the same origin, or one that is configured.
        response.set_header("access-control-allow-origin", "*");
    }
    if matches!(request.method(), Method::Get) && *response.status() < 400 {
        // It depends on the request's path, query and headers alone: of a crowd that asks the same at once, the embedded host answers all together.
        response.set_header("eqmesh-collapsible", "yes");
    }
    response.set_header("access-control-expose-headers", "etag, retry-after");
    response.set_header("x-content-type-options", "nosniff");
    if matches!(request.method(), Method::Head) {
        response = headers_of(&response);
    }
    response
}

/// What a `HEAD` is answered: without a length, since hosts compare it with what is written.
fn headers_of(response: &Response) -> Response {
    let mut head = Response::builder();
    head.status(*response.status());
    for (name, value) in response.headers().filter(|(name, _)| *name != "content-length") {
        head.header(name, value.as_str().unwrap_or_default());
    }
    head.build()
}

fn serve(request: &Request, own: &Own) -> Result<Response, Problem> {
    let number = own.agent.settings().number;
    let path = request.path();
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
    let asked = Asked {
        request,
        query: Query::parse(request.query()),
    };
    let handler = match request.method() {
        Method::Get | Method::Head => resource.get,
        Method::Post => resource.post,
        Method::Options => return Ok(options(resource.allow, &own.origin)),
        _ => None,
    };
    let handler = handler.ok_or_else(|| Problem::method(resource.allow))?;
    handler(&own.agent, &asked)
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

/// An answer with a body of this type.
pub(crate) fn answer(status: u16, media: &str, body: Vec<u8>) -> Response {
    let mut response = Response::builder();
    response.status(status).header("content-type", media);
    response.header("content-length", body.len().to_string());
    response.header("cache-control", "no-cache");
    response.body(body);
    response.build()
}

pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("it serialises into memory");
    answer(status, "application/json", body)
}

/// The answer, or 304 if the client has it already: `tag` changes whenever the answer does.
pub(crate) fn tagged(
    asked: &Asked,
    tag: &str,
    response: impl FnOnce() -> Result<Response, Problem>,
) -> Result<Response, Problem> {
    if asked.has(tag) {
        return Ok(unchanged(tag));
    }
    let mut response = response()?;
    response.set_header("etag", format!("\"{tag}\""));
    Ok(response)
}

/// That the client has what goes by this tag.
pub(crate) fn unchanged(tag: &str) -> Response {
    let mut response = Response::builder();
    let response = response.status(304).header("cache-control", "no-cache");
    response.header("etag", format!("\"{tag}\"")).build()
}
