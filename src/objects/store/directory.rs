//! Objects as files below a directory: the same keys and bytes as S3 would get.
//!
//! ```text
//! logs/2026/03/14/09/.standpipe-0f3c….partial    while it is written; readers skip dot names
//! logs/2026/03/14/09/clicks-1-2026-…             after the rename: whole, or not there
//! ```
//!
//! The file is synced before the rename and its folder after it, and so is every folder on the way,
//! once in each life: an earlier one may have made it and died before the sync.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};

use super::{Object, Refusal, Store, Stored};
use crate::model::limits;
use crate::objects::compress::Parts;
use crate::objects::room::Room;
use crate::outside::disk::{Disk, DiskFile, off_thread};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub path: PathBuf,
}

impl Settings {
    pub fn url(&self) -> String {
        self.path.display().to_string()
    }
}

/// Folders remembered as durable; the hours of a month, and a stream's few others. Forgetting costs
/// a sync.
const FOLDERS_REMEMBERED_MAX: usize = 1024;

pub struct Directory {
    settings: Settings,
    disk: Arc<dyn Disk>,
    room: Room,
    durable: Arc<Mutex<BTreeSet<PathBuf>>>,
}

/// Where an object goes: relative, without a step upwards.
#[derive(Clone, Debug)]
struct Place {
    folder: PathBuf,
    file: PathBuf,
    partial: PathBuf,
}

impl Directory {
    /// `disk` is rooted at the directory, which is made when the first object comes.
    pub fn new(settings: Settings, disk: Arc<dyn Disk>, room: Room) -> Directory {
        Directory {
            settings,
            disk,
            room,
            durable: Arc::default(),
        }
    }

    async fn write(&self, object: &Object) -> Result<Stored, Refusal> {
        let place = Place::of(&object.key).ok_or_else(|| self.misnamed(&object.key))?;
        let _room = self
            .room
            .memory(object.body.bytes(), object.compression)
            .await;
        match self.write_at(&place, object).await {
            Ok(stored) => Ok(stored),
            Err(refusal) => {
                // Somebody may have removed folders that we remember: the next try makes them anew.
                self.durable
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clear();
                // What is half written only takes up room: a repeat begins anew. If this fails too,
                // `clean` or that repeat removes it.
                let partial = place.partial.clone();
                let _ = self.on_disk(move |disk| disk.remove(&partial)).await;
                Err(refusal)
            }
        }
    }

    async fn write_at(&self, place: &Place, object: &Object) -> Result<Stored, Refusal> {
        let failed = |cause| self.refusal(&object.key, cause);
        let (folder, durable) = (place.folder.clone(), Arc::clone(&self.durable));
        self.on_disk(move |disk| make_folders(disk, &folder, &durable))
            .await
            .map_err(failed)?;
        let partial = place.partial.clone();
        let file = self
            .on_disk(move |disk| create_anew(disk, &partial))
            .await
            .map_err(failed)?;
        let bytes = self.fill(&file, object).await?;
        let place = place.clone();
        let finish = move |disk: &dyn Disk| {
            file.sync()?;
            disk.rename(&place.partial, &place.file)?;
            disk.sync_folder(&place.folder)
        };
        self.on_disk(finish).await.map_err(failed)?;
        Ok(Stored { bytes })
    }

    async fn fill(&self, file: &Arc<dyn DiskFile>, object: &Object) -> Result<u64, Refusal> {
        let mut parts = Parts::open(&object.body, object.compression, self.room.clone());
        let mut written = 0;
        loop {
            let part = parts.next(limits::READ_BYTES_MAX).await;
            let part = part.map_err(Refusal::unreadable)?;
            if part.is_empty() {
                return Ok(written);
            }
            let length = part.len() as u64;
            let file = Arc::clone(file);
            let write = move |_: &dyn Disk| file.write_at(&[IoSlice::new(&part)], written);
            let wrote = self.on_disk(write).await;
            wrote.map_err(|cause| self.refusal(&object.key, cause))?;
            written += length;
        }
    }

