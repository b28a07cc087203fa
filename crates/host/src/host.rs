//! A loaded application: requests in, answers out.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt as _, Full};
use miette::Diagnostic;
use thiserror::Error;
use tracing::Instrument as _;
use wasmtime::Engine;
use wasmtime::component::{Component as Binary, Linker};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

use crate::body::{Bodies, announced};
use crate::collapse::{Boarded, Flights};
use crate::database::{Database, OpenError};
use crate::engine::{Footprint, engine};
use crate::gate::{Gate, Permit};
use crate::guest::{Guest, HasVariables, bindings};
use crate::headers;
use crate::idle::Idle;
use crate::keyvalue::{HasKeyValue, Stores};
use crate::limits::{Expected, Limits, Memory, MemoryInAll};
use crate::manifest::{Manifest, ManifestError, RESERVED_PREFIX};
use crate::metrics::{Limit, Metrics};
use crate::outbound::AllowedHosts;
use crate::outgoing::{NetworkClient, network_client};
use crate::problem::{bad_request, busy, not_found, problem, too_large};
use crate::router::{Match, Router};
use crate::run;
use crate::trace::{TRACEPARENT, TraceContext};
use crate::variables::Values;

/// What to serve, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The manifest's file.
    pub manifest: PathBuf,
    /// The manifest's text, instead of reading the file; the path then only names it in errors, and sources are relative to it.
    pub text: Option<String>,
    /// Values of application variables.
    pub variables: Values,
    /// Components that are given as bytes, by their source as the manifest writes it; others are read from their files.
    pub sources: BTreeMap<String, Bytes>,
    /// The folder of the durable state, which is made if it is missing. Without one, an app that names key-value stores does not load.
    pub state: Option<PathBuf>,
    /// What guests may use.
    pub limits: Limits,
}

/// Why an application cannot be loaded.
#[derive(Debug, Error, Diagnostic)]
pub enum LoadError {
    /// The manifest cannot be read.
    #[error("cannot read the manifest {}: {error}", file.display())]
    #[diagnostic(help("give the path of a spin.toml"))]
    Read {
        /// The manifest.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The manifest is not right.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Manifest(#[from] ManifestError),
    /// The binary of a component cannot be read.
    #[error("cannot read the component `{component}` from {}: {error}", file.display())]
    #[diagnostic(help("build it first; the manifest says how under [component.{component}.build], if it says so"))]
    Source {
        /// The id of the component.
        component: String,
        /// The file.
        file: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The binary of a component does not compile, imports what this host does not give, or exports no HTTP handler.
    #[error("the component `{component}` ({origin}) cannot run here: {reason}")]
    #[diagnostic(help(
        "it has to export wasi:http/incoming-handler@0.2 and may import WASI 0.2, wasi:http, wasi:keyvalue@0.2.0-draft2 \
         (store, atomics, batch) and wasi:config@0.2.0-draft-2024-09-27"
    ))]
    Component {
        /// The id of the component.
        component: String,
        /// Where the binary is from.
        origin: String,
        /// Why.
        reason: String,
    },
    /// The state cannot be opened.
    #[error("cannot open the state in {}: {error}", file.display())]
    #[diagnostic(forward(error))]
    State {
        /// The file.
        file: PathBuf,
        /// Why.
        error: OpenError,
    },
    /// The app has key-value stores, and no folder is given for them.
    #[error("the app keeps state in key-value stores, and no folder for it is given")]
    #[diagnostic(help("set `Options::state`, or pass --state DIR"))]
    NoState,
    /// The folder of the state cannot be made.
    #[error("cannot make the folder {}: {error}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The engine cannot be started.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
}

/// An application that is ready to serve. Clones share it.
#[derive(Clone)]
pub struct Host {
    pub(crate) shared: Arc<Shared>,
}

impl fmt::Debug for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Host")
            .field("app", &self.shared.name)
            .finish_non_exhaustive()
    }
}

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) router: Router,
    pub(crate) services: BTreeMap<Arc<str>, Service>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) client: NetworkClient,
    pub(crate) engine: Engine,
    pub(crate) memory: MemoryInAll,
    pub(crate) database: Option<Database>,
    bodies: Bodies,
    /// For requests from outside. Those between components need none, or a full house would wait for itself.
    admission: Gate,
}

