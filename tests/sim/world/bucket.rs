//! What S3 keeps: objects, open multipart uploads, and for the oracle everything that ever happened.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Response};

use super::wire::{self, Asked};

/// S3's own: every part but the last has at least 5 MiB.
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

#[derive(Default)]
pub struct Buckets {
    objects: BTreeMap<Place, Object>,
    uploads: BTreeMap<String, Upload>,
    uploads_begun: u64,
    effects: Vec<Effect>,
}

/// Bucket and key.
pub type Place = (String, String);

#[derive(Clone)]
pub struct Object {
    pub content: Bytes,
    pub headers: BTreeMap<String, String>,
}

struct Upload {
    place: Place,
    machine: &'static str,
    headers: BTreeMap<String, String>,
    parts: BTreeMap<u32, Bytes>,
}

/// Something that changed what is there.
pub struct Effect {
    pub at: Duration,
    pub machine: &'static str,
    pub place: Place,
    pub deed: Deed,
}

pub enum Deed {
    Stored(Object),
    UploadBegun,
    /// The upload was begun by this machine.
    UploadAborted {
        begun_by: &'static str,
    },
}

impl Buckets {
    pub fn objects(&self) -> &BTreeMap<Place, Object> {
        &self.objects
    }

    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// Of the object that a request is about; 0 where there is none.
    pub fn size(&self, asked: &Asked) -> usize {
        let object = self.objects.get(&asked.place());
        object.map_or(0, |object| object.content.len())
    }

    pub fn answer(&mut self, asked: &Asked, body: Bytes, at: Duration) -> Response<Bytes> {
        let content = wire::content(asked, body);
        check_sums(asked, &content);
        let upload = asked.query.get("uploadId");
        match (&asked.method, upload) {
            (&Method::PUT, None) => self.put(asked, content, at),
            (&Method::PUT, Some(id)) => self.put_part(asked, id, content),
            (&Method::POST, None) => self.begin(asked, at),
            (&Method::POST, Some(id)) => self.complete(asked, id, &content, at),
            (&Method::DELETE, Some(id)) => self.abort(asked, id, at),
            (&Method::GET, None) if asked.query.contains_key("uploads") => self.list(asked),
            (&Method::HEAD, None) if asked.key.is_empty() => wire::response(200, Bytes::new()),
            (&Method::HEAD, None) => self.head(asked),
            _ => panic!("this S3 does not know {asked}"),
        }
    }

    fn note(&mut self, asked: &Asked, place: Place, deed: Deed, at: Duration) {
        self.effects.push(Effect {
            at,
            machine: asked.machine,
            place,
            deed,
        });
    }

    fn store(&mut self, asked: &Asked, place: Place, object: Object, at: Duration) {
        self.objects.insert(place.clone(), object.clone());
        self.note(asked, place, Deed::Stored(object), at);
    }

    fn put(&mut self, asked: &Asked, content: Bytes, at: Duration) -> Response<Bytes> {
        let place = asked.place();
        if asked.header("if-none-match") == Some("*") && self.objects.contains_key(&place) {
            return wire::error(asked, 412, "PreconditionFailed");
        }
        let headers = kept_headers(asked);
        let answer = tagged(wire::response(200, Bytes::new()), &content);
        self.store(asked, place, Object { content, headers }, at);
        answer
    }

    fn begin(&mut self, asked: &Asked, at: Duration) -> Response<Bytes> {
        assert!(asked.query.contains_key("uploads"), "{asked}");
        self.uploads_begun += 1;
        let id = format!("upload-{}", self.uploads_begun);
        let place = asked.place();
        let upload = Upload {
            place: place.clone(),
            machine: asked.machine,
            headers: kept_headers(asked),
            parts: BTreeMap::new(),
        };
        self.uploads.insert(id.clone(), upload);
        self.note(asked, place, Deed::UploadBegun, at);
        wire::xml(format!(
            "<InitiateMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key>\
             <UploadId>{id}</UploadId></InitiateMultipartUploadResult>",
            asked.bucket, asked.key
        ))
    }

    fn put_part(&mut self, asked: &Asked, id: &str, content: Bytes) -> Response<Bytes> {
        let Some(upload) = self.uploads.get_mut(id) else {
            return wire::error(asked, 404, "NoSuchUpload");
        };
        let number = asked.query["partNumber"].parse().expect("a part's number");
        let answer = tagged(wire::response(200, Bytes::new()), &content);
        upload.parts.insert(number, content);
        answer
    }

