//! `eqmesh run FILE --serve`: a program on a network that goes on running, to be looked at.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eqmesh::{Answer, ExtractedTerm, Fact, Lemma, Outcome, Row, Step};
use eqmesh_host::variables::Values;
use eqmesh_host::{Host, Options, log, signals};
use eqmesh_language::{Command, CommandKind, Format, Program};
use eqmesh_webhook::Secret;
use serde_json::Value;
use tokio::net::TcpListener;

use super::client::{Client, ClientError};
use super::manifest::manifest;
use super::serve::{SECRET, carry, composed, drawn};
use super::{BAD_INPUT, DOES_NOT_HOLD, DONE, INTERNAL, diagnose, show};

/// How often each of nine agents says that it is alive, in milliseconds: more often than where nobody waits for the answers. More agents do so more rarely: each tells all others, so the work for it
/// grows with the square of their number.
const TICK: u32 = 300;
const SLOWEST_TICK: u32 = 10_000;

/// How long nothing is said of a network that has not converged.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is to be served, and how it is told.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) listen: SocketAddr,
    /// How many agents.
    pub(crate) agents: u32,
    /// Nothing is derived beyond so many e-nodes.
    pub(crate) node_limit: Option<u64>,
    pub(crate) json: bool,
    pub(crate) quiet: bool,
}

/// Serves agents in this process, with their state in a folder that goes away with it; submits the program, answers its questions once the network has converged, and goes on until
/// it is asked to end.
pub(crate) fn run(live: &Live, program: Program) -> u8 {
    if let Err(errors) = program.without_scopes() {
        return diagnose::errors(&errors.files, &errors.diagnostics, live.json);
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return broken(&format!("cannot start: {error}")),
    };
    runtime.block_on(serve(live, program))
}

fn broken(why: &str) -> u8 {
    say!("eqmesh: {why}");
    INTERNAL
}

/// How often each of so many agents says that it is alive, in milliseconds.
fn tick(agents: u32) -> u32 {
    (TICK * agents.max(9).pow(2) / 81).min(SLOWEST_TICK)
}

/// The host of the application, with its state in a folder.
fn load(live: &Live, folder: &std::path::Path, secret: &Secret) -> Result<Host, u8> {
    let mut given = vec![(SECRET, secret.expose()), ("tick_ms", tick(live.agents).to_string())];
    given.extend(live.node_limit.map(|limit| ("node_limit", limit.to_string())));
    let options = Options {
        manifest: "spin.toml".into(),
        text: Some(manifest(live.agents)),
        variables: Values {
            given: given
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            ..Values::default()
        },
        state: Some(folder.to_owned()),
        ..composed().map_err(|error| broken(&error))?
    };
    Host::load(&options).map_err(|error| {
        diagnose::report(&error);
        INTERNAL
    })
}

async fn serve(live: &Live, program: Program) -> u8 {
    let _log = match log::start(log::Form::Text, None) {
        Ok(log) => log,
        Err(error) => return broken(&error.to_string()),
    };
    let folder = match tempfile::tempdir() {
        Ok(folder) => folder,
        Err(error) => return broken(&format!("cannot make a folder for the state: {error}")),
    };
    // The address first: that it is taken is known at once, while agents take seconds to compile for the first time.
    let listener = match TcpListener::bind(live.listen).await {
        Ok(listener) => listener,
        Err(error) => {
            say!(
                "eqmesh: cannot listen on {}: {error}; give another address, such as --serve 127.0.0.1:0 for a free port",
                live.listen
            );
            return BAD_INPUT;
        }
    };
    let parts = async {
        let secret = drawn()?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let signals = signals().map_err(|error| error.to_string())?;
        Ok::<_, String>((secret, address, signals))
    };
    let (secret, address, signals) = match parts.await {
        Ok(parts) => parts,
        Err(error) => return broken(&error),
    };
    let host = match load(live, folder.path(), &secret) {
        Ok(host) => host,
        Err(status) => return status,
    };
    say!("eqmesh: the dashboard is at http://{address}/ until Ctrl-C");
    let (json, quiet) = (live.json, live.quiet);
    let client = Client::of(&format!("http://{address}"));
    // It waits for answers, so it has a thread of its own; that ends with the process.
    let ending = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&ending);
    let asking = std::thread::spawn(move || {
        let told = client.and_then(|client| ask(&client, &program, json, quiet));
        match told {
            Ok(status) => Some(status),
            // Nobody answers any more, as was asked for.
            Err(_) if over.load(Ordering::Acquire) => None,
            Err(error) => {
                say!("eqmesh: {error}");
                Some(error.status())
            }
        }
    });
    let end = async move {
        signals.await;
        ending.store(true, Ordering::Release);
    };
    let served = carry(host, listener, address, Some((secret, live.agents)), end).await;
    let answered = asking.is_finished().then(|| asking.join().unwrap_or(Some(INTERNAL)));
    match (served, answered.flatten()) {
        (DONE, Some(status)) => status,
        (DONE, None) => {
            say!("eqmesh: ended before the network had converged: not all questions are answered");
            DOES_NOT_HOLD
        }
        (failed, _) => failed,
    }
}

