//! Requests from component to component, and to the network.

use eqmesh_host::Limits;
use http::{Method, StatusCode};
use tokio::net::TcpListener;

use crate::application::{Application, request, whole};

async fn fetch(app: &Application, path: &str, url: &str) -> (StatusCode, String) {
    whole(app.send(request(Method::GET, path, &[("x-url", url)], "")).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn components_reach_each_other_without_a_socket() {
    let app = Application::new(Limits::default());
    let (status, text) = fetch(&app, "/send", "http://hidden.spin.internal/some/path?query").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "200 /some/path?query"));
    let (_, text) = fetch(&app, "/send", "http://two.spin.internal/headers").await;
    for line in [
        "spin-path-info: /headers",
        "spin-matched-route: /...",
        "spin-client-addr: 0.0.0.0:0",
        "traceparent: 00-",
    ] {
        assert!(text.contains(line), "{line} is missing in {text}");
    }
    assert!(!text.contains("\nhost:"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_manifest_does_not_allow_is_refused() {
    let app = Application::new(Limits::default());
    let refused = "ErrorCode::HttpRequestDenied";
    // `hidden` may send nothing.
    let from_hidden = "http://hidden.spin.internal/send";
    let (_, text) = whole(
        app.send(request(Method::GET, "/send", &[("x-url", from_hidden)], ""))
            .await,
    )
    .await;
    assert!(text.starts_with("500 "), "{text}");
    for url in [
        "http://example.com/",
        "http://localhost:1/",
        "https://one.spin.internal/",
    ] {
        let (status, text) = fetch(&app, "/send", url).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{url}");
        assert!(text.contains(refused), "{url}: {text}");
    }
    let (_, text) = fetch(&app, "/send", "http://nobody.spin.internal/").await;
    assert!(text.contains("DestinationNotFound"), "{text}");
    let (_, text) = fetch(&app, "/send", "https://example.com/").await;
    assert!(text.contains("speaks no TLS"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_application_is_reached_through_its_routes() {
    let app = Application::new(Limits::default());
    let (_, text) = fetch(&app, "/send", "http://self.alt/two/ann/headers").await;
    assert!(
        text.starts_with("200 ") && text.contains("spin-path-match-name: ann\n"),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_goes_in_circles_ends() {
    // `one` asks itself until the limit.
    let app = Application::new(Limits {
        chain: 2,
        ..Limits::default()
    });
    let (status, text) = fetch(&app, "/send", "http://one.spin.internal/last").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "200 /last"));
    let app = Application::new(Limits {
        chain: 1,
        ..Limits::default()
    });
    let (_, text) = fetch(&app, "/send", "http://one.spin.internal/last").await;
    assert!(text.contains("LoopDetected"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_does_not_wait_for_itself() {
    let app = Application::new(Limits {
        concurrency_in_all: 1,
        ..Limits::default()
    });
    let (status, text) = fetch(&app, "/send", "http://two.spin.internal/through").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "200 /through"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hosts_are_reached_by_http() {
    let app = Application::new(Limits::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/echoed", listener.local_addr().expect("bound"));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let other = app.host.clone();
    let serving = tokio::spawn(async move { other.serve(listener, async { stopped.await.unwrap_or_default() }).await });
    assert_eq!(fetch(&app, "/send", &url).await, (StatusCode::OK, "200 /echoed".into()));
    stop.send(()).expect("it serves");
    serving.await.expect("no panic").expect("no error");

    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a port")
        .local_addr()
        .expect("bound");
    let (_, text) = fetch(&app, "/send", &format!("http://{free}/")).await;
    assert!(text.contains("ConnectionRefused"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_goes_along() {
    let app = Application::new(Limits::default());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("x-url", "http://two.spin.internal/headers"), ("traceparent", trace)];
    let (_, text) = whole(app.send(request(Method::GET, "/send", &headers, "")).await).await;
    assert!(
        text.contains("traceparent: 00-0af7651916cd43dd8448eb211c80319c-"),
        "{text}"
    );
    assert!(!text.contains("b7ad6b7169203331"), "each hop has its own span: {text}");
}
