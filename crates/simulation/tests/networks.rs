//! Networks of all sizes and shapes, and what can happen to them one by one.

use eqmesh_orchestrator::Topology;
use eqmesh_simulation::{Report, Scenario, Simulation, Span, Workload};

fn run(scenario: Scenario, seed: u64) -> Report {
    let report = Simulation::new(scenario).unwrap().run(seed);
    assert!(report.holds(), "{report}");
    report
}

#[test]
fn every_topology_and_number_of_agents_comes_to_the_same() {
    let mut meanings = std::collections::BTreeSet::new();
    for topology in [Topology::Mesh, Topology::Sierpinski, Topology::Expander] {
        for agents in [1, 2, 3, 4, 7, 9, 12, 20] {
            for coloring in [true, false] {
                let workload = Workload::named("sums").unwrap();
                let scenario = Scenario {
                    agents,
                    topology,
                    coloring,
                    workload,
                    ..Scenario::default()
                };
                meanings.insert(run(scenario, 1).meaning_digest);
            }
        }
    }
    assert_eq!(meanings.len(), 1);
}

#[test]
fn a_thousand_agents_on_an_expander_agree_within_twice_the_diameter() {
    for seed in 0..2 {
        let scenario = Scenario {
            agents: 1_000,
            topology: Topology::Expander,
            ..Scenario::default()
        };
        let report = run(scenario, seed);
        assert!(report.diameter >= 4, "{report}");
        assert!(report.lag_ticks <= 2 * u64::from(report.diameter), "{report}");
        assert!(report.announced_ticks <= 2 * u64::from(report.diameter), "{report}");
    }
}

#[test]
fn rosters_of_many_pages_are_told_to_everybody() {
    let scenario = Scenario {
        agents: 400,
        topology: Topology::Expander,
        loss: 0.1,
        ..Scenario::default()
    };
    run(scenario, 1);
}

#[test]
fn of_two_agents_under_one_number_exactly_one_stops() {
    for seed in 0..20 {
        let scenario = Scenario {
            agents: 4,
            loss: 0.1,
            doubles: vec![(2, Span::secs(4))],
            ..Scenario::default()
        };
        assert_eq!(run(scenario, seed).superseded, 1);
    }
}

#[test]
fn losing_agents_for_ever_stops_nothing() {
    // Both GREEN ones, so that nobody has that color any more; then all but one.
    for crashes in [&["2@1s", "5@1s"][..], &["0@6s", "1@1s", "2@1s", "3@1s", "4@1s"]] {
        let scenario = Scenario {
            agents: 6,
            crashes: crashes.iter().map(|crash| crash.parse().unwrap()).collect(),
            workload: Workload::named("sums").unwrap(),
            ..Scenario::default()
        };
        assert_eq!(run(scenario, 3).crashes, crashes.len() as u64);
    }
}

#[test]
fn who_lost_everything_gets_it_back() {
    let scenario = Scenario {
        agents: 5,
        crashes: vec!["0@20s..25s:none".parse().unwrap(), "3@21s..22s:old".parse().unwrap()],
        ..Scenario::default()
    };
    let report = run(scenario, 5);
    assert_eq!((report.crashes, report.amnesia), (2, 2));
}

#[test]
fn two_halves_that_took_each_other_for_lost_come_together() {
    let scenario = Scenario {
        agents: 6,
        partitions: vec!["1s..60s:0-2|3-5".parse().unwrap()],
        ..Scenario::default()
    };
    let report = run(scenario, 2);
    assert!(report.micros > 60_000_000);
    assert!(report.lag_ticks <= 10, "{report}");
}

#[test]
fn facts_that_do_not_hold_are_refused_and_the_rest_goes_on() {
    let scenario = Scenario {
        agents: 4,
        forger: true,
        ..Scenario::default()
    };
    let honest = Scenario {
        forger: false,
        ..scenario.clone()
    };
    assert_eq!(run(scenario, 1).meaning_digest, run(honest, 1).meaning_digest);
}

#[test]
fn far_regions_take_longer() {
    let regions = "[[region]]\nname = 'near'\nshare = 1\nlatency = { near = '1ms', far = '2s' }\n\
                   [[region]]\nname = 'far'\nshare = 1\nlatency = { far = '1ms' }";
    let near = Scenario {
        agents: 6,
        ..Scenario::default()
    };
    let far = Scenario {
        regions: Some(regions.parse().unwrap()),
        ..near.clone()
    };
    assert!(run(far, 4).micros > run(near, 4).micros);
}

#[test]
fn a_budget_starves_no_rule() {
    // Distributivity finds more than a step may look at, while other rules fold all of it.
    let text = include_str!("../../../examples/logic.egg");
    let mut no_file = |_: &std::path::Path| Err(std::io::ErrorKind::NotFound.into());
    let program = eqmesh_language::read_program("logic.egg".as_ref(), text.to_owned(), &mut no_file).unwrap();
    for agents in [1, 2, 3, 4, 9] {
        let scenario = Scenario {
            agents,
            workload: Workload::of_program("logic.egg", &program).unwrap(),
            limit: Span::secs(60),
            ..Scenario::default()
        };
        let report = run(scenario, 0);
        assert!(report.facts > 2_000, "{report}");
    }
}

#[test]
fn a_workload_without_end_is_no_scenario() {
    let text = "(datatype N (Num i64)) (rewrite (Num a) (Num (+ a 1))) (Num 0)";
    let mut workload = Workload::named("tiny").unwrap();
    workload.submissions.truncate(1);
    workload.submissions[0].text = text.to_owned();
    let scenario = Scenario {
        workload,
        ..Scenario::default()
    };
    let error = Simulation::new(scenario).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("does not saturate"), "{error}");
}
