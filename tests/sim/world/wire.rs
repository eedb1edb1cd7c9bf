//! S3's requests and answers as they stand on the wire, path style.

use std::collections::BTreeMap;
use std::fmt;

use bytes::{Buf, Bytes};
use http::{HeaderMap, Method, Request, Response};
use standpipe::outside::http_client::Outgoing;

use super::bucket::Place;
use super::weather::Kind;

/// A request's head, taken apart. Shown without what signing adds: that differs from run to run.
pub struct Asked {
    pub machine: &'static str,
    pub life: u32,
    pub method: Method,
    pub bucket: String,
    pub key: String,
    pub query: BTreeMap<String, String>,
    pub headers: HeaderMap,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Asked {
            machine,
            method,
            bucket,
            key,
            query,
            ..
        } = self;
        write!(f, "{machine}: {method} {bucket}/{key}")?;
        for (name, value) in query {
            write!(f, " {name}={value}")?;
        }
        Ok(())
    }
}

impl Asked {
    pub fn kind(&self) -> Kind {
        let in_upload = self.query.contains_key("uploadId");
        match (self.method.as_str(), in_upload) {
            ("PUT", false) => Kind::Put,
            ("POST", true) => Kind::CompleteUpload,
            _ => Kind::Other,
        }
    }

    pub fn place(&self) -> Place {
        (self.bucket.clone(), self.key.clone())
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

pub fn head(machine: &'static str, life: u32, request: &Request<Outgoing>) -> Asked {
    let path = request.uri().path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let pairs = request.uri().query().unwrap_or_default().split('&');
    let query = pairs.filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    });
    Asked {
        machine,
        life,
        method: request.method().clone(),
        bucket: decoded(bucket),
        key: decoded(key),
        query: query.filter(|(name, _)| name != "x-id").collect(),
        headers: request.headers().clone(),
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
