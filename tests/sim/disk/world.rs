//! All that the disk is at one moment. Every operation counts here, and here the power goes.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use standpipe::outside::Dice;

use super::Faults;
use super::content::{Content, SECTOR};
use super::names::{FileNumber, NameChange, Node};

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) faults: Faults,
    pub(super) files: Vec<Content>,
    pub(super) names: BTreeMap<PathBuf, Node>,
    pub(super) stable_names: BTreeMap<PathBuf, Node>,
    /// What happened to names since their folder's last sync, oldest first.
    pub(super) unsynced: Vec<NameChange>,
    pub(super) locked: BTreeSet<PathBuf>,
    /// Bytes that all files may have together.
    pub(super) capacity: u64,
    /// Operations until the power goes.
    pub(super) fuse: Option<u64>,
    /// Counts power cuts: a file opened before one is dead after it.
    pub(super) boot: u64,
    pub(super) operations: u64,
    pub(super) trace: DefaultHasher,
}

/// Whether an operation happens whole, or is the one during which the power goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Power {
    On,
    Going,
}

impl World {
    /// Counts one operation. An error: the power went before it.
    pub(super) fn operation(&mut self, what: (&str, &Path, u64, usize)) -> io::Result<Power> {
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
    pub(super) fn name_operation(&mut self, what: &str, path: &Path) -> io::Result<Power> {
        let power = self.operation((what, path, 0, 0))?;
        if power == Power::Going && self.dice.happens(500) {
            return Err(no_power());
        }
        Ok(power)
    }

    pub(super) fn used(&self) -> u64 {
        let bytes = |node: &Node| match node {
            Node::File(file) => self.files[*file].cache.len() as u64,
            Node::Folder => 0,
        };
        self.names.values().map(bytes).sum()
    }

    /// Of a file that is there.
    pub(super) fn content(&mut self, path: &str) -> &mut Content {
        let Some(Node::File(file)) = self.names.get(Path::new(path)) else {
            panic!("there is no file `{path}`");
        };
        &mut self.files[*file]
    }

    pub(super) fn check_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(Path::new(""));
        let there = parent.as_os_str().is_empty() || self.names.get(parent) == Some(&Node::Folder);
        if there {
            Ok(())
        } else {
            Err(ErrorKind::NotFound.into())
        }
    }

    pub(super) fn add_file(&mut self, path: &Path) -> io::Result<FileNumber> {
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

    pub(super) fn grow(&mut self, file: FileNumber, bytes: usize) -> io::Result<()> {
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

    pub(super) fn power_cut(&mut self) {
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

pub(super) fn no_power() -> io::Error {
    io::Error::other("the power is gone")
}

pub(super) fn failing(what: &'static str) -> io::Error {
    io::Error::other(what)
}
