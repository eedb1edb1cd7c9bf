//! Free segments: files that wait to be the next segment, first in, first out.
//!
//! New ones are filled with zeros in the background, because overwriting what was written before
//! costs a third of growing a file. A file counts once its name is synced.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::segment::free_name;
use crate::model::limits;
use crate::outside::disk::{Disk, DiskFile};
use crate::telemetry::happened;

/// After a file could not be made, the next try is this much later.
pub const GROW_PAUSE: Duration = Duration::from_secs(1);
/// The same, where it fails again and again and takes room each time.
const GROW_PAUSE_MAX: Duration = Duration::from_secs(60);
/// One write while a file is filled.
const FILL_BYTES: usize = 1 << 20;

pub struct Pool {
    disk: Arc<dyn Disk>,
    segment_bytes: u32,
    /// All segment files together, free and used (`storage.max_size`).
    bytes_max: u64,
    stopping: AtomicBool,
    hurry: AtomicBool,
    files: Mutex<Files>,
    /// One more file stands, or could not be made.
    made: Condvar,
}

#[derive(Default)]
struct Files {
    /// Names, next first.
    free: VecDeque<String>,
    /// All segment files together.
    bytes: u64,
    next_number: u64,
    being_made: usize,
    /// `None` once a file could be made.
    failed: Option<Failed>,
}

/// A file could not be made.
#[derive(Clone, Copy)]
struct Failed {
    at: Instant,
    /// None is tried for so long.
    pause: Duration,
}

/// Files that there are, and may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count {
    pub free: usize,
    /// How many more there may be, those that are being made among them. None, while the file
    /// system has no room.
    pub to_make: usize,
}

/// So many free files are enough, unless what is put wants more: the reserve, and two to write to.
pub const ENOUGH: usize = limits::SEGMENTS_RESERVED + 2;

/// How a new file gets its room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Reserved only: when there is no time.
    Reserve,
    Zeros,
}

impl Pool {
    pub fn new(disk: Arc<dyn Disk>, segment_bytes: u32, bytes_max: u64) -> Pool {
        Pool {
            disk,
            segment_bytes,
            bytes_max,
            stopping: AtomicBool::new(false),
            hurry: AtomicBool::new(false),
            files: Mutex::default(),
            made: Condvar::new(),
        }
    }

    /// Counts a file that was there at start.
    pub fn add(&self, bytes: u64) {
        self.lock().bytes += bytes;
    }

    /// No new file gets a number at or below this.
    pub fn skip_number(&self, number: u64) {
        let mut files = self.lock();
        files.next_number = files.next_number.max(number + 1);
    }

    pub fn len(&self) -> usize {
        self.lock().free.len()
    }

    pub fn take(&self) -> Option<String> {
        self.lock().free.pop_front()
    }

    /// A counted file becomes free. One of another size, from before `max_size` was changed, goes.
    pub fn put(&self, name: String, bytes: u64) -> io::Result<()> {
        if bytes == u64::from(self.segment_bytes) {
            self.lock().free.push_back(name);
            return Ok(());
        }
        self.disk.remove(Path::new(&name))?;
        self.lock().bytes -= bytes;
        Ok(())
    }

    /// Whether there are so few free files that a new one should be made, and may be. Only `grow`
    /// decides: somebody else may take the last room meanwhile.
    pub fn wants_more(&self) -> bool {
        self.may_grow(&self.lock(), ENOUGH)
    }

    fn may_grow(&self, files: &Files, enough: usize) -> bool {
        let few = files.free.len() < enough;
        let tired = files
            .failed
            .is_some_and(|failed| failed.at.elapsed() < failed.pause);
        few && !tired && files.bytes + u64::from(self.segment_bytes) <= self.bytes_max
    }

    pub fn count(&self) -> Count {
        let files = self.lock();
        let left = self.bytes_max.saturating_sub(files.bytes) / u64::from(self.segment_bytes);
        Count {
            free: files.free.len(),
            to_make: match files.failed {
                Some(_) => 0,
                None => left as usize + files.being_made,
            },
        }
    }

    /// Waits until a file that is being filled in the background stands, in a hurry; `false` where none
    /// is.
    pub fn wait_for_one(&self) -> bool {
        let files = self.lock();
        if files.being_made == 0 {
            return false;
        }
        self.hurry.store(true, Ordering::Relaxed);
        let made = |files: &mut Files| 0 < files.being_made;
        drop(
            self.made
                .wait_while(files, made)
                .expect("nobody panics with this lock"),
        );
        self.hurry.store(false, Ordering::Relaxed);
        true
    }

