//! Objects in parts: one in memory at a time, each tried again on its own.
//!
//! What is begun is completed or aborted; what may be neither is remembered by its key, and aborted
//! before the next try, or by `clean` in the next life. That is housekeeping: leftovers cost space and
//! harm nobody, so no object waits for it. Uploads under other keys are never touched: they are
//! somebody else's.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;

use super::payload::Payload;
use super::refusal::did_nothing;
use super::{CONTENT_TYPE, Object, Refusal, S3, Stored, content_encoding};
use crate::aws::Checksums;
use crate::model::limits;
use crate::objects::compress::Parts;
use crate::retry::{Backoff, Jitter};
use crate::telemetry::happened;

/// Within one delivery; the pipeline tries the whole batch again for as long as it takes.
const ATTEMPTS_MAX: u32 = 4;
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(250),
    cap: Duration::from_secs(10),
    jitter: Jitter::Full,
};
/// Pages of a thousand uploads under one key: more than we could ever leave behind.
const PAGES_MAX: usize = 10;

/// What earlier tries of an object may have left in the bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leftovers {
    None,
    Stay,
}

/// An upload under way.
struct Upload<'a> {
    object: &'a Object,
    id: String,
    parts: Vec<CompletedPart>,
    bytes: u64,
}

impl S3 {
    pub(super) async fn put_in_parts(
        &self,
        object: &Object,
        first: Bytes,
        rest: Parts,
    ) -> Result<Stored, Refusal> {
        let leftovers = self.leftovers_of(&object.key).await;
        let stored = self.put_once_in_parts(object, first, rest).await;
        if stored.is_err() && leftovers == Leftovers::Stay {
            self.tainted().insert(object.key.clone());
        }
        stored
    }

    /// Aborts what earlier tries may have left.
    async fn leftovers_of(&self, key: &str) -> Leftovers {
        if !self.tainted().remove(key) {
            return Leftovers::None;
        }
        match self.abort_uploads_of(key).await {
            Ok(()) => Leftovers::None,
            Err(refusal) => {
                happened::delivery::parts_stay(&refusal);
                Leftovers::Stay
            }
        }
    }

    async fn put_once_in_parts(
        &self,
        object: &Object,
        first: Bytes,
        rest: Parts,
    ) -> Result<Stored, Refusal> {
        let mut upload = self.begin(object).await?;
        let stored = match self.upload_parts(&mut upload, first, rest).await {
            Ok(()) => self.complete(&upload).await,
            Err(refusal) => Err(refusal),
        };
        if stored.is_err() && self.abort(&object.key, &upload.id).await.is_err() {
            self.tainted().insert(object.key.clone());
        }
        stored
    }

