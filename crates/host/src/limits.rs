//! What guests may use.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;
use wasmtime::{ResourceLimiter, Result};

use crate::gate::Waiting;
use crate::metrics::Limit;

/// The limits of a host. Each has a default that suits a small machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all linear memories of one instance. Default 256 MiB; at most 4 GiB a memory.
    pub memory: usize,
    /// Bytes of all linear memories of all instances. Default 2 GiB. Where it has no room for another instance, requests wait for it, and are answered 503 after [`Limits::time`].
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
    /// Bytes of all bodies that are read at once, at least [`Limits::body`]. Default 256 MiB. Past it, the answer is 503.
    pub body_in_all: usize,
    /// How long nothing of a body may arrive. Default 10 s. Past it, as past [`Limits::stream_time`] for the whole body, the answer is 408.
    pub body_time: Duration,
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
            body_in_all: 256 << 20,
            body_time: Duration::from_secs(10),
            chain: 8,
            connections: 4_096,
            shutdown: Duration::from_secs(10),
        }
    }
}

/// The linear memory of all instances, in bytes. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct MemoryInAll(Arc<InAll>);

#[derive(Debug)]
struct InAll {
    /// What is used, and what is set aside for instances that have begun.
    taken: AtomicUsize,
    limit: usize,
    used: Gauge,
    /// Instances that wait for memory to begin with.
    waiting: Arc<AtomicUsize>,
    given_back: Notify,
}

impl MemoryInAll {
    pub(crate) fn new(limit: usize, used: Gauge) -> Self {
        Self(Arc::new(InAll {
            taken: AtomicUsize::new(0),
            limit,
            used,
            waiting: Arc::default(),
            given_back: Notify::new(),
        }))
    }

    /// More than half of it is taken, or somebody waits for it: what waits for later had better go.
    pub(crate) fn scarce(&self) -> bool {
        self.0.taken.load(Ordering::Relaxed) > self.0.limit / 2 || self.0.waiting.load(Ordering::Relaxed) > 0
    }

    fn take(&self, bytes: usize) -> bool {
        let take = |taken: usize| taken.checked_add(bytes).filter(|taken| *taken <= self.0.limit);
        let taken = &self.0.taken;
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.taken.fetch_sub(bytes, Ordering::Relaxed);
        self.0.given_back.notify_waiters();
    }
}

/// What an instance of one component comes to, in bytes: rises at once, and sinks slowly. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Expected(Arc<AtomicUsize>);

impl Expected {
    /// Before there was any: what an instance has when it begins.
    pub(crate) fn new(initial: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(initial)))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Nobody could wait for so much.
    pub(crate) fn sink(&self) {
        self.learn(0);
    }

    fn learn(&self, bytes: usize) {
        let learn = |expected: usize| Some(bytes.max(expected - expected.saturating_sub(bytes) / 8));
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, learn);
    }
}

/// The linear memories of one instance.
#[derive(Debug)]
pub(crate) struct Memory {
    used: usize,
    /// What it has taken of that of all: at least what it uses.
    taken: usize,
    limit: usize,
    in_all: MemoryInAll,
    expected: Expected,
    /// The limit at which growth was first refused, if it ever was: says why a guest that aborts does so.
    pub(crate) refused: Arc<OnceLock<Limit>>,
}

impl Memory {
    /// For an instance that comes to as much as expected, if there is room for it.
    pub(crate) fn begin(limit: usize, in_all: &MemoryInAll, expected: &Expected) -> Option<Self> {
        // One that comes to more than all may have is to fail by itself, and not to wait for ever.
        let taken = expected.get().min(limit).min(in_all.0.limit);
        in_all.take(taken).then(|| Self {
            used: 0,
            taken,
            limit,
            in_all: in_all.clone(),
            expected: expected.clone(),
            refused: Arc::default(),
        })
    }

