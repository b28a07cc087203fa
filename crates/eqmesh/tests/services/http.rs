//! How requests are answered that are wrong, repeated, or many at once.

use std::sync::Arc;

use eqmesh_replica::AgentId;
use eqmesh_webhook::{Batch, DELIVERY_TYPE, Delivery, Secret};

use crate::application::{Answer, Application, SECRET};

fn problem(answer: &Answer) -> serde_json::Value {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], answer.status);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    problem
}

#[test]
fn requests_are_answered_as_http_says() {
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), true);
    let text = [("content-type", "text/plain")];

    // Reading.
    let state_of = |headers: &[(&str, &str)]| network.request("GET", "/agent/3/state", headers, b"");
    let first = state_of(&[]);
    assert_eq!(first.status, 200);
    assert_eq!(first.json()["id"], 3);
    assert_eq!(first.header("access-control-allow-origin"), Some("*"));
    let head = network.request("HEAD", "/agent/3/timeline", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    let options = network.request("OPTIONS", "/agent/3/program", &[], b"");
    assert_eq!((options.status, options.header("allow")), (204, Some("POST, OPTIONS")));
    for (format, media) in [
        ("json", "application/json"),
        ("perfetto", "application/json"),
        ("svg", "image/svg+xml"),
    ] {
        let timeline = network.get(&format!("/agent/3/timeline?format={format}"));
        assert_eq!((timeline.status, timeline.header("content-type")), (200, Some(media)));
    }

    // What is wrong is refused, with a reason.
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/agent/3/nothing", 404),
        ("GET", "/agent/9/state", 404),
        ("GET", "/agent/3/program", 405),
        ("DELETE", "/agent/3/state", 405),
        ("POST", "/status", 405),
        ("GET", "/agent/3/state?x=1", 400),
        ("GET", "/agent/3/extract", 400),
        ("GET", "/agent/3/extract?term=(", 422),
        ("GET", "/agent/3/egraph?limit=x", 400),
        ("GET", "/agent/3/egraph?cursor=x", 400),
    ] {
        let answer = network.request(method, path, &[], b"");
        assert_eq!(
            answer.status,
            status,
            "{method} {path}: {}",
            String::from_utf8_lossy(&answer.body)
        );
        problem(&answer);
    }
    assert_eq!(
        network
            .request("POST", "/agent/3/program", &[("content-type", "image/png")], b"x")
            .status,
        415
    );
    let long = vec![b' '; (4 << 20) + 1];
    assert_eq!(
        problem(&network.request("POST", "/agent/3/program", &text, &long))["type"],
        "#too-large"
    );
    let wrong = network.submit(3, "(datatype T (A))\n(let x (B))");
    assert_eq!(wrong.status, 422);
    let wrong = problem(&wrong);
    assert_eq!(
        (&wrong["errors"][0]["line"], &wrong["errors"][0]["column"]),
        (&2.into(), &9.into()),
        "{wrong}"
    );

    // A browser sends this for any page, without asking first.
    let elsewhere = [("content-type", "text/plain"), ("origin", "https://evil.example")];
    for path in ["/agent/3/program", "/agent/3/step"] {
        let answer = network.request("POST", path, &elsewhere, b"");
        assert_eq!(
            (answer.status, &problem(&answer)["type"]),
            (403, &"#origin".into()),
            "{path}"
        );
    }
    let page = network.url.clone();
    let here = [("content-type", "text/plain"), ("origin", page.as_str())];
    assert_eq!(network.request("POST", "/agent/3/program", &here, b"").status, 200);

    // Answers have names.
    assert_eq!(network.submit(3, "(datatype T (A) (F T)) (let x (F (A)))").status, 200);
    network.converged();
    let page = network.get("/agent/3/egraph?limit=1");
    assert_eq!((page.json()["rows"].as_array().unwrap().len(), page.status), (1, 200));
    let next = page.json()["next"].as_str().unwrap().to_owned();
    let rest = network.get(&format!("/agent/3/egraph?limit=1&cursor={next}")).json();
    assert_ne!(rest["rows"], page.json()["rows"]);
    assert!(rest.get("next").is_none());
    let tag = page.header("etag").unwrap().to_owned();
    let again = network.request("GET", "/agent/3/egraph?limit=1", &[("if-none-match", &tag)], b"");
    assert_eq!((again.status, again.body.len()), (304, 0));
    assert_eq!(network.submit(3, "(let y (F x))").status, 200);
    let again = network.request("GET", "/agent/3/egraph?limit=1", &[("if-none-match", &tag)], b"");
    assert_eq!(again.status, 200);
    let facts = network.request(
        "POST",
        "/agent/3/sync",
        &[("content-type", "application/json")],
        b"{\"version\":{}}",
    );
    assert!(!facts.json()["blocks"].as_array().unwrap().is_empty());
}

