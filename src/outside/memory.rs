//! Memory that all streams have together, of which each may take a share (L1).
//!
//! Whoever works on something large takes what it may come to hold before it begins, so a hundred
//! streams take turns instead of memory. Each has a share, past which it waits for itself alone: one
//! whose other side hangs does not hold up all.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// One stream's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Share {
    /// All streams', in `UNIT_BYTES`.
    all: Arc<Semaphore>,
    own: Arc<Semaphore>,
    own_units: u32,
}

/// What was taken; given back when dropped.
#[derive(Debug)]
pub struct Taken {
    _own: OwnedSemaphorePermit,
    _all: OwnedSemaphorePermit,
}

/// Finer would not fit the semaphore's numbers for gigabytes.
const UNIT_BYTES: usize = 1024;

impl Share {
    /// The first of so many equal ones of `bytes`.
    pub fn of(bytes: usize, shares: usize) -> Share {
        let units = units(bytes).max(1);
        let shares = u32::try_from(shares.max(1)).unwrap_or(u32::MAX);
        let own_units = (units / shares).max(1);
        Share {
            all: Arc::new(Semaphore::new(units as usize)),
            own: Arc::new(Semaphore::new(own_units as usize)),
            own_units,
        }
    }

    /// One of the same memory for one more stream.
    pub fn another(&self) -> Share {
        Share {
            own: Arc::new(Semaphore::new(self.own_units as usize)),
            ..self.clone()
        }
    }

    /// Waits for so many bytes. Cancel-safe. More than the share has is taken once all of it is there.
    pub async fn take(&self, bytes: usize) -> Taken {
        let wanted = units(bytes).clamp(1, self.own_units);
        // In this order: who waits for its own share holds up nobody else.
        Taken {
            _own: taken(&self.own, wanted).await,
            _all: taken(&self.all, wanted).await,
        }
    }
}

async fn taken(semaphore: &Arc<Semaphore>, units: u32) -> OwnedSemaphorePermit {
    let permit = Arc::clone(semaphore).acquire_many_owned(units).await;
    permit.expect("the semaphores are never closed")
}

fn units(bytes: usize) -> u32 {
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    const MIB: usize = 1 << 20;

    /// How often so many bytes find room at once.
    fn fits(share: &Share, bytes: usize) -> Vec<Taken> {
        std::iter::from_fn(|| share.take(bytes).now_or_never()).collect()
    }

    #[test]
    fn a_stream_takes_no_more_than_its_share_and_others_have_theirs() {
        let mine = Share::of(8 * MIB, 4);
        let others = mine.another();
        let held = fits(&mine, MIB);
        assert_eq!(held.len(), 2);
        assert_eq!(fits(&others, MIB).len(), 2);
        drop(held);
        assert_eq!(fits(&mine, MIB).len(), 2);
    }

    #[test]
    fn all_shares_together_have_no_more_than_there_is() {
        let first = Share::of(4 * MIB, 2);
        let held = [fits(&first, MIB), fits(&first.another(), MIB)];
        assert_eq!(held.map(|held| held.len()), [2, 2]);
        let held = [fits(&first, MIB), fits(&first.another(), MIB)];
        assert_eq!(fits(&first.another(), MIB).len(), 0);
        drop(held);
    }

    #[test]
    fn what_is_larger_than_the_share_goes_alone() {
        let share = Share::of(MIB, 1);
        let held = fits(&share, 5 * MIB);
        assert_eq!(held.len(), 1);
        assert_eq!(fits(&share, 1).len(), 0);
        drop(held);
        assert_eq!(fits(&share, 5 * MIB).len(), 1);
    }
}
