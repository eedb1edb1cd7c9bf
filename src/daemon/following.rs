//! Takes secrets and certificates into use when their files change.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::outside::{Followed, Look, Surroundings};
use crate::telemetry::happened;

/// A new file is in use after two looks at most: soon enough for whoever waits for it, and next to
/// no work.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs for as long as it is let.
pub async fn follow(mut all: Vec<Followed>, surroundings: Surroundings) {
    if all.is_empty() {
        return;
    }
    loop {
        sleep(LOOK_EVERY).await;
        let around = surroundings.clone();
        let looked = spawn_blocking(move || {
            for followed in &mut all {
                look(followed, &around);
            }
            all
        });
        // Its only error is a panic: then what was in use stays, and nothing is followed any more.
        all = match looked.await {
            Ok(all) => all,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
    }
}

fn look(followed: &mut Followed, surroundings: &Surroundings) {
    match followed.look(surroundings) {
        Look::Same => {}
        Look::Taken => happened::daemon::files_taken(followed.files()),
        Look::Refused(why) => happened::daemon::files_refused(followed.files(), &*why),
    }
}
