//! What components may not do.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eqmesh_host::Limits;
use http::header::RETRY_AFTER;
use http::{Method, Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::application::{Application, CLIENT, request, whole};

#[tokio::test(flavor = "multi_thread")]
async fn memory_ends_where_the_limit_is() {
    let app = Application::new(Limits {
        memory: 32 << 20,
        ..Limits::default()
    });
    assert_eq!(app.get("/memory/8").await, (StatusCode::OK, (8 << 20).to_string()));
    assert_eq!(app.get("/memory/40").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        app.get("/memory/8").await.0,
        StatusCode::OK,
        "the next one is not touched by it"
    );
    let metrics = app.host.metrics().text();
    assert!(
        metrics.contains("refused_requests_total{component=\"one\",limit=\"Memory\"} 1"),
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
    assert_eq!(app.get("/memory/40").await.0, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_computes_or_waits_for_too_long_is_stopped() {
    let app = Application::new(Limits {
        time: Duration::from_millis(300),
        ..Limits::default()
    });
    assert_eq!(app.get("/compute").await.0, StatusCode::GATEWAY_TIMEOUT);
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
        }
        statuses.push(answer.status().as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 503, 503, 503, 503]);
    // Another component is not touched by it.
    assert_eq!(app.get("/two/x/free").await.0, StatusCode::OK);
    assert_eq!(app.get("/free").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_limited() {
    let app = Application::new(Limits {
        body: 1_000,
        ..Limits::default()
    });
    assert_eq!(app.post("/body", vec![0; 1_000]).await, "1000");
    let announced = app.send(request(Method::POST, "/body", &[], vec![0; 1_001])).await;
    assert_eq!(announced.status(), StatusCode::PAYLOAD_TOO_LARGE);
    // Of a stream nobody knows the length before.
    let frames = (0..11).map(|_| Ok::<_, eqmesh_host::BodyError>(Frame::data(Bytes::from(vec![0; 100]))));
    let body = StreamBody::new(futures::stream::iter(frames));
    let streamed = Request::post("/body").body(body).expect("well formed");
    let (status, text) = whole(app.host.answer(streamed, CLIENT).await).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_fails_is_nobody_elses_trouble() {
    let app = Application::new(Limits::default());
    assert_eq!(app.get("/panic").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(app.get("/fine").await.0, StatusCode::OK);
}
