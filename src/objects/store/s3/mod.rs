//! Objects in S3, through the SDK over our one HTTP door.
//!
//! | object | goes as |
//! |---|---|
//! | uncompressed, up to 8 MiB | one PUT from memory |
//! | uncompressed, up to 64 MiB | one PUT, streamed from the log, which is read twice: to sum, and to send |
//! | packed, less than one part | one PUT from memory |
//! | anything else | a multipart upload, one part in memory at a time, each retried on its own |
//!
//! Every PUT has its length, its checksum (CRC32C, unless the profile says `when_required`) and, where
//! no TLS protects it, its SHA-256 in the signature. All stand in headers: trailers in chunks are not
//! taken by every server, and by few over plain HTTP.

mod multipart;
mod payload;
mod refusal;

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;

use super::{Object, Refusal, Store, Stored};
use crate::aws::{Checksums, Connection, Profile};
use crate::model::{BodyError, Compression, limits};
use crate::objects::compress::Parts;
use crate::objects::room::Room;
use crate::outside::{Clock, Dice};
use payload::{Payload, Signing};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub bucket: String,
    pub profile: Profile,
}

impl Settings {
    pub fn url(&self) -> String {
        url(&self.bucket)
    }
}

fn url(bucket: &str) -> String {
    format!("s3://{bucket}/")
}

pub struct S3 {
    client: Client,
    bucket: String,
    checksums: Checksums,
    signing: Signing,
    clock: Clock,
    room: Room,
    dice: Mutex<Dice>,
    /// Keys that may have a multipart upload which nobody will complete: its abort failed, or the answer
    /// to its beginning was lost. At most one for each delivery under way.
    tainted: Mutex<BTreeSet<String>>,
}

impl S3 {
    pub fn new(settings: Settings, connection: &Connection, room: Room, dice: Dice) -> S3 {
        let Settings { bucket, profile } = settings;
        let config = Builder::from(connection.config()).force_path_style(profile.path_style);
        let endpoint = profile.endpoint.as_ref();
        let plain = endpoint.and_then(http::Uri::scheme_str) == Some("http");
        S3 {
            client: Client::from_conf(config.build()),
            bucket,
            checksums: profile.checksums,
            signing: if plain { Signing::Body } else { Signing::Tls },
            clock: connection.clock().clone(),
            room,
            dice: Mutex::new(dice),
            tainted: Mutex::default(),
        }
    }

    async fn write(&self, object: &Object) -> Result<Stored, Refusal> {
        let bytes = object.body.bytes();
        let _room = self.room.memory(bytes, object.compression).await;
        let plain = object.compression == Compression::Uncompressed;
        if plain && bytes <= limits::OBJECT_SINGLE_PUT_BYTES_MAX {
            return self.put_streamed(object).await;
        }
        let mut parts = Parts::open(&object.body, object.compression, self.room.clone());
        let first = parts.next(limits::OBJECT_PART_BYTES).await;
        let first = first.map_err(Refusal::unreadable)?;
        if first.len() < limits::OBJECT_PART_BYTES {
            let payload = Payload::of(self.signing, &first);
            return self.send(object, payload, ByteStream::from(first)).await;
        }
        self.put_in_parts(object, first, parts).await
    }

    /// Sums must be known before the first byte is sent, so there are two rounds. What is small is
    /// kept for the second, what is not is read again.
    async fn put_streamed(&self, object: &Object) -> Result<Stored, Refusal> {
        let is_small = object.body.bytes() <= limits::OBJECT_WHOLE_BYTES_MAX as u64;
        let mut payload = Payload::new(self.signing);
        let mut kept = Vec::new();
        let mut chunks = object.body.open();
        while let Some(records) = chunks.next().await {
            let records = records.map_err(Refusal::unreadable)?;
            payload.add(records.slab());
            if is_small {
                kept.push(Ok(records.slab().clone()));
            }
        }
        // The SDK wraps what breaks a stream beyond recognition, and the pipeline must know it again.
        let broken = std::sync::Arc::new(OnceLock::<BodyError>::new());
        let slabs = match is_small {
            true => futures_util::stream::iter(kept).boxed(),
            false => payload::slabs(&object.body, broken.clone()),
        };
        let body = payload::stream(slabs, payload.bytes());
        let sent = self.send(object, payload, body).await;
        match broken.get() {
            Some(cause) => Err(Refusal::unreadable(cause.clone())),
            None => sent,
        }
    }

    async fn send(
        &self,
        object: &Object,
        payload: Payload,
        body: ByteStream,
    ) -> Result<Stored, Refusal> {
        let bytes = payload.bytes();
        let mut request = self.described(object).body(body);
        request = request.content_length(i64::try_from(bytes).expect("an object is below 8 EiB"));
        if self.checksums == Checksums::WhenSupported {
            request = request.checksum_crc32_c(payload.crc32c());
        }
        let request = request.customize().interceptor(payload.signed());
        match request.send().await {
            Ok(_) => Ok(Stored { bytes }),
            Err(error) => Err(self.refused("put", &object.key, error)),
        }
    }

    fn described(&self, object: &Object) -> PutObjectFluentBuilder {
        let mut request = self.client.put_object();
        for (name, value) in &object.metadata {
            request = request.metadata(*name, value);
        }
        request
            .bucket(&self.bucket)
            .key(&object.key)
            .content_type(CONTENT_TYPE)
            .set_content_encoding(content_encoding(object))
    }

    async fn abort_leftovers(&self, open_keys: &[String]) -> Result<(), Refusal> {
        for key in open_keys {
            self.abort_uploads_of(key).await?;
        }
        Ok(())
    }

    fn tainted(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.tainted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Firehose's, whatever the records are.
const CONTENT_TYPE: &str = "application/octet-stream";

fn content_encoding(object: &Object) -> Option<String> {
    match object.compression {
        Compression::Uncompressed => None,
        Compression::Gzip => Some("gzip".to_owned()),
    }
}

impl Store for S3 {
    fn put<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<Stored, Refusal>> {
        Box::pin(self.write(object))
    }

    fn clean<'a>(&'a self, open_keys: &'a [String]) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.abort_leftovers(open_keys))
    }

    fn url(&self) -> String {
        url(&self.bucket)
    }
}
