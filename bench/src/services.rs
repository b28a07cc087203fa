//! `services`: what the deployed network bears, against targets.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::program;
use crate::table::{self, Parts};

/// What is measured, each in a fresh process.
const PARTS: [&str; 6] = ["state", "messages", "storage", "cold", "kills", "spike"];

/// What is asked of `services`.
#[derive(Debug, Args)]
pub(crate) struct ServicesArguments {
    /// Only these parts. May be repeated.
    #[arg(long, value_name = "PART", value_parser = PARTS)]
    part: Vec<String>,

    /// A JSON document a line in place of the table.
    #[arg(long)]
    json: bool,
}

/// Measures and prints. Fails with status 1 where a figure is not what it should be.
pub(crate) fn run(arguments: &ServicesArguments) -> Result<ExitCode> {
    let network = program::build("eqmesh", "release", &["network"])?;
    let load = program::build("eqmesh-services", "release", &[])?;
    table::run(&Parts {
        program: &load,
        before: &[network.as_os_str()],
        all: &PARTS,
        chosen: &arguments.part,
        json: arguments.json,
    })
}
