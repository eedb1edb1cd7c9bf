//! An HTTP endpoint's URL, of which only the host is ever shown: some partners' URLs hold a token.

use std::fmt;

use http::Uri;

use crate::model::limits;
use crate::sink::url::{ServerUrl, Unfit};

/// No partner's token is shorter; a word of a path that is as long is missed by nobody.
const TOKEN_BYTES_MIN: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointUrl(ServerUrl);

/// None of the texts repeats the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("this is not a URL of an endpoint, such as `https://collector.example/firehose`")]
    NotAUrl,
    #[error(
        "the URL has more than {} characters",
        limits::FIREHOSE_ENDPOINT_URL_CHARACTERS_MAX
    )]
    TooLong,
    #[error("the URL holds a user or password: the endpoint's access key has a place of its own")]
    HoldsUser,
}

impl EndpointUrl {
    pub fn parse(text: &str) -> Result<EndpointUrl, UrlError> {
        if limits::FIREHOSE_ENDPOINT_URL_CHARACTERS_MAX < text.chars().count() {
            return Err(UrlError::TooLong);
        }
        // `Uri` would drop a fragment without a word.
        if text.contains('#') {
            return Err(UrlError::NotAUrl);
        }
        Ok(EndpointUrl(ServerUrl::parse(text)?))
    }

    /// Somebody's text without the parts of path and query that may be a token.
    pub(super) fn hidden_in(&self, text: String) -> String {
        let behind_host = self.uri().path_and_query();
        let behind_host = behind_host.map_or("", |it| it.as_str());
        let parts = behind_host.split(['/', '?', '&', '=']);
        let telling = parts.filter(|part| TOKEN_BYTES_MIN <= part.len());
        telling.fold(text, |text, part| text.replace(part, "[secret]"))
    }

    /// All of it: for the request, not for anybody's eyes.
    pub fn uri(&self) -> &Uri {
        self.0.uri()
    }
}

impl From<Unfit> for UrlError {
    fn from(unfit: Unfit) -> UrlError {
        match unfit {
            Unfit::NotAUrl => UrlError::NotAUrl,
            Unfit::HoldsUser => UrlError::HoldsUser,
        }
    }
}

impl fmt::Display for EndpointUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Expect) {
        expected.assert_eq(&match EndpointUrl::parse(text) {
            Ok(url) => format!("{url} {}", url.uri()),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn a_servers_words_are_told_without_the_urls_token() {
        let url = "https://a.test/receiver/v1/kinesis/ZaVnC4dhaV1N2eLt?key=0123456789abcdef";
        let url = EndpointUrl::parse(url).unwrap();
        let said = "Cannot POST /receiver/v1/kinesis/ZaVnC4dhaV1N2eLt?key=0123456789abcdef";
        expect!["Cannot POST /receiver/v1/kinesis/[secret]?key=[secret]"]
            .assert_eq(&url.hidden_in(said.to_owned()));
    }

    #[test]
    fn a_url_is_sent_whole_and_shown_without_its_path() {
        check(
            "https://a.test:8443/v1/secret?k=v",
            expect!["https://a.test:8443 https://a.test:8443/v1/secret?k=v"],
        );
        check("HTTP://[::1]", expect!["http://[::1] http://[::1]/"]);
    }

    #[test]
    fn what_is_no_endpoints_url_is_refused_and_not_repeated() {
        let not_a_url =
            "this is not a URL of an endpoint, such as `https://collector.example/firehose`";
        for text in [
            "",
            "collector",
            "/firehose",
            "ftp://a.test/",
            "https://",
            "https:///path",
            "https://a.test/#here",
            "https://a.test/with blank",
        ] {
            let told = EndpointUrl::parse(text).unwrap_err().to_string();
            assert_eq!(told, not_a_url, "{text}");
        }
        check(
            "https://user:password@a.test/",
            expect![
                "the URL holds a user or password: the endpoint's access key has a place of its own"
            ],
        );
    }

    #[test]
    fn a_thousand_characters_are_the_most() {
        let url = |characters: usize| {
            let start = "https://a.test/";
            EndpointUrl::parse(&format!("{start}{}", "p".repeat(characters - start.len())))
        };
        assert!(url(1000).is_ok());
        assert_eq!(url(1001), Err(UrlError::TooLong));
    }
}
