//! Answers: JSON bodies, and exceptions as AWS writes them.

use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderValue, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use uuid::Uuid;

use crate::model::limits;
use crate::server::body::ReadError;
use crate::server::{Response, sigv4};

/// A body of JSON, or an exception.
pub(super) type Answered = Result<Bytes, Exception>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Exception {
    kind: Kind,
    message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    AccessDenied,
    InternalFailure,
    InvalidArgument,
    ResourceNotFound,
    Serialization,
    ServiceUnavailable,
    UnknownOperation,
    Validation,
    /// Something with the signature, in the verifier's words.
    Signature(&'static str),
    BodyTooLarge,
    BodyLate,
    /// Packed in a way that we do not unpack.
    Encoding,
    /// The path is nobody's: what AWS answers there.
    Nowhere,
    NotPost,
}

/// How an exception looks besides its text: the API's statuses are AWS's, the plain endpoint's are
/// HTTP's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Api,
    Plain,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::AccessDenied => "AccessDeniedException",
            Kind::InternalFailure => "InternalFailure",
            Kind::InvalidArgument => "InvalidArgumentException",
            Kind::ResourceNotFound => "ResourceNotFoundException",
            Kind::Serialization => "SerializationException",
            Kind::ServiceUnavailable => "ServiceUnavailableException",
            Kind::UnknownOperation | Kind::Nowhere | Kind::NotPost => "UnknownOperationException",
            Kind::Validation => "ValidationException",
            Kind::Signature(name) => name,
            Kind::BodyTooLarge => "RequestEntityTooLargeException",
            Kind::BodyLate => "RequestTimeoutException",
            Kind::Encoding => "UnsupportedMediaTypeException",
        }
    }

    fn status(self, style: Style) -> StatusCode {
        match (self, style) {
            (Kind::InternalFailure, _) => StatusCode::INTERNAL_SERVER_ERROR,
            (Kind::ServiceUnavailable, _) => StatusCode::SERVICE_UNAVAILABLE,
            (Kind::BodyTooLarge, _) => StatusCode::PAYLOAD_TOO_LARGE,
            (Kind::BodyLate, _) => StatusCode::REQUEST_TIMEOUT,
            (Kind::Encoding, _) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            (Kind::Nowhere, _) => StatusCode::NOT_FOUND,
            (Kind::NotPost, _) => StatusCode::METHOD_NOT_ALLOWED,
            (Kind::AccessDenied, Style::Plain) => StatusCode::FORBIDDEN,
            (Kind::ResourceNotFound, Style::Plain) => StatusCode::NOT_FOUND,
            (Kind::Signature(_), Style::Plain) => StatusCode::UNAUTHORIZED,
            (
                Kind::AccessDenied
                | Kind::InvalidArgument
                | Kind::ResourceNotFound
                | Kind::Serialization
                | Kind::Signature(_)
                | Kind::UnknownOperation
                | Kind::Validation,
                Style::Api | Style::Plain,
            ) => StatusCode::BAD_REQUEST,
        }
    }
}

impl Exception {
    pub(super) fn new(kind: Kind, message: impl Into<String>) -> Exception {
        Exception {
            kind,
            message: Some(message.into()),
        }
    }

    /// Without a message, as AWS answers unknown operations.
    pub(super) fn bare(kind: Kind) -> Exception {
        Exception {
            kind,
            message: None,
        }
    }

    /// What every AWS client takes as "try again in a moment".
    pub(super) fn slow_down() -> Exception {
        Exception::new(Kind::ServiceUnavailable, "Slow down.")
    }

    pub(super) fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether what is left of the body may pass by first, for a client that is still sending. Who did
    /// not send has been waited for long enough.
    pub(super) fn is_waited_with(&self) -> bool {
        self.kind != Kind::BodyLate
    }

    pub(super) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// Whether it is about who asks, and not about what: a wrong key, secret, token or clock.
    pub(super) fn is_about_the_sender(&self) -> bool {
        matches!(self.kind, Kind::Signature(_))
    }

    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let message = self.message.as_deref().unwrap_or_default();
        format!("{}: {message}", self.name())
    }
}

