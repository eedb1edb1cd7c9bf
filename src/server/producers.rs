//! Who may put, and into which streams.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::{Choice, ConstantTimeEq};

use crate::model::{Secret, StreamName};
use crate::server::sigv4::{SigningKeys, Verifier};

/// Somebody who may put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    pub name: String,
    pub identity: Identity,
    pub streams: Vec<StreamPattern>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Signs with SigV4.
    AccessKey {
        access_key_id: String,
        secret_access_key: Secret,
    },
    /// For senders that cannot sign: `Authorization: Bearer …`, on `/v1` only.
    Token(Secret),
}

/// A stream's name, in which `*` stands for any number of characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPattern(pub String);

impl StreamPattern {
    pub fn matches(&self, name: &StreamName) -> bool {
        fn rest(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'*', tail)) => (0..=text.len()).any(|skip| rest(tail, &text[skip..])),
                Some((byte, tail)) => text.first() == Some(byte) && rest(tail, &text[1..]),
            }
        }
        rest(self.0.as_bytes(), name.as_str().as_bytes())
    }
}

/// Who sent a request, as far as we know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// No producers are configured: whoever reaches the (loopback) listener.
    Anyone,
    Known(Arc<Producer>),
}

impl Caller {
    pub fn may_see(&self, stream: &StreamName) -> bool {
        match self {
            Caller::Anyone => true,
            Caller::Known(producer) => producer.streams.iter().any(|it| it.matches(stream)),
        }
    }

    /// The producer's name, for messages.
    pub fn name(&self) -> &str {
        match self {
            Caller::Anyone => "anyone",
            Caller::Known(producer) => &producer.name,
        }
    }
}

/// Everybody who may put.
#[derive(Debug)]
pub struct Producers {
    all: Vec<Arc<Producer>>,
    signing_keys: SigningKeys,
}

impl Producers {
    pub fn new(all: impl IntoIterator<Item = Producer>) -> Producers {
        Producers {
            all: all.into_iter().map(Arc::new).collect(),
            signing_keys: SigningKeys::default(),
        }
    }

    /// Then everybody may put, and signatures are not looked at. The configuration sees to it that
    /// only loopback addresses are bound.
    pub fn are_everybody(&self) -> bool {
        self.all.is_empty()
    }

    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.all.iter().map(|producer| producer.name.as_str())
    }

    /// Checks the signatures of requests to `service`.
    pub fn verifier<'a>(&'a self, service: &'a str) -> Verifier<'a> {
        Verifier::new(self, &self.signing_keys, service)
    }

    /// The producer with this access key, and its secret.
    pub(super) fn signer(&self, access_key: &str) -> Option<(&Arc<Producer>, &Secret)> {
        self.all
            .iter()
            .find_map(|producer| match &producer.identity {
                Identity::AccessKey {
                    access_key_id,
                    secret_access_key,
                } => (access_key_id == access_key).then_some((producer, secret_access_key)),
                Identity::Token(_) => None,
            })
    }

    /// The producer whose token comes along; `None` where a token does, but is nobody's.
    pub fn bearer(&self, headers: &HeaderMap) -> Option<Option<Caller>> {
        let given = headers.get(AUTHORIZATION)?.as_bytes();
        let (scheme, token) = given.split_at_checked(BEARER.len())?;
        if !scheme.eq_ignore_ascii_case(BEARER) {
            return None;
        }
        // Every token is compared, and each in constant time: how long it takes says nothing.
        let mut found = None;
        for producer in &self.all {
            let same = match &producer.identity {
                Identity::Token(secret) => secret.reveal().as_bytes().ct_eq(token.trim_ascii()),
                Identity::AccessKey { .. } => Choice::from(0),
            };
            if same.into() {
                found = Some(Caller::Known(producer.clone()));
            }
        }
        Some(found)
    }
}

const BEARER: &[u8] = b"Bearer ";

#[cfg(test)]
mod tests {
    use super::*;

    fn sees(patterns: &[&str], stream: &str) -> bool {
        let producer = Producer {
            name: "web".to_owned(),
            identity: Identity::Token(Secret::new("t")),
            streams: patterns
                .iter()
                .map(|it| StreamPattern((*it).to_owned()))
                .collect(),
        };
        Caller::Known(Arc::new(producer)).may_see(&stream.parse().unwrap())
    }

    #[test]
    fn a_star_stands_for_any_number_of_characters() {
        assert!(sees(&["clicks"], "clicks"));
        assert!(!sees(&["clicks"], "clicks2"));
        assert!(!sees(&["Clicks"], "clicks"), "case matters");
        assert!(sees(&["x", "audit-*"], "audit-eu"));
        assert!(sees(&["audit-*"], "audit-"));
        assert!(!sees(&["audit-*"], "audit"));
        assert!(sees(&["*-eu-*"], "a-eu-b"));
        assert!(!sees(&[], "clicks"));
    }

    #[test]
    fn a_token_belongs_to_one_producer() {
        let token = |name: &str, token: &str| Producer {
            name: name.to_owned(),
            identity: Identity::Token(Secret::new(token)),
            streams: Vec::new(),
        };
        let producers = Producers::new([token("a", "first"), token("b", "second")]);
        let who = |given: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(given) = given {
                headers.insert(AUTHORIZATION, given.parse().unwrap());
            }
            let found = producers.bearer(&headers);
            found.map(|caller| caller.map(|it| it.name().to_owned()))
        };
        assert_eq!(who(None), None);
        assert_eq!(who(Some("AWS4-HMAC-SHA256 Credential=x")), None);
        assert_eq!(who(Some("Bearer first")), Some(Some("a".to_owned())));
        assert_eq!(who(Some("bearer second")), Some(Some("b".to_owned())));
        assert_eq!(who(Some("Bearer firs")), Some(None));
        assert_eq!(who(Some("Bearer ")), Some(None));
    }
}
