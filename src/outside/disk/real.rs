//! The operating system's files, below one folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, FlockOperation, StatVfs};
use rustix::io::Errno;

use super::{Disk, DiskFile, Entry};

/// The most slices that one `pwritev` takes (Linux: `UIO_MAXIOV`).
const SLICES_PER_WRITE_MAX: usize = 1024;
/// `f_type` of file systems that live in memory (Linux: `TMPFS_MAGIC`, `RAMFS_MAGIC`).
const IN_MEMORY: [u64; 2] = [0x0102_1994, 0x8584_58f6];

#[derive(Debug)]
pub struct RealDisk {
    root: PathBuf,
    opens: Opens,
}

/// What files are opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opens {
    ToWrite,
    ToRead,
}

impl RealDisk {
    /// Does not touch the folder, which may be missing as yet.
    pub fn new(root: impl Into<PathBuf>) -> RealDisk {
        RealDisk {
            root: root.into(),
            opens: Opens::ToWrite,
        }
    }

    /// For those who only look: it takes no more than the right to read, so it works on a file
    /// system in trouble that was mounted read-only.
    pub fn to_read(root: impl Into<PathBuf>) -> RealDisk {
        RealDisk {
            root: root.into(),
            opens: Opens::ToRead,
        }
    }

    fn at(&self, path: &Path) -> PathBuf {
        // Joining `""` would add a slash.
        if path.as_os_str().is_empty() {
            return self.root.clone();
        }
        self.root.join(path)
    }
}

impl Disk for RealDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.at(folder))? {
            let entry = entry?;
            entries.push(Entry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_folder: entry.file_type()?.is_dir(),
            });
        }
        entries.sort();
        Ok(entries)
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.at(path))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(self.opens == Opens::ToWrite);
        Ok(Arc::new(RealFile(options.open(self.at(path))?)))
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.at(path))?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.at(from), self.at(to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.at(path))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let made = fs::create_dir(self.at(path));
        if !path.as_os_str().is_empty() {
            return made;
        }
        // Nobody else can sync the root's parent: it lies outside of this disk.
        let parent = match self.root.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        let synced = File::open(parent).and_then(|parent| parent.sync_all());
        // Where the root was there before, an earlier life may have died before this. Or an operator
        // made it, in a folder that we may not open.
        made.and(synced)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(self.at(folder))?.sync_all()
    }

    fn forgets(&self) -> io::Result<bool> {
        let kind = rustix::fs::statfs(&self.root)?.f_type;
        Ok(IN_MEMORY.contains(&(kind as u64)))
    }

    fn capacity(&self) -> io::Result<Option<u64>> {
        let facts = rustix::fs::statvfs(&self.root)?;
        Ok(bytes(&facts, facts.f_blocks))
    }

    fn free(&self) -> io::Result<Option<u64>> {
        let facts = rustix::fs::statvfs(&self.root)?;
        Ok(bytes(&facts, facts.f_bavail))
    }

    fn waits(&self) -> bool {
        true
    }
}

/// `None` where the file system says nothing of its size, as some do that lie behind a network.
fn bytes(of: &StatVfs, blocks: u64) -> Option<u64> {
    (0 < of.f_blocks).then(|| blocks.saturating_mul(of.f_frsize))
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let mut at = offset;
        for slices in slices.chunks(SLICES_PER_WRITE_MAX) {
            let mut rest = slices.to_vec();
            let mut rest = rest.as_mut_slice();
            IoSlice::advance_slices(&mut rest, 0);
            while !rest.is_empty() {
                match rustix::io::pwritev(&self.0, rest, at) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => {
                        at += written as u64;
                        IoSlice::advance_slices(&mut rest, written);
                    }
                    Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        match rustix::fs::fallocate(&self.0, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => Ok(()),
            // The file system cannot reserve room: only writing takes it.
            Err(Errno::OPNOTSUPP) => {
                let zeros = vec![0; 1 << 20];
                let mut at = self.size()?;
                while at < bytes {
                    let length = zeros.len().min((bytes - at) as usize);
                    self.0.write_all_at(&zeros[..length], at)?;
                    at += length as u64;
                }
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_that_does_not_tell_its_size_is_not_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut facts = rustix::fs::statvfs(folder.path()).unwrap();
        let known = bytes(&facts, 3);
        assert_eq!(known, Some(3 * facts.f_frsize));
        facts.f_blocks = 0;
        assert_eq!(bytes(&facts, 3), None);
    }

    #[test]
    fn what_is_written_in_many_slices_reads_back_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(folder.path());
        let file = disk.create(Path::new("a")).unwrap();
        let pieces: Vec<String> = (0..3 * SLICES_PER_WRITE_MAX)
            .map(|n| "x".repeat(n % 3))
            .collect();
        let slices: Vec<_> = pieces.iter().map(|p| IoSlice::new(p.as_bytes())).collect();
        file.write_at(&slices, 5).unwrap();
        let whole = pieces.concat();
        assert_eq!(file.size().unwrap(), 5 + whole.len() as u64);
        let mut back = vec![0; whole.len()];
        file.read_at(&mut back, 5).unwrap();
        assert_eq!(back, whole.as_bytes());
        let error = file.read_at(&mut back, 6).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_lock_keeps_others_out_for_as_long_as_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(folder.path());
        let held = disk.lock(Path::new("lock")).unwrap();
        let error = disk.lock(Path::new("lock")).err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        disk.lock(Path::new("lock")).unwrap();
    }

    #[test]
    fn whoever_only_looks_opens_nothing_to_write() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "text").unwrap();
        let file = |disk: RealDisk| disk.open(Path::new("a")).unwrap();
        let write = |file: Arc<dyn DiskFile>| file.write_at(&[IoSlice::new(b"T")], 0);
        let looking = file(RealDisk::to_read(folder.path()));
        let mut back = [0; 4];
        looking.read_at(&mut back, 0).unwrap();
        assert_eq!(&back, b"text");
        // As root, too, for whom no permission counts.
        let error = write(looking).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::BADF));
        write(file(RealDisk::new(folder.path()))).unwrap();
    }

    #[test]
    fn the_root_is_made_where_its_parent_exists() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(folder.path().join("data"));
        disk.create_folder(Path::new("")).unwrap();
        assert_eq!(disk.list(Path::new("")).unwrap(), []);
        let deeper = RealDisk::new(folder.path().join("no/data"));
        let error = deeper.create_folder(Path::new("")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn an_allocated_file_is_as_long_as_asked_and_reads_as_zeros() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(folder.path());
        let file = disk.create(Path::new("a")).unwrap();
        file.allocate(10_000).unwrap();
        assert_eq!(file.size().unwrap(), 10_000);
        let mut back = [1; 8];
        file.read_at(&mut back, 9_992).unwrap();
        assert_eq!(back, [0; 8]);
    }
}
