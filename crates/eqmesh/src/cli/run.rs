//! `eqmesh run`.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::{Args, ValueEnum};
use eqmesh::{Engine, Limits, Outcome, Session, Setup, pictures, program};
use eqmesh_language::Program;
use serde::Deserialize;

use super::config::Config;
use super::progress::Bar;
use super::{BAD_INPUT, DOES_NOT_HOLD, DONE, INTERNAL, diagnose, show};

const EXAMPLES: &str = "\
Examples:
  eqmesh run examples/calculus.egg                  nine agents in WebAssembly
  eqmesh run --agents 3 --json program.egg          three, and one JSON document
  eqmesh run --rules bool.rules terms.sexp          plain rules and terms: the cheapest of each term
  eqmesh run --node-limit 100000 --time-limit 10 program.egg
  eqmesh run --nats nats://127.0.0.1:4222 program.egg   the messages between the agents go through a broker
  eqmesh run examples/lists.egg --serve              the same on a network that goes on running, with a dashboard

Exit codes: 0 done and every check holds, 1 a check does not hold, 2 bad input, 3 an internal error.";

/// The most agents: as many as one process has room for.
const MAX_AGENTS: u32 = 1_000;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    /// The program: `.egg` (egglog's syntax), `.sexp` (plain terms) or `.rules` (a rule a line); `-` is the standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Plain rules, one a line (`(+ ?a ?b) => (+ ?b ?a)`), that are read before the program; rules that cannot be run (a variable alone on the left)
    /// are left out with a warning. May be repeated.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,

    /// How many agents. From three on, agent i is red, blue or green by i mod 3; with fewer, each does everything (--serve takes no fewer). [default: 9]
    #[arg(long, env = "EQMESH_AGENTS", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MAX_AGENTS as i64))]
    agents: Option<u32>,

    /// Derive for at most N rounds in all.
    #[arg(long, env = "EQMESH_ROUNDS", value_name = "N")]
    rounds: Option<u64>,

    /// Stop deriving before the e-graph has more than N e-nodes.
    #[arg(long, env = "EQMESH_NODE_LIMIT", value_name = "N")]
    node_limit: Option<u64>,

    /// Stop deriving after N matches in all.
    #[arg(long, env = "EQMESH_MATCH_LIMIT", value_name = "N")]
    match_limit: Option<u64>,

    /// Stop deriving after S seconds (the round under way still ends).
    #[arg(long, env = "EQMESH_TIME_LIMIT", value_name = "S", value_parser = seconds, allow_negative_numbers = true)]
    time_limit: Option<f64>,

    /// Whether red and blue work may build on each other only through what a green agent certified. [default: auto, which is on]
    #[arg(long, env = "EQMESH_COLORS", value_name = "WHEN")]
    colors: Option<Coloring>,

    /// What the agents run in. [default: wasm]
    #[arg(long, env = "EQMESH_ENGINE", value_name = "ENGINE")]
    engine: Option<EngineName>,

    /// Have the messages between the agents carried by the NATS server at URL (with JetStream), durable until they have arrived; the answers are the same. What the
    /// run makes there is removed at the end.
    #[arg(long, value_name = "URL", conflicts_with = "serve")]
    nats: Option<String>,

    /// What subjects and streams in the broker begin with. [default: a name of this run alone]
    #[arg(long, value_name = "NAME", requires = "nats")]
    nats_network: Option<String>,

    /// Credentials for NATS, as `nsc` makes them.
    #[arg(long, env = "EQMESH_NATS_CREDS", value_name = "FILE", conflicts_with = "nats_nkey")]
    nats_creds: Option<PathBuf>,

    /// The seed of an nkey for NATS.
    #[arg(long, env = "EQMESH_NATS_NKEY", value_name = "FILE")]
    nats_nkey: Option<PathBuf>,

    /// Certificates of authorities to trust, besides those of the system.
    #[arg(long, value_name = "FILE", requires = "nats")]
    nats_tls_ca: Option<PathBuf>,

    /// Print one JSON document, and nothing else, to the standard output.
    #[arg(long)]
    json: bool,

    /// Run the program on agents behind HTTP (as `eqmesh serve` does, in WebAssembly, with state that goes away), print the dashboard's address and, once the network has converged, the
    /// answers, and go on serving until Ctrl-C. `push` and `pop` are refused; `run` and `run-schedule` do not apply, nor do limits but that of e-nodes: all rules of the default ruleset run until nothing is left to do.
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:3000",
        conflicts_with_all = ["rounds", "match_limit", "time_limit", "colors", "engine", "explain_svg"]
    )]
    serve: Option<SocketAddr>,

    /// Draw every explanation into this folder: an SVG file for each `explain`, named by its line.
    #[arg(long, value_name = "DIR")]
    explain_svg: Option<PathBuf>,

    /// No progress bar, no warnings, and nothing but the answers.
    #[arg(long, short, env = "EQMESH_QUIET", value_parser = clap::builder::FalseyValueParser::new(), action = clap::ArgAction::SetTrue)]
    quiet: bool,

    /// Where defaults are read from. [default: eqmesh.toml in the current folder, if it is there]
    #[arg(long, env = "EQMESH_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Whether the coloring is kept.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Coloring {
    /// It is.
    Auto,
    /// It is not: no certificates are made or awaited.
    Off,
}

