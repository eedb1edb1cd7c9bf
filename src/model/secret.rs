//! Something that must not be printed, and may be replaced while it is in use.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// Shows itself as `[secret]`, in logs, errors and `check` alike. Clones are one secret: when its
/// file changes, all of them do.
#[derive(Clone)]
pub struct Secret(Arc<RwLock<Arc<str>>>);

impl Secret {
    pub fn new(text: impl Into<Arc<str>>) -> Secret {
        Secret(Arc::new(RwLock::new(text.into())))
    }

    /// The only way to the text, as it is now: every caller can be found by this name.
    pub fn reveal(&self) -> Arc<str> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What somebody else says, who may have heard it.
    pub fn hidden_in(&self, text: String) -> String {
        let secret = self.reveal();
        match secret.is_empty() || !text.contains(&*secret) {
            true => text,
            false => text.replace(&*secret, &self.to_string()),
        }
    }

    /// For all who hold a clone, from their next look on.
    pub fn replace(&self, text: impl Into<Arc<str>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = text.into();
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.reveal() == other.reveal()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}