    async fn begin<'a>(&self, object: &'a Object) -> Result<Upload<'a>, Refusal> {
        let metadata = object.metadata.iter();
        let mut request = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(&object.key)
            .content_type(CONTENT_TYPE)
            .set_content_encoding(content_encoding(object))
            .set_metadata(Some(owned(metadata)));
        if self.checksums == Checksums::WhenSupported {
            request = request.checksum_algorithm(ChecksumAlgorithm::Crc32C);
        }
        let begun = request.send().await.map_err(|error| {
            if !did_nothing(&error) {
                self.tainted().insert(object.key.clone());
            }
            self.refused("begin the upload of", &object.key, error)
        })?;
        Ok(Upload {
            object,
            id: begun.upload_id.unwrap_or_default(),
            parts: Vec::new(),
            bytes: 0,
        })
    }

    async fn upload_parts(
        &self,
        upload: &mut Upload<'_>,
        first: Bytes,
        mut rest: Parts,
    ) -> Result<(), Refusal> {
        let mut part = first;
        while !part.is_empty() {
            let completed = self.upload_part(upload, &part).await?;
            upload.parts.push(completed);
            upload.bytes += part.len() as u64;
            let next = rest.next(limits::OBJECT_PART_BYTES).await;
            part = next.map_err(Refusal::unreadable)?;
        }
        Ok(())
    }

    async fn upload_part(
        &self,
        upload: &Upload<'_>,
        part: &Bytes,
    ) -> Result<CompletedPart, Refusal> {
        let number = i32::try_from(upload.parts.len() + 1).expect("parts are few");
        let mut failures = 0;
        loop {
            match self.try_part(upload, number, part).await {
                Ok(completed) => return Ok(completed),
                Err(refusal) => self.wait_or_give_up(&mut failures, refusal).await?,
            }
        }
    }

    async fn try_part(
        &self,
        upload: &Upload<'_>,
        number: i32,
        part: &Bytes,
    ) -> Result<CompletedPart, Refusal> {
        let payload = Payload::of(self.signing, part);
        let checksum = match self.checksums {
            Checksums::WhenSupported => Some(payload.crc32c()),
            Checksums::WhenRequired => None,
        };
        let request = self
            .client
            .upload_part()
            .bucket(&self.bucket)
            .key(&upload.object.key)
            .upload_id(&upload.id)
            .part_number(number)
            .set_checksum_crc32_c(checksum.clone())
            .body(ByteStream::from(part.clone()));
        let sent = request.customize().interceptor(payload.signed()).send();
        match sent.await {
            Ok(answer) => Ok(CompletedPart::builder()
                .part_number(number)
                .set_e_tag(answer.e_tag)
                .set_checksum_crc32_c(checksum)
                .build()),
            Err(error) => Err(self.refused("upload a part of", &upload.object.key, error)),
        }
    }

    async fn complete(&self, upload: &Upload<'_>) -> Result<Stored, Refusal> {
        let mut failures = 0;
        loop {
            let Err(refusal) = self.try_complete(upload).await else {
                return Ok(Stored {
                    bytes: upload.bytes,
                });
            };
            // The answer may be lost while the object is there; then trying again finds no upload.
            if self.is_there(upload).await {
                return Ok(Stored {
                    bytes: upload.bytes,
                });
            }
            self.wait_or_give_up(&mut failures, refusal).await?;
        }
    }

    async fn try_complete(&self, upload: &Upload<'_>) -> Result<(), Refusal> {
        let key = &upload.object.key;
        let parts = CompletedMultipartUpload::builder().set_parts(Some(upload.parts.clone()));
        let request = self
            .client
            .complete_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .upload_id(&upload.id)
            .multipart_upload(parts.build());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.refused("complete the upload of", key, error)),
        }
    }

    /// Whether the object is ours to the last byte of what we know of it. Its metadata names data
    /// directory and range, so no other batch's could be.
    async fn is_there(&self, upload: &Upload<'_>) -> bool {
        let request = self.client.head_object().bucket(&self.bucket);
        let Ok(found) = request.key(&upload.object.key).send().await else {
            return false;
        };
        let same_length = found.content_length.and_then(|it| u64::try_from(it).ok());
        let wanted = upload.object.metadata.iter();
        let metadata = found.metadata.unwrap_or_default();
        let same = |(name, value): &(&str, String)| metadata.get(*name) == Some(value);
        same_length == Some(upload.bytes) && wanted.into_iter().all(same)
    }

    async fn abort(&self, key: &str, id: &str) -> Result<(), Refusal> {
        let request = self.client.abort_multipart_upload().bucket(&self.bucket);
        match request.key(key).upload_id(id).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let refusal = self.refused("abort an upload of", key, error);
                let gone = refusal.code == "S3.NoSuchUpload";
                if gone { Ok(()) } else { Err(refusal) }
            }
        }
    }

    /// Aborts every upload of exactly this key.
    pub(super) async fn abort_uploads_of(&self, key: &str) -> Result<(), Refusal> {
        for _ in 0..PAGES_MAX {
            let request = self.client.list_multipart_uploads().bucket(&self.bucket);
            let page = request.prefix(key).send().await;
            let page = page.map_err(|error| self.refused("list the uploads of", key, error))?;
            let ours = page.uploads().iter().filter(|it| it.key() == Some(key));
            let ids: Vec<_> = ours.filter_map(|it| it.upload_id()).collect();
            for id in &ids {
                self.abort(key, id).await?;
            }
            // What was aborted is not listed again, so the next page is the first one.
            if ids.is_empty() || page.is_truncated() != Some(true) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Returns after the pause, or with the refusal when trying again here makes no sense.
    async fn wait_or_give_up(&self, failures: &mut u32, refusal: Refusal) -> Result<(), Refusal> {
        *failures += 1;
        if refusal.needs_operator || ATTEMPTS_MAX <= *failures {
            return Err(refusal);
        }
        let pause = {
            let mut dice = self
                .dice
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            BACKOFF.pause(*failures - 1, refusal.retry_after, &mut dice)
        };
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

fn owned<'a>(
    metadata: impl Iterator<Item = &'a (&'static str, String)>,
) -> HashMap<String, String> {
    metadata
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}
