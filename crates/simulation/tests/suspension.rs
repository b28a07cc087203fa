//! One instance for each request: agents that are suspended into bytes, thrown away, and resumed from what their hosts have stored.

use eqmesh_orchestrator::Topology;
use eqmesh_simulation::{Report, Scenario, Seeds, Simulation, Span, Workload};

/// Loss, repetition and reordering of a fifth of the messages each, a partition, crashes with every kind of recovery, and suspensions.
fn hostile(agents: u32, suspend: f64) -> Scenario {
    Scenario {
        agents,
        loss: 0.2,
        duplicate: 0.2,
        reorder: 0.2,
        partitions: vec!["random".parse().unwrap()],
        crashes: vec!["0.02/s".parse().unwrap()],
        suspend,
        ..Scenario::default()
    }
}

fn sweep(scenario: &Scenario, seeds: std::ops::Range<u64>) {
    let simulation = Simulation::new(scenario.clone()).unwrap();
    let sweep = simulation.sweep(&Seeds(seeds.clone()), 2, |_| {});
    if let Some(failed) = sweep.failed {
        panic!("{failed}repeat it with: {}", scenario.command_line(failed.seed, None));
    }
    assert_eq!(sweep.runs, seeds.end - seeds.start);
}

#[test]
fn networks_of_suspended_agents_converge_under_every_fault() {
    for (agents, suspend, seeds) in [
        (1, 0.5, 0..20),
        (2, 0.5, 0..20),
        (3, 0.3, 0..150),
        (4, 1.0, 150..220),
        (5, 0.7, 220..270),
    ] {
        sweep(&hostile(agents, suspend), seeds);
    }
}

#[test]
fn history_is_cut_under_every_fault_while_agents_are_suspended() {
    let scenario = Scenario {
        cut_after: 12,
        ..hostile(4, 0.5)
    };
    sweep(&scenario, 0..100);
}

#[test]
fn who_is_suspended_after_each_message_begins_anew_with_what_the_others_have() {
    for (agents, crash, cut_after) in [(2, "0.1/s:none", 8), (2, "0.1/s:old", 8), (9, "1@4s..6s:none", 12)] {
        let scenario = Scenario {
            agents,
            crashes: vec![crash.parse().unwrap()],
            cut_after,
            suspend: 1.0,
            ..Scenario::default()
        };
        sweep(&scenario, 0..8);
    }
}

/// What a run came to, without what says how often agents were suspended.
fn but_for_suspensions(report: Report) -> Report {
    Report {
        suspensions: 0,
        suspended_bytes: 0,
        ..report
    }
}

/// The same network, with and without suspensions.
fn awake_and_suspended(scenario: Scenario, suspend: f64, seed: u64) -> (Report, Report) {
    let awake = Simulation::new(scenario.clone()).unwrap().run(seed);
    let suspended = Simulation::new(Scenario { suspend, ..scenario }).unwrap().run(seed);
    assert!(awake.holds() && suspended.holds(), "{awake}{suspended}");
    assert!(suspended.suspensions > 0);
    (awake, suspended)
}

#[test]
fn without_other_faults_suspended_agents_say_the_very_same() {
    for topology in [Topology::Mesh, Topology::Sierpinski, Topology::Expander] {
        for (agents, workload) in [(1, "tiny"), (2, "tiny"), (3, "tiny"), (4, "tiny"), (9, "tiny")] {
            for (suspend, seed) in [(0.3, 1), (1.0, 2)] {
                let scenario = Scenario {
                    agents,
                    topology,
                    workload: Workload::named(workload).unwrap(),
                    ..Scenario::default()
                };
                let (awake, suspended) = awake_and_suspended(scenario, suspend, seed);
                assert_eq!(but_for_suspensions(suspended), awake);
            }
        }
    }
}

#[test]
fn what_suspended_agents_find_may_be_other_facts_that_mean_the_same() {
    // Of matches that say the same, a search keeps the first, and an e-graph that is restored may have them in another order.
    for agents in [1, 3, 9] {
        let scenario = Scenario {
            agents,
            workload: Workload::named("sums").unwrap(),
            ..Scenario::default()
        };
        let (awake, suspended) = awake_and_suspended(scenario, 1.0, 1);
        assert_eq!(suspended.meaning_digest, awake.meaning_digest);
    }
}

#[test]
fn of_two_agents_under_one_number_exactly_one_stops_though_suspended() {
    for seed in 0..10 {
        let scenario = Scenario {
            agents: 4,
            loss: 0.1,
            doubles: vec![(2, Span::secs(4))],
            suspend: 0.8,
            ..Scenario::default()
        };
        let report = Simulation::new(scenario).unwrap().run(seed);
        assert!(report.holds(), "{report}");
        assert_eq!(report.superseded, 1);
    }
}

#[test]
fn nine_suspended_agents_take_little() {
    let report = Simulation::new(hostile(9, 1.0)).unwrap().run(3);
    assert!(report.holds(), "{report}");
    // Without a timeline.
    assert!(report.suspended_bytes < 4_096, "{report}");
}
