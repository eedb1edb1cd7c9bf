//! What a failed request means: to the failed output, and to whoever can mend it. One shape for all
//! endpoints; each has a table of its own.

use std::error::Error;

use super::endpoint::{Next, Rejection};

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mends {
    Time,
    /// What to do.
    Operator(&'static str),
}

pub const UNKNOWN_ISSUER: Mends = Mends::Operator(
    "name its certificate authority in `ca_file`, or give it a certificate of a known one",
);
pub const BAD_CERTIFICATE: Mends =
    Mends::Operator("its certificate is not for this host, or not for this day: give it another");
pub const CLIENT_CERTIFICATE: Mends = Mends::Operator(
    "it wants a certificate of ours: name one that it takes in `client_certificate_file`, and its key \
     in `client_key_file`",
);

pub struct Meaning {
    /// Firehose's name for it.
    code: &'static str,
    /// Firehose's words, as far as they are true of us.
    message: String,
    mends: Mends,
}

impl Meaning {
    pub fn new(code: &'static str, message: impl Into<String>, mends: Mends) -> Meaning {
        let message = message.into();
        Meaning {
            code,
            message,
            mends,
        }
    }

    /// `failed` says what could not be done. It is tried again, unless somebody knows better.
    pub fn rejection(self, failed: String, cause: impl Error + Send + Sync + 'static) -> Rejection {
        let (what, needs_operator) = match self.mends {
            Mends::Time => (failed, false),
            Mends::Operator(advice) => (format!("{failed} ({advice})"), true),
        };
        Rejection {
            code: self.code.to_owned(),
            what,
            message: self.message,
            next: Next::Retry,
            retry_after: None,
            needs_operator,
            cause: Some(Box::new(cause)),
        }
    }
}
