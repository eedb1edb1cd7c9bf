//! Buckets in memory. A put is there as a whole or not at all: it is read to its end, and all that
//! was said about it checked, before anything changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use http::HeaderMap;
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use sha2::{Digest, Sha256};

/// An object as it lies there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    pub bytes: Bytes,
    pub metadata: BTreeMap<String, String>,
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    /// How often this key was put.
    pub puts: u64,
}

#[derive(Default)]
pub struct State {
    buckets: BTreeMap<String, BTreeMap<String, Stored>>,
    uploads: BTreeMap<String, Upload>,
    begun: u64,
}

struct Upload {
    bucket: String,
    key: String,
    object: Stored,
    parts: BTreeMap<i32, Bytes>,
}

/// S3's own lower limit for every part but the last.
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

impl State {
    pub fn create_bucket(&mut self, bucket: &str) {
        self.buckets.entry(bucket.to_owned()).or_default();
    }

    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Stored> {
        self.buckets.get(bucket).cloned().unwrap_or_default()
    }

    pub fn open_uploads(&self) -> Vec<String> {
        self.uploads.values().map(|it| it.key.clone()).collect()
    }

    pub fn begin_upload(&mut self, bucket: &str, key: &str) -> String {
        self.begin(bucket, key, Stored::default())
    }

    fn begin(&mut self, bucket: &str, key: &str, object: Stored) -> String {
        self.begun += 1;
        let id = format!("upload-{:05}", self.begun);
        let upload = Upload {
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            object,
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id.clone(), upload);
        id
    }

    fn bucket(&mut self, bucket: &str) -> S3Result<&mut BTreeMap<String, Stored>> {
        self.buckets.get_mut(bucket).ok_or(s3_error!(NoSuchBucket))
    }

    fn put(&mut self, bucket: &str, key: &str, mut object: Stored) -> S3Result<()> {
        let bucket = self.bucket(bucket)?;
        object.puts = bucket.get(key).map_or(1, |before| before.puts + 1);
        bucket.insert(key.to_owned(), object);
        Ok(())
    }

    fn upload(&mut self, id: &str, key: &str) -> S3Result<&mut Upload> {
        let upload = self.uploads.get_mut(id).filter(|it| it.key == key);
        upload.ok_or(s3_error!(NoSuchUpload))
    }
}

pub struct Backend(pub Arc<Mutex<State>>);

/// Reads a body and holds it against its length, its checksum and the hash in the signature.
async fn checked(
    body: Option<StreamingBlob>,
    length: Option<i64>,
    crc32c: Option<&String>,
    headers: &HeaderMap,
) -> S3Result<Bytes> {
    let mut bytes = BytesMut::new();
    let mut body = body.ok_or(s3_error!(MissingContentLength))?;
    while let Some(piece) = body.next().await {
        bytes.extend_from_slice(&piece.map_err(|_| s3_error!(IncompleteBody))?);
    }
    if length.is_some_and(|length| length as usize != bytes.len()) {
        return Err(s3_error!(IncompleteBody));
    }
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &bytes) as u32;
    if crc32c.is_some_and(|said| *said != STANDARD.encode(sum.to_be_bytes())) {
        return Err(s3_error!(BadDigest));
    }
    let signed = headers.get("x-amz-content-sha256");
    let signed = signed.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let hash = Sha256::digest(&bytes);
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    if signed != "UNSIGNED-PAYLOAD" && signed != hash {
        return Err(s3_error!(BadDigest, "not what was signed"));
    }
    Ok(bytes.freeze())
}

