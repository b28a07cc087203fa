//! `engine`: every workload by every engine, interleaved, each run in a fresh process; ratios of processor time.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::{ours, program};
use eqmesh_workloads::row::median;
use eqmesh_workloads::usage::Outcome;
use eqmesh_workloads::workload::{self, Workload};

/// What is asked of `engine`.
#[derive(Debug, Args)]
pub(crate) struct EngineArguments {
    /// Only the workloads whose name contains this. May be repeated.
    #[arg(long, value_name = "NAME")]
    workload: Vec<String>,

    /// Only these engines. May be repeated.
    #[arg(long, value_name = "ENGINE")]
    engine: Vec<Contestant>,

    /// Runs of each.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,

    /// A JSON document a line in place of the table.
    #[arg(long)]
    json: bool,
}

/// What is asked of `worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkerArguments {
    workload: String,
}

/// An engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Contestant {
    /// egg 0.11 over a language of operators with inline children, its simple scheduler, no explanations.
    Egg,
    /// egglog 3.0, one thread.
    Egglog,
    /// eqmesh, one replica.
    Native,
    /// eqmesh, one composed agent under wasmtime.
    Wasm,
}

impl Contestant {
    const ALL: [Contestant; 4] = [
        Contestant::Egg,
        Contestant::Egglog,
        Contestant::Native,
        Contestant::Wasm,
    ];

    fn is_peer(self) -> bool {
        matches!(self, Contestant::Egg | Contestant::Egglog)
    }

    fn name(self) -> &'static str {
        match self {
            Contestant::Egg => "egg",
            Contestant::Egglog => "egglog",
            Contestant::Native | Contestant::Wasm => "eqmesh",
        }
    }

    fn target(self) -> &'static str {
        if self == Contestant::Wasm { "wasm" } else { "native" }
    }
}

/// A row of the result.
#[derive(Debug, Serialize)]
struct Row<'w> {
    workload: &'w str,
    engine: &'static str,
    target: &'static str,
    enodes: u64,
    eclasses: u64,
    iterations: u64,
    cpu_s: f64,
    cpu_min_s: f64,
    cpu_max_s: f64,
    wall_s: f64,
    wall_min_s: f64,
    wall_max_s: f64,
    peak_rss_bytes: u64,
    enodes_per_s: f64,
    matches_per_s: Option<f64>,
    /// Processor time over that of the faster peer: below 1 is faster. None without a peer.
    ratio_to_best_peer: Option<f64>,
}

/// One run in WebAssembly; its outcome as JSON on the standard output.
pub(crate) fn work(arguments: &WorkerArguments) -> Result<ExitCode> {
    let workload = Workload::named(&arguments.workload)?;
    let outcome = ours::run(&workload)?;
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(ExitCode::SUCCESS)
}

fn spawn(contestants: &Path, contestant: Contestant, workload: &str) -> Result<Outcome> {
    let value = contestant.to_possible_value().context("every engine has a name")?;
    let mut command = if contestant == Contestant::Wasm {
        let mut own = Command::new(std::env::current_exe()?);
        own.arg("worker");
        own
    } else {
        let mut other = Command::new(contestants);
        other.arg(value.get_name());
        other
    };
    let output = command.arg(workload).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{contestant:?} on {workload}: {}", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{contestant:?} on {workload}"))
}

/// All runs of one workload, by engine.
type Runs = BTreeMap<Contestant, Vec<Outcome>>;

fn measure(program: &Path, workload: &Workload, contestants: &[Contestant], runs: u32) -> Result<Runs> {
    let mut all = Runs::new();
    for _ in 0..runs {
        for &contestant in contestants {
            all.entry(contestant)
                .or_default()
                .push(spawn(program, contestant, &workload.name)?);
        }
    }
    Ok(all)
}

