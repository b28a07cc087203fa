//! Whole networks, in virtual time.

use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, ensure};
use eqmesh_orchestrator::Topology;
use eqmesh_simulation::{Delay, Report, Scenario, Simulation, Span, Submission, Workload};
use eqmesh_workloads::row::Row;

fn run(scenario: Scenario) -> Result<Report> {
    let report = Simulation::new(scenario)?.run(0);
    ensure!(report.holds(), "{report}");
    Ok(report)
}

/// A thousand and ten thousand agents in an expander, without faults: how soon after the last new fact all have the same facts and know that they have converged, in ticks; and
/// how long it takes to simulate that.
pub(crate) fn simulate() -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for agents in [1_000, 10_000] {
        let start = Instant::now();
        let report = run(Scenario {
            agents,
            topology: Topology::Expander,
            ..Scenario::default()
        })?;
        let name = format!("simulate/{agents}");
        let bound = 2.0 * f64::from(report.diameter);
        rows.extend([
            Row::told(format!("{name}/same-facts"), report.lag_ticks as f64, "ticks").at_most(bound),
            Row::told(format!("{name}/known"), report.announced_ticks as f64, "ticks").at_most(bound),
            Row::told(
                format!("{name}/bytes"),
                report.bytes as f64 / report.messages as f64,
                "bytes per message",
            ),
            Row::told(format!("{name}/wall"), start.elapsed().as_secs_f64(), "s").at_most(60.0),
        ]);
    }
    Ok(rows)
}

/// Nine agents, torn in two while both halves get new terms: how long after the network is whole again all have the same facts. A message takes 25 ms, so two round trips are
/// 100 ms; an agent says something every 10 ms.
pub(crate) fn heal() -> Result<Vec<Row>> {
    let submission = |seconds, agent, text: &str| Submission {
        at: Span::secs(seconds),
        agent,
        text: text.to_owned(),
    };
    let program =
        "(datatype Math (Num i64) (Add Math Math)) (rewrite (Add a b) (Add b a)) (let start (Add (Num 1) (Num 2)))";
    let travel = Span::millis(25);
    let partition = "5s..15s:0-4|5-8".parse();
    let report = run(Scenario {
        tick: Span::millis(10),
        delay: Delay::Even(travel, travel),
        partitions: vec![partition.map_err(|error| anyhow!("{error}")).context("a partition")?],
        workload: Workload {
            name: "halves".to_owned(),
            submissions: vec![
                submission(0, 0, program),
                submission(6, 0, "(let left (Add start (Num 3)))"),
                submission(7, 8, "(let right (Add (Num 4) start))"),
            ],
        },
        ..Scenario::default()
    })?;
    Ok(vec![
        Row::told("heal/same-facts", report.lag_micros as f64 / 1e3, "ms").at_most(100.0),
        Row::told("heal/known", report.announced_micros as f64 / 1e3, "ms"),
    ])
}