    /// Gives up filling, so that nobody waits for it.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Makes one more file; `None` where so many are enough, or there may be no more. Whatever goes wrong
    /// leaves no file behind, or one that the next start removes.
    pub fn grow(&self, fill: Fill, enough: usize) -> Option<io::Result<()>> {
        let bytes = u64::from(self.segment_bytes);
        let name = {
            // B7: looked at and counted under one lock, for the background and a group may both be
            // making files.
            let mut files = self.lock();
            if !self.may_grow(&files, enough) {
                return None;
            }
            files.next_number += 1;
            files.bytes += bytes;
            files.being_made += 1;
            free_name(files.next_number)
        };
        let asked = self.ask_for_room();
        let took_room = asked.is_ok();
        let made = asked.and_then(|()| self.make(Path::new(&name), fill));
        let mut files = self.lock();
        files.being_made -= 1;
        self.made.notify_all();
        match made {
            Ok(()) => {
                files.free.push_back(name);
                files.failed = None;
            }
            Err(ref error) => {
                files.bytes -= bytes;
                let before = files.failed;
                let pause = match (before, took_room) {
                    (Some(before), true) => (2 * before.pause).min(GROW_PAUSE_MAX),
                    (None, true) | (_, false) => GROW_PAUSE,
                };
                let at = Instant::now();
                files.failed = Some(Failed { at, pause });
                if before.is_none() && !self.stopping.load(Ordering::Relaxed) {
                    happened::buffer::growth_failed(error);
                }
            }
        }
        Some(made)
    }

    /// B7: a log that waits for room on a full file system takes nothing of it meanwhile.
    fn ask_for_room(&self) -> io::Result<()> {
        match self.disk.free()? {
            Some(free) if free < u64::from(self.segment_bytes) => {
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(_) | None => Ok(()),
        }
    }

    fn make(&self, path: &Path, fill: Fill) -> io::Result<()> {
        let file = self.disk.create(path)?;
        let made = self.give_room(file.as_ref(), fill);
        if made.is_err() {
            // If even this fails, the file has a wrong size or is good: the next start sees to it.
            let _ = self.disk.remove(path);
        }
        made
    }

    fn give_room(&self, file: &dyn DiskFile, fill: Fill) -> io::Result<()> {
        // Fails before anything is written where there is no room.
        file.allocate(u64::from(self.segment_bytes))?;
        match fill {
            Fill::Reserve => {}
            Fill::Zeros => self.fill(file)?,
        }
        file.sync()?;
        self.disk.sync_folder(Path::new(""))
    }

    fn fill(&self, file: &dyn DiskFile) -> io::Result<()> {
        let zeros = vec![0; FILL_BYTES.min(self.segment_bytes as usize)];
        for at in (0..self.segment_bytes).step_by(zeros.len()) {
            if self.stopping.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            if self.hurry.load(Ordering::Relaxed) {
                // What is reserved must do.
                return Ok(());
            }
            let length = zeros.len().min((self.segment_bytes - at) as usize);
            file.write_at(&[IoSlice::new(&zeros[..length])], u64::from(at))?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.files.lock().expect("nobody panics with this lock")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::outside::disk::RealDisk;

    const SEGMENT_BYTES: u32 = 4096;

    /// Eight at once want one more file each, in a log of `bytes_max` that has two segments already.
    #[track_caller]
    fn check(bytes_max: u64, made: usize) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(folder.path()));
        let pool = Pool::new(disk, SEGMENT_BYTES, bytes_max);
        pool.add(2 * u64::from(SEGMENT_BYTES));
        let grown = thread::scope(|scope| {
            let all = [Fill::Reserve, Fill::Zeros].repeat(4).into_iter();
            let all: Vec<_> = all
                .map(|fill| {
                    scope.spawn({
                        let pool = &pool;
                        move || pool.grow(fill, ENOUGH)
                    })
                })
                .collect();
            let grown = all.into_iter().filter_map(|one| one.join().unwrap());
            grown.map(Result::unwrap).count()
        });
        assert_eq!(grown, made);
        assert_eq!(pool.len(), made);
        assert!(!pool.wants_more() && pool.grow(Fill::Reserve, usize::MAX).is_none());
        let files = std::fs::read_dir(folder.path()).unwrap();
        assert_eq!(files.count(), made);
    }

    #[test]
    fn b7_all_files_together_never_take_more_than_the_log_may() {
        let segments = |count: u64| count * u64::from(SEGMENT_BYTES);
        check(segments(3) - 1, 0);
        check(segments(3), 1);
        check(segments(4) - 1, 1);
        check(segments(4), 2);
    }

    #[test]
    fn free_files_are_taken_first_in_first_out_and_those_of_another_size_go() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(RealDisk::new(folder.path()));
        let pool = Pool::new(disk, 4096, 1 << 20);
        for (name, bytes) in [("one", 4096), ("large", 8192), ("two", 4096)] {
            std::fs::write(folder.path().join(name), "").unwrap();
            pool.add(bytes);
            pool.put(name.to_owned(), bytes).unwrap();
        }
        assert_eq!(
            (pool.take().as_deref(), pool.take().as_deref()),
            (Some("one"), Some("two"))
        );
        assert_eq!(pool.take(), None);
        assert!(!folder.path().join("large").exists());
    }
}
