//! What the HTTP Event Collector's answers mean.
//!
//! ```text
//! 200 {"text":"Success","code":0,"ackId":7}
//! 400 {"text":"Invalid data format","code":6,"invalid-event-number":2}
//! 200 {"acks":{"7":true}}
//! ```

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Deserializer};

use crate::model::{Secret, json, limits};

/// Fields that we do not know are none of our business.
#[derive(Debug, Default, Deserialize)]
struct Answer {
    #[serde(default)]
    text: String,
    #[serde(default, deserialize_with = "number")]
    code: Option<u64>,
    #[serde(rename = "ackId")]
    ack_id: Option<u64>,
    #[serde(rename = "invalid-event-number", default, deserialize_with = "number")]
    invalid_event: Option<u64>,
}

/// A number that is none must not hide what else an answer says.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let value = serde_json::Value::deserialize(from)?;
    let written = value.as_str().and_then(|text| text.parse().ok());
    Ok(value.as_u64().or(written))
}

#[derive(Deserialize)]
struct Acks {
    acks: BTreeMap<String, bool>,
}

/// What is wrong, in Firehose's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    DisabledToken,
    InvalidToken,
    InvalidDataFormat,
    InvalidIndex,
    ServerError,
    IndexerBusy,
    ContentTooLarge,
    UrlNotFound,
    InvalidResponse,
    /// The data was taken, and nobody will say whether it stays.
    DisabledAck,
    /// Nobody can be asked whether it stays.
    AcknowledgementsDisabled,
    /// The one who was asked does not know the channel.
    ProxyWithoutStickySessions,
}

impl Fault {
    /// Whether whoever was asked for an acknowledgement will never know of it.
    pub fn is_forgotten(self) -> bool {
        self == Fault::ProxyWithoutStickySessions
    }

    /// Whether a poll that meets it has learned nothing: neither of the data, nor of what an operator
    /// could mend.
    pub fn says_nothing_of_the_data(self) -> bool {
        match self {
            Fault::ServerError
            | Fault::IndexerBusy
            | Fault::ContentTooLarge
            | Fault::InvalidResponse => true,
            Fault::DisabledToken
            | Fault::InvalidToken
            | Fault::InvalidDataFormat
            | Fault::InvalidIndex
            | Fault::UrlNotFound
            | Fault::DisabledAck
            | Fault::AcknowledgementsDisabled
            | Fault::ProxyWithoutStickySessions => false,
        }
    }
}

/// Which records an answer complains of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blamed {
    /// Not the records.
    Nobody,
    /// The event with this number, from 0.
    Event(u64),
    /// It does not say which.
    Somebody,
    Everybody,
}

/// An answer that is not a yes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Splunk answered {status}{}", told(.code, .text))]
pub struct Refused {
    pub status: u16,
    pub fault: Fault,
    pub blamed: Blamed,
    code: Option<u64>,
    /// What Splunk says for itself. What else an answer holds may be an echo of the records, whose
    /// bytes are in no log; the failed output has it.
    text: String,
    /// The whole answer.
    pub raw: String,
}

impl Refused {
    /// The token is not told again, should the answer repeat it.
    pub fn hiding(self, token: &Secret) -> Refused {
        Refused {
            text: token.hidden_in(self.text),
            raw: token.hidden_in(self.raw),
            ..self
        }
    }
}

/// So much of a server's message is kept: it goes into log lines.
const TOLD_CHARACTERS_MAX: usize = 300;

fn told(code: &Option<u64>, text: &str) -> String {
    let line = text.trim().chars().take(TOLD_CHARACTERS_MAX);
    let line = line.map(|character| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    });
    match (line.collect::<String>(), code) {
        (line, Some(code)) => format!(": {line} (code {code})"),
        (line, None) if line.is_empty() => line,
        (line, None) => format!(": {line}"),
    }
}

/// The id under which the data will be acknowledged.
pub fn ack_id(response: &Response<Bytes>) -> Result<u64, Refused> {
    let status = response.status().as_u16();
    let answer = json::object::<Answer>(response.body());
    if let (
        200,
        Some(Answer {
            code: Some(0) | None,
            ack_id,
            ..
        }),
    ) = (status, &answer)
    {
        return ack_id.ok_or_else(|| refused(response, Fault::DisabledAck, Blamed::Nobody));
    }
    let (fault, blamed) = meaning(status, answer.as_ref());
    Err(refused(response, fault, blamed))
}

/// Whether this id is acknowledged.
pub fn is_acknowledged(response: &Response<Bytes>, id: u64) -> Result<bool, Refused> {
    let status = response.status().as_u16();
    if status == 200
        && let Some(Acks { acks }) = json::object(response.body())
    {
        return Ok(acks.get(&id.to_string()).copied().unwrap_or(false));
    }
    let answer = json::object::<Answer>(response.body());
    let fault = match answer.as_ref().and_then(|answer| answer.code) {
        // It took our data under this channel a moment ago.
        Some(10 | 11) => Fault::ProxyWithoutStickySessions,
        Some(14) => Fault::AcknowledgementsDisabled,
        _ => meaning(status, answer.as_ref()).0,
    };
    Err(refused(response, fault, Blamed::Nobody))
}

