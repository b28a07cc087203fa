//! A client for the deployed network: `status`, `state`, `submit`, `extract`, `explain`, `watch`.

use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use eqmesh_service::AgentState;
use serde_json::Value;
use ureq::http::StatusCode;
use ureq::{Agent, Body, http::Response};

use super::{BAD_INPUT, DOES_NOT_HOLD, DONE, INTERNAL, show};

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 64 << 20;

/// How often a request is made again when the network says that it is busy.
const TRIES: u32 = 5;

#[derive(Debug, Args)]
pub(crate) struct Network {
    /// Where the network answers.
    #[arg(
        long,
        value_name = "URL",
        env = "EQMESH_APP",
        default_value = "http://127.0.0.1:3000"
    )]
    app: String,

    /// Print what the network answers, as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eqmesh status
  eqmesh status --app https://eqmesh.example.com --json

Exit codes: 0 if all agents hold the same converged graph, 1 if not, 2 for a wrong URL, 3 if the network cannot be reached.")]
pub(crate) struct StatusArguments {
    #[command(flatten)]
    network: Network,
}

#[derive(Debug, Args)]
pub(crate) struct OneAgent {
    #[command(flatten)]
    network: Network,

    /// Which agent is asked. The next one is asked where it does not answer.
    #[arg(long, value_name = "N", default_value_t = 0)]
    agent: u32,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  eqmesh state --agent 3

Exit codes: 0 done, 1 the agent cannot answer, 2 for a wrong URL or an agent that does not exist, 3 if the network cannot be reached.")]
pub(crate) struct StateArguments {
    #[command(flatten)]
    one: OneAgent,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  eqmesh submit examples/calculus.egg
  eqmesh submit --wait 60 rules.egg && eqmesh extract 'slope'

Exit codes: 0 done, 1 not converged after --wait, 2 bad input or an agent that does not exist, 3 if the network cannot be reached.")]
pub(crate) struct SubmitArguments {
    #[command(flatten)]
    one: OneAgent,

    /// Wait until all agents hold the same converged graph, for so many seconds at most.
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,

    /// Programs; - is the standard input. Their rules and terms are added; commands that run or ask something are skipped.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  eqmesh extract '(Add (Num 1) (Num 2))' --variants 3

Exit codes: 0 done, 1 the term does not stand in the e-graph, 2 bad input or an agent that does not exist, 3 if the network cannot be reached.")]
pub(crate) struct ExtractArguments {
    #[command(flatten)]
    one: OneAgent,

    /// How many terms to show at most.
    #[arg(long, value_name = "N", default_value_t = 1)]
    variants: u32,

    /// A node that occurs several times counts once.
    #[arg(long)]
    dag: bool,

    /// A term or a label.
    term: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  eqmesh explain '(Add a b)' '(Add b a)'

Exit codes: 0 done, 1 the terms are not known to be equal, 2 bad input or an agent that does not exist, 3 if the network cannot be reached.")]
pub(crate) struct ExplainArguments {
    #[command(flatten)]
    one: OneAgent,

    /// A term or a label.
    left: String,

    /// Another one.
    right: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  eqmesh watch --until-converged")]
pub(crate) struct WatchArguments {
    #[command(flatten)]
    network: Network,

    /// Seconds between two looks.
    #[arg(long, value_name = "SECONDS", default_value_t = 1.0, value_parser = interval)]
    every: f64,

    /// End once all agents hold the same converged graph.
    #[arg(long)]
    until_converged: bool,
}

fn interval(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.05..=3600.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0.05 to 3600".to_owned()),
    }
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error("{0}")]
    Usage(String),
    #[error("{0}: is the network running? Start one with `eqmesh serve`, or say where it is with --app")]
    Unreachable(String),
    /// The network cannot do what was asked.
    #[error("{0}")]
    Refused(String),
    /// What was asked is wrong, or names what does not exist.
    #[error("{0}")]
    Wrong(String),
    /// A term does not stand in the e-graph.
    #[error("{0}")]
    Absent(String),
}

impl ClientError {
    pub(crate) fn status(&self) -> u8 {
        match self {
            ClientError::Usage(_) | ClientError::Wrong(_) => BAD_INPUT,
            ClientError::Unreachable(_) => INTERNAL,
            ClientError::Refused(_) | ClientError::Absent(_) => DOES_NOT_HOLD,
        }
    }
}

/// Makes requests, again where the network says that it is busy.
pub(crate) struct Client {
    agent: Agent,
    app: String,
}

impl Client {
    fn new(network: &Network) -> Result<Client, ClientError> {
        Client::of(&network.app)
    }

