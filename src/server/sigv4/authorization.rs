//! What a request says about its signature: in the `Authorization` header, or in its query.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, DATE};
use http::request::Parts;
use sha2::{Digest, Sha256};

use crate::model::Timestamp;
use crate::server::sigv4::{Refusal, canonical, parse_iso_basic};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Seven days: the longest life of a presigned request (AWS).
const EXPIRES_MAX: u64 = 7 * 24 * 60 * 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Header,
    Presigned { expires: Duration },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Authorization {
    pub form: Form,
    pub access_key: String,
    /// `AKID/20150830/us-east-1/firehose/aws4_request`.
    credential: String,
    /// Lower case, `;` between.
    pub signed_headers: String,
    pub signature: String,
    /// As `20150830T123600Z`: so it stands in the string to sign.
    pub date_text: String,
    pub date: Timestamp,
}

/// The five parts of a credential.
pub(super) struct Credential<'a> {
    /// All of it.
    pub text: &'a str,
    pub day: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    terminator: &'a str,
}

#[cfg(test)]
impl<'a> Credential<'a> {
    /// Of a scope alone: day, region, service and terminator.
    pub(super) fn example(scope: &'a str) -> Credential<'a> {
        let parts: Vec<&str> = scope.split('/').collect();
        Credential {
            text: scope,
            day: parts[0],
            region: parts[1],
            service: parts[2],
            terminator: parts[3],
        }
    }
}

impl Authorization {
    pub(super) fn of(head: &Parts) -> Result<Authorization, Refusal> {
        let query = head.uri.query().unwrap_or_default();
        let presigned = canonical::parameter(query, "X-Amz-Algorithm").is_some();
        match (head.headers.get(AUTHORIZATION), presigned) {
            (Some(_), true) => Err(Refusal::Twice),
            (None, false) => Err(Refusal::Missing),
            (Some(header), false) => {
                let header = header.to_str().map_err(|_| incomplete_header("", b""))?;
                Authorization::from_header(header, head)
            }
            (None, true) => Authorization::from_query(query),
        }
    }

    fn from_header(header: &str, head: &Parts) -> Result<Authorization, Refusal> {
        let (algorithm, rest) = header.split_once(' ').unwrap_or((header, ""));
        if algorithm.starts_with("AWS4-") && algorithm != ALGORITHM {
            return Err(unsupported(algorithm));
        }
        let part = |name: &str| {
            let mut parts = rest
                .split(',')
                .filter_map(|part| part.trim().split_once('='));
            parts.find_map(|(key, value)| (key == name && !value.is_empty()).then_some(value))
        };
        let date = head
            .headers
            .get("x-amz-date")
            .or_else(|| head.headers.get(DATE));
        let (Some(credential), Some(signature), Some(signed_headers), Some(date)) = (
            part("Credential"),
            part("Signature"),
            part("SignedHeaders"),
            date,
        ) else {
            let mut message = String::new();
            for name in ["Credential", "Signature", "SignedHeaders"] {
                if part(name).is_none() {
                    message += &format!("Authorization header requires '{name}' parameter. ");
                }
            }
            if date.is_none() {
                message += "Authorization header requires existence of either a 'X-Amz-Date' or \
                            a 'Date' header. ";
            }
            return Err(incomplete_header(&message, header.as_bytes()));
        };
        let date = date.to_str().unwrap_or_default();
        let (date_text, time) = read_date(date)?;
        Authorization {
            form: Form::Header,
            access_key: String::new(),
            credential: credential.to_owned(),
            signed_headers: signed_headers.to_owned(),
            signature: signature.to_owned(),
            date_text,
            date: time,
        }
        .checked()
    }