fn refused(response: &Response<Bytes>, fault: Fault, blamed: Blamed) -> Refused {
    // A character has at most four bytes: more would be cut off anyway.
    let most = limits::FAILURE_MESSAGE_CHARACTERS_MAX * 4;
    let body = &response.body()[..response.body().len().min(most)];
    let raw = String::from_utf8_lossy(body).into_owned();
    let answer = json::object::<Answer>(raw.as_bytes()).unwrap_or_default();
    Refused {
        status: response.status().as_u16(),
        fault,
        blamed,
        code: answer.code,
        text: answer.text,
        raw,
    }
}

/// By Splunk's own code where there is one, otherwise by the status: load balancers answer too.
fn meaning(status: u16, answer: Option<&Answer>) -> (Fault, Blamed) {
    let event = answer.and_then(|answer| answer.invalid_event);
    let spoilt = event.map_or(Blamed::Somebody, Blamed::Event);
    match answer.and_then(|answer| answer.code) {
        Some(1) => (Fault::DisabledToken, Blamed::Nobody),
        Some(2..=4) => (Fault::InvalidToken, Blamed::Nobody),
        // There is nothing but blanks, whichever part of it is sent.
        Some(5) => (Fault::InvalidDataFormat, Blamed::Everybody),
        Some(6 | 12 | 13) => (Fault::InvalidDataFormat, spoilt),
        Some(7) if event.is_some() => (Fault::InvalidIndex, spoilt),
        Some(7) => (Fault::InvalidIndex, Blamed::Nobody),
        Some(8) => (Fault::ServerError, Blamed::Nobody),
        Some(9) => (Fault::IndexerBusy, Blamed::Nobody),
        // Channel missing or invalid, though it was sent: a proxy between us loses it.
        Some(10 | 11) => (Fault::ProxyWithoutStickySessions, Blamed::Nobody),
        Some(14) => (Fault::AcknowledgementsDisabled, Blamed::Nobody),
        // Later versions of Splunk know more: what they hold against one event is its fault.
        Some(_) if event.is_some() => (Fault::InvalidDataFormat, spoilt),
        Some(_) | None => (by_status(status), Blamed::Nobody),
    }
}

