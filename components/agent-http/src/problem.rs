//! Problem details (RFC 9457): how a request is refused.

use eqmesh_agent::Diagnostic;
use eqmesh_query::QueryError;
use eqmesh_replica::Fault;
use eqmesh_service::{ServiceError, StoreError};
use serde::Serialize;
use spin_sdk::http::Response;

/// A place in a text that was sent.
#[derive(Debug, Serialize)]
pub(crate) struct Place {
    code: String,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    help: String,
    /// From 1.
    line: usize,
    /// From 1, in characters.
    column: usize,
    /// Bytes into the text.
    start: u32,
    end: u32,
}

impl Place {
    pub(crate) fn of(own: Diagnostic, text: &str) -> Place {
        let before = text.get(..own.start as usize).unwrap_or(text);
        let begin = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            line: before.matches('\n').count() + 1,
            column: before[begin..].chars().count() + 1,
            code: own.code,
            message: own.message,
            help: own.help,
            start: own.start,
            end: own.end,
        }
    }
}

/// Why a request is refused.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    /// A stable name of the kind of problem, as a URI reference.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Place>,
    /// Of the message in a delivery that is at fault, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<usize>,
    /// Seconds.
    #[serde(skip)]
    retry_after: Option<u64>,
    #[serde(skip)]
    allow: Option<&'static str>,
}

impl From<QueryError> for Problem {
    fn from(error: QueryError) -> Problem {
        Problem::bad_request(error.to_string())
    }
}

impl Problem {
    pub(crate) fn new(status: u16, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem {
            kind,
            title,
            status,
            detail: detail.into(),
            errors: Vec::new(),
            message: None,
            retry_after: None,
            allow: None,
        }
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(404, "#not-found", "There is nothing here", detail)
    }

    pub(crate) fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(400, "#bad-request", "The request is wrong", detail)
    }

    pub(crate) fn method(allow: &'static str) -> Problem {
        Problem {
            allow: Some(allow),
            ..Problem::new(405, "#method", "This method does nothing here", format!("use {allow}"))
        }
    }

    pub(crate) fn media_type(expected: &str) -> Problem {
        Problem::new(
            415,
            "#media-type",
            "The body is of another type",
            format!("send {expected}"),
        )
    }

    pub(crate) fn too_large(limit: usize) -> Problem {
        Problem::new(
            413,
            "#too-large",
            "The body is too large",
            format!("at most {limit} bytes are taken"),
        )
    }

    /// A text is wrong, and where.
    pub(crate) fn text(own: Vec<Diagnostic>, text: &str) -> Problem {
        let errors: Vec<Place> = own
            .into_iter()
            .filter(|own| own.error)
            .map(|own| Place::of(own, text))
            .collect();
        let first = errors
            .first()
            .map_or_else(String::new, |first| format!("line {}: {}", first.line, first.message));
        Problem {
            errors,
            ..Problem::new(422, "#text", "The text is wrong", first)
        }
    }

    /// What the agent says of a question.
    pub(crate) fn fault(fault: &Fault) -> Problem {
        let detail = fault.to_string();
        match fault {
            Fault::Malformed(_) | Fault::Mismatch(_) | Fault::Unknown(_) => {
                Problem::new(422, "#text", "The text is wrong", detail)
            }
            Fault::Absent(_) => Problem::new(404, "#absent", "That term does not stand in the e-graph", detail),
            Fault::Limit(_) => Problem::new(422, "#limit", "A limit is exceeded", detail),
            Fault::Coloring(_) | Fault::Refused(_) | Fault::Misplaced(_) => {
                Problem::new(409, "#conflict", "The agent cannot do that as it is", detail)
            }
        }
    }

    pub(crate) fn of(error: ServiceError, text: &str) -> Problem {
        let detail = error.to_string();
        match error {
            ServiceError::Busy { after, .. } => Problem {
                retry_after: Some(after.div_ceil(1000).max(1)),
                ..Problem::new(503, "#busy", "The agent is busy", detail)
            },
            ServiceError::Store(StoreError::Limit(_)) => Problem::new(507, "#storage", "The store is full", detail),
            ServiceError::Store(StoreError::Unavailable(_)) => Problem {
                retry_after: Some(1),
                ..Problem::new(503, "#storage", "The store cannot be used", detail)
            },
            ServiceError::Damaged(..) => Problem::new(500, "#damaged", "The stored state is damaged", detail),
            ServiceError::Message(at, Fault::Misplaced(_)) => Problem {
                message: Some(at),
                ..Problem::new(409, "#receiver", "A message is not for this agent", detail)
            },
            ServiceError::Message(at, _) => Problem {
                message: Some(at),
                ..Problem::new(400, "#message", "A message is none", detail)
            },
            ServiceError::Text(own) => Problem::text(own, text),
            ServiceError::Fault(fault) => Problem::fault(&fault),
        }
    }

    pub(crate) fn answer(self) -> Response {
        let mut response = Response::builder();
        response.status(self.status);
        response.header("content-type", "application/problem+json");
        response.header("cache-control", "no-store");
        if let Some(seconds) = self.retry_after {
            response.header("retry-after", seconds.to_string());
        }
        if let Some(allow) = self.allow {
            response.header("allow", allow);
        }
        let body = serde_json::to_vec(&self).expect("it serialises into memory");
        response.header("content-length", body.len().to_string());
        response.body(body);
        response.build()
    }
}
