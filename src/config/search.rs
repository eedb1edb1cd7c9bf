//! Which files make up the configuration: those named, else those in the usual places.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::{Origin, Place};
use super::problem::{Problem, Wrong};
use crate::outside::Surroundings;

const HERE: &str = "delivery.yaml";
const SYSTEM: &str = "/etc/standpipe/delivery.yaml";
const SYSTEM_FOLDER: &str = "/etc/standpipe/conf.d";

/// The files in reading order: later ones are laid over earlier ones.
pub fn files(
    named: &[PathBuf],
    surroundings: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Vec<PathBuf> {
    if named.is_empty() {
        return usual(surroundings, problems);
    }
    let mut files = Vec::new();
    for path in named {
        if surroundings.is_folder(path) {
            files.extend(in_folder(path, surroundings, problems));
        } else {
            files.push(path.clone());
        }
    }
    files
}

fn usual(surroundings: &Surroundings, problems: &mut Vec<Problem>) -> Vec<PathBuf> {
    if surroundings.is_file(Path::new(HERE)) {
        return vec![PathBuf::from(HERE)];
    }
    let mut files = Vec::new();
    if surroundings.is_file(Path::new(SYSTEM)) {
        files.push(PathBuf::from(SYSTEM));
    }
    if surroundings.is_folder(Path::new(SYSTEM_FOLDER)) {
        files.extend(
            surroundings
                .files(Path::new(SYSTEM_FOLDER), "yaml")
                .unwrap_or_default(),
        );
    }
    if files.is_empty() {
        let what = format!("there is neither ./{HERE} nor {SYSTEM}");
        problems.push(Problem {
            place: None,
            path: String::new(),
            wrong: Wrong::new(what).hint("name a file or a folder with `-c PATH`"),
        });
    }
    files
}

fn in_folder(
    folder: &Path,
    surroundings: &Surroundings,
    problems: &mut Vec<Problem>,
) -> Vec<PathBuf> {
    let wrong = match surroundings.files(folder, "yaml") {
        Ok(files) if !files.is_empty() => return files,
        Ok(_) => {
            let wrong = Wrong::new("the folder has no `*.yaml` files");
            let others = surroundings.files(folder, "yml").unwrap_or_default();
            match others.first() {
                None => wrong,
                Some(other) => wrong.hint(format!(
                    "`{}` is not read: call it `{}`",
                    other.display(),
                    other.with_extension("yaml").display()
                )),
            }
        }
        Err(error) => Wrong::new(format!("the folder cannot be read: {error}")),
    };
    problems.push(Problem {
        place: Some(Place::whole(Arc::new(Origin::File(folder.to_owned())))),
        path: String::new(),
        wrong,
    });
    Vec::new()
}
