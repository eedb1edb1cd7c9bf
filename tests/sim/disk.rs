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

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use standpipe::outside::Dice;
use standpipe::outside::disk::{Disk, DiskFile, Entry};

/// What a device writes whole or not at all.
const SECTOR: usize = 512;

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

type FileNumber = usize;

struct World {
    dice: Dice,
    faults: Faults,
    files: Vec<Content>,
    names: BTreeMap<PathBuf, Node>,
    stable_names: BTreeMap<PathBuf, Node>,
    /// What happened to names since their folder's last sync, oldest first.
    unsynced: Vec<NameChange>,
    locked: BTreeSet<PathBuf>,
    /// Bytes that all files may have together.
    capacity: u64,
    /// Operations until the power goes.
    fuse: Option<u64>,
    /// Counts power cuts: a file opened before one is dead after it.
    boot: u64,
    operations: u64,
    trace: DefaultHasher,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(FileNumber),
    Folder,
}

enum NameChange {
    Added(PathBuf, Node),
    Removed(PathBuf),
    Renamed(PathBuf, PathBuf),
}

#[derive(Default)]
struct Content {
    cache: Vec<u8>,
    stable: Vec<u8>,
    dirty: BTreeSet<usize>,
    /// Sectors that a failed sync lost: clean in the cache, old on the device.
    lost: BTreeSet<usize>,
    /// Whether the length changed since the last good sync.
    resized: bool,
}

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

fn no_power() -> io::Error {
    io::Error::other("the power is gone")
}

fn failing(what: &'static str) -> io::Error {
    io::Error::other(what)
}

/// Whether an operation happens whole, or is the one during which the power goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    Going,
}

impl World {
    /// Counts one operation. An error: the power went before it.
    fn operation(&mut self, what: (&str, &Path, u64, usize)) -> io::Result<Power> {
        if self.fuse == Some(0) {
            return Err(no_power());
        }
        self.operations += 1;
        what.hash(&mut self.trace);
        let Some(left) = &mut self.fuse else {
            return Ok(Power::On);
        };
        *left -= 1;
        if *left == 0 {
            return Ok(Power::Going);
        }
        Ok(Power::On)
    }

    /// Before a change of a name: it happens, or half the time does not when the power goes.
    fn name_operation(&mut self, what: &str, path: &Path) -> io::Result<Power> {
        let power = self.operation((what, path, 0, 0))?;
        if power == Power::Going && self.dice.happens(500) {
            return Err(no_power());
        }
        Ok(power)
    }

    fn used(&self) -> u64 {
        let bytes = |node: &Node| match node {
            Node::File(file) => self.files[*file].cache.len() as u64,
            Node::Folder => 0,
        };
        self.names.values().map(bytes).sum()
    }

    fn check_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        let there = parent.as_os_str().is_empty() || self.names.get(parent) == Some(&Node::Folder);
        if there {
            Ok(())
        } else {
            Err(ErrorKind::NotFound.into())
        }
    }

    fn add_file(&mut self, path: &Path) -> io::Result<FileNumber> {
        if self.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        self.check_parent(path)?;
        if self.capacity <= self.used() {
            return Err(ErrorKind::StorageFull.into());
        }
        self.files.push(Content::default());
        let node = Node::File(self.files.len() - 1);
        self.names.insert(path.to_owned(), node);
        let added = NameChange::Added(path.to_owned(), node);
        self.unsynced.push(added);
        Ok(self.files.len() - 1)
    }

    fn grow(&mut self, file: FileNumber, bytes: usize) -> io::Result<()> {
        let length = self.files[file].cache.len();
        if bytes <= length {
            return Ok(());
        }
        if self.capacity < self.used() + (bytes - length) as u64 {
            return Err(ErrorKind::StorageFull.into());
        }
        let content = &mut self.files[file];
        content.cache.resize(bytes, 0);
        content
            .dirty
            .extend(length / SECTOR..bytes.div_ceil(SECTOR));
        content.resized = true;
        Ok(())
    }

    fn power_cut(&mut self) {
        self.boot += 1;
        self.fuse = None;
        self.locked.clear();
        let kept = [0, 200, 500, 900, 1000][self.dice.below(5) as usize];
        for content in &mut self.files {
            content.power_cut(&mut self.dice, kept, self.faults.torn_bit_flips);
        }
        let kept = [0, 500, 1000][self.dice.below(3) as usize];
        for change in std::mem::take(&mut self.unsynced) {
            if self.dice.happens(kept) {
                change.apply_to(&mut self.stable_names);
            }
        }
        // A name whose folder is gone is gone too.
        let folders: BTreeSet<PathBuf> = self.stable_names.keys().cloned().collect();
        self.stable_names.retain(|path, _| {
            let parent = path.parent().unwrap_or(Path::new(""));
            parent.as_os_str().is_empty() || folders.contains(parent)
        });
        self.names = self.stable_names.clone();
    }
}

