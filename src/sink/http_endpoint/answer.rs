//! What an endpoint's answer means. Only a 200 with this protocol's own document is a yes; anything
//! else is a failure, and all but 413 may be mended by time.
//!
//! Kinder than Firehose in two things that do not matter to the data: a yes may come without a
//! Content-Length, and with an error message of any length.

use std::fmt::Display;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{Response, StatusCode};
use hyper::ext::ReasonPhrase;
use serde::Deserialize;
use uuid::Uuid;

use crate::model::limits;

/// The protocol's document. Other fields make it another document.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Answer {
    request_id: String,
    /// Receivers differ about its unit: milliseconds, seconds.
    #[serde(rename = "timestamp")]
    _timestamp: serde_json::Number,
    #[serde(rename = "errorMessage", default)]
    _error_message: Option<String>,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the endpoint answered {status}{}", told(.body))]
    Status { status: u16, body: String },
    #[error("the endpoint's answer {reason}{detail}")]
    Invalid {
        id: Uuid,
        /// As Firehose tells it of the response.
        reason: String,
        /// For our own log.
        detail: String,
        raw: String,
    },
    #[error("the endpoint's answer has more than one Content-Type")]
    ContentTypes,
    #[error(
        "the endpoint's reason phrase is longer than {} characters",
        limits::FIREHOSE_ENDPOINT_REASON_PHRASE_CHARACTERS_MAX
    )]
    ReasonPhrase,
    #[error(
        "the endpoint's answer is larger than {} bytes",
        limits::FIREHOSE_ENDPOINT_ANSWER_BYTES_MAX
    )]
    TooLarge,
}

/// So much of a server's message is kept: it goes into log lines.
const TOLD_CHARACTERS_MAX: usize = 300;

/// `hide` takes out what must not be told again, should the endpoint repeat it.
pub fn check(
    id: Uuid,
    hide: impl Fn(String) -> String,
    response: &Response<Bytes>,
) -> Result<(), Fault> {
    let phrase = response.extensions().get::<ReasonPhrase>();
    let phrase = phrase.map_or(0, |phrase| phrase.as_bytes().len());
    if limits::FIREHOSE_ENDPOINT_REASON_PHRASE_CHARACTERS_MAX < phrase {
        return Err(Fault::ReasonPhrase);
    }
    let headers = response.headers();
    if 1 < headers.get_all(CONTENT_TYPE).iter().count() {
        return Err(Fault::ContentTypes);
    }
    let line = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        // With the colon, the blank and the line's end.
        name.as_str().len() + value.len() + 4
    };
    let bytes = headers.iter().map(line).sum::<usize>() + response.body().len();
    if limits::FIREHOSE_ENDPOINT_ANSWER_BYTES_MAX < bytes {
        return Err(Fault::TooLarge);
    }
    if response.status() != StatusCode::OK {
        return Err(Fault::Status {
            status: response.status().as_u16(),
            body: hide(readable(response)),
        });
    }
    accepts(id, response).map_err(|(reason, detail)| Fault::Invalid {
        id,
        reason,
        detail: hide(detail),
        raw: hide(readable(response)),
    })
}

/// Whether a 200 is a yes to this very request; otherwise the reason, and its detail.
fn accepts(id: Uuid, response: &Response<Bytes>) -> Result<(), (String, String)> {
    let no = |reason: &str| Err((reason.to_owned(), String::new()));
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media = kind.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/json") {
        return no(&format!(
            "has the Content-Type `{media}` and not `application/json`"
        ));
    }
    if response.headers().contains_key(CONTENT_ENCODING) {
        return no("has a Content-Encoding");
    }
    let unrecognized = |detail: &dyn Display| {
        let reason = "is not recognized as valid JSON or has unexpected fields";
        Err((reason.to_owned(), format!(": {detail}")))
    };
    // serde would take it, member by member.
    if response.body().trim_ascii_start().starts_with(b"[") {
        return unrecognized(&"it is a list");
    }
    match serde_json::from_slice::<Answer>(response.body()) {
        Ok(answer) if answer.request_id == id.to_string() => Ok(()),
        Ok(_) => no("has a requestId that is not the request's"),
        Err(error) => unrecognized(&error),
    }
}

/// The body as text; nothing where it was packed.
fn readable(response: &Response<Bytes>) -> String {
    match response.headers().contains_key(CONTENT_ENCODING) {
        true => String::new(),
        // A character has at most four bytes: more would be cut off anyway.
        false => {
            let most = limits::FAILURE_MESSAGE_CHARACTERS_MAX * 4;
            let body = &response.body()[..response.body().len().min(most)];
            String::from_utf8_lossy(body).into_owned()
        }
    }
}

/// What the endpoint says for itself, in one line, if it speaks the protocol. Anything else may be
/// an echo of the request, and the records' bytes are in no log; the failed output has it.
fn told(body: &str) -> String {
    let answer = serde_json::from_str::<serde_json::Value>(body).ok();
    let message = answer
        .as_ref()
        .and_then(|answer| answer.get("errorMessage")?.as_str());
    let line = message
        .unwrap_or_default()
        .trim()
        .chars()
        .take(TOLD_CHARACTERS_MAX);
    let line = line.map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    match line.collect::<String>() {
        line if line.is_empty() => line,
        line => format!(": {line}"),
    }
}

#[cfg(test)]
mod tests;
