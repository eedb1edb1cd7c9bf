//! What all objects on their way may hold in memory, and how many of them may compress at once (L1).
//!
//! A store takes room before it reads, so a hundred streams that deliver at once take turns instead
//! of memory. What an object takes is what it may come to hold, whichever way it goes:
//!
//! | object | holds at most |
//! |---|---|
//! | uncompressed, in memory or one streamed PUT | itself, or the piece on its way and the next one |
//! | uncompressed, in parts | a part, the piece that ends it, and the next one |
//! | gzip in one go | itself and its packed form |
//! | gzip as a stream | as in parts |
//!
//! A server that takes connections and never reads keeps what its uploads took until they are given
//! up. So each stream leaves some to the next one (`outside::memory`).

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::model::{Compression, Spare, limits};
use crate::outside::memory::{Share, Taken};

/// Less than this is worked on the spot: a hop to another thread costs as much.
pub(super) const WORTH_A_THREAD_BYTES: usize = 64 * 1024;

/// One stream's share of the room. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Room {
    memory: Share,
    /// For parts.
    spare: Spare,
    cores: Arc<Semaphore>,
}

impl Room {
    /// For one stream that has it all.
    pub fn new(bytes: usize, cores: usize) -> Room {
        Room::shared(Share::of(bytes, 1), cores)
    }

    /// The daemon's, for so many streams.
    pub fn of_all(streams: usize) -> Room {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let memory = Share::of(limits::OBJECT_BYTES_IN_MEMORY_MAX, streams);
        Room::shared(memory, cores)
    }

    fn shared(memory: Share, cores: usize) -> Room {
        Room {
            memory,
            spare: Spare::new(2 * limits::OBJECT_PART_BYTES),
            cores: Arc::new(Semaphore::new(cores.max(1))),
        }
    }

    /// The same room for one more stream.
    pub fn another_share(&self) -> Room {
        Room {
            memory: self.memory.another(),
            ..self.clone()
        }
    }

    /// Waits for room for one object. Cancel-safe. One that is larger than all the room waits until
    /// nobody else has any but what is kept for each.
    pub async fn memory(&self, bytes: u64, compression: Compression) -> Taken {
        self.bytes(bytes_held_max(bytes, compression) as u64).await
    }

    /// The same for something that holds so many bytes, but is no object.
    pub async fn bytes(&self, held: u64) -> Taken {
        let held = usize::try_from(held).unwrap_or(usize::MAX);
        self.memory.take(held).await
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
        let turn = Arc::clone(&self.cores).acquire_owned().await;
        let turn = turn.expect("the semaphore is never closed");
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

/// `bytes` are the records'.
fn bytes_held_max(bytes: u64, compression: Compression) -> usize {
    let whole = usize::try_from(bytes).unwrap_or(usize::MAX);
    let piece = whole.min(limits::FRAME_BYTES_MAX);
    let part = whole.min(limits::OBJECT_PART_BYTES);
    match compression {
        Compression::Uncompressed if bytes <= limits::OBJECT_SINGLE_PUT_BYTES_MAX => piece + part,
        Compression::Gzip if bytes <= limits::OBJECT_WHOLE_BYTES_MAX as u64 => whole + whole,
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
            let room = Room::of_all(1);
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
        check("1KiB", expect!["49159 plain, 49159 gzip"]);
        check("1MiB", expect!["48 plain, 48 gzip"]);
        check("5MiB", expect!["10 plain, 9 gzip"]);
        check("8MiB", expect!["8 plain, 6 gzip"]);
        check("9MiB", expect!["8 plain, 5 gzip"]);
        check("64MiB", expect!["8 plain, 5 gzip"]);
        check("128MiB", expect!["5 plain, 5 gzip"]);
    }

    /// Of so many streams some hang, with as many uploads as they have room for; how many of the next
    /// one's find room.
    #[track_caller]
    fn check_hanging(streams: usize, hanging: usize, expected: usize) {
        let all = Room::of_all(streams);
        let large = limits::OBJECT_SINGLE_PUT_BYTES_MAX;
        let uploads = |room: &Room| {
            let mut held = Vec::new();
            while let Some(taken) = room.memory(large, Compression::Uncompressed).now_or_never() {
                held.push(taken);
            }
            held
        };
        let held: Vec<_> = (0..hanging)
            .map(|_| uploads(&all.another_share()))
            .collect();
        assert!(held.iter().all(|held| !held.is_empty()));
        assert_eq!(uploads(&all.another_share()).len(), expected);
    }

    // From review: one server that never read had all the room for as long as its uploads lasted.
    #[test]
    fn a_stream_whose_uploads_hang_leaves_room_for_others() {
        check_hanging(1, 0, 8);
        check_hanging(2, 1, 2);
        check_hanging(4, 3, 1);
        check_hanging(100, 3, 1);
        check_hanging(100, 4, 0);
    }

    #[test]
    fn who_waits_for_its_own_share_holds_up_nobody_else() {
        let mine = Room::of_all(2);
        let others = mine.another_share();
        let upload = |room: &Room| {
            let room = room.clone();
            async move { room.memory(64 << 20, Compression::Uncompressed).await }.boxed()
        };
        let held: Vec<_> = (0..4).map(|_| upload(&mine).now_or_never()).collect();
        assert!(held.iter().all(Option::is_some));
        let mut waiting = upload(&mine);
        assert!((&mut waiting).now_or_never().is_none());
        assert!(upload(&others).now_or_never().is_some());
        drop(held);
        assert!(waiting.now_or_never().is_some());
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
