//! A value that only rises, and those who wait until it has.
//!
//! Not a `watch` channel: that one wakes whoever waits in an order drawn by chance, and a simulation
//! would not be the same twice. Here they are woken in the order in which they began to wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Debug)]
pub struct Rising<T> {
    value: Mutex<T>,
    risen: Notify,
}

impl<T: Copy + PartialOrd> Rising<T> {
    pub fn new(value: T) -> Rising<T> {
        Rising {
            value: Mutex::new(value),
            risen: Notify::new(),
        }
    }

    pub fn get(&self) -> T {
        *self.value()
    }

    /// To `value`; never back.
    pub fn raise(&self, value: T) {
        let mut shown = self.value();
        if *shown < value {
            *shown = value;
            drop(shown);
            self.risen.notify_waiters();
        }
    }

    /// Returns once the value is high enough. Cancel-safe.
    pub async fn reached(&self, is_enough: impl Fn(T) -> bool) -> T {
        loop {
            let mut risen = std::pin::pin!(self.risen.notified());
            // From here on no rise is missed.
            risen.as_mut().enable();
            let value = self.get();
            if is_enough(value) {
                return value;
            }
            risen.await;
        }
    }

    fn value(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::task::JoinSet;
    use tokio::time::sleep;

    use super::*;

    #[tokio::test]
    async fn it_never_falls() {
        let rising = Rising::new(3);
        rising.raise(2);
        assert_eq!(rising.get(), 3);
        assert_eq!(rising.reached(|value| 2 < value).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_is_woken_in_turn() {
        let rising = Arc::new(Rising::new(0));
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut waiting = JoinSet::new();
        for number in 0..100 {
            let (rising, woken) = (Arc::clone(&rising), Arc::clone(&woken));
            waiting.spawn(async move {
                rising.reached(|value| value == 2).await;
                woken.lock().unwrap().push(number);
            });
        }
        // Until nobody has anything to do.
        sleep(Duration::from_millis(1)).await;
        rising.raise(1);
        sleep(Duration::from_millis(1)).await;
        assert!(woken.lock().unwrap().is_empty());
        rising.raise(2);
        waiting.join_all().await;
        assert_eq!(*woken.lock().unwrap(), (0..100).collect::<Vec<_>>());
    }
}
