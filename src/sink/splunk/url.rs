//! Where an HTTP Event Collector is: a scheme, a host and a port. The path is the protocol's part.

use std::fmt;

use http::Uri;
use http::uri::PathAndQuery;

use crate::sink::url::{ServerUrl, Unfit};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HecUrl(ServerUrl);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("this is not a URL of an HTTP Event Collector, such as `https://hec.example:8088`")]
    NotAUrl,
    #[error(
        "an HTTP Event Collector's URL ends after host and port: leave the path out, it follows from \
         `format`"
    )]
    HasPath,
    #[error("the URL holds a user or password: the token has a place of its own")]
    HoldsUser,
}

impl HecUrl {
    pub fn parse(text: &str) -> Result<HecUrl, UrlError> {
        let url = ServerUrl::parse(text)?;
        let uri = url.uri();
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || text.contains('#') {
            return Err(UrlError::HasPath);
        }
        Ok(HecUrl(url))
    }

    /// The URL of one of the collector's own paths.
    pub(super) fn at(&self, path: &str) -> Uri {
        let mut parts = self.0.uri().clone().into_parts();
        let path = PathAndQuery::try_from(path).expect("the protocol's paths are paths");
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).expect("it has a scheme, a host and a path")
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

impl fmt::Display for HecUrl {
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
        expected.assert_eq(&match HecUrl::parse(text) {
            Ok(url) => format!("{url} {}", url.at("/services/collector/raw")),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn only_scheme_host_and_port_are_given() {
        let with_path = || {
            expect![
                "an HTTP Event Collector's URL ends after host and port: leave the path out, it follows from `format`"
            ]
        };
        let no_url = || {
            expect![
                "this is not a URL of an HTTP Event Collector, such as `https://hec.example:8088`"
            ]
        };
        check(
            "https://hec.test:8088",
            expect!["https://hec.test:8088 https://hec.test:8088/services/collector/raw"],
        );
        check(
            "http://[::1]:8088/",
            expect!["http://[::1]:8088 http://[::1]:8088/services/collector/raw"],
        );
        check("https://hec.test:8088/services/collector", with_path());
        check("https://hec.test:8088?channel=a", with_path());
        check("https://hec.test:8088/#a", with_path());
        check("hec.test:8088", no_url());
        check("tcp://hec.test:8088", no_url());
        check("", no_url());
        check(
            "https://splunk:token@hec.test:8088",
            expect!["the URL holds a user or password: the token has a place of its own"],
        );
    }
}
