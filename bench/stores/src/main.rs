//! `eqmesh-stores PART`: measures one part of what replication costs, next to automerge, loro and yrs where they do the like. Figures on the standard output, a
//! JSON document a line. `eqmesh-bench` starts it.

mod exchange;
mod growth;
mod guest;
mod networks;
mod peers;
mod reconciliation;
mod replay;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Measures one part of what replication costs.
#[derive(Debug, Parser)]
#[command(name = "eqmesh-stores")]
struct Arguments {
    part: Part,
}

/// What is measured.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    /// Bytes that tell of one round.
    Delta,
    /// Bytes that hold everything.
    State,
    /// Bytes and round trips until a replica that lacks a hundredth has it.
    Sync,
    /// Bytes to find out in what two sets differ, and what it costs to be ready for it.
    Reconcile,
    /// Taking in what others found.
    Replay,
    /// Beginning with what was kept.
    Load,
    /// Many agents, in virtual time.
    Simulate,
    /// A network that was torn, in virtual time.
    Heal,
}

fn main() -> Result<()> {
    let rows = match Arguments::parse().part {
        Part::Delta => exchange::delta()?,
        Part::State => exchange::state()?,
        Part::Sync => exchange::sync()?,
        Part::Reconcile => reconciliation::rows()?,
        Part::Replay => replay::replay()?,
        Part::Load => replay::load()?,
        Part::Simulate => networks::simulate()?,
        Part::Heal => networks::heal()?,
    };
    for row in rows {
        println!("{}", serde_json::to_string(&row)?);
    }
    Ok(())
}