/// Submits what the program declares, waits for convergence, and prints the answers.
fn ask(client: &Client, program: &Program, json: bool, quiet: bool) -> Result<u8, ClientError> {
    let declared = |command: &&Command| command.kind == CommandKind::Declarative;
    let texts = program
        .commands
        .iter()
        .filter(declared)
        .map(|command| command.text.as_str());
    let text = texts.collect::<Vec<_>>().join("\n");
    client.submit(0, &text)?;
    let skipped = program.commands.iter().filter(|command| runs(&command.kind)).count();
    if skipped > 0 && !quiet {
        say!(
            "eqmesh: {skipped} commands that run something are left out, with their limits: a network runs all rules of the default ruleset until nothing is left to do"
        );
    }
    let status = converged(client, quiet)?;
    let mut results = Vec::new();
    for command in &program.commands {
        if let Some(answer) = answer(client, &command.kind, &command.text)? {
            results.push(Outcome::of(program, command, answer));
        }
    }
    // Plain terms, without anything else that is asked: of each the cheapest.
    if !program.commands.iter().any(|command| runs(&command.kind)) {
        for command in program.commands.iter().filter(declared) {
            if Format::of_path(&program.files[command.file].path) == Format::Terms {
                results.push(Outcome::of(
                    program,
                    command,
                    extract(client, &command.text, 1, "tree", "")?,
                ));
            }
        }
    }
    let holds = results.iter().all(|own| own.answer.holds());
    let text = if json {
        let document = serde_json::json!({ "results": results, "status": status });
        serde_json::to_string_pretty(&document).unwrap_or_default()
    } else {
        let mut lines: Vec<String> = results.iter().map(ToString::to_string).collect();
        if !quiet {
            lines.push(ended(&status));
        }
        lines.join("\n")
    };
    let shown = show(format!("{text}\n").as_bytes());
    Ok(match (shown, holds) {
        (DONE, false) => DOES_NOT_HOLD,
        (shown, _) => shown,
    })
}

/// The last lines of the answers, as `eqmesh run` words them.
fn ended(status: &Value) -> String {
    let agents = status["agents"].as_array().map_or(0, Vec::len);
    let first = &status["agents"][0];
    format!(
        "{agents} agents agree: {} e-nodes in {} e-classes (converged)\n  meaning {}",
        first["enodes"],
        first["eclasses"],
        text_of(first, "meaning_digest")
    )
}

