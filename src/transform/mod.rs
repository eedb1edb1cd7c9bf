//! The transformer: records are shown to a function of the user's, which says of each what becomes of
//! it. This is Firehose's contract for Lambda functions, whole, over two transports.
//!
//! ```text
//!   records ─► gathering ─► request ─► lambda ┬─► reply ─► answer ─► one outcome for each record
//!              (how many)   (≤ 6 MB)   plain  ┘     │        │        Ok, Dropped or Failed
//!                               ▲                trouble   fault
//!                               │                   │     (of one record: never asked again)
//!                               ├── asked again ◄───┤
//!                               └── half as many ◄──┘
//! ```
//!
//! `Transformer::invoke` knows how one invocation goes, piece by piece, and never fails. When there is one, and how
//! many go side by side, is decided by whoever calls it, with `gathering` and `parallelism`.

mod answer;
mod code;
mod fault;
mod function_name;
mod gathering;
mod invocation;
pub mod lambda;
mod lenient;
mod parallelism;
mod plain;
mod record_ids;
mod reply;
mod request;
mod transformer;
mod trouble;

use std::fmt;
use std::sync::Arc;

use crate::model::{StreamName, limits};
use crate::outside::http_client::{HttpClient, Limits};
use crate::outside::{Clock, Dice};
use crate::telemetry::Metrics;

pub use answer::{PartitionKeys, Transformed, Verdict};
pub use code::Code;
pub use fault::Fault;
pub use function_name::{FunctionName, FunctionNameError};
pub use gathering::{Decision, Hints, HintsError, Largest, Waiting};
pub use invocation::{Arrivals, Invocation, KafkaMetadata, KinesisMetadata, Origin};
pub use parallelism::{Demand, Pace, Parallelism};
pub use plain::{FunctionUrl, FunctionUrlError};
pub use record_ids::RecordIds;
pub use request::StreamFacts;
pub use transformer::{Invoking, Outcome, Probed, Transformer};
pub use trouble::{Remedy, Trouble};

/// Which function, and how often it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub function: Function,
    pub retries: Retries,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Function {
    Lambda(Box<lambda::Settings>),
    Http(FunctionUrl),
}

/// As `lambdaArn` of a failed line: without secrets.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Function::Lambda(lambda) => lambda.function.fmt(f),
            Function::Http(url) => url.fmt(f),
        }
    }
}

/// How often an invocation that failed is repeated: 0 to 300 times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("retries are from 0 to {}", limits::FIREHOSE_INVOCATION_RETRIES_MAX)]
pub struct RetriesError;

impl Retries {
    pub fn new(count: u32) -> Result<Retries, RetriesError> {
        match count {
            0..=limits::FIREHOSE_INVOCATION_RETRIES_MAX => Ok(Retries(count)),
            _ => Err(RetriesError),
        }
    }

    pub fn get(self) -> u32 {
        self.0
    }
}

impl Default for Retries {
    fn default() -> Retries {
        Retries(limits::FIREHOSE_INVOCATION_RETRIES_DEFAULT)
    }
}

/// What a transformer works with.
pub struct Around {
    pub http: Arc<dyn HttpClient>,
    pub clock: Clock,
    pub dice: Dice,
    pub metrics: Metrics,
    pub name: StreamName,
    pub stream: StreamFacts,
}

/// Of one request to a function.
const LIMITS: Limits = Limits {
    timeout: limits::FIREHOSE_INVOCATION_TIMEOUT,
    answer_bytes_max: limits::LAMBDA_PAYLOAD_BYTES_MAX,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_from_0_to_300() {
        assert_eq!(Retries::new(0).map(Retries::get), Ok(0));
        assert_eq!(Retries::new(300).map(Retries::get), Ok(300));
        assert_eq!(Retries::new(301), Err(RetriesError));
        assert_eq!(Retries::default().get(), 3);
    }
}
