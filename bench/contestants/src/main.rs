//! `eqmesh-contestants ENGINE WORKLOAD`: one run of one engine in this process, its outcome as JSON on the standard output. `eqmesh-bench` starts it.

mod peers;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use eqmesh_workloads::mesh;
use eqmesh_workloads::workload::Workload;

/// One run of one engine.
#[derive(Debug, Parser)]
#[command(name = "eqmesh-contestants")]
struct Arguments {
    engine: Engine,
    workload: String,
}

/// An engine.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    /// egg 0.11 over a language of operators with inline children, its simple scheduler, no explanations.
    Egg,
    /// egglog 3.0, one thread.
    Egglog,
    /// eqmesh: one replica.
    Native,
}

fn main() -> Result<()> {
    let Arguments { engine, workload } = Arguments::parse();
    let workload = Workload::named(&workload)?;
    let outcome = match engine {
        Engine::Egg => peers::egg(&workload)?,
        Engine::Egglog => peers::egglog(&workload)?,
        Engine::Native => mesh::run(&workload)?,
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
