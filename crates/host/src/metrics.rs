//! What is counted and measured, in the text format of Prometheus.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one host. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    inner: Arc<Inner>,
}

struct Inner {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    duration: Family<ComponentLabels, Histogram>,
    instances: Family<ComponentLabels, Gauge>,
    made: Family<ComponentLabels, Counter>,
    collapsed: Family<ComponentLabels, Counter>,
    refused: Family<RefusedLabels, Counter>,
    memory: Gauge,
    connections: Gauge,
    operations: Family<OperationLabels, Counter>,
    commit_duration: Histogram,
    commit_writes: Histogram,
    outgoing: Family<OutgoingLabels, Counter>,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    component: Arc<str>,
    route: Arc<str>,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ComponentLabels {
    component: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    component: Arc<str>,
    limit: Limit,
}

/// A limit that a request met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Limit {
    /// The queue for instances is full.
    Concurrency,
    /// The body is too large.
    Body,
    /// The bodies of all requests are too large.
    BodyInAll,
    /// The linear memories of the instance are too large.
    Memory,
    /// The linear memories of all instances are too large.
    MemoryInAll,
    /// It took too long.
    Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabels {
    store: Arc<str>,
    operation: Operation,
    result: Ending,
}

/// An operation on a key-value store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(missing_docs, reason = "the names of wasi:keyvalue")]
pub enum Operation {
    Get,
    Set,
    Delete,
    Exists,
    ListKeys,
    GetMany,
    SetMany,
    DeleteMany,
    Increment,
    Swap,
}

/// How something ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Ending {
    /// Well.
    Ok,
    /// A compare-and-swap met another value.
    Conflict,
    /// It failed.
    Error,
    /// It is not allowed.
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutgoingLabels {
    component: Arc<str>,
    to: Destination,
    result: Ending,
}

/// Where an outgoing request goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Destination {
    /// Another component of the application.
    Component,
    /// The network.
    Network,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// From 0.1 ms to 52 s, in factors of 2.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2.0, 20))
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let requests = Family::default();
        let duration = Family::new_with_constructor(durations as fn() -> Histogram);
        let instances = Family::default();
        let made = Family::default();
        let collapsed = Family::default();
        let refused = Family::default();
        let memory = Gauge::default();
        let connections = Gauge::default();
        let operations = Family::default();
        let commit_duration = durations();
        let commit_writes = Histogram::new(exponential_buckets(1.0, 2.0, 13));
        let outgoing = Family::default();

        let mut registry = Registry::with_prefix("eqmesh");
        registry.register("http_requests", "Requests that were answered", requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From the request to the head of the answer",
            Unit::Seconds,
            duration.clone(),
        );
        registry.register("instances", "Instances that run", instances.clone());
        registry.register(
            "made_instances",
            "Instances that were made; other requests were answered by one that had waited",
            made.clone(),
        );
        registry.register(
            "collapsed_requests",
            "Requests that were answered together with another one",
            collapsed.clone(),
        );
        registry.register("refused_requests", "Requests that met a limit", refused.clone());
        registry.register_with_unit(
            "guest_memory",
            "Linear memory of all instances",
            Unit::Bytes,
            memory.clone(),
        );
        registry.register("connections", "Open connections", connections.clone());
        registry.register(
            "keyvalue_operations",
            "Operations on key-value stores",
            operations.clone(),
        );
        registry.register_with_unit(
            "keyvalue_commit_duration",
            "Writing one group and waiting for the disk",
            Unit::Seconds,
            commit_duration.clone(),
        );
        registry.register(
            "keyvalue_commit_writes",
            "Writes that share one commit",
            commit_writes.clone(),
        );
        registry.register("outgoing_requests", "Requests that components sent", outgoing.clone());
        let inner = Inner {
            registry,
            requests,
            duration,
            instances,
            made,
            collapsed,
            refused,
            memory,
            connections,
            operations,
            commit_duration,
            commit_writes,
            outgoing,
        };
        Self { inner: Arc::new(inner) }
    }

    /// All metrics as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.inner.registry).expect("writing to a string does not fail");
        text
    }

    pub(crate) fn answered(&self, component: &Arc<str>, route: &Arc<str>, status: u16, duration: Duration) {
        let component = Arc::clone(component);
        let request = RequestLabels {
            component: Arc::clone(&component),
            route: Arc::clone(route),
            status,
        };
        self.inner.requests.get_or_create(&request).inc();
        self.inner
            .duration
            .get_or_create(&ComponentLabels { component })
            .observe(duration.as_secs_f64());
    }

    /// Counts an instance for as long as the guard lives.
    pub(crate) fn instance(&self, component: &Arc<str>) -> Running {
        let gauge = self
            .inner
            .instances
            .get_or_create(&ComponentLabels {
                component: Arc::clone(component),
            })
            .clone();
        Running::new(gauge)
    }

    pub(crate) fn made(&self, component: &Arc<str>) {
        let component = Arc::clone(component);
        self.inner.made.get_or_create(&ComponentLabels { component }).inc();
    }

    pub(crate) fn collapsed(&self, component: &Arc<str>) {
        let component = Arc::clone(component);
        self.inner.collapsed.get_or_create(&ComponentLabels { component }).inc();
    }

    /// Counts a connection for as long as the guard lives.
    pub(crate) fn connection(&self) -> Running {
        Running::new(self.inner.connections.clone())
    }

    pub(crate) fn refused(&self, component: &Arc<str>, limit: Limit) {
        self.inner
            .refused
            .get_or_create(&RefusedLabels {
                component: Arc::clone(component),
                limit,
            })
            .inc();
    }

    pub(crate) fn memory(&self) -> &Gauge {
        &self.inner.memory
    }

    pub(crate) fn operation(&self, store: &Arc<str>, operation: Operation, result: Ending) {
        let labels = OperationLabels {
            store: Arc::clone(store),
            operation,
            result,
        };
        self.inner.operations.get_or_create(&labels).inc();
    }

    pub(crate) fn committed(&self, writes: usize, duration: Duration) {
        self.inner.commit_duration.observe(duration.as_secs_f64());
        self.inner.commit_writes.observe(writes as f64);
    }

    pub(crate) fn outgoing(&self, component: &Arc<str>, to: Destination, result: Ending) {
        self.inner
            .outgoing
            .get_or_create(&OutgoingLabels {
                component: Arc::clone(component),
                to,
                result,
            })
            .inc();
    }
}

/// One more on a gauge, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running(Gauge);

impl Running {
    fn new(gauge: Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.dec();
    }
}
