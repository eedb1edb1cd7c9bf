//! A stream's lanes, and who reads them.
//!
//! A lane is a dense sequence of records (B3): those that arrived and, behind a transformer, its
//! answers. What must bring a lane's records to rest is a reader with a ledger of its own.

use crate::model::ReaderKind;

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
