//! The network at a glance: `/`, `/status`, `/health` and `/openapi.json`. All it knows it asks of the agents, each time anew.

#![allow(
    unsafe_code,
    clippy::same_length_and_capacity,
    reason = "the macros declare the component's entry points"
)]

#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "http-component", generate_all });
}

mod page;
mod status;

use bindings::wasi::config::store;
use serde::Serialize;
use spin_sdk::http::{Method, Request, Response};
use spin_sdk::http_component;
use status::Status;

/// What the network's interface is, for machines.
const OPENAPI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/openapi.json"));

#[derive(Serialize)]
struct Problem<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

#[http_component]
async fn handle(request: Request) -> Response {
    let mut response = serve(&request).await;
    response.set_header("x-content-type-options", "nosniff");
    response.set_header("access-control-allow-origin", "*");
    if matches!(request.method(), Method::Head) {
        // Without a length, since hosts compare it with what is written.
        let mut head = Response::builder();
        head.status(*response.status());
        for (name, value) in response.headers().filter(|(name, _)| *name != "content-length") {
            head.header(name, value.as_str().unwrap_or_default());
        }
        return head.build();
    }
    response
}

fn problem(status: u16, kind: &str, title: &str, detail: &str) -> Response {
    let body = serde_json::to_vec(&Problem {
        kind,
        title,
        status,
        detail,
    })
    .expect("it serialises into memory");
    answer(status, "application/problem+json", body)
}

fn answer(status: u16, media: &str, body: Vec<u8>) -> Response {
    let mut response = Response::builder();
    response.status(status).header("content-type", media);
    response.header("cache-control", "no-cache");
    response.header("content-length", body.len().to_string());
    response.body(body).build()
}

/// How many agents there are.
fn agents() -> u32 {
    let configured = store::get("agents").ok().flatten();
    configured.and_then(|text| text.parse().ok()).unwrap_or(9)
}

async fn serve(request: &Request) -> Response {
    let path = request.path();
    if !["/", "/status", "/health", "/openapi.json"].contains(&path) {
        return problem(
            404,
            "#not-found",
            "There is nothing here",
            "there are /, /status, /health, /openapi.json and /agent/{id}/…",
        );
    }
    match request.method() {
        Method::Get | Method::Head => {}
        Method::Options => {
            let mut response = Response::builder();
            return response.status(204).header("allow", "GET, HEAD, OPTIONS").build();
        }
        _ => {
            let mut response = problem(405, "#method", "This method does nothing here", "use GET");
            response.set_header("allow", "GET, HEAD, OPTIONS");
            return response;
        }
    }
    if path == "/openapi.json" {
        return answer(200, "application/json", OPENAPI.to_vec());
    }
    let status = Status::ask(agents()).await;
    match path {
        "/health" => {
            let body = serde_json::to_vec(&status.health()).expect("it serialises into memory");
            answer(if status.is_healthy() { 200 } else { 503 }, "application/json", body)
        }
        "/status" => {
            let body = serde_json::to_vec(&status).expect("it serialises into memory");
            answer(200, "application/json", body)
        }
        _ => {
            let mut response = answer(200, "text/html; charset=utf-8", page::page(&status).into_bytes());
            response.set_header(
                "content-security-policy",
                "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            );
            response.set_header("referrer-policy", "no-referrer");
            response
        }
    }
}
