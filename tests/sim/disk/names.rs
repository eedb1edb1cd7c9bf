//! Files and folders by name, and the changes of names that a power cut may undo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(super) type FileNumber = usize;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    File(FileNumber),
    Folder,
}

pub(super) enum NameChange {
    Added(PathBuf, Node),
    Removed(PathBuf),
    Renamed(PathBuf, PathBuf),
}

impl NameChange {
    pub(super) fn folder(&self) -> &Path {
        let (NameChange::Added(path, _) | NameChange::Removed(path) | NameChange::Renamed(_, path)) =
            self;
        path.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn apply_to(self, names: &mut BTreeMap<PathBuf, Node>) {
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
