//! A network that is cut in two, heals, and loses an agent: for real, by carrying messages as the gateway does, but for what crosses the cut.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use eqmesh_agent::Message;
use serde_json::{Value, json};

use crate::application::{Application, manifest};

/// Carries messages between agents, but for those that a cut separates.
struct Carrier<'a> {
    network: &'a Application,
    /// By agent: up to which message of its outbox all were handed over.
    published: Vec<u64>,
}

impl Carrier<'_> {
    fn of(network: &Application) -> Carrier<'_> {
        Carrier {
            network,
            published: vec![0; 9],
        }
    }

    /// Lets every agent work once, and hands over what it says to those whom `hears` lets hear it.
    fn round(&mut self, hears: impl Fn(u32, u32) -> bool) {
        for agent in 0..9u32 {
            let published = self.published[agent as usize];
            let step = self.network.request(
                "POST",
                &format!("/agent/{agent}/step?published={published}&ms=200"),
                &[("accept", "application/json")],
                b"",
            );
            if step.status != 200 {
                continue;
            }
            let step = step.json();
            let mut messages: Vec<Vec<Value>> = vec![Vec::new(); 9];
            for text in step["outbox"].as_array().unwrap() {
                let bytes = BASE64_STANDARD.decode(text.as_str().unwrap()).unwrap();
                let message = Message::decode(&bytes).unwrap();
                for to in (0..9).filter(|&to| to != agent && hears(agent, to)) {
                    if message.receiver.is_none_or(|receiver| receiver.number() == to) {
                        messages[to as usize].push(text.clone());
                    }
                }
            }
            for (to, messages) in messages
                .into_iter()
                .enumerate()
                .filter(|(_, messages)| !messages.is_empty())
            {
                let body = json!({ "messages": messages }).to_string();
                let headers = [("content-type", "application/json")];
                self.network
                    .request("POST", &format!("/agent/{to}/message"), &headers, body.as_bytes());
            }
            self.published[agent as usize] = step["last"].as_u64().unwrap();
        }
    }

    /// Carries until the status is as it should be.
    fn until(&mut self, hears: impl Fn(u32, u32) -> bool, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            self.round(&hears);
            let status = self.network.get("/status").json();
            if wanted(&status) {
                return status;
            }
            assert!(start.elapsed() < Duration::from_mins(4), "{status:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_partition_shows_and_so_does_its_end() {
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), false);
    let mut carrier = Carrier::of(&network);
    let all = |_, _| true;
    assert_eq!(network.submit(0, "(datatype T (A) (F T)) (let x (F (A)))").status, 200);
    carrier.until(all, |status| {
        status["converged"] == true && status["agents"][8]["facts"].as_u64() > Some(0)
    });

    let same_side = |from: u32, to: u32| (from < 3) == (to < 3);
    let cut = carrier.until(same_side, |status| status["groups"].as_array().unwrap().len() == 2);
    assert_eq!(cut["groups"], json!([[0, 1, 2], [3, 4, 5, 6, 7, 8]]));
    for link in cut["links"].as_array().unwrap() {
        let (from, to) = (
            link["from"].as_u64().unwrap() as u32,
            link["to"].as_u64().unwrap() as u32,
        );
        assert!(same_side(from, to) || link["up"] == false, "{link}");
    }
    assert!(
        cut["summary"].as_str().unwrap().contains("split into 2 groups"),
        "{}",
        cut["summary"]
    );

    carrier.until(all, |status| {
        status["groups"].as_array().unwrap().len() == 1 && status["converged"] == true
    });
}

#[test]
fn a_lost_agent_is_silent_and_the_others_go_on() {
    let state = tempfile::tempdir().unwrap();
    // Its component refuses to serve with such a number.
    let text = std::fs::read_to_string(manifest()).unwrap();
    let broken = text.replace("agent_id = \"4\"", "agent_id = \"none\"");
    assert_ne!(text, broken);
    let network = Application::of(state.path(), false, Some(broken));
    let mut carrier = Carrier::of(&network);
    assert_eq!(network.submit(0, "(datatype T (A) (F T)) (let x (F (A)))").status, 200);
    let status = carrier.until(|_, _| true, |status| status["agents"][8]["facts"].as_u64() > Some(0));
    assert_eq!(
        (&status["agents"][4]["health"], &status["agents"][4]["id"]),
        (&"silent".into(), &4.into())
    );
    assert!(status["summary"].as_str().unwrap().contains("1 silent"));
    assert!(
        status["groups"]
            .as_array()
            .unwrap()
            .iter()
            .all(|group| !group.as_array().unwrap().contains(&4.into()))
    );
    for link in status["links"].as_array().unwrap() {
        assert!(link["up"] == false || (link["from"] != 4 && link["to"] != 4), "{link}");
    }
    let health = network.get("/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &"degraded".into()));
    assert_eq!(network.get("/view/timeline").json()["silent"], json!([4]));
    let asked = network.get("/view/egraph?agent=4");
    assert!(asked.status >= 500, "{}", asked.status);
    assert_eq!(asked.header("content-type"), Some("application/problem+json"));
}