    fn from_query(query: &str) -> Result<Authorization, Refusal> {
        let part = |name: &str| canonical::parameter(query, name).filter(|it| !it.is_empty());
        let names = [
            "X-Amz-Algorithm",
            "X-Amz-Credential",
            "X-Amz-Signature",
            "X-Amz-SignedHeaders",
            "X-Amz-Date",
            "X-Amz-Expires",
        ];
        let [
            Some(algorithm),
            Some(credential),
            Some(signature),
            Some(signed_headers),
            Some(date),
            Some(expires),
        ] = names.map(part)
        else {
            let mut message = String::new();
            for name in names.into_iter().filter(|name| part(name).is_none()) {
                message += &format!("AWS query-string parameters must include '{name}'. ");
            }
            message += "Re-examine the query-string parameters.";
            return Err(Refusal::Incomplete(message));
        };
        if algorithm != ALGORITHM {
            return Err(unsupported(&algorithm));
        }
        let seconds = expires
            .parse()
            .ok()
            .filter(|seconds| *seconds <= EXPIRES_MAX);
        let Some(seconds) = seconds else {
            return Err(Refusal::Incomplete(format!(
                "X-Amz-Expires must be a number of seconds from 0 to {EXPIRES_MAX}, got \
                 '{expires}'."
            )));
        };
        let (date_text, time) = read_date(&date)?;
        Authorization {
            form: Form::Presigned {
                expires: Duration::from_secs(seconds),
            },
            access_key: String::new(),
            credential,
            signed_headers,
            signature,
            date_text,
            date: time,
        }
        .checked()
    }

    /// The rules that both forms share.
    fn checked(mut self) -> Result<Authorization, Refusal> {
        let parts: Vec<&str> = self.credential.split('/').collect();
        let [access_key, ..] = parts[..] else {
            unreachable!("`split` gives at least one part")
        };
        if parts.len() != 5 {
            return Err(Refusal::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. \
                 keyid/date/region/service/term, got '{}'",
                self.credential
            )));
        }
        self.access_key = access_key.to_owned();
        let signed = |name: &str| self.signed_headers.split(';').any(|it| it == name);
        if !signed("host") && !signed(":authority") {
            return Err(Refusal::Scope(
                "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
                    .to_owned(),
            ));
        }
        Ok(self)
    }

    pub(super) fn credential(&self) -> Credential<'_> {
        let mut parts = self.credential.split('/').skip(1);
        let mut next = || parts.next().expect("`checked` counted five parts");
        Credential {
            text: &self.credential,
            day: next(),
            region: next(),
            service: next(),
            terminator: next(),
        }
    }

    /// `20150830/us-east-1/firehose/aws4_request`.
    pub(super) fn scope(&self) -> &str {
        &self.credential[self.access_key.len() + 1..]
    }

    pub(super) fn check_scope(&self, service: &str) -> Result<(), Refusal> {
        let credential = self.credential();
        let wrong = |message| Err(Refusal::Scope(message));
        if credential.terminator != "aws4_request" {
            return wrong(format!(
                "Credential should be scoped with a valid terminator: 'aws4_request', not '{}'.",
                credential.terminator
            ));
        }
        if credential.service != service {
            return wrong(format!(
                "Credential should be scoped to correct service: '{service}'. "
            ));
        }
        let day = &self.date_text[..8];
        if credential.day != day {
            return wrong(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date \
                 from HTTP: '{}' != '{day}', from '{}'.",
                credential.day, self.date_text
            ));
        }
        Ok(())
    }
}

/// ISO 8601 in its basic form; a `Date` header may have the form of HTTP.
fn read_date(text: &str) -> Result<(String, Timestamp), Refusal> {
    if let Some(time) = parse_iso_basic(text) {
        return Ok((text.to_owned(), time));
    }
    let seconds = jiff::fmt::rfc2822::parse(text).map(|zoned| zoned.timestamp().as_second());
    match seconds.map(u64::try_from) {
        Ok(Ok(seconds)) => {
            let time = Timestamp::from_millis(seconds * 1000);
            Ok((super::iso_basic(time), time))
        }
        Ok(Err(_)) | Err(_) => Err(Refusal::Incomplete(format!(
            "Date must be in ISO-8601 'basic format'. Got '{text}'. See \
             http://en.wikipedia.org/wiki/ISO_8601"
        ))),
    }
}

fn unsupported(algorithm: &str) -> Refusal {
    Refusal::Incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'."))
}

/// AWS shows the header's hash, as the header may be somebody's token.
fn incomplete_header(message: &str, header: &[u8]) -> Refusal {
    let hash = STANDARD.encode(Sha256::digest(header));
    Refusal::Incomplete(format!(
        "{message}(Hashed with SHA-256 and encoded with Base64) Authorization={hash}"
    ))
}
