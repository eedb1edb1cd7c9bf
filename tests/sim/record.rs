//! What producers put, and what functions make of it. Every record says who it is, so whatever is
//! found anywhere can be looked up.
//!
//! ```text
//! a/clicks/101/7 kJx0…                       as it was put
//! a/clicks/101/7 *42 kJx…                    what the 42nd answer made of it
//! {"event":"a/clicks/101/7 kJx0…"}           the same for those who want JSON
//! ```

use std::fmt;

/// Sent once, under a name that never comes back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordName {
    pub machine: String,
    pub stream: String,
    pub producer: u32,
    pub number: u32,
}

/// How the records of a stream are written down. Each ends with a newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Line,
    /// As HEC's event endpoint wants it.
    Event,
}

/// A record as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub name: RecordName,
    /// Which answer of a function it is; `None`: it is as it was put.
    pub answer: Option<u64>,
    /// With its newline.
    pub bytes: u64,
}

const EVENT_START: &str = "{\"event\":\"";
const EVENT_END: &str = "\"}";

impl Shape {
    fn write(self, text: &str) -> Vec<u8> {
        match self {
            Shape::Line => format!("{text}\n"),
            Shape::Event => format!("{EVENT_START}{text}{EVENT_END}\n"),
        }
        .into_bytes()
    }

    /// What a line says, and how it is written.
    fn read(line: &str) -> (Shape, &str) {
        let event = line.strip_prefix(EVENT_START);
        match event.and_then(|rest| rest.strip_suffix(EVENT_END)) {
            Some(text) => (Shape::Event, text),
            None => (Shape::Line, line),
        }
    }

    fn around(self) -> usize {
        self.write("").len()
    }
}

impl RecordName {
    /// The record itself, filled up to about `bytes`.
    pub fn record(&self, shape: Shape, bytes: usize) -> Vec<u8> {
        self.written(shape, &format!("{self} "), bytes)
    }

    fn written(&self, shape: Shape, head: &str, bytes: usize) -> Vec<u8> {
        let filler = bytes.saturating_sub(head.len() + shape.around());
        let filler = self.filler().take(filler).map(char::from);
        shape.write(&head.chars().chain(filler).collect::<String>())
    }

    /// No two records are filled alike, and none can be packed much smaller.
    fn filler(&self) -> impl Iterator<Item = u8> {
        const LETTERS: &[u8; 64] =
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-";
        let mut dice =
            fastrand::Rng::with_seed(u64::from(self.producer) << 32 | u64::from(self.number));
        std::iter::repeat_with(move || LETTERS[dice.usize(..LETTERS.len())])
    }

    fn parse(text: &str) -> Option<RecordName> {
        let mut words = text.split('/');
        let name = RecordName {
            machine: words.next()?.to_owned(),
            stream: words.next()?.to_owned(),
            producer: words.next()?.parse().ok()?,
            number: words.next()?.parse().ok()?,
        };
        words.next().is_none().then_some(name)
    }

    /// One of so many records is one that no peer takes, whoever sends it and however often.
    pub fn is_poison(&self, one_of: u32) -> bool {
        (self.producer + self.number) % one_of == one_of - 1
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

impl Seen {
    /// `None` for anything that no producer ever wrote, and no function made of it.
    pub fn parse(line: &str) -> Option<Seen> {
        let (_, text) = Shape::read(line);
        let (name, rest) = text.split_once(' ')?;
        let name = RecordName::parse(name)?;
        let (answer, filler) = match rest.strip_prefix('*') {
            Some(rest) => {
                let (number, filler) = rest.split_once(' ')?;
                (Some(number.parse().ok()?), filler)
            }
            None => (None, rest),
        };
        let is_whole = name.filler().take(filler.len()).eq(filler.bytes());
        is_whole.then(|| Seen {
            name,
            answer,
            bytes: line.len() as u64 + 1,
        })
    }

    /// All the lines of `content`, whatever they are; `place` is where it was found.
    pub fn all(content: &[u8], place: &str) -> Vec<Seen> {
        let text = std::str::from_utf8(content).expect("records are text");
        assert!(text.ends_with('\n'), "{place} ends within a record");
        let seen = text.lines().map(|line| {
            let seen = Seen::parse(line);
            seen.unwrap_or_else(|| panic!("{place} holds what nobody sent: {line:.60}"))
        });
        seen.collect()
    }

    /// What a function makes of a record, of about `bytes`.
    pub fn answered(record: &[u8], answer: u64, bytes: usize) -> Vec<u8> {
        let line = std::str::from_utf8(record).expect("records are text");
        let (shape, _) = Shape::read(line.trim_end());
        let name = Seen::named(record);
        name.written(shape, &format!("{name} *{answer} "), bytes)
    }

    /// Whose record it is, without looking further.
    pub fn named(record: &[u8]) -> RecordName {
        let line = std::str::from_utf8(record).expect("records are text");
        let (_, text) = Shape::read(line.trim_end());
        let name = text.split(' ').next().and_then(RecordName::parse);
        name.unwrap_or_else(|| panic!("nobody sent this: {line:.60}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_and_what_was_made_of_it_say_who_they_are() {
        let name = RecordName {
            machine: "a".to_owned(),
            stream: "clicks".to_owned(),
            producer: 101,
            number: 7,
        };
        for shape in [Shape::Line, Shape::Event] {
            let record = name.record(shape, 60);
            assert_eq!(record.len(), 60);
            let answered = Seen::answered(&record, 42, 40);
            let both = [record, answered].concat();
            let seen = Seen::all(&both, "here");
            let told = seen
                .iter()
                .map(|seen| (&seen.name, seen.answer, seen.bytes));
            let expected = [(&name, None, 60), (&name, Some(42), 40)];
            assert_eq!(told.collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn what_nobody_wrote_is_nobodys() {
        for line in [
            "",
            "a/clicks/101/7",
            "a/clicks/101/7 x",
            "a/clicks/1 ",
            "b *7 ",
        ] {
            assert_eq!(Seen::parse(line), None, "{line}");
        }
    }
}
