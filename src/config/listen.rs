//! The section `listen`: two sockets, and what it takes to leave loopback.

use std::net::{Ipv4Addr, SocketAddr};

use super::kind::{ADDRESS, PATH};
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use super::secret;
use super::settings::Listen;
use crate::model::Secret;
use crate::server::{self, Identity, Producer};

pub static ALL: [&Keys; 4] = [&LISTEN, &FIREHOSE, &ADMIN, &TLS];
static LISTEN: Keys = Keys {
    known: &["firehose", "admin"],
    later: &[],
};
static FIREHOSE: Keys = Keys {
    known: &["address", "tls"],
    later: &[],
};
static ADMIN: Keys = Keys {
    known: &["address", "tls", "token"],
    later: &[],
};
static TLS: Keys = Keys {
    known: &["certificate_file", "key_file"],
    later: &["client_ca_file"],
};

const FIREHOSE_PORT: u16 = 4573;
const ADMIN_PORT: u16 = 4574;

pub fn read(root: &Block<'_>, producers: &Result<Vec<Producer>, Told>) -> Result<Listen, Told> {
    let block = root.block("listen", &LISTEN)?;
    let firehose = block.block("firehose", &FIREHOSE).and_then(|block| {
        let listener = listener(&block, FIREHOSE_PORT)?;
        let has_producers = root.entry("producers").is_some();
        if !listener.address.ip().is_loopback() && !has_producers {
            let wrong = Wrong::new(format!(
                "`{}` can be reached by others, and without `producers` anybody may put",
                listener.address
            ));
            let hint = "name who may put under `producers`, or listen on 127.0.0.1";
            return Err(block.wrong("address", wrong.hint(hint)));
        }
        let shows_token = |it: &Producer| matches!(it.identity, Identity::Token(_));
        if producers
            .as_ref()
            .is_ok_and(|all| all.iter().any(shows_token))
        {
            warn_if_in_the_open(&block, &listener);
        }
        Ok(listener)
    });
    let admin = block.block("admin", &ADMIN).and_then(|block| admin(&block));
    if let (Ok(firehose), Ok((admin, _))) = (&firehose, &admin)
        && overlap(firehose.address, admin.address)
    {
        report_shared_address(&block, firehose.address, admin.address)?;
    }
    let (admin, admin_token) = admin?;
    Ok(Listen {
        firehose: firehose?,
        admin,
        admin_token,
    })
}

/// Whether only one of them can be listened at. An address for all of IPv6 takes IPv4 as well.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |all: SocketAddr, other: SocketAddr| {
        all.ip().is_unspecified() && (all.is_ipv6() || other.is_ipv4())
    };
    let same_port = one.port() == other.port() && one.port() != 0;
    same_port && (one.ip() == other.ip() || covers(one, other) || covers(other, one))
}

/// Told where an address was written; the other may be a default.
fn report_shared_address(
    block: &Block<'_>,
    firehose: SocketAddr,
    admin: SocketAddr,
) -> Result<(), Told> {
    let firehose = (block.block("firehose", &FIREHOSE)?, firehose);
    let admin = (block.block("admin", &ADMIN)?, admin);
    let ((written, address), (other, others)) = match admin.0.entry("address") {
        Some(_) => (admin, firehose),
        None => (firehose, admin),
    };
    let other = other.at("address");
    let what = match address == others {
        true => format!("`{address}` is `{other}`'s already"),
        false => format!("`{address}` is part of `{other}`, which is `{others}`"),
    };
    Err(written.wrong("address", Wrong::new(what)))
}

fn admin(block: &Block<'_>) -> Result<(server::Settings, Option<Secret>), Told> {
    let token = block.optional_secret("token", secret::HEADER);
    let listener = listener(block, ADMIN_PORT)?;
    if !listener.address.ip().is_loopback() && block.entry("token").is_none() {
        let what = format!(
            "`{}` can be reached by others, which takes a token",
            listener.address
        );
        let hint = "add `token: { env: NAME }` here, or listen on 127.0.0.1";
        return Err(block.wrong("address", Wrong::new(what).hint(hint)));
    }
    warn_if_in_the_open(block, &listener);
    Ok((listener, token?))
}

/// Whoever reads a token on its way has it.
fn warn_if_in_the_open(block: &Block<'_>, listener: &server::Settings) {
    if listener.tls.is_some() || listener.address.ip().is_loopback() {
        return;
    }
    let wrong = Wrong::new(format!("tokens reach `{}` unencrypted", listener.address));
    let hint =
        "add `tls: { certificate_file: …, key_file: … }`, unless TLS ends at a proxy before it";
    let (place, path) = (block.place_of("address"), block.at("address"));
    block.reading.warn(place, &path, wrong.hint(hint));
}

fn listener(block: &Block<'_>, port: u16) -> Result<server::Settings, Told> {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let address = block.or("address", &ADDRESS, default);
    let tls = block
        .block_if_given("tls", &TLS)
        .and_then(|tls| tls.map(|tls| files(&tls)).transpose());
    Ok(server::Settings {
        address: address?,
        tls: tls?,
    })
}

fn files(block: &Block<'_>) -> Result<server::TlsFiles, Told> {
    let file = |key| {
        let path = block.required(key, &PATH)?;
        match block.reading.surroundings.read(&path) {
            Ok(_) => Ok(path),
            Err(error) => {
                let what = format!("the file `{}` cannot be read: {error}", path.display());
                Err(block.wrong(key, Wrong::new(what)))
            }
        }
    };
    let certificate_file = file("certificate_file");
    let key_file = file("key_file");
    let files = server::TlsFiles {
        certificate_file: certificate_file?,
        key_file: key_file?,
    };
    match files.check(block.reading.surroundings) {
        Ok(()) => Ok(files),
        Err(error) if error.is_of_certificate(&files) => {
            Err(block.wrong("certificate_file", Wrong::new(error.to_string())))
        }
        Err(error) => Err(block.wrong("key_file", Wrong::new(error.to_string()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_overlap_where_one_of_them_is_part_of_the_other() {
        let check = |one: &str, other: &str, expected: bool| {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(overlap(one, other), expected, "{one} {other}");
            assert_eq!(overlap(other, one), expected, "{other} {one}");
        };
        check("127.0.0.1:4573", "127.0.0.1:4573", true);
        check("127.0.0.1:4573", "127.0.0.1:4574", false);
        check("127.0.0.1:4573", "127.0.0.2:4573", false);
        check("0.0.0.0:4573", "127.0.0.1:4573", true);
        check("0.0.0.0:4573", "[::1]:4573", false);
        check("[::]:4573", "127.0.0.1:4573", true);
        check("[::]:4573", "0.0.0.0:4573", true);
        // Each gets a port of its own.
        check("0.0.0.0:0", "0.0.0.0:0", false);
    }
}