fn rows<'w>(workload: &'w Workload, runs: &Runs) -> Vec<Row<'w>> {
    let cpu = |outcomes: &[Outcome]| median(outcomes.iter().map(|own| own.used.cpu_s));
    let best = runs
        .iter()
        .filter(|(contestant, _)| contestant.is_peer())
        .map(|(_, own)| cpu(own));
    let best = best.min_by(f64::total_cmp);
    let row = |(contestant, outcomes): (&Contestant, &Vec<Outcome>)| {
        let first = outcomes[0];
        let cpu_s = cpu(outcomes);
        let extreme = |of: fn(&Outcome) -> f64, fold: fn(f64, f64) -> f64| {
            outcomes.iter().map(of).reduce(fold).unwrap_or(f64::NAN)
        };
        let (cpu_of, wall_of) = (|own: &Outcome| own.used.cpu_s, |own: &Outcome| own.used.wall_s);
        // Who has not done the same work has no ratio.
        let expected = workload.expected;
        let same = (first.enodes, first.eclasses, first.iterations)
            == (expected.enodes, expected.eclasses, expected.iterations);
        Row {
            workload: &workload.name,
            engine: contestant.name(),
            target: contestant.target(),
            enodes: first.enodes,
            eclasses: first.eclasses,
            iterations: first.iterations,
            cpu_s,
            cpu_min_s: extreme(cpu_of, f64::min),
            cpu_max_s: extreme(cpu_of, f64::max),
            wall_s: median(outcomes.iter().map(wall_of)),
            wall_min_s: extreme(wall_of, f64::min),
            wall_max_s: extreme(wall_of, f64::max),
            peak_rss_bytes: outcomes.iter().map(|own| own.used.peak_rss_bytes).max().unwrap_or(0),
            enodes_per_s: first.enodes as f64 / cpu_s,
            matches_per_s: first.matches.map(|matches| matches as f64 / cpu_s),
            ratio_to_best_peer: best.filter(|_| same).map(|best| cpu_s / best),
        }
    };
    runs.iter().map(row).collect()
}

/// Geometric mean of the ratios of one engine and target.
fn geometric_mean(ratios: &[f64]) -> f64 {
    (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp()
}

/// Measures and prints. Fails with status 1 where counts differ.
pub(crate) fn run(arguments: &EngineArguments) -> Result<ExitCode> {
    let contestants: Vec<Contestant> = Contestant::ALL
        .into_iter()
        .filter(|own| arguments.engine.is_empty() || arguments.engine.contains(own))
        .collect();
    let chosen = |own: &Workload| {
        arguments.workload.is_empty() || arguments.workload.iter().any(|part| own.name.contains(part.as_str()))
    };
    let workloads: Vec<Workload> = workload::all()?.into_iter().filter(chosen).collect();
    if workloads.is_empty() {
        bail!("no workload has such a name");
    }
    let program = program::build("eqmesh-contestants", "measured", &[])?;
    if !arguments.json {
        println!(
            "{:<16} {:<7} {:<7} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8} {:>11} {:>11} {:>7}",
            "workload",
            "engine",
            "target",
            "e-nodes",
            "classes",
            "cpu ms",
            "min",
            "max",
            "wall ms",
            "min",
            "max",
            "RSS MB",
            "e-nodes/s",
            "matches/s",
            "ratio"
        );
    }
    let mut ratios: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    let mut all_same = true;
    for workload in &workloads {
        let runs = measure(&program, workload, &contestants, arguments.runs)?;
        for row in rows(workload, &runs) {
            let expected = workload.expected;
            if (row.enodes, row.eclasses, row.iterations) != (expected.enodes, expected.eclasses, expected.iterations) {
                all_same = false;
                eprintln!(
                    "{} by {}: not the same work, so no ratio: {expected:?} was expected",
                    row.workload, row.engine
                );
            }
            if let Some(ratio) = row.ratio_to_best_peer {
                ratios.entry((row.engine, row.target)).or_default().push(ratio);
            }
            if arguments.json {
                println!("{}", serde_json::to_string(&row)?);
            } else {
                let ratio = row
                    .ratio_to_best_peer
                    .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
                println!(
                    "{:<16} {:<7} {:<7} {:>9} {:>8} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>8.1} {:>11.0} {:>11} {:>7}",
                    row.workload,
                    row.engine,
                    row.target,
                    row.enodes,
                    row.eclasses,
                    row.cpu_s * 1e3,
                    row.cpu_min_s * 1e3,
                    row.cpu_max_s * 1e3,
                    row.wall_s * 1e3,
                    row.wall_min_s * 1e3,
                    row.wall_max_s * 1e3,
                    row.peak_rss_bytes as f64 / 1e6,
                    row.enodes_per_s,
                    row.matches_per_s
                        .map_or_else(|| "-".to_owned(), |own| format!("{own:.0}")),
                    ratio
                );
            }
        }
    }
    if !arguments.json {
        for ((engine, target), ratios) in &ratios {
            println!(
                "{engine} {target}: geometric mean of {} ratios {:.3}",
                ratios.len(),
                geometric_mean(ratios)
            );
        }
    }
    Ok(ExitCode::from(u8::from(!all_same)))
}
