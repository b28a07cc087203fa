//! `replica`: what is sent, kept and taken in, against targets; next to automerge, loro and yrs where they do the like.

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eqmesh_workloads::row::{Bound, Row};

use crate::program;

/// What is measured, each in a fresh process.
const PARTS: [&str; 6] = ["delta", "state", "sync", "reconcile", "replay", "load"];

/// What is asked of `replica`.
#[derive(Debug, Args)]
pub(crate) struct ReplicaArguments {
    /// Only these parts. May be repeated.
    #[arg(long, value_name = "PART", value_parser = PARTS)]
    part: Vec<String>,

    /// A JSON document a line in place of the table.
    #[arg(long)]
    json: bool,
}

/// Measures and prints. Fails with status 1 where a figure is not what it should be.
pub(crate) fn run(arguments: &ReplicaArguments) -> Result<ExitCode> {
    // Only bytes are told of the other stores, so nothing is gained by what would make them faster.
    let program = program::build("eqmesh-stores", "release")?;
    if !arguments.json {
        println!("{:<42} {:>14} {:<22} {:>14}  holds", "what", "value", "unit", "target");
    }
    let mut all_hold = true;
    for part in PARTS {
        if !arguments.part.is_empty() && !arguments.part.iter().any(|own| own == part) {
            continue;
        }
        let output = Command::new(&program).arg(part).stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            bail!("{part}: {}", output.status);
        }
        let text = String::from_utf8(output.stdout).context(part)?;
        for line in text.lines() {
            let row: Row = serde_json::from_str(line).context(part)?;
            all_hold &= row.holds != Some(false);
            if arguments.json {
                println!("{line}");
            } else {
                print(&row);
            }
        }
    }
    Ok(ExitCode::from(u8::from(!all_hold)))
}

fn print(row: &Row) {
    let sign = match row.bound {
        Some(Bound::AtMost) => "≤",
        Some(Bound::AtLeast) => "≥",
        None => "",
    };
    let target = row.target.map_or_else(String::new, |target| format!("{sign} {target}"));
    let holds = row.holds.map_or("", |holds| if holds { "yes" } else { "NO" });
    let digits = if row.value < 1000.0 { 2 } else { 0 };
    println!(
        "{:<42} {:>14.digits$} {:<22} {target:>14}  {holds}",
        row.name, row.value, row.unit
    );
}
