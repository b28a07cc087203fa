//! eqmesh as the composed WebAssembly agent.

use anyhow::{Context as _, Result, ensure};
use eqmesh::{Agent, Broker, Engine, Setup};
use eqmesh_agent::RoundTask;
use eqmesh_workloads::mesh::UNLIMITED;
use eqmesh_workloads::usage::{Clock, Outcome};
use eqmesh_workloads::workload::Workload;

/// Runs a workload with one agent under wasmtime. Parsing, composing and compiling are not timed.
pub(crate) fn run(workload: &Workload) -> Result<Outcome> {
    let setup = Setup {
        agents: 1,
        coloring: false,
        engine: Engine::Wasm,
    };
    let mut broker = Broker::new(setup)?;
    broker.submit(&workload.program())?;
    let task = RoundTask {
        ruleset: String::new(),
        budget: UNLIMITED,
    };
    let clock = Clock::start();
    let (mut iterations, mut matches) = (0, 0);
    while iterations < workload.iterations {
        iterations += 1;
        let verdict = broker.round(&task)?;
        matches += verdict.matches;
        if verdict.saturated {
            break;
        }
    }
    let used = clock.stop();
    let summary = broker.ask(|agent: &mut dyn Agent| agent.summary())?;
    let size = summary.first().context("one agent")?.size;
    ensure!(summary.len() == 1, "one agent");
    Ok(Outcome {
        enodes: size.enodes,
        eclasses: size.eclasses,
        iterations,
        matches: Some(matches),
        used,
    })
}
