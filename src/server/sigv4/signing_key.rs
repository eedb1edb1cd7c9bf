//! Signing keys, and those made lately.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::server::sigv4::authorization::Credential;

/// A key is good for one access key, day, region and service: four HMACs that most requests spare.
///
/// Only proven keys are remembered, so a stranger cannot fill this with regions it makes up.
#[derive(Default)]
pub struct SigningKeys(Mutex<BTreeMap<String, Proven>>);

struct Proven {
    /// What the key was made of: it may have been replaced since.
    secret: Arc<str>,
    key: [u8; 32],
}

/// Far more than the access keys × regions that anybody uses on one day (L1).
const KEYS_MAX: usize = 256;

impl SigningKeys {
    pub(super) fn key(&self, secret: &Arc<str>, credential: &Credential<'_>) -> [u8; 32] {
        let found = self.proven(secret, credential);
        found.unwrap_or_else(|| derive(secret, credential))
    }

    fn proven(&self, secret: &Arc<str>, credential: &Credential<'_>) -> Option<[u8; 32]> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let proven = known.get(credential.text)?;
        Arc::ptr_eq(&proven.secret, secret).then_some(proven.key)
    }

    pub(super) fn remember(&self, secret: &Arc<str>, credential: &Credential<'_>, key: [u8; 32]) {
        if self.proven(secret, credential).is_some() {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if KEYS_MAX <= known.len() {
            known.clear();
        }
        let secret = Arc::clone(secret);
        known.insert(credential.text.to_owned(), Proven { secret, key });
    }
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKeys")
    }
}

pub(super) fn derive(secret: &str, credential: &Credential<'_>) -> [u8; 32] {
    let start = format!("AWS4{secret}");
    let day = hmac(start.as_bytes(), credential.day.as_bytes());
    let region = hmac(&day, credential.region.as_bytes());
    let service = hmac(&region, credential.service.as_bytes());
    hmac(&service, b"aws4_request")
}

pub(super) fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}
