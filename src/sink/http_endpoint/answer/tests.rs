//! Every rule of an answer, at its limit and one past it.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::model::Secret;

const ID: Uuid = Uuid::from_u128(7);

/// The headers are `Name: value` lines; `ID` in the body is the request's.
fn response(status: u16, headers: &str, body: impl Into<Vec<u8>>) -> Response<Bytes> {
    let mut response = Response::builder().status(status);
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        response = response.header(name.trim(), value);
    }
    response.body(Bytes::from(body.into())).unwrap()
}

fn as_it_is(text: String) -> String {
    text
}

#[track_caller]
fn check_answer(status: u16, headers: &str, body: &str, expected: Expect) {
    let body = body.replace("ID", &ID.to_string());
    expected.assert_eq(
        &match check(ID, as_it_is, &response(status, headers, body)) {
            Ok(()) => "yes".to_owned(),
            Err(fault) => fault.to_string(),
        },
    );
}

const JSON: &str = "Content-Type: application/json";

#[test]
fn a_200_with_the_protocols_document_is_a_yes() {
    check_answer(
        200,
        JSON,
        r#"{"requestId":"ID","timestamp":1700000000000}"#,
        expect!["yes"],
    );
    check_answer(
        200,
        "content-type: Application/JSON; charset=utf-8",
        r#" {"timestamp": 1, "requestId": "ID", "errorMessage": null} "#,
        expect!["yes"],
    );
    check_answer(
        200,
        JSON,
        r#"{"requestId":"ID","timestamp":1,"errorMessage":""}"#,
        expect!["yes"],
    );
}

