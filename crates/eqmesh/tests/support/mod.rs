//! What several tests share.

#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod fpcore;

use std::path::{Path, PathBuf};

use eqmesh::{Engine, Limits, Report, Session, Setup, program};
use serde_json::Value;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a text.
pub(crate) fn run(text: &str, agents: u32, coloring: bool, engine: Engine, limits: Limits) -> Report {
    let program = program::of_text("test.egg", text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    let setup = Setup {
        agents,
        coloring,
        engine,
    };
    let mut session = Session::new(setup, limits).unwrap();
    session.execute(&program, &mut ());
    let report = session.report();
    assert_eq!(report.error, None);
    assert!(report.converged, "{report}");
    report
}

/// A workload of `bench/workloads.json`.
pub(crate) struct Workload {
    pub(crate) name: String,
    pub(crate) program: String,
    pub(crate) expected: Value,
}

/// All of them, as programs.
pub(crate) fn workloads() -> Vec<Workload> {
    let file = root().join("bench/workloads.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let program = |workload: &Value| {
        let rules = &document["rulesets"][workload["ruleset"].as_str().unwrap()]["rules"];
        let rules = rules.as_array().unwrap().iter().map(|rule| {
            format!(
                "(untyped (rewrite {} {} :name {:?}))\n",
                text(&rule["lhs"]),
                text(&rule["rhs"]),
                text(&rule["name"])
            )
        });
        let terms = workload["terms"]
            .as_array()
            .unwrap()
            .iter()
            .map(|term| format!("(untyped {})\n", text(term)));
        let run = format!("(run {})\n", workload["iterations"]);
        rules.chain(terms).chain([run]).collect::<String>()
    };
    let workloads = document["workloads"].as_array().unwrap().iter();
    workloads
        .map(|workload| Workload {
            name: text(&workload["name"]),
            program: program(workload),
            expected: workload["expect"].clone(),
        })
        .collect()
}
