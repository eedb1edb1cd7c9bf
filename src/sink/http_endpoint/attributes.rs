//! Common attributes: names and values that go with every request, in a header.

use std::collections::BTreeMap;
use std::fmt::Write;

use http::HeaderValue;
use serde_json::json;

use crate::model::{Secret, limits};

/// Shorter values, such as `web` or `1`, are no secrets and turn up in any text.
const TELLING_BYTES_MIN: usize = 6;

/// Within Firehose's limits. Values are as secret as Firehose takes them to be: partners' tokens are
/// among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommonAttributes(BTreeMap<String, Secret>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttributesError {
    #[error("{0} attributes are too many: {most} are the most", most = limits::FIREHOSE_ENDPOINT_ATTRIBUTES_MAX)]
    TooMany(usize),
    #[error(
        "`{0}` is not an attribute's name: 1 to {most} characters are, and not only blanks",
        most = limits::FIREHOSE_ENDPOINT_ATTRIBUTE_NAME_CHARACTERS_MAX
    )]
    Name(String),
    #[error(
        "the value of `{0}` has more than {most} characters",
        most = limits::FIREHOSE_ENDPOINT_ATTRIBUTE_VALUE_CHARACTERS_MAX
    )]
    Value(String),
}

impl CommonAttributes {
    pub fn new(attributes: BTreeMap<String, Secret>) -> Result<CommonAttributes, AttributesError> {
        if limits::FIREHOSE_ENDPOINT_ATTRIBUTES_MAX < attributes.len() {
            return Err(AttributesError::TooMany(attributes.len()));
        }
        for (name, value) in &attributes {
            let characters = name.chars().count();
            let most = limits::FIREHOSE_ENDPOINT_ATTRIBUTE_NAME_CHARACTERS_MAX;
            if name.trim().is_empty() || most < characters {
                return Err(AttributesError::Name(name.clone()));
            }
            let most = limits::FIREHOSE_ENDPOINT_ATTRIBUTE_VALUE_CHARACTERS_MAX;
            if most < value.reveal().chars().count() {
                return Err(AttributesError::Value(name.clone()));
            }
        }
        Ok(CommonAttributes(attributes))
    }

    pub fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Somebody's text without these values, but for those that any text may hold.
    pub(super) fn hidden_in(&self, text: String) -> String {
        let telling = self
            .0
            .values()
            .filter(|value| TELLING_BYTES_MIN <= value.reveal().len());
        telling.fold(text, |text, value| value.hidden_in(text))
    }

    /// `{"commonAttributes":{"environment":"production"}}`; `None` where there are none.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        if self.0.is_empty() {
            return None;
        }
        let revealed = self
            .0
            .iter()
            .map(|(name, value)| (name, value.reveal().to_string()));
        let attributes: BTreeMap<_, _> = revealed.collect();
        let text = ascii(&json!({ "commonAttributes": attributes }).to_string());
        let mut value =
            HeaderValue::from_str(&text).expect("JSON in ASCII has no control characters");
        value.set_sensitive(true);
        Some(value)
    }
}

/// The same JSON without anything that a header may not hold.
fn ascii(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if (' '..='~').contains(&character) {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            write!(text, "\\u{unit:04x}").expect("writing to memory never fails");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn attributes(
        pairs: impl IntoIterator<Item = (String, String)>,
    ) -> Result<CommonAttributes, AttributesError> {
        let pairs = pairs.into_iter();
        CommonAttributes::new(
            pairs
                .map(|(name, value)| (name, Secret::new(value)))
                .collect(),
        )
    }

    #[track_caller]
    fn check(pairs: &[(&str, &str)], expected: Expect) {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| (name.to_string(), value.to_string()));
        let header = attributes(pairs).unwrap().header();
        expected.assert_eq(
            header
                .as_ref()
                .map_or("none", |value| value.to_str().unwrap()),
        );
        assert!(header.is_none_or(|value| value.is_sensitive()));
    }

    #[test]
    fn attributes_are_json_in_ascii() {
        check(&[], expect!["none"]);
        check(
            &[("environment", "production"), ("team", "a \"b\"")],
            expect![[r#"{"commonAttributes":{"environment":"production","team":"a \"b\""}}"#]],
        );
        check(
            &[("größe", "€ 𝄞\u{7f}\n")],
            expect![[r#"{"commonAttributes":{"gr\u00f6\u00dfe":"\u20ac \ud834\udd1e\u007f\n"}}"#]],
        );
    }

    #[test]
    fn attributes_keep_firehoses_limits() {
        let numbered =
            |count: usize| attributes((0..count).map(|n| (n.to_string(), String::new())));
        assert!(numbered(50).is_ok());
        assert_eq!(numbered(51), Err(AttributesError::TooMany(51)));
        let named = |name: &str| attributes([(name.to_owned(), String::new())]);
        assert!(named(&"é".repeat(256)).is_ok());
        for name in [String::new(), "  ".to_owned(), "é".repeat(257)] {
            assert_eq!(named(&name), Err(AttributesError::Name(name)));
        }
        let valued = |characters| attributes([("a".to_owned(), "é".repeat(characters))]);
        assert!(valued(1024).is_ok());
        assert_eq!(valued(1025), Err(AttributesError::Value("a".to_owned())));
    }

    #[test]
    fn values_are_never_printed() {
        let attributes = attributes([("dt-token".to_owned(), "hunter2".to_owned())]).unwrap();
        assert!(!format!("{attributes:?} {:?}", attributes.header()).contains("hunter2"));
    }
}
