//! Requests and answers as they stand on the wire: of S3, path style, and of whoever else is out there.

use std::collections::BTreeMap;
use std::fmt;

use bytes::{Buf, Bytes};
use crc_fast::CrcAlgorithm::Crc32IsoHdlc;
use http::{HeaderMap, Method, Request, Response};
use standpipe::outside::http_client::Outgoing;

use super::bucket::Place;
use super::weather::Kind;

/// Who is asked, by its authority: `s3.world`, `clicks.function.world`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    S3,
    /// A function at a URL.
    Function,
    /// Lambda's Invoke API.
    Lambda,
    Endpoint,
    Splunk,
}

/// A request's head, taken apart. Shown without what signing adds: that differs from run to run.
pub struct Asked {
    pub machine: &'static str,
    pub life: u32,
    pub host: Host,
    /// For everyone but S3.
    pub stream: String,
    pub method: Method,
    /// For everyone but S3, what it is: `function`, `endpoint`, `splunk`.
    pub bucket: String,
    /// Or the path.
    pub key: String,
    pub query: BTreeMap<String, String>,
    pub headers: HeaderMap,
    /// Tells one request to the same URL from another.
    mark: String,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked {
            machine,
            stream,
            method,
            bucket,
            key,
            query,
            mark,
            ..
        } = self;
        write!(f, "{machine}: {method} {stream}{mark}{bucket}/{key}")?;
        for (name, value) in query {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

impl Asked {
    pub fn kind(&self) -> Kind {
        let in_upload = self.query.contains_key("uploadId");
        match (self.host, self.method.as_str(), in_upload) {
            (Host::S3, "PUT", false) => Kind::Put,
            (Host::S3, "POST", true) => Kind::CompleteUpload,
            (Host::S3, ..) => Kind::Other,
            (Host::Function | Host::Lambda, ..) => Kind::Invoke,
            (Host::Splunk, ..) if self.key.ends_with("/ack") => Kind::Poll,
            (Host::Endpoint | Host::Splunk, ..) => Kind::Send,
        }
    }

    pub fn place(&self) -> Place {
        (self.bucket.clone(), self.key.clone())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Host {
    fn named(name: &str) -> Host {
        match name {
            "function" => Host::Function,
            "lambda" => Host::Lambda,
            "endpoint" => Host::Endpoint,
            "splunk" => Host::Splunk,
            other => panic!("there is no {other} in this world"),
        }
    }
}

pub fn head(machine: &'static str, life: u32, request: &Request<Outgoing>) -> Asked {
    let authority = request.uri().host().expect("a whole URL");
    let path = request.uri().path().trim_start_matches('/');
    let (host, stream, (bucket, key)) = match authority.split('.').collect::<Vec<_>>()[..] {
        ["s3", "world"] => (Host::S3, "", path.split_once('/').unwrap_or((path, ""))),
        [stream, host, "world"] => (Host::named(host), stream, (host, path)),
        _ => panic!("{authority} is not of this world"),
    };
    let pairs = request.uri().query().unwrap_or_default().split('&');
    let query = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    });
    Asked {
        machine,
        life,
        host,
        stream: stream.to_owned(),
        method: request.method().clone(),
        bucket: decoded(bucket),
        key: decoded(key),
        query: query.filter(|(name, _)| name != "x-id").collect(),
        headers: request.headers().clone(),
        mark: mark(host, request),
    }
}

/// An endpoint's requests have an id; others are told by what is in them.
fn mark(host: Host, request: &Request<Outgoing>) -> String {
    let id = request.headers().get("x-amz-firehose-request-id");
    match (host, id, request.body()) {
        (Host::S3, ..) => String::new(),
        (_, Some(id), _) => format!("#{} ", id.to_str().expect("an id is text")),
        (_, None, Outgoing::Whole(body)) => {
            format!("#{:08x} ", crc_fast::checksum(Crc32IsoHdlc, body))
        }
        (_, None, Outgoing::Streamed { .. }) => panic!("only objects are streamed"),
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| tail.get(..2)).flatten();
        let escaped = escaped.and_then(|hex| std::str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).expect("keys are UTF-8")
}

/// The content of a body, out of its aws-chunked wrapping where it has one.
pub fn content(asked: &Asked, body: Bytes) -> Bytes {
    let encoding = asked.header("content-encoding").unwrap_or_default();
    if !encoding.contains("aws-chunked") {
        return body;
    }
    let mut rest = body;
    let mut whole = Vec::new();
    loop {
        let line = rest.windows(2).position(|pair| pair == b"\r\n");
        let line = rest.split_to(line.expect("a chunk begins with a line"));
        rest.advance(2);
        let hex = std::str::from_utf8(&line).expect("a chunk's line is text");
        let hex = hex.split(';').next().unwrap_or_default();
        let bytes = usize::from_str_radix(hex, 16).expect("a chunk begins with its size");
        if bytes == 0 {
            break;
        }
        whole.extend_from_slice(&rest.split_to(bytes));
        rest.advance(2);
    }
    let announced = asked.header("x-amz-decoded-content-length");
    let announced: Option<usize> = announced.and_then(|text| text.parse().ok());
    assert_eq!(announced, Some(whole.len()), "{asked}: decoded length");
    whole.into()
}

pub fn response(status: u16, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status.try_into().expect("a status");
    response
}

pub fn xml(document: String) -> Response<Bytes> {
    let mut answer = response(200, format!("<?xml version=\"1.0\"?>{document}").into());
    let xml = http::HeaderValue::from_static("application/xml");
    answer.headers_mut().insert(http::header::CONTENT_TYPE, xml);
    answer
}

pub fn error(asked: &Asked, status: u16, code: &str) -> Response<Bytes> {
    if asked.method == Method::HEAD {
        return response(status, Bytes::new());
    }
    let mut answer = xml(format!(
        "<Error><Code>{code}</Code><Message>as the weather has it</Message></Error>"
    ));
    *answer.status_mut() = status.try_into().expect("a status");
    answer
}

/// The text of every `<name>…</name>` in a document.
pub fn elements<'a>(document: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = document.split(&open).skip(1);
    parts.filter_map(|part| part.split(&close).next()).collect()
}

pub fn json(status: u16, document: &serde_json::Value) -> Response<Bytes> {
    let mut answer = response(status, document.to_string().into());
    let json = http::HeaderValue::from_static("application/json");
    answer
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, json);
    answer
}