/// What the agents run in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EngineName {
    /// Composed components under wasmtime.
    Wasm,
    /// The same code in this process, for comparison.
    Native,
}

/// A number of seconds, from 0.
pub(crate) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if Duration::try_from_secs_f64(seconds).is_ok() => Ok(seconds),
        _ => Err("expected a number of seconds, such as 10 or 0.5".to_owned()),
    }
}

pub(crate) fn run(arguments: &RunArguments) -> u8 {
    let defaults = match Config::load(arguments.config.as_deref()) {
        Ok(defaults) => defaults,
        Err(error) => return refuse(arguments.json, &error),
    };
    let agents = arguments.agents.or(defaults.agents).unwrap_or(9);
    if !(1..=MAX_AGENTS).contains(&agents) {
        return refuse(
            arguments.json,
            &format!("agents = {agents} in eqmesh.toml: choose from 1 to {MAX_AGENTS}"),
        );
    }
    let time = arguments.time_limit.or(defaults.time_limit);
    let time = match time.map(Duration::try_from_secs_f64).transpose() {
        Ok(time) => time,
        Err(error) => return refuse(arguments.json, &format!("time-limit in eqmesh.toml: {error}")),
    };
    let setup = Setup {
        agents,
        coloring: arguments.colors.or(defaults.colors).unwrap_or(Coloring::Auto) == Coloring::Auto,
        engine: match arguments.engine.or(defaults.engine).unwrap_or(EngineName::Wasm) {
            EngineName::Wasm => Engine::Wasm,
            EngineName::Native => Engine::Native,
        },
    };
    let limits = Limits {
        rounds: arguments.rounds.or(defaults.rounds),
        nodes: arguments.node_limit.or(defaults.node_limit),
        matches: arguments.match_limit.or(defaults.match_limit),
        time,
    };
    let quiet = arguments.quiet || defaults.quiet.unwrap_or(false);

    let program = match program::load(&arguments.rules, &arguments.files) {
        Ok(program) => program,
        Err(program::LoadError::Program(errors)) => {
            return diagnose::errors(&errors.files, &errors.diagnostics, arguments.json);
        }
        Err(error @ program::LoadError::File { .. }) => return refuse(arguments.json, &error.to_string()),
    };
    if !quiet {
        diagnose::warnings(&program.files, &program.warnings);
    }
    if let Some(address) = arguments.serve {
        if agents < 3 {
            let why = "a network that is served has at least three agents, a red, a blue and a green one: give --agents 3 or more";
            return refuse(arguments.json, why);
        }
        return live(address, agents, limits.nodes, arguments.json, quiet, program);
    }
    let mut session = match Session::new(setup, limits) {
        Ok(session) => session,
        Err(error) => {
            say!("eqmesh: {error}\nhelp: `eqmesh doctor` says what is missing; `--engine native` needs no WebAssembly");
            return INTERNAL;
        }
    };
    if let Some(url) = &arguments.nats
        && let Err(error) = over_nats(&mut session, url, arguments, agents)
    {
        return refuse(arguments.json, &error);
    }
    let interrupt = session.interrupt();
    let handler = ctrlc::set_handler(move || {
        if interrupt.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
        say!("eqmesh: ending with the best so far; press Ctrl-C again to abort");
    });
    if let Err(error) = handler {
        say!("eqmesh: Ctrl-C will abort: {error}");
    }
    let mut bar = Bar::new(quiet, limits.rounds);
    let unwound = catch_unwind(AssertUnwindSafe(|| session.execute(&program, &mut bar)));
    bar.clear();
    if unwound.is_err() {
        session.broke("the engine panicked; this is a defect, please report it".to_owned());
    }
    let report = session.report();
    let mut text = if arguments.json {
        match serde_json::to_string_pretty(&report) {
            Ok(json) => json,
            Err(error) => {
                say!("eqmesh: {error}");
                return INTERNAL;
            }
        }
    } else if quiet {
        report
            .results
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    } else {
        report.to_string()
    };
    if !text.is_empty() {
        text.push('\n');
    }
    let mut shown = show(text.as_bytes());
    if let Some(folder) = &arguments.explain_svg
        && let Err(error) = draw(folder, &report.results)
    {
        say!("eqmesh: cannot write to {}: {error}", folder.display());
        shown = INTERNAL;
    }
    if let Some(error) = &report.error {
        say!("eqmesh: internal error: {error}");
    }
    match (shown, &report.error, report.converged, report.holds()) {
        (DONE, None, true, true) => DONE,
        (DONE, None, true, false) => DOES_NOT_HOLD,
        _ => INTERNAL,
    }
}

