//! What somebody does who has a network: asks how it is, sends it a program, asks it, stops it and starts it again.

use std::path::Path;

use serde_json::Value;

use crate::processes::{Deployment, HostKind, text};

fn program() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/sums.egg");
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_program_goes_through_a_broker_and_every_command_tells_of_it() {
    use_it(Deployment::start(HostKind::Embedded));
}

/// Every command of the client, what is told of mistakes, and a restart of everything.
pub(crate) fn use_it(mut network: Deployment) {
    let ok = |network: &Deployment, arguments: &[&str]| {
        let output = network.eqmesh(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    };
    let sent = ok(&network, &["submit", "--agent", "4", "--wait", "200", &program()]);
    assert!(sent.contains("7 facts"), "{sent}");
    let status: Value = serde_json::from_str(&ok(&network, &["status", "--json"])).unwrap();
    assert_eq!((&status["converged"], &status["level"]), (&true.into(), &9.into()));
    // The same file in one process: it means the same.
    let folder = tempfile::tempdir().unwrap();
    let alone = folder.path().join("alone.egg");
    let source = std::fs::read_to_string(program()).unwrap();
    std::fs::write(&alone, format!("{source}\n(run-schedule (saturate (run)))")).unwrap();
    let alone = ok(
        &network,
        &["run", "--engine", "native", "--json", alone.to_str().unwrap()],
    );
    let alone: Value = serde_json::from_str(&alone).unwrap();
    for agent in status["agents"].as_array().unwrap() {
        assert_eq!(agent["meaning_digest"], alone["meaning_digest"]);
    }

    let table = ok(&network, &["status"]);
    assert!(table.starts_with("9 of 9 agents hold the same graph"), "{table}");
    assert_eq!(table.lines().count(), 11, "{table}");
    let state = ok(&network, &["state", "--agent", "3"]);
    assert!(state.contains("active") && state.contains("red"), "{state}");
    let state: Value = serde_json::from_str(&ok(&network, &["state", "--agent", "3", "--json"])).unwrap();
    assert_eq!(
        (&state["id"], &state["facts"]),
        (&3.into(), &status["agents"][3]["facts"])
    );
    assert!(ok(&network, &["extract", "sum"]).contains("(Num 12)"));
    let explained = ok(&network, &["explain", "sum", "(Num 12)"]);
    assert!(
        explained.contains("(Num 12)") && explained.contains("agent"),
        "{explained}"
    );
    let watched = ok(&network, &["watch", "--every", "0.1", "--until-converged"]);
    assert!(watched.contains("9 of 9 agents"), "{watched}");
    assert_eq!(text(&network.eqmesh(&["gateway", "dead-letters", "list"]).stdout), "");

    // What cannot be answered, and why.
    let absent = network.eqmesh(&["extract", "(Num 99)"]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(text(&absent.stderr).contains("(Num 99)"), "{}", text(&absent.stderr));
    let wrong = folder.path().join("wrong.egg");
    std::fs::write(&wrong, "(datatype Other (A))\n(rewrite (B) (A))").unwrap();
    let wrong = network.eqmesh(&["submit", wrong.to_str().unwrap()]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("line 2"), "{}", text(&wrong.stderr));
    let bad: [&[&str]; 6] = [
        &["status", "--app", "nowhere"],
        &["state", "--agent", "9"],
        &["extract", "("],
        &["extract", "sum", "--variants", "1001"],
        &["explain", "sum", "nosuch"],
        &["submit", "--agent", "9", &program()],
    ];
    for arguments in bad {
        assert_eq!(network.eqmesh(arguments).status.code(), Some(2), "{arguments:?}");
    }
    let unequal = network.eqmesh(&["explain", "sum", "(Num 1)"]);
    assert_eq!(unequal.status.code(), Some(1), "{}", text(&unequal.stderr));
    let gone = network.eqmesh(&["status", "--app", "http://127.0.0.1:1"]);
    assert_eq!(gone.status.code(), Some(3));
    assert!(text(&gone.stderr).contains("eqmesh serve"), "{}", text(&gone.stderr));

    // Everything ends, and is started again.
    network.kill_gateway();
    network.kill_host();
    network.nats.kill();
    network.nats.restart();
    network.start_host();
    network.start_gateway();
    network.answers();
    let again = network.converged(status["agents"][0]["facts"].as_u64().unwrap());
    for agent in 0..9 {
        let (before, after) = (&status["agents"][agent], &again["agents"][agent]);
        for field in ["facts", "enodes", "eclasses", "state_digest", "meaning_digest"] {
            assert_eq!(before[field], after[field], "{field} of agent {agent}");
        }
    }
}
