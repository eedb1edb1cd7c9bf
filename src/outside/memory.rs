//! Memory that all streams have together, of which each may take some (L1).
//!
//! Whoever works on something large takes what it may come to hold before it begins, so a hundred
//! streams take turns instead of memory. Turns are in the order of asking, a stream's own and those for
//! the memory that is kept for nobody; `ledger` says who may have how much.

mod ledger;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use ledger::{Answer, Ledger};

/// One stream's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Share {
    pool: Arc<Mutex<Pool>>,
    stream: usize,
}

/// What was taken; given back when dropped. By default nothing.
#[derive(Debug, Default)]
pub struct Taken(Option<(Share, usize)>);

#[derive(Debug)]
struct Pool {
    ledger: Ledger,
    waiting: VecDeque<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    share: Share,
    bytes: usize,
    told: oneshot::Sender<Taken>,
}

/// Somebody's place among those who wait.
struct Place<'a> {
    share: &'a Share,
    told: oneshot::Receiver<Taken>,
}

impl Share {
    /// The first of so many of `bytes`.
    pub fn of(bytes: usize, shares: usize) -> Share {
        let mut ledger = Ledger::new(bytes, shares);
        let stream = ledger.add();
        let waiting = VecDeque::new();
        Share {
            pool: Arc::new(Mutex::new(Pool { ledger, waiting })),
            stream,
        }
    }

    /// One of the same memory for one more stream.
    pub fn another(&self) -> Share {
        Share {
            pool: Arc::clone(&self.pool),
            stream: self.pool().ledger.add(),
        }
    }

    /// Waits for so many bytes. Cancel-safe. More than there can ever be is taken once all of it is
    /// there.
    pub async fn take(&self, bytes: usize) -> Taken {
        let mut place = self.queue(bytes);
        let taken = (&mut place.told).await;
        taken.expect("who waits is told, for the pool is there as long as its shares")
    }

    fn queue(&self, bytes: usize) -> Place<'_> {
        let (told, place) = oneshot::channel();
        let mut pool = self.pool();
        let waiter = Waiter {
            share: self.clone(),
            bytes: pool.ledger.counted(bytes),
            told,
        };
        pool.waiting.push_back(waiter);
        drop(pool);
        self.serve();
        Place {
            share: self,
            told: place,
        }
    }

    /// Whoever may have what they wait for, gets it.
    fn serve(&self) {
        // What nobody waits for any more is given back without the lock.
        let unwanted = self.pool().serve();
        drop(unwanted);
    }

    fn give_back(&self, bytes: usize) {
        self.pool().ledger.give_back(self.stream, bytes);
        self.serve();
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    #[must_use]
    fn serve(&mut self) -> Vec<Taken> {
        let mut unwanted = Vec::new();
        let mut waits_for_all = false;
        let mut streams = BTreeSet::new();
        for waiter in std::mem::take(&mut self.waiting) {
            if waiter.told.is_closed() {
                continue;
            }
            let stream = waiter.share.stream;
            let answer = match streams.contains(&stream) {
                true => Answer::Enough,
                false => self.ledger.may_take(stream, waiter.bytes),
            };
            match answer {
                Answer::Kept => unwanted.extend(self.grant(waiter)),
                Answer::Free if !waits_for_all => unwanted.extend(self.grant(waiter)),
                Answer::Free | Answer::Enough | Answer::Full => {
                    // A large one is not to wait for ever, because there is always room for small ones.
                    waits_for_all |= answer == Answer::Full;
                    streams.insert(stream);
                    self.waiting.push_back(waiter);
                }
            }
        }
        unwanted
    }

    fn grant(&mut self, waiter: Waiter) -> Option<Taken> {
        let Waiter { share, bytes, told } = waiter;
        self.ledger.take(share.stream, bytes);
        told.send(Taken(Some((share, bytes)))).err()
    }
}