impl NameChange {
    fn folder(&self) -> &Path {
        let (NameChange::Added(path, _) | NameChange::Removed(path) | NameChange::Renamed(_, path)) =
            self;
        path.parent().unwrap_or(Path::new(""))
    }

    fn apply_to(self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            NameChange::Added(path, node) => {
                names.insert(path, node);
            }
            NameChange::Removed(path) => {
                names.remove(&path);
            }
            NameChange::Renamed(from, to) => {
                if let Some(node) = names.remove(&from) {
                    names.insert(to, node);
                }
            }
        }
    }
}

impl Content {
    fn carry_over(&mut self, sector: usize) {
        let start = sector * SECTOR;
        let end = (start + SECTOR).min(self.cache.len());
        if end <= start {
            return;
        }
        if self.stable.len() < end {
            self.stable.resize(end, 0);
        }
        self.stable[start..end].copy_from_slice(&self.cache[start..end]);
    }

    fn power_cut(&mut self, dice: &mut Dice, kept: u64, flips: u64) {
        let dirty = std::mem::take(&mut self.dirty);
        if dirty.is_empty() && self.lost.is_empty() && !self.resized {
            return;
        }
        for sector in dirty {
            if dice.happens(kept) {
                self.carry_over(sector);
                if dice.happens(flips) && sector * SECTOR < self.stable.len() {
                    let at = sector * SECTOR + dice.below(SECTOR as u64) as usize;
                    let at = at.min(self.stable.len() - 1);
                    self.stable[at] ^= 1 << dice.below(8);
                }
            }
        }
        self.lost.clear();
        self.resized = false;
        self.cache.clone_from(&self.stable);
    }

    /// `going`: the power goes meanwhile. `fails`: the device says no, and loses most of it.
    fn sync(&mut self, dice: &mut Dice, power: Power, fails: bool) {
        for sector in std::mem::take(&mut self.dirty) {
            if power == Power::Going && dice.happens(500) {
                self.dirty.insert(sector);
                continue;
            }
            if fails && dice.happens(600) {
                self.lost.insert(sector);
                continue;
            }
            self.lost.remove(&sector);
            self.carry_over(sector);
        }
        if power == Power::On && !fails {
            self.stable.resize(self.cache.len(), 0);
            self.resized = false;
        }
    }
}