    fn complete(&mut self, asked: &Asked, id: &str, list: &[u8], at: Duration) -> Response<Bytes> {
        // A repeat finds nothing, as on servers that do not remember: the nastier answer.
        let Some(upload) = self.uploads.get(id) else {
            return wire::error(asked, 404, "NoSuchUpload");
        };
        let list = std::str::from_utf8(list).expect("a part list is text");
        let numbers = wire::elements(list, "PartNumber");
        let tags = wire::elements(list, "ETag");
        assert!(numbers.len() == tags.len() && !numbers.is_empty(), "{list}");
        let mut content = Vec::new();
        for (at, (number, tag)) in numbers.iter().zip(&tags).enumerate() {
            let number: u32 = number.parse().expect("a part's number");
            let part = upload.parts.get(&number);
            let known = part.filter(|part| tag.replace("&quot;", "\"") == etag(part));
            let Some(part) = known else {
                return wire::error(asked, 400, "InvalidPart");
            };
            if part.len() < PART_BYTES_MIN && at + 1 < numbers.len() {
                return wire::error(asked, 400, "EntityTooSmall");
            }
            content.extend_from_slice(part);
        }
        let upload = self.uploads.remove(id).expect("found above");
        let object = Object {
            content: content.into(),
            headers: upload.headers,
        };
        let tag = etag(&object.content);
        self.store(asked, upload.place, object, at);
        wire::xml(format!(
            "<CompleteMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key>\
             <ETag>{tag}</ETag></CompleteMultipartUploadResult>",
            asked.bucket, asked.key
        ))
    }

    fn abort(&mut self, asked: &Asked, id: &str, at: Duration) -> Response<Bytes> {
        let Some(upload) = self.uploads.remove(id) else {
            return wire::error(asked, 404, "NoSuchUpload");
        };
        let begun_by = upload.machine;
        self.note(asked, upload.place, Deed::UploadAborted { begun_by }, at);
        wire::response(204, Bytes::new())
    }

    fn list(&self, asked: &Asked) -> Response<Bytes> {
        let prefix = asked.query.get("prefix").map_or("", String::as_str);
        let uploads: String = self
            .uploads
            .iter()
            .filter(|(_, upload)| {
                upload.place.0 == asked.bucket && upload.place.1.starts_with(prefix)
            })
            .map(|(id, upload)| {
                let key = &upload.place.1;
                format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
            })
            .collect();
        wire::xml(format!(
            "<ListMultipartUploadsResult><Bucket>{}</Bucket>{uploads}\
             <IsTruncated>false</IsTruncated></ListMultipartUploadsResult>",
            asked.bucket
        ))
    }

    fn head(&self, asked: &Asked) -> Response<Bytes> {
        let place = asked.place();
        let Some(object) = self.objects.get(&place) else {
            return wire::error(asked, 404, "NotFound");
        };
        let mut answer = tagged(wire::response(200, Bytes::new()), &object.content);
        let headers = answer.headers_mut();
        headers.insert("content-length", object.content.len().into());
        for (name, value) in &object.headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).expect("it was one");
            headers.insert(name, value.parse().expect("it was one"));
        }
        answer
    }
}

/// What S3 gives back with an object.
fn kept_headers(asked: &Asked) -> BTreeMap<String, String> {
    let kept = |name: &str| {
        name.starts_with("x-amz-meta-")
            || name.starts_with("x-amz-checksum-")
            || name == "content-type"
            || name == "content-encoding"
    };
    let headers = asked.headers.iter();
    let headers = headers.filter(|(name, _)| kept(name.as_str()));
    let text = |value: &HeaderValue| value.to_str().expect("text").replace("aws-chunked", "");
    headers
        .map(|(name, value)| (name.to_string(), text(value)))
        .filter(|(_, value)| !value.is_empty())
        .collect()
}

fn etag(content: &[u8]) -> String {
    format!(
        "\"{:016x}\"",
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, content)
    )
}

fn tagged(mut answer: Response<Bytes>, content: &[u8]) -> Response<Bytes> {
    let tag = etag(content).parse().expect("hex in quotes");
    answer.headers_mut().insert(http::header::ETAG, tag);
    answer
}

/// A body that does not match its own checksum was built wrong: S3 would refuse it for ever.
fn check_sums(asked: &Asked, content: &[u8]) {
    use base64::Engine as _;
    use crc_fast::CrcAlgorithm::{Crc32Iscsi, Crc32IsoHdlc, Crc64Nvme};
    let sums = [
        ("x-amz-checksum-crc32", Crc32IsoHdlc, 4),
        ("x-amz-checksum-crc32c", Crc32Iscsi, 4),
        ("x-amz-checksum-crc64nvme", Crc64Nvme, 8),
    ];
    for (name, algorithm, bytes) in sums {
        let Some(claimed) = asked.header(name).filter(|_| asked.method == Method::PUT) else {
            continue;
        };
        let sum = crc_fast::checksum(algorithm, content).to_be_bytes();
        let sum = base64::engine::general_purpose::STANDARD.encode(&sum[8 - bytes..]);
        assert_eq!(claimed, sum, "{asked}: {name}");
    }
}
