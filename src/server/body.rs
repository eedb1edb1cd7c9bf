//! Reading a request's body: counted before it is read, hashed while it is hot.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use http::header::EXPECT;
use http::request::Parts;
use http_body::Body as _;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::model::{Spare, limits};
use crate::server::Incoming;

/// How many bytes of bodies may be in memory at once, over all connections (L1). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    bytes: Arc<Semaphore>,
    /// For bodies that do not arrive in one piece.
    spare: Spare,
}

impl Budget {
    pub fn new(bytes: usize) -> Budget {
        Budget {
            bytes: Arc::new(Semaphore::new(bytes)),
            spare: Spare::new(limits::SPARE_BODY_BYTES_MAX),
        }
    }

    fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let count = u32::try_from(bytes).expect("L1: a body is far smaller than 4 GiB");
        self.bytes.clone().try_acquire_many_owned(count).ok()
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::new(limits::REQUEST_BYTES_IN_FLIGHT_MAX)
    }
}

/// Whether somebody will ask for the body's hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashing {
    Sha256,
    Unneeded,
}

/// A whole body. Its bytes are given back to the budget when it is dropped.
pub struct Payload {
    bytes: Bytes,
    sha256: Option<[u8; 32]>,
    _taken: OwnedSemaphorePermit,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("too many requests are being read")]
    Busy,
    #[error("the body is larger than {} bytes", limits::REQUEST_BODY_BYTES_MAX)]
    TooLarge,
    #[error("the body did not arrive within {} seconds", limits::REQUEST_BODY_TIMEOUT.as_secs())]
    Late,
    /// The client went away, or sent less than it announced.
    #[error("the body ended early")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
}

/// Reads the whole body, or nothing of it: a refused one is not read.
///
/// An announced length is taken from the budget before the first byte; without one (chunked) we must
/// expect the largest.
pub async fn read(
    body: &mut Incoming,
    budget: &Budget,
    hashing: Hashing,
) -> Result<Payload, ReadError> {
    let most = limits::REQUEST_BODY_BYTES_MAX;
    let announced = match body.size_hint().exact() {
        Some(length) => usize::try_from(length).map_err(|_| ReadError::TooLarge)?,
        None => most,
    };
    if most < announced {
        return Err(ReadError::TooLarge);
    }
    let taken = budget.take(announced).ok_or(ReadError::Busy)?;
    let arriving = gather(body, announced, &budget.spare, hashing);
    let arrived = timeout(limits::REQUEST_BODY_TIMEOUT, arriving).await;
    let (bytes, sha256) = arrived.map_err(|_| ReadError::Late)??;
    Ok(Payload {
        bytes,
        sha256,
        _taken: taken,
    })
}

/// Lets a refused body pass by, chunk by chunk: a client that is still sending may not listen before
/// it is done, and would find the connection broken instead of our answer.
pub async fn discard(head: &Parts, body: &mut Incoming) {
    // Who asks first (`100-continue`) has not begun to send: hearing our answer, it never will.
    let asks_first = head.headers.contains_key(EXPECT);
    let most = limits::REQUEST_BODY_BYTES_MAX as u64;
    if asks_first || most < body.size_hint().exact().unwrap_or(most) {
        return;
    }
    let mut left = most;
    let passing = async {
        while let Some(Ok(frame)) = body.frame().await {
            let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
            left = left.saturating_sub(bytes);
            if left == 0 {
                break;
            }
        }
    };
    // In time or not: the answer comes next, and then hyper closes what is not at its end.
    let _ = timeout(limits::REQUEST_HEADERS_TIMEOUT, passing).await;
}

async fn gather(
    body: &mut Incoming,
    announced: usize,
    spare: &Spare,
    hashing: Hashing,
) -> Result<(Bytes, Option<[u8; 32]>), ReadError> {
    let mut hasher = match hashing {
        Hashing::Sha256 => Some(Sha256::new()),
        Hashing::Unneeded => None,
    };
    // Most bodies arrive in one piece, and are never copied.
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(chunk) = frame.map_err(ReadError::Broken)?.into_data() else {
            continue;
        };
        if announced < first.len() + whole.len() + chunk.len() {
            return Err(ReadError::TooLarge);
        }
        if let Some(hasher) = &mut hasher {
            hasher.update(&chunk);
        }
        if first.is_empty() && whole.is_empty() {
            first = chunk;
            continue;
        }
        if whole.is_empty() {
            // Without a length there is no telling: the buffer grows as it must.
            let left = body.size_hint().exact().unwrap_or_default();
            whole = spare.take(first.len() + chunk.len() + left as usize);
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&chunk);
    }
    let bytes = if whole.is_empty() {
        first
    } else {
        spare.lend(whole)
    };
    Ok((bytes, hasher.map(|hasher| hasher.finalize().into())))
}

impl Payload {
    /// For who wants to keep them without a copy.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Of the whole body.
    pub fn sha256(&self) -> [u8; 32] {
        self.sha256.expect("`Hashing::Sha256` was asked for")
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Payload {
    /// No record's bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body::Frame;
    use http_body_util::StreamBody;

    use super::*;

    fn in_pieces(pieces: &[&[u8]]) -> Incoming {
        let frames: Vec<_> = pieces
            .iter()
            .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
            .collect();
        StreamBody::new(stream::iter(frames)).boxed_unsync()
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_the_body_in_one() {
        let budget = Budget::default();
        let whole = read(&mut in_pieces(&[b"abc"]), &budget, Hashing::Sha256)
            .await
            .unwrap();
        let pieces = &mut in_pieces(&[b"a", b"", b"b", b"c"]);
        let pieces = read(pieces, &budget, Hashing::Sha256).await.unwrap();
        assert_eq!(&*pieces, b"abc");
        assert_eq!(*pieces, *whole);
        assert_eq!(pieces.sha256(), whole.sha256());
        assert_eq!(pieces.sha256()[..4], [0xba, 0x78, 0x16, 0xbf]);
        let nothing = read(&mut in_pieces(&[]), &budget, Hashing::Sha256)
            .await
            .unwrap();
        assert_eq!(&*nothing, b"");
        assert_eq!(nothing.sha256()[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    }

    #[tokio::test]
    async fn the_budget_counts_what_is_held() {
        let budget = Budget::new(6);
        let read = async |text: &'static str| {
            read(
                &mut crate::server::incoming(text),
                &budget,
                Hashing::Unneeded,
            )
            .await
        };
        let first = read("abcd").await.unwrap();
        assert!(matches!(read("abc").await, Err(ReadError::Busy)));
        let second = read("ab").await.unwrap();
        drop(first);
        assert!(read("abcd").await.is_ok());
        drop(second);
    }
}
