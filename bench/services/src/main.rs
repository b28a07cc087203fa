//! `eqmesh-services PROGRAM PART`: measures one part of what the deployed network bears. The network is real: nats-server, and `eqmesh gateway` and `eqmesh serve` of the
//! program given, each a process of its own, on loopback; this process is the load. Figures on the standard output, a JSON document a line. `eqmesh-bench` starts it.

mod http;
mod kills;
mod messages;
mod processes;
mod state;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};

/// Measures one part of what the deployed network bears.
#[derive(Debug, Parser)]
#[command(name = "eqmesh-services")]
struct Arguments {
    /// `eqmesh`, built with the feature `network`.
    program: PathBuf,
    part: Part,
}

/// What is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Questions after an agent's state, at a steady rate.
    State,
    /// Messages through broker, gateway and agents.
    Messages,
    /// What an agent stores.
    Storage,
    /// From nothing to the first answer.
    Cold,
    /// Questions while single agents are killed.
    Kills,
    /// From one client to a thousand.
    Spike,
}

fn main() -> Result<()> {
    let Arguments { program, part } = Arguments::parse();
    let program = program.canonicalize().context("there is no such program")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let rows = runtime.block_on(async {
        match part {
            Part::State => state::steady(&program).await,
            Part::Messages => messages::rows(&program).await,
            Part::Storage => state::storage(&program).await,
            Part::Cold => state::cold(&program).await,
            Part::Kills => kills::rows(&program).await,
            Part::Spike => state::spike(&program).await,
        }
    })?;
    for row in rows {
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}