impl From<sigv4::Refusal> for Exception {
    fn from(refusal: sigv4::Refusal) -> Exception {
        Exception::new(Kind::Signature(refusal.exception()), refusal.to_string())
    }
}

impl From<ReadError> for Exception {
    fn from(error: ReadError) -> Exception {
        match &error {
            ReadError::Busy | ReadError::Draining => Exception::slow_down(),
            ReadError::TooLarge => {
                let most = limits::REQUEST_BODY_BYTES_MAX;
                let message = format!("A request's body may have at most {most} bytes.");
                Exception::new(Kind::BodyTooLarge, message)
            }
            ReadError::Late => {
                let seconds = limits::REQUEST_BODY_TIMEOUT.as_secs();
                let message = format!("The body did not arrive within {seconds} seconds.");
                Exception::new(Kind::BodyLate, message)
            }
            ReadError::Stalled => {
                let seconds = limits::REQUEST_BODY_PAUSE_MAX.as_secs();
                let message = format!("Nothing of the body came for {seconds} seconds.");
                Exception::new(Kind::BodyLate, message)
            }
            ReadError::Broken(_) => {
                let message = "The body ended before its announced length. Nothing was stored.";
                Exception::new(Kind::Serialization, message)
            }
            ReadError::NotGzip(_) => {
                let message = "The body is not gzip, though `Content-Encoding` says so. Nothing \
                               was stored.";
                Exception::new(Kind::Serialization, message)
            }
        }
    }
}

pub(super) fn unknown_token() -> Exception {
    let message = "The bearer token belongs to no producer: see `producers` in the configuration.";
    Exception::new(Kind::Signature("UnrecognizedClientException"), message)
}

/// The plain endpoint's `Missing Authentication Token`.
pub(super) fn unsigned() -> Exception {
    let message = "Only known producers may put: send `Authorization: Bearer <token>`, or sign the \
                   request (SigV4, service `firehose`).";
    Exception::new(
        Kind::Signature("MissingAuthenticationTokenException"),
        message,
    )
}

pub(super) fn from_a_page() -> Exception {
    let message = "Web pages may not put where anybody may: this request has an `Origin`, or a \
                   `Sec-Fetch-Site`. Name `producers` in the configuration, and put as one of them.";
    Exception::new(Kind::AccessDenied, message)
}

const WHERE: &str = "The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, \
                     one a line, to `POST /v1/streams/{name}/records`.";

pub(super) fn nowhere() -> Exception {
    Exception::new(Kind::Nowhere, WHERE)
}

pub(super) fn not_post() -> Exception {
    Exception::new(Kind::NotPost, WHERE)
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "__type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

pub(super) fn response(answered: Answered, style: Style, request_id: Uuid) -> Response {
    let (status, body, exception) = match answered {
        Ok(body) => (StatusCode::OK, body, None),
        Err(exception) => {
            let body = Body {
                kind: exception.name(),
                message: exception.message.as_deref(),
            };
            let body = serde_json::to_string(&body).expect("two strings are always JSON");
            (exception.kind.status(style), body.into(), Some(exception))
        }
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let content_type = match style {
        Style::Api => "application/x-amz-json-1.1",
        Style::Plain => "application/json",
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    let id = HeaderValue::try_from(request_id.to_string()).expect("a UUID is ASCII");
    headers.insert("x-amzn-requestid", id);
    let Some(exception) = exception else {
        return response;
    };
    let name = HeaderValue::from_static(exception.name());
    headers.insert("x-amzn-errortype", name);
    match exception.kind {
        Kind::ServiceUnavailable => {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        Kind::NotPost => {
            headers.insert(ALLOW, HeaderValue::from_static("POST"));
        }
        // HTTP wants to know how to do better.
        Kind::Signature(_) if style == Style::Plain => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Kind::Encoding => {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
        // The rest of the body is still on its way and nobody will read it.
        Kind::BodyTooLarge | Kind::BodyLate => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Kind::AccessDenied
        | Kind::InternalFailure
        | Kind::InvalidArgument
        | Kind::ResourceNotFound
        | Kind::Serialization
        | Kind::UnknownOperation
        | Kind::Validation
        | Kind::Signature(_)
        | Kind::Nowhere => {}
    }
    response
}
