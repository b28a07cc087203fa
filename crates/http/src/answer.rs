//! Answers: JSON, with an entity tag where it pays.

use serde::Serialize;
use spin_sdk::http::{Method, Response};

use crate::problem::Problem;
use crate::request::Asked;

/// An answer with a body of this type, which caches ask for again each time.
pub fn answer(status: u16, media: &str, body: Vec<u8>) -> Response {
    let mut response = Response::builder();
    response.status(status).header("content-type", media);
    response.header("content-length", body.len().to_string());
    response.header("cache-control", "no-cache");
    response.body(body).build()
}

/// An answer in JSON.
pub fn json(status: u16, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("it serialises into memory");
    answer(status, "application/json", body)
}

/// The entity tag (RFC 9110, 8.8.3) of this text, which has no quotes: a strong one.
pub fn etag(text: &str) -> String {
    format!("\"{text}\"")
}

/// The answer, or 304 if the client has it already: `tag` (with its quotes) changes whenever the answer does.
pub fn tagged(
    asked: &Asked,
    tag: &str,
    response: impl FnOnce() -> Result<Response, Problem>,
) -> Result<Response, Problem> {
    if asked.has(tag) {
        return Ok(unchanged(tag));
    }
    let mut response = response()?;
    response.set_header("etag", tag);
    Ok(response)
}

/// That the client has what goes by this tag (with its quotes): 304.
pub fn unchanged(tag: &str) -> Response {
    let mut response = Response::builder();
    let response = response.status(304).header("cache-control", "no-cache");
    response.header("etag", tag).build()
}

/// What every answer has besides, whatever it is of; and of a `HEAD`, the headers alone.
///
/// An answer to a `GET` that is none of failure says `eqmesh-collapsible`: it depends on the request's path, query and headers alone, so that the embedded host answers all of a crowd that asks the same at once together.
pub fn finish(method: &Method, mut response: Response) -> Response {
    if matches!(method, Method::Get) && *response.status() < 400 {
        response.set_header("eqmesh-collapsible", "yes");
    }
    response.set_header("x-content-type-options", "nosniff");
    response.set_header("access-control-expose-headers", "etag, retry-after");
    if matches!(method, Method::Head) {
        return headers_of(&response);
    }
    response
}

/// Without a length, since hosts compare it with what is written.
fn headers_of(response: &Response) -> Response {
    let mut head = Response::builder();
    head.status(*response.status());
    for (name, value) in response.headers().filter(|(name, _)| *name != "content-length") {
        head.header(name, value.as_str().unwrap_or_default());
    }
    head.build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.header(name).and_then(|value| value.as_str())
    }

    #[test]
    fn a_head_has_all_headers_but_the_length_and_no_body() {
        let whole = finish(&Method::Get, json(200, &[1]));
        assert_eq!(
            (header(&whole, "content-length"), whole.body()),
            (Some("3"), &b"[1]"[..])
        );
        let head = finish(&Method::Head, json(200, &[1]));
        assert_eq!(header(&head, "content-length"), None);
        assert_eq!(header(&head, "content-type"), Some("application/json"));
        assert_eq!(header(&head, "x-content-type-options"), Some("nosniff"));
        assert!(head.body().is_empty());
    }

    #[test]
    fn only_what_succeeds_and_changes_nothing_is_answered_together() {
        let collapsible = |method, status| {
            let response = finish(&method, json(status, &()));
            header(&response, "eqmesh-collapsible").is_some()
        };
        assert!(collapsible(Method::Get, 200));
        assert!(!collapsible(Method::Get, 503) && !collapsible(Method::Post, 200));
    }
}
