//! Requests that are the same and come at once are answered together, if the component allows it.

use eqmesh_host::Limits;
use futures::future::join_all;
use http::{Method, StatusCode};

use crate::application::{Application, request, whole};

/// A method, a path and headers.
type Asked<'a> = (Method, &'a str, &'a [(&'a str, &'a str)]);

/// What these are answered that all come at once, in the order of the requests.
async fn at_once(app: &Application, requests: &[Asked<'_>]) -> Vec<(StatusCode, String)> {
    join_all(requests.iter().map(async |(method, path, headers)| {
        let response = app.send(request(method.clone(), path, headers, "")).await;
        assert!(!response.headers().contains_key("eqmesh-collapsible"), "{path}");
        whole(response).await
    }))
    .await
}

const GET: Method = Method::GET;

fn ok(turn: &str) -> (StatusCode, String) {
    (StatusCode::OK, turn.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn those_that_come_during_a_request_are_answered_by_the_next_one() {
    let app = Application::new(Limits::default());
    // The first answer of the path says that it may be shared.
    assert_eq!(app.get("/collapsible/100").await, ok("1"));
    let answers = at_once(&app, &vec![(GET, "/collapsible/100", &[][..]); 10]).await;
    // Nine came after the one that runs had begun.
    assert_eq!(answers, [&[ok("2")][..], &vec![ok("3"); 9][..]].concat());
    assert_eq!(app.counted("eqmesh_collapsed_requests_total"), 8);
    assert_eq!(app.counted("eqmesh_http_requests_total"), 11);
    assert_eq!(app.get("/collapsible/100").await, ok("4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_or_is_somebodys_own_is_answered_by_itself() {
    let app = Application::new(Limits::default());
    let path = "/collapsible/100";
    assert_eq!(app.get(path).await, ok("1"));
    let different: [Asked<'_>; 9] = [
        (GET, path, &[]),
        (GET, "/collapsible/100?a", &[]),
        (GET, "/collapsible/101", &[]),
        (GET, path, &[("accept", "text/plain")]),
        (GET, path, &[("host", "elsewhere")]),
        (GET, path, &[("cookie", "who=me")]),
        (GET, path, &[("cookie", "who=me")]),
        (GET, path, &[("authorization", "Basic bWU6")]),
        (Method::POST, path, &[]),
    ];
    let answers = at_once(&app, &different).await;
    assert!(
        answers.iter().all(|(status, _)| *status == StatusCode::OK),
        "{answers:?}"
    );
    // The trace that a request belongs to is no difference.
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    at_once(
        &app,
        &[
            (GET, path, &[]),
            (GET, path, &[]),
            (GET, path, &[("traceparent", trace)]),
        ],
    )
    .await;
    assert_eq!(app.counted("eqmesh_collapsed_requests_total"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_does_not_allow_it_answers_each() {
    let app = Application::new(Limits::default());
    assert_eq!(app.get("/private/50").await, ok("1"));
    let answers = at_once(&app, &vec![(GET, "/private/50", &[][..]); 5]).await;
    assert!(answers.contains(&ok("2")) && answers.contains(&ok("1")), "{answers:?}");
    assert_eq!(app.counted("eqmesh_collapsed_requests_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_nobody_elses() {
    let app = Application::new(Limits::default());
    assert_eq!(app.get("/collapsible/0").await, ok("1"));
    let failing: Asked<'_> = (GET, "/collapsible/0", &[("x-fail", "yes")]);
    let answers = at_once(&app, &vec![failing; 6]).await;
    assert_eq!(
        answers,
        vec![(StatusCode::INTERNAL_SERVER_ERROR, "as asked".to_owned()); 6]
    );
    assert_eq!(app.counted("eqmesh_collapsed_requests_total"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_leaves_the_others_to_be_answered() {
    let app = Application::new(Limits::default());
    let ask = || app.get("/collapsible/200");
    assert_eq!(ask().await, ok("1"));
    // The one that is answered goes, and the first of those that wait for it.
    let (mut first, mut second) = (Box::pin(ask()), Box::pin(ask()));
    assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
    let others = join_all((0..4).map(|_| ask()));
    drop(first);
    drop(second);
    for answer in others.await {
        assert_eq!(answer.0, StatusCode::OK);
    }
    assert_eq!(ask().await.0, StatusCode::OK);

    // Only one that waits goes: the next in line takes its turn.
    let (mut first, mut second) = (Box::pin(ask()), Box::pin(ask()));
    assert!(futures::poll!(&mut first).is_pending() && futures::poll!(&mut second).is_pending());
    let before = app.counted("eqmesh_collapsed_requests_total");
    let mut others = Box::pin(join_all((0..4).map(|_| ask())));
    assert!(futures::poll!(&mut others).is_pending());
    drop(second);
    assert_eq!(first.await.0, StatusCode::OK);
    let others = others.await;
    assert!(others.iter().all(|answer| *answer == others[0]), "{others:?}");
    assert_eq!(app.counted("eqmesh_collapsed_requests_total"), before + 3);
}