/// A component, compiled and linked.
pub(crate) struct Service {
    pub(crate) id: Arc<str>,
    pub(crate) pre: ProxyPre<Guest>,
    pub(crate) variables: Arc<BTreeMap<String, String>>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) stores: Stores,
    pub(crate) allowed_outbound_hosts: AllowedHosts,
    pub(crate) idle: Idle,
    pub(crate) gate: Gate,
    /// Linear memory of an instance.
    memory: Expected,
    flights: Flights,
}

impl Host {
    /// Reads the manifest, compiles the components and opens the state.
    ///
    /// Compiling takes about a second a component the first time; wasmtime keeps the machine code in the user's cache folder.
    pub fn load(options: &Options) -> Result<Self, LoadError> {
        let text = match &options.text {
            Some(text) => text.clone(),
            None => std::fs::read_to_string(&options.manifest).map_err(|error| LoadError::Read {
                file: options.manifest.clone(),
                error,
            })?,
        };
        let manifest = Manifest::parse(&options.manifest, &text, &options.variables)?;
        Self::start(&manifest, options)
    }

    fn start(manifest: &Manifest, options: &Options) -> Result<Self, LoadError> {
        let limits = options.limits.clone();
        let metrics = Metrics::new();

        // Components that share a source share its machine code.
        let mut binaries: BTreeMap<&str, Bytes> = BTreeMap::new();
        let mut footprints = Vec::new();
        for (id, component) in &manifest.components {
            let bytes = match (
                binaries.get(component.source.as_str()),
                options.sources.get(&component.source),
            ) {
                (Some(bytes), _) | (None, Some(bytes)) => bytes.clone(),
                (None, None) => {
                    let file = manifest.folder.join(&component.source);
                    let bytes = std::fs::read(&file);
                    bytes
                        .map_err(|error| LoadError::Source {
                            component: id.clone(),
                            file,
                            error,
                        })?
                        .into()
                }
            };
            footprints.push(Footprint::of(&bytes));
            binaries.insert(&component.source, bytes);
        }
        let engine = engine(&limits, &footprints).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let linker = linker(&engine).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let refused = |component: &str, source: &str, reason: String| LoadError::Component {
            component: component.to_owned(),
            origin: source.to_owned(),
            reason,
        };
        let compiled = compile(&engine, &binaries);

        let stateful = manifest
            .components
            .values()
            .any(|component| !component.key_value_stores.is_empty());
        let database = if stateful {
            Some(open_state(manifest, options, &metrics)?)
        } else {
            None
        };

        let mut services = BTreeMap::new();
        for ((id, component), footprint) in manifest.components.iter().zip(&footprints) {
            let source = component.source.as_str();
            let binary = compiled[source].as_ref();
            let pre = binary.map_err(Clone::clone).and_then(|binary| {
                let pre = linker.instantiate_pre(binary).and_then(ProxyPre::new);
                pre.map_err(|error| format!("{error:#}"))
            });
            let pre = pre.map_err(|reason| refused(id, source, reason))?;
            let id: Arc<str> = id.as_str().into();
            let service = Service {
                id: Arc::clone(&id),
                pre,
                variables: Arc::new(component.variables.clone()),
                environment: component.environment.clone(),
                stores: Stores {
                    database: database.clone(),
                    allowed: Arc::new(component.key_value_stores.clone()),
                    metrics: metrics.clone(),
                },
                allowed_outbound_hosts: component.allowed_outbound_hosts.clone(),
                idle: Idle::default(),
                gate: Gate::new(limits.concurrency, limits.queue),
                memory: Expected::new(footprint.initial),
                flights: Flights::default(),
            };
            services.insert(id, service);
        }
        let shared = Shared {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            router: manifest.router.clone(),
            services,
            memory: MemoryInAll::new(limits.memory_in_all, metrics.memory().clone()),
            bodies: Bodies::new(&limits),
            admission: Gate::new(limits.concurrency_in_all, limits.queue),
            limits,
            metrics,
            client: network_client(),
            engine,
            database,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The name of the application.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The public routes and the components that answer them, the most particular ones first.
    pub fn routes(&self) -> Vec<(String, String)> {
        let routes = self.shared.router.routes();
        routes
            .map(|route| (route.raw().to_string(), route.component().to_string()))
            .collect()
    }

    /// What is counted and measured.
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// The durable state, if the application has any.
    pub fn database(&self) -> Option<&Database> {
        self.shared.database.as_ref()
    }

    /// Answers a request as if it came over the network from `client`.
    pub async fn answer<B>(&self, request: Request<B>, client: SocketAddr) -> Response<WasiBody>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<wasmtime_wasi_http::Error>,
    {
        let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
        self.shared.answer(request, client).await
    }
}

/// Compiles each binary once, also if several sources have the same bytes; each on all processors.
fn compile<'a>(engine: &Engine, binaries: &BTreeMap<&'a str, Bytes>) -> BTreeMap<&'a str, Result<Binary, String>> {
    let mut compiled: BTreeMap<&Bytes, Result<Binary, String>> = BTreeMap::new();
    let mut binary = |bytes| {
        let result = compiled
            .entry(bytes)
            .or_insert_with(|| Binary::new(engine, bytes).map_err(|error| format!("{error:#}")));
        result.clone()
    };
    binaries
        .iter()
        .map(|(source, bytes)| (*source, binary(bytes)))
        .collect()
}

