//! `eqmesh-check PROGRAM… RUN.json`: checks the explanations of a finished run.

use std::path::PathBuf;
use std::process::ExitCode;

use eqmesh_checker::{Outcome, check_run};

const USAGE: &str = "usage: eqmesh-check PROGRAM... RUN.json

Checks every explanation in a document of `eqmesh run --json` against the program that was run.
Exit codes: 0 all hold, 1 one does not, 2 bad input.";

fn main() -> ExitCode {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    match check(&paths) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("eqmesh-check: {error}");
            ExitCode::from(2)
        }
    }
}

fn check(paths: &[PathBuf]) -> Result<bool, Box<dyn std::error::Error>> {
    let Some((run, files)) = paths.split_last().filter(|(_, files)| !files.is_empty()) else {
        return Err(USAGE.into());
    };
    let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let json = read(run)?;
    let mut texts = Vec::new();
    for path in files {
        texts.push((path.clone(), read(path)?));
    }
    let answered = check_run(&texts, &json, &mut |path| std::fs::read_to_string(path))?;
    let mut hold = true;
    for own in answered {
        match own.outcome {
            Outcome::Holds(verdict) => {
                println!("line {}: holds, {} steps", own.line, verdict.steps);
                for term in verdict.trusted {
                    println!("    on trust: {term} is in the e-graph");
                }
            }
            Outcome::Refused(refusal) => {
                hold = false;
                println!("line {}: DOES NOT HOLD: {refusal}", own.line);
            }
            Outcome::Unanswered(error) => println!("line {}: no explanation: {error}", own.line),
        }
    }
    Ok(hold)
}
