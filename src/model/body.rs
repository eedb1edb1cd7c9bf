//! The bytes of a batch, which can be opened again for every attempt.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use futures_util::stream::BoxStream;

use crate::model::Records;

/// Reading failed; the source says why. Who made the body knows more (which records, for one).
#[derive(Clone, Debug, thiserror::Error)]
#[error("failed to read the batch back")]
pub struct BodyError(#[source] pub Arc<dyn Error + Send + Sync>);

/// The records of a batch in order, some at a time, so that no batch is ever whole in memory. Asked
/// again after its end, it says again that this is the end.
pub type Chunks = BoxStream<'static, Result<Records, BodyError>>;

/// A batch's records. `open` starts at the first record each time.
#[derive(Clone)]
pub struct Body {
    /// The sum of the records' bytes.
    bytes: u64,
    open: Arc<dyn Fn() -> Chunks + Send + Sync>,
}

impl Body {
    pub fn new(bytes: u64, open: impl Fn() -> Chunks + Send + Sync + 'static) -> Body {
        Body {
            bytes,
            open: Arc::new(open),
        }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn open(&self) -> Chunks {
        (self.open)()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.bytes)
    }
}
