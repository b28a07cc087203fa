//! What changes the agent, or asks it for facts.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eqmesh_http::{Asked, Problem, answer, json};
use eqmesh_language::reader::Forms;
use eqmesh_language::{COMMANDS, NO_SCOPES};
use eqmesh_replica::{AgentId, Budget, VersionVector};
use eqmesh_service::{ServiceError, Task, hex, label};
use eqmesh_webhook::{BATCH_TYPE, Batch, MAX_BYTES};
use serde::{Deserialize, Serialize};
use spin_sdk::http::Response;

use crate::{Agent, problem};

/// The longest program, in bytes.
const MAX_PROGRAM: usize = 4 << 20;

/// How long a program waits for others that are at work, in milliseconds.
const PATIENCE: u64 = 15_000;

/// The longest that an agent works in one go, in milliseconds.
const MAX_WORK: u64 = 10_000;

/// The longest JSON body that holds binary.
const MAX_JSON: usize = MAX_BYTES * 4 / 3 + 1024;

const JSON: &str = "application/json";

fn from_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the JSON of the body: {error}")))
}

fn from_base64(text: &str) -> Result<Vec<u8>, Problem> {
    let wrong = |error| Problem::bad_request(format!("base64: {error}"));
    BASE64_STANDARD.decode(text).map_err(wrong)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Messages {
    messages: Vec<String>,
}

#[derive(Serialize)]
struct Stored {
    messages: usize,
}

/// `POST message`: messages of other agents, durable when this is answered.
pub(crate) fn message(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&[])?;
    let messages = match asked.media_type().as_str() {
        BATCH_TYPE => {
            let body = asked.body(MAX_BYTES)?;
            let batch = Batch::decode(body).map_err(|fault| Problem::bad_request(fault.to_string()))?;
            batch.messages
        }
        JSON => {
            let own: Messages = from_json(asked.body(MAX_JSON)?)?;
            let messages = own.messages.iter().map(|text| from_base64(text));
            messages.collect::<Result<_, _>>()?
        }
        _ => return Err(Problem::media_type(&format!("{BATCH_TYPE} or {JSON}"))),
    };
    let delivered = agent.deliver(&messages).map_err(|error| problem::of(error, ""))?;
    Ok(json(
        200,
        &Stored {
            messages: delivered.messages,
        },
    ))
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Sync {
    /// What the client has: `number` or `number.incarnation`, and how many facts.
    #[serde(deserialize_with = "counts")]
    version: std::collections::BTreeMap<String, u64>,
}

/// The most that a JSON number stands for exactly, everywhere.
const MAX_COUNT: u64 = (1 << 53) - 1;

/// Whole numbers as JSON Schema has them: `3.0` is one.
fn counts<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<std::collections::BTreeMap<String, u64>, D::Error> {
    use serde::de::Error as _;
    let read = std::collections::BTreeMap::<String, serde_json::Number>::deserialize(deserializer)?;
    let count = |(name, number): (String, serde_json::Number)| {
        let whole = |float: &f64| float.fract() == 0.0 && *float >= 0.0;
        let exact = number.as_u64().or_else(|| Some(number.as_f64().filter(whole)? as u64));
        match exact.filter(|&count| count <= MAX_COUNT) {
            Some(count) => Ok((name, count)),
            None => Err(D::Error::custom(format!(
                "`{number}` is no number of facts: write a whole number from 0 to {MAX_COUNT}"
            ))),
        }
    };
    read.into_iter().map(count).collect()
}

#[derive(Serialize)]
struct Facts {
    version: std::collections::BTreeMap<String, u64>,
    state_digest: String,
    /// Base64.
    blocks: Vec<String>,
}

fn agent_of(label: &str) -> Result<AgentId, Problem> {
    let (number, incarnation) = label.split_once('.').unwrap_or((label, "0"));
    let agent = number.parse().ok().zip(incarnation.parse().ok());
    let agent = agent.and_then(|(number, incarnation)| AgentId::new(number, incarnation));
    // There is one way to write each.
    let agent = agent.filter(|agent| eqmesh_service::label(*agent) == label);
    agent.ok_or_else(|| Problem::bad_request(format!("`{label}` is no agent: write 3, or 3.1 for its incarnation 1")))
}

/// `POST sync`: "I have what my version vector says, send me what I lack."
pub(crate) fn sync(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    use eqmesh_service::Member as _;

    asked.query.only(&[])?;
    let body = asked.body(1 << 20)?;
    let own: Sync = match asked.media_type().as_str() {
        JSON => from_json(body)?,
        "" if body.is_empty() => Sync::default(),
        _ => return Err(Problem::media_type(JSON)),
    };
    let mut version = VersionVector::default();
    for (label, sequence) in own.version {
        version.raise(agent_of(&label)?, sequence);
    }
    let facts = agent.ask(|member| {
        let blocks = member.0.delta_since(&eqmesh_guest::version_to_wit(&version));
        Facts {
            version: member
                .version()
                .iter()
                .map(|dot| (label(dot.agent), dot.sequence))
                .collect(),
            state_digest: hex(&member.summary().state_digest),
            blocks: blocks.iter().map(|block| BASE64_STANDARD.encode(block)).collect(),
        }
    });
    Ok(json(200, &facts.map_err(|error| problem::of(error, ""))?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    program: String,
}

#[derive(Serialize)]
struct Skipped {
    line: usize,
    command: String,
}

#[derive(Serialize)]
struct Taken {
    facts: u64,
    state: eqmesh_service::AgentState,
    /// Commands that a network which runs all the time does not run: it applies rules by itself, and questions have resources of their own.
    skipped: Vec<Skipped>,
}

/// The declarations, rules and terms of a program, each where it was: other commands become blanks, so that places in the one are places in the other.
fn declarations(text: &str) -> Result<(String, Vec<Skipped>), Problem> {
    let wrong =
        |own: Vec<eqmesh_language::Diagnostic>| problem::text(own.into_iter().map(crate::ask::plain).collect(), text);
    let forms = Forms::read(text).map_err(wrong)?;
    let mut declarations = text.to_owned().into_bytes();
    let mut skipped = Vec::new();
    for form in forms.roots() {
        let Some(head) = forms.head(form).filter(|head| COMMANDS.contains(head)) else {
            continue;
        };
        let span = forms.span(form);
        let line = text[..span.start].matches('\n').count() + 1;
        let why = match head {
            "push" | "pop" => NO_SCOPES,
            "include" => "a program that is sent cannot include files: send them one after the other",
            _ => {
                skipped.push(Skipped {
                    line,
                    command: forms.source(form).to_owned(),
                });
                for byte in &mut declarations[span] {
                    if *byte != b'\n' {
                        *byte = b' ';
                    }
                }
                continue;
            }
        };
        let diagnostic = eqmesh_agent::Diagnostic {
            code: "command".to_owned(),
            message: format!("`{head}` cannot be sent to an agent"),
            help: why.to_owned(),
            start: span.start as u32,
            end: span.end as u32,
            error: true,
        };
        return Err(problem::text(vec![diagnostic], text));
    }
    let declarations = String::from_utf8(declarations).expect("whole commands were replaced by blanks");
    Ok((declarations, skipped))
}

/// `POST program`: an egglog-style text. Its declarations, rules and terms become facts.
pub(crate) fn program(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&[])?;
    let body = asked.body(MAX_PROGRAM)?;
    let text = match asked.media_type().as_str() {
        JSON => from_json::<Program>(body)?.program,
        "text/plain" | "application/x-egglog" => String::from_utf8(body.to_vec())
            .map_err(|error| Problem::bad_request(format!("the text is not UTF-8: {}", error.utf8_error())))?,
        _ => {
            return Err(Problem::media_type(
                "text/plain (the program) or application/json ({\"program\": …})",
            ));
        }
    };
    let (declarations, skipped) = declarations(&text)?;
    let taken = agent
        .submit(&declarations, PATIENCE)
        .map_err(|error| problem::of(error, &text))?;
    Ok(json(
        200,
        &Taken {
            facts: taken.facts,
            state: taken.state,
            skipped,
        },
    ))
}

#[derive(Serialize)]
struct Work {
    /// Base64.
    outbox: Vec<String>,
    last: u64,
    more: bool,
    tick_after_ms: u64,
}

/// `POST step`: a bounded amount of work.
pub(crate) fn step(agent: &Agent, asked: &Asked) -> Result<Response, Problem> {
    asked.query.only(&["published", "ms", "matches", "nodes"])?;
    let task = Task {
        published: asked.query.number("published", 0, u64::MAX)?,
        milliseconds: asked.query.number("ms", 500, MAX_WORK)?,
        budget: Budget {
            matches: asked.query.number("matches", 1 << 22, u64::MAX)?,
            nodes: asked.query.number("nodes", 1 << 20, u64::MAX)?,
        },
    };
    let worked = agent.work(task).map_err(|error: ServiceError| problem::of(error, ""))?;
    let mut response = if asked.accepts("accept", BATCH_TYPE) {
        answer(
            200,
            BATCH_TYPE,
            Batch {
                messages: worked.outbox,
            }
            .encode(),
        )
    } else {
        let outbox = worked.outbox.iter().map(|own| BASE64_STANDARD.encode(own)).collect();
        json(
            200,
            &Work {
                outbox,
                last: worked.last,
                more: worked.more,
                tick_after_ms: worked.tick_after,
            },
        )
    };
    response.set_header("eqmesh-outbox-last", worked.last.to_string());
    response.set_header("eqmesh-work", if worked.more { "more" } else { "idle" });
    response.set_header("eqmesh-tick-after", worked.tick_after.to_string());
    Ok(response)
}
