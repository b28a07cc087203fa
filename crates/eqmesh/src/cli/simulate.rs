//! `eqmesh simulate`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use eqmesh::program;
use eqmesh_orchestrator::Topology;
use eqmesh_replica::Budget;
use eqmesh_simulation::{
    Crash, Delay, NAMED, Partition, Regions, Scenario, Seeds, Simulation, Span, Sweep, Workload, topology_of,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{BAD_INPUT, DOES_NOT_HOLD, DONE, INTERNAL, diagnose, show};

const EXAMPLES: &str = "\
Examples:
  eqmesh simulate                                              nine agents without faults
  eqmesh simulate --agents 5 --loss 0.2 --partition 5s..20s:0-1|2-4 --crash 3@6s..9s:none
  eqmesh simulate --agents 4 --loss 0.2 --reorder 0.2 --partition random --crash 0.02/s --seeds 0..20000
  eqmesh simulate --agents 10000 --topology expander --workload tiny
  eqmesh simulate --regions regions.toml --workload program.egg --until 2m --json

A file of regions:
  [[region]]
  name = \"frankfurt\"
  share = 2                                                   of the agents, in relation to the others
  latency = { frankfurt = \"1ms\", oregon = \"70ms..90ms\" }
  [[region]]
  name = \"oregon\"
  share = 1
  latency = { oregon = \"1ms\" }

Exit codes: 0 converged and every check holds, 1 not, 2 bad input, 3 an internal error.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SimulateArguments {
    /// How many agents the network is founded with. From three on, agent i is red, blue or green by i mod 3.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=65_534))]
    agents: u32,

    /// The seed. The same seed gives the same run, to the byte.
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,

    /// Run these seeds on all processors, and report the least that fails with the command that repeats it.
    #[arg(long, value_name = "A..B", conflicts_with = "seed")]
    seeds: Option<Seeds>,

    /// The probability that a message is lost.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    loss: f64,

    /// The probability that a message arrives twice.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    duplicate: f64,

    /// The probability that a message is overtaken by later ones.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    reorder: f64,

    /// How long messages travel: 20ms, 5ms..50ms (evenly spread), or exp:20ms (exponentially distributed). [default: 5ms..50ms]
    #[arg(long, value_name = "TIME")]
    delay: Option<Delay>,

    /// How often an agent steps and says that it is alive. [default: 1s]
    #[arg(long, value_name = "TIME")]
    tick: Option<Span>,

    /// How many matches an agent looks at in one step, at first. [default: 10000]
    #[arg(long, value_name = "N")]
    budget: Option<u64>,

    /// Cut history at every so many facts that all agents have stored, eight at least: a snapshot takes their place. In a mesh only. [default: never]
    #[arg(long, value_name = "FACTS", value_parser = clap::value_parser!(u64).range(1..))]
    cut_after: Option<u64>,

    /// Tear the network, as 5s..20s:0-2|3,4 (from, until, groups), or `random`. May be repeated.
    #[arg(long, value_name = "WHEN:GROUPS")]
    partition: Vec<Partition>,

    /// Stop agents, as 2@10s..15s:durable (agent, from, until, what it has when it comes back: `durable`, `old` or `none`), 2@10s (for ever), or at random as
    /// 0.02/s or 0.02/s:none (for each agent and second). May be repeated.
    #[arg(long, value_name = "WHAT")]
    crash: Vec<Crash>,

    /// The probability that an agent is suspended into bytes after something that it did, thrown away, and resumed from what its host has stored: 1 is one instance for each request.
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    suspend: f64,

    /// Where agents are, and how far regions are apart: a TOML file, see below. Takes the place of --delay.
    #[arg(long, value_name = "FILE")]
    regions: Option<PathBuf>,

    /// Along what the agents talk: mesh, sierpinski or expander. [default: mesh]
    #[arg(long, value_name = "SHAPE", value_parser = topology_of)]
    topology: Option<Topology>,

    /// What the network is given: a program (its declarations, rules of the default ruleset and terms; it must saturate, and have no scopes), or one of tiny, sums, hundred, or a benchmark that saturates, such as ac-add-6 or
    /// assoc-add-40. [default: tiny]
    #[arg(long, value_name = "FILE|NAME")]
    workload: Option<PathBuf>,

    /// End at the latest after this virtual time; `converged` is ten minutes at most. [default: converged]
    #[arg(long, value_name = "converged|TIME", value_parser = until)]
    until: Option<Span>,

    /// Print one JSON document, and nothing else, to the standard output.
    #[arg(long)]
    json: bool,
}

/// When a run ends at the latest.
fn until(text: &str) -> Result<Span, String> {
    match text {
        "converged" => Ok(Scenario::default().limit),
        _ => text.parse(),
    }
}

/// A workload by its name or file.
fn workload(path: &Path, json: bool) -> Result<Workload, u8> {
    let name = path.display().to_string();
    if let Some(workload) = Workload::named(&name) {
        return Ok(workload);
    }
    if let Ok(own) = eqmesh_workloads::workload::Workload::named(&name) {
        if !own.saturates {
            let why = format!(
                "the workload `{name}` does not saturate, so a network that runs free would never come to its end"
            );
            return Err(refuse(json, &why));
        }
        return Ok(Workload::of_text(&name, own.program()));
    }
    let loaded = program::load(&[], &[path.to_owned()]).and_then(|program| {
        let workload = Workload::of_program(&name, &program)?;
        Ok((workload, program.rulesets))
    });
    match loaded {
        Ok((workload, rulesets)) => {
            if !rulesets.is_empty() {
                let names: Vec<String> = rulesets.iter().map(|name| format!("`{name}`")).collect();
                say!(
                    "eqmesh: rules of {} are not applied in a simulation: a network that runs free runs the rules of the default ruleset",
                    names.join(", ")
                );
            }
            Ok(workload)
        }
        Err(program::LoadError::Program(errors)) => Err(diagnose::errors(&errors.files, &errors.diagnostics, json)),
        Err(error @ program::LoadError::File { .. }) => {
            let mut names: Vec<String> = NAMED.iter().map(|(name, _)| (*name).to_owned()).collect();
            let benchmarks = eqmesh_workloads::workload::all().unwrap_or_default().into_iter();
            names.extend(benchmarks.filter(|own| own.saturates).map(|own| own.name));
            let help = format!("{error}; workloads with a name are {}", names.join(", "));
            Err(refuse(json, &help))
        }
    }
}

fn regions(path: &Path) -> Result<Regions, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    text.parse().map_err(|error| format!("{}: {error}", path.display()))
}

fn scenario(arguments: &SimulateArguments) -> Result<Scenario, u8> {
    let json = arguments.json;
    let plain = Scenario::default();
    Ok(Scenario {
        agents: arguments.agents,
        topology: arguments.topology.unwrap_or(plain.topology),
        tick: arguments.tick.unwrap_or(plain.tick),
        budget: arguments.budget.map_or(plain.budget, |matches| Budget {
            matches,
            nodes: matches,
        }),
        cut_after: arguments.cut_after.unwrap_or(plain.cut_after),
        delay: arguments.delay.unwrap_or(plain.delay),
        regions: match &arguments.regions {
            Some(path) => Some(regions(path).map_err(|error| refuse(json, &error))?),
            None => None,
        },
        loss: arguments.loss,
        duplicate: arguments.duplicate,
        reorder: arguments.reorder,
        partitions: arguments.partition.clone(),
        crashes: arguments.crash.clone(),
        suspend: arguments.suspend,
        workload: match &arguments.workload {
            Some(path) => workload(path, json)?,
            None => plain.workload.clone(),
        },
        limit: arguments.until.unwrap_or(plain.limit),
        ..plain
    })
}

pub(crate) fn run(arguments: &SimulateArguments) -> u8 {
    let simulation = match scenario(arguments) {
        Ok(scenario) => Simulation::new(scenario),
        Err(code) => return code,
    };
    let simulation = match simulation {
        Ok(simulation) => simulation,
        Err(error) => return refuse(arguments.json, &error.to_string()),
    };
    match &arguments.seeds {
        None => one(&simulation, arguments),
        Some(seeds) => many(&simulation, seeds, arguments),
    }
}

/// A bar on the standard error, if that is a terminal.
fn bar(length: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}

fn one(simulation: &Simulation, arguments: &SimulateArguments) -> u8 {
    let bar = bar(None, "{spinner} {msg} {elapsed}");
    bar.set_message(format!("{} agents", arguments.agents));
    bar.enable_steady_tick(std::time::Duration::from_millis(120));
    let report = simulation.run(arguments.seed);
    bar.finish_and_clear();
    let text = if arguments.json {
        json(&report)
    } else {
        Ok(report.to_string())
    };
    tell(text, report.holds())
}

fn many(simulation: &Simulation, seeds: &Seeds, arguments: &SimulateArguments) -> u8 {
    let bar = bar(
        Some(seeds.0.end - seeds.0.start),
        "{spinner} seed {pos}/{len} [{bar:20}] {elapsed}, {eta} to go",
    );
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let sweep = simulation.sweep(seeds, threads, |done| bar.set_position(done));
    bar.finish_and_clear();
    let regions = arguments.regions.as_deref().map(|path| path.display().to_string());
    let repeat = |seed| simulation.scenario().command_line(seed, regions.as_deref());
    let repeat = sweep.failed.as_ref().map(|failed| repeat(failed.seed));
    let text = if arguments.json {
        json(&serde_json::json!({
            "runs": sweep.runs,
            "longest_lag_ticks": sweep.longest.0,
            "longest_lag_seed": sweep.longest.1,
            "messages": sweep.messages,
            "crashes": sweep.crashes,
            "shortened": sweep.shortened,
            "failed": sweep.failed,
            "repeat": repeat,
        }))
    } else {
        Ok(describe(&sweep, repeat.as_deref()))
    };
    tell(text, sweep.failed.is_none())
}

fn describe(sweep: &Sweep, repeat: Option<&str>) -> String {
    let Sweep {
        runs,
        failed,
        longest,
        messages,
        crashes,
        shortened,
    } = sweep;
    let held = runs - u64::from(failed.is_some());
    let mut text = format!(
        "{held} runs converged and every check holds; the longest lag is {} ticks (seed {}); {messages} messages, {crashes} crashes, history cut {shortened} times\n",
        longest.0, longest.1
    );
    if let (Some(failed), Some(repeat)) = (failed, repeat) {
        let _ = writeln!(text, "{failed}repeat it with: {repeat}");
    }
    text
}

fn json(document: &impl serde::Serialize) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(document).map(|text| text + "\n")
}

/// Prints what a run came to.
fn tell(text: Result<String, serde_json::Error>, holds: bool) -> u8 {
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            say!("eqmesh: {error}");
            return INTERNAL;
        }
    };
    match (show(text.as_bytes()), holds) {
        (DONE, true) => DONE,
        (DONE, false) => DOES_NOT_HOLD,
        (code, _) => code,
    }
}

/// Says what is wrong with the input as a whole.
fn refuse(json: bool, message: &str) -> u8 {
    say!("eqmesh: {message}");
    if json {
        diagnose::json_document(&[serde_json::json!({ "message": message })]);
    }
    BAD_INPUT
}
