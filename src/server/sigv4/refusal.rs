//! Why a signature is not taken, in AWS's words.

use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("Missing Authentication Token")]
    Missing,
    #[error("{0}")]
    Incomplete(String),
    #[error("{0}")]
    Scope(String),
    #[error(
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    )]
    Twice,
    #[error(
        "Signature expired: {} is now earlier than {} ({} - {}.)",
        .0.signed, .0.earliest(), .0.now, .0.allowed_text()
    )]
    Expired(Age),
    #[error(
        "Signature not yet current: {} is still later than {} ({} + {}.)",
        .0.signed, .0.latest(), .0.now, .0.allowed_text()
    )]
    NotYetCurrent(Age),
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    #[error("The request is signed with the header '{0}', which it does not have.")]
    HeaderMissing(String),
    #[error(
        "The X-Amz-Content-SHA256 header does not match the body: sign the body (UNSIGNED-PAYLOAD \
         is not taken) and send it unaltered."
    )]
    OtherBody,
    /// What we signed holds nothing that the client did not send: showing it gives nothing away,
    /// and it is the only way to find out what differs.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your \
         AWS Secret Access Key and signing method. Consult the service documentation for details.\
         \n\nThe Canonical String for this request should have been\n'{canonical}'\
         \n\nThe String-to-Sign should have been\n'{string_to_sign}'\n"
    )]
    Mismatch {
        canonical: String,
        string_to_sign: String,
    },
}

/// A date that is too far from ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Age {
    pub(super) signed: String,
    pub(super) now: String,
    pub(super) allowed: Duration,
}

impl Age {
    fn shifted(&self, by: i128) -> String {
        let now = super::parse_iso_basic(&self.now).expect("written by `iso_basic`");
        let millis = (i128::from(now.as_millis()) + by).max(0);
        super::iso_basic(crate::model::Timestamp::from_millis(millis as u64))
    }

    fn earliest(&self) -> String {
        self.shifted(-(self.allowed.as_millis() as i128))
    }

    fn latest(&self) -> String {
        self.shifted(self.allowed.as_millis() as i128)
    }

    fn allowed_text(&self) -> String {
        match self.allowed.as_secs() {
            seconds if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
            seconds => format!("{seconds} sec"),
        }
    }
}

impl Refusal {
    /// The exception's name, as AWS calls it.
    pub fn exception(&self) -> &'static str {
        match self {
            Refusal::Missing => "MissingAuthenticationTokenException",
            Refusal::Incomplete(_) => "IncompleteSignatureException",
            Refusal::UnknownKey => "UnrecognizedClientException",
            Refusal::Scope(_)
            | Refusal::Twice
            | Refusal::Expired(_)
            | Refusal::NotYetCurrent(_)
            | Refusal::HeaderMissing(_)
            | Refusal::OtherBody
            | Refusal::Mismatch { .. } => "InvalidSignatureException",
        }
    }
}
