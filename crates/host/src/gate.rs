//! How many may do something at once, and how many may wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// So many at once, and so many that wait.
pub(crate) struct Gate {
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    queue: usize,
}

/// A place in a [`Gate`], until it is dropped.
pub(crate) type Permit = OwnedSemaphorePermit;

/// One who waits, until it is dropped.
pub(crate) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// One more; how many waited before, too.
    pub(crate) fn join(waiting: &Arc<AtomicUsize>) -> (Self, usize) {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        (Self(Arc::clone(waiting)), before)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    pub(crate) fn new(concurrency: usize, queue: usize) -> Self {
        let permits = Arc::new(Semaphore::new(concurrency.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            permits,
            waiting: Arc::default(),
            queue,
        }
    }

    /// How many could enter now.
    pub(crate) fn free(&self) -> usize {
        self.permits.available_permits()
    }

    /// A place, once there is one; `None` if too many wait.
    pub(crate) async fn enter(&self) -> Option<Permit> {
        if let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() {
            return Some(permit);
        }
        let (_waiting, before) = Waiting::join(&self.waiting);
        if before >= self.queue {
            return None;
        }
        Arc::clone(&self.permits).acquire_owned().await.ok()
    }
}
