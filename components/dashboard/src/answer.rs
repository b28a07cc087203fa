//! Answers: JSON, with an entity tag where it pays, and problem details (RFC 9457).

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use eqmesh_query::QueryError;
use serde::Serialize;
use spin_sdk::http::Response;

use crate::asked::Asked;

/// Why a request is refused, or could not be served.
#[derive(Debug)]
pub(crate) struct Problem {
    status: u16,
    /// A problem document.
    body: Vec<u8>,
    /// Seconds.
    retry_after: Option<String>,
    allow: bool,
}

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    title: &'a str,
    status: u16,
    detail: &'a str,
}

/// What can be done with everything here.
pub(crate) const ALLOW: &str = "GET, HEAD, OPTIONS";

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Problem {
        Problem::bad_request(error.to_string())
    }
}

impl Problem {
    fn new(status: u16, kind: &str, title: &str, detail: &str) -> Problem {
        let document = Document {
            kind,
            title,
            status,
            detail,
        };
        Problem {
            status,
            body: serde_json::to_vec(&document).expect("it serialises into memory"),
            retry_after: None,
            allow: false,
        }
    }

    pub(crate) fn bad_request(detail: impl AsRef<str>) -> Problem {
        Problem::new(400, "#bad-request", "The request is wrong", detail.as_ref())
    }

    pub(crate) fn not_found(detail: impl AsRef<str>) -> Problem {
        Problem::new(404, "#not-found", "There is nothing here", detail.as_ref())
    }

    pub(crate) fn method() -> Problem {
        Problem {
            allow: true,
            ..Problem::new(405, "#method", "This method does nothing here", "use GET")
        }
    }

    /// An agent does not answer, or not in a way that can be understood.
    pub(crate) fn silent(agent: u32, why: &str) -> Problem {
        Problem {
            retry_after: Some("1".to_owned()),
            ..Problem::new(
                503,
                "#silent",
                "The agent does not answer",
                &format!("agent {agent}: {why}. Ask another one, or this one later"),
            )
        }
    }

    /// What an agent itself said.
    pub(crate) fn of(response: Response) -> Problem {
        let retry_after = response.header("retry-after").and_then(|value| value.as_str());
        Problem {
            retry_after: retry_after.map(str::to_owned),
            status: *response.status(),
            body: response.into_body(),
            allow: false,
        }
    }

    pub(crate) fn answer(self) -> Response {
        let mut response = answer(self.status, "application/problem+json", self.body);
        response.set_header("cache-control", "no-store");
        if let Some(seconds) = self.retry_after {
            response.set_header("retry-after", seconds);
        }
        if self.allow {
            response.set_header("allow", ALLOW);
        }
        response
    }
}

pub(crate) fn answer(status: u16, media: &str, body: Vec<u8>) -> Response {
    let mut response = Response::builder();
    response.status(status).header("content-type", media);
    response.header("cache-control", "no-cache");
    response.header("content-length", body.len().to_string());
    response.body(body).build()
}

pub(crate) fn json(status: u16, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).expect("it serialises into memory");
    answer(status, "application/json", body)
}

/// A tag that changes whenever these bytes do.
pub(crate) fn tag_of(bytes: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// The answer, or 304 if the client has what goes by this tag.
pub(crate) fn tagged(asked: &Asked, tag: &str, response: impl FnOnce() -> Response) -> Response {
    if asked.has(tag) {
        return unchanged(tag);
    }
    let mut response = response();
    response.set_header("etag", tag);
    response
}

/// That the client has what goes by this tag.
pub(crate) fn unchanged(tag: &str) -> Response {
    let mut response = Response::builder();
    let response = response.status(304).header("cache-control", "no-cache");
    response.header("etag", tag).build()
}
