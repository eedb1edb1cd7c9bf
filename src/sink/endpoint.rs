//! A sink that takes requests of bounded size instead of whole objects.
//!
//! A batch for it is split into parts (`parts`), and each part is one request, which is tried until
//! it is taken, refused for good, or its retry duration is over (D5). The endpoint knows how one
//! request goes and what each answer means; how often it is tried is the pipeline's part.

use std::error::Error;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::Uuid;

use super::parts::{Framing, RequestLimits, base64_bytes};
use super::{BatchFacts, Plan, Receipt};
use crate::model::{Compression, ErrorOutput, Failure, Records, Timestamp};
use crate::objects::Refusal;

pub trait Endpoint: Send + Sync {
    /// As its plans say it.
    fn kind(&self) -> &'static str;

    fn plan(&self, facts: &BatchFacts) -> Plan;

    /// Under which name, and in which shape, failures go to the failed output.
    fn error_output(&self) -> ErrorOutput;

    /// What a plan, perhaps of an earlier life, says of its requests.
    fn terms(&self, plan: &Plan) -> Result<Terms, Refusal>;

    /// One attempt. It has a deadline of its own. Cancelling it is a crash: the request may have
    /// arrived, and is sent again under the same id.
    fn send<'a>(&'a self, request: &'a EndpointRequest) -> BoxFuture<'a, Result<Sent, Rejection>>;
}

/// A request that was answered with a yes.
pub enum Sent {
    /// Its records are there.
    Delivered(Receipt),
    /// They were taken, and whether they stay is said later: the request needs its memory no more.
    Taken(Confirmation),
}

/// Whether records stay that were taken. It has a deadline of its own; dropping it is a crash. A no
/// means the same again, or never: there is nothing to be divided about what was taken.
pub type Confirmation = BoxFuture<'static, Result<Receipt, Rejection>>;

impl Sent {
    pub async fn confirmed(self) -> Result<Receipt, Rejection> {
        match self {
            Sent::Delivered(receipt) => Ok(receipt),
            Sent::Taken(confirmation) => confirmation.await,
        }
    }
}

/// What a plan says of its requests: a repeat uses it, never today's settings (D3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub limits: RequestLimits,
    pub retry_duration: Duration,
    /// Where failures go, and in which shape.
    pub error_output: ErrorOutput,
    /// Of a request's body.
    pub compression: Compression,
}

impl Terms {
    /// What a request holds in memory at most, of a batch of so many bytes: its records, its body where
    /// that is not the records as they are, and the body's packed form.
    pub fn bytes_held_max(&self, batch_bytes: u64) -> u64 {
        let RequestLimits {
            body_bytes_max,
            framing,
            ..
        } = self.limits;
        let records = batch_bytes.min(body_bytes_max);
        let body = match framing {
            Framing::Concatenated => 0,
            Framing::Json { .. } => base64_bytes(records).min(body_bytes_max),
        };
        let packed = match self.compression {
            Compression::Uncompressed => 0,
            Compression::Gzip => body.max(records),
        };
        records + body + packed
    }
}

/// One part of a batch on its way.
#[derive(Clone, Debug)]
pub struct EndpointRequest {
    pub plan: Plan,
    /// The same each time the part is sent (D5).
    pub id: Uuid,
    pub at: Timestamp,
    pub records: Records,
}

/// Why a request is not (known to be) taken.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Rejection {
    /// Firehose's: `HttpEndpoint.DestinationException`, `Splunk.AckTimeout`.
    pub code: String,
    /// What this layer failed to do, and what an operator can do about it.
    pub what: String,
    /// As the failed output will say it.
    pub message: String,
    pub next: Next,
    /// What the other side asked for.
    pub retry_after: Option<Duration>,
    /// Waiting alone will not help.
    pub needs_operator: bool,
    #[source]
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

/// What to do with the records of a rejected request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send the same again, within the retry duration.
    Retry,
    /// No attempt will help: they go to the failed output.
    Never,
    /// The request is too large, or spoilt somewhere: send each half. One record alone is filed.
    Halve,
    /// The n-th record, from 0, spoils it: file that one and send the rest.
    Without(usize),
}

impl Rejection {
    pub fn failure(&self, attempts: u32, ended: Timestamp) -> Failure {
        Failure::new(&self.code, &self.message, attempts, ended)
    }
}

/// A plan that cannot be read holds its batch.
impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Rejection {
        Rejection {
            code: refusal.code,
            message: refusal.what.clone(),
            what: refusal.what,
            next: Next::Retry,
            retry_after: refusal.retry_after,
            needs_operator: refusal.needs_operator,
            cause: refusal.cause,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(framing: Framing, compression: Compression, batch: u64, held: u64) {
        let terms = Terms {
            limits: RequestLimits {
                records_max: 9,
                body_bytes_max: 1000,
                framing,
            },
            retry_duration: Duration::ZERO,
            error_output: ErrorOutput::HttpEndpoint,
            compression,
        };
        assert_eq!(terms.bytes_held_max(batch), held);
    }

    #[test]
    fn a_request_holds_its_records_its_body_and_its_packed_body() {
        let json = Framing::Json {
            envelope_bytes: 2,
            record_bytes: 2,
        };
        let plain = Framing::Concatenated;
        check(plain, Compression::Uncompressed, 300, 300);
        check(plain, Compression::Gzip, 300, 600);
        check(json, Compression::Uncompressed, 300, 700);
        check(json, Compression::Gzip, 300, 1100);
        // Of a larger batch it holds a part.
        check(plain, Compression::Uncompressed, 1001, 1000);
        check(json, Compression::Gzip, 5000, 3000);
    }
}
