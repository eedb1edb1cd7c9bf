//! One machine's disk as the daemon sees it: the log's folder and the directory sink's, which share
//! a device and so a power cut.
//!
//! Whoever waits for the power to go is woken by the operation during which it went.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use standpipe::outside::disk::{Disk, DiskFile, Entry};
use tokio::sync::Notify;

use crate::disk::SimDisk;

/// A folder of a disk, seen as a root of its own.
#[derive(Clone)]
pub struct Partition {
    disk: SimDisk,
    folder: PathBuf,
    blackout: Arc<Notify>,
}

impl Partition {
    pub fn new(disk: &SimDisk, folder: &Path, blackout: &Arc<Notify>) -> Partition {
        Partition {
            disk: disk.clone(),
            folder: folder.to_owned(),
            blackout: Arc::clone(blackout),
        }
    }

    fn path(&self, path: &Path) -> PathBuf {
        if path.as_os_str().is_empty() {
            self.folder.clone()
        } else {
            self.folder.join(path)
        }
    }

    fn seen<T>(&self, answer: io::Result<T>) -> io::Result<T> {
        if self.disk.power_is_gone() {
            self.blackout.notify_one();
        }
        answer
    }

    fn file(&self, opened: io::Result<Arc<dyn DiskFile>>) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.seen(opened)?;
        let partition = self.clone();
        Ok(Arc::new(PartitionFile { partition, file }))
    }
}

impl Disk for Partition {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.seen(self.disk.list(&self.path(folder)))
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.disk.create(&self.path(path)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.disk.open(&self.path(path)))
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.file(self.disk.lock(&self.path(path)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.seen(self.disk.rename(&self.path(from), &self.path(to)))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.seen(self.disk.remove(&self.path(path)))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.seen(self.disk.create_folder(&self.path(path)))
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.seen(self.disk.sync_folder(&self.path(folder)))
    }

    fn forgets(&self) -> io::Result<bool> {
        self.disk.forgets()
    }

    fn free(&self) -> io::Result<Option<u64>> {
        self.disk.free()
    }

    fn waits(&self) -> bool {
        self.disk.waits()
    }
}

struct PartitionFile {
    partition: Partition,
    file: Arc<dyn DiskFile>,
}

impl DiskFile for PartitionFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.partition.seen(self.file.read_at(buffer, offset))
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.partition.seen(self.file.write_at(slices, offset))
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.partition.seen(self.file.allocate(bytes))
    }

    fn sync(&self) -> io::Result<()> {
        self.partition.seen(self.file.sync())
    }

    fn size(&self) -> io::Result<u64> {
        self.partition.seen(self.file.size())
    }
}
