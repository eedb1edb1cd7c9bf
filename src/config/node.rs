//! A tree of what was written, with the place of every key and value. Every scalar is the text that
//! stands in the file: an account id keeps its leading zeros, and what a value means is decided by
//! whoever reads it.

use super::place::Place;

#[derive(Clone, Debug)]
pub struct Node {
    pub place: Place,
    pub content: Content,
}

#[derive(Clone, Debug)]
pub enum Content {
    /// `key:` with nothing behind it, or `null`.
    Nothing,
    Scalar(String),
    List(Vec<Node>),
    /// In the order of the file.
    Block(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub place: Place,
    pub value: Node,
}

impl Node {
    /// The entries of a block; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Block(entries) => entries,
            Content::Nothing | Content::Scalar(_) | Content::List(_) => &[],
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// What kind of thing this is, for people.
    pub fn kind(&self) -> &'static str {
        match self.content {
            Content::Nothing => "nothing",
            Content::Scalar(_) => "a value",
            Content::List(_) => "a list",
            Content::Block(_) => "a block",
        }
    }
}

impl Content {
    /// The name in `name` or `name: { options }`.
    pub fn alternative(&self) -> Option<&str> {
        match self {
            Content::Scalar(name) => Some(name),
            Content::Block(entries) => match &entries[..] {
                [one] => Some(&one.key),
                _ => None,
            },
            Content::Nothing | Content::List(_) => None,
        }
    }
}
