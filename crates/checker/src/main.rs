//! `eqmesh-check [--trust-snapshot DIGEST]… PROGRAM… RUN.json`: checks the explanations of a finished run.

use std::path::PathBuf;
use std::process::ExitCode;

use eqmesh_checker::{Outcome, check_run};

const USAGE: &str = "usage: eqmesh-check [--trust-snapshot DIGEST]... PROGRAM... RUN.json

Checks every explanation in a document of `eqmesh run --json` against the program that was run. What was compacted into a snapshot cannot be
checked; it is taken on trust if the snapshot's digest (64 hexadecimal digits, as the step has it) is given.
Exit codes: 0 all hold, 1 one does not or cannot be checked, 2 bad input.";

fn main() -> ExitCode {
    match arguments().and_then(|(paths, trusted)| check(&paths, &trusted)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("eqmesh-check: {error}");
            ExitCode::from(2)
        }
    }
}

/// The files, and the digests to trust.
fn arguments() -> Result<(Vec<PathBuf>, Vec<String>), Box<dyn std::error::Error>> {
    let (mut paths, mut trusted) = (Vec::new(), Vec::new());
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        if argument != "--trust-snapshot" {
            paths.push(PathBuf::from(argument));
            continue;
        }
        let digest = arguments.next().and_then(|digest| digest.into_string().ok());
        let is_digest = |digest: &String| digest.len() == 64 && digest.bytes().all(|digit| digit.is_ascii_hexdigit());
        trusted.push(
            digest
                .filter(is_digest)
                .ok_or("--trust-snapshot takes 64 hexadecimal digits")?,
        );
    }
    Ok((paths, trusted))
}

fn check(paths: &[PathBuf], trusted: &[String]) -> Result<bool, Box<dyn std::error::Error>> {
    let Some((run, files)) = paths.split_last().filter(|(_, files)| !files.is_empty()) else {
        return Err(USAGE.into());
    };
    let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()));
    let json = read(run)?;
    let mut texts = Vec::new();
    for path in files {
        texts.push((path.clone(), read(path)?));
    }
    let answered = check_run(&texts, &json, trusted, &mut |path| std::fs::read_to_string(path))?;
    let mut hold = true;
    for own in answered {
        match own.outcome {
            Outcome::Holds(verdict) => {
                println!("line {}: holds, {} steps", own.line, verdict.steps);
                for term in verdict.trusted {
                    println!("    on trust: {term} is in the e-graph");
                }
                if verdict.compacted > 0 {
                    println!(
                        "    on trust: {} of the steps are compacted into a snapshot",
                        verdict.compacted
                    );
                }
            }
            Outcome::Refused(refusal) => {
                hold = false;
                println!("line {}: DOES NOT HOLD: {refusal}", own.line);
            }
            Outcome::NotCheckable(refusal) => {
                hold = false;
                println!("line {}: {refusal}", own.line);
            }
            Outcome::Unanswered(error) => println!("line {}: no explanation: {error}", own.line),
        }
    }
    Ok(hold)
}
