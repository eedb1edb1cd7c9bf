//! The nouns and quantities that every other module speaks of.
//!
//! Nothing here does I/O, reads a clock or draws chance.

mod body;
mod byte_size;
mod description;
pub mod drawn;
mod error_output;
mod failure;
pub mod json;
pub mod limits;
mod name;
mod reader;
mod record_id;
mod records;
mod secret;
mod seq;
mod spare;
mod time;

pub use body::{Body, BodyError, Chunks};
pub use byte_size::{ByteSize, ByteSizeError};
pub use description::{
    BackupDescription, BufferingHints, Compression, DestinationDescription, HecEndpointType,
    HttpEndpointDescription, ObjectsDescription, SplunkDescription, StreamDescription,
    TransformDescription,
};
pub use error_output::ErrorOutput;
pub use failure::Failure;
pub use name::{DirectoryId, StreamName, StreamNameError};
pub use reader::ReaderKind;
pub use record_id::{RECORD_ID_CHARACTERS, RecordId};
pub use records::{Records, RecordsBuilder};
pub use secret::Secret;
pub use seq::{Seq, SeqRange};
pub use spare::Spare;
pub use time::{LogTime, Timestamp};
