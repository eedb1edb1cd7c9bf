//! The wish to stop, as everybody sees it: Running → Draining → Halting.

use std::sync::Arc;
use std::time::Duration;

use super::Rising;

/// What a stop should do with what is buffered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It stays in the log.
    Keep,
    /// It is delivered first (sidecars).
    Deliver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub mode: Mode,
    /// From SIGTERM until we leave, whatever is still open.
    pub deadline: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        // systemd and Kubernetes kill after 90 s and 30 s; we leave before either.
        Settings {
            mode: Mode::Keep,
            deadline: Duration::from_secs(25),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Running,
    /// Nothing new is taken; what is under way is finished.
    Draining,
    /// Whatever is still open is given up.
    Halting,
}

/// Who may ask for the stop.
#[derive(Debug)]
pub struct Stopper(Arc<Rising<Phase>>);

/// Who must heed it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(Arc<Rising<Phase>>);

pub fn channel() -> (Stopper, Stop) {
    let phase = Arc::new(Rising::new(Phase::Running));
    (Stopper(Arc::clone(&phase)), Stop(phase))
}

impl Stopper {
    /// Goes on to `phase`; never back.
    pub fn advance(&self, phase: Phase) {
        self.0.raise(phase);
    }

    pub fn phase(&self) -> Phase {
        self.0.get()
    }
}

/// Says `Draining` when whoever holds it ends: by a panic, too, or others would wait for ever.
#[derive(Debug)]
pub struct SaidAtTheEnd(Stopper);

impl SaidAtTheEnd {
    pub fn by(stopper: Stopper) -> SaidAtTheEnd {
        SaidAtTheEnd(stopper)
    }
}

impl Drop for SaidAtTheEnd {
    fn drop(&mut self) {
        self.0.advance(Phase::Draining);
    }
}

impl Stop {
    pub fn phase(&self) -> Phase {
        self.0.get()
    }

    /// Returns once `phase` is reached. Cancel-safe. Never returns if the stopper is gone before.
    pub async fn reached(&mut self, phase: Phase) {
        self.0.reached(|now| phase <= now).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // From review: a panic in a listener left everybody waiting for its last word.
    #[tokio::test]
    async fn a_panic_is_an_end_too() {
        let (stopper, mut stop) = channel();
        let said = SaidAtTheEnd::by(stopper);
        let task = tokio::spawn(async move {
            let _said = said;
            panic!("a bug");
        });
        stop.reached(Phase::Draining).await;
        assert!(task.await.unwrap_err().is_panic());
    }
}