#[test]
fn terms_that_are_deep_come_on_short_pages() {
    const DEPTH: usize = 2_000;
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), false);
    let deep = format!("{}(Z){}", "(S ".repeat(DEPTH), ")".repeat(DEPTH));
    assert_eq!(
        network
            .submit(3, &format!("(datatype N (Z) (S N)) (let deep {deep})"))
            .status,
        200
    );
    let (mut cursor, mut sizes) = (String::new(), Vec::new());
    loop {
        let page = network.get(&format!("/agent/3/egraph?limit=1000{cursor}"));
        assert_eq!(page.status, 200);
        let page = page.json();
        sizes.push(page["rows"].as_array().unwrap().len());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(sizes.iter().sum::<usize>(), DEPTH + 1);
    assert!(sizes[1] < 1000, "{sizes:?}");
}

#[test]
fn a_crowd_that_asks_the_same_is_answered_together() {
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), false);
    for (path, component) in [("/agent/4/state", "agent4"), ("/status", "dashboard")] {
        let alone = network.get(path);
        assert_eq!(alone.header("eqmesh-collapsible"), None);
        // Whether two are there at once is up to the machine: it happens soon.
        let asked = (0..500).find(|_| {
            std::thread::scope(|scope| {
                let crowd: Vec<_> = (0..8).map(|_| scope.spawn(|| network.get(path))).collect();
                for member in crowd {
                    let answer = member.join().unwrap();
                    assert_eq!((answer.status, answer.header("etag").is_some()), (200, true));
                    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
                    assert_eq!(answer.header("eqmesh-collapsible"), None);
                }
            });
            network.collapsed(component) > 0
        });
        assert!(asked.is_some(), "{path}: each was answered by itself");
        // What changes something, or is somebody's own, is not.
        let before = network.collapsed(component);
        network.request("GET", path, &[("authorization", "Bearer mine")], b"");
        assert_eq!(network.collapsed(component), before);
    }
}

#[test]
fn deliveries_are_believed_only_if_they_are_signed() {
    let state = tempfile::tempdir().unwrap();
    let network = Application::start(state.path(), false);
    let delivery = |subject: &str, messages: Vec<Vec<u8>>| Delivery {
        receiver: AgentId(4),
        subject: subject.to_owned(),
        messages,
    };
    let body = delivery("agent.3.state", vec![b"no message".to_vec()]).encode();
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let secret: Secret = SECRET.parse().unwrap();
    let send = |topic: &str, at: u64, signature: &str, body: &[u8]| {
        let at = at.to_string();
        let headers = [
            ("content-type", DELIVERY_TYPE),
            ("webhook-id", "eqmesh-1-4"),
            ("webhook-timestamp", at.as_str()),
            ("webhook-signature", signature),
        ];
        let answer = network.request("POST", &format!("/nats/webhook/{topic}"), &headers, body);
        (
            answer.status,
            answer.json()["type"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let signed = |at| secret.sign("eqmesh-1-4", at, &body);
    let other: Secret = Secret::from_bytes(vec![7; 32]).unwrap();
    assert_eq!(
        send("agent.3.state", now, &other.sign("eqmesh-1-4", now, &body), &body).0,
        401
    );
    assert_eq!(send("agent.3.state", now - 600, &signed(now - 600), &body).0, 401);
    assert_eq!(
        send("agent.3.state", now, &signed(now), &[body.clone(), vec![0]].concat()).0,
        401
    );
    // Signed, and still nothing that an agent takes.
    assert_eq!(
        send("agent.3.state", now, &signed(now), &body),
        (400, "#delivery".to_owned())
    );
    assert_eq!(
        send("agent.2.state", now, &signed(now), &body),
        (400, "#delivery".to_owned())
    );
    let unsigned = network.request(
        "POST",
        "/nats/webhook/agent.3.state",
        &[("content-type", DELIVERY_TYPE)],
        &body,
    );
    assert_eq!(unsigned.status, 401);
    let batch = Batch {
        messages: vec![b"no message".to_vec()],
    }
    .encode();
    let message = network.request(
        "POST",
        "/agent/4/message",
        &[("content-type", eqmesh_webhook::BATCH_TYPE)],
        &batch,
    );
    assert_eq!((message.status, message.json()["message"].clone()), (400, 0.into()));
}

#[test]
fn sixty_four_writers_of_one_agent_lose_nothing() {
    let state = tempfile::tempdir().unwrap();
    let network = Arc::new(Application::start(state.path(), true));
    assert_eq!(network.submit(5, "(datatype T (Leaf i64))").status, 200);
    let writers: Vec<_> = (0..64)
        .map(|writer| {
            let network = Arc::clone(&network);
            std::thread::spawn(move || {
                for _ in 0..40 {
                    let answer = network.submit(5, &format!("(let l{writer} (Leaf {writer}))"));
                    match answer.status {
                        200 => return,
                        503 | 429 => assert!(answer.header("retry-after").is_some()),
                        other => panic!("{other}: {}", String::from_utf8_lossy(&answer.body)),
                    }
                    std::thread::sleep(std::time::Duration::from_millis(100 + 7 * writer));
                }
                panic!("writer {writer} was never served");
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    let status = network.converged();
    for agent in 0..9 {
        assert_eq!(status["agents"][agent]["facts"], status["agents"][5]["facts"]);
    }
    let page = network.get("/agent/8/egraph?operator=Leaf&limit=1000").json();
    assert_eq!(page["rows"].as_array().unwrap().len(), 64);
}