    /// The same, once there is room. `make_room` is called as soon as this waits.
    pub(crate) async fn wait(
        limit: usize,
        in_all: &MemoryInAll,
        expected: &Expected,
        make_room: impl FnOnce(),
    ) -> Self {
        let _waiting = Waiting::join(&in_all.0.waiting);
        make_room();
        loop {
            // Enabled before it is looked, so that nothing that is given back in between is missed.
            let mut given_back = pin!(in_all.0.given_back.notified());
            given_back.as_mut().enable();
            if let Some(memory) = Self::begin(limit, in_all, expected) {
                return memory;
            }
            given_back.await;
        }
    }

    /// Gives back what was set aside and is not used.
    pub(crate) fn settle(&mut self) {
        self.in_all.give_back(self.taken - self.used);
        self.taken = self.used;
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // One that was never made says nothing.
        if self.used > 0 {
            self.expected.learn(self.used);
        }
        self.in_all.0.used.dec_by(self.used as i64);
        self.in_all.give_back(self.taken);
    }
}

/// Elements in each table of a guest: indirect calls and resources. Far above what compilers make.
pub(crate) const TABLE_ELEMENTS: usize = 20_000;

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        let more = desired.saturating_sub(current);
        let used = self.used.saturating_add(more);
        if used > self.limit {
            self.refused.get_or_init(|| Limit::Memory);
            return Ok(false);
        }
        let beyond = used.saturating_sub(self.taken);
        if !self.in_all.take(beyond) {
            self.refused.get_or_init(|| Limit::MemoryInAll);
            self.expected.learn(used);
            return Ok(false);
        }
        self.taken += beyond;
        self.used = used;
        self.in_all.0.used.inc_by(more as i64);
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> Result<bool> {
        Ok(desired <= TABLE_ELEMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_rises_at_once_and_sinks_slowly() {
        let expected = Expected::new(100);
        for (learnt, then) in [(900, 900), (100, 800), (800, 800), (0, 700)] {
            expected.learn(learnt);
            assert_eq!(expected.get(), then);
        }
    }

    #[tokio::test]
    async fn an_instance_waits_until_there_is_room_for_what_it_comes_to() {
        let in_all = MemoryInAll::new(100, Gauge::default());
        let expected = Expected::new(60);
        let mut first = Memory::begin(1_000, &in_all, &expected).expect("there is room");
        assert!(first.memory_growing(0, 50, None).expect("asked"));
        assert!(Memory::begin(1_000, &in_all, &expected).is_none());
        let mut asked = false;
        let second = async { Memory::wait(1_000, &in_all, &expected, || asked = true).await };
        let rest = async {
            tokio::task::yield_now().await;
            assert!(in_all.scarce());
            // The first one needs less than was set aside; that is not enough yet.
            first.settle();
            tokio::task::yield_now().await;
            drop(first);
        };
        let (second, ()) = tokio::join!(second, rest);
        assert!(asked);
        assert_eq!(in_all.0.taken.load(Ordering::Relaxed), second.taken);
        drop(second);
        assert!(!in_all.scarce());
    }

    #[test]
    fn growth_is_refused_at_the_limit_that_it_meets() {
        let in_all = MemoryInAll::new(100, Gauge::default());
        let mut small = Memory::begin(50, &in_all, &Expected::new(0)).expect("there is room");
        assert!(!small.memory_growing(0, 51, None).expect("asked"));
        assert_eq!(small.refused.get(), Some(&Limit::Memory));
        let mut large = Memory::begin(1_000, &in_all, &Expected::new(0)).expect("there is room");
        assert!(large.memory_growing(0, 80, None).expect("asked"));
        assert!(!large.memory_growing(80, 101, None).expect("asked"));
        assert_eq!(large.refused.get(), Some(&Limit::MemoryInAll));
        assert!(
            small.memory_growing(0, 20, None).expect("asked"),
            "what is left can be had"
        );
    }
}
