//! A walk over the tree that reports every problem and remembers every value with its origin.
//!
//! serde stops at the first error and knows no places, so sections are read by hand: open a block
//! with the keys that it may have, read each, and only then put the results together with `?`.

use std::cell::{OnceCell, RefCell};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::kind::Kind;
use super::node::{Content, Entry, Node};
use super::place::Place;
use super::problem::{Problem, Wrong};
use super::yaml;
use crate::outside::{Followed, Surroundings};

/// What is wrong with a key that was written without a value.
pub const NOTHING_BEHIND: &str = "there is nothing behind the key";

/// The problem has been reported; there is no value.
#[derive(Clone, Copy, Debug)]
pub struct Told;

/// A value as `check` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub path: String,
    pub value: String,
    pub place: Place,
}

pub struct Reading<'a> {
    pub surroundings: &'a Surroundings,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    said: RefCell<Vec<Said>>,
    followed: RefCell<Vec<Followed>>,
    /// Where nobody else may put anything, as it is written.
    storage: OnceCell<PathBuf>,
}

/// What a reading leaves behind.
pub struct Notes {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub said: Vec<Said>,
    /// Files whose content is in use.
    pub followed: Vec<Followed>,
}

impl<'a> Reading<'a> {
    pub fn new(surroundings: &'a Surroundings, problems: Vec<Problem>) -> Reading<'a> {
        Reading {
            surroundings,
            problems: RefCell::new(problems),
            warnings: RefCell::default(),
            said: RefCell::default(),
            followed: RefCell::default(),
            storage: OnceCell::new(),
        }
    }

    pub fn done(self) -> Notes {
        Notes {
            problems: self.problems.into_inner(),
            warnings: self.warnings.into_inner(),
            said: self.said.into_inner(),
            followed: self.followed.into_inner(),
        }
    }

    pub fn wrong(&self, place: &Place, path: &str, wrong: Wrong) -> Told {
        self.problems.borrow_mut().push(Problem {
            place: Some(place.clone()),
            path: path.to_owned(),
            wrong,
        });
        Told
    }

    pub fn warn(&self, place: &Place, path: &str, wrong: Wrong) {
        self.warnings.borrow_mut().push(Problem {
            place: Some(place.clone()),
            path: path.to_owned(),
            wrong,
        });
    }

    pub fn say(&self, place: &Place, path: &str, value: impl Display) {
        self.said.borrow_mut().push(Said {
            path: path.to_owned(),
            value: value.to_string(),
            place: place.clone(),
        });
    }

    /// The log's own directory, of which every folder that is read later must keep clear.
    pub fn keep_clear_of(&self, storage: PathBuf) {
        self.storage
            .set(storage)
            .expect("there is one storage directory");
    }

    /// The storage directory, if it is this folder, in it, or around it.
    pub fn storage_at(&self, folder: &Path) -> Option<&Path> {
        let storage = self.storage.get()?;
        let one = self.surroundings.resolved(storage);
        let other = self.surroundings.resolved(folder);
        let overlap = one.starts_with(&other) || other.starts_with(&one);
        overlap.then_some(storage)
    }

    /// The file may change while its content is in use.
    pub fn follow(&self, followed: Followed) {
        self.followed.borrow_mut().push(followed);
    }

    /// The whole tree, of which keys that begin with `x-` are never read.
    pub fn root(&'a self, root: &'a Node, keys: &'static Keys) -> Block<'a> {
        self.open(String::new(), root.place.clone(), Some(root), keys)
    }

    fn open(
        &'a self,
        path: String,
        place: Place,
        node: Option<&'a Node>,
        keys: &'static Keys,
    ) -> Block<'a> {
        let block = Block {
            reading: self,
            path,
            place,
            node,
            keys,
        };
        block.report_unknown_keys();
        block.report_empty_keys();
        block
    }
}

/// The keys that a block may have.
pub struct Keys {
    pub known: &'static [&'static str],
    /// Keys of the design that this version does not offer.
    pub later: &'static [&'static str],
}

/// Of a block whose keys are names.
static NAMES: Keys = Keys {
    known: &[],
    later: &[],
};

