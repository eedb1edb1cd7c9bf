//! A request in canonical form.

use http::header::HOST;
use http::request;

/// Raw, as they arrived.
pub(super) struct Parts<'a> {
    pub method: &'a str,
    /// Normalized (`normalized`), percent-escapes as the client wrote them.
    pub path: &'a str,
    pub query: &'a str,
    /// Lower-case names with their values, in order of arrival.
    pub headers: &'a [(&'a str, &'a [u8])],
    pub signed_headers: &'a str,
    pub body_hash: &'a str,
}

/// The headers, with HTTP/2's `:authority` as `host`.
pub(super) fn headers(head: &request::Parts) -> Vec<(&str, &[u8])> {
    let mut headers: Vec<(&str, &[u8])> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    if let Some(authority) = head.uri.authority() {
        if !head.headers.contains_key(HOST) {
            headers.push(("host", authority.as_str().as_bytes()));
        }
        headers.push((":authority", authority.as_str().as_bytes()));
    }
    headers
}

/// The error is the name of a signed header that is not there.
pub(super) fn request(parts: &Parts<'_>) -> Result<String, String> {
    let mut text = String::with_capacity(1024);
    text.push_str(parts.method);
    text.push('\n');
    // Every service but S3 escapes the path a second time.
    encode(parts.path.as_bytes(), b'/', &mut text);
    text.push('\n');
    write_query(parts.query, &mut text);
    text.push('\n');
    for name in parts.signed_headers.split(';') {
        write_header(name, parts.headers, &mut text)?;
    }
    text.push('\n');
    text.push_str(parts.signed_headers);
    text.push('\n');
    text.push_str(parts.body_hash);
    Ok(text)
}

fn write_header(name: &str, headers: &[(&str, &[u8])], text: &mut String) -> Result<(), String> {
    let values = headers.iter().filter(|(key, _)| *key == name);
    let mut separator = ':';
    text.push_str(name);
    for (_, value) in values {
        text.push(separator);
        separator = ',';
        let value = String::from_utf8_lossy(value);
        let mut words = value.split_ascii_whitespace();
        text.extend(words.next());
        for word in words {
            text.push(' ');
            text.push_str(word);
        }
    }
    if separator == ':' {
        return Err(name.to_owned());
    }
    text.push('\n');
    Ok(())
}

/// Sorted as escaped; a presigned request's signature does not sign itself.
fn write_query(query: &str, text: &mut String) {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (encoded(&decoded(name)), encoded(&decoded(value))))
        .collect();
    pairs.sort();
    for (at, (name, value)) in pairs.iter().enumerate() {
        if at != 0 {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        text.push_str(value);
    }
}

/// A query parameter, unescaped.
pub(super) fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.find_map(|(key, value)| {
        (key == name).then(|| String::from_utf8_lossy(&decoded(value)).into_owned())
    })
}

/// Without `.`, `..` and empty segments.
pub(super) fn normalized(path: &str) -> String {
    if path == "/" {
        return path.to_owned();
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let is_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let end = if is_folder && !kept.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{end}", kept.join("/"))
}

fn encoded(bytes: &[u8]) -> String {
    let mut text = String::new();
    // `-` is never escaped anyway: nothing more is spared.
    encode(bytes, b'-', &mut text);
    text
}

fn encode(bytes: &[u8], spared: u8, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || byte == spared {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// Percent-escapes resolved; what is not one stays as it is.
fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digit = |offset: usize| char::from(*bytes.get(at + offset)?).to_digit(16);
        match (byte, digit(1), digit(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}