    async fn remove_partials(&self, open_keys: &[String]) -> Result<(), Refusal> {
        for key in open_keys {
            let Some(place) = Place::of(key) else {
                continue;
            };
            let removed = self.on_disk(move |disk| disk.remove(&place.partial)).await;
            match removed {
                Ok(()) => {}
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => {}
                Err(cause) => return Err(self.refusal(key, cause)),
            }
        }
        Ok(())
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Disk) -> T + Send + 'static,
    ) -> T {
        let disk = Arc::clone(&self.disk);
        off_thread(&self.disk, move || work(disk.as_ref())).await
    }

    fn refusal(&self, key: &str, cause: io::Error) -> Refusal {
        use io::ErrorKind::*;
        let (code, advice) = match cause.kind() {
            StorageFull | QuotaExceeded => ("Directory.NoSpace", "make room on its file system"),
            PermissionDenied | ReadOnlyFilesystem => (
                "Directory.Denied",
                "let the daemon's user write there, on a file system that is not read-only",
            ),
            NotFound => (
                "Directory.Missing",
                "make its parent folder: only the last folder of the path is made for you",
            ),
            NotADirectory | IsADirectory | AlreadyExists => (
                "Directory.Taken",
                "something else stands under that name: move it away",
            ),
            _ => (
                "Directory.Io",
                "look into the system's log: the disk may be failing",
            ),
        };
        let path = self.settings.path.display();
        Refusal {
            code: code.to_owned(),
            what: format!("failed to write `{key}` below `{path}` ({advice})"),
            cause: Some(Box::new(cause)),
            retry_after: None,
            needs_operator: true,
        }
    }

    fn misnamed(&self, key: &str) -> Refusal {
        let path = self.settings.path.display();
        Refusal {
            code: "Directory.Key".to_owned(),
            what: format!("`{key}` cannot be a file below `{path}`: it has a `.` or `..` segment"),
            cause: None,
            retry_after: None,
            needs_operator: true,
        }
    }
}

impl Store for Directory {
    fn put<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<Stored, Refusal>> {
        Box::pin(self.write(object))
    }

    fn clean<'a>(&'a self, open_keys: &'a [String]) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.remove_partials(open_keys))
    }

    fn url(&self) -> String {
        self.settings.url()
    }
}

impl Place {
    /// Empty segments fall away, as they do in every path; `None` where the key would escape.
    fn of(key: &str) -> Option<Place> {
        let segments: Vec<_> = key.split('/').filter(|it| !it.is_empty()).collect();
        let harmless = |segment: &&str| !matches!(*segment, "." | "..") && !segment.contains('\0');
        let (name, folders) = segments.split_last()?;
        if !segments.iter().all(harmless) {
            return None;
        }
        let folder: PathBuf = folders.iter().collect();
        // From the key, so that a repeat takes the same name, and short whatever the key.
        let digest = Sha256::digest(key);
        let id = u128::from_be_bytes(*digest.first_chunk().expect("SHA-256 gives 32 bytes"));
        Some(Place {
            file: folder.join(name),
            partial: folder.join(format!(".standpipe-{id:032x}.partial")),
            folder,
        })
    }
}

/// Makes `folder` and those above it, and every one of their names durable.
fn make_folders(
    disk: &dyn Disk,
    folder: &Path,
    durable: &Mutex<BTreeSet<PathBuf>>,
) -> io::Result<()> {
    let known = || durable.lock().unwrap_or_else(PoisonError::into_inner);
    let mut way: Vec<_> = folder.ancestors().collect();
    way.reverse();
    for folder in way {
        if known().contains(folder) {
            continue;
        }
        match disk.create_folder(folder) {
            Ok(()) => {}
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(cause),
        }
        if let Some(parent) = folder.parent() {
            disk.sync_folder(parent)?;
        }
        let mut known = known();
        if FOLDERS_REMEMBERED_MAX <= known.len() {
            known.clear();
        }
        known.insert(folder.to_owned());
    }
    Ok(())
}

fn create_anew(disk: &dyn Disk, partial: &Path) -> io::Result<Arc<dyn DiskFile>> {
    match disk.create(partial) {
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
            disk.remove(partial)?;
            disk.create(partial)
        }
        created => created,
    }
}

#[cfg(test)]
mod tests;
