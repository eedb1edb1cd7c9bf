//! What S3's answers mean. All of them hold the data (D4); some will not change until somebody acts.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::{Refusal, S3};
use crate::outside::http_client::{SendError, retry_after};

/// An error as the server told it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the server answered {status}{told}")]
struct Answer {
    status: u16,
    /// ` AccessDenied: no`, or nothing where it said nothing.
    told: String,
}

/// What whoever gives credentials had against it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("failed to get credentials:{0}")]
struct NoCredentials(String);

/// So much of a server's message is kept: it goes into log lines.
const MESSAGE_CHARACTERS_MAX: usize = 300;

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mends {
    Time,
    /// What to do.
    Operator(&'static str),
}

impl S3 {
    pub(super) fn refused<E>(
        &self,
        attempt: &str,
        key: &str,
        error: SdkError<E, HttpResponse>,
    ) -> Refusal
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let headers = error.raw_response().map(HttpResponse::headers);
        let asked = headers.and_then(|headers| headers.get("retry-after"));
        let asked = asked.and_then(|value| retry_after(value, self.clock.now()));
        let (code, mends, cause) = classified(error);
        let place = format!("failed to {attempt} `{key}` in `s3://{}/`", self.bucket);
        Refusal {
            code,
            what: match mends {
                Mends::Time => place,
                Mends::Operator(advice) => format!("{place} ({advice})"),
            },
            cause,
            retry_after: asked,
            needs_operator: mends != Mends::Time,
        }
    }
}

/// Whether a request certainly changed nothing: it was refused, or never arrived.
pub(super) fn did_nothing<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: Error + 'static,
{
    match error.raw_response() {
        // Whoever answers 500, 502 or 504 may speak for somebody who did it all the same.
        Some(response) => matches!(response.status().as_u16(), 400..500 | 503),
        None => matches!(find::<SendError>(error), Some(SendError::Connect { .. })),
    }
}

type Cause = Option<Box<dyn Error + Send + Sync>>;

fn classified<E>(error: SdkError<E, HttpResponse>) -> (String, Mends, Cause)
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    if let Some(response) = error.raw_response() {
        let status = response.status().as_u16();
        let (name, mends) = meaning(error.code().unwrap_or_default(), status);
        let told = told(error.meta());
        return (name, mends, Some(Box::new(Answer { status, told })));
    }
    let sent = find::<SendError>(&error).cloned();
    if find::<CredentialsError>(&error).is_some() {
        let mends = match sent {
            Some(_) => Mends::Time,
            None => Mends::Operator("give the profile credentials, or let its role be assumed"),
        };
        let refused = find::<ErrorMetadata>(&error).map(|it| NoCredentials(told(it)));
        let cause: Cause = match (refused, sent) {
            (Some(refused), _) => Some(Box::new(refused)),
            (None, Some(sent)) => Some(Box::new(sent)),
            (None, None) => error.into_source().ok(),
        };
        return ("S3.NoCredentials".to_owned(), mends, cause);
    }
    if let Some(cause) = sent.clone().filter(SendError::is_untrusted) {
        let mends = Mends::Operator(
            "name its certificate authority in the profile's `ca_file`, or mend the endpoint",
        );
        return ("S3.Untrusted".to_owned(), mends, Some(Box::new(cause)));
    }
    let (code, cause): (_, Cause) = match sent {
        Some(cause @ SendError::TimedOut { .. }) => ("S3.Timeout", Some(Box::new(cause))),
        Some(cause @ SendError::Connect { .. }) => ("S3.Unreachable", Some(Box::new(cause))),
        Some(cause @ SendError::Broken { .. }) => ("S3.ConnectionLost", Some(Box::new(cause))),
        None => ("S3.RequestFailed", error.into_source().ok()),
    };
    (code.to_owned(), Mends::Time, cause)
}

fn told(error: &ErrorMetadata) -> String {
    let message = error.message().unwrap_or_default().chars();
    let message: String = message.take(MESSAGE_CHARACTERS_MAX).collect();
    match error.code() {
        Some(code) => format!(" {code}: {message}"),
        None => String::new(),
    }
}

/// The first error of this kind in the chain.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Firehose's name for a server's code, and who can mend it. Codes that we do not know go by their
/// status, so that a server's fancy cannot fill the metrics with names.
fn meaning(code: &str, status: u16) -> (String, Mends) {
    use Mends::*;
    const ACCESS: &str = "check the role's trust policy, the bucket's policy, and that they allow \
                          PutObject, AbortMultipartUpload and ListBucketMultipartUploads";
    const ACCOUNT: &str = "clear up the account with its provider";
    const CREDENTIALS: &str = "check the profile's keys and their session";
    const REGION: &str = "check the profile's region and endpoint";
    const KMS: &str = "check the bucket's key: it must exist, be enabled, and be usable by the \
                       profile's role";
    const REQUEST: &str = "the server does not take such a request: a profile with \
                           `checksums: when_required` or `path_style: true` may suit it better";
    let mends = match code {
        "AccessDenied" => Operator(ACCESS),
        "NoSuchBucket" => Operator("create the bucket, or mend its name"),
        "AccountProblem"
        | "AllAccessDisabled"
        | "InvalidPayer"
        | "NotSignedUp"
        | "SubscriptionRequired" => Operator(ACCOUNT),
        "InvalidToken" | "ExpiredToken" | "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
            Operator(CREDENTIALS)
        }
        "RequestTimeTooSkewed" => Operator("set this machine's clock"),
        "IllegalLocationConstraintException"
        | "PermanentRedirect"
        | "AuthorizationHeaderMalformed" => Operator(REGION),
        "InvalidPrefixConfigurationException" | "KeyTooLongError" => {
            Operator("choose another prefix")
        }
        "KMS.NotFoundException"
        | "KMS.KeyDisabled"
        | "KMS.DisabledException"
        | "KMS.InvalidStateException"
        | "KMS.KeyNotConfigured"
        | "KMS.AsymmetricCMKNotSupported" => Operator(KMS),
        "MethodNotAllowed" | "NotImplemented" | "InvalidRequest" | "InvalidArgument" => {
            Operator(REQUEST)
        }
        "XMinioStorageFull" | "QuotaExceeded" => Operator("make room on the server"),
        "SlowDown"
        | "ServiceUnavailable"
        | "InternalError"
        | "RequestTimeout"
        | "BadDigest"
        | "NoSuchUpload"
        | "OperationAborted"
        | "KMS.RequestLimitExceeded" => Time,
        _ => return by_status(status),
    };
    // The specification's own inconsistency: these come without the service's name.
    let bare = matches!(code, "InternalError" | "KMS.DisabledException");
    let name = if bare {
        code.to_owned()
    } else {
        format!("S3.{code}")
    };
    (name, mends)
}

fn by_status(status: u16) -> (String, Mends) {
    use Mends::*;
    const REFUSED: &str = "the server refuses the request: see its own log";
    match status {
        401 | 403 => meaning("AccessDenied", status),
        404 => meaning("NoSuchBucket", status),
        405 => meaning("MethodNotAllowed", status),
        301 | 307 | 308 => meaning("PermanentRedirect", status),
        503 => meaning("ServiceUnavailable", status),
        507 => ("S3.507".to_owned(), Operator("make room on the server")),
        408 | 409 | 429 => (format!("S3.{status}"), Time),
        400..500 => (format!("S3.{status}"), Operator(REFUSED)),
        _ => (format!("S3.{status}"), Time),
    }
}

#[cfg(test)]
mod tests;
