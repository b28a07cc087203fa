//! What guests may use.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use wasmtime::{ResourceLimiter, Result};

/// The limits of a host. Each has a default that suits a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all linear memories of one instance. Default 256 MiB; at most 4 GiB a memory.
    pub memory: usize,
    /// Bytes of all linear memories of all instances. Default 2 GiB.
    pub memory_in_all: usize,
    /// From the start of an instance to the head of its answer. Default 30 s. Past it, the answer is 504.
    pub time: Duration,
    /// From the start of an instance to the end of its answer, for answers that are streams. Default 15 minutes.
    pub stream_time: Duration,
    /// Instances of one component at once. Default 64.
    pub concurrency: usize,
    /// Requests that an instance answers, one after the other, before it goes; 1: each has an instance of its own, as in Spin. Default 128.
    pub reuse: usize,
    /// How long an instance that has answered waits for another request, at least; at most a quarter longer. Default 4 s.
    pub idle: Duration,
    /// Requests from outside that are served at once. Default 256. Requests by service chaining are within these.
    pub concurrency_in_all: usize,
    /// Requests of one component that may wait for an instance; further ones are answered 503. Default 1,024.
    pub queue: usize,
    /// Bytes of a request's body. Default 32 MiB. Past it, the answer is 413.
    pub body: u64,
    /// How many components a request may pass through by service chaining. Default 8.
    pub chain: usize,
    /// Open connections; further ones wait to be accepted. Default 4,096.
    pub connections: usize,
    /// How long a shutdown waits for requests that run. Default 10 s.
    pub shutdown: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 256 << 20,
            memory_in_all: 2 << 30,
            time: Duration::from_secs(30),
            stream_time: Duration::from_mins(15),
            concurrency: 64,
            reuse: 128,
            idle: Duration::from_secs(4),
            concurrency_in_all: 256,
            queue: 1_024,
            body: 32 << 20,
            chain: 8,
            connections: 4_096,
            shutdown: Duration::from_secs(10),
        }
    }
}

/// The linear memory of all instances, in bytes.
#[derive(Debug, Clone)]
pub(crate) struct MemoryInAll {
    used: Arc<AtomicUsize>,
    limit: usize,
    gauge: Gauge,
}

impl MemoryInAll {
    pub(crate) fn new(limit: usize, gauge: Gauge) -> Self {
        Self {
            used: Arc::default(),
            limit,
            gauge,
        }
    }

    /// More than half of it is taken: what waits for later had better go.
    pub(crate) fn scarce(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.limit / 2
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.limit);
        let taken = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok();
        if taken {
            self.gauge.inc_by(bytes as i64);
        }
        taken
    }

    fn give_back(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.gauge.dec_by(bytes as i64);
    }
}

/// The linear memories of one instance.
#[derive(Debug)]
pub(crate) struct Memory {
    used: usize,
    limit: usize,
    in_all: MemoryInAll,
    /// Whether growth was ever refused: says why a guest that aborts does so.
    pub(crate) exhausted: bool,
}

impl Memory {
    pub(crate) fn new(limit: usize, in_all: MemoryInAll) -> Self {
        Self {
            used: 0,
            limit,
            in_all,
            exhausted: false,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.in_all.give_back(self.used);
    }
}

/// Elements in each table of a guest: indirect calls and resources. Far above what compilers make.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current);
        let fits = self.used.saturating_add(more) <= self.limit && self.in_all.take(more);
        if fits {
            self.used += more;
        } else {
            self.exhausted = true;
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}
