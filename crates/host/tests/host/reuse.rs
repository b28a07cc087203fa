//! Instances that answer one request after the other.

use std::sync::Arc;
use std::time::Duration;

use eqmesh_host::{Host, Limits};
use http::{Method, StatusCode};

use crate::application::{Application, options, request};

/// Which request of its instance each of these was, in turn.
async fn turns(app: &Application, paths: &[&str]) -> Vec<String> {
    let mut turns = Vec::new();
    for path in paths {
        turns.push(app.get(path).await.1);
    }
    turns
}

fn made(app: &Application) -> u32 {
    app.counted("eqmesh_made_instances_total{component=\"one\"}")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_answers_so_many_requests() {
    let app = Application::new(Limits {
        reuse: 3,
        ..Limits::default()
    });
    assert_eq!(turns(&app, &["/turn"; 7]).await, ["1", "2", "3", "1", "2", "3", "1"]);
    assert_eq!(made(&app), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_have_instances_of_their_own_as_long_as_few_wait() {
    let app = Application::new(Limits::default());
    let paths = [
        "/turn",
        "/turn?again",
        "/turn/1",
        "/turn",
        "/turn/1",
        "/turn/2",
        "/turn/3",
    ];
    assert_eq!(turns(&app, &paths).await, ["1", "2", "1", "3", "2", "1", "1"]);
    // Four wait by now: the one that has done so for the longest answers.
    assert_eq!(turns(&app, &["/turn/4", "/turn/1"]).await, ["4", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_has_an_instance_of_its_own_if_that_is_wished() {
    let app = Application::new(Limits {
        reuse: 1,
        ..Limits::default()
    });
    assert_eq!(turns(&app, &["/turn"; 3]).await, ["1", "1", "1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_failed_answers_no_other_request() {
    let app = Application::new(Limits {
        concurrency: 1,
        memory: 32 << 20,
        time: Duration::from_millis(300),
        ..Limits::default()
    });
    for (path, status) in [
        ("/panic", StatusCode::INTERNAL_SERVER_ERROR),
        ("/memory/40", StatusCode::INTERNAL_SERVER_ERROR),
        ("/compute", StatusCode::GATEWAY_TIMEOUT),
    ] {
        assert_eq!(turns(&app, &["/turn", "/turn"]).await, ["1", "2"], "before {path}");
        assert_eq!(app.get(path).await.0, status);
    }
    assert_eq!(turns(&app, &["/turn"]).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_keeps_something_of_the_hosts_goes() {
    let app = Application::new(Limits {
        concurrency: 1,
        ..Limits::default()
    });
    assert_eq!(
        turns(&app, &["/turn", "/keep", "/turn", "/turn"]).await,
        ["1", "2", "1", "2"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_waits_for_a_while() {
    let app = Application::new(Limits {
        idle: Duration::from_millis(50),
        ..Limits::default()
    });
    assert_eq!(turns(&app, &["/turn", "/turn"]).await, ["1", "2"]);
    let memory = |app: &Application| app.host.metrics().text().contains("eqmesh_guest_memory_bytes 0\n");
    assert!(!memory(&app), "the memory of one that waits is counted");
    tokio::time::timeout(Duration::from_secs(20), async {
        while !memory(&app) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("it goes by itself");
    assert_eq!(turns(&app, &["/turn"]).await, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_wait_make_room() {
    // A bit more than half of it is one instance that has used 20 MiB.
    let app = Application::new(Limits {
        concurrency: 1,
        memory_in_all: 40 << 20,
        ..Limits::default()
    });
    assert_eq!(
        turns(&app, &["/turn", "/memory/20", "/turn"]).await,
        ["1", "20971520", "1"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_instances_are_made_than_requests_run_at_once() {
    let limits = Limits {
        concurrency: 2,
        ..Limits::default()
    };
    let app = Arc::new(Application::new(limits));
    let all: Vec<_> = (0..40)
        .map(|_| {
            let app = Arc::clone(&app);
            tokio::spawn(async move { app.send(request(Method::GET, "/sleep/1", &[], "")).await.status() })
        })
        .collect();
    for status in all {
        assert_eq!(status.await.expect("no panic"), StatusCode::OK);
    }
    assert!(made(&app) <= 2, "{} were made", made(&app));
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_wait_do_not_keep_the_state_open() {
    let app = Application::new(Limits::default());
    assert_eq!(app.get("/keyvalue/default/keys").await.0, StatusCode::OK);
    let Application { host, state } = app;
    drop(host);
    // The task that answered may end a moment after its answer.
    let mut again = Host::load(&options(&state, Limits::default()));
    for _ in 0..100 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = Host::load(&options(&state, Limits::default()));
    }
    again.expect("the state can be opened again");
}
