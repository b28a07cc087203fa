//! Each defect that a network could have is found by the checks.

use eqmesh_simulation::{Mutant, Scenario, Seeds, Simulation};

/// What brings the defect to light.
fn scenario(mutant: Mutant) -> Scenario {
    let plain = Scenario {
        agents: 4,
        mutant: Some(mutant),
        limit: "3m".parse().unwrap(),
        ..Scenario::default()
    };
    let crashes = |text: &str| vec![text.parse().unwrap()];
    match mutant {
        Mutant::OwnWritesNotDurable => Scenario {
            crashes: crashes("0.02/s:durable"),
            ..plain
        },
        Mutant::ApplyNotIdempotent => Scenario {
            duplicate: 0.2,
            loss: 0.2,
            ..plain
        },
        // Restarts must be faster than the longest delay, or nobody is ever asked for what was jumped over.
        Mutant::GapsAccepted => Scenario {
            loss: 0.2,
            reorder: 0.2,
            crashes: crashes("0.02/s"),
            ..plain
        },
        Mutant::VerificationSkipped => Scenario { forger: true, ..plain },
        Mutant::CertificationForged => plain,
        Mutant::DotsReused => Scenario {
            crashes: crashes("0.02/s:none"),
            ..plain
        },
    }
}

#[test]
fn every_mutant_is_caught() {
    for mutant in Mutant::ALL {
        let scenario = scenario(mutant);
        let sound = Scenario {
            mutant: None,
            ..scenario.clone()
        };
        let seeds = Seeds(0..50);
        let sweep = Simulation::new(sound).unwrap().sweep(&seeds, 2, |_| {});
        assert_eq!(sweep.failed, None, "without {mutant:?} all is well");
        let sweep = Simulation::new(scenario).unwrap().sweep(&seeds, 2, |_| {});
        let failed = sweep.failed.unwrap_or_else(|| panic!("{mutant:?} goes unseen"));
        println!("{mutant:?}: {:?}", failed.failures);
        let expected = match mutant {
            Mutant::OwnWritesNotDurable | Mutant::GapsAccepted => "without facts that it said it had stored",
            Mutant::CertificationForged => "says that all have converged, and they have not",
            Mutant::VerificationSkipped => "means something else than one agent alone",
            _ => "have not converged",
        };
        let all = failed.failures.join("; ");
        assert!(all.contains(expected), "{mutant:?}: {all}");
    }
}
