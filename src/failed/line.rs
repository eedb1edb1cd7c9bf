//! One line, written and parsed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::model::{ErrorOutput, Failure, Seq, Timestamp};

/// What is known of a record that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    pub data: &'a [u8],
    pub arrival: Timestamp,
    pub failure: &'a Failure,
    pub cause: Cause<'a>,
}

/// Who would not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause<'a> {
    /// The function as it is configured: an ARN, or a URL without secrets.
    Transformer {
        function: &'a str,
    },
    /// The record's number in its stream.
    HttpEndpoint {
        seq: Seq,
    },
    Splunk {
        seq: Seq,
    },
}

impl Cause<'_> {
    pub fn error_output(&self) -> ErrorOutput {
        match self {
            Cause::Transformer { .. } => ErrorOutput::Processing,
            Cause::HttpEndpoint { .. } => ErrorOutput::HttpEndpoint,
            Cause::Splunk { .. } => ErrorOutput::Splunk,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProcessingLine<'a> {
    raw_data: &'a str,
    error_code: &'a str,
    error_message: &'a str,
    attempts_made: u32,
    arrival_timestamp: u64,
    attempt_ending_timestamp: u64,
    lambda_arn: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryLine<'a> {
    attempts_made: u32,
    arrival_timestamp: u64,
    error_code: &'a str,
    error_message: &'a str,
    attempt_ending_timestamp: u64,
    raw_data: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subsequence_number: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_id: Option<&'a str>,
    #[serde(rename = "EventId", skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
}

impl Line<'_> {
    /// Appends the line, with the newline at its end.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let raw_data = STANDARD.encode(self.data);
        let written = match &self.cause {
            Cause::Transformer { function } => {
                let line = ProcessingLine {
                    raw_data: &raw_data,
                    error_code: &self.failure.code,
                    error_message: &self.failure.message,
                    attempts_made: self.failure.attempts,
                    arrival_timestamp: self.arrival.as_millis(),
                    attempt_ending_timestamp: self.failure.ended.as_millis(),
                    lambda_arn: function,
                };
                serde_json::to_writer(&mut *out, &line)
            }
            Cause::HttpEndpoint { seq } => {
                let id = record_id(*seq);
                let line = DeliveryLine {
                    subsequence_number: Some(0),
                    data_id: Some(&id),
                    ..self.delivery(&raw_data, self.failure.attempts)
                };
                serde_json::to_writer(&mut *out, &line)
            }
            Cause::Splunk { seq } => {
                let id = record_id(*seq);
                // Firehose counts the retries here, and the attempts everywhere else.
                let retries = self.failure.attempts.saturating_sub(1);
                let line = DeliveryLine {
                    event_id: Some(&id),
                    ..self.delivery(&raw_data, retries)
                };
                serde_json::to_writer(&mut *out, &line)
            }
        };
        written.expect("a vector takes all, and the line is plain JSON");
        out.push(b'\n');
    }

    fn delivery<'a>(&'a self, raw_data: &'a str, attempts_made: u32) -> DeliveryLine<'a> {
        DeliveryLine {
            attempts_made,
            arrival_timestamp: self.arrival.as_millis(),
            error_code: &self.failure.code,
            error_message: &self.failure.message,
            attempt_ending_timestamp: self.failure.ended.as_millis(),
            raw_data,
            subsequence_number: None,
            data_id: None,
            event_id: None,
        }
    }
}

/// As Firehose's: a Kinesis sequence number of 56 digits, and the record's number in it.
fn record_id(seq: Seq) -> String {
    format!("49{:054}.0", seq.get())
}

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub data: Vec<u8>,
    pub arrival: Timestamp,
    pub failure: Failure,
    pub error_output: ErrorOutput,
}

#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    #[error("the line is not the JSON of a failed record")]
    Json(#[source] serde_json::Error),
    #[error("`rawData` is not base64")]
    RawData(#[source] base64::DecodeError),
}

/// What every shape has. Firehose wrote numbers as texts for a while, and the function's ARN in two
/// spellings.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AnyLine {
    raw_data: String,
    error_code: String,
    error_message: String,
    attempts_made: Number,
    arrival_timestamp: Number,
    attempt_ending_timestamp: Number,
    #[serde(rename = "EventId")]
    event_id: Option<String>,
    data_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u64),
    Text(#[serde(with = "text")] u64),
}