impl Disk for SimDisk {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let mut world = self.world();
        world.operation(("list", folder, 0, 0))?;
        let root = folder.as_os_str().is_empty();
        if !root && world.names.get(folder) != Some(&Node::Folder) {
            return Err(ErrorKind::NotFound.into());
        }
        let inside = |path: &&PathBuf| path.parent().unwrap_or(Path::new("")) == folder;
        let entry = |path: &PathBuf| Entry {
            name: path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            is_folder: world.names[path] == Node::Folder,
        };
        Ok(world.names.keys().filter(inside).map(entry).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        let power = world.name_operation("create", path)?;
        let file = world.add_file(path)?;
        if power == Power::Going {
            return Err(no_power());
        }
        Ok(self.file(file, world.boot, None))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.operation(("open", path, 0, 0))?;
        match world.names.get(path) {
            Some(Node::File(file)) => Ok(self.file(*file, world.boot, None)),
            Some(Node::Folder) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn lock(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.operation(("lock", path, 0, 0))?;
        let file = match world.names.get(path) {
            Some(Node::File(file)) => *file,
            Some(Node::Folder) => return Err(ErrorKind::IsADirectory.into()),
            None => world.add_file(path)?,
        };
        if !world.locked.insert(path.to_owned()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(self.file(file, world.boot, Some(path.to_owned())))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        let power = world.name_operation("rename", from)?;
        world.check_parent(to)?;
        let Some(node) = world.names.remove(from) else {
            return Err(ErrorKind::NotFound.into());
        };
        world.names.insert(to.to_owned(), node);
        let renamed = NameChange::Renamed(from.to_owned(), to.to_owned());
        world.unsynced.push(renamed);
        match power {
            Power::On => Ok(()),
            Power::Going => Err(no_power()),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let power = world.name_operation("remove", path)?;
        if world.names.remove(path).is_none() {
            return Err(ErrorKind::NotFound.into());
        }
        world.unsynced.push(NameChange::Removed(path.to_owned()));
        match power {
            Power::On => Ok(()),
            Power::Going => Err(no_power()),
        }
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        let power = world.name_operation("create_folder", path)?;
        if path.as_os_str().is_empty() || world.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        world.check_parent(path)?;
        world.names.insert(path.to_owned(), Node::Folder);
        let added = NameChange::Added(path.to_owned(), Node::Folder);
        world.unsynced.push(added);
        match power {
            Power::On => Ok(()),
            Power::Going => Err(no_power()),
        }
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        let mut world = self.world();
        world
            .name_operation("sync_folder", folder)
            .and_then(|power| match power {
                Power::On => Ok(()),
                Power::Going => Err(no_power()),
            })?;
        let World { dice, faults, .. } = &mut *world;
        if dice.happens(faults.folder_sync_fails) {
            return Err(failing("the folder's sync failed"));
        }
        let changes = std::mem::take(&mut world.unsynced);
        for change in changes {
            if change.folder() == folder {
                change.apply_to(&mut world.stable_names);
            } else {
                world.unsynced.push(change);
            }
        }
        Ok(())
    }

    fn forgets(&self) -> io::Result<bool> {
        Ok(false)
    }

    fn waits(&self) -> bool {
        false
    }
}

struct SimFile {
    disk: SimDisk,
    file: FileNumber,
    boot: u64,
    lock: Option<PathBuf>,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut world = self.disk.world();
        if let (Some(path), true) = (&self.lock, world.boot == self.boot) {
            world.locked.remove(path);
        }
    }
}

impl SimFile {
    fn begin(
        &self,
        what: &str,
        at: u64,
        length: usize,
    ) -> io::Result<(MutexGuard<'_, World>, Power)> {
        let mut world = self.disk.world();
        if world.boot != self.boot {
            return Err(failing("the file was opened before the machine restarted"));
        }
        let name = PathBuf::from(self.file.to_string());
        let power = world.operation((what, &name, at, length))?;
        Ok((world, power))
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let (world, power) = self.begin("read", offset, buffer.len())?;
        if power == Power::Going {
            return Err(no_power());
        }
        let start = offset as usize;
        let bytes = world.files[self.file]
            .cache
            .get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes: Vec<u8> = slices
            .iter()
            .flat_map(|slice| slice.iter().copied())
            .collect();
        let (mut world, power) = self.begin("write", offset, bytes.len())?;
        let World { dice, faults, .. } = &mut *world;
        let fails = power == Power::On && dice.happens(faults.write_fails);
        // A write that the power or the device interrupts gets somewhere, or nowhere.
        let whole = power == Power::On && !fails;
        let length = if whole {
            bytes.len()
        } else {
            dice.below(bytes.len() as u64 + 1) as usize
        };
        let (start, end) = (offset as usize, offset as usize + length);
        world.grow(self.file, end)?;
        if start < end {
            let content = &mut world.files[self.file];
            content.cache[start..end].copy_from_slice(&bytes[..length]);
            content.dirty.extend(start / SECTOR..end.div_ceil(SECTOR));
        }
        match (power, fails) {
            (Power::Going, _) => Err(no_power()),
            (Power::On, true) => Err(failing("the write failed")),
            (Power::On, false) => Ok(()),
        }
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        let (mut world, power) = self.begin("allocate", 0, bytes as usize)?;
        world.grow(self.file, bytes as usize)?;
        match power {
            Power::On => Ok(()),
            Power::Going => Err(no_power()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let (mut world, power) = self.begin("sync", 0, 0)?;
        let World {
            dice,
            faults,
            files,
            ..
        } = &mut *world;
        let fails = power == Power::On && dice.happens(faults.sync_fails);
        files[self.file].sync(dice, power, fails);
        match (power, fails) {
            (Power::Going, _) => Err(no_power()),
            (Power::On, true) => Err(failing("the sync failed")),
            (Power::On, false) => Ok(()),
        }
    }

    fn size(&self) -> io::Result<u64> {
        let (world, power) = self.begin("size", 0, 0)?;
        match power {
            Power::On => Ok(world.files[self.file].cache.len() as u64),
            Power::Going => Err(no_power()),
        }
    }
}
