//! Events of the daemon itself: it starts, listens, drains and stops.

use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::{error, info, warn};

use super::seconds;
use crate::model::{StreamName, Timestamp};
use crate::telemetry::{Chain, Metrics};

/// The first line: what runs, from which files, on which data.
pub fn started(metrics: &Metrics, now: Timestamp, configuration: &str, storage: &Path) {
    metrics.start_time.set(now.as_millis() as f64 / 1000.0);
    info!(
        version = env!("CARGO_PKG_VERSION"),
        configuration,
        storage = %storage.display(),
        "standpipe starts"
    );
}

/// What is allowed, and probably not meant.
pub fn configuration_warning(place: &str, key: &str, warning: &str, hint: &str) {
    warn!(
        place,
        key, warning, hint, "the configuration is good, and perhaps not meant so"
    );
}

pub fn listening(what: &str, address: SocketAddr) {
    info!(%address, "listening for {what}");
}

/// Where to put, and where objects will appear.
pub fn stream_ready(stream: &StreamName, put_to: &str, objects: &str) {
    info!(%stream, put_to, objects, "stream is ready");
}

/// A line to copy into a shell.
pub fn try_it(line: &str) {
    info!("try: {line}");
}

/// The lines to copy name the first stream only.
pub fn others_likewise(streams: usize) {
    info!(streams, "try: the other streams likewise, each by its name");
}

/// No producers are configured, so whoever reaches the port may put; it is a loopback port.
pub fn anyone_may_put(address: SocketAddr) {
    info!(%address, "no producers are configured: everyone on this machine may put");
}

/// Secrets or certificates were replaced, and the new ones are in use.
pub fn files_taken(files: &[PathBuf]) {
    info!(files = %listed(files), "changed files are in use");
}

/// Told once for each change.
pub fn files_refused(files: &[PathBuf], error: &(dyn Error + 'static)) {
    error!(
        files = %listed(files),
        error = %Chain(error),
        "changed files cannot be used; what they held before stays in use"
    );
}

fn listed(files: &[PathBuf]) -> String {
    let shown: Vec<_> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    shown.join(", ")
}

/// `why` is `SIGTERM`, or which task ended.
pub fn draining(why: &str, deadline: Duration) {
    let deadline = humantime::format_duration(deadline);
    info!(why, %deadline, "draining: new records are refused, deliveries in flight finish");
}

/// A second signal, or the deadline.
pub fn halting(why: &str) {
    warn!(
        why,
        "halting: what is in flight is given up and repeated by the next start"
    );
}

/// `buffered` records stay in the log for the next start. `ran` is the whole life.
pub fn stopped(buffered: u64, ran: Duration) {
    let ran = seconds(ran);
    match buffered {
        0 => info!(ran, "stopped; no record waits in the log"),
        records => info!(records, ran, "stopped; these records wait in the log"),
    }
}

/// A bug. The drain follows, and exit code 70.
pub fn task_panicked(metrics: &Metrics, task: &str, message: &str) {
    metrics.task_panics.inc();
    error!(task, error = message, "a task panicked");
}
