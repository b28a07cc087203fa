//! A network in this process: the host, its components, and what carries messages.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use eqmesh_gateway::{Gateway, InProcess, Options as GatewayOptions, Subjects};
use eqmesh_host::metrics::Metrics;
use eqmesh_host::variables::Values;
use eqmesh_host::{Host, Options};
use eqmesh_replica::AgentId;
use eqmesh_webhook::Secret;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// For tests alone.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// `spin.toml` of the workspace.
pub(crate) fn manifest() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../spin.toml")
}

/// The host of a `spin.toml` with the components of this workspace.
fn host(state: &Path, text: Option<String>) -> Host {
    let services = eqmesh_composer::services().unwrap();
    let sources = services
        .into_iter()
        .map(|(name, bytes)| (format!("target/spin/{name}.wasm"), bytes.into()));
    let variables = [("webhook_secret", SECRET), ("tick_ms", "100")];
    let options = Options {
        manifest: manifest(),
        text,
        variables: Values {
            given: variables
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Values::default()
        },
        sources: sources.collect::<BTreeMap<_, _>>(),
        state: Some(state.to_owned()),
        ..Options::default()
    };
    Host::load(&options).unwrap()
}

static LOADING: Mutex<()> = Mutex::new(());

/// A network that answers at an address. It ends when this is dropped.
pub(crate) struct Application {
    runtime: Option<Runtime>,
    stops: Vec<oneshot::Sender<()>>,
    pub(crate) url: String,
    metrics: Metrics,
    agent: ureq::Agent,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Application {
    /// Serves what lies in a folder; `driven` by a gateway in this process, or by nobody.
    pub(crate) fn start(state: &Path, driven: bool) -> Application {
        Application::of(state, driven, None)
    }

    /// The same, of a manifest with this text.
    pub(crate) fn of(state: &Path, driven: bool, text: Option<String>) -> Application {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        // One after another: the first compiles the components, which the others then find in the cache.
        let host = {
            let _turn = LOADING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            host(state, text)
        };
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let metrics = host.metrics().clone();
        let mut stops = Vec::new();
        let (stop, stopped) = oneshot::channel::<()>();
        stops.push(stop);
        runtime.spawn(async move {
            host.serve(listener, async { drop(stopped.await) }).await.unwrap();
        });
        if driven {
            let secret: Secret = SECRET.parse().unwrap();
            let mut options = GatewayOptions::new(&url, secret, (0..9).map(AgentId));
            // Like the interval of ticks, shorter than usual.
            options.gather = Duration::from_millis(25);
            let broker = InProcess::new(Subjects::default(), 64 << 20, Duration::from_secs(15));
            let _inside = runtime.enter();
            let gateway = Gateway::new(broker, options).unwrap();
            let (stop, stopped) = oneshot::channel::<()>();
            stops.push(stop);
            runtime.spawn(gateway.run(async { drop(stopped.await) }));
        }
        let configuration = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_mins(1)))
            .build();
        Application {
            runtime: Some(runtime),
            stops,
            url,
            metrics,
            agent: configuration.into(),
        }
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = if body.is_empty() && method != "POST" {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body).unwrap())
        };
        let mut response = response.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_vec().unwrap(),
        }
    }

    /// How many requests to a component were answered together with another one.
    pub(crate) fn collapsed(&self, component: &str) -> u64 {
        let name = format!("eqmesh_collapsed_requests_total{{component=\"{component}\"}} ");
        let text = self.metrics.text();
        let count = text.lines().find_map(|line| line.strip_prefix(&name));
        count.map_or(0, |count| count.parse().unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// Sends a program, again while the agent is busy.
    pub(crate) fn submit(&self, agent: u32, text: &str) -> Answer {
        let send = || {
            self.request(
                "POST",
                &format!("/agent/{agent}/program"),
                &[("content-type", "text/plain")],
                text.as_bytes(),
            )
        };
        let mut answer = send();
        for _ in 0..30 {
            if answer.status != 503 {
                break;
            }
            std::thread::sleep(Duration::from_secs(1));
            answer = send();
        }
        answer
    }

    /// Waits until the network holds facts and has converged.
    pub(crate) fn converged(&self) -> Value {
        let start = Instant::now();
        loop {
            let status = self.get("/status").json();
            let facts = status["agents"][0]["facts"].as_u64().unwrap_or(0);
            if status["converged"] == true && facts > 0 {
                return status;
            }
            assert!(
                start.elapsed() < Duration::from_mins(5),
                "the network does not converge: {status:#}"
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // The gateway first, and then the host.
        while let Some(stop) = self.stops.pop() {
            let _ = stop.send(());
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(20));
        }
    }
}
