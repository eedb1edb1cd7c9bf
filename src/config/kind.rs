//! What a value may look like: one constant a kind, with how it is read and how it is shown.

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::place::Origin;
use super::problem::Wrong;
use crate::model::{ByteSize, ByteSizeError};
use crate::outside::http_client::server;

/// How values of type `T` are written.
pub struct Kind<T> {
    pub read: fn(&str, &Origin) -> Result<T, Wrong>,
    pub show: fn(&T) -> String,
}

pub const TEXT: Kind<String> = Kind {
    read: |text, _| {
        if text.is_empty() {
            return Err(Wrong::new("the value is empty"));
        }
        Ok(text.to_owned())
    },
    show: String::clone,
};

/// A text that may be empty: an empty prefix means something.
pub const ANY_TEXT: Kind<String> = Kind {
    read: |text, _| Ok(text.to_owned()),
    show: |text| {
        if text.is_empty() {
            "\"\"".to_owned()
        } else {
            text.clone()
        }
    },
};

pub const SIZE: Kind<ByteSize> = Kind {
    read: |text, _| {
        text.parse().map_err(|error: ByteSizeError| {
            let hint = match &error {
                ByteSizeError::NotASize(_) => "write a count and a unit, e.g. `5MiB`",
                ByteSizeError::Ambiguous(_) => {
                    "write `MiB` for 1024 × 1024 bytes, as Firehose means its MBs"
                }
            };
            Wrong::new(error.to_string()).hint(hint)
        })
    },
    show: ByteSize::to_string,
};

pub const DURATION: Kind<Duration> = Kind {
    read: |text, _| {
        let wrong = || Wrong::new(format!("`{text}` is not a duration"));
        let hint = "write a count and a unit, e.g. `300s`, `5m` or `24h`";
        humantime::parse_duration(text).map_err(|_| wrong().hint(hint))
    },
    show: |duration| {
        // As Firehose speaks of intervals: `300s`, not `5m`; whole hours stay hours.
        let seconds = duration.as_secs();
        if duration.subsec_nanos() != 0 {
            humantime::format_duration(*duration).to_string()
        } else if 3600 <= seconds && seconds.is_multiple_of(3600) {
            format!("{}h", seconds / 3600)
        } else {
            format!("{seconds}s")
        }
    },
};

pub const COUNT: Kind<u32> = Kind {
    read: |text, _| {
        let wrong =
            || Wrong::new(format!("`{text}` is not a count")).hint("a whole number, e.g. `3`");
        text.parse().map_err(|_| wrong())
    },
    show: u32::to_string,
};

pub const BOOL: Kind<bool> = Kind {
    read: |text, _| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wrong::new(format!(
            "`{text}` is neither `true` nor `false`"
        ))),
    },
    show: bool::to_string,
};

pub const ADDRESS: Kind<SocketAddr> = Kind {
    read: |text, _| {
        text.parse().map_err(|_| {
            Wrong::new(format!("`{text}` is not an address"))
                .hint("write an IP address and a port, e.g. `127.0.0.1:4573`")
        })
    },
    show: SocketAddr::to_string,
};

/// Relative to the file that names it.
pub const PATH: Kind<PathBuf> = Kind {
    read: |text, origin| {
        if text.is_empty() {
            return Err(Wrong::new("the path is empty"));
        }
        Ok(tidy(&origin.folder().join(text)))
    },
    show: |path| path.display().to_string(),
};

/// `conf/./out` → `conf/out`; `..` stays, for a link may stand before it.
fn tidy(path: &Path) -> PathBuf {
    let parts = path.components().filter(|part| *part != Component::CurDir);
    let tidy: PathBuf = parts.collect();
    if tidy.as_os_str().is_empty() {
        PathBuf::from(".")
    } else {
        tidy
    }
}

pub const ENDPOINT: Kind<http::Uri> = Kind {
    read: |text, _| {
        if text.contains('@') {
            // It may hold a password, so it is not repeated.
            return Err(Wrong::new("an endpoint has no user and no password"));
        }
        server(text).ok_or_else(|| {
            Wrong::new(format!("`{text}` is not an endpoint"))
                .hint("write the scheme and the host, e.g. `http://127.0.0.1:9000`")
        })
    },
    show: http::Uri::to_string,
};

pub const PROXY: Kind<http::Uri> = Kind {
    read: |text, _| {
        if text.contains('@') {
            let wrong = Wrong::new("a proxy's user and password cannot stand here");
            return Err(wrong.hint("name the proxy in `$HTTPS_PROXY`, and leave `proxy` out"));
        }
        server(text).ok_or_else(|| {
            Wrong::new(format!("`{text}` is not a proxy's URL"))
                .hint("write the scheme and the host, e.g. `http://proxy.example:3128`; or `none`")
        })
    },
    show: http::Uri::to_string,
};

/// It is sent between slashes and commas. Where it has any, it may well be the secret key, so it is
/// not repeated.
pub const ACCESS_KEY_ID: Kind<String> = Kind {
    read: |text, _| {
        let allowed = |byte: u8| byte.is_ascii_graphic() && !b"/,".contains(&byte);
        if !text.is_empty() && text.bytes().all(allowed) {
            return Ok(text.to_owned());
        }
        let wrong = Wrong::new("this is not an access key's id");
        Err(wrong.hint("no blanks, slashes and commas, e.g. `AKIAIOSFODNN7EXAMPLE`"))
    },
    show: String::clone,
};

/// As AWS names them: `eu-west-1`.
pub const REGION: Kind<String> = Kind {
    read: |text, _| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if !text.is_empty() && text.len() <= 32 && text.bytes().all(allowed) {
            return Ok(text.to_owned());
        }
        let wrong = Wrong::new(format!("`{text}` is not a region"));
        Err(wrong.hint("small letters, digits and dashes, e.g. `eu-west-1`"))
    },
    show: String::clone,
};

/// Twelve digits, of which the first may be zero.
pub const ACCOUNT: Kind<String> = Kind {
    read: |text, _| {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(text.to_owned());
        }
        let wrong = Wrong::new(format!("`{text}` is not an account"));
        Err(wrong.hint("twelve digits, e.g. `\"123456789012\"`"))
    },
    show: String::clone,
};

/// AWS's rule, with the letters that foreign servers and old buckets allow.
pub const BUCKET: Kind<String> = Kind {
    read: |text, _| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if (3..=255).contains(&text.len()) && text.bytes().all(allowed) {
            return Ok(text.to_owned());
        }
        let wrong = Wrong::new(format!("`{text}` is not a bucket's name"));
        Err(wrong
            .hint("only the name, without `s3://` and path: letters, digits, `.`, `-` and `_`"))
    },
    show: String::clone,
};
