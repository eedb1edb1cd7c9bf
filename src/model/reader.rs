//! Who reads a stream's records, to bring them somewhere.

/// Numbers stand in frames, names in what is drawn for objects' names: they are for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReaderKind {
    /// Delivers what arrived; behind a transformer, its answers are delivered instead.
    Arrivals = 0,
    /// Delivers a transformer's answers.
    Answers = 1,
    /// Copies what arrived to the source record backup.
    Backup = 2,
}

impl ReaderKind {
    pub const ALL: [ReaderKind; 3] = [
        ReaderKind::Arrivals,
        ReaderKind::Answers,
        ReaderKind::Backup,
    ];

    pub fn from_byte(byte: u8) -> Option<ReaderKind> {
        ReaderKind::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            ReaderKind::Arrivals => "delivery",
            ReaderKind::Answers => "answers",
            ReaderKind::Backup => "backup",
        }
    }
}
