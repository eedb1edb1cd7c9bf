//! The request, to the letter: headers, and the records as base64 in JSON.

use base64_simd::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use uuid::Uuid;

use super::Settings;
use crate::model::{Compression, Records, Timestamp};
use crate::sink::parts::{Framing, base64_bytes};

/// What receivers know Firehose by.
const AGENT: &str = "Amazon Kinesis Data Firehose Agent/1.0";
const START: &str = r#"{"requestId":""#;
const TIMESTAMP: &str = r#"","timestamp":"#;
const RECORDS: &str = r#","records":["#;
const END: &str = "]}";
const RECORD_START: &str = r#"{"data":""#;
const RECORD_END: &str = r#""}"#;
const UUID_CHARACTERS: usize = 36;
/// Milliseconds until the year 2286.
const TIMESTAMP_DIGITS: usize = 13;

pub const FRAMING: Framing = Framing::Json {
    envelope_bytes: (START.len()
        + UUID_CHARACTERS
        + TIMESTAMP.len()
        + TIMESTAMP_DIGITS
        + RECORDS.len()
        + END.len()) as u64,
    record_bytes: (RECORD_START.len() + RECORD_END.len()) as u64,
};

/// `{"requestId":"ed4a…","timestamp":1700000000000,"records":[{"data":"aGVsbG8="},{"data":""}]}`
pub fn body(id: Uuid, at: Timestamp, records: &Records) -> Vec<u8> {
    let each = RECORD_START.len() + RECORD_END.len() + 1;
    let data = base64_bytes(records.slab().len() as u64) as usize;
    // Padding costs each record at most four characters.
    let bytes = 128 + records.count() as usize * (each + 4) + data;
    let mut body = Vec::with_capacity(bytes);
    body.extend_from_slice(format!("{START}{id}{TIMESTAMP}{}{RECORDS}", at.as_millis()).as_bytes());
    for (nth, record) in records.iter().enumerate() {
        if nth != 0 {
            body.push(b',');
        }
        body.extend_from_slice(RECORD_START.as_bytes());
        STANDARD.encode_append(record, &mut body);
        body.extend_from_slice(RECORD_END.as_bytes());
    }
    body.extend_from_slice(END.as_bytes());
    body
}

/// A setting that cannot stand in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {0} holds a character that no header can")]
pub struct IllegalCharacter(&'static str);

/// All but the body's length, which is known last.
pub fn headers(
    settings: &Settings,
    id: Uuid,
    encoding: Compression,
) -> Result<HeaderMap, IllegalCharacter> {
    let mut headers = HeaderMap::new();
    let mut insert = |name: &'static str, value: HeaderValue| headers.insert(name, value);
    insert(
        "x-amz-firehose-protocol-version",
        HeaderValue::from_static("1.0"),
    );
    let request_id = HeaderValue::from_str(&id.to_string()).expect("a uuid is plain ASCII");
    insert("x-amz-firehose-request-id", request_id);
    let arn = HeaderValue::from_str(&settings.source_arn);
    insert(
        "x-amz-firehose-source-arn",
        arn.map_err(|_| IllegalCharacter("stream's ARN"))?,
    );
    if let Some(key) = &settings.access_key {
        // Verbatim, so UTF-8 is sent as it is.
        let key = HeaderValue::from_bytes(key.reveal().as_bytes());
        let mut key = key.map_err(|_| IllegalCharacter("access key"))?;
        key.set_sensitive(true);
        insert("x-amz-firehose-access-key", key);
    }
    if let Some(attributes) = settings.common_attributes.header() {
        insert("x-amz-firehose-common-attributes", attributes);
    }
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match encoding {
        Compression::Uncompressed => {}
        Compression::Gzip => {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
    Ok(headers)
}

/// Said outright, so that nobody sends the body in chunks.
pub fn with_length(mut headers: HeaderMap, bytes: usize) -> HeaderMap {
    headers.insert(CONTENT_LENGTH, bytes.into());
    headers
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use proptest::prelude::*;

    use super::*;
    use crate::model::{RecordsBuilder, Seq};
    use crate::sink::parts::{Gathering, RequestLimits};

    const ID: Uuid = Uuid::from_u128(0xed4a_cda5_034f_9f42_bba1_f29a_ea6d_7d8f);
    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn records<T: AsRef<[u8]>>(records: &[T]) -> Records {
        let mut builder = RecordsBuilder::default();
        records
            .iter()
            .for_each(|record| builder.push(record.as_ref()));
        builder.build().unwrap()
    }

    #[test]
    fn the_body_is_firehoses_to_the_letter() {
        let body = body(ID, AT, &records(&["hello", ""]));
        expect![[r#"{"requestId":"ed4acda5-034f-9f42-bba1-f29aea6d7d8f","timestamp":1700000000000,"records":[{"data":"aGVsbG8="},{"data":""}]}"#]].assert_eq(std::str::from_utf8(&body).unwrap());
    }

    proptest! {
        #[test]
        fn a_bodys_length_is_known_before_it_is_made(
            all in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..10), 1..20),
        ) {
            let mut gathering = Gathering::new(RequestLimits {
                records_max: u64::MAX,
                body_bytes_max: u64::MAX,
                framing: FRAMING,
            });
            for (seq, record) in all.iter().enumerate() {
                assert!(gathering.takes(Seq::new(seq as u64), record.len() as u64));
            }
            let body = body(ID, AT, &records(&all));
            prop_assert_eq!(body.len() as u64, gathering.body_bytes());
            let parsed: serde_json::Value = serde_json::from_slice(&body).unwrap();
            let data = parsed["records"].as_array().unwrap().iter().map(|record| {
                STANDARD.decode_to_vec(record["data"].as_str().unwrap()).unwrap()
            });
            prop_assert_eq!(data.collect::<Vec<_>>(), all);
        }
    }
}
