//! A simulated disk with whims: syncs that fail when the test says so, a file system that is
//! read-only, or one that forgets.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use standpipe::outside::disk::{Disk, DiskFile, Entry};

/// Cheap to clone: all clones are one disk.
#[derive(Clone)]
pub struct OddDisk {
    disk: Arc<dyn Disk>,
    whims: Arc<Mutex<Whims>>,
}

#[derive(Default)]
pub struct Whims {
    /// How the next syncs of segments go; those after them, and those of other files, go well.
    pub syncs: VecDeque<Sync>,
    pub is_read_only: bool,
    pub forgets: bool,
    /// Nobody can tell how much room it has.
    pub hides_room: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    Succeeds,
    /// Nothing of what was written is kept, though reads still serve it.
    Fails,
}

struct OddFile {
    file: Arc<dyn DiskFile>,
    is_segment: bool,
    whims: Arc<Mutex<Whims>>,
}

impl OddDisk {
    pub fn over(disk: Arc<dyn Disk>) -> OddDisk {
        let whims = Arc::default();
        OddDisk { disk, whims }
    }

    pub fn whims(&self) -> MutexGuard<'_, Whims> {
        self.whims.lock().unwrap()
    }

    fn odd(&self, path: &Path, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(OddFile {
            file,
            is_segment: path.to_string_lossy().starts_with("segment-"),
            whims: Arc::clone(&self.whims),
        })
    }

    fn check_writable(&self) -> io::Result<()> {
        match self.whims().is_read_only {
            true => Err(ErrorKind::ReadOnlyFilesystem.into()),
            false => Ok(()),
        }
    }
}

impl Disk for OddDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(folder)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.check_writable()?;
        self.disk.create(path).map(|file| self.odd(path, file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(path).map(|file| self.odd(path, file))
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.check_writable()?;
        self.disk.lock(path).map(|file| self.odd(path, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check_writable()?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check_writable()?;
        self.disk.remove(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.check_writable()?;
        self.disk.create_folder(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_folder(folder)
    }

    fn forgets(&self) -> io::Result<bool> {
        Ok(self.whims().forgets)
    }

    fn free(&self) -> io::Result<Option<u64>> {
        match self.whims().hides_room {
            true => Ok(None),
            false => self.disk.free(),
        }
    }

    fn waits(&self) -> bool {
        self.disk.waits()
    }
}

impl DiskFile for OddFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.file.write_at(slices, offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.file.allocate(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        let next = || self.whims.lock().unwrap().syncs.pop_front();
        let whim = self.is_segment.then(next).flatten();
        match whim.unwrap_or(Sync::Succeeds) {
            Sync::Succeeds => self.file.sync(),
            Sync::Fails => Err(io::Error::other("the sync failed")),
        }
    }

    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
}
