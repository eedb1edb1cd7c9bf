//! The listening side: sockets, TLS, limits, and who is asking.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::model::{Secret, StreamName};

/// One listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub address: SocketAddr,
    pub tls: Option<TlsFiles>,
}

/// Read when the listener is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate_file: PathBuf,
    pub key_file: PathBuf,
}

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