    /// Of the network at a URL.
    pub(crate) fn of(app: &str) -> Result<Client, ClientError> {
        let app = app.trim_end_matches('/').to_owned();
        let parsed: Result<ureq::http::Uri, _> = app.parse();
        if !parsed.is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some()) {
            return Err(ClientError::Usage(format!("`{app}` is no URL: write http://HOST:PORT")));
        }
        let configuration = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .user_agent(concat!("eqmesh/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Client {
            agent: configuration.into(),
            app,
        })
    }

    /// Makes a request until it is answered with something else than "try again", and reads the answer.
    fn request(
        &self,
        path: &str,
        make: impl Fn(&Agent, &str) -> Result<Response<Body>, ureq::Error>,
    ) -> Result<Value, ClientError> {
        let url = format!("{}{path}", self.app);
        let mut tries = 0;
        loop {
            tries += 1;
            let mut response =
                make(&self.agent, &url).map_err(|error| ClientError::Unreachable(format!("{}: {error}", self.app)))?;
            let status = response.status();
            let after = response
                .headers()
                .get("retry-after")
                .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            if let (Some(after), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) = (after, status)
                && tries < TRIES
            {
                std::thread::sleep(Duration::from_secs(after.min(10)));
                continue;
            }
            let mut body = Vec::new();
            let read = response.body_mut().as_reader().take(MAX_ANSWER).read_to_end(&mut body);
            read.map_err(|error| ClientError::Unreachable(format!("{url}: {error}")))?;
            let answer: Option<Value> = serde_json::from_slice(&body).ok();
            if status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE && path == "/health" {
                return answer.ok_or_else(|| {
                    ClientError::Refused(format!(
                        "{url} answers something else than JSON: it is no network of eqmesh"
                    ))
                });
            }
            let told = told(answer.as_ref(), &url, status);
            let is_absent = answer.is_some_and(|own| own["type"] == "#absent");
            return Err(match status {
                _ if is_absent => ClientError::Absent(told),
                StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::UNPROCESSABLE_ENTITY => {
                    ClientError::Wrong(told)
                }
                _ => ClientError::Refused(told),
            });
        }
    }

    pub(crate) fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value, ClientError> {
        self.request(path, |agent, url| {
            parameters
                .iter()
                .fold(agent.get(url), |request, (name, value)| request.query(*name, *value))
                .call()
        })
    }

    /// Sends a program to an agent.
    pub(crate) fn submit(&self, agent: u32, text: &str) -> Result<Value, ClientError> {
        self.request(&format!("/agent/{agent}/program"), |agent, url| {
            agent
                .post(url)
                .content_type("text/plain; charset=utf-8")
                .send(text.as_bytes())
        })
    }

