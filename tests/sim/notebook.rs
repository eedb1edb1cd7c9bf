//! What the producers know: which records they sent, and which they were promised.
//!
//! Every record says who it is, so that whatever is found at rest can be looked up here.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use standpipe::model::Seq;

/// Sent once, under a name that never comes back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecordName {
    pub machine: String,
    pub stream: String,
    pub producer: u32,
    pub number: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// No answer, or one that leaves it open.
    Unknown,
    /// Told that it was not taken.
    Refused,
    Acknowledged {
        seq: Seq,
    },
}

#[derive(Clone, Copy, Debug)]
pub struct Note {
    pub bytes: u64,
    pub sent: Duration,
    /// When the promise was given.
    pub answered: Duration,
    pub promise: Promise,
}

/// Cheap to clone; all clones are the same notebook.
#[derive(Clone, Default)]
pub struct Notebook(Arc<Mutex<BTreeMap<RecordName, Note>>>);

impl RecordName {
    /// The record itself: its name, filled up to about `bytes`, and a newline.
    pub fn record(&self, bytes: usize) -> Vec<u8> {
        let mut record = format!("{self} ").into_bytes();
        let filler = bytes.saturating_sub(record.len() + 1);
        record.extend(self.filler().take(filler));
        record.push(b'\n');
        record
    }

    /// No two records are filled alike, and none can be packed much smaller.
    fn filler(&self) -> impl Iterator<Item = u8> {
        const LETTERS: &[u8; 64] =
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";
        let mut dice =
            fastrand::Rng::with_seed(u64::from(self.producer) << 32 | u64::from(self.number));
        std::iter::repeat_with(move || LETTERS[dice.usize(..LETTERS.len())])
    }

    /// `None` for anything that no producer ever wrote.
    pub fn parse(record: &str) -> Option<RecordName> {
        let (name, filler) = record.split_once(' ')?;
        let mut words = name.split('/');
        let name = RecordName {
            machine: words.next()?.to_owned(),
            stream: words.next()?.to_owned(),
            producer: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
        };
        let whole = name.filler().take(filler.len()).eq(filler.bytes());
        (whole && words.next().is_none()).then_some(name)
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RecordName {
            machine,
            stream,
            producer,
            number,
        } = self;
        write!(f, "{machine}/{stream}/{producer}/{number}")
    }
}

impl Notebook {
    pub fn sent(&self, name: RecordName, bytes: usize, at: Duration) {
        let note = Note {
            bytes: bytes as u64,
            sent: at,
            answered: at,
            promise: Promise::Unknown,
        };
        let before = self.0.lock().unwrap().insert(name, note);
        assert!(before.is_none(), "a name is used once");
    }

    pub fn promised(&self, name: &RecordName, promise: Promise, at: Duration) {
        let mut notes = self.0.lock().unwrap();
        let note = notes.get_mut(name).expect("it was sent");
        note.promise = promise;
        note.answered = at;
    }

    /// How many records of a stream were promised so far.
    pub fn acknowledged(&self, machine: &str, stream: &str) -> u64 {
        let notes = self.0.lock().unwrap();
        let promised = notes.iter().filter(|(name, note)| {
            let acknowledged = matches!(note.promise, Promise::Acknowledged { .. });
            acknowledged && name.machine == machine && name.stream == stream
        });
        promised.count() as u64
    }

    pub fn all_acknowledged(&self) -> u64 {
        let notes = self.0.lock().unwrap();
        let promises = notes.values().map(|note| note.promise);
        let acknowledged = |promise: &Promise| matches!(promise, Promise::Acknowledged { .. });
        promises.filter(acknowledged).count() as u64
    }

    pub fn notes(&self) -> BTreeMap<RecordName, Note> {
        self.0.lock().unwrap().clone()
    }
}
