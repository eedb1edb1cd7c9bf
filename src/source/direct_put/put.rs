//! PutRecord and PutRecordBatch.

use bytes::Bytes;

use crate::buffer::AppendError;
use crate::model::{RECORD_ID_CHARACTERS, RecordId, Records, RecordsBuilder, SeqRange, Spare};
use crate::server::Caller;
use crate::source::direct_put::answer::{Answered, Exception, Kind};
use crate::source::direct_put::{DirectPut, Stream, parse, scan, validate};
use crate::telemetry::happened;

impl DirectPut {
    pub(super) async fn put_record(&self, caller: &Caller, body: &[u8]) -> Answered {
        let (stream, records) = match self.scanned(scan::put_record(body, &self.spare), caller) {
            Some(usual) => usual,
            None => {
                let asked = parse::put_record(body)?;
                let (name, blob) = validate::put_record(&asked)?;
                (
                    self.stream(name, caller, "PutRecord")?,
                    gathered(&[blob], &self.spare),
                )
            }
        };
        let range = stream.store(records).await?;
        let mut text = String::with_capacity(RECORD_ID_CHARACTERS + 64);
        text.push_str(r#"{"Encrypted":false,"RecordId":""#);
        stream.record_id(range.start()).write_to(&mut text);
        text.push_str(r#""}"#);
        Ok(text.into())
    }

    pub(super) async fn put_record_batch(&self, caller: &Caller, body: &[u8]) -> Answered {
        let (stream, records) =
            match self.scanned(scan::put_record_batch(body, &self.spare), caller) {
                Some(usual) => usual,
                None => {
                    let asked = parse::put_record_batch(body)?;
                    let (name, blobs) = validate::put_record_batch(&asked)?;
                    (
                        self.stream(name, caller, "PutRecordBatch")?,
                        gathered(&blobs, &self.spare),
                    )
                }
            };
        let range = stream.store(records).await?;
        Ok(batch_answer(stream, range, &self.spare))
    }

    /// What the scanner found, if it is for a stream that the caller may see.
    fn scanned(
        &self,
        found: Option<scan::Scanned<'_>>,
        caller: &Caller,
    ) -> Option<(&Stream, Records)> {
        let found = found?;
        let name = std::str::from_utf8(found.stream).ok()?;
        Some((self.visible(name, caller)?, found.records))
    }
}

impl Stream {
    /// All of the records are durable when this returns (B1), or none is.
    pub(super) async fn store(&self, records: Records) -> Result<SeqRange, Exception> {
        let stored = self.intake.append(records).await;
        stored.map_err(|error| match error {
            AppendError::Full | AppendError::Stopped | AppendError::Closed => {
                Exception::slow_down()
            }
            AppendError::Failed => {
                happened::put::append_failed(self.description.name.as_str(), &error);
                let message = "The log could not be written: see the daemon's log. Whether the \
                               records are stored is known only after a restart.";
                Exception::new(Kind::InternalFailure, message)
            }
        })
    }

    pub(super) fn record_id(&self, seq: crate::model::Seq) -> RecordId {
        RecordId {
            directory: self.directory,
            stream: self.id,
            seq,
        }
    }
}

pub(super) fn gathered(blobs: &[&parse::Blob<'_>], spare: &Spare) -> Records {
    let bytes = blobs.iter().map(|blob| blob.decoded_bytes()).sum();
    let mut records = RecordsBuilder::in_spare(spare, bytes, blobs.len());
    for blob in blobs {
        blob.decode_into(&mut records);
    }
    records
        .lend(spare)
        .expect("`validate` lets no empty batch pass")
}

/// From a template: fluent-bit, for one, looks for `"FailedPutCount":0` to the letter.
fn batch_answer(stream: &Stream, range: SeqRange, spare: &Spare) -> Bytes {
    const OPEN: &[u8] = br#"{"Encrypted":false,"FailedPutCount":0,"RequestResponses":["#;
    const BEFORE_ID: &str = r#",{"RecordId":""#;
    const AFTER_ID: &str = r#""}"#;
    const CLOSE: &[u8] = b"]}";
    let mut entry = BEFORE_ID.to_owned();
    stream.record_id(range.start()).write_to(&mut entry);
    entry.push_str(AFTER_ID);
    let mut entry = entry.into_bytes();

    let length = OPEN.len() + range.count() as usize * entry.len() + CLOSE.len();
    let mut answer = spare.take(length);
    answer.extend_from_slice(OPEN);
    answer.extend_from_slice(&entry[1..]);
    for offset in 1..range.count() {
        let id = stream.record_id(range.start().plus(offset));
        id.write_over(&mut entry[BEFORE_ID.len()..]);
        answer.extend_from_slice(&entry);
    }
    answer.extend_from_slice(CLOSE);
    spare.lend(answer)
}
