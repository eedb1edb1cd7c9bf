//! Where secrets come from: a file, an environment variable, or systemd's credentials.

use std::path::{Path, PathBuf};

use super::kind::{Kind, PATH, TEXT};
use super::node::{Content, Entry};
use super::place::Origin;
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use crate::model::Secret;

pub static ALL: [&Keys; 1] = [&KEYS];
static KEYS: Keys = Keys {
    known: &["file", "env", "credential"],
    later: &[],
};

/// The name of a credential is a file's name in one folder, and stays there.
const CREDENTIAL: Kind<String> = Kind {
    read: |text, _| {
        if text.is_empty() || text.contains('/') || text == "." || text == ".." {
            return Err(Wrong::new(format!("`{text}` is not a credential's name")));
        }
        Ok(text.to_owned())
    },
    show: String::clone,
};

impl Block<'_> {
    pub fn optional_secret(&self, key: &str) -> Result<Option<Secret>, Told> {
        let entry = self.entry(key);
        entry.map(|entry| self.secret(entry)).transpose()
    }

    pub fn required_secret(&self, key: &str) -> Result<Secret, Told> {
        self.optional_secret(key)?.ok_or_else(|| self.missing(key))
    }

    fn secret(&self, entry: &Entry) -> Result<Secret, Told> {
        let key = entry.key.as_str();
        let place = &entry.value.place;
        let secret = match &entry.value.content {
            Content::Scalar(text) => {
                // A variable of ours is as good as one of the user's.
                if !matches!(*place.origin, Origin::Environment(_)) {
                    let wrong = Wrong::new("the secret stands in the open");
                    let hint = "write where it is: `{ file: PATH }`, `{ env: NAME }` or \
                                `{ credential: NAME }` (systemd)";
                    self.reading.warn(place, &self.at(key), wrong.hint(hint));
                }
                text.clone()
            }
            Content::Nothing | Content::List(_) | Content::Block(_) => {
                fetch(&self.open_entry(entry, &KEYS)?)?
            }
        };
        if secret.is_empty() {
            return Err(self.wrong(key, Wrong::new("the secret is empty")));
        }
        let secret = Secret::new(secret);
        self.reading.say(place, &self.at(key), &secret);
        Ok(secret)
    }
}

fn fetch(source: &Block<'_>) -> Result<String, Told> {
    let surroundings = source.reading.surroundings;
    let (alternative, _) = source.one_of(KEYS.known)?;
    match alternative {
        "env" => {
            let name = source.required(alternative, &TEXT)?;
            surroundings
                .variable(&name)
                .map(str::to_owned)
                .ok_or_else(|| {
                    let what = format!("the environment variable `{name}` is not set");
                    source.wrong(alternative, Wrong::new(what))
                })
        }
        "credential" => {
            let name = source.required(alternative, &CREDENTIAL)?;
            let Some(folder) = surroundings.variable("CREDENTIALS_DIRECTORY") else {
                let wrong = Wrong::new("there is no `$CREDENTIALS_DIRECTORY`");
                let hint = "systemd sets it: `LoadCredential=NAME:PATH` in the unit";
                return Err(source.wrong(alternative, wrong.hint(hint)));
            };
            read(source, alternative, &Path::new(folder).join(name))
        }
        _ => {
            let path: PathBuf = source.required(alternative, &PATH)?;
            read(source, alternative, &path)
        }
    }
}

/// Editors end a file with a newline that belongs to nobody's password.
fn read(source: &Block<'_>, key: &str, path: &Path) -> Result<String, Told> {
    match source.reading.surroundings.read_text(path) {
        Ok(text) => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
        }
        Err(error) => {
            let what = format!("the file `{}` cannot be read: {error}", path.display());
            Err(source.wrong(key, Wrong::new(what)))
        }
    }
}