fn open_state(manifest: &Manifest, options: &Options, metrics: &Metrics) -> Result<Database, LoadError> {
    let folder = options.state.as_ref().ok_or(LoadError::NoState)?;
    std::fs::create_dir_all(folder).map_err(|error| LoadError::Folder {
        folder: folder.clone(),
        error,
    })?;
    // One file an app, so that several can share a folder.
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '-' {
            letter
        } else {
            '_'
        }
    };
    let name: String = manifest.name.chars().map(plain).collect();
    let file = folder.join(format!("{name}.redb"));
    Database::open(&file, metrics.clone()).map_err(|error| LoadError::State { file, error })
}

/// Everything that components can import.
fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    bindings::wasi::keyvalue::store::add_to_linker::<_, HasKeyValue>(&mut linker, Guest::key_value)?;
    bindings::wasi::keyvalue::atomics::add_to_linker::<_, HasKeyValue>(&mut linker, Guest::key_value)?;
    bindings::wasi::keyvalue::batch::add_to_linker::<_, HasKeyValue>(&mut linker, Guest::key_value)?;
    bindings::wasi::config::store::add_to_linker::<_, HasVariables>(&mut linker, Guest::config)?;
    Ok(linker)
}

impl Shared {
    async fn answer(self: &Arc<Self>, mut request: Request<WasiBody>, client: SocketAddr) -> Response<WasiBody> {
        if request.method() == Method::CONNECT {
            return problem(StatusCode::METHOD_NOT_ALLOWED, "#method", "this is no proxy");
        }
        let path = request.uri().path().to_owned();
        if let Some(own) = path.strip_prefix(RESERVED_PREFIX) {
            return self.own(own);
        }
        let Some(found) = self.router.find(&path) else {
            return not_found("no route matches this path");
        };
        headers::remove_reserved(request.headers_mut());
        if headers::complete_uri(&mut request).is_none() {
            return bad_request("the Host header is no host");
        }
        let service = &self.services[found.route.component()];
        let started = Instant::now();
        let request = match self.bodies.read(request, &self.limits).await {
            Ok(request) => request,
            Err(unread) => return self.refuse(service, &found, unread.limit(), started, unread.answer()),
        };
        let ticket = match service.flights.board(&request).await {
            Boarded::Runs(ticket) => ticket,
            Boarded::Answered(response) => {
                let status = response.status().as_u16();
                self.metrics.collapsed(&service.id);
                self.metrics
                    .answered(&service.id, found.route.raw(), status, started.elapsed());
                tracing::debug!(component = &*service.id, path, status, "answered with another request");
                return response.map(full);
            }
        };
        let response = match self.enter(&self.admission).await {
            Some(admitted) => self.serve(service, &found, request, client, 1, Some(admitted)).await,
            None => self.refuse(service, &found, Some(Limit::Concurrency), started, too_many_wait()),
        };
        ticket.hand_on(response).await
    }