impl Taken {
    /// Gives back all but so many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        if let Some((share, held)) = &mut self.0
            && bytes < *held
        {
            share.give_back(*held - bytes);
            *held = bytes;
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some((share, bytes)) = self.0.take() {
            share.give_back(bytes);
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // Somebody may have waited behind it.
        self.told.close();
        self.share.serve();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;

    const MIB: usize = 1 << 20;

    /// How often so many bytes find room at once.
    fn fits(share: &Share, bytes: usize) -> Vec<Taken> {
        std::iter::from_fn(|| share.take(bytes).now_or_never()).collect()
    }

    fn waits(share: &Share, bytes: usize) -> BoxFuture<'_, Taken> {
        let mut waiting = share.take(bytes).boxed();
        assert!(is_not_there(&mut waiting));
        waiting
    }

    fn is_not_there(waiting: &mut (impl Future<Output = Taken> + Unpin)) -> bool {
        waiting.now_or_never().is_none()
    }

    #[test]
    fn a_stream_that_takes_all_it_can_leaves_as_much_to_the_next() {
        let mine = Share::of(64 * MIB, 4);
        let others = mine.another();
        let held = fits(&mine, MIB);
        assert_eq!(held.len(), 30);
        assert_eq!(fits(&others, MIB).len(), 16);
        drop(held);
        assert_eq!(fits(&mine, MIB).len(), 30);
    }

    #[test]
    fn all_streams_together_have_no_more_than_there_is() {
        let first = Share::of(64 * MIB, 4);
        let shares = [first.another(), first.another(), first.another(), first];
        let held = shares.each_ref().map(|share| fits(share, 32 * 1024));
        assert!(held.iter().map(Vec::len).sum::<usize>() <= 64 * MIB / (32 * 1024));
    }

    #[test]
    fn what_is_larger_than_all_goes_alone() {
        for shares in [1, 4] {
            let share = Share::of(MIB, shares);
            let other = share.another();
            let held = fits(&share, 5 * MIB);
            assert_eq!(held.len(), 1);
            assert_eq!(fits(&share, MIB).len(), 0);
            let mut next = waits(&share, 5 * MIB);
            drop(held);
            assert!(!is_not_there(&mut next));
            drop(other);
        }
    }

    // From review: who headed the queue for memory held up those who wanted next to nothing.
    #[test]
    fn who_wants_little_waits_for_nobody_elses_large_ones() {
        let hangs = Share::of(64 * MIB, 4);
        let [large, small] = [hangs.another(), hangs.another()];
        let held = fits(&hangs, 16 * MIB);
        let waiting = waits(&large, 58 * MIB);
        assert_eq!(fits(&small, 2 * MIB).len(), 1);
        assert_eq!(fits(&small, 2 * MIB + 1).len(), 0);
        drop(held);
        drop(waiting);
    }

    #[test]
    fn a_large_one_is_not_passed_by_others_for_ever() {
        let mine = Share::of(64 * MIB, 4);
        let others = mine.another();
        let held = fits(&mine, 10 * MIB);
        let mut large = waits(&others, 58 * MIB);
        let mut small = waits(&mine, 3 * MIB);
        drop(held);
        assert!(is_not_there(&mut small));
        drop((&mut large).now_or_never().unwrap());
        assert!(!is_not_there(&mut small));
    }

    #[test]
    fn who_does_not_want_it_any_more_leaves_it_to_those_behind() {
        let mine = Share::of(MIB, 1);
        let held = fits(&mine, MIB);
        let [first, mut second] = [waits(&mine, MIB), waits(&mine, MIB)];
        drop(held);
        // It was told, and never looked.
        drop(first);
        assert!(!is_not_there(&mut second));
    }

    #[test]
    fn who_waited_behind_one_that_does_not_want_it_any_more_is_served_at_once() {
        let mine = Share::of(64 * MIB, 4);
        let [large, others] = [mine.another(), mine.another()];
        let held = fits(&mine, 16 * MIB);
        let first = waits(&large, 58 * MIB);
        let mut second = waits(&others, 3 * MIB);
        drop(first);
        assert!(!is_not_there(&mut second));
        drop(held);
    }

    #[test]
    fn what_was_taken_too_much_is_given_back() {
        let mine = Share::of(MIB, 1);
        let mut held = fits(&mine, MIB);
        let mut waiting = waits(&mine, MIB / 2);
        held[0].shrink(2 * MIB);
        held[0].shrink(MIB / 2 + 1);
        assert!(is_not_there(&mut waiting));
        held[0].shrink(MIB / 2);
        assert!(!is_not_there(&mut waiting));
        drop((held, waiting));
        assert_eq!(fits(&mine, MIB).len(), 1);
    }
}
