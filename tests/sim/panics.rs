//! A panic that nobody heard is a failure too.
//!
//! A task that panics just before its owner is aborted is never joined. So panics are counted where
//! they happen, on the thread of their simulation.

use std::cell::Cell;
use std::sync::Once;

thread_local! {
    static PANICS: Cell<u64> = const { Cell::new(0) };
}

/// Runs `work`, and fails where anything panicked meanwhile.
pub fn counted<T>(work: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            print(panic);
        }));
    });
    PANICS.set(0);
    let answer = work();
    assert_eq!(PANICS.get(), 0, "something panicked, and nobody said so");
    answer
}