mod text {
    use serde::{Deserialize, Deserializer, de::Error};

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

impl Number {
    fn get(&self) -> u64 {
        match self {
            Number::Number(number) | Number::Text(number) => *number,
        }
    }
}

/// Reads a line of any of the shapes.
pub fn parse(line: &[u8]) -> Result<Parsed, ParseError> {
    let line: AnyLine = serde_json::from_slice(line).map_err(ParseError::Json)?;
    let error_output = match (&line.event_id, &line.data_id) {
        (Some(_), _) => ErrorOutput::Splunk,
        (None, Some(_)) => ErrorOutput::HttpEndpoint,
        (None, None) => ErrorOutput::Processing,
    };
    let attempts = u32::try_from(line.attempts_made.get()).unwrap_or(u32::MAX);
    let attempts = match error_output {
        ErrorOutput::Splunk => attempts.saturating_add(1),
        ErrorOutput::Processing | ErrorOutput::HttpEndpoint => attempts,
    };
    let ended = Timestamp::from_millis(line.attempt_ending_timestamp.get());
    Ok(Parsed {
        data: STANDARD
            .decode(&line.raw_data)
            .map_err(ParseError::RawData)?,
        arrival: Timestamp::from_millis(line.arrival_timestamp.get()),
        failure: Failure::new(line.error_code, line.error_message, attempts, ended),
        error_output,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn failure() -> Failure {
        let ended = Timestamp::from_millis(1_757_500_190_000);
        Failure::new("Some.Code", "it said \"no\"", 4, ended)
    }

    #[track_caller]
    fn check(cause: Cause<'_>, expected: Expect) {
        let error_output = cause.error_output();
        let failure = failure();
        let line = Line {
            data: b"hello",
            arrival: Timestamp::from_millis(1_757_500_000_000),
            failure: &failure,
            cause,
        };
        let mut out = Vec::new();
        line.write_to(&mut out);
        let parsed = parse(&out).unwrap();
        assert_eq!(parsed.data, line.data);
        assert_eq!(parsed.arrival, line.arrival);
        assert_eq!(parsed.failure, failure);
        assert_eq!(parsed.error_output, error_output);
        expected.assert_eq(std::str::from_utf8(&out).unwrap());
    }

    #[test]
    fn each_cause_has_the_documented_line() {
        check(
            Cause::Transformer {
                function: "arn:aws:lambda:eu-west-1:123456789012:function:enrich:$LATEST",
            },
            expect![[r#"
                {"rawData":"aGVsbG8=","errorCode":"Some.Code","errorMessage":"it said \"no\"","attemptsMade":4,"arrivalTimestamp":1757500000000,"attemptEndingTimestamp":1757500190000,"lambdaArn":"arn:aws:lambda:eu-west-1:123456789012:function:enrich:$LATEST"}
            "#]],
        );
        check(
            Cause::HttpEndpoint { seq: Seq::new(7) },
            expect![[r#"
            {"attemptsMade":4,"arrivalTimestamp":1757500000000,"errorCode":"Some.Code","errorMessage":"it said \"no\"","attemptEndingTimestamp":1757500190000,"rawData":"aGVsbG8=","subsequenceNumber":0,"dataId":"49000000000000000000000000000000000000000000000000000007.0"}
        "#]],
        );
        check(
            Cause::Splunk { seq: Seq::new(7) },
            expect![[r#"
            {"attemptsMade":3,"arrivalTimestamp":1757500000000,"errorCode":"Some.Code","errorMessage":"it said \"no\"","attemptEndingTimestamp":1757500190000,"rawData":"aGVsbG8=","EventId":"49000000000000000000000000000000000000000000000000000007.0"}
        "#]],
        );
    }

    #[test]
    fn lines_of_firehose_are_read_in_both_spellings() {
        for arn in ["lambdaArn", "lambdaARN"] {
            let line = format!(
                r#"{{"attemptsMade":"4","arrivalTimestamp":"1507217624302","errorCode":"Lambda.FunctionError","errorMessage":"m","attemptEndingTimestamp":1507217630000,"rawData":"aGVsbG8=","{arn}":"arn:aws:lambda:f"}}"#
            );
            let parsed = parse(line.as_bytes()).unwrap();
            assert_eq!(parsed.data, b"hello");
            assert_eq!(parsed.failure.attempts, 4);
            assert_eq!(parsed.error_output, ErrorOutput::Processing);
        }
    }

    #[track_caller]
    fn check_refused(line: &str, expected: Expect) {
        expected.assert_eq(&parse(line.as_bytes()).unwrap_err().to_string());
    }

    #[test]
    fn what_is_no_line_is_refused() {
        check_refused("", expect!["the line is not the JSON of a failed record"]);
        check_refused(
            r#"{"rawData":"aGVsbG8="}"#,
            expect!["the line is not the JSON of a failed record"],
        );
        check_refused(
            r#"{"rawData":"*","errorCode":"c","errorMessage":"m","attemptsMade":1,"arrivalTimestamp":1,"attemptEndingTimestamp":1}"#,
            expect!["`rawData` is not base64"],
        );
    }

    proptest! {
        #[test]
        fn any_record_and_message_survive(data: Vec<u8>, message in ".{0,40}", seq: u64) {
            let failure = Failure::new("Code", message, 1, Timestamp::default());
            let mut out = Vec::new();
            Line { data: &data, arrival: Timestamp::default(), failure: &failure, cause: Cause::HttpEndpoint { seq: Seq::new(seq) } }
                .write_to(&mut out);
            prop_assert_eq!(out.iter().filter(|&&byte| byte == b'\n').count(), 1);
            let parsed = parse(&out).unwrap();
            prop_assert_eq!(parsed.data, data);
            prop_assert_eq!(parsed.failure, failure);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(line: Vec<u8>) {
            let _ = parse(&line);
        }
    }
}
