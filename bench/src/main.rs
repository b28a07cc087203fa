//! `eqmesh-bench`: measures eqmesh side by side with its peers, on the workloads of `bench/workloads.json`.

mod engine;
mod ours;
mod program;
mod replica;
mod replication;
mod services;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Side-by-side benchmarks.
#[derive(Debug, Parser)]
#[command(name = "eqmesh-bench", arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Saturation by egg, egglog, eqmesh in this process and eqmesh in WebAssembly: interleaved, each run in a fresh process.
    Engine(engine::EngineArguments),
    /// What it costs to share the work among nine, to replay what others found, and to extract.
    Replication(replication::ReplicationArguments),
    /// What replicas send, keep and take in, against targets and next to other replicated stores.
    Replica(replica::ReplicaArguments),
    /// What the deployed network bears: broker, gateway and host as processes of their own, against targets.
    Services(services::ServicesArguments),
    /// One run in WebAssembly, for `engine` to start.
    #[command(hide = true)]
    Worker(engine::WorkerArguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Engine(arguments) => engine::run(&arguments),
        Command::Replication(arguments) => replication::run(&arguments).map(|()| ExitCode::SUCCESS),
        Command::Replica(arguments) => replica::run(&arguments),
        Command::Services(arguments) => services::run(&arguments),
        Command::Worker(arguments) => engine::work(&arguments),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("eqmesh-bench: {error:#}");
            ExitCode::from(2)
        }
    }
}
