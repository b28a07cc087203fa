//! What the tests have in common: an application of probes, and requests to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use eqmesh_host::variables::Values;
use eqmesh_host::{Body, Host, Limits, Options};
use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tempfile::TempDir;

use crate::probe::PROBE;

/// The client's address as the host sees it.
pub(crate) const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9);

/// Two components of one binary: `one` at `/`, which may do much, and `two` at `/two`, which may do nothing.
pub(crate) const MANIFEST: &str = r#"
spin_manifest_version = 2

[application]
name = "probes"
version = "1.2.3"

[variables]
host = { default = "mesh.example" }
secret = { required = true, secret = true }

[[trigger.http]]
route = "/..."
component = "one"

[[trigger.http]]
route = "/two/:name/..."
component = "two"

[[trigger.http]]
route = { private = true }
component = "hidden"

[component.one]
source = "probe.wasm"
key_value_stores = ["default", "other"]
allowed_outbound_hosts = ["http://*.spin.internal", "http://self", "http://127.0.0.1:*", "https://example.com"]
variables = { endpoint = "https://{{ host }}/{{ secret }}" }
environment = { GREETING = "hello" }

[component.one.build]
command = "cargo build"

[component.two]
source = "probe.wasm"
allowed_outbound_hosts = ["http://one.spin.internal"]

[component.hidden]
source = "probe.wasm"
"#;

/// An application that runs.
pub(crate) struct Application {
    pub(crate) host: Host,
    pub(crate) state: TempDir,
}

pub(crate) fn options(state: &TempDir, limits: Limits) -> Options {
    Options {
        manifest: "tests/spin.toml".into(),
        text: Some(MANIFEST.to_owned()),
        variables: Values {
            given: BTreeMap::from([("secret".to_owned(), "s3".to_owned())]),
            environment: BTreeMap::new(),
        },
        sources: BTreeMap::from([("probe.wasm".to_owned(), PROBE.clone())]),
        state: Some(state.path().to_owned()),
        limits,
    }
}

impl Application {
    pub(crate) fn new(limits: Limits) -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let host = Host::load(&options(&state, limits)).expect("the application loads");
        Self { host, state }
    }

    pub(crate) async fn send(&self, request: Request<Full<Bytes>>) -> Response<Body> {
        self.host.answer(request, CLIENT).await
    }

    /// The answer to a GET.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        whole(self.send(request(Method::GET, path, &[], "")).await).await
    }

    /// What the first metric says whose name, and labels, begin like this; 0 if there is none.
    pub(crate) fn counted(&self, name: &str) -> u32 {
        let text = self.host.metrics().text();
        let line = text.lines().find(|line| line.starts_with(name));
        line.map_or(0, |line| {
            let count = line.rsplit(' ').next().expect("a line has a value");
            count.parse().expect("a count")
        })
    }

    /// The text of the answer to a POST that succeeds.
    pub(crate) async fn post(&self, path: &str, body: impl Into<Bytes>) -> String {
        let (status, text) = whole(self.send(request(Method::POST, path, &[], body)).await).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        text
    }
}

pub(crate) fn request(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::new(body.into())).expect("well formed")
}

/// The status and the text of an answer.
pub(crate) async fn whole(response: Response<Body>) -> (StatusCode, String) {
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .expect("a complete body")
        .to_bytes();
    (status, String::from_utf8(body.into()).expect("text"))
}

/// The status and the detail of a refusal of the host's own, which is a problem document.
pub(crate) async fn refusal(response: Response<Body>) -> (StatusCode, String) {
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    let (status, text) = whole(response).await;
    let mut problem: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(problem["status"], status.as_u16());
    assert_eq!(problem["title"], status.canonical_reason().expect("a known one"));
    assert!(
        problem["type"].as_str().is_some_and(|kind| kind.starts_with('#')),
        "{text}"
    );
    let detail = serde_json::from_value(problem["detail"].take()).expect("a text");
    (status, detail)
}
