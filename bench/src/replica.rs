//! `replica`: what is sent, kept and taken in, against targets; next to automerge, loro and yrs where they do the like.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::program;
use crate::table::{self, Parts};

/// What is measured, each in a fresh process.
const PARTS: [&str; 8] = [
    "delta",
    "state",
    "sync",
    "reconcile",
    "replay",
    "load",
    "simulate",
    "heal",
];

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
    let program = program::build("eqmesh-stores", "release", &[])?;
    table::run(&Parts {
        program: &program,
        before: &[],
        all: &PARTS,
        chosen: &arguments.part,
        json: arguments.json,
    })
}
