//! Many thousand small networks under every fault at once: all converge on what one agent alone comes to.

use eqmesh_orchestrator::Topology;
use eqmesh_simulation::{Scenario, Seeds, Simulation};

/// Loss, repetition and reordering of a fifth of the messages each, a partition, and crashes with every kind of recovery.
fn hostile(agents: u32) -> Scenario {
    Scenario {
        agents,
        loss: 0.2,
        duplicate: 0.2,
        reorder: 0.2,
        partitions: vec!["random".parse().unwrap()],
        crashes: vec!["0.02/s".parse().unwrap()],
        ..Scenario::default()
    }
}

fn sweep(agents: u32, seeds: std::ops::Range<u64>) {
    let scenario = hostile(agents);
    let simulation = Simulation::new(scenario.clone()).unwrap();
    let sweep = simulation.sweep(&Seeds(seeds.clone()), 2, |_| {});
    if let Some(failed) = sweep.failed {
        panic!("{failed}repeat it with: {}", scenario.command_line(failed.seed, None));
    }
    assert_eq!(sweep.runs, seeds.end - seeds.start);
    assert!(sweep.crashes > sweep.runs, "most networks had a crash");
}

#[test]
fn three_agents_converge_under_every_fault() {
    sweep(3, 0..8_000);
}

#[test]
fn four_agents_converge_under_every_fault() {
    sweep(4, 8_000..15_000);
}

#[test]
fn five_agents_converge_under_every_fault() {
    sweep(5, 15_000..20_000);
}

#[test]
fn history_is_cut_under_every_fault() {
    let scenario = Scenario {
        cut_after: 12,
        ..hostile(4)
    };
    let simulation = Simulation::new(scenario.clone()).unwrap();
    let sweep = simulation.sweep(&Seeds(0..2_000), 2, |_| {});
    if let Some(failed) = sweep.failed {
        panic!("{failed}repeat it with: {}", scenario.command_line(failed.seed, None));
    }
    assert!(sweep.shortened > sweep.runs, "history is cut in most networks");
}

/// Of agents 3 and 9, what a user had said was lost (1,203 and 18,846); of 4, the one that had everything was outvoted by those that were catching up (15,473). In the other two, those that take part
/// have no facts, so that those that are catching up have to be asked.
#[test]
fn networks_that_most_agents_come_back_to_with_old_states_or_none_converge() {
    for (agents, seed) in [(3, 71), (3, 1203), (4, 3889), (4, 15_473), (9, 18_846)] {
        let scenario = Scenario {
            cut_after: 12,
            ..hostile(agents)
        };
        let report = Simulation::new(scenario).unwrap().run(seed);
        assert!(report.holds(), "{report}");
    }
}

#[test]
fn history_is_cut_in_a_mesh_only() {
    let scenario = Scenario {
        cut_after: 12,
        topology: Topology::Expander,
        ..Scenario::default()
    };
    let refused = Simulation::new(scenario).map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("--topology mesh"), "{refused}");
}

#[test]
fn few_agents_and_none_of_some_color_do_so_too() {
    for agents in [1, 2] {
        let scenario = hostile(agents);
        let sweep = Simulation::new(scenario).unwrap().sweep(&Seeds(0..300), 2, |_| {});
        assert_eq!(sweep.failed, None);
    }
}

#[test]
fn the_same_seed_gives_the_same_report_byte_for_byte() {
    let bytes = |simulation: &Simulation, seed| serde_json::to_vec(&simulation.run(seed)).unwrap();
    let (first, second) = (
        Simulation::new(hostile(5)).unwrap(),
        Simulation::new(hostile(5)).unwrap(),
    );
    let mut different = 0;
    for seed in 0..20 {
        let report = bytes(&first, seed);
        assert_eq!(report, bytes(&second, seed));
        different += u32::from(report != bytes(&first, seed + 1));
    }
    assert_eq!(different, 20, "seeds matter");
}

#[test]
fn a_sweep_names_the_least_seed_that_fails_on_any_number_of_threads() {
    // It cannot converge while it is torn, and the time is up before that ends.
    let scenario = Scenario {
        agents: 3,
        partitions: vec!["0s..1h:0|1|2".parse().unwrap()],
        limit: "30s".parse().unwrap(),
        ..Scenario::default()
    };
    let simulation = Simulation::new(scenario.clone()).unwrap();
    for threads in [1, 2, 4] {
        let sweep = simulation.sweep(&Seeds(5..40), threads, |_| {});
        let failed = sweep.failed.expect("none converges");
        assert_eq!((sweep.runs, failed.seed), (1, 5));
        assert!(!failed.converged);
    }
    assert_eq!(
        scenario.command_line(5, None),
        "eqmesh simulate --seed 5 --agents 3 --partition '0s..1h:0|1|2' --until 30s"
    );
}