/// Waits until all agents hold the same facts, and no rule adds anything; answers the status.
fn converged(client: &Client, quiet: bool) -> Result<Value, ClientError> {
    let mut since = Instant::now();
    loop {
        let status = client.get("/status", &[])?;
        if status["converged"] == true {
            return Ok(status);
        }
        if since.elapsed() >= PATIENCE && !quiet {
            say!(
                "eqmesh: {}; rules that never come to an end run until there are as many e-nodes as allowed, and such a network does not converge (Ctrl-C ends it)",
                text_of(&status, "summary")
            );
            since = Instant::now();
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn runs(kind: &CommandKind) -> bool {
    matches!(kind, CommandKind::Run(_) | CommandKind::Schedule(_))
}

fn text_of(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn number_of(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or(0)
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

/// The answer to a question; none for a command that is none.
fn answer(client: &Client, kind: &CommandKind, text: &str) -> Result<Option<Answer>, ClientError> {
    Ok(Some(match kind {
        CommandKind::Check(facts) => match client.get("/agent/0/check", &[("facts", facts)]) {
            Ok(found) => Answer::Check {
                input: facts.clone(),
                holds: found["holds"] == true,
            },
            Err(error) => failed("check", facts, error)?,
        },
        CommandKind::Fail(inner) if runs(&inner.kind) => {
            let why = "on a network that goes on running, nothing that runs can be taken back; try it without --serve";
            failed("fail", &inner.text, ClientError::Refused(why.to_owned()))?
        }
        CommandKind::Fail(inner) => Answer::Fail {
            input: inner.text.clone(),
            holds: answer(client, &inner.kind, &inner.text)?.is_some_and(|answer| !answer.holds()),
        },
        CommandKind::Extract {
            term,
            variants,
            dag,
            within,
        } => {
            let within: Vec<&str> = within.iter().map(|color| color.name()).collect();
            extract(
                client,
                term,
                *variants,
                if *dag { "dag" } else { "tree" },
                &within.join(","),
            )?
        }
        CommandKind::Explain { left, right } => match client.get("/agent/0/explain", &[("a", left), ("b", right)]) {
            Ok(found) => Answer::Explain {
                left: left.clone(),
                right: right.clone(),
                steps: list(&found, "steps").map(step).collect(),
                lemmas: list(&found, "lemmas").map(lemma).collect(),
            },
            Err(error) => failed("explain", text, error)?,
        },
        CommandKind::PrintSize(operator) => {
            let found = client.get("/agent/0/egraph", &[("limit", "1")])?;
            // Of all operators, those that have any.
            let all = found["operators"].as_object().into_iter().flatten();
            let all = all.map(|(name, count)| (name.clone(), count.as_u64().unwrap_or(0)));
            let all = all.filter(|(_, enodes)| operator.is_some() || *enodes > 0);
            Answer::print_size(all, operator.as_deref())
        }
        CommandKind::PrintFunction { operator, limit } => {
            let limit = limit.clamp(&1, &1_000).to_string();
            match client.get("/agent/0/egraph", &[("operator", operator), ("limit", &limit)]) {
                Ok(found) => Answer::PrintFunction {
                    operator: operator.clone(),
                    rows: list(&found, "rows")
                        .map(|row| Row {
                            node: text_of(row, "node"),
                            class: text_of(row, "class"),
                        })
                        .collect(),
                },
                Err(error) => failed("print-function", text, error)?,
            }
        }
        _ => return Ok(None),
    }))
}

/// A term that is not in the e-graph is put there, as `eqmesh run` does; then the network converges once more.
fn extract(client: &Client, term: &str, variants: u32, cost: &str, within: &str) -> Result<Answer, ClientError> {
    let count = variants.to_string();
    let parameters = [
        ("term", term),
        ("variants", count.as_str()),
        ("cost", cost),
        ("within", within),
    ];
    let mut found = client.get("/agent/0/extract", &parameters);
    if matches!(found, Err(ClientError::Absent(_))) && within.is_empty() {
        client.submit(0, term)?;
        converged(client, true)?;
        found = client.get("/agent/0/extract", &parameters);
    }
    let found = match found {
        Ok(found) => found,
        Err(error) => return failed("extract", term, error),
    };
    let terms = list(&found, "results").map(|own| ExtractedTerm {
        term: text_of(own, "term"),
        cost: number_of(own, "cost"),
    });
    match Answer::extracted(term, variants, terms.collect()) {
        Some(answer) => Ok(answer),
        None => failed("extract", term, ClientError::Refused("nothing was found".to_owned())),
    }
}

/// What the network says of a question that it cannot answer is the answer.
fn failed(command: &str, input: &str, error: ClientError) -> Result<Answer, ClientError> {
    match error {
        ClientError::Refused(why) | ClientError::Wrong(why) | ClientError::Absent(why) => Ok(Answer::Failed {
            command: command.to_owned(),
            input: input.to_owned(),
            error: why,
        }),
        other => Err(other),
    }
}

fn step(own: &Value) -> Step {
    let word = |name: &str, words: [&'static str; 3]| {
        let said = own[name].as_str().unwrap_or_default();
        words.into_iter().find(|&word| word == said).unwrap_or(words[0])
    };
    let numbers = |name: &str| {
        list(own, name)
            .filter_map(|own| u32::try_from(own.as_u64()?).ok())
            .collect()
    };
    let text = |name: &str| own[name].as_str().map(str::to_owned);
    let fact = |fact: &Value| {
        let label = fact["agent"].as_str()?;
        let (agent, incarnation) = label.split_once('.').unwrap_or((label, "0"));
        Some(Fact {
            agent: agent.parse().ok()?,
            incarnation: incarnation.parse().ok()?,
            sequence: number_of(fact, "sequence"),
        })
    };
    let terms = own["substitution"].as_object().into_iter().flatten();
    Step {
        before: text_of(own, "before"),
        after: text_of(own, "after"),
        reason: word("reason", ["rule", "asserted", "compacted"]),
        rule: text("rule"),
        direction: word("direction", ["forward", "backward", "forward"]),
        place: numbers("place"),
        substitution: terms
            .map(|(name, term)| (name.clone(), term.as_str().unwrap_or_default().to_owned()))
            .collect(),
        lemmas: numbers("lemmas"),
        fact: own.get("fact").and_then(fact),
        snapshot: text("snapshot"),
    }
}

fn lemma(own: &Value) -> Lemma {
    Lemma {
        left: text_of(own, "left"),
        right: text_of(own, "right"),
        steps: list(own, "steps").map(step).collect(),
    }
}
