//! `Content-Encoding` of a request: what is stored are the bytes before they were packed, never what
//! happened to travel.

use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::answer::{Exception, Kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Result<Encoding, Exception> {
        let values = headers.get_all(CONTENT_ENCODING).iter();
        let values: Vec<_> = values.map(|value| value.to_str().unwrap_or("?")).collect();
        let value = values.join(", ");
        match value.to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Encoding::Identity),
            "gzip" | "x-gzip" => Ok(Encoding::Gzip),
            _ => Err(Exception::new(
                Kind::Encoding,
                format!("Content-Encoding `{value}` is not taken: send `gzip`, or none."),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(values: &[&str], expected: Expect) {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, value.parse().unwrap());
        }
        let encoding = Encoding::of(&headers).map_err(|exception| exception.text());
        expected.assert_eq(&match encoding {
            Ok(encoding) => format!("{encoding:?}"),
            Err(text) => text,
        });
    }

    #[test]
    fn gzip_once_is_taken_and_anything_else_is_named() {
        check(&[], expect!["Identity"]);
        check(&["identity"], expect!["Identity"]);
        check(&["gzip"], expect!["Gzip"]);
        check(&["X-GZIP"], expect!["Gzip"]);
        check(
            &["zstd"],
            expect![
                "UnsupportedMediaTypeException: Content-Encoding `zstd` is not taken: send `gzip`, or none."
            ],
        );
        check(
            &["gzip, gzip"],
            expect![
                "UnsupportedMediaTypeException: Content-Encoding `gzip, gzip` is not taken: send `gzip`, or none."
            ],
        );
        check(
            &["gzip", "gzip"],
            expect![
                "UnsupportedMediaTypeException: Content-Encoding `gzip, gzip` is not taken: send `gzip`, or none."
            ],
        );
        check(
            &["\u{fc}"],
            expect![
                "UnsupportedMediaTypeException: Content-Encoding `?` is not taken: send `gzip`, or none."
            ],
        );
    }
}
