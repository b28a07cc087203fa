//! The manifest on Spin itself, where there is one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Command;

use serde_json::Value;

use crate::client::use_it;
use crate::processes::{Deployment, HostKind};

/// The network on Spin does what it does on the embedded host, with the same manifest, the same components, and a broker: every command of the client, and a restart of
/// everything. This says so where there is no `spin`.
#[test]
fn spin_serves_the_network() {
    if Command::new("spin").arg("--version").output().is_err() {
        // Past what the test harness keeps to itself.
        let said =
            "SKIPPED: spin.toml on Spin itself, since there is no `spin` on the PATH; the embedded host runs it\n";
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    }
    let network = Deployment::start(HostKind::Spin);
    // The page, its data, and the description of the interface.
    for (path, part) in [
        ("/", "<!DOCTYPE html>"),
        ("/plain", "of 9 agents"),
        ("/openapi.json", "\"openapi\""),
        ("/view/examples", "Sums and products"),
    ] {
        let mut answer = ureq::get(format!("{}{path}", network.url())).call().unwrap();
        let body = answer.body_mut().read_to_string().unwrap();
        assert!(body.contains(part), "{path}: {body:.300}");
    }
    let status = first_event(&network);
    assert_eq!(status["agents"].as_array().map(Vec::len), Some(9), "{status:#}");
    // Without a signature nothing is delivered.
    let unsigned = ureq::post(format!("{}/nats/webhook/agent.1.state", network.url()))
        .config()
        .http_status_as_error(false)
        .build()
        .content_type("application/vnd.eqmesh.delivery")
        .send(&[0u8; 20][..])
        .unwrap();
    assert_eq!(unsigned.status(), 401);
    use_it(network);
}

/// The status that server-sent events begin with: it comes although the stream stays open.
fn first_event(network: &Deployment) -> Value {
    let mut events = ureq::get(format!("{}/events", network.url())).call().unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let lines = BufReader::new(events.body_mut().as_reader()).lines();
    let data = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("data:").map(str::to_owned));
    serde_json::from_str(data.expect("an event has data").trim()).unwrap()
}
