//! Bodies of requests: they arrive before an instance is taken.

use std::time::Duration;

use bytes::Bytes;
use eqmesh_host::{BodyError, Limits};
use futures::stream::{self, StreamExt as _};
use http::header::RETRY_AFTER;
use http::{Method, Request, StatusCode};
use http_body::{Body, Frame};
use http_body_util::StreamBody;

use crate::application::{Application, CLIENT, refusal, request, whole};

/// A request for `/body` with a body in parts of these lengths, after which it ends or nothing comes any more.
fn post(parts: Vec<usize>, ends: bool) -> Request<impl Body<Data = Bytes, Error = BodyError> + Send + 'static> {
    let parts = stream::iter(parts).map(|length| Ok(Frame::data(Bytes::from(vec![0; length]))));
    let rest = stream::pending().take(usize::from(!ends));
    Request::post("/body")
        .body(StreamBody::new(parts.chain(rest)))
        .expect("well formed")
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_limited() {
    let app = Application::new(Limits {
        body: 1_000,
        ..Limits::default()
    });
    assert_eq!(app.post("/body", vec![0; 1_000]).await, "1000");
    let announced = app.send(request(Method::POST, "/body", &[], vec![0; 1_001])).await;
    assert_eq!(refusal(announced).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    // Of a stream nobody knows the length before.
    let streamed = app.host.answer(post(vec![100; 11], false), CLIENT).await;
    assert_eq!(refusal(streamed).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_slowly_holds_no_instance() {
    let app = Application::new(Limits {
        concurrency: 1,
        concurrency_in_all: 1,
        ..Limits::default()
    });
    let mut slow = Box::pin(app.host.answer(post(vec![3], false), CLIENT));
    assert!(futures::poll!(&mut slow).is_pending());
    assert_eq!(app.get("/free").await, (StatusCode::OK, "/free".to_owned()));
    assert_eq!(app.post("/body", vec![0; 5]).await, "5");
    let parts = app.host.answer(post(vec![1, 2, 0, 3], true), CLIENT).await;
    assert_eq!(whole(parts).await, (StatusCode::OK, "6".to_owned()));
    assert!(futures::poll!(&mut slow).is_pending());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_on_is_not_waited_for() {
    let app = Application::new(Limits {
        body_time: Duration::from_millis(50),
        ..Limits::default()
    });
    let slow = app.host.answer(post(vec![3], false), CLIENT).await;
    assert_eq!(refusal(slow).await.0, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(app.counted("eqmesh_made_instances_total"), 0);
    assert_eq!(
        app.counted("eqmesh_http_requests_total{component=\"one\",route=\"/...\",status=\"408\"}"),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_bodies_together_are_limited() {
    let app = Application::new(Limits {
        body: 1_000,
        body_in_all: 1_000,
        ..Limits::default()
    });
    let mut first = Box::pin(app.host.answer(post(vec![900], false), CLIENT));
    assert!(futures::poll!(&mut first).is_pending());
    let second = app.send(request(Method::POST, "/body", &[], vec![0; 101])).await;
    assert_eq!(second.headers()[RETRY_AFTER], "1");
    assert_eq!(refusal(second).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(app.post("/body", vec![0; 100]).await, "100");
    drop(first);
    assert_eq!(app.post("/body", vec![0; 1_000]).await, "1000");
}
