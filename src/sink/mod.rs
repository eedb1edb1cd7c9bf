//! Where batches come to rest.
//!
//! A sink is asked twice: once for its `plan`, when the batch is cut, and then to `deliver` what the
//! plan says, as often as it takes. It knows nothing of the buffer.

pub mod endpoint;
pub mod http_endpoint;
mod meaning;
pub mod objects;
pub mod parts;
pub mod plan;
pub mod splunk;
mod url;

use futures_util::future::BoxFuture;

use crate::model::{Body, DirectoryId, ReaderKind, Seq, SeqRange, StreamName, Timestamp};
use crate::objects::Refusal;

/// Why a batch was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlushReason {
    Size,
    Interval,
    Drain,
    /// It was cut for another destination than its stream has today, and planned again.
    Moved,
}

impl FlushReason {
    /// Of new batches.
    pub const OF_CUTS: [FlushReason; 3] =
        [FlushReason::Size, FlushReason::Interval, FlushReason::Drain];

    pub fn as_str(self) -> &'static str {
        match self {
            FlushReason::Size => "size",
            FlushReason::Interval => "interval",
            FlushReason::Drain => "drain",
            FlushReason::Moved => "moved",
        }
    }
}

/// What is known of a batch when it is cut.
#[derive(Clone, Debug)]
pub struct BatchFacts {
    pub directory: DirectoryId,
    pub stream: StreamName,
    /// The settings' version.
    pub version: u32,
    pub range: SeqRange,
    pub reader: ReaderKind,
    pub records: u64,
    pub bytes: u64,
    pub first_arrival: Timestamp,
    pub reason: FlushReason,
}

/// What was decided when the batch was cut, in the sink's own words: it stands in the log, and a
/// repeat uses it, never today's settings (D3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(pub Vec<u8>);

/// A batch on its way. `body` leaves out what had to be quarantined.
#[derive(Clone, Debug)]
pub struct Batch {
    pub plan: Plan,
    pub body: Body,
    pub first: Seq,
    pub records: u64,
}

/// What came to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Where: the object's key.
    pub place: String,
    /// As stored, after compression.
    pub bytes: u64,
}

pub trait Sink: Send + Sync {
    /// As its plans say it.
    fn kind(&self) -> &'static str;

    fn plan(&self, facts: &BatchFacts) -> Plan;

    /// Whether it can carry out a plan, perhaps of an earlier life.
    fn reads(&self, plan: &Plan) -> Result<(), Refusal>;

    fn deliver<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Refusal>>;

    /// Removes what earlier lives left half done, given the plans of all open cuts.
    fn clean<'a>(&'a self, open: &'a [Plan]) -> BoxFuture<'a, Result<(), Refusal>>;
}