/// A block of the file, or the place where one could stand.
#[derive(Clone)]
pub struct Block<'a> {
    pub reading: &'a Reading<'a>,
    pub path: String,
    /// Of the block itself, or of the block around it.
    pub place: Place,
    node: Option<&'a Node>,
    keys: &'static Keys,
}

impl<'a> Block<'a> {
    /// The value's path.
    pub fn at(&self, key: &str) -> String {
        yaml::join(&self.path, key)
    }

    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        debug_assert!(self.may_have(key), "`{key}` is read, so it is known");
        let entry = self.node?.entry(key)?;
        (!matches!(entry.value.content, Content::Nothing)).then_some(entry)
    }

    /// `key:` with nothing behind it, which has been reported.
    fn is_empty(&self, key: &str) -> bool {
        let entry = self.node.and_then(|node| node.entry(key));
        entry.is_some_and(|entry| matches!(entry.value.content, Content::Nothing))
    }

    pub fn may_have(&self, key: &str) -> bool {
        self.keys.known.contains(&key)
    }

    /// Where a key's value stands, or its block if it has none.
    pub fn place_of(&self, key: &str) -> &Place {
        self.entry(key)
            .map_or(&self.place, |entry| &entry.value.place)
    }

    /// Reports a problem of the key's value.
    pub fn wrong(&self, key: &str, wrong: Wrong) -> Told {
        self.reading.wrong(self.place_of(key), &self.at(key), wrong)
    }

    pub fn optional<T>(&self, key: &str, kind: &Kind<T>) -> Result<Option<T>, Told> {
        let Some((value, place)) = self.peek(key, kind)? else {
            return Ok(None);
        };
        self.reading.say(&place, &self.at(key), (kind.show)(&value));
        Ok(Some(value))
    }

    /// A value and its place, of which `check` will hear in another way.
    pub fn peek<T>(&self, key: &str, kind: &Kind<T>) -> Result<Option<(T, Place)>, Told> {
        let Some(entry) = self.entry(key) else {
            return Ok(None);
        };
        let text = self.scalar(key, &entry.value)?;
        let value = (kind.read)(text, &entry.value.place.origin);
        let value = value.map_err(|wrong| self.wrong(key, wrong))?;
        Ok(Some((value, entry.value.place.clone())))
    }

    /// The value as it stands there, for whoever does not take it.
    pub fn written(&self, key: &str) -> String {
        match self.entry(key).map(|entry| &entry.value.content) {
            Some(Content::Scalar(text)) => text.clone(),
            Some(Content::Nothing | Content::List(_) | Content::Block(_)) | None => String::new(),
        }
    }

    pub fn or<T>(&self, key: &str, kind: &Kind<T>, default: T) -> Result<T, Told> {
        if let Some(value) = self.optional(key, kind)? {
            return Ok(value);
        }
        let shown = (kind.show)(&default);
        self.reading
            .say(&Place::default_value(), &self.at(key), shown);
        Ok(default)
    }

    pub fn required<T>(&self, key: &str, kind: &Kind<T>) -> Result<T, Told> {
        match self.optional(key, kind)? {
            Some(value) => Ok(value),
            None => Err(self.missing(key)),
        }
    }

    pub fn missing(&self, key: &str) -> Told {
        self.absent(key, Wrong::new("is missing"))
    }

    /// Something that should be there, and why.
    pub fn absent(&self, key: &str, wrong: Wrong) -> Told {
        if self.is_empty(key) {
            return Told;
        }
        self.reading.wrong(&self.place, &self.at(key), wrong)
    }

    /// One of a few words.
    pub fn choice<T: Copy + PartialEq>(
        &self,
        key: &str,
        words: &[(&'static str, T)],
        default: T,
    ) -> Result<T, Told> {
        let (place, value) = match self.entry(key) {
            None => (Place::default_value(), default),
            Some(entry) => {
                let text = self.word(key, entry)?;
                let found = words.iter().find(|(word, _)| *word == text);
                let Some((_, value)) = found else {
                    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                    let wrong = Wrong::new(format!("`{text}` is not one of {}", names.join(", ")));
                    return Err(self.wrong(key, with_nearest(wrong, text, &names)));
                };
                (entry.value.place.clone(), *value)
            }
        };
        let word = words.iter().find(|(_, known)| *known == value);
        let (word, _) = word.expect("the default is one of the words");
        self.reading.say(&place, &self.at(key), word);
        Ok(value)
    }

    /// The name in `name` or `name: {}`; the words of a choice have no options.
    fn word<'n>(&self, key: &str, entry: &'n Entry) -> Result<&'n str, Told> {
        let Content::Block(names) = &entry.value.content else {
            return self.scalar(key, &entry.value);
        };
        let [name] = &names[..] else {
            return self.scalar(key, &entry.value);
        };
        match &name.value.content {
            Content::Block(options) if options.is_empty() => Ok(&name.key),
            Content::Nothing | Content::Scalar(_) | Content::List(_) | Content::Block(_) => {
                let path = yaml::join(&self.at(key), &name.key);
                let wrong = Wrong::new("has no options here");
                let hint = format!("write `{key}: {}`", name.key);
                Err(self.reading.wrong(&name.place, &path, wrong.hint(hint)))
            }
        }
    }

    fn scalar<'n>(&self, key: &str, node: &'n Node) -> Result<&'n str, Told> {
        match &node.content {
            Content::Scalar(text) => Ok(text),
            Content::Nothing | Content::List(_) | Content::Block(_) => {
                let what = format!("expected one value, found {}", node.kind());
                Err(self.wrong(key, Wrong::new(what)))
            }
        }
    }

    /// A block within this one; when it is absent, every key of it is.
    pub fn block(&self, key: &str, keys: &'static Keys) -> Result<Block<'a>, Told> {
        if self.is_empty(key) {
            return Err(Told);
        }
        let Some(entry) = self.entry(key) else {
            let (path, place) = (self.at(key), self.place.clone());
            return Ok(self.reading.open(path, place, None, keys));
        };
        self.open_entry(entry, keys)
    }

    /// A block within this one, if it is there.
    pub fn block_if_given(
        &self,
        key: &str,
        keys: &'static Keys,
    ) -> Result<Option<Block<'a>>, Told> {
        if self.is_empty(key) {
            return Err(Told);
        }
        let entry = self.entry(key);
        entry.map(|entry| self.open_entry(entry, keys)).transpose()
    }

    pub fn open_entry(&self, entry: &'a Entry, keys: &'static Keys) -> Result<Block<'a>, Told> {
        let path = self.at(&entry.key);
        match &entry.value.content {
            Content::Block(_) => {
                let place = entry.place.clone();
                Ok(self.reading.open(path, place, Some(&entry.value), keys))
            }
            Content::Nothing => {
                let hint = format!("its keys: {}", keys.known.join(", "));
                let wrong = Wrong::new(NOTHING_BEHIND).hint(hint);
                Err(self.reading.wrong(&entry.place, &path, wrong))
            }
            Content::Scalar(_) | Content::List(_) => {
                let what = format!("expected a block of keys, found {}", entry.value.kind());
                let wrong = Wrong::new(what).hint(format!("its keys: {}", keys.known.join(", ")));
                Err(self.reading.wrong(&entry.value.place, &path, wrong))
            }
        }
    }

    /// A block whose keys are names (streams, producers, profiles), and its entries.
    pub fn named(&self, key: &str) -> Result<(Block<'a>, &'a [Entry]), Told> {
        let mut block = Block {
            reading: self.reading,
            path: self.at(key),
            place: self.place.clone(),
            node: None,
            keys: &NAMES,
        };
        let Some(entry) = self.entry(key) else {
            return Ok((block, &[]));
        };
        block.place = entry.place.clone();
        match &entry.value.content {
            Content::Block(entries) => Ok((block, entries)),
            Content::Nothing | Content::Scalar(_) | Content::List(_) => {
                let what = format!("expected a block of names, found {}", entry.value.kind());
                Err(self.wrong(key, Wrong::new(what)))
            }
        }
    }

    /// Texts, as a list or as one alone.
    pub fn texts(&self, key: &str) -> Result<Vec<(&'a str, &'a Place)>, Told> {
        let Some(entry) = self.entry(key) else {
            return Ok(Vec::new());
        };
        let items = match &entry.value.content {
            Content::List(items) => items.as_slice(),
            Content::Nothing | Content::Scalar(_) | Content::Block(_) => {
                std::slice::from_ref(&entry.value)
            }
        };
        let mut texts = Vec::new();
        for item in items {
            let Content::Scalar(text) = &item.content else {
                let what = format!("expected texts, found {}", item.kind());
                return Err(self
                    .reading
                    .wrong(&item.place, &self.at(key), Wrong::new(what)));
            };
            texts.push((text.as_str(), &item.place));
        }
        let shown: Vec<&str> = texts.iter().map(|(text, _)| *text).collect();
        self.reading
            .say(&entry.value.place, &self.at(key), shown.join(", "));
        Ok(texts)
    }

    /// Which of several alternatives this block names: exactly one.
    pub fn one_of(&self, alternatives: &[&'static str]) -> Result<(&'static str, &'a Entry), Told> {
        let given = alternatives
            .iter()
            .filter_map(|name| Some((*name, self.entry(name)?)));
        let given: Vec<_> = given.collect();
        if let [one] = given[..] {
            return Ok(one);
        }
        let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
        let found = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(" and ")
        };
        let what = format!(
            "needs exactly one of {}; found {found}",
            alternatives.join(", ")
        );
        // An unknown or empty key in its place has been reported already, and better.
        let is_other = |entry: &Entry| !self.may_have(&entry.key) || self.is_empty(&entry.key);
        let entries = self.node.map_or(&[][..], Node::entries);
        let is_told = given.is_empty() && entries.iter().any(is_other);
        if is_told {
            return Err(Told);
        }
        Err(self
            .reading
            .wrong(&self.place, &self.path, Wrong::new(what)))
    }

    fn report_unknown_keys(&self) {
        let entries = self.node.map_or(&[][..], Node::entries);
        for entry in entries {
            let key = entry.key.as_str();
            let is_private = self.path.is_empty() && key.starts_with("x-");
            if is_private || self.keys.known.contains(&key) {
                continue;
            }
            let wrong = unknown(key, self.keys);
            self.reading.wrong(&entry.place, &self.at(key), wrong);
        }
    }

    /// Whoever writes a key means something: without its value they would get what they did not ask
    /// for, such as records that no function saw.
    fn report_empty_keys(&self) {
        for key in self.keys.known.iter().filter(|key| self.is_empty(key)) {
            let entry = self.node.and_then(|node| node.entry(key));
            let place = entry.map_or(&self.place, |entry| &entry.place);
            let wrong = Wrong::new(NOTHING_BEHIND).hint("give it a value, or leave it out");
            self.reading.wrong(place, &self.at(key), wrong);
        }
    }
}

/// What to say of a name that is not among `keys`.
pub fn unknown(key: &str, keys: &Keys) -> Wrong {
    let known = keys.known.join(", ");
    if keys.later.contains(&key) {
        let wrong = Wrong::new("not offered in this version");
        return wrong.hint(format!("offered here: {known}"));
    }
    let wrong = Wrong::new("unknown key");
    match with_nearest(wrong, key, keys.known) {
        Wrong { what, hint: None } => Wrong::new(what).hint(format!("allowed here: {known}")),
        wrong => wrong,
    }
}

/// Adds the nearest of `names`, if one is near enough to have been meant.
pub fn with_nearest(wrong: Wrong, given: &str, names: &[&str]) -> Wrong {
    let given = given.to_lowercase().replace('-', "_");
    let similar = |name: &&&str| strsim::jaro_winkler(&given, name);
    let nearest = names
        .iter()
        .max_by(|a, b| similar(a).total_cmp(&similar(b)));
    match nearest {
        Some(nearest) if 0.8 < similar(&nearest) => {
            wrong.hint(format!("did you mean `{nearest}`?"))
        }
        Some(_) | None => wrong,
    }
}
