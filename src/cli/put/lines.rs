//! Lines into batches that one PutRecordBatch takes.
//!
//! A batch goes out as soon as nothing more is waiting to be read, so that `tail -f | standpipe put`
//! does not sit on its lines. The newline stays with its line: objects are records laid end to end.

use std::io::{self, BufRead, BufReader, Read};

use bytes::Bytes;

use crate::model::limits::{
    FIREHOSE_PUT_BYTES_MAX, FIREHOSE_RECORD_BYTES_MAX, FIREHOSE_RECORDS_PER_PUT_MAX,
};

/// Read at once from a file: one batch.
const READ_BYTES: usize = FIREHOSE_PUT_BYTES_MAX;

pub struct Batches<R> {
    reader: BufReader<R>,
    line: u64,
    /// Read, but not for the batch before: too much for it, or not a record at all.
    held: Option<Result<Bytes, LineError>>,
}

#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error("failed to read line {line}")]
    Read {
        line: u64,
        #[source]
        cause: io::Error,
    },
    #[error("line {line} is longer than the 1,024,000 bytes that a record can have")]
    TooLong { line: u64 },
}

impl<R: Read> Batches<R> {
    pub fn of(input: R) -> Batches<R> {
        Batches {
            reader: BufReader::with_capacity(READ_BYTES, input),
            line: 0,
            held: None,
        }
    }

    /// The next batch; empty at the end. Lines before a bad one are handed out first.
    pub fn next(&mut self) -> Result<Vec<Bytes>, LineError> {
        let mut batch: Vec<Bytes> = self.held.take().transpose()?.into_iter().collect();
        let mut bytes: usize = batch.iter().map(Bytes::len).sum();
        while batch.len() < FIREHOSE_RECORDS_PER_PUT_MAX {
            let no_line_waits = !self.reader.buffer().contains(&b'\n');
            if no_line_waits && !batch.is_empty() {
                break;
            }
            let Some(line) = self.next_line().transpose() else {
                break;
            };
            match line {
                Err(error) if batch.is_empty() => return Err(error),
                Ok(line) if bytes + line.len() <= FIREHOSE_PUT_BYTES_MAX => {
                    bytes += line.len();
                    batch.push(line);
                }
                line => {
                    self.held = Some(line);
                    break;
                }
            }
        }
        Ok(batch)
    }

    fn next_line(&mut self) -> Result<Option<Bytes>, LineError> {
        self.line += 1;
        let line = self.line;
        let mut text = Vec::new();
        let mut limited = self
            .reader
            .by_ref()
            .take(FIREHOSE_RECORD_BYTES_MAX as u64 + 1);
        let read = limited.read_until(b'\n', &mut text);
        read.map_err(|cause| LineError::Read { line, cause })?;
        if FIREHOSE_RECORD_BYTES_MAX < text.len() {
            return Err(LineError::TooLong { line });
        }
        Ok((!text.is_empty()).then(|| Bytes::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    /// Each batch as `records/bytes`, until the end or an error.
    #[track_caller]
    fn check(input: &[u8], expected: Expect) {
        let mut batches = Batches::of(input);
        let mut seen = Vec::new();
        loop {
            match batches.next() {
                Ok(batch) if batch.is_empty() => break,
                Ok(batch) => {
                    let bytes: usize = batch.iter().map(Bytes::len).sum();
                    seen.push(format!("{}/{bytes}", batch.len()));
                }
                Err(error) => {
                    seen.push(error.to_string());
                    break;
                }
            }
        }
        expected.assert_eq(&seen.join(" "));
    }

    fn line(bytes: usize) -> Vec<u8> {
        let mut line = vec![b'x'; bytes - 1];
        line.push(b'\n');
        line
    }

    #[test]
    fn a_line_keeps_its_newline_and_the_last_one_needs_none() {
        check(b"", expect![""]);
        check(b"a", expect!["1/1"]);
        check(b"a\nb\n", expect!["2/4"]);
        check(b"\n\n", expect!["2/2"]);
        // From review: whole lines waited for the end of one that was still being written.
        check(b"a\nb", expect!["1/2 1/1"]);
    }

    #[test]
    fn a_batch_holds_500_records_and_4_mebibytes() {
        check(&line(10).repeat(500), expect!["500/5000"]);
        check(&line(10).repeat(501), expect!["500/5000 1/10"]);
        check(&line(524_288).repeat(8), expect!["8/4194304"]);
        check(
            &[line(524_288).repeat(7), line(524_289)].concat(),
            expect!["7/3670016 1/524289"],
        );
    }

    #[test]
    fn a_line_at_the_limit_is_a_record_and_one_past_it_is_none() {
        check(&line(FIREHOSE_RECORD_BYTES_MAX), expect!["1/1024000"]);
        check(
            &line(FIREHOSE_RECORD_BYTES_MAX + 1),
            expect!["line 1 is longer than the 1,024,000 bytes that a record can have"],
        );
        let after_a_good_one = [line(2), line(FIREHOSE_RECORD_BYTES_MAX + 1)].concat();
        check(
            &after_a_good_one,
            expect!["1/2 line 2 is longer than the 1,024,000 bytes that a record can have"],
        );
    }
}
