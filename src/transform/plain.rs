//! Functions that live at a URL: a container next door that takes the same document by POST and
//! answers the same.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderValue, Request, Uri, header};
use percent_encoding::percent_decode_str;

use super::reply::Server;
use super::trouble::Trouble;
use super::{LIMITS, reply};
use crate::outside::Clock;
use crate::outside::http_client::{HttpClient, Outgoing, has_possible_port};

/// Where the function is. User and password, and whatever is behind a question mark, may be secrets:
/// they are sent and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct FunctionUrl {
    /// Without user and password.
    uri: Uri,
    authorization: Option<HeaderValue>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a function's URL begins with http:// or https:// and a host, and has no `#`")]
pub struct FunctionUrlError;

impl FromStr for FunctionUrl {
    type Err = FunctionUrlError;

    fn from_str(text: &str) -> Result<FunctionUrl, FunctionUrlError> {
        // `Uri` would drop a fragment without a word.
        if text.contains('#') {
            return Err(FunctionUrlError);
        }
        let uri: Uri = text.parse().map_err(|_| FunctionUrlError)?;
        if !has_possible_port(&uri) {
            return Err(FunctionUrlError);
        }
        let mut parts = uri.into_parts();
        let scheme = parts.scheme.as_ref().map(http::uri::Scheme::as_str);
        let authority = parts.authority.take().ok_or(FunctionUrlError)?;
        let (user, host) = match authority.as_str().rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority.as_str()),
        };
        if !matches!(scheme, Some("http" | "https")) || host.starts_with(':') {
            return Err(FunctionUrlError);
        }
        let authorization = user.map(|user| {
            // What a URL cannot hold is written `%40` there, and sent as what it is.
            let user: Vec<u8> = percent_decode_str(user).collect();
            let value = format!("Basic {}", STANDARD.encode(user));
            HeaderValue::try_from(value).expect("base64 is a header's value")
        });
        parts.authority = Some(host.parse::<Authority>().map_err(|_| FunctionUrlError)?);
        let uri = Uri::from_parts(parts).map_err(|_| FunctionUrlError)?;
        Ok(FunctionUrl { uri, authorization })
    }
}

impl fmt::Display for FunctionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.uri.scheme_str().unwrap_or_default();
        let authority = self.uri.authority().map_or("", Authority::as_str);
        write!(f, "{scheme}://{authority}{}", self.uri.path())
    }
}

impl fmt::Debug for FunctionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FunctionUrl({self})")
    }
}

pub(super) struct Plain {
    http: Arc<dyn HttpClient>,
    url: FunctionUrl,
    clock: Clock,
}

impl Plain {
    pub fn open(url: FunctionUrl, http: Arc<dyn HttpClient>, clock: Clock) -> Plain {
        Plain { http, url, clock }
    }

    pub async fn invoke(&self, document: Bytes) -> Result<Bytes, Trouble> {
        let mut request = Request::post(self.url.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Outgoing::Whole(document))
            .expect("all headers are constant");
        if let Some(authorization) = &self.url.authorization {
            let headers = request.headers_mut();
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        let response = self.http.send(request, LIMITS).await;
        let response = response.map_err(Trouble::unsent)?;
        reply::document(response, Server::NextDoor, self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// What is shown, then what is sent.
    #[track_caller]
    fn check(url: &str, expected: Expect) {
        expected.assert_eq(&match url.parse::<FunctionUrl>() {
            Ok(url) => format!("{url} | {} {:?}", url.uri, url.authorization),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn what_may_be_secret_is_sent_and_not_shown() {
        check(
            "http://127.0.0.1:8000/transform",
            expect!["http://127.0.0.1:8000/transform | http://127.0.0.1:8000/transform None"],
        );
        check(
            "https://me:pass@functions.example/a/b?key=secret",
            expect![[
                r#"https://functions.example/a/b | https://functions.example/a/b?key=secret Some("Basic bWU6cGFzcw==")"#
            ]],
        );
        check(
            "https://me:p%40ss%2Fw%3A@f.example/",
            expect![[r#"https://f.example/ | https://f.example/ Some("Basic bWU6cEBzcy93Og==")"#]],
        );
        check(
            "https://me:100%@f.example/",
            expect![[r#"https://f.example/ | https://f.example/ Some("Basic bWU6MTAwJQ==")"#]],
        );
        check(
            "https://f.example/a#b",
            expect!["a function's URL begins with http:// or https:// and a host, and has no `#`"],
        );
        check(
            "http://[::1]:8000",
            expect!["http://[::1]:8000/ | http://[::1]:8000/ None"],
        );
    }

    #[test]
    fn other_texts_are_no_url_of_a_function() {
        check(
            "functions.example/a",
            expect!["a function's URL begins with http:// or https:// and a host, and has no `#`"],
        );
        check(
            "/transform",
            expect!["a function's URL begins with http:// or https:// and a host, and has no `#`"],
        );
        check(
            "ftp://functions.example/",
            expect!["a function's URL begins with http:// or https:// and a host, and has no `#`"],
        );
        check(
            "http://:80/",
            expect!["a function's URL begins with http:// or https:// and a host, and has no `#`"],
        );
        check(
            "",
            expect!["a function's URL begins with http:// or https:// and a host, and has no `#`"],
        );
    }
}
