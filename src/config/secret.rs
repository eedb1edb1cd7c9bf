//! Where secrets come from: a file, an environment variable, or systemd's credentials. Files are
//! followed: what stands in them later replaces the secret.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use super::kind::{Kind, PATH, TEXT};
use super::node::{Content, Entry};
use super::place::Origin;
use super::problem::Wrong;
use super::reading::{Block, Keys, NOTHING_BEHIND, Reading, Told};
use crate::model::{Secret, limits};
use crate::outside::{Followed, Surroundings};

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

/// What a secret must be made of, beside not being empty.
pub type Rule = fn(&str) -> Result<(), Wrong>;

pub const ANY: Rule = |_| Ok(());

/// Sent in a header as it is.
pub const ACCESS_KEY: Rule = |text| {
    let most = limits::FIREHOSE_ENDPOINT_ACCESS_KEY_CHARACTERS_MAX;
    if most < text.chars().count() {
        return Err(Wrong::new(format!(
            "the key has more than {most} characters"
        )));
    }
    if http::HeaderValue::from_bytes(text.as_bytes()).is_err() {
        let wrong = Wrong::new("the key has characters that no header can carry");
        return Err(wrong.hint("no line breaks and no other control characters"));
    }
    Ok(())
};

/// It travels in a header.
pub const HEADER: Rule = |text| {
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    let wrong = Wrong::new("the token has characters that no header can carry");
    Err(wrong.hint("letters, digits and ASCII punctuation, no blanks"))
};

/// A value that was written in the open, or found where a secret should be.
pub struct Discreet {
    found: Found,
    /// Itself, if it was written in the open.
    pub shown: String,
}

impl Discreet {
    /// As it is now: for what is read once.
    pub fn text(&self) -> &str {
        &self.found.text
    }

    /// From now on another one, whenever its file is.
    pub fn followed(self, reading: &Reading<'_>) -> Secret {
        if let Some(followed) = self.found.followed {
            reading.follow(followed);
        }
        self.found.secret
    }
}

/// What was found where a secret should be.
struct Found {
    text: String,
    secret: Secret,
    /// Where it stands in a file of its own.
    followed: Option<Followed>,
}

impl Found {
    fn text(text: &str) -> Found {
        Found {
            text: text.to_owned(),
            secret: Secret::new(text),
            followed: None,
        }
    }
}

impl Block<'_> {
    pub fn optional_secret(&self, key: &str, rule: Rule) -> Result<Option<Secret>, Told> {
        let entry = self.entry(key);
        entry.map(|entry| self.secret(entry, rule)).transpose()
    }

    pub fn required_secret(&self, key: &str, rule: Rule) -> Result<Secret, Told> {
        self.optional_secret(key, rule)?
            .ok_or_else(|| self.missing(key))
    }

    /// A value that may be a secret, and need not be. Whoever asks says it, and how.
    pub fn discreet(&self, entry: &Entry, rule: Rule) -> Result<Discreet, Told> {
        let (found, shown) = match &entry.value.content {
            Content::Scalar(text) => (Found::text(text), text.clone()),
            Content::Nothing => {
                let wrong = Wrong::new(NOTHING_BEHIND).hint("give it a value, or leave it out");
                let path = self.at(&entry.key);
                return Err(self.reading.wrong(&entry.place, &path, wrong));
            }
            Content::List(_) | Content::Block(_) => {
                let found = fetch(&self.open_entry(entry, &KEYS)?, rule)?;
                let shown = found.secret.to_string();
                (found, shown)
            }
        };
        let kept = rule(&found.text);
        kept.map_err(|wrong| {
            let place = &entry.value.place;
            self.reading.wrong(place, &self.at(&entry.key), wrong)
        })?;
        Ok(Discreet { found, shown })
    }

    /// A secret that is read once, being part of something else.
    pub fn hidden(&self, entry: &Entry, rule: Rule) -> Result<Discreet, Told> {
        let discreet = self.discreet(entry, rule)?;
        if let Content::Scalar(_) = &entry.value.content {
            self.warn_in_the_open(entry);
        }
        let shown = discreet.found.secret.to_string();
        Ok(Discreet { shown, ..discreet })
    }

    /// A variable of ours is as good as one of the user's.
    fn warn_in_the_open(&self, entry: &Entry) {
        let place = &entry.value.place;
        if !matches!(*place.origin, Origin::Environment(_)) {
            let wrong = Wrong::new("the secret stands in the open");
            let hint = "write where it is: `{ file: PATH }`, `{ env: NAME }` or \
                        `{ credential: NAME }` (systemd)";
            self.reading
                .warn(place, &self.at(&entry.key), wrong.hint(hint));
        }
    }

    fn secret(&self, entry: &Entry, rule: Rule) -> Result<Secret, Told> {
        let key = entry.key.as_str();
        let place = &entry.value.place;
        let found = match &entry.value.content {
            Content::Scalar(text) => {
                self.warn_in_the_open(entry);
                Found::text(text)
            }
            Content::Nothing | Content::List(_) | Content::Block(_) => {
                fetch(&self.open_entry(entry, &KEYS)?, rule)?
            }
        };
        keeps(rule, &found.text).map_err(|wrong| self.wrong(key, wrong))?;
        if let Some(followed) = found.followed {
            self.reading.follow(followed);
        }
        self.reading.say(place, &self.at(key), &found.secret);
        Ok(found.secret)
    }
}

