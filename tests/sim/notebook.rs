//! What the producers know: which records they sent, and which they were promised.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use standpipe::model::Seq;

use crate::record::RecordName;

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
