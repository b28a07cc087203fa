//! What a gateway has done, for Prometheus.

use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use eqmesh_replica::AgentId;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::sync::Arc;
use tokio::net::TcpListener;

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum Outcome {
    /// The app took it.
    Accepted,
    /// The app is not there or busy.
    Away,
    /// The app broke down, or was too slow.
    Broke,
    /// The app refuses it.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAgent {
    agent: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    agent: u32,
    outcome: Outcome,
}

/// Counters of one gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    deliveries: Family<Ended, Counter>,
    delivered: Family<OfAgent, Counter>,
    published: Family<OfAgent, Counter>,
    skipped: Family<OfAgent, Counter>,
    forged: Family<OfAgent, Counter>,
    dead: Family<OfAgent, Counter>,
    dropped: Family<OfAgent, Counter>,
    steps: Family<Ended, Counter>,
    broker_failures: Counter,
    in_flight: Gauge,
    seconds: Histogram,
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("eqmesh_gateway");
        // From half a millisecond to half a minute.
        let seconds = Histogram::new(exponential_buckets(0.0005, 2.0, 17));
        let metrics = Metrics {
            deliveries: Family::default(),
            delivered: Family::default(),
            published: Family::default(),
            skipped: Family::default(),
            forged: Family::default(),
            dead: Family::default(),
            dropped: Family::default(),
            steps: Family::default(),
            broker_failures: Counter::<u64, AtomicU64>::default(),
            in_flight: Gauge::default(),
            seconds,
            registry: Registry::default(),
        };
        registry.register(
            "deliveries",
            "Requests that delivered messages, by how they ended",
            metrics.deliveries.clone(),
        );
        registry.register(
            "delivered_messages",
            "Messages that agents have taken",
            metrics.delivered.clone(),
        );
        registry.register(
            "published_messages",
            "Messages of agents that the broker has taken",
            metrics.published.clone(),
        );
        registry.register(
            "skipped_messages",
            "Messages that did not concern the agent",
            metrics.skipped.clone(),
        );
        registry.register(
            "forged_messages",
            "Messages that are not what their subjects say",
            metrics.forged.clone(),
        );
        registry.register("dead_letters", "Messages that were given up", metrics.dead.clone());
        registry.register(
            "dropped_heartbeats",
            "Signs of life that were not delivered",
            metrics.dropped.clone(),
        );
        registry.register(
            "steps",
            "Requests that had agents work, by how they ended",
            metrics.steps.clone(),
        );
        registry.register(
            "broker_failures",
            "Requests that the broker did not answer or refused",
            metrics.broker_failures.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests to the app that wait for an answer",
            metrics.in_flight.clone(),
        );
        registry.register("delivery_seconds", "How long deliveries took", metrics.seconds.clone());
        Metrics { registry, ..metrics }
    }
}

impl Metrics {
    /// All of them in the text format of Prometheus.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("texts take whatever is written to them");
        text
    }

    pub(crate) fn delivery(&self, agent: AgentId, outcome: Outcome, seconds: f64) {
        self.deliveries
            .get_or_create(&Ended {
                agent: agent.number(),
                outcome,
            })
            .inc();
        self.seconds.observe(seconds);
    }

    pub(crate) fn step(&self, agent: AgentId, outcome: Outcome) {
        self.steps
            .get_or_create(&Ended {
                agent: agent.number(),
                outcome,
            })
            .inc();
    }

    pub(crate) fn delivered(&self, agent: AgentId, count: usize) {
        add(&self.delivered, agent, count);
    }

    pub(crate) fn published(&self, agent: AgentId, count: usize) {
        add(&self.published, agent, count);
    }

    pub(crate) fn skipped(&self, agent: AgentId, count: usize) {
        add(&self.skipped, agent, count);
    }

    pub(crate) fn forged(&self, agent: AgentId) {
        add(&self.forged, agent, 1);
    }

    pub(crate) fn dead(&self, agent: AgentId) {
        add(&self.dead, agent, 1);
    }

    pub(crate) fn dropped(&self, agent: AgentId, count: usize) {
        add(&self.dropped, agent, count);
    }

    pub(crate) fn broker_failed(&self) {
        self.broker_failures.inc();
    }

    /// Counts a request as being in flight until what is returned is dropped.
    pub(crate) fn in_flight(&self) -> InFlight {
        self.in_flight.inc();
        InFlight(self.in_flight.clone())
    }
}

fn add(family: &Family<OfAgent, Counter>, agent: AgentId, count: usize) {
    family
        .get_or_create(&OfAgent { agent: agent.number() })
        .inc_by(count as u64);
}

/// A request in flight.
pub(crate) struct InFlight(Gauge);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Serves the metrics at `/metrics`, for as long as it is awaited. Fails if the address cannot be listened to; otherwise answers where it listens.
pub async fn serve(
    metrics: Arc<Metrics>,
    address: SocketAddr,
) -> std::io::Result<(SocketAddr, impl Future<Output = ()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let serving = async move {
        let mut connections = tokio::task::JoinSet::new();
        loop {
            // Those that have ended are forgotten.
            while connections.try_join_next().is_some() {}
            let Ok((stream, _)) = listener.accept().await else {
                continue;
            };
            let metrics = Arc::clone(&metrics);
            let service = service_fn(move |request| std::future::ready(answer(&metrics, &request)));
            let mut server = hyper::server::conn::http1::Builder::new();
            connections.spawn(
                server
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    };
    Ok((address, serving))
}

fn answer(metrics: &Metrics, request: &Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
    if request.uri().path() != "/metrics" {
        return Response::builder()
            .status(StatusCode::NOT_FOUND)
            .body(Full::from("the metrics are at /metrics\n"));
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Response::builder()
        .header(CONTENT_TYPE, kind)
        .body(Full::from(metrics.text()))
}
