//! Over sockets: headers, connections, streams, shutdown.

use std::net::SocketAddr;
use std::time::Duration;

use eqmesh_host::Limits;
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::application::{Application, refusal, request};

/// An application that listens.
struct Listening {
    _app: Application,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<std::io::Result<()>>,
}

impl Listening {
    async fn new(limits: Limits) -> Self {
        let app = Application::new(limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let host = app.host.clone();
        let serving =
            tokio::spawn(async move { host.serve(listener, async { stopped.await.unwrap_or_default() }).await });
        Self {
            _app: app,
            address,
            stop,
            serving,
        }
    }

    async fn connect(&self) -> Connection {
        Connection(TcpStream::connect(self.address).await.expect("it listens"))
    }
}

/// A connection that speaks HTTP/1.1 in plain text.
struct Connection(TcpStream);

impl Connection {
    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.expect("sent");
    }

    /// Reads until the text holds something.
    async fn read_until(&mut self, end: &str) -> String {
        let mut read = String::new();
        let mut buffer = [0; 4096];
        while !read.contains(end) {
            let count = self.0.read(&mut buffer).await.expect("read");
            assert_ne!(count, 0, "the connection ended after {read:?}");
            read.push_str(std::str::from_utf8(&buffer[..count]).expect("text"));
        }
        read
    }

    async fn rest(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).await.expect("text");
        rest
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests_with_their_lengths() {
    let listening = Listening::new(Limits::default()).await;
    let mut connection = listening.connect().await;
    for path in ["/first", "/second"] {
        connection
            .send(&format!("GET {path} HTTP/1.1\r\nhost: mesh.example\r\n\r\n"))
            .await;
        let answer = connection.read_until(path).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(
            answer.contains(&format!("content-length: {}\r\n", path.len())),
            "{answer}"
        );
        assert!(!answer.contains("chunked"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn components_are_told_what_spin_tells_and_clients_cannot_forge_it() {
    let listening = Listening::new(Limits::default()).await;
    let mut connection = listening.connect().await;
    connection
        .send(
            "GET /two/ann/headers?a HTTP/1.1\r\nhost: mesh.example\r\nspin-path-match-name: root\r\n\
             spin-path-match-other: x\r\nspin-client-addr: 9.9.9.9:9\r\nconnection: close\r\n\r\n",
        )
        .await;
    let answer = connection.rest().await;
    for line in [
        "spin-full-url: http://mesh.example/two/ann/headers?a\n",
        "spin-path-info: /headers\n",
        "spin-path-match-name: ann\n",
        "spin-matched-route: /two/:name/...\n",
        "spin-component-route: /two/:name\n",
        "spin-raw-component-route: /two/:name/...\n",
        "spin-base-path: /\n",
        "spin-client-addr: 127.0.0.1:",
    ] {
        assert!(answer.contains(line), "{line:?} is missing in {answer}");
    }
    for forged in ["root", "spin-path-match-other", "9.9.9.9"] {
        assert!(!answer.contains(forged), "{forged} came through: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_while_the_component_goes_on() {
    let listening = Listening::new(Limits::default()).await;
    let mut connection = listening.connect().await;
    connection.send("GET /stream/3/200 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let first = connection.read_until("data: 0").await;
    assert!(first.contains("content-type: text/event-stream"), "{first}");
    assert!(
        !first.contains("data: 2"),
        "the first event came before the last one was made: {first}"
    );
    connection.read_until("0\r\n\r\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_malformed_is_refused_with_a_reason() {
    let listening = Listening::new(Limits::default()).await;
    let long = "a".repeat(70 << 10);
    for (head, status) in [
        (
            "POST /body HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nno length\r\n",
            "400 Bad Request",
        ),
        (
            "GET /body HTTP/1.1\r\nhost: no host\r\nconnection: close\r\n\r\n",
            "400 Bad Request",
        ),
        (
            &format!("GET /body HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\nconnection: close\r\n\r\n"),
            "431 Request Header Fields Too Large",
        ),
    ] {
        let mut connection = listening.connect().await;
        connection.send(head).await;
        let answer = connection.rest().await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{answer}");
        assert!(
            answer.contains("content-type: application/problem+json\r\n"),
            "{answer}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_answers_what_it_reserves() {
    let app = Application::new(Limits::default());
    assert_eq!(
        app.get("/.well-known/spin/health").await,
        (StatusCode::OK, "OK\n".into())
    );
    let (_, info) = app.get("/.well-known/spin/info").await;
    let info: serde_json::Value = serde_json::from_str(&info).expect("JSON");
    assert_eq!(info, serde_json::json!({ "name": "probes", "version": "1.2.3" }));
    let other = app.send(request(Method::GET, "/.well-known/spin/else", &[], "")).await;
    assert_eq!(refusal(other).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_requests_finish() {
    let listening = Listening::new(Limits::default()).await;
    let mut busy = listening.connect().await;
    busy.send("GET /stream/4/100 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    busy.read_until("data: 0").await;
    let mut idle = listening.connect().await;
    idle.send("GET /idle HTTP/1.1\r\nhost: x\r\n\r\n").await;
    idle.read_until("/idle").await;
    listening.stop.send(()).expect("it serves");
    let rest = busy.rest().await;
    assert!(rest.contains("data: 3") && rest.ends_with("0\r\n\r\n"), "{rest}");
    assert_eq!(idle.rest().await, "", "connections without a request are closed");
    listening.serving.await.expect("no panic").expect("no error");
    assert!(
        TcpStream::connect(listening.address).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_does_not_wait_for_ever() {
    let limits = Limits {
        shutdown: Duration::from_millis(100),
        ..Limits::default()
    };
    let listening = Listening::new(limits).await;
    let mut busy = listening.connect().await;
    busy.send("GET /stream/100000/100 HTTP/1.1\r\nhost: x\r\n\r\n").await;
    busy.read_until("data: 0").await;
    listening.stop.send(()).expect("it serves");
    listening.serving.await.expect("no panic").expect("no error");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_have_a_listener_of_their_own() {
    let app = Application::new(Limits::default());
    app.get("/counted").await;
    app.get("/keyvalue/default/increment/n/1").await;
    app.send(request(
        Method::GET,
        "/send",
        &[("x-url", "http://two.spin.internal/")],
        "",
    ))
    .await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("bound");
    let host = app.host.clone();
    let serving = tokio::spawn(async move { host.serve_metrics(listener, std::future::pending()).await });
    let mut connection = Connection(TcpStream::connect(address).await.expect("it listens"));
    connection
        .send("GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    let metrics = connection.rest().await;
    for line in [
        "eqmesh_http_requests_total{component=\"one\",route=\"/...\",status=\"200\"} 3",
        "eqmesh_http_requests_total{component=\"two\",route=\"/...\",status=\"200\"} 1",
        "eqmesh_http_request_duration_seconds_count{component=\"one\"} 3",
        "eqmesh_keyvalue_operations_total{store=\"default\",operation=\"Increment\",result=\"Ok\"} 1",
        "eqmesh_keyvalue_commit_duration_seconds_count 1",
        "eqmesh_outgoing_requests_total{component=\"one\",to=\"Component\",result=\"Ok\"} 1",
        "eqmesh_instances{component=\"one\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
    serving.abort();
}
