//! How a request's body is packed: what is stored are the bytes before that, never what happened to
//! travel.

use http::HeaderMap;
use http::header::HeaderName;
use http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};

use super::answer::{Exception, Kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    pub(super) fn of(headers: &HeaderMap) -> Result<Encoding, Exception> {
        let transfer = joined(headers, &TRANSFER_ENCODING);
        if !["", "chunked"].contains(&transfer.to_ascii_lowercase().as_str()) {
            let message = format!("Transfer-Encoding `{transfer}` is not taken: send `chunked`.");
            return Err(Exception::new(Kind::Encoding, message));
        }
        let value = joined(headers, &CONTENT_ENCODING);
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

/// All values of a header, as if they had been sent in one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values.map(|value| value.to_str().unwrap_or("?")).collect();
    values.join(", ")
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
    fn a_body_that_was_packed_for_its_way_alone_is_not_taken() {
        let of = |value: &'static str| {
            let headers = HeaderMap::from_iter([(TRANSFER_ENCODING, value.parse().unwrap())]);
            Encoding::of(&headers).map_err(|exception| exception.text())
        };
        assert_eq!(of("Chunked"), Ok(Encoding::Identity));
        expect![[r#"Err("UnsupportedMediaTypeException: Transfer-Encoding `gzip, chunked` is not taken: send `chunked`.")"#]]
            .assert_eq(&format!("{:?}", of("gzip, chunked")));
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
