//! The disk as the daemon takes it: names and folders.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use standpipe::outside::disk::{Disk, DiskFile, Entry};

use super::SimDisk;
use super::names::{NameChange, Node};
use super::world::{Power, World, failing, no_power};

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

    fn free(&self) -> io::Result<Option<u64>> {
        let world = self.world();
        Ok(Some(world.capacity.saturating_sub(world.used())))
    }

    fn waits(&self) -> bool {
        false
    }
}
