//! `engine`: every workload by every engine, interleaved, each run in a fresh process; ratios of processor time.

use std::collections::BTreeMap;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::{ours, usage};
use eqmesh_bench::workload::{self, Workload};

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
    #[arg(long)]
    engine: Contestant,
    #[arg(long)]
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
    /// eqmesh, one agent in this process.
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

/// What a saturation took: from the start of the first round to the end of the last.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Used {
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
    /// Of the process, up to then.
    pub(crate) peak_rss_bytes: u64,
}

/// Counts from a start.
pub(crate) struct Clock {
    cpu: u64,
    wall: Instant,
}

impl Clock {
    pub(crate) fn start() -> Clock {
        Clock {
            cpu: usage::cpu_nanos(),
            wall: Instant::now(),
        }
    }

    pub(crate) fn stop(&self) -> Used {
        Used {
            cpu_s: usage::cpu_nanos().saturating_sub(self.cpu) as f64 / 1e9,
            wall_s: self.wall.elapsed().as_secs_f64(),
            peak_rss_bytes: usage::peak_rss(),
        }
    }
}

/// One run.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) enodes: u64,
    pub(crate) eclasses: u64,
    pub(crate) iterations: u64,
    /// Where the engine counts them.
    pub(crate) matches: Option<u64>,
    #[serde(flatten)]
    pub(crate) used: Used,
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
    peak_rss_bytes: u64,
    enodes_per_s: f64,
    matches_per_s: Option<f64>,
    /// Processor time over that of the faster peer: below 1 is faster. None without a peer.
    ratio_to_best_peer: Option<f64>,
}

/// One run in this process; its outcome as JSON on the standard output.
pub(crate) fn work(arguments: &WorkerArguments) -> Result<ExitCode> {
    let workload = Workload::named(&arguments.workload)?;
    let outcome = match arguments.engine {
        Contestant::Native => ours::run(&workload, eqmesh::Engine::Native)?,
        Contestant::Wasm => ours::run(&workload, eqmesh::Engine::Wasm)?,
        #[cfg(feature = "peers")]
        Contestant::Egg => crate::peers::egg(&workload)?,
        #[cfg(feature = "peers")]
        Contestant::Egglog => crate::peers::egglog(&workload)?,
        #[cfg(not(feature = "peers"))]
        Contestant::Egg | Contestant::Egglog => bail!("built without the feature `peers`"),
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(ExitCode::SUCCESS)
}

fn spawn(contestant: Contestant, workload: &str) -> Result<Outcome> {
    let value = contestant.to_possible_value().context("every engine has a name")?;
    let output = Command::new(std::env::current_exe()?)
        .args(["worker", "--engine", value.get_name(), "--workload", workload])
        .stderr(std::process::Stdio::inherit())
        .output()?;
    if !output.status.success() {
        bail!("{contestant:?} on {workload}: {}", output.status);
    }
    serde_json::from_slice(&output.stdout).with_context(|| format!("{contestant:?} on {workload}"))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// All runs of one workload, by engine.
type Runs = BTreeMap<Contestant, Vec<Outcome>>;

fn measure(workload: &Workload, contestants: &[Contestant], runs: u32) -> Result<Runs> {
    let mut all = Runs::new();
    for _ in 0..runs {
        for &contestant in contestants {
            all.entry(contestant)
                .or_default()
                .push(spawn(contestant, &workload.name)?);
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
        let extreme =
            |fold: fn(f64, f64) -> f64| outcomes.iter().map(|own| own.used.cpu_s).reduce(fold).unwrap_or(cpu_s);
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
            cpu_min_s: extreme(f64::min),
            cpu_max_s: extreme(f64::max),
            wall_s: median(outcomes.iter().map(|own| own.used.wall_s)),
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
    if !arguments.json {
        println!(
            "{:<16} {:<7} {:<7} {:>9} {:>8} {:>9} {:>9} {:>9} {:>9} {:>8} {:>11} {:>7}",
            "workload",
            "engine",
            "target",
            "e-nodes",
            "classes",
            "cpu ms",
            "min",
            "max",
            "wall ms",
            "RSS MB",
            "e-nodes/s",
            "ratio"
        );
    }
    let mut ratios: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    let mut all_same = true;
    for workload in &workloads {
        let runs = measure(workload, &contestants, arguments.runs)?;
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
                    "{:<16} {:<7} {:<7} {:>9} {:>8} {:>9.1} {:>9.1} {:>9.1} {:>9.1} {:>8.1} {:>11.0} {:>7}",
                    row.workload,
                    row.engine,
                    row.target,
                    row.enodes,
                    row.eclasses,
                    row.cpu_s * 1e3,
                    row.cpu_min_s * 1e3,
                    row.cpu_max_s * 1e3,
                    row.wall_s * 1e3,
                    row.peak_rss_bytes as f64 / 1e6,
                    row.enodes_per_s,
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
