//! Signature Version 4, seen from the server.
//!
//! A client writes its request down in a canonical form, hashes that into a *string to sign*, and
//! signs it with a key made of its secret, the day, a region and a service:
//!
//! ```text
//! canonical request        string to sign           signing key
//! POST                     AWS4-HMAC-SHA256         HMAC("AWS4" + secret, "20150830")
//! /                        20150830T123600Z           → HMAC(…, "us-east-1")
//! (query)                  20150830/us-east-1/…       → HMAC(…, "firehose")
//! host:example.com         hash of the canonical      → HMAC(…, "aws4_request")
//! x-amz-date:…             request
//!
//! host;x-amz-date
//! hash of the body
//! ```
//!
//! We do the same from what arrived and compare. The signature stands in the `Authorization` header
//! or in the query (a presigned request). Which headers are signed is the client's choice, save for
//! `host`. The body is always hashed and never taken on trust, so `UNSIGNED-PAYLOAD` is refused. Any
//! region is taken. A session token does not matter: ours have none, and who signs with a key that
//! is ours has proved enough.
//!
//! Checking goes in two steps, so that a stranger is turned away before its body is read:
//! [`Verifier::claim`] looks at the head, [`Claim::prove`] at the signature.

mod authorization;
mod canonical;
mod refusal;
mod signing_key;

use http::request::Parts;
use jiff::civil::DateTime;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::model::{Timestamp, limits};
use crate::server::{Caller, Producers};
use authorization::{Authorization, Form};
pub use refusal::Refusal;
pub(super) use signing_key::SigningKeys;

/// Checks requests to one service.
pub struct Verifier<'a> {
    producers: &'a Producers,
    keys: &'a SigningKeys,
    service: &'a str,
}

/// Somebody known says they signed this.
pub struct Claim<'a> {
    verifier: Verifier<'a>,
    authorization: Authorization,
}

impl<'a> Verifier<'a> {
    pub(super) fn new(
        producers: &'a Producers,
        keys: &'a SigningKeys,
        service: &'a str,
    ) -> Verifier<'a> {
        Verifier {
            producers,
            keys,
            service,
        }
    }

    /// All that can be said without the body: the signature's form, its scope, its age, its key.
    pub fn claim(self, head: &Parts, now: Timestamp) -> Result<Claim<'a>, Refusal> {
        let authorization = Authorization::of(head)?;
        authorization.check_scope(self.service)?;
        check_age(&authorization, now)?;
        if self.producers.signer(&authorization.access_key).is_none() {
            return Err(Refusal::UnknownKey);
        }
        Ok(Claim {
            verifier: self,
            authorization,
        })
    }
}

impl Claim<'_> {
    /// Whose key it is that signed, or so they say.
    pub fn producer(&self) -> &str {
        let signer = self
            .verifier
            .producers
            .signer(&self.authorization.access_key);
        signer.map_or("", |(producer, _)| &producer.name)
    }

    pub fn prove(self, head: &Parts, body_sha256: [u8; 32]) -> Result<Caller, Refusal> {
        let Claim {
            verifier,
            authorization,
        } = self;
        let body_hash = hex(&body_sha256);
        if let Some(claimed) = head.headers.get("x-amz-content-sha256")
            && claimed.as_bytes() != body_hash.as_bytes()
        {
            return Err(Refusal::OtherBody);
        }
        let canonical = canonical::request(&canonical::Parts {
            method: head.method.as_str(),
            path: &canonical::normalized(head.uri.path()),
            query: head.uri.query().unwrap_or_default(),
            headers: &canonical::headers(head),
            signed_headers: &authorization.signed_headers,
            body_hash: &body_hash,
        })
        .map_err(Refusal::HeaderMissing)?;
        let string_to_sign = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            authorization.date_text,
            authorization.scope(),
            hex(&Sha256::digest(&canonical).into())
        );
        let (producer, secret) = verifier
            .producers
            .signer(&authorization.access_key)
            .ok_or(Refusal::UnknownKey)?;
        let secret = secret.reveal();
        let key = verifier.keys.key(&secret, &authorization.credential());
        let expected = hex(&signing_key::hmac(&key, string_to_sign.as_bytes()));
        let same = expected
            .as_bytes()
            .ct_eq(authorization.signature.as_bytes());
        if !bool::from(same) {
            return Err(Refusal::Mismatch {
                canonical,
                string_to_sign,
            });
        }
        verifier
            .keys
            .remember(&secret, &authorization.credential(), key);
        Ok(Caller::Known(producer.clone()))
    }
}

fn check_age(authorization: &Authorization, now: Timestamp) -> Result<(), Refusal> {
    let signed = i128::from(authorization.date.as_millis());
    let now_millis = i128::from(now.as_millis());
    let skew = limits::SIGNATURE_CLOCK_SKEW_MAX;
    let lifetime = match authorization.form {
        Form::Header => skew,
        Form::Presigned { expires } => expires,
    };
    let about = |allowed: std::time::Duration| refusal::Age {
        signed: authorization.date_text.clone(),
        now: iso_basic(now),
        allowed,
    };
    if signed + (lifetime.as_millis() as i128) < now_millis {
        return Err(Refusal::Expired(about(lifetime)));
    }
    if now_millis + (skew.as_millis() as i128) < signed {
        return Err(Refusal::NotYetCurrent(about(skew)));
    }
    Ok(())
}

const ISO_BASIC: &str = "%Y%m%dT%H%M%SZ";

fn iso_basic(time: Timestamp) -> String {
    let millis = i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    time.strftime(ISO_BASIC).to_string()
}

fn parse_iso_basic(text: &str) -> Option<Timestamp> {
    if text.len() != "20150830T123600Z".len() {
        return None;
    }
    let civil = DateTime::strptime(ISO_BASIC, text).ok()?;
    let instant = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    let millis = u64::try_from(instant.as_millisecond()).ok()?;
    Some(Timestamp::from_millis(millis))
}

fn hex(bytes: &[u8; 32]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests;
