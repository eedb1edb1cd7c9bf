//! What producers send: the JSON of a put, with records that do not compress. And how long the answer
//! is that the API wants.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub const STREAM: &str = "bench";

/// The body of a put, and how many bytes of records are in it.
pub struct Body {
    pub operation: &'static str,
    pub json: Vec<u8>,
    /// An answer as Firehose writes it: with an id of 224 characters for each record.
    pub answer: Vec<u8>,
    pub records: u64,
    pub bytes: u64,
}

/// As many records as Firehose takes in one batch: 500, or 4 MiB.
pub fn batch(record_bytes: usize) -> Body {
    let count = (4 * 1024 * 1024 / record_bytes).min(500);
    let records: Vec<_> = (0..count).map(|_| entry(record_bytes)).collect();
    let json = format!(
        r#"{{"DeliveryStreamName":"{STREAM}","Records":[{}]}}"#,
        records.join(",")
    );
    let ids = vec![format!(r#"{{"RecordId":"{}"}}"#, record_id()); count];
    let answer = format!(
        r#"{{"Encrypted":false,"FailedPutCount":0,"RequestResponses":[{}]}}"#,
        ids.join(",")
    );
    Body {
        operation: "PutRecordBatch",
        json: json.into_bytes(),
        answer: answer.into_bytes(),
        records: count as u64,
        bytes: (count * record_bytes) as u64,
    }
}

pub fn single(record_bytes: usize) -> Body {
    let record = entry(record_bytes);
    let json = format!(r#"{{"DeliveryStreamName":"{STREAM}","Record":{record}}}"#);
    let answer = format!(r#"{{"Encrypted":false,"RecordId":"{}"}}"#, record_id());
    Body {
        operation: "PutRecord",
        json: json.into_bytes(),
        answer: answer.into_bytes(),
        records: 1,
        bytes: record_bytes as u64,
    }
}

fn record_id() -> String {
    "x".repeat(224)
}

fn entry(bytes: usize) -> String {
    let data: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..))
        .take(bytes)
        .collect();
    format!(r#"{{"Data":"{}"}}"#, STANDARD.encode(data))
}
