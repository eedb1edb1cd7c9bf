//! Reading a request's body: counted as it arrives, hashed while it is hot.
//!
//! What a client announces costs us nothing, so nobody can take the room of others by promising much
//! and sending little. What has arrived counts until its records are stored, against the budget of
//! all and against its sender's share. There is no waiting for room: who finds none is told to slow
//! down.

mod gzip;

use std::error::Error;
use std::fmt;
use std::io;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use http::header::EXPECT;
use http::request::Parts;
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use crate::model::{Spare, limits};
use crate::outside::stop::{Phase, Stop};
use crate::server::Incoming;

/// How many bytes of bodies may be in memory at once, over all connections (L1), and how many of them
/// may be one sender's. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    /// Everybody's, and the shares of it that also count. All must have room.
    shares: Vec<Arc<Semaphore>>,
    /// For bodies that do not arrive in one piece.
    spare: Spare,
}

/// Bytes of a body that are here: permits of each share.
#[derive(Debug)]
struct Taken(Vec<OwnedSemaphorePermit>);

impl Budget {
    /// For one sender that has it all.
    pub fn new(bytes: usize) -> Budget {
        Budget {
            shares: vec![Arc::new(Semaphore::new(bytes))],
            spare: Spare::new(limits::SPARE_BODY_BYTES_MAX),
        }
    }

    /// The same budget for another sender, who may have so much of it.
    pub fn share(&self, bytes: usize) -> Budget {
        self.within(&Arc::new(Semaphore::new(bytes)))
    }

    /// The same budget, where `share` must have room as well.
    pub fn within(&self, share: &Arc<Semaphore>) -> Budget {
        let mut narrower = self.clone();
        narrower.shares.push(share.clone());
        narrower
    }

    fn left(&self) -> usize {
        let left = self.shares.iter().map(|share| share.available_permits());
        left.min().unwrap_or_default()
    }

    fn take(&self, bytes: usize) -> Option<Taken> {
        let count = u32::try_from(bytes).expect("L1: a body is far smaller than 4 GiB");
        let shares = self.shares.iter();
        let permits = shares.map(|share| share.clone().try_acquire_many_owned(count).ok());
        permits.collect::<Option<Vec<_>>>().map(Taken)
    }
}

impl Taken {
    fn add(&mut self, more: Taken) {
        let pairs = self.0.iter_mut().zip(more.0);
        pairs.for_each(|(permit, more)| permit.merge(more));
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
    taken: Taken,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("too many requests are being read")]
    Busy,
    #[error("the body was still on its way when the daemon was told to stop")]
    Draining,
    #[error("the body is larger than {} bytes", limits::REQUEST_BODY_BYTES_MAX)]
    TooLarge,
    #[error("the body did not arrive within {} seconds", limits::REQUEST_BODY_TIMEOUT.as_secs())]
    Late,
    #[error("nothing of the body came for {} seconds", limits::REQUEST_BODY_PAUSE_MAX.as_secs())]
    Stalled,
    /// The client went away, or sent less than it announced.
    #[error("the body ended early")]
    Broken(#[source] Box<dyn Error + Send + Sync>),
    #[error("the body is not gzip")]
    NotGzip(#[source] io::Error),
}

/// Reads the whole body, or nothing of it: one that is refused before it came is not read.
pub async fn read(
    body: &mut Incoming,
    budget: &Budget,
    hashing: Hashing,
    stop: &Stop,
) -> Result<Payload, ReadError> {
    let announced = body.size_hint().exact().unwrap_or_default();
    let announced = usize::try_from(announced).map_err(|_| ReadError::TooLarge)?;
    if limits::REQUEST_BODY_BYTES_MAX < announced {
        return Err(ReadError::TooLarge);
    }
    // It would be refused in the middle.
    if budget.left() < announced {
        return Err(ReadError::Busy);
    }
    tokio::select! {
        biased;
        arrived = timeout(limits::REQUEST_BODY_TIMEOUT, gather(body, budget, hashing)) => {
            arrived.unwrap_or(Err(ReadError::Late))
        }
        () = drained(stop) => Err(ReadError::Draining),
    }
}

/// Lets a refused body pass by, chunk by chunk: a client that is still sending may not listen before
/// it is done, and would find the connection broken instead of our answer.
pub async fn discard(head: &Parts, body: &mut Incoming, stop: &Stop) {
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
    tokio::select! {
        biased;
        () = passing => {}
        // The answer comes next, and then hyper closes what is not at its end.
        () = sleep(limits::REQUEST_HEADERS_TIMEOUT) => {}
        () = drained(stop) => {}
    }
}

/// Returns a moment after a stop has begun: what is on its way then may still arrive.
async fn drained(stop: &Stop) {
    stop.clone().reached(Phase::Draining).await;
    sleep(limits::REQUEST_DRAIN_GRACE).await;
}

async fn gather(
    body: &mut Incoming,
    budget: &Budget,
    hashing: Hashing,
) -> Result<Payload, ReadError> {
    let mut hasher = match hashing {
        Hashing::Sha256 => Some(Sha256::new()),
        Hashing::Unneeded => None,
    };
    let mut taken = budget.take(0).ok_or(ReadError::Busy)?;
    // Most bodies arrive in one piece, and are never copied.
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    while let Some(frame) = next(body).await? {
        let Ok(chunk) = frame.into_data() else {
            continue;
        };
        let arrived = first.len() + whole.len() + chunk.len();
        if limits::REQUEST_BODY_BYTES_MAX < arrived {
            return Err(ReadError::TooLarge);
        }
        taken.add(budget.take(chunk.len()).ok_or(ReadError::Busy)?);
        if let Some(hasher) = &mut hasher {
            hasher.update(&chunk);
        }
        if first.is_empty() && whole.is_empty() {
            first = chunk;
            continue;
        }
        if whole.capacity() < arrived {
            let left = body.size_hint().exact();
            let mut larger = budget.spare.take(believed(arrived, left));
            larger.extend_from_slice(&std::mem::take(&mut first));
            larger.extend_from_slice(&whole);
            drop(budget.spare.lend(std::mem::replace(&mut whole, larger)));
        }
        whole.extend_from_slice(&chunk);
    }
    let bytes = match whole.is_empty() {
        true => first,
        false => budget.spare.lend(whole),
    };
    Ok(Payload {
        bytes,
        sha256: hasher.map(|hasher| hasher.finalize().into()),
        taken,
    })
}

async fn next(body: &mut Incoming) -> Result<Option<Frame<Bytes>>, ReadError> {
    let frame = timeout(limits::REQUEST_BODY_PAUSE_MAX, body.frame()).await;
    let frame = frame.map_err(|_| ReadError::Stalled)?;
    frame.transpose().map_err(ReadError::Broken)
}

/// How large a buffer may be for a body of which so much is here: who sent an eighth is believed to
/// send the rest. Without a length (chunked) there is no telling, and it doubles.
fn believed(arrived: usize, left: Option<u64>) -> usize {
    match left {
        Some(left) => (arrived + left as usize).min(8 * arrived),
        None => 2 * arrived,
    }
}

impl Payload {
    /// For who wants to keep them without a copy.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Its sender is known by now: it does not count in the narrowest share any more.
    pub fn leave_narrowest_share(&mut self) {
        drop(self.taken.0.pop());
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
mod tests;