fn by_status(status: u16) -> Fault {
    match status {
        200 => Fault::InvalidResponse,
        401 | 403 => Fault::InvalidToken,
        404 => Fault::UrlNotFound,
        413 => Fault::ContentTooLarge,
        429 | 503 => Fault::IndexerBusy,
        _ => Fault::ServerError,
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn response(status: u16, body: impl Into<Vec<u8>>) -> Response<Bytes> {
        let response = Response::builder().status(status);
        response.body(Bytes::from(body.into())).unwrap()
    }

    #[track_caller]
    fn check(status: u16, body: &str, expected: Expect) {
        expected.assert_eq(&match ack_id(&response(status, body)) {
            Ok(id) => format!("ack {id}"),
            Err(refused) => {
                let Refused { fault, blamed, .. } = &refused;
                format!("{fault:?}, {blamed:?}: {refused}")
            }
        });
    }

    #[test]
    fn a_yes_has_an_id_to_ask_for() {
        check(
            200,
            r#"{"text":"Success","code":0,"ackId":7}"#,
            expect!["ack 7"],
        );
        check(200, r#"{"ackId":0,"later":[]}"#, expect!["ack 0"]);
        check(
            200,
            r#"{"text":"Success","code":0}"#,
            expect!["DisabledAck, Nobody: Splunk answered 200: Success (code 0)"],
        );
        check(
            200,
            "OK",
            expect!["InvalidResponse, Nobody: Splunk answered 200"],
        );
        check(
            200,
            "",
            expect!["InvalidResponse, Nobody: Splunk answered 200"],
        );
        check(
            200,
            r#"["Success",0,7]"#,
            expect!["InvalidResponse, Nobody: Splunk answered 200"],
        );
        check(
            201,
            r#"{"text":"Success","code":0,"ackId":7}"#,
            expect!["ServerError, Nobody: Splunk answered 201: Success (code 0)"],
        );
    }

    #[test]
    fn every_code_has_its_meaning() {
        let answer = |code: u32, status: u16, more: &str| {
            let body = format!(r#"{{"text":"t","code":{code}{more}}}"#);
            let refused = ack_id(&response(status, body)).unwrap_err();
            format!("{code} {:?}, {:?}", refused.fault, refused.blamed)
        };
        let statuses = [
            (1, 403),
            (2, 401),
            (3, 401),
            (4, 403),
            (5, 400),
            (6, 400),
            (7, 400),
            (8, 500),
            (9, 503),
            (10, 400),
            (11, 400),
            (12, 400),
            (13, 400),
            (14, 400),
            (15, 400),
            (26, 429),
        ];
        let told = statuses.map(|(code, status)| answer(code, status, ""));
        expect![[r#"
            1 DisabledToken, Nobody
            2 InvalidToken, Nobody
            3 InvalidToken, Nobody
            4 InvalidToken, Nobody
            5 InvalidDataFormat, Everybody
            6 InvalidDataFormat, Somebody
            7 InvalidIndex, Nobody
            8 ServerError, Nobody
            9 IndexerBusy, Nobody
            10 ProxyWithoutStickySessions, Nobody
            11 ProxyWithoutStickySessions, Nobody
            12 InvalidDataFormat, Somebody
            13 InvalidDataFormat, Somebody
            14 AcknowledgementsDisabled, Nobody
            15 ServerError, Nobody
            26 IndexerBusy, Nobody"#]]
        .assert_eq(&told.join("\n"));
        let told = [6, 7, 12, 13, 15].map(|code| answer(code, 400, r#","invalid-event-number":2"#));
        expect![[r#"
            6 InvalidDataFormat, Event(2)
            7 InvalidIndex, Event(2)
            12 InvalidDataFormat, Event(2)
            13 InvalidDataFormat, Event(2)
            15 InvalidDataFormat, Event(2)"#]]
        .assert_eq(&told.join("\n"));
    }

    #[test]
    fn odd_numbers_hide_nothing_else() {
        for (code, event, blamed) in [
            ("6", "-1", "Somebody"),
            ("\"6\"", "\"3\"", "Event(3)"),
            ("6", "null", "Somebody"),
            ("6", "1.5", "Somebody"),
        ] {
            let body = format!(r#"{{"text":"t","code":{code},"invalid-event-number":{event}}}"#);
            let refused = ack_id(&response(400, body)).unwrap_err();
            assert_eq!(refused.fault, Fault::InvalidDataFormat);
            assert_eq!(format!("{:?}", refused.blamed), blamed);
        }
    }

    #[test]
    fn who_is_not_splunk_is_understood_by_the_status() {
        let told = [400, 401, 403, 404, 413, 429, 500, 502, 503, 504].map(|status| {
            let refused = ack_id(&response(status, "<html>no\n</html>")).unwrap_err();
            assert_eq!(refused.blamed, Blamed::Nobody);
            format!("{:?}: {refused}", refused.fault)
        });
        expect![[r#"
            ServerError: Splunk answered 400
            InvalidToken: Splunk answered 401
            InvalidToken: Splunk answered 403
            UrlNotFound: Splunk answered 404
            ContentTooLarge: Splunk answered 413
            IndexerBusy: Splunk answered 429
            ServerError: Splunk answered 500
            ServerError: Splunk answered 502
            IndexerBusy: Splunk answered 503
            ServerError: Splunk answered 504"#]]
        .assert_eq(&told.join("\n"));
    }

    #[track_caller]
    fn check_acks(status: u16, body: &str, expected: Expect) {
        expected.assert_eq(&match is_acknowledged(&response(status, body), 7) {
            Ok(acknowledged) => acknowledged.to_string(),
            Err(refused) => format!("{:?}", refused.fault),
        });
    }

    #[test]
    fn only_true_is_an_acknowledgement() {
        check_acks(200, r#"{"acks":{"7":true}}"#, expect!["true"]);
        check_acks(200, r#"{"acks":{"7":false}}"#, expect!["false"]);
        check_acks(200, r#"{"acks":{"8":true}}"#, expect!["false"]);
        check_acks(200, r#"{"acks":{}}"#, expect!["false"]);
        check_acks(200, r#"{"acks":{"7":"true"}}"#, expect!["InvalidResponse"]);
        check_acks(200, r#"[{"7":true}]"#, expect!["InvalidResponse"]);
        check_acks(
            400,
            r#"{"text":"ACK is disabled","code":14}"#,
            expect!["AcknowledgementsDisabled"],
        );
        check_acks(
            400,
            r#"{"text":"Invalid data channel","code":11}"#,
            expect!["ProxyWithoutStickySessions"],
        );
        check_acks(
            400,
            r#"{"text":"Data channel is missing","code":10}"#,
            expect!["ProxyWithoutStickySessions"],
        );
        check_acks(
            403,
            r#"{"text":"Token disabled","code":1}"#,
            expect!["DisabledToken"],
        );
        check_acks(503, "busy", expect!["IndexerBusy"]);
    }

    proptest! {
        #[test]
        fn no_answer_confuses_us(
            status in 100u16..1000,
            body in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..600),
                "[{}\\[\\]\":,a-zA-Z0-9-]{0,60}".prop_map(String::into_bytes),
                r#"\{"text":"\PC{0,9}","code":[0-9-]{1,12}\}"#.prop_map(String::into_bytes),
            ],
        ) {
            let response = response(status, body);
            let refused = ack_id(&response).expect_err("no id was given");
            prop_assert!(refused.to_string().chars().count() < TOLD_CHARACTERS_MAX + 100);
            prop_assert!(!refused.to_string().contains('\n'));
            prop_assert!(!is_acknowledged(&response, 7).unwrap_or(false));
        }
    }
}
