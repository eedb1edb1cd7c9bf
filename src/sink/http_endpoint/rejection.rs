//! Firehose's codes and messages for what went wrong, and what to do then.

use std::error::Error;
use std::time::Duration;

use super::answer::Fault;
use super::request::IllegalCharacter;
use super::url::EndpointUrl;
use crate::outside::http_client::{SendError, Trouble};
use crate::sink::endpoint::{Next, Rejection};
use crate::sink::meaning::Mends::{self, Operator, Time};
use crate::sink::meaning::{BAD_CERTIFICATE, CLIENT_CERTIFICATE, Meaning, UNKNOWN_ISSUER};

const OWNER: Mends = Operator("clear this up with the endpoint's owner");

fn failed(url: &EndpointUrl) -> String {
    format!("failed to deliver to `{url}`")
}

/// The request could not even be made.
pub fn unmade(url: &EndpointUrl, cause: IllegalCharacter) -> Rejection {
    let meaning = Meaning::new(
        "HttpEndpoint.MakeRequestFailure.IllegalCharacterInHeaderValue",
        "HttpEndpoint request failed due to illegal response error. Illegal character '\\n' in header \
         value.",
        Operator("mend the setting"),
    );
    meaning.rejection(failed(url), cause)
}

/// There was no answer.
pub fn unanswered(url: &EndpointUrl, cause: SendError) -> Rejection {
    let (code, message, mends) = match cause.trouble() {
        Trouble::Unreachable | Trouble::ConnectTimedOut => (
            "HttpEndpoint.ConnectionFailed",
            "Unable to connect to the destination endpoint. Contact the owner of the endpoint to \
             resolve this issue.",
            Time,
        ),
        Trouble::Broken => (
            "HttpEndpoint.ConnectionReset",
            "Unable to maintain connection with the endpoint. Contact the owner of the endpoint to \
             resolve this issue.",
            Time,
        ),
        Trouble::TimedOut => (
            "HttpEndpoint.RequestTimeout",
            "The delivery timed out before a response was received and will be retried.",
            Time,
        ),
        Trouble::UnknownIssuer => (
            "HttpEndpoint.SSLHandshakeCertificatePathFailure",
            "Unable to complete an SSL Handshake with the endpoint due to invalid certification path. \
             Contact the owner of the endpoint to resolve this issue.",
            UNKNOWN_ISSUER,
        ),
        Trouble::OtherHost | Trouble::BadCertificate => (
            "HttpEndpoint.SSLHandshakeCertificatePathValidationFailure",
            "Unable to complete an SSL Handshake with the endpoint due to certification path \
             validation failure. Contact the owner of the endpoint to resolve this issue.",
            BAD_CERTIFICATE,
        ),
        Trouble::ClientCertificate => ("HttpEndpoint.SSLFailure", TLS, CLIENT_CERTIFICATE),
        Trouble::Handshake => (
            "HttpEndpoint.SSLHandshakeFailure",
            "Unable to complete an SSL Handshake with the endpoint. Contact the owner of the endpoint \
             to resolve this issue.",
            Time,
        ),
        Trouble::Tls => ("HttpEndpoint.SSLFailure", TLS, Time),
        Trouble::TooLong => return too_large(url, cause),
        Trouble::BadStatus => (
            "HttpEndpoint.InvalidStatusCode",
            "Received an invalid response status code.",
            OWNER,
        ),
        Trouble::NotHttp => (
            "HttpEndpoint.IllegalMessageStart",
            "HttpEndpoint request failed due to illegal response error. Illegal HTTP message start. \
             See Troubleshooting HTTP Endpoints in the Firehose documentation for more information.",
            OWNER,
        ),
    };
    Meaning::new(code, message, mends).rejection(failed(url), cause)
}

const TLS: &str = "Unable to complete TLS handshake with the endpoint. Contact the owner of the \
                   endpoint to resolve this issue.";

/// There was an answer, and it is not a yes.
pub fn refused(
    url: &EndpointUrl,
    status: u16,
    retry_after: Option<Duration>,
    fault: Fault,
) -> Rejection {
    let meaning = match &fault {
        Fault::Status { status, body } => Meaning::new(
            "HttpEndpoint.DestinationException",
            format!(
                "The following response was received from the endpoint destination. {status}: {body}"
            )
            .trim_end(),
            by_status(*status),
        ),
        Fault::Invalid {
            id, reason, raw, ..
        } => Meaning::new(
            "HttpEndpoint.InvalidResponseFromDestination",
            format!(
                "The response received from the specified endpoint is invalid. Contact the owner of \
                 the endpoint to resolve the issue. Response for request {id} {reason}. Raw response \
                 received: 200 {raw}"
            ),
            OWNER,
        ),
        Fault::ContentTypes => Meaning::new(
            "HttpEndpoint.IllegalResponseFailure",
            "HttpEndpoint request failed due to illegal response error. HTTP message must not contain \
             more than one Content-Type header.",
            OWNER,
        ),
        Fault::ReasonPhrase => Meaning::new(
            "HttpEndpoint.ResponseReasonPhraseExceededLimit",
            "The response reason phrase received from the endpoint exceed the configured limit of 64 \
             characters.",
            OWNER,
        ),
        Fault::TooLarge => return with_answer(too_large(url, fault), status, retry_after),
    };
    with_answer(meaning.rejection(failed(url), fault), status, retry_after)
}

fn too_large(url: &EndpointUrl, cause: impl Error + Send + Sync + 'static) -> Rejection {
    let message = "The response received from the endpoint is too large. Contact the owner of the \
                   endpoint to resolve this issue.";
    Meaning::new("HttpEndpoint.ResponseTooLarge", message, OWNER).rejection(failed(url), cause)
}

fn with_answer(rejection: Rejection, status: u16, retry_after: Option<Duration>) -> Rejection {
    Rejection {
        // However badly the answer is made: the same request would be as large the next time.
        next: if status == 413 {
            Next::Halve
        } else {
            Next::Retry
        },
        retry_after,
        ..rejection
    }
}

fn by_status(status: u16) -> Mends {
    match status {
        401 | 403 => Operator("check the access key"),
        404 | 405 | 410 => Operator("check the endpoint's URL"),
        300..400 => Operator("the endpoint has moved: check its URL"),
        408 | 409 | 413 | 425 | 429 => Time,
        400..500 => Operator("the endpoint refuses such requests: see its own log"),
        200..300 => Operator("this protocol knows no such yes: check the endpoint's URL"),
        _ => Time,
    }
}
