//! What components may not do.

use std::sync::Arc;
use std::time::Duration;

use eqmesh_host::Limits;
use futures::future::join_all;
use http::header::RETRY_AFTER;
use http::{Method, StatusCode};

use crate::application::{Application, refusal, request};

#[tokio::test(flavor = "multi_thread")]
async fn memory_ends_where_the_limit_is() {
    let app = Application::new(Limits {
        memory: 32 << 20,
        ..Limits::default()
    });
    assert_eq!(app.get("/memory/8").await, (StatusCode::OK, (8 << 20).to_string()));
    for path in ["/memory/40", "/reserve/40"] {
        assert_eq!(app.get(path).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(
        app.get("/memory/8").await.0,
        StatusCode::OK,
        "the next one is not touched by it"
    );
    let metrics = app.host.metrics().text();
    assert!(
        metrics.contains("refused_requests_total{component=\"one\",limit=\"Memory\"} 2"),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_of_all_is_limited_and_given_back() {
    let app = Application::new(Limits {
        memory_in_all: 32 << 20,
        ..Limits::default()
    });
    for _ in 0..5 {
        assert_eq!(app.get("/memory/20").await.0, StatusCode::OK);
    }
    // Trying again may help, whether the component breaks down over it or draws conclusions of its own.
    for path in ["/memory/40", "/reserve/40"] {
        let response = app.send(request(Method::GET, path, &[], "")).await;
        assert_eq!(response.headers().get(RETRY_AFTER).expect("try again"), "1", "{path}");
        let (status, detail) = refusal(response).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(detail.contains("memory of all instances"), "{detail}");
    }
    // What has been done is not to be done again.
    assert_eq!(app.get("/reserve/40/anyway").await, (StatusCode::OK, "done".to_owned()));
    assert_eq!(
        app.counted("eqmesh_refused_requests_total{component=\"one\",limit=\"MemoryInAll\"}"),
        3
    );
    assert_eq!(app.get("/memory/20").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_made_when_there_is_memory_for_it() {
    let app = Application::new(Limits {
        memory_in_all: 40 << 20,
        ..Limits::default()
    });
    // What an instance comes to is known by the first one.
    assert_eq!(app.get("/memory/20").await.0, StatusCode::OK);
    let answers = join_all((0..3).map(|_| app.get("/hold/20/100"))).await;
    for (status, text) in answers {
        assert_eq!(status, StatusCode::OK, "{text}");
    }
    assert_eq!(app.counted("eqmesh_refused_requests_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_computes_or_waits_for_too_long_is_stopped() {
    let app = Application::new(Limits {
        time: Duration::from_millis(300),
        ..Limits::default()
    });
    let stopped = app.send(request(Method::GET, "/compute", &[], "")).await;
    assert_eq!(refusal(stopped).await.0, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(app.get("/sleep/60000").await.0, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(app.get("/still/there").await, (StatusCode::OK, "/still/there".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_too() {
    let app = Application::new(Limits {
        stream_time: Duration::from_millis(300),
        ..Limits::default()
    });
    let response = app.send(request(Method::GET, "/stream/100000/10", &[], "")).await;
    assert_eq!(response.status(), StatusCode::OK);
    let body = http_body_util::BodyExt::collect(response.into_body()).await;
    assert!(body.is_err(), "a body that was cut off is no complete body");
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_queue_requests_are_sent_away() {
    let limits = Limits {
        concurrency: 1,
        queue: 1,
        ..Limits::default()
    };
    let app = Arc::new(Application::new(limits));
    // One runs, one waits; each of the others finds the queue full.
    let all: Vec<_> = (0..6)
        .map(|_| {
            let app = Arc::clone(&app);
            tokio::spawn(async move { app.send(request(Method::GET, "/sleep/500", &[], "")).await })
        })
        .collect();
    let mut statuses = Vec::new();
    for answer in all {
        let answer = answer.await.expect("no panic");
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            assert_eq!(answer.headers()[RETRY_AFTER], "1");
            statuses.push(refusal(answer).await.0.as_u16());
        } else {
            statuses.push(answer.status().as_u16());
        }
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503, 503, 503]);
    // Another component is not touched by it.
    assert_eq!(app.get("/two/x/free").await.0, StatusCode::OK);
    assert_eq!(app.get("/free").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_fails_is_nobody_elses_trouble() {
    let app = Application::new(Limits::default());
    let failed = app.send(request(Method::GET, "/panic", &[], "")).await;
    assert_eq!(refusal(failed).await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(app.get("/fine").await.0, StatusCode::OK);
}
