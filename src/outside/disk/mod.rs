//! The door to files. Synchronous: whoever calls it from a task goes through `off_thread`.

mod real;

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

pub use real::RealDisk;
use rustix::io::Errno;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

/// One file system below one root folder; every path is relative to it, with `""` for the root.
pub trait Disk: Send + Sync {
    /// Files and folders directly in `folder`, sorted by name.
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>>;
    /// A new file; an existing one is `AlreadyExists`.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens the file, creating it where it is missing, and keeps everybody else out for as long as
    /// the answer lives. `WouldBlock` where somebody else has it.
    fn lock(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Replaces what stands at `to`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// A new folder, whose parent must exist; `""` makes the root itself, durably.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in `folder` durable.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Whether what is written here is gone when the machine restarts, as on tmpfs.
    fn forgets(&self) -> io::Result<bool>;
    /// How many bytes the file system has, used or not; `None` where that is no bound.
    fn capacity(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
    /// How many bytes may still be written; `None` where nobody can tell.
    fn free(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
    /// Whether a call may wait for a device, and so belongs on the blocking pool.
    fn waits(&self) -> bool;
}

/// Gives a disk rooted at a path.
pub type Open = dyn Fn(&Path) -> Arc<dyn Disk> + Send + Sync;

pub trait DiskFile: Send + Sync {
    /// Fills `buffer` or fails: `UnexpectedEof` past the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes everything or fails. A file grows when it is written past its end.
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()>;
    /// Makes the file that long, with room for every byte: `StorageFull` where there is none. What
    /// was not written reads as zeros.
    fn allocate(&self, bytes: u64) -> io::Result<()>;
    /// `fdatasync`. After an error the file is not written again (B6).
    fn sync(&self) -> io::Result<()>;
    fn size(&self) -> io::Result<u64>;
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    pub name: String,
    pub is_folder: bool,
}

/// Whether a read failed because the bytes are gone, and not because of trouble that passes: a sector
/// that cannot be read, a checksum of the file system's that does not hold, a file that was cut short.
pub fn is_lost(error: &io::Error) -> bool {
    const LOST: [Errno; 5] = [
        Errno::IO,
        Errno::NODATA,
        Errno::ILSEQ,
        Errno::BADMSG,
        Errno::UCLEAN,
    ];
    error.kind() == io::ErrorKind::UnexpectedEof
        || Errno::from_io_error(error).is_some_and(|errno| LOST.contains(&errno))
}

/// Makes a limit on the size of files an error of the write that met it (`EFBIG`). Without this the
/// kernel ends the process with SIGXFSZ, which says nothing to anybody. To be called within a
/// runtime; it holds for as long as the process lives.
pub fn outlive_size_limit() -> io::Result<()> {
    let exceeded = SignalKind::from_raw(Signal::XFSZ.as_raw());
    // The handler stays when nobody listens.
    signal(exceeded).map(drop)
}

/// Runs `work` where it may wait: on the blocking pool, or at once on a disk that never waits (a
/// simulated one, whose clock must not jump ahead meanwhile).
pub async fn off_thread<T: Send + 'static>(
    disk: &Arc<dyn Disk>,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    if !disk.waits() {
        return work();
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_gone_are_told_from_trouble_that_passes() {
        let lost = |errno: Errno| is_lost(&errno.into());
        assert!(lost(Errno::IO) && lost(Errno::NODATA) && lost(Errno::BADMSG));
        assert!(!lost(Errno::MFILE) && !lost(Errno::NOMEM) && !lost(Errno::INTR));
        assert!(is_lost(&io::ErrorKind::UnexpectedEof.into()));
        assert!(!is_lost(&io::Error::other("some trouble")));
    }
}
