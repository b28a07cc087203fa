//! The dashboard: `/`, `/plain`, `/status`, `/health`, `/events`, `/view/…` and `/openapi.json`. All it knows it asks of the agents, each time anew; what it makes of that
//! is `eqmesh-view`'s.

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
    wit_bindgen::generate!({ path: "../../wit", world: "http-component", generate_all });
}

mod answer;
mod asked;
mod assets;
mod egraph;
mod events;
mod examples;
mod network;
mod page;
mod timeline;

use bindings::wasi::config::store;
use eqmesh_view::network::{Network, NetworkHealth};
use spin_sdk::http::conversions::TryFromIncomingRequest as _;
use spin_sdk::http::{IncomingRequest, Method, OutgoingResponse, Request, Response, ResponseOutparam};
use spin_sdk::http_component;

use answer::{Problem, answer, json, tagged};
use asked::Asked;
use network::Inquiry;

/// What the network's interface is, for machines.
const OPENAPI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json"));

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
    let method = asked.request.method();
    if asked.request.path() == "/events" && matches!(method, Method::Get) && asked.query.only(&[]).is_ok() {
        return events::stream(agents(), out).await;
    }
    let is_head = matches!(method, Method::Head);
    let mut response = serve(&asked).await.unwrap_or_else(Problem::answer);
    response.set_header("x-content-type-options", "nosniff");
    response.set_header("access-control-allow-origin", "*");
    response.set_header("access-control-expose-headers", "etag, retry-after");
    if matches!(method, Method::Get) && *response.status() < 400 {
        // It depends on the request's path, query and headers alone: of a crowd that asks the same at once, the embedded host answers all together.
        response.set_header("eqmesh-collapsible", "yes");
    }
    send(if is_head { headers_of(&response) } else { response }, out).await;
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
            return Ok(response.status(204).header("allow", answer::ALLOW).build());
        }
        _ => return Err(Problem::method()),
    }
    if let Some(asset) = asset {
        return Ok(assets::serve(asked, asset));
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
            let tag = answer::tag_of(response.body());
            Ok(tagged(asked, &tag, || response))
        }
        "/health" => {
            let health = NetworkHealth::of(&Inquiry::new(agents()).ask().await);
            Ok(json(if health.is_up() { 200 } else { 503 }, &health))
        }
        "/plain" => Ok(page::serve(&Network::of(Inquiry::new(agents()).ask().await, 0))),
        _ => {
            let (document, tag) = Inquiry::new(agents()).network().await;
            Ok(tagged(asked, &tag, || answer(200, "application/json", document)))
        }
    }
}
