//! A stream's lanes, and who reads them.
//!
//! A lane is a dense sequence of records (B3): those that arrived and, behind a transformer, its
//! answers. What must bring a lane's records to rest is a reader with a ledger of its own.

/// Numbers stand in frames: they are for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReaderKind {
    /// Delivers what arrived; behind it, or instead of it, a transformer's answers do the same.
    Arrivals = 0,
    /// Delivers a transformer's answers.
    Answers = 1,
    /// Copies what arrived to the source record backup.
    Backup = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    Arrivals,
    Answers,
}

/// One stream's lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LaneId {
    pub stream: u32,
    pub lane: Lane,
}

/// One stream's reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReaderId {
    pub stream: u32,
    pub kind: ReaderKind,
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

    pub fn lane(self) -> Lane {
        match self {
            ReaderKind::Arrivals | ReaderKind::Backup => Lane::Arrivals,
            ReaderKind::Answers => Lane::Answers,
        }
    }
}

impl ReaderId {
    pub fn lane(self) -> LaneId {
        LaneId {
            stream: self.stream,
            lane: self.kind.lane(),
        }
    }
}
