//! Every workload of `bench/workloads.json`: nine agents, three and one come to the counts of egg and egglog, exactly, and to one meaning.
//!
//! The two largest run with `EQMESH_LONG=1` in the environment only.

mod support;

use eqmesh::{Engine, Limits};
use support::{Workload, run, workloads};

/// The most e-nodes of a workload in the ordinary run.
const ORDINARY: u64 = 150_000;

fn holds(workload: &Workload, agents: u32, coloring: bool, engine: Engine) -> String {
    let report = run(&workload.program, agents, coloring, engine, Limits::default());
    let expected = |key: &str| workload.expected[key].as_u64().unwrap();
    let what = format!("{}, {agents} agents, {engine:?}", workload.name);
    assert_eq!(report.enodes, expected("enodes"), "e-nodes of {what}");
    assert_eq!(report.eclasses, expected("eclasses"), "e-classes of {what}");
    assert_eq!(report.rounds, expected("iterations"), "rounds of {what}");
    report.meaning_digest
}

fn sizes(from: u64, to: u64) -> impl Iterator<Item = Workload> {
    workloads()
        .into_iter()
        .filter(move |own| (from..to).contains(&own.expected["enodes"].as_u64().unwrap()))
}

#[test]
fn any_number_of_agents_comes_to_the_counts_of_egg() {
    let mut count = 0;
    for workload in sizes(0, ORDINARY) {
        let one = holds(&workload, 1, true, Engine::Native);
        assert_eq!(holds(&workload, 3, true, Engine::Native), one, "{}", workload.name);
        assert_eq!(holds(&workload, 9, true, Engine::Native), one, "{}", workload.name);
        count += 1;
    }
    assert!(count >= 8, "{count} workloads");
}

#[test]
fn so_does_webassembly() {
    for workload in sizes(0, 40_000) {
        let native = holds(&workload, 1, true, Engine::Native);
        assert_eq!(holds(&workload, 9, true, Engine::Wasm), native, "{}", workload.name);
    }
}

#[test]
fn so_do_the_largest() {
    if std::env::var_os("EQMESH_LONG").is_none() {
        eprintln!("SKIPPED: the largest workloads run with EQMESH_LONG=1");
        return;
    }
    for workload in sizes(ORDINARY, u64::MAX) {
        let one = holds(&workload, 1, true, Engine::Wasm);
        assert_eq!(holds(&workload, 3, true, Engine::Native), one, "{}", workload.name);
        assert_eq!(holds(&workload, 9, true, Engine::Wasm), one, "{}", workload.name);
    }
}
