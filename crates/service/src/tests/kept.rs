//! Instances that answer one request after the other, and keep the agent between them.

use std::rc::Rc;

use eqmesh_agent::Node;

use super::{Memory, Network, PROGRAM, Plain, converges};
use crate::{Host, Service};

#[test]
fn a_program_converges_on_all_agents_whichever_instance_answers() {
    for instances in 1..4 {
        converges(&Network::lasting(9, instances));
    }
}

#[test]
fn an_instance_goes_on_with_the_agent_that_it_has() {
    let network = Network::lasting(3, 1);
    network.request(0, |agent| agent.submit(PROGRAM, 60_000)).unwrap();
    network.settle();
    network.kept.lock().unwrap().reads.clear();
    network
        .request(0, |agent| agent.submit("(let more (Add sum (Num 4)))", 60_000))
        .unwrap();
    network.settle();
    let shown = |number: u32| {
        let shown = network.request(number, |agent| agent.ask(|member| member.check("(= more more)", 1)));
        shown.unwrap()
    };
    assert!((0..3).all(|number| shown(number) == Ok(1)));
    let reads = std::mem::take(&mut network.kept.lock().unwrap().reads);
    for number in 0..3 {
        let index = network.agent(number).look().unwrap().unwrap();
        let prefix = format!("agent-{number}/");
        let own = index.log.iter().chain(&index.node).flat_map(|blob| blob.keys(&prefix));
        assert!(
            own.into_iter().all(|key| !reads.contains(&key)),
            "agent {number} read itself"
        );
    }
}

#[test]
fn an_instance_does_not_go_on_with_an_agent_that_another_has_taken_further() {
    let network = Network::lasting(1, 1);
    network.request(0, |agent| agent.submit(PROGRAM, 60_000)).unwrap();
    network.work(0);
    // In between, an instance of its own.
    network.agent(0).submit("(let more (Num 7))", 60_000).unwrap();
    let check = |facts| network.request(0, |agent| agent.ask(|member| member.check(facts, 1)));
    assert_eq!(check("(= more (Num 7))").unwrap(), Ok(1));
    network.agent(0).submit("(let other (Num 8))", 60_000).unwrap();
    network
        .request(0, |agent| agent.submit("(let third (Num 9))", 60_000))
        .unwrap();
    for facts in ["(= more (Num 7))", "(= other (Num 8))", "(= third (Num 9))"] {
        let found = network.agent(0).ask(|member| member.check(facts, 1));
        assert_eq!(found.unwrap(), Ok(1), "{facts}");
    }
}

#[test]
fn an_instance_that_missed_ticks_takes_nobody_for_dead() {
    let network = Network::lasting(3, 1);
    network.request(0, |agent| agent.submit(PROGRAM, 60_000)).unwrap();
    network.settle();
    // What was said is heard; then nobody was asked for an hour.
    for number in (0..6).map(|turn| turn % 3) {
        network.work(number);
    }
    network.host.sleep(3_600_000);
    for number in 0..3 {
        network.work(number);
        let glance = network.request(number, Service::glance).unwrap();
        let members = &glance.state.members;
        assert!(members.iter().all(|member| member.state == "active"), "{members:#?}");
    }
}

#[test]
fn an_instance_tells_at_a_glance_what_another_would() {
    let network = Network::lasting(1, 1);
    let same = || {
        let glance = network.request(0, Service::glance).unwrap();
        let other = network.agent(0).glance().unwrap();
        assert_eq!(glance.json, other.json);
        assert_eq!(serde_json::to_vec(&glance.state).unwrap(), glance.json);
        glance
    };
    assert_eq!(same().state.life, "new");
    network.agent(0).submit(PROGRAM, 60_000).unwrap();
    let first = same();
    assert!(first.state.facts > 0 && !first.state.queue.working);
    assert!(Rc::ptr_eq(&first, &same()), "nothing has changed");
    network.agent(0).submit("(let more (Num 7))", 60_000).unwrap();
    assert!(same().state.facts > first.state.facts);

    // Only time passes, and the lease of a request that died ends.
    network.agent(0).lease(0).unwrap();
    assert!(same().state.queue.working);
    network.host.sleep(60_000);
    assert!(!same().state.queue.working);

    network.kept.lock().unwrap().values.clear();
    assert_eq!(same().state.life, "new");
}

#[test]
fn asking_changes_nothing() {
    let network = Network::lasting(1, 1);
    network.request(0, |agent| agent.submit(PROGRAM, 60_000)).unwrap();
    network.work(0);
    let asked = network.request(0, |agent| {
        agent.ask(|member| {
            let before = (member.version(), member.suspend().unwrap());
            let cost = eqmesh_egraph::extract::CostModel::Tree;
            assert!(member.extract("sum", 3, cost, None).is_ok());
            assert!(member.extract("(Num 77)", 3, cost, None).is_err());
            assert_eq!(member.check("(= sum (Mul (Num 2) (Num 6)))", 1), Ok(1));
            assert_eq!(member.check("(= sum (Num 78))", 1), Ok(0));
            assert!(member.explain("sum", "(Mul (Num 2) (Num 6))").is_ok());
            assert!(member.explain("sum", "(Num 79)").is_err());
            assert!(!member.rows("Add", 0, 100).unwrap().is_empty());
            assert!(member.neighbourhood(Some("sum"), &[], 10).is_ok());
            assert!(member.neighbourhood(Some("(Num 80)"), &[], 10).is_err());
            assert!(!member.search("Num", 10).0.is_empty());
            assert!(!Node::delta_since(member, &eqmesh_replica::VersionVector::default()).is_empty());
            (before, (member.version(), member.suspend().unwrap()))
        })
    });
    let (before, after) = asked.unwrap();
    assert_eq!(before, after);
}

#[test]
fn an_instance_that_lost_its_store_for_a_while_goes_on_with_what_was_acknowledged() {
    for takes_effect in [false, true] {
        for at in 0..25 {
            let mut network = Network::of(1);
            let memory = Memory {
                takes_effect,
                ..Memory::new(&network.kept)
            };
            let left = Rc::clone(&memory.left);
            network.lasting = vec![vec![network.with(0, memory)]];
            network.request(0, |agent| agent.submit(PROGRAM, 60_000)).unwrap();
            left.set(Some(at));
            let died = network
                .request(0, |agent| agent.submit("(let more (Num 7))", 60_000))
                .is_err();
            left.set(None);
            network.host.sleep(120_000);
            network
                .request(0, |agent| agent.submit("(let other (Num 8))", 60_000))
                .unwrap();
            network.work(0);
            let check = |facts| network.request(0, |agent| agent.ask(|member| member.check(facts, 1)));
            assert_eq!(check("(= other (Num 8))").unwrap(), Ok(1));
            let more = check("(= more (Num 7))").unwrap().is_ok();
            assert!(died || more, "an acknowledged text is lost");
            // The instance holds what the store holds.
            let digest = |agent: &Plain| agent.ask(|member| member.summary().state_digest).unwrap();
            assert_eq!(network.request(0, digest), digest(&network.agent(0)));
        }
    }
}
