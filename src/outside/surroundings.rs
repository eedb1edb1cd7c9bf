//! What the process was given: environment variables, and the small files that configure it.
//!
//! Everything is read when the daemon starts, and what is followed by a task that may wait for the
//! disk, so it is synchronous. A test gives variables and a folder of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// No configuration, key or certificate is larger: a mistaken path must not fill the memory.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What tells one content of a file from the next, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    modified: (i64, i64),
    bytes: u64,
    inode: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    variables: BTreeMap<String, String>,
    /// Where relative paths start; empty: the working directory.
    folder: PathBuf,
}

impl Surroundings {
    /// Those of this process. Variables that are not UTF-8 cannot be meant for us.
    pub fn of_process() -> Surroundings {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Surroundings {
            variables: std::env::vars_os().filter_map(text).collect(),
            folder: PathBuf::new(),
        }
    }

    pub fn given(variables: BTreeMap<String, String>, folder: PathBuf) -> Surroundings {
        Surroundings { variables, folder }
    }

    /// The variable's value; an empty one counts as unset.
    pub fn variable(&self, name: &str) -> Option<&str> {
        let value = self.variables.get(name)?;
        (!value.is_empty()).then_some(value)
    }

    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.variables.iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn is_file(&self, path: &Path) -> bool {
        self.folder.join(path).is_file()
    }

    pub fn is_folder(&self, path: &Path) -> bool {
        self.folder.join(path).is_dir()
    }

    /// The whole path, without dots, and without links as far as it exists.
    pub fn resolved(&self, path: &Path) -> PathBuf {
        let path = self.folder.join(path);
        // It fails without a working directory only, where no relative path means anything.
        let path = std::path::absolute(&path).unwrap_or(path);
        let mut resolved = PathBuf::new();
        for component in path.components() {
            if component == Component::ParentDir {
                resolved.pop();
                continue;
            }
            resolved.push(component);
            if let Ok(real) = fs::canonicalize(&resolved) {
                resolved = real;
            }
        }
        resolved
    }

    /// `None` where there is no file. A link is followed.
    pub fn stamp(&self, path: &Path) -> Option<Stamp> {
        let of = fs::metadata(self.folder.join(path)).ok()?;
        Some(Stamp {
            modified: (of.mtime(), of.mtime_nsec()),
            bytes: of.size(),
            inode: of.ino(),
        })
    }

    pub fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = fs::File::open(self.folder.join(path))?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if FILE_BYTES_MAX < bytes.len() as u64 {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the file is larger than 4MiB",
            ));
        }
        Ok(bytes)
    }

    pub fn read_text(&self, path: &Path) -> io::Result<String> {
        let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "the file is not UTF-8 text");
        String::from_utf8(self.read(path)?).map_err(not_text)
    }

    /// A file of any size, to be read bit by bit.
    pub fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(fs::File::open(self.folder.join(path))?))
    }

    /// The files directly in `folder` whose names end so, sorted by name.
    pub fn files(&self, folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(self.folder.join(folder))? {
            let path = folder.join(entry?.file_name());
            let is_meant = path.extension().is_some_and(|it| it == extension);
            if is_meant && self.is_file(&path) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resolved_path_has_neither_dots_nor_links() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("disk")).unwrap();
        std::os::unix::fs::symlink("disk", root.join("link")).unwrap();
        let surroundings = Surroundings::given(BTreeMap::new(), root.clone());
        for (path, resolved) in [
            ("disk", "disk"),
            ("./link/.", "disk"),
            ("link/new/../newer", "disk/newer"),
            ("new/../disk/", "disk"),
            ("", ""),
        ] {
            let found = surroundings.resolved(Path::new(path));
            assert_eq!(found, root.join(resolved).components().collect::<PathBuf>());
        }
        let above = surroundings.resolved(Path::new("/../tmp/.."));
        assert_eq!(above, Path::new("/"));
    }
}
