//! A disk in memory that loses whatever a real one may lose, and fails when a real one may fail.
//!
//! Files have a cache, which reads and writes see, and a stable part, which a power cut leaves.
//! A sync carries dirty sectors over; a failing sync loses some of them while reads still serve
//! them. Names become stable when their folder is synced. The **fuse** counts operations: when it
//! burns out, the operation under way may happen in part and everything after it fails, so a crash
//! can fall between any two operations. `power_cut` then leaves any subset of the dirty sectors and
//! of the unsynced names. All chance comes from `Dice`: one seed, one disk.

// Two test targets include this file, and each uses a part of it.
#![allow(dead_code)]

mod content;
mod door;
mod file;
mod names;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use standpipe::outside::Dice;
use standpipe::outside::disk::{Disk, DiskFile};

use content::{Content, SECTOR};
use file::SimFile;
use names::{FileNumber, Node};
use world::World;

/// What goes wrong, in times out of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// A file's sync fails, and some of what it should have kept is lost.
    pub sync_fails: u64,
    pub folder_sync_fails: u64,
    pub write_fails: u64,
    /// At a power cut: a bit flips in a sector that was being written.
    pub torn_bit_flips: u64,
}

/// Cheap to clone: all clones are one disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<World>>);

impl SimDisk {
    pub fn new(dice: Dice) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(World {
            dice,
            faults: Faults::default(),
            files: Vec::new(),
            names: BTreeMap::new(),
            stable_names: BTreeMap::new(),
            unsynced: Vec::new(),
            locked: BTreeSet::new(),
            capacity: u64::MAX,
            fuse: None,
            boot: 0,
            operations: 0,
            trace: DefaultHasher::new(),
        })))
    }

    /// The door, as the daemon takes it.
    pub fn door(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    pub fn set_faults(&self, faults: Faults) {
        self.world().faults = faults;
    }

    pub fn set_capacity(&self, bytes: u64) {
        self.world().capacity = bytes;
    }

    /// Bytes of all files that have a name.
    pub fn used(&self) -> u64 {
        self.world().used()
    }

    /// The power goes during the operation after `operations` more.
    pub fn light_fuse(&self, operations: u64) {
        self.world().fuse = Some(operations);
    }

    pub fn power_is_gone(&self) -> bool {
        self.world().fuse == Some(0)
    }

    pub fn operations(&self) -> u64 {
        self.world().operations
    }

    /// The same for two runs that did the same.
    pub fn trace(&self) -> u64 {
        self.world().trace.finish()
    }

    /// The power goes, if it has not yet, and comes back: what was not synced is there in part.
    pub fn power_cut(&self) {
        self.world().power_cut();
    }

    /// Every process that used the disk is gone, but the machine runs on: nothing is lost.
    pub fn kill(&self) {
        let mut world = self.world();
        world.boot += 1;
        world.fuse = None;
        world.locked.clear();
    }

    /// Flips one bit of what a device had kept, in a file whose name starts with `prefix`. Says
    /// where, or `None` where there is no such file.
    pub fn rot(&self, prefix: &str) -> Option<(String, usize)> {
        let mut world = self.world();
        let named = |path: &Path| path.to_string_lossy().starts_with(prefix);
        let files: Vec<(PathBuf, FileNumber)> = world
            .names
            .iter()
            .filter_map(|(path, node)| match node {
                Node::File(file) if named(path) => Some((path.clone(), *file)),
                Node::File(_) | Node::Folder => None,
            })
            .collect();
        if files.is_empty() {
            return None;
        }
        let chosen = world.dice.below(files.len() as u64) as usize;
        let (path, file) = &files[chosen];
        let length = world.files[*file]
            .stable
            .len()
            .min(world.files[*file].cache.len());
        if length == 0 {
            return None;
        }
        let at = world.dice.below(length as u64) as usize;
        let bit = 1 << world.dice.below(8);
        let content = &mut world.files[*file];
        content.stable[at] ^= bit;
        content.cache[at] ^= bit;
        Some((path.to_string_lossy().into_owned(), at))
    }

    /// Other bytes stand there from now on, as rot leaves them.
    pub fn scribble(&self, path: &str, at: usize, bytes: &[u8]) {
        let mut world = self.world();
        let content = world.content(path);
        content.cache[at..at + bytes.len()].copy_from_slice(bytes);
        let end = (at + bytes.len()).min(content.stable.len());
        if at < end {
            content.stable[at..end].copy_from_slice(&bytes[..end - at]);
        }
    }

    /// The device does not give these bytes' sectors back until they are written again.
    pub fn lose(&self, path: &str, range: Range<usize>) {
        let sectors = range.start / SECTOR..range.end.div_ceil(SECTOR);
        self.world().content(path).gone.extend(sectors);
    }

    /// The file ends there from now on.
    pub fn cut_short(&self, path: &str, bytes: usize) {
        let mut world = self.world();
        let content = world.content(path);
        content.cache.truncate(bytes);
        content.stable.truncate(bytes);
    }

    /// A file's bytes as a reader sees them, without an operation.
    pub fn peek(&self, path: &str) -> Option<Vec<u8>> {
        let world = self.world();
        match world.names.get(Path::new(path))? {
            Node::File(file) => Some(world.files[*file].cache.clone()),
            Node::Folder => None,
        }
    }

    /// Puts a file there, stable, without an operation.
    pub fn plant(&self, path: &str, bytes: &[u8]) {
        let mut world = self.world();
        let content = Content {
            cache: bytes.to_vec(),
            stable: bytes.to_vec(),
            ..Content::default()
        };
        world.files.push(content);
        let node = Node::File(world.files.len() - 1);
        world.names.insert(path.into(), node);
        world.stable_names.insert(path.into(), node);
    }

    /// Every path on the disk.
    pub fn paths(&self) -> Vec<String> {
        let world = self.world();
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        world.names.keys().map(text).collect()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn file(&self, file: FileNumber, boot: u64, lock: Option<PathBuf>) -> Arc<dyn DiskFile> {
        let disk = self.clone();
        Arc::new(SimFile {
            disk,
            file,
            boot,
            lock,
        })
    }
}
