//! The plain endpoint: `POST /v1/streams/{name}/records`, one record a line.
//!
//! ```text
//! curl --data-binary @lines.txt http://127.0.0.1:4573/v1/streams/demo/records
//! {"records":3,"first":"AAAB…","last":"AAAB…"}
//! ```
//!
//! A line's newline stays with its record, so that objects read as the lines did; a last line
//! without one is a record as well. A body is refused or stored as a whole, up to
//! `limits::REQUEST_BODY_BYTES_MAX`: the answer comes when its last line is durable.

use bytes::Bytes;
use memchr::memchr_iter;

use crate::model::{Records, StreamName, limits};
use crate::server::Caller;
use crate::source::direct_put::DirectPut;
use crate::source::direct_put::answer::{Answered, Exception, Kind};

impl DirectPut {
    pub(super) async fn put_lines(&self, stream: &str, caller: &Caller, body: &Bytes) -> Answered {
        let name: StreamName = stream
            .parse()
            .map_err(|error: crate::model::StreamNameError| {
                Exception::new(Kind::Validation, format!("{error}."))
            })?;
        let stream = self.stream(name.as_str(), caller, "PutRecordBatch")?;
        let records = lines(body)?;
        let range = stream.store(records).await?;
        let mut text = format!(r#"{{"records":{},"first":""#, range.count());
        stream.record_id(range.start()).write_to(&mut text);
        text.push_str(r#"","last":""#);
        stream
            .record_id(range.start().plus(range.count() - 1))
            .write_to(&mut text);
        text.push_str(r#""}"#);
        Ok(text.into())
    }
}

/// The body is the slab already: only the ends have to be found.
fn lines(body: &Bytes) -> Result<Records, Exception> {
    let wrong = |message: String| Err(Exception::new(Kind::Validation, message));
    let unended = (!body.is_empty() && !body.ends_with(b"\n")).then_some(body.len());
    let newlines = memchr_iter(b'\n', body).map(|at| at + 1);
    let mut ends: Vec<u32> = Vec::new();
    let mut start = 0;
    for end in newlines.chain(unended) {
        let bytes = end - start;
        let line = ends.len() + 1;
        if limits::FIREHOSE_RECORD_BYTES_MAX < bytes {
            let most = limits::FIREHOSE_RECORD_BYTES_MAX;
            return wrong(format!(
                "Line {line} has {bytes} bytes; a record may have at most {most}, its newline \
                 included. Nothing was stored."
            ));
        }
        if limits::PLAIN_PUT_RECORDS_MAX < line {
            return wrong(format!(
                "The body has more than {} lines: send it in parts. Nothing was stored.",
                limits::PLAIN_PUT_RECORDS_MAX
            ));
        }
        ends.push(u32::try_from(end).expect("L1: a body is far smaller than 4 GiB"));
        start = end;
    }
    match Records::from_parts(body.clone(), ends) {
        Some(records) => Ok(records),
        None => wrong(
            "The body is empty: send one record a line, such as `curl --data-binary @lines.txt`."
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(body: impl Into<Bytes>, expected: Expect) {
        expected.assert_eq(&match lines(&body.into()) {
            Ok(records) => {
                let shown = records.iter().map(|it| it.escape_ascii().to_string());
                shown.collect::<Vec<_>>().join("|")
            }
            Err(exception) => exception.text(),
        });
    }

    #[test]
    fn a_line_is_a_record_and_keeps_its_newline() {
        check("one\ntwo\n", expect![[r#"one\n|two\n"#]]);
        check("one\ntwo", expect![[r#"one\n|two"#]]);
        check("one\r\n\ntwo\n\n", expect![[r#"one\r\n|\n|two\n|\n"#]]);
        check("\n", expect![[r#"\n"#]]);
        check(&b"\xff\x00"[..], expect![[r#"\xff\x00"#]]);
        check(
            "",
            expect![
                "ValidationException: The body is empty: send one record a line, such as `curl --data-binary @lines.txt`."
            ],
        );
    }

    #[test]
    fn a_line_may_be_as_large_as_a_record() {
        let most = limits::FIREHOSE_RECORD_BYTES_MAX;
        let line = |bytes: usize| format!("a\n{}\n", "x".repeat(bytes - 1));
        assert_eq!(lines(&line(most).into()).unwrap().count(), 2);
        check(
            line(most + 1),
            expect![
                "ValidationException: Line 2 has 1024001 bytes; a record may have at most 1024000, its newline included. Nothing was stored."
            ],
        );
    }

    #[test]
    fn a_body_has_a_bounded_number_of_lines() {
        let most = limits::PLAIN_PUT_RECORDS_MAX;
        assert_eq!(
            lines(&"\n".repeat(most).into()).unwrap().count(),
            most as u64
        );
        check(
            "\n".repeat(most + 1),
            expect![
                "ValidationException: The body has more than 250000 lines: send it in parts. Nothing was stored."
            ],
        );
    }
}