#[test]
fn the_timestamp_is_a_number_in_any_unit() {
    for timestamp in ["0", "1700000000", "1700000000.5", "1.7e12", "-1"] {
        let body = format!(r#"{{"requestId":"{ID}","timestamp":{timestamp}}}"#);
        assert_eq!(
            check(ID, as_it_is, &response(200, JSON, body)),
            Ok(()),
            "{timestamp}"
        );
    }
    for timestamp in [r#""1700000000000""#, "null", "true", "[1]"] {
        let body = format!(r#"{{"requestId":"{ID}","timestamp":{timestamp}}}"#);
        assert!(
            check(ID, as_it_is, &response(200, JSON, body)).is_err(),
            "{timestamp}"
        );
    }
}

// From review: serde takes a list for an object, member by member.
#[test]
fn a_list_is_a_no() {
    check_answer(
        200,
        JSON,
        r#"["ID",1,null]"#,
        expect![
            "the endpoint's answer is not recognized as valid JSON or has unexpected fields: it is a list"
        ],
    );
}

#[test]
fn a_200_with_anything_else_is_a_no() {
    let whole = r#"{"requestId":"ID","timestamp":1}"#;
    check_answer(
        200,
        "",
        whole,
        expect!["the endpoint's answer has the Content-Type `` and not `application/json`"],
    );
    check_answer(
        200,
        "Content-Type: text/html",
        whole,
        expect![
            "the endpoint's answer has the Content-Type `text/html` and not `application/json`"
        ],
    );
    check_answer(
        200,
        "Content-Type: application/json\nContent-Encoding: gzip",
        whole,
        expect!["the endpoint's answer has a Content-Encoding"],
    );
    check_answer(
        200,
        JSON,
        "",
        expect![
            "the endpoint's answer is not recognized as valid JSON or has unexpected fields: EOF while parsing a value at line 1 column 0"
        ],
    );
    check_answer(
        200,
        JSON,
        "OK",
        expect![
            "the endpoint's answer is not recognized as valid JSON or has unexpected fields: expected value at line 1 column 1"
        ],
    );
    check_answer(
        200,
        JSON,
        r#"{"requestId":"ID"}"#,
        expect![
            "the endpoint's answer is not recognized as valid JSON or has unexpected fields: missing field `timestamp` at line 1 column 52"
        ],
    );
    check_answer(
        200,
        JSON,
        r#"{"timestamp":1}"#,
        expect![
            "the endpoint's answer is not recognized as valid JSON or has unexpected fields: missing field `requestId` at line 1 column 15"
        ],
    );
    check_answer(
        200,
        JSON,
        r#"{"requestId":"ID","timestamp":1,"status":"ok"}"#,
        expect![
            "the endpoint's answer is not recognized as valid JSON or has unexpected fields: unknown field `status`, expected one of `requestId`, `timestamp`, `errorMessage` at line 1 column 74"
        ],
    );
    check_answer(
        200,
        JSON,
        r#"{"requestId":"ID","timestamp":1}{}"#,
        expect![
            "the endpoint's answer is not recognized as valid JSON or has unexpected fields: trailing characters at line 1 column 67"
        ],
    );
    check_answer(
        200,
        JSON,
        r#"{"requestId":"other","timestamp":1}"#,
        expect!["the endpoint's answer has a requestId that is not the request's"],
    );
}

#[test]
fn only_200_is_a_yes() {
    for status in [
        201, 202, 204, 301, 307, 400, 401, 403, 404, 413, 429, 500, 503, 599,
    ] {
        let body = format!(r#"{{"requestId":"{ID}","timestamp":1,"errorMessage":"slow\ndown"}}"#);
        let fault = check(ID, as_it_is, &response(status, JSON, body)).unwrap_err();
        let told = format!("the endpoint answered {status}: slow down");
        assert_eq!(fault.to_string(), told);
    }
    check_answer(
        502,
        "",
        "<html>bad gateway</html>",
        expect!["the endpoint answered 502"],
    );
    check_answer(503, "", "", expect!["the endpoint answered 503"]);
    // Packed: nobody could read it.
    check_answer(
        503,
        "Content-Encoding: gzip",
        "\u{1f}",
        expect!["the endpoint answered 503"],
    );
}

#[test]
fn there_is_one_content_type() {
    let twice = "Content-Type: application/json\nContent-Type: application/json";
    check_answer(
        200,
        twice,
        "",
        expect!["the endpoint's answer has more than one Content-Type"],
    );
}

#[test]
fn a_reason_phrase_has_at_most_64_characters() {
    let answer = |phrase: &'static str| {
        let body = format!(r#"{{"requestId":"{ID}","timestamp":1}}"#);
        let mut response = response(200, JSON, body);
        let phrase = ReasonPhrase::from_static(phrase.as_bytes());
        response.extensions_mut().insert(phrase);
        check(ID, as_it_is, &response)
    };
    let most = "0123456789012345678901234567890123456789012345678901234567890123";
    assert_eq!(answer(most), Ok(()));
    let longer = "01234567890123456789012345678901234567890123456789012345678901234";
    assert_eq!(answer(longer), Err(Fault::ReasonPhrase));
}

#[test]
fn an_answer_has_at_most_one_mebibyte_with_its_headers() {
    let start = format!(r#"{{"requestId":"{ID}","timestamp":1}}"#);
    // `content-type: application/json` and the line's end.
    let headers = 12 + 16 + 4;
    let padded = |bytes: usize| {
        let blanks = " ".repeat(bytes - headers - start.len());
        check(
            ID,
            as_it_is,
            &response(200, JSON, format!("{start}{blanks}")),
        )
    };
    assert_eq!(padded(1024 * 1024), Ok(()));
    assert_eq!(padded(1024 * 1024 + 1), Err(Fault::TooLarge));
}

proptest! {
    /// Whatever an endpoint says, only the protocol's own yes is one, and what is told is one line.
    #[test]
    fn no_answer_confuses_us(
        status in 100u16..1000,
        headers in proptest::sample::subsequence(
            vec![JSON, "Content-Type: text/plain", "Content-Encoding: gzip"], 0..=3),
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..600),
            "\\PC{0,400}".prop_map(String::into_bytes),
            "[{}\\[\\]\":,a-z0-9\\\\]{0,60}".prop_map(String::into_bytes),
            r#"\{"requestId":"[0-9-]{36}","timestamp":[0-9"]{1,4}\}"#.prop_map(String::into_bytes),
        ],
    ) {
        let response = response(status, &headers.join("\n"), body);
        let fault = check(ID, as_it_is, &response).expect_err("nobody knows the request's id");
        let told = fault.to_string();
        prop_assert!(told.chars().count() < TOLD_CHARACTERS_MAX + 200);
        prop_assert!(!told.contains('\n'), "{told}");
    }
}

// From review: receivers do echo keys, and the log and the failed output had them then.
#[test]
fn an_access_key_that_the_endpoint_repeats_is_not_told() {
    let key = Secret::new("hunter2");
    for status in [200, 401] {
        let body = r#"{"errorMessage":"bad key hunter2, hunter2"}"#;
        let fault = check(
            ID,
            |text| key.hidden_in(text),
            &response(status, JSON, body),
        )
        .unwrap_err();
        let told = format!("{fault} {fault:?}");
        assert!(!told.contains("hunter2"), "{told}");
        assert!(told.contains("bad key [secret], [secret]"), "{told}");
    }
}
