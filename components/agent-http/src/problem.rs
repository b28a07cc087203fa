//! How a request is refused that the agent cannot do.

use eqmesh_agent::Diagnostic;
use eqmesh_http::Problem;
use eqmesh_replica::Fault;
use eqmesh_service::{ServiceError, StoreError};
use serde::Serialize;

/// A place in a text that was sent.
#[derive(Debug, Serialize)]
struct Place {
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
    fn of(own: Diagnostic, text: &str) -> Place {
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

/// A text is wrong, and where: the member `errors`.
pub(crate) fn text(own: Vec<Diagnostic>, text: &str) -> Problem {
    let errors: Vec<Place> = own
        .into_iter()
        .filter(|own| own.error)
        .map(|own| Place::of(own, text))
        .collect();
    let first = errors
        .first()
        .map_or_else(String::new, |first| format!("line {}: {}", first.line, first.message));
    let problem = Problem::new(422, "#text", "The text is wrong", first);
    if errors.is_empty() {
        return problem;
    }
    problem.with("errors", &errors)
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

/// What the service says of a request that brought this text. The member `message` is the number of the message in a delivery that is at fault, from 0.
pub(crate) fn of(error: ServiceError, brought: &str) -> Problem {
    let detail = error.to_string();
    match error {
        ServiceError::Busy { after, .. } => {
            Problem::new(503, "#busy", "The agent is busy", detail).retry_after(after.div_ceil(1000).max(1))
        }
        ServiceError::Store(StoreError::Limit(_)) => Problem::new(507, "#storage", "The store is full", detail),
        ServiceError::Store(StoreError::Unavailable(_)) => {
            Problem::new(503, "#storage", "The store cannot be used", detail).retry_after(1)
        }
        ServiceError::Damaged(..) => Problem::new(500, "#damaged", "The stored state is damaged", detail),
        ServiceError::Message(at, Fault::Misplaced(_)) => {
            Problem::new(409, "#receiver", "A message is not for this agent", detail).with("message", &at)
        }
        ServiceError::Message(at, _) => Problem::new(400, "#message", "A message is none", detail).with("message", &at),
        ServiceError::Text(own) => text(own, brought),
        ServiceError::Fault(own) => fault(&own),
    }
}
