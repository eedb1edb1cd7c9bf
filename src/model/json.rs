//! JSON that somebody else wrote.

use serde::Deserialize;

/// A JSON object, and nothing else: a list would do for serde, member by member. `None` where it does
/// not read.
pub fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Option<T> {
    let is_object = body.trim_ascii_start().starts_with(b"{");
    is_object.then(|| serde_json::from_slice(body).ok())?
}