fn e_tag(bytes: &[u8]) -> ETag {
    let hash = Sha256::digest(bytes);
    ETag::Strong(
        hash[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    )
}

fn described(
    metadata: Option<Metadata>,
    content_type: Option<String>,
    content_encoding: Option<String>,
) -> Stored {
    Stored {
        metadata: metadata.unwrap_or_default().into_iter().collect(),
        content_type,
        content_encoding,
        ..Stored::default()
    }
}

#[async_trait::async_trait]
impl S3 for Backend {
    async fn put_object(
        &self,
        request: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let S3Request { input, headers, .. } = request;
        self.0.lock().unwrap().bucket(&input.bucket)?;
        let crc32c = input.checksum_crc32c.as_ref();
        let bytes = checked(input.body, input.content_length, crc32c, &headers).await?;
        let mut object = described(input.metadata, input.content_type, input.content_encoding);
        object.bytes = bytes;
        let e_tag = Some(e_tag(&object.bytes));
        self.0
            .lock()
            .unwrap()
            .put(&input.bucket, &input.key, object)?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag,
            ..Default::default()
        }))
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let mut state = self.0.lock().unwrap();
        let bucket = state.bucket(&request.input.bucket)?;
        let object = bucket.get(&request.input.key).ok_or(s3_error!(NoSuchKey))?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: Some(object.bytes.len() as i64),
            metadata: Some(object.metadata.clone().into_iter().collect()),
            e_tag: Some(e_tag(&object.bytes)),
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = request.input;
        let mut state = self.0.lock().unwrap();
        state.bucket(&input.bucket)?;
        let object = described(input.metadata, input.content_type, input.content_encoding);
        let id = state.begin(&input.bucket, &input.key, object);
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            ..Default::default()
        }))
    }

    async fn upload_part(
        &self,
        request: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let S3Request { input, headers, .. } = request;
        let crc32c = input.checksum_crc32c.as_ref();
        let bytes = checked(input.body, input.content_length, crc32c, &headers).await?;
        let e_tag = Some(e_tag(&bytes));
        let mut state = self.0.lock().unwrap();
        let upload = state.upload(&input.upload_id, &input.key)?;
        upload.parts.insert(input.part_number, bytes);
        Ok(S3Response::new(UploadPartOutput {
            e_tag,
            checksum_crc32c: input.checksum_crc32c,
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let mut state = self.0.lock().unwrap();
        let upload = state.upload(&input.upload_id, &input.key)?;
        let listed = input.multipart_upload.and_then(|it| it.parts);
        let listed = listed.ok_or(s3_error!(MalformedXML))?;
        let mut whole = BytesMut::new();
        for (nth, part) in listed.iter().enumerate() {
            let number = part.part_number.ok_or(s3_error!(InvalidPart))?;
            let bytes = upload.parts.get(&number).ok_or(s3_error!(InvalidPart))?;
            if part.e_tag.as_ref() != Some(&e_tag(bytes)) || number != nth as i32 + 1 {
                return Err(s3_error!(InvalidPart));
            }
            if bytes.len() < PART_BYTES_MIN && nth + 1 < listed.len() {
                return Err(s3_error!(EntityTooSmall));
            }
            whole.extend_from_slice(bytes);
        }
        let upload = state.uploads.remove(&input.upload_id);
        let mut object = upload.expect("it was there a moment ago").object;
        object.bytes = whole.freeze();
        state.put(&input.bucket, &input.key, object)?;
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..Default::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = request.input;
        let mut state = self.0.lock().unwrap();
        state.upload(&input.upload_id, &input.key)?;
        state.uploads.remove(&input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_multipart_uploads(
        &self,
        request: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = request.input;
        let mut state = self.0.lock().unwrap();
        state.bucket(&input.bucket)?;
        let prefix = input.prefix.unwrap_or_default();
        let under =
            |upload: &Upload| upload.bucket == *input.bucket && upload.key.starts_with(&prefix);
        let uploads = state.uploads.iter().filter(|(_, upload)| under(upload));
        let uploads = uploads.map(|(id, upload)| MultipartUpload {
            key: Some(upload.key.clone()),
            upload_id: Some(id.clone()),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            uploads: Some(uploads.collect()),
            ..Default::default()
        }))
    }
}
