//! SIGTERM and SIGINT, as wishes to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::daemon::Wish;

/// Forwards signals for as long as the set lives. More than two wishes mean no more than two.
pub fn forward(tasks: &mut JoinSet<()>) -> io::Result<mpsc::Receiver<Wish>> {
    let (sender, wishes) = mpsc::channel(2);
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let signals = signal(kind)?;
        tasks.spawn(forward_one(signals, sender.clone()));
    }
    Ok(wishes)
}

async fn forward_one(mut signals: Signal, wishes: mpsc::Sender<Wish>) {
    while signals.recv().await.is_some() {
        if wishes.send(Wish).await.is_err() {
            return;
        }
    }
}
