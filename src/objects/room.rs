//! What all stores together may hold in memory, and how many of them may compress at once (L1).
//!
//! A store takes room before it buffers, so a hundred streams that deliver at once take turns
//! instead of memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::limits;

/// Less than this is worked on the spot: a hop to another thread costs as much.
pub(super) const WORTH_A_THREAD_BYTES: usize = 64 * 1024;

/// Cheap to clone; one for the whole daemon.
#[derive(Clone, Debug)]
pub struct Room {
    buffers: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

impl Room {
    pub fn new(buffers: usize, cores: usize) -> Room {
        Room {
            buffers: Arc::new(Semaphore::new(buffers.max(1))),
            cores: Arc::new(Semaphore::new(cores.max(1))),
        }
    }

    /// Room for the buffers of one object; given back when dropped. Cancel-safe.
    pub async fn buffer(&self) -> OwnedSemaphorePermit {
        taken(&self.buffers).await
    }

    /// Runs `work` on so many bytes where it disturbs nobody, in its turn.
    pub async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if bytes < WORTH_A_THREAD_BYTES {
            return work();
        }
        let turn = taken(&self.cores).await;
        let worked = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        match worked.await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl Default for Room {
    fn default() -> Room {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Room::new(limits::OBJECT_BUFFERS_MAX, cores)
    }
}

async fn taken(semaphore: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    let permit = Arc::clone(semaphore).acquire_owned().await;
    permit.expect("the semaphores are never closed")
}