/// Has the messages of a run carried by a broker. Answers why not.
#[cfg(feature = "network")]
fn over_nats(session: &mut Session, url: &str, arguments: &RunArguments, agents: u32) -> Result<(), String> {
    use eqmesh::{NatsCarrier, NatsError};
    use eqmesh_gateway::{Connection, Credentials};

    let connection = Connection {
        url: url.to_owned(),
        credentials: match (&arguments.nats_creds, &arguments.nats_nkey) {
            (Some(path), _) => Credentials::Creds(path.clone()),
            (None, Some(path)) => Credentials::Nkey(path.clone()),
            (None, None) => Credentials::None,
        },
        authority: arguments.nats_tls_ca.clone(),
        ..Connection::default()
    };
    let network = match &arguments.nats_network {
        Some(network) => network.clone(),
        None => {
            let number = getrandom::u64().map_err(|error| format!("this system gives no random numbers: {error}"))?;
            format!("run-{number:016x}")
        }
    };
    let carrier = NatsCarrier::new(&connection, &network, agents).map_err(|error| match error {
        NatsError::Silent(_) => {
            format!("{error}\nhelp: `nats-server --jetstream` starts one; without --nats none is needed")
        }
        error => error.to_string(),
    })?;
    session.broker().carry_by(Box::new(carrier));
    Ok(())
}

#[cfg(not(feature = "network"))]
fn over_nats(_: &mut Session, _: &str, _: &RunArguments, _: u32) -> Result<(), String> {
    Err(
        "this build has no --nats: it is left out of the first build, which it makes minutes longer.\n\
         Use `cargo run --release -p eqmesh --features network -- run --nats URL …`"
            .to_owned(),
    )
}

#[cfg(feature = "network")]
fn live(listen: SocketAddr, agents: u32, node_limit: Option<u64>, json: bool, quiet: bool, program: Program) -> u8 {
    let live = super::live::Live {
        listen,
        agents,
        node_limit,
        json,
        quiet,
    };
    super::live::run(&live, program)
}

#[cfg(not(feature = "network"))]
fn live(_: SocketAddr, _: u32, _: Option<u64>, json: bool, _: bool, _: Program) -> u8 {
    let why = "this build has no `run --serve`: it is left out of the first build, which it makes minutes longer.\n\
               Use `cargo run --release -p eqmesh --features network -- run FILE --serve`";
    refuse(json, why)
}

/// Writes the pictures of the explanations; the folder is made if it is not there.
fn draw(folder: &Path, results: &[Outcome]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, picture) in pictures(results) {
        std::fs::write(folder.join(name), picture)?;
    }
    Ok(())
}

/// Says what is wrong with the input as a whole.
fn refuse(json: bool, message: &str) -> u8 {
    say!("eqmesh: {message}");
    if json {
        diagnose::json_document(&[serde_json::json!({ "message": message })]);
    }
    BAD_INPUT
}
