//! The data directory: making it, locking it, and knowing every file in it.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use crate::buffer::OpenError;
use crate::buffer::quarantine::FOLDER as QUARANTINE;
use crate::buffer::segment::{free_number, segment_id};
use crate::outside::disk::{Disk, DiskFile, Entry};
use crate::telemetry::happened;

const LOCK: &str = "lock";
/// What `mkfs` leaves in the root of a file system.
const LOST_AND_FOUND: &str = "lost+found";

/// The directory's files.
#[derive(Debug, Default)]
pub struct Directory {
    /// Sizes by id.
    pub segments: BTreeMap<u64, u64>,
    /// Sizes by number.
    pub free: BTreeMap<u64, u64>,
}

/// Makes the directory if it is missing, and keeps everybody else out of it.
pub fn enter(disk: &dyn Disk, at: &Path) -> Result<(Directory, Arc<dyn DiskFile>), OpenError> {
    let root = Path::new("");
    let entries = match disk.list(root) {
        Ok(entries) => {
            // B1: an earlier life may have made it and died before its name was durable.
            drop(disk.create_folder(root));
            entries
        }
        Err(error) if error.kind() == ErrorKind::NotFound => make(disk, at)?,
        Err(cause) => return Err(OpenError::disk("list", "", cause)),
    };
    check_ours(at, &entries)?;
    let lock = disk
        .lock(Path::new(LOCK))
        .map_err(|cause| match cause.kind() {
            ErrorKind::WouldBlock => OpenError::Locked(at.to_owned()),
            _ => OpenError::disk("lock", LOCK, cause),
        })?;
    if disk
        .forgets()
        .map_err(|cause| OpenError::disk("look at", "", cause))?
    {
        happened::buffer::directory_forgets(at);
    }
    if !entries.iter().any(|entry| entry.name == QUARANTINE) {
        disk.create_folder(Path::new(QUARANTINE))
            .and_then(|()| disk.sync_folder(root))
            .map_err(|cause| OpenError::disk("create", QUARANTINE, cause))?;
    }
    // Listed again: only now does nobody else change it.
    let entries = disk
        .list(root)
        .map_err(|cause| OpenError::disk("list", "", cause))?;
    check_ours(at, &entries)?;
    Ok((measure(disk, &entries)?, lock))
}

/// The same look for those who only look: nothing is made, locked or changed.
pub fn look(disk: &dyn Disk, at: &Path) -> Result<Directory, OpenError> {
    let entries = match disk.list(Path::new("")) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(OpenError::Missing(at.to_owned()));
        }
        Err(cause) => return Err(OpenError::disk("list", "", cause)),
    };
    check_ours(at, &entries)?;
    measure(disk, &entries)
}

fn make(disk: &dyn Disk, at: &Path) -> Result<Vec<Entry>, OpenError> {
    match disk.create_folder(Path::new("")) {
        Ok(()) => {
            happened::buffer::first_start(at);
            Ok(Vec::new())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Err(OpenError::Missing(at.to_owned())),
        Err(cause) => Err(OpenError::disk("create", "", cause)),
    }
}

/// A strange file means that somebody meant another directory: nothing is touched then.
fn check_ours(at: &Path, entries: &[Entry]) -> Result<(), OpenError> {
    let strange = entries.iter().find(|entry| !is_ours(entry));
    match strange {
        Some(entry) => Err(OpenError::NotOurs {
            directory: at.to_owned(),
            found: entry.name.clone(),
        }),
        None => Ok(()),
    }
}

fn is_ours(entry: &Entry) -> bool {
    let name = entry.name.as_str();
    if entry.is_folder {
        return name == QUARANTINE || name == LOST_AND_FOUND;
    }
    name == LOCK || segment_id(name).is_some() || free_number(name).is_some()
}

fn measure(disk: &dyn Disk, entries: &[Entry]) -> Result<Directory, OpenError> {
    let size = |name: &str| -> Result<u64, OpenError> {
        let size = |name: &str| -> io::Result<u64> { disk.open(Path::new(name))?.size() };
        size(name).map_err(|cause| OpenError::disk("open", name, cause))
    };
    let mut directory = Directory::default();
    for Entry { name, .. } in entries {
        if let Some(id) = segment_id(name) {
            directory.segments.insert(id, size(name)?);
        } else if let Some(number) = free_number(name) {
            directory.free.insert(number, size(name)?);
        }
    }
    Ok(directory)
}