    fn status(&self) -> Result<Value, ClientError> {
        self.get("/status", &[])
    }
}

/// What problem details say, for people.
fn told(answer: Option<&Value>, url: &str, status: StatusCode) -> String {
    let text = |name: &str| answer.and_then(|own| own.get(name)?.as_str());
    let mut told = match (text("title"), text("detail")) {
        (Some(title), Some(detail)) => format!("{title}: {detail}"),
        _ => format!("{url} answers {status}"),
    };
    for error in answer
        .and_then(|own| own.get("errors")?.as_array())
        .into_iter()
        .flatten()
    {
        let part = |name: &str| {
            error.get(name).map_or(String::new(), |own| {
                own.as_str().map_or_else(|| own.to_string(), str::to_owned)
            })
        };
        put(
            &mut told,
            format_args!(
                "\n  line {}, column {}: {}",
                part("line"),
                part("column"),
                part("message")
            ),
        );
        if !part("help").is_empty() {
            put(&mut told, format_args!("\n    {}", part("help")));
        }
    }
    told
}

/// Appends to a text.
fn put(text: &mut String, what: std::fmt::Arguments) {
    use std::fmt::Write as _;

    text.write_fmt(what).expect("a string takes all that is written");
}

fn end(outcome: Result<u8, ClientError>) -> u8 {
    outcome.unwrap_or_else(|error| {
        say!("eqmesh: {error}");
        error.status()
    })
}

fn print_json(value: &Value) -> u8 {
    let mut text = serde_json::to_vec_pretty(value).expect("it serialises into memory");
    text.push(b'\n');
    show(&text)
}

fn converged(status: &Value) -> bool {
    status.get("converged").and_then(Value::as_bool).unwrap_or(false)
}

/// The status as a table.
fn table(status: &Value) -> String {
    let mut text = String::new();
    if let Some(summary) = status.get("summary").and_then(Value::as_str) {
        text.push_str(summary);
        text.push('\n');
    }
    put(
        &mut text,
        format_args!(
            "{:>5}  {:<5}  {:<10}  {:<9}  {:>9}  {:>9}  {:>9}  {:>6}  {}\n",
            "agent", "color", "life", "converged", "facts", "e-nodes", "e-classes", "inbox", "state"
        ),
    );
    for agent in status.get("agents").and_then(Value::as_array).into_iter().flatten() {
        let line = match serde_json::from_value::<AgentState>(agent.clone()) {
            Ok(own) => format!(
                "{:>5}  {:<5}  {:<10}  {:<9}  {:>9}  {:>9}  {:>9}  {:>6}  {}\n",
                own.id,
                own.color.as_deref().unwrap_or("all"),
                own.life,
                if own.converged { "yes" } else { "no" },
                own.facts,
                own.enodes,
                own.eclasses,
                own.queue.inbox,
                own.state_digest.get(..16).unwrap_or("")
            ),
            Err(_) => format!(
                "{:>5}  does not answer: {}\n",
                agent.get("id").unwrap_or(&Value::Null),
                agent.get("error").and_then(Value::as_str).unwrap_or("")
            ),
        };
        text.push_str(&line);
    }
    text
}

/// `eqmesh status`.
pub(crate) fn status(arguments: &StatusArguments) -> u8 {
    end((|| {
        let status = Client::new(&arguments.network)?.status()?;
        let shown = if arguments.network.json {
            print_json(&status)
        } else {
            show(table(&status).as_bytes())
        };
        Ok(if shown != DONE {
            shown
        } else if converged(&status) {
            DONE
        } else {
            DOES_NOT_HOLD
        })
    })())
}

/// Asks an agent; where it does not answer, the next.
fn ask(one: &OneAgent, resource: &str, parameters: &[(&str, &str)]) -> Result<Value, ClientError> {
    let client = Client::new(&one.network)?;
    let path = |agent: u32| format!("/agent/{agent}/{resource}");
    match client.get(&path(one.agent), parameters) {
        Err(ClientError::Unreachable(_)) => client.get(&path((one.agent + 1) % 9), parameters),
        answer => answer,
    }
}

/// `eqmesh state`.
pub(crate) fn state(arguments: &StateArguments) -> u8 {
    end((|| {
        let state = ask(&arguments.one, "state", &[])?;
        Ok(if arguments.one.network.json {
            print_json(&state)
        } else {
            let mut text = String::new();
            for (name, value) in state.as_object().into_iter().flatten() {
                put(
                    &mut text,
                    format_args!(
                        "{name:18} {}\n",
                        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                    ),
                );
            }
            show(text.as_bytes())
        })
    })())
}

/// `eqmesh submit`.
pub(crate) fn submit(arguments: &SubmitArguments) -> u8 {
    end((|| {
        let client = Client::new(&arguments.one.network)?;
        let mut answers = Vec::new();
        for file in &arguments.files {
            let read = if file.as_os_str() == "-" {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).map(|_| text)
            } else {
                std::fs::read_to_string(file)
            };
            let text = read.map_err(|error| ClientError::Usage(format!("cannot read {}: {error}", file.display())))?;
            let answer = client.submit(arguments.one.agent, &text);
            let answer = answer.map_err(|error| match error {
                ClientError::Refused(why) | ClientError::Wrong(why) => {
                    ClientError::Usage(format!("{}: {why}", file.display()))
                }
                other => other,
            })?;
            if !arguments.one.network.json {
                let facts = answer.get("facts").and_then(Value::as_u64).unwrap_or(0);
                let skipped = answer.get("skipped").and_then(Value::as_array).map_or(0, Vec::len);
                let shown = show(format!("{}: {facts} facts, {skipped} commands skipped\n", file.display()).as_bytes());
                if shown != DONE {
                    return Ok(shown);
                }
            }
            answers.push(answer);
        }
        let ended = match arguments.wait {
            None => true,
            Some(seconds) => wait(&client, Duration::from_secs(seconds))?,
        };
        if arguments.one.network.json {
            print_json(&Value::Array(answers));
        }
        if !ended {
            say!("eqmesh: not converged after {} seconds", arguments.wait.unwrap_or(0));
        }
        Ok(if ended { DONE } else { DOES_NOT_HOLD })
    })())
}

/// Waits until the network has converged; answers whether it has.
fn wait(client: &Client, most: Duration) -> Result<bool, ClientError> {
    let start = std::time::Instant::now();
    loop {
        if converged(&client.status()?) {
            return Ok(true);
        }
        if start.elapsed() >= most {
            return Ok(false);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// `eqmesh extract`.
pub(crate) fn extract(arguments: &ExtractArguments) -> u8 {
    end((|| {
        let variants = arguments.variants.to_string();
        let cost = if arguments.dag { "dag" } else { "tree" };
        let parameters = [
            ("term", arguments.term.as_str()),
            ("variants", &variants),
            ("cost", cost),
        ];
        let answer = ask(&arguments.one, "extract", &parameters)?;
        if arguments.one.network.json {
            return Ok(print_json(&answer));
        }
        let mut text = String::new();
        for own in answer.get("results").and_then(Value::as_array).into_iter().flatten() {
            let term = own.get("term").and_then(Value::as_str).unwrap_or_default();
            put(
                &mut text,
                format_args!("{term}  (cost {})\n", own.get("cost").unwrap_or(&Value::Null)),
            );
        }
        Ok(show(text.as_bytes()))
    })())
}

/// `eqmesh explain`.
pub(crate) fn explain(arguments: &ExplainArguments) -> u8 {
    end((|| {
        let parameters = [("a", arguments.left.as_str()), ("b", arguments.right.as_str())];
        let answer = ask(&arguments.one, "explain", &parameters)?;
        if arguments.one.network.json {
            return Ok(print_json(&answer));
        }
        let mut text = String::new();
        let steps = answer
            .get("steps")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let part = |own: &Value, name: &str| own.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        put(
            &mut text,
            format_args!(
                "  {}\n",
                steps
                    .first()
                    .map_or_else(|| arguments.left.clone(), |first| part(first, "before"))
            ),
        );
        for step in &steps {
            let why = match part(step, "rule") {
                rule if rule.is_empty() => part(step, "reason"),
                rule => rule,
            };
            let direction = if part(step, "direction") == "backward" {
                ", backward"
            } else {
                ""
            };
            let fact = step.get("fact").map_or(String::new(), |fact| {
                format!(
                    " (agent {}, fact {})",
                    part(fact, "agent"),
                    fact.get("sequence").unwrap_or(&Value::Null)
                )
            });
            put(
                &mut text,
                format_args!("= {}\n      by {why}{direction}{fact}\n", part(step, "after")),
            );
        }
        Ok(show(text.as_bytes()))
    })())
}

/// `eqmesh watch`.
pub(crate) fn watch(arguments: &WatchArguments) -> u8 {
    end((|| {
        let client = Client::new(&arguments.network)?;
        let mut before = String::new();
        loop {
            let status = client.status()?;
            let line = if arguments.network.json {
                status.to_string()
            } else {
                status
                    .get("summary")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            // What has not changed is not said again.
            if line != before {
                let shown = show(format!("{line}\n").as_bytes());
                if shown != DONE {
                    return Ok(shown);
                }
                before = line;
            }
            if arguments.until_converged && converged(&status) {
                return Ok(DONE);
            }
            std::thread::sleep(Duration::from_secs_f64(arguments.every));
        }
    })())
}
