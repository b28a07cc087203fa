//! Everything is killed, again and again, while somebody works: whatever was acknowledged is on all nine agents in the end, and counts once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::processes::{Deployment, HostKind, text};

/// How often something is killed.
const KILLS: u64 = 20;

/// Sends terms, one after another, each to the next agent, until it is told to stop. Answers those that were acknowledged.
fn work(url: &str, stop: &AtomicBool, count: &AtomicUsize) -> Vec<u64> {
    let configuration = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(20)))
        .build();
    let agent: ureq::Agent = configuration.into();
    let mut acknowledged = Vec::new();
    let mut number = 0;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let text = format!("(let k{number} (Add (Num {number}) (Num 1000000)))");
        let answer = agent
            .post(format!("{url}/agent/{}/program", number % 9))
            .header("content-type", "text/plain")
            .send(text);
        match answer {
            Ok(answer) if answer.status() == 200 => {
                acknowledged.push(number);
                count.fetch_add(1, Ordering::Relaxed);
            }
            // Busy, or killed: it may have been taken in, and nobody was told so.
            _ => std::thread::sleep(Duration::from_millis(50)),
        }
    }
    acknowledged
}

#[test]
fn what_was_acknowledged_survives_whatever_is_killed() {
    let mut network = Deployment::start(HostKind::Embedded);
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.egg");
    std::fs::write(
        &base,
        "(datatype Math (Num i64) (Add Math Math))\n(rewrite (Add a b) (Add b a))",
    )
    .unwrap();
    let sent = network.eqmesh(&["submit", "--wait", "100", base.to_str().unwrap()]);
    assert_eq!(sent.status.code(), Some(0), "{}", text(&sent.stderr));

    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    let url = network.url();
    let mut moments = 0x9e37_79b9_7f4a_7c15_u64;
    let mut killed: BTreeMap<u64, u32> = BTreeMap::new();
    let acknowledged = std::thread::scope(|scope| {
        let worker = scope.spawn(|| work(&url, &stop, &count));
        for _ in 0..KILLS {
            // An ordinary linear congruence: the moments are random, and the same every time.
            moments = moments
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            std::thread::sleep(Duration::from_millis(200 + (moments >> 33) % 1_500));
            let victim = (moments >> 20) % 3;
            *killed.entry(victim).or_default() += 1;
            match victim {
                0 => {
                    network.nats.kill();
                    network.nats.restart();
                }
                1 => {
                    network.kill_gateway();
                    network.start_gateway();
                }
                _ => {
                    network.kill_host();
                    network.start_host();
                    network.answers();
                }
            }
        }
        // A slow machine has hardly got to work in between.
        let end = Instant::now() + Duration::from_mins(2);
        while count.load(Ordering::Relaxed) < 20 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(100));
        }
        stop.store(true, Ordering::Relaxed);
        worker.join().unwrap()
    });
    assert!(
        killed.len() == 3 && killed.values().all(|&times| times >= 4),
        "{killed:?}"
    );
    assert!(
        acknowledged.len() >= 20,
        "only {} programs were acknowledged",
        acknowledged.len()
    );

    // Two rules of the network's own making aside, each term is a fact.
    let status = network.converged(acknowledged.len() as u64);
    for agent in status["agents"].as_array().unwrap() {
        let counted: u64 = agent["version"]
            .as_object()
            .unwrap()
            .values()
            .filter_map(serde_json::Value::as_u64)
            .sum();
        assert_eq!(
            agent["facts"], counted,
            "facts of agent {} count twice, or not at all",
            agent["id"]
        );
        assert_eq!(agent["state_digest"], status["agents"][0]["state_digest"]);
        assert_eq!(agent["refused"].as_array().map(Vec::len), Some(0), "{agent:#}");
    }
    let facts: Vec<String> = acknowledged
        .iter()
        .map(|number| format!("(= k{number} (Add (Num 1000000) (Num {number})))"))
        .collect();
    for agent in 0..9 {
        for facts in facts.chunks(50) {
            let facts = facts.join(" ");
            let asked = network.get(&format!("/agent/{agent}/check?facts={}", facts.replace(' ', "+")));
            let (code, answer) = asked.unwrap();
            assert_eq!(
                (code, &answer["holds"]),
                (200, &true.into()),
                "agent {agent}: {answer:#}"
            );
        }
    }
    let dead = network.eqmesh(&["gateway", "dead-letters", "list"]);
    assert_eq!(
        (dead.status.code(), text(&dead.stdout).as_str()),
        (Some(0), ""),
        "{}",
        text(&dead.stderr)
    );
    println!(
        "{} programs were acknowledged while {killed:?} (broker, gateway, host) were killed",
        acknowledged.len()
    );
}
