//! Why a record could not be processed or delivered.

use crate::model::{Timestamp, limits};

/// What a record's line in the failed output will say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `Lambda.FunctionError`, `HttpEndpoint.DestinationException`, `Splunk.AckTimeout` …
    pub code: String,
    pub message: String,
    pub attempts: u32,
    /// When the last attempt ended.
    pub ended: Timestamp,
}

impl Failure {
    /// The message is cut to `limits::FAILURE_MESSAGE_CHARACTERS_MAX`.
    pub fn new(
        code: impl Into<String>,
        message: impl Into<String>,
        attempts: u32,
        ended: Timestamp,
    ) -> Failure {
        let mut message = message.into();
        let end = message
            .char_indices()
            .nth(limits::FAILURE_MESSAGE_CHARACTERS_MAX);
        if let Some((end, _)) = end {
            message.truncate(end);
        }
        Failure {
            code: code.into(),
            message,
            attempts,
            ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_between_characters() {
        let most = limits::FAILURE_MESSAGE_CHARACTERS_MAX;
        let failure = |characters: usize| {
            Failure::new("Code", "é".repeat(characters), 1, Timestamp::default())
        };
        assert_eq!(failure(most).message.chars().count(), most);
        assert_eq!(failure(most + 1).message.chars().count(), most);
    }
}
