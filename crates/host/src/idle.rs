//! Instances that have answered, and wait for another request of their component.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use wasmtime::Store;
use wasmtime_wasi_http::p2::bindings::Proxy;

use crate::guest::Guest;

/// An instance between two requests: it has not failed, and holds nothing of the host's.
pub(crate) struct Ready {
    pub(crate) store: Store<Guest>,
    pub(crate) proxy: Proxy,
    /// Requests that it has answered.
    pub(crate) answered: usize,
    /// Of the last one.
    pub(crate) path: Box<str>,
}

/// Before so many wait, a request of another path has an instance made for it.
const SPARE: usize = 4;

/// The instances of one component that wait. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Idle(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    /// Since when; the last one has waited the shortest.
    instances: Vec<(Instant, Ready)>,
    /// Somebody looks for those that have waited for too long.
    watched: bool,
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Idle {
    /// An instance for a request of this path. Of those that answered such a one last, and may have in memory what it takes, the one that has waited the shortest, so that the others can go.
    /// If there is none, none while few wait and there is room for more than these, and then the one that has waited the longest.
    pub(crate) fn take(&self, path: &str, room: usize) -> Option<Ready> {
        let instances = &mut lock(&self.0).instances;
        let like = instances.iter().rposition(|(_, ready)| *ready.path == *path);
        let at = like.or_else(|| (instances.len() >= SPARE || instances.len() > room).then_some(0))?;
        Some(instances.remove(at).1)
    }

    /// Lets an instance wait, for so long or a quarter longer. To be called within a runtime.
    pub(crate) fn put(&self, ready: Ready, patience: Duration) {
        let mut waiting = lock(&self.0);
        waiting.instances.push((Instant::now(), ready));
        if mem::replace(&mut waiting.watched, true) {
            return;
        }
        // It does not keep the application alive.
        let weak = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(patience / 4).await;
                let Some(waiting) = weak.upgrade() else { return };
                let mut waiting = lock(&waiting);
                let instances = &mut waiting.instances;
                let gone = instances.partition_point(|(since, _)| since.elapsed() > patience);
                let gone: Vec<_> = instances.drain(..gone).collect();
                let done = instances.is_empty();
                waiting.watched = !done;
                drop((waiting, gone));
                if done {
                    return;
                }
            }
        });
    }

    /// Lets none wait any more.
    pub(crate) fn clear(&self) {
        let gone = mem::take(&mut lock(&self.0).instances);
        drop(gone);
    }
}
