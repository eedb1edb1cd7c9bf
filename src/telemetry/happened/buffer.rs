//! Events of the buffer stage.

use std::error::Error;
use std::io;
use std::path::Path;

use tracing::{error, info, warn};

use crate::model::{ByteSize, SeqRange, StreamName, limits};
use crate::telemetry::{Chain, Metrics};

/// The log stands open. `lives` counts starts on this directory.
pub fn opened(directory: &Path, lives: u32, written_again: usize) {
    info!(directory = %directory.display(), lives, written_again, "the log is open");
}

/// `storage.max_size` is more than the log may take of its file system.
pub fn size_bounded(directory: &Path, max_size: ByteSize, bound: ByteSize) {
    warn!(
        directory = %directory.display(),
        max_size = %max_size,
        bound = bound.get(),
        "the log takes at most {} % of its file system, which is less than `storage.max_size`",
        limits::STORAGE_PERCENT_OF_FILE_SYSTEM_MAX,
    );
}

/// A data directory was used for the first time.
pub fn first_start(directory: &Path) {
    info!(directory = %directory.display(), "the data directory is new");
}

/// The data directory does not outlive the machine's restart.
pub fn directory_forgets(directory: &Path) {
    warn!(
        directory = %directory.display(),
        "the data directory is in memory: a restart of the machine loses what is buffered"
    );
}

/// Streams in the log that the configuration no longer names: their data stays.
pub fn orphaned(stream: &StreamName, records: u64) {
    warn!(
        %stream, records,
        "the log holds a stream that is no longer configured; configure it again to deliver them"
    );
}

/// D4: the configuration no longer says where copies go that the log still owes.
pub fn backup_orphaned(stream: &StreamName, records: u64) {
    warn!(
        %stream, records,
        "the log holds records for a source backup that is no longer configured; configure it again to \
         deliver them"
    );
}

/// B5: something in the log cannot be read. Its records are settled as quarantined.
pub fn damaged(metrics: &Metrics, segment: u64, offset: u32, bytes: u64) {
    metrics.log_damaged_frames.inc();
    error!(
        segment,
        offset, bytes, "the log is damaged: the stretch is kept in quarantine/"
    );
}

/// B5: the one before it, and the frames behind it, stand in for the head.
pub fn head_lost(segment: u64) {
    error!(
        segment,
        "a segment lost both copies of its head: its records are found by the head before it"
    );
}

/// Above the newest head, without a frame: nothing in it was acknowledged.
pub fn cut_short(segment: u64) {
    info!(
        segment,
        "a segment is taken for one whose making was cut short: it holds nothing"
    );
}

/// B5: records that were accepted and cannot be read back.
pub fn quarantined(stream: &StreamName, range: SeqRange) {
    error!(%stream, %range, records = range.count(), "records were damaged in the log");
}

/// B3, B5: nobody can tell whether a damaged stretch held these, the last records of a stream.
pub fn numbers_skipped(stream: &StreamName, range: SeqRange) {
    error!(
        %stream, %range, records = range.count(),
        "a damaged stretch may have held the last records of this stream: so many at most, and none \
         gets their numbers"
    );
}

/// The damaged stretch could not be copied; its records are settled all the same.
pub fn quarantine_copy_failed(error: &io::Error) {
    warn!(error = %Chain(error), "failed to copy a damaged stretch to quarantine/");
}

/// B6: the first failure moves to the next segment.
pub fn sync_failed(metrics: &Metrics, error: &(dyn Error + 'static)) {
    metrics.log_sync_failures.inc();
    error!(error = %Chain(error), "the log could not be written: what waited is refused");
}

/// B6: the second failure.
pub fn stopped() {
    error!("the disk failed: intake has stopped until a restart");
}

/// B7: records are refused from now on.
pub fn full() {
    warn!("the log is full: puts are refused until something is delivered, or the log can grow");
}

/// B7: a put is refused, though smaller ones are taken.
pub fn too_large(bytes: usize, kept_back: u64) {
    warn!(
        bytes,
        kept_back,
        "a put is refused that is larger than the room left in the log: it is taken once something is \
         delivered, or with a larger `storage.max_size`"
    );
}

/// B7: records are taken again.
pub fn no_longer_full() {
    info!("the log has room again: puts are taken");
}

/// The file system has no room for one more segment. Said once, until one could be made again.
pub fn growth_failed(error: &io::Error) {
    warn!(
        error = %Chain(error),
        "the log cannot grow; it will once it can, and when no room is left puts are refused: \
         make room on the file system of `storage.directory`"
    );
}

/// A free segment cannot be used until the next start.
pub fn segment_lost(segment: u64, error: &io::Error) {
    warn!(segment, error = %Chain(error), "failed to free a segment");
}