    /// What the host answers itself.
    fn own(&self, path: &str) -> Response<WasiBody> {
        match path {
            "health" => ok(),
            "info" => {
                let info = serde_json::json!({ "name": self.name, "version": self.version });
                let mut response = Response::new(full(info.to_string()));
                response
                    .headers_mut()
                    .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                response
            }
            _ => not_found("the host answers health and info here"),
        }
    }

    /// Lets a component answer. `depth` counts the components on the way, this one included.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        service: &Service,
        found: &Match,
        mut request: Request<WasiBody>,
        client: SocketAddr,
        depth: usize,
        admitted: Option<Permit>,
    ) -> Response<WasiBody> {
        let started = Instant::now();
        let before = TraceContext::before(request.headers());
        let span = tracing::info_span!(
            "request",
            component = &*service.id,
            route = &**found.route.raw(),
            method = %request.method(),
            path = request.uri().path(),
            trace_id = tracing::field::Empty,
            depth,
        );
        #[cfg(feature = "otel")]
        let trace = crate::otel::follow(&span, before).unwrap_or_else(|| TraceContext::after(before));
        #[cfg(not(feature = "otel"))]
        let trace = TraceContext::after(before);
        span.record("trace_id", trace.trace_id());
        request.headers_mut().insert(TRACEPARENT, trace.header());

        let answer = async {
            if announced(&request) > self.limits.body {
                self.metrics.refused(&service.id, Limit::Body);
                return too_large(self.limits.body);
            }
            let Some(permit) = self.enter(&service.gate).await else {
                self.metrics.refused(&service.id, Limit::Concurrency);
                return too_many_wait();
            };
            let uri = request.uri().clone();
            headers::describe(request.headers_mut(), &uri, found, client);
            run::run(self, service, request, depth, trace.header(), (permit, admitted)).await
        };
        let response = answer.instrument(span.clone()).await;
        let duration = started.elapsed();
        self.metrics
            .answered(&service.id, found.route.raw(), response.status().as_u16(), duration);
        tracing::debug!(parent: &span, status = response.status().as_u16(), ?duration, "answered");
        response
    }

    /// A place in a gate; `None` if too many wait, or the wait takes too long.
    async fn enter(&self, gate: &Gate) -> Option<Permit> {
        tokio::time::timeout(self.limits.time, gate.enter())
            .await
            .ok()
            .flatten()
    }

    /// Lets no instance wait any more.
    pub(crate) fn clear(&self) {
        self.services.values().for_each(|service| service.idle.clear());
    }

    /// Linear memory for a new instance of a component, once all instances together leave room for it; `None` if that takes too long.
    pub(crate) async fn memory_for(&self, service: &Service, depth: usize) -> Option<Memory> {
        let (limit, expected) = (self.limits.memory, &service.memory);
        if let Some(memory) = Memory::begin(limit, &self.memory, expected) {
            return Some(memory);
        }
        // Whoever asks from within another request has that one's memory, which others may wait for.
        let patience = if depth > 1 {
            self.limits.time / 10
        } else {
            self.limits.time
        };
        let memory = Memory::wait(limit, &self.memory, expected, || self.clear());
        let memory = tokio::time::timeout(patience, memory).await.ok();
        if memory.is_none() {
            expected.sink();
        }
        memory
    }

    /// Sends a request away before a component has seen it.
    fn refuse(
        &self,
        service: &Service,
        found: &Match,
        limit: Option<Limit>,
        started: Instant,
        response: Response<WasiBody>,
    ) -> Response<WasiBody> {
        if let Some(limit) = limit {
            self.metrics.refused(&service.id, limit);
        }
        let status = response.status().as_u16();
        self.metrics
            .answered(&service.id, found.route.raw(), status, started.elapsed());
        tracing::debug!(component = &*service.id, status, "refused");
        response
    }
}

fn too_many_wait() -> Response<WasiBody> {
    busy("too many requests are waiting")
}

/// That the host is there.
pub(crate) fn ok() -> Response<WasiBody> {
    let mut response = Response::new(full("OK\n"));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A body that is known as a whole, so that its length is sent before it.
pub(crate) fn full(bytes: impl Into<Bytes>) -> WasiBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}
