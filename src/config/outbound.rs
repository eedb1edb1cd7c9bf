//! How servers are reached that we send to: authorities, client certificates, proxies. The keys are the
//! same wherever something is sent.

use std::fmt::Display;
use std::net::IpAddr;

use http::Uri;

use super::kind::{self, PATH};
use super::node::Content;
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use super::secret;
use crate::model::Secret;
use crate::outside::Surroundings;
use crate::outside::http_client::{self, ClientIdentity, Proxies};
use crate::telemetry::Chain;

pub static ALL: [&Keys; 1] = [&PROXY];
static PROXY: Keys = Keys {
    known: &["url", "no_proxy"],
    later: &[],
};

/// How the servers of this block are reached.
pub fn settings(block: &Block<'_>) -> Result<http_client::Settings, Told> {
    let ca_pem = certificates(block, "ca_file").and_then(|pem| authorities(block, pem));
    let identity = identity(block);
    let proxies = proxies(block);
    Ok(http_client::Settings {
        ca_pem: ca_pem?,
        identity: identity?,
        proxies: proxies?,
    })
}

/// Where the server is. It may be a secret as a whole, or hold one; what is shown holds none.
pub fn url<T: Display, E: Display>(
    block: &Block<'_>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, Told> {
    let Some(entry) = block.entry("url") else {
        return Err(block.missing("url"));
    };
    let value = block.discreet(entry, secret::ANY)?;
    match parse(value.text()) {
        Ok(url) => {
            block
                .reading
                .say(&entry.value.place, &block.at("url"), &url);
            warn_if_in_the_open(block, "url", value.text());
            Ok(url)
        }
        Err(error) => Err(block.wrong("url", Wrong::new(error.to_string()))),
    }
}

fn identity(block: &Block<'_>) -> Result<Option<ClientIdentity>, Told> {
    let certificate = certificates(block, "client_certificate_file");
    let key = key_pem(block);
    match (certificate?, key?) {
        (None, None) => Ok(None),
        (Some(certificate_pem), Some(key_pem)) => {
            let identity = ClientIdentity {
                certificate_pem,
                key_pem,
            };
            let checked = identity.check().map(|()| Some(identity));
            checked.map_err(|error| {
                let wrong = Wrong::new(Chain(&error).to_string());
                block.wrong("client_key_file", wrong)
            })
        }
        (Some(_), None) => Err(block.missing("client_key_file")),
        (None, Some(_)) => Err(block.missing("client_certificate_file")),
    }
}

fn key_pem(block: &Block<'_>) -> Result<Option<Secret>, Told> {
    let Some(path) = block.optional("client_key_file", &PATH)? else {
        return Ok(None);
    };
    let what = match block.reading.surroundings.read_text(&path) {
        Ok(pem) if pem.contains("PRIVATE KEY-----") => return Ok(Some(Secret::new(pem))),
        Ok(_) => format!("the file `{}` holds no key in PEM form", path.display()),
        Err(error) => format!("the file `{}` cannot be read: {error}", path.display()),
    };
    Err(block.wrong("client_key_file", Wrong::new(what)))
}

/// `proxy: URL`, `proxy: none`, or with what is asked directly; without it what the usual variables
/// say.
fn proxies(block: &Block<'_>) -> Result<Proxies, Told> {
    let Some(entry) = block.entry("proxy") else {
        return Ok(usual_proxies(block.reading.surroundings));
    };
    match &entry.value.content {
        Content::Scalar(word) if word == "none" => {
            let path = block.at("proxy");
            block.reading.say(&entry.value.place, &path, "none");
            Ok(Proxies::default())
        }
        Content::Scalar(_) => {
            let url = block.required("proxy", &kind::PROXY)?;
            Ok(Proxies::named(Secret::new(url.to_string()), String::new()))
        }
        Content::Nothing | Content::List(_) | Content::Block(_) => {
            let proxy = block.open_entry(entry, &PROXY)?;
            let url = proxy.required("url", &kind::PROXY);
            let except = proxy.texts("no_proxy")?;
            let except: Vec<&str> = except.iter().map(|(text, _)| *text).collect();
            Ok(Proxies::named(
                Secret::new(url?.to_string()),
                except.join(","),
            ))
        }
    }
}

pub fn usual_proxies(surroundings: &Surroundings) -> Proxies {
    Proxies::usual(|name| surroundings.variable(name))
}

fn certificates(block: &Block<'_>, key: &str) -> Result<Option<Vec<u8>>, Told> {
    let Some(path) = block.optional(key, &PATH)? else {
        return Ok(None);
    };
    let what = match block.reading.surroundings.read(&path) {
        Ok(pem) if is_pem(&pem) => return Ok(Some(pem)),
        Ok(_) => format!(
            "the file `{}` holds no certificate in PEM form",
            path.display()
        ),
        Err(error) => format!("the file `{}` cannot be read: {error}", path.display()),
    };
    Err(block.wrong(key, Wrong::new(what)))
}

fn authorities(block: &Block<'_>, pem: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Told> {
    let checked = pem
        .as_deref()
        .map_or(Ok(()), http_client::check_authorities);
    checked.map(|()| pem).map_err(|error| {
        let wrong = Wrong::new(Chain(&error).to_string());
        block.wrong("ca_file", wrong)
    })
}

fn is_pem(bytes: &[u8]) -> bool {
    String::from_utf8_lossy(bytes).contains("-----BEGIN CERTIFICATE-----")
}

/// Warns where records travel in the open, beyond this machine.
pub fn warn_if_in_the_open(block: &Block<'_>, key: &str, url: &str) {
    let is_open = url.parse().is_ok_and(|uri| is_in_the_open(&uri));
    if is_open {
        let wrong = Wrong::new("records and keys leave this machine unencrypted");
        let (place, path) = (block.place_of(key), block.at(key));
        let hint = "`https://`, with `ca_file` where the authority is a private one";
        block.reading.warn(place, &path, wrong.hint(hint));
    }
}

fn is_in_the_open(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_loopback = match bare.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => bare == "localhost" || bare.ends_with(".localhost"),
    };
    uri.scheme_str() == Some("http") && !is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_that_leaves_this_machine_is_in_the_open() {
        for (uri, expected) in [
            ("http://127.0.0.1:8080/", false),
            ("http://127.9.9.9/", false),
            ("http://[::1]:8080/", false),
            ("http://localhost/", false),
            ("http://collector.localhost/", false),
            ("http://localhost.example/", true),
            ("http://10.0.0.1/", true),
            ("HTTP://collector.example/", true),
            ("https://collector.example/", false),
        ] {
            assert_eq!(is_in_the_open(&uri.parse().unwrap()), expected, "{uri}");
        }
    }
}
