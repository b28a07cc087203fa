//! What the deployed components may ask of their host: HTTP, what their language's standard library wants, and what their WIT world names; nothing else.
#![cfg(feature = "services")]

use std::collections::BTreeSet;

use eqmesh_composer::{inspect, services};

/// Requests, answers, and what they are made of.
const HTTP: [&str; 5] = [
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
];

/// Requests to others: the manifest says to whom.
const CALLS: &str = "wasi:http/outgoing-handler";

/// What Rust's standard library asks for on wasm32-wasip2, used or not.
const LIBRARY: [&str; 12] = [
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stderr",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stderr",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:clocks/wall-clock",
    // Seeds of hash maps.
    "wasi:random/insecure-seed",
];

/// `world http-component`.
const VARIABLES: &str = "wasi:config/store";

/// `world storage-component`.
const STORE: [&str; 3] = ["wasi:keyvalue/atomics", "wasi:keyvalue/batch", "wasi:keyvalue/store"];

/// An interface without its version.
fn plain(import: &str) -> &str {
    import.split_once('@').map_or(import, |(name, _)| name)
}

#[test]
fn services_ask_for_no_more_than_their_worlds_name() {
    let mut seen = Vec::new();
    for (name, bytes) in services().unwrap() {
        let mut allowed: BTreeSet<&str> = HTTP.into_iter().chain(LIBRARY).chain([VARIABLES]).collect();
        if name.starts_with("agent-") {
            allowed.extend(STORE);
            allowed.insert("wasi:random/random");
        }
        if matches!(name.as_str(), "dashboard" | "nats-webhook") {
            allowed.insert(CALLS);
        }
        let needs = inspect(&name, &bytes).unwrap().needs;
        let beyond: Vec<&str> = needs
            .iter()
            .map(|own| plain(own))
            .filter(|own| !allowed.contains(own))
            .collect();
        assert!(beyond.is_empty(), "{name} asks for {beyond:?}");
        // What makes it what it is: otherwise this would say nothing.
        assert!(needs.iter().any(|own| plain(own) == VARIABLES), "{name}: {needs:?}");
        seen.push(name);
    }
    assert_eq!(
        seen,
        ["agent-red", "agent-blue", "agent-green", "nats-webhook", "dashboard"]
    );
}
