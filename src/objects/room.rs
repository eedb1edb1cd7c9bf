//! What all objects on their way may hold in memory, and how many of them may compress at once (L1).
//!
//! A store takes room before it reads, so a hundred streams that deliver at once take turns instead
//! of memory. What an object takes is what it may come to hold, whichever way it goes:
//!
//! | object | holds at most |
//! |---|---|
//! | uncompressed, in memory or one streamed PUT | itself, or the piece on its way and the next one |
//! | uncompressed, in parts | a part, the piece that ends it, and the next one |
//! | gzip in one go | itself, its packed form, and the piece in hand |
//! | gzip as a stream | as in parts |

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::{Compression, Spare, limits};

/// Less than this is worked on the spot: a hop to another thread costs as much.
pub(super) const WORTH_A_THREAD_BYTES: usize = 64 * 1024;

/// Cheap to clone; one for the whole daemon.
#[derive(Clone, Debug)]
pub struct Room {
    /// In `UNIT_BYTES`.
    memory: Arc<Semaphore>,
    units_max: u32,
    /// For parts.
    spare: Spare,
    cores: Arc<Semaphore>,
}

/// Finer would not fit the semaphore's numbers for gigabytes.
const UNIT_BYTES: usize = 1024;

impl Room {
    pub fn new(bytes: usize, cores: usize) -> Room {
        let units_max = units(bytes).max(1);
        Room {
            memory: Arc::new(Semaphore::new(units_max as usize)),
            units_max,
            spare: Spare::new(2 * limits::OBJECT_PART_BYTES),
            cores: Arc::new(Semaphore::new(cores.max(1))),
        }
    }

    /// Room for one object on its way; given back when dropped. Cancel-safe. One that is larger than
    /// all the room waits until it is alone.
    pub async fn memory(&self, bytes: u64, compression: Compression) -> OwnedSemaphorePermit {
        let held = units(bytes_held_max(bytes, compression)).clamp(1, self.units_max);
        taken(&self.memory, held).await
    }

    pub fn spare(&self) -> &Spare {
        &self.spare
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
        let turn = taken(&self.cores, 1).await;
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
        Room::new(limits::OBJECT_BYTES_IN_MEMORY_MAX, cores)
    }
}

async fn taken(semaphore: &Arc<Semaphore>, count: u32) -> OwnedSemaphorePermit {
    let permit = Arc::clone(semaphore).acquire_many_owned(count).await;
    permit.expect("the semaphores are never closed")
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

/// `bytes` are the records'.
fn bytes_held_max(bytes: u64, compression: Compression) -> usize {
    let whole = usize::try_from(bytes).unwrap_or(usize::MAX);
    let piece = whole.min(limits::FRAME_BYTES_MAX);
    let part = whole.min(limits::OBJECT_PART_BYTES);
    match compression {
        Compression::Uncompressed if bytes <= limits::OBJECT_SINGLE_PUT_BYTES_MAX => piece + part,
        Compression::Gzip if bytes <= limits::OBJECT_WHOLE_BYTES_MAX as u64 => {
            whole + whole + piece
        }
        Compression::Uncompressed | Compression::Gzip => part + piece + piece,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use futures_util::FutureExt;

    use super::*;
    use crate::model::ByteSize;

    /// How many objects of this size find room side by side.
    #[track_caller]
    fn check(size: &str, expected: Expect) {
        let bytes = size.parse::<ByteSize>().unwrap().get();
        let side_by_side = |compression| {
            let room = Room::default();
            let mut held = Vec::new();
            while let Some(permit) = room.memory(bytes, compression).now_or_never() {
                held.push(permit);
            }
            held.len()
        };
        let plain = side_by_side(Compression::Uncompressed);
        let gzip = side_by_side(Compression::Gzip);
        expected.assert_eq(&format!("{plain} plain, {gzip} gzip"));
    }

    #[test]
    fn objects_take_turns_by_what_they_hold() {
        check("1KiB", expect!["49152 plain, 32768 gzip"]);
        check("1MiB", expect!["48 plain, 32 gzip"]);
        check("8MiB", expect!["7 plain, 4 gzip"]);
        check("9MiB", expect!["7 plain, 5 gzip"]);
        check("64MiB", expect!["7 plain, 5 gzip"]);
        check("128MiB", expect!["5 plain, 5 gzip"]);
    }

    #[test]
    fn an_object_larger_than_all_the_room_goes_alone() {
        let room = Room::new(1024, 1);
        let large = || room.memory(1 << 30, Compression::Gzip).now_or_never();
        let held = large();
        assert!(held.is_some() && large().is_none());
        drop(held);
        assert!(large().is_some());
    }
}