fn keeps(rule: Rule, text: &str) -> Result<(), Wrong> {
    if text.is_empty() {
        return Err(Wrong::new("the secret is empty"));
    }
    rule(text)
}

fn fetch(source: &Block<'_>, rule: Rule) -> Result<Found, Told> {
    let surroundings = source.reading.surroundings;
    let (alternative, _) = source.one_of(KEYS.known)?;
    match alternative {
        "env" => {
            let name = source.required(alternative, &TEXT)?;
            let text = surroundings.variable(&name).ok_or_else(|| {
                let what = format!("the environment variable `{name}` is not set, or is empty");
                source.wrong(alternative, Wrong::new(what))
            })?;
            Ok(Found::text(text))
        }
        "credential" => {
            let name = source.required(alternative, &CREDENTIAL)?;
            let Some(folder) = surroundings.variable("CREDENTIALS_DIRECTORY") else {
                let wrong = Wrong::new("there is no `$CREDENTIALS_DIRECTORY`");
                let hint = "systemd sets it: `LoadCredential=NAME:PATH` in the unit";
                return Err(source.wrong(alternative, wrong.hint(hint)));
            };
            in_file(source, alternative, &Path::new(folder).join(name), rule)
        }
        _ => {
            let path: PathBuf = source.required(alternative, &PATH)?;
            in_file(source, alternative, &path, rule)
        }
    }
}

/// A changed file becomes the secret, if it is as good as the first one had to be.
fn in_file(source: &Block<'_>, key: &str, path: &Path, rule: Rule) -> Result<Found, Told> {
    let surroundings = source.reading.surroundings;
    let secret = Secret::new("");
    let (replaced, file) = (secret.clone(), path.to_owned());
    let followed = Followed::new(vec![path.to_owned()], surroundings, move |surroundings| {
        let text = read(surroundings, &file)?;
        keeps(rule, &text).map_err(|wrong| wrong.what)?;
        replaced.replace(text);
        Ok::<_, Box<dyn Error + Send + Sync>>(())
    });
    match read(surroundings, path) {
        Ok(text) => {
            secret.replace(text.as_str());
            Ok(Found {
                text,
                secret,
                followed: Some(followed),
            })
        }
        Err(error) => {
            let what = format!("the file `{}` cannot be read: {error}", path.display());
            Err(source.wrong(key, Wrong::new(what)))
        }
    }
}

/// Editors end a file with a newline that belongs to nobody's password.
fn read(surroundings: &Surroundings, path: &Path) -> io::Result<String> {
    let text = surroundings.read_text(path)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
