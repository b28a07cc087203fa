//! The dashboard: `/`, `/plain`, `/status`, `/health`, `/events`, `/view/…` and `/openapi.json`. All it knows it asks of the agents, each time anew; what it makes of that
//! is `eqmesh-view`'s.

#![allow(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "the macros declare the component's entry points"
)]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "http-component", generate_all });
}

mod assets;
mod egraph;
mod events;
mod examples;
mod network;
mod page;
mod timeline;

use bindings::wasi::config::store;
use eqmesh_http::{Asked, Problem, answer, etag, finish, json, tagged};
use eqmesh_view::network::{Network, NetworkHealth};
use spin_sdk::http::conversions::TryFromIncomingRequest as _;
use spin_sdk::http::{IncomingRequest, Method, OutgoingResponse, Request, Response, ResponseOutparam};
use spin_sdk::http_component;

use network::{Inquiry, fingerprint};

/// What the network's interface is, for machines.
const OPENAPI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json"));

/// What can be done with everything here.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// What there is besides the page's files.
const PATHS: [&str; 9] = [
    "/status",
    "/health",
    "/events",
    "/plain",
    "/view/timeline",
    "/view/egraph",
    "/view/search",
    "/view/examples",
    "/openapi.json",
];

#[http_component]
async fn handle(request: IncomingRequest, out: ResponseOutparam) {
    let Ok(request) = Request::try_from_incoming_request(request).await else {
        return send(Problem::bad_request("the body does not arrive").answer(), out).await;
    };
    let asked = Asked::of(request);
    let gets = matches!(asked.request.method(), Method::Get);
    if asked.request.path() == "/events" && gets && asked.query.only(&[]).is_ok() {
        return events::stream(agents(), out).await;
    }
    let mut response = serve(&asked).await.unwrap_or_else(Problem::answer);
    response.set_header("access-control-allow-origin", "*");
    send(finish(asked.request.method(), response), out).await;
}

async fn send(mut response: Response, out: ResponseOutparam) {
    let body = std::mem::take(response.body_mut());
    let sent = match OutgoingResponse::try_from(response) {
        Ok(response) => out
            .set_with_body(response, body)
            .await
            .map_err(|error| format!("{error:?}")),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = sent {
        eprintln!("the answer could not be sent: {error}");
    }
}

/// How many agents there are.
fn agents() -> u32 {
    let configured = store::get("agents").ok().flatten();
    configured.and_then(|text| text.parse().ok()).unwrap_or(9)
}

async fn serve(asked: &Asked) -> Result<Response, Problem> {
    let path = asked.request.path();
    let asset = assets::asset(path);
    if asset.is_none() && !PATHS.contains(&path) {
        return Err(Problem::not_found(format!(
            "there are /, {} and /agent/{{id}}/…",
            PATHS.join(", ")
        )));
    }
    match asked.request.method() {
        Method::Get | Method::Head => {}
        Method::Options => {
            let mut response = Response::builder();
            return Ok(response.status(204).header("allow", ALLOW).build());
        }
        _ => return Err(Problem::method(ALLOW)),
    }
    if let Some(asset) = asset {
        return assets::serve(asked, asset);
    }
    match path {
        "/view/egraph" => return egraph::picture(asked, agents()).await,
        "/view/search" => return egraph::search(asked, agents()).await,
        "/view/timeline" => return timeline::serve(asked, agents()).await,
        _ => asked.query.only(&[])?,
    }
    match path {
        "/openapi.json" => Ok(answer(200, "application/json", OPENAPI.to_vec())),
        "/events" => {
            let mut response = Response::builder();
            for (name, value) in events::HEADERS {
                response.header(name, value);
            }
            Ok(response.status(200).build())
        }
        "/view/examples" => {
            let response = json(200, &examples::EXAMPLES);
            let tag = etag(&fingerprint(response.body()));
            tagged(asked, &tag, || Ok(response))
        }
        "/health" => {
            let health = NetworkHealth::of(&Inquiry::new(agents()).ask().await);
            Ok(json(if health.is_up() { 200 } else { 503 }, &health))
        }
        "/plain" => Ok(page::serve(&Network::of(Inquiry::new(agents()).ask().await, 0))),
        _ => {
            let (document, fingerprint) = Inquiry::new(agents()).network().await;
            tagged(asked, &etag(&fingerprint), || {
                Ok(answer(200, "application/json", document))
            })
        }
    }
}
