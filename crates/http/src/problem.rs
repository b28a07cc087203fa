//! Problem details: how a request is refused.

use serde::Serialize;
use serde_json::{Map, Value};
use spin_sdk::http::Response;

use crate::answer::answer;
use crate::query::QueryError;

const MEDIA: &str = "application/problem+json";

/// Why a request is refused, or could not be served ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)).
#[derive(Debug)]
pub struct Problem {
    status: u16,
    body: Body,
    retry_after: Option<String>,
    allow: Option<&'static str>,
}

#[derive(Debug)]
enum Body {
    Own(Box<Document>),
    /// What another component wrote.
    Other(Vec<u8>),
}

#[derive(Debug, Serialize)]
struct Document {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Problem {
        Problem::bad_request(error.to_string())
    }
}

impl Problem {
    /// `kind` is a stable name of the kind of problem, as a URI reference; `title` says what that is, and `detail` what it is this time, and the remedy.
    pub fn new(status: u16, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        let document = Document {
            kind,
            title,
            status,
            detail: detail.into(),
            members: Map::new(),
        };
        Problem {
            status,
            body: Body::Own(Box::new(document)),
            retry_after: None,
            allow: None,
        }
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(404, "#not-found", "There is nothing here", detail)
    }

    /// 400.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(400, "#bad-request", "The request is wrong", detail)
    }

    /// 405: methods that do something, with commas in between.
    pub fn method(allow: &'static str) -> Problem {
        Problem {
            allow: Some(allow),
            ..Problem::new(405, "#method", "This method does nothing here", format!("use {allow}"))
        }
    }

    /// 415.
    pub fn media_type(expected: &str) -> Problem {
        let detail = format!("send {expected}");
        Problem::new(415, "#media-type", "The body is of another type", detail)
    }

    /// 413.
    pub fn too_large(limit: usize) -> Problem {
        let detail = format!("at most {limit} bytes are taken");
        Problem::new(413, "#too-large", "The body is too large", detail)
    }

    /// What another component answered that refused, with its own words.
    pub fn passed_on(response: Response) -> Problem {
        let retry_after = response.header("retry-after").and_then(|value| value.as_str());
        Problem {
            status: *response.status(),
            retry_after: retry_after.map(str::to_owned),
            body: Body::Other(response.into_body()),
            allow: None,
        }
    }

    /// Whether a component answered with problem details, which can be [passed on](Problem::passed_on).
    pub fn is_one(response: &Response) -> bool {
        let media = response.header("content-type").and_then(|value| value.as_str());
        media == Some(MEDIA)
    }

    /// With a member of its own. One that is passed on stays as it is.
    #[must_use]
    pub fn with(mut self, name: &str, value: &impl Serialize) -> Problem {
        if let Body::Own(document) = &mut self.body {
            let value = serde_json::to_value(value).expect("it serialises into memory");
            document.members.insert(name.to_owned(), value);
        }
        self
    }

    /// With the advice to try again after so many seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Problem {
        Problem {
            retry_after: Some(seconds.to_string()),
            ..self
        }
    }

    /// The answer that says so, which nobody is to keep.
    pub fn answer(self) -> Response {
        let body = match self.body {
            Body::Own(document) => serde_json::to_vec(&document).expect("it serialises into memory"),
            Body::Other(body) => body,
        };
        let mut response = answer(self.status, MEDIA, body);
        response.set_header("cache-control", "no-store");
        if let Some(seconds) = self.retry_after {
            response.set_header("retry-after", seconds);
        }
        if let Some(allow) = self.allow {
            response.set_header("allow", allow);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_passed_on_as_it_was_said() {
        let said = Problem::new(503, "#busy", "The agent is busy", "it works")
            .with("message", &3)
            .retry_after(2)
            .answer();
        assert!(Problem::is_one(&said));
        let words = said.body().to_vec();
        let document: Value = serde_json::from_slice(&words).unwrap();
        let expected = serde_json::json!({
            "type": "#busy", "title": "The agent is busy", "status": 503, "detail": "it works", "message": 3
        });
        assert_eq!(document, expected);
        let again = Problem::passed_on(said).with("message", &4).answer();
        assert_eq!((*again.status(), again.body()), (503, &words[..]));
        let header = |name: &str| again.header(name).and_then(|value| value.as_str());
        assert_eq!(
            (header("retry-after"), header("cache-control")),
            (Some("2"), Some("no-store"))
        );
    }
}
