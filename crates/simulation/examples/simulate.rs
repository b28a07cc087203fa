//! `eqmesh simulate` without the rest of `eqmesh`, which takes long to build:
//!
//!     cargo run --release -p eqmesh-simulation --example simulate -- --agents 5 --loss 0.2 --partition random --crash 0.02/s --seeds 0..1000
//!
//! Options as there, `--workload` takes a name (of a benchmark's workload, too) or an `.egg` file without includes, and `--json` prints reports as JSON.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use eqmesh_simulation::{Scenario, Seeds, Simulation, Workload, topology_of};

struct Options {
    scenario: Scenario,
    seeds: Option<Seeds>,
    seed: u64,
    json: bool,
    regions: Option<String>,
}

fn workload(name: &str) -> Result<Workload, String> {
    if let Some(workload) = Workload::named(name) {
        return Ok(workload);
    }
    if let Ok(own) = eqmesh_workloads::workload::Workload::named(name) {
        return Ok(Workload::of_text(name, own.program()));
    }
    let text = std::fs::read_to_string(name).map_err(|error| format!("{name}: {error}"))?;
    let mut load = |path: &Path| std::fs::read_to_string(path);
    let program =
        eqmesh_language::read_program(Path::new(name), text, &mut load).map_err(|errors| errors.to_string())?;
    Workload::of_program(name, &program).map_err(|errors| errors.to_string())
}

fn read(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options {
        scenario: Scenario::default(),
        seeds: None,
        seed: 0,
        json: false,
        regions: None,
    };
    let mut arguments = arguments;
    while let Some(option) = arguments.next() {
        if option == "--json" {
            options.json = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        let number = || {
            value
                .parse()
                .map_err(|_| format!("{option} is a number, not `{value}`"))
        };
        let scenario = &mut options.scenario;
        match option.as_str() {
            "--agents" => scenario.agents = value.parse().map_err(|_| format!("`{value}` is no number of agents"))?,
            "--seed" => options.seed = value.parse().map_err(|_| format!("`{value}` is no seed"))?,
            "--seeds" => options.seeds = Some(value.parse()?),
            "--loss" => scenario.loss = number()?,
            "--duplicate" => scenario.duplicate = number()?,
            "--reorder" => scenario.reorder = number()?,
            "--suspend" => scenario.suspend = number()?,
            "--delay" => scenario.delay = value.parse()?,
            "--budget" => {
                let matches = value
                    .parse()
                    .map_err(|_| format!("`{value}` is no number of matches"))?;
                scenario.budget.matches = matches;
                scenario.budget.nodes = matches;
            }
            "--tick" => scenario.tick = value.parse()?,
            "--partition" => scenario.partitions.push(value.parse()?),
            "--crash" => scenario.crashes.push(value.parse()?),
            "--topology" => scenario.topology = topology_of(&value)?,
            "--cut-after" => {
                scenario.cut_after = value.parse().map_err(|_| format!("`{value}` is no number of facts"))?;
            }
            "--until" => scenario.limit = value.parse()?,
            "--workload" => scenario.workload = workload(&value)?,
            "--regions" => {
                let text = std::fs::read_to_string(&value).map_err(|error| format!("{value}: {error}"))?;
                scenario.regions = Some(text.parse().map_err(|error| format!("{value}: {error}"))?);
                options.regions = Some(value);
            }
            _ => return Err(format!("there is no option {option}")),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> Result<bool, String> {
    let simulation = Simulation::new(options.scenario.clone()).map_err(|error| error.to_string())?;
    let start = Instant::now();
    let Some(seeds) = &options.seeds else {
        let report = simulation.run(options.seed);
        if options.json {
            println!(
                "{}",
                serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?
            );
        } else {
            print!("{report}");
        }
        eprintln!("{:?}", start.elapsed());
        return Ok(report.holds());
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let sweep = simulation.sweep(seeds, threads, |_| {});
    eprintln!("{:?}", start.elapsed());
    println!(
        "{} runs hold, the longest lag is {} ticks (seed {}); {} messages, {} crashes",
        sweep.runs - u64::from(sweep.failed.is_some()),
        sweep.longest.0,
        sweep.longest.1,
        sweep.messages,
        sweep.crashes
    );
    if let Some(failed) = &sweep.failed {
        print!("{failed}");
        let line = options.scenario.command_line(failed.seed, options.regions.as_deref());
        println!("repeat it with: {line}");
    }
    Ok(sweep.failed.is_none())
}

fn main() -> ExitCode {
    match read(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("simulate: {error}");
            ExitCode::from(2)
        }
    }
}
