//! Which environment variables set something: `STANDPIPE_STORAGE__MAX_SIZE`, with two underscores at
//! each step.
//!
//! A name that almost says so would be a setting that has no effect, so it is an error. What
//! Kubernetes tells every container of services that are called `standpipe` is not meant for us.

use super::KEYS;
use super::problem::Wrong;

const PREFIX: &str = "STANDPIPE_";
/// Where commands find a daemon: no section.
const OF_COMMANDS: &str = "DAEMON";
/// Their keys are values, so that what was meant can be told.
const FLAT_SECTIONS: [&str; 4] = ["storage", "identity", "shutdown", "log"];

/// The steps to the value that this variable sets; `None` where it sets nothing of ours.
pub fn path(variable: &str, text: &str) -> Result<Option<Vec<String>>, Wrong> {
    let Some((prefix, name)) = variable.split_at_checked(PREFIX.len()) else {
        return Ok(None);
    };
    if prefix != PREFIX {
        let is_meant = prefix.eq_ignore_ascii_case(PREFIX) && name.contains("__");
        let wrong = || Wrong::new("has no effect: names of variables are written in capitals");
        let hint = || format!("did you mean `{}`?", variable.to_ascii_uppercase());
        return if is_meant {
            Err(wrong().hint(hint()))
        } else {
            Ok(None)
        };
    }
    if name == OF_COMMANDS || is_of_a_service(name, text) {
        return Ok(None);
    }
    let key = name.to_ascii_lowercase();
    let steps: Vec<String> = key.split("__").map(str::to_owned).collect();
    if 1 < steps.len() {
        return Ok(Some(steps));
    }
    let meant = FLAT_SECTIONS.iter().find_map(|section| {
        let key = key.strip_prefix(section)?.strip_prefix('_')?;
        Some(format!("{PREFIX}{section}__{key}").to_ascii_uppercase())
    });
    let wrong = Wrong::new("has no effect: no section and key are named so");
    Err(match meant {
        Some(meant) => wrong.hint(format!("did you mean `{meant}`?")),
        None => wrong.hint(format!(
            "`{PREFIX}<SECTION>__<KEY>`, with two underscores at each step; sections are {}",
            KEYS.known.join(", ")
        )),
    })
}

/// `STANDPIPE_SERVICE_HOST`, `STANDPIPE_PORT=tcp://10.0.0.1:4573`, `STANDPIPE_PORT_4573_TCP_ADDR`, and
/// the same of a service `standpipe-admin`.
fn is_of_a_service(name: &str, text: &str) -> bool {
    let ends_with = |end: &str| name == end || name.ends_with(&format!("_{end}"));
    let protocols = ["tcp", "udp", "sctp"];
    let is_address = protocols
        .iter()
        .any(|it| text.starts_with(&format!("{it}://")));
    let of_a_port = name.split("PORT_").skip(1).any(|rest| {
        let rest = rest.trim_start_matches(|it: char| it.is_ascii_digit());
        let rest = rest
            .strip_prefix('_')
            .unwrap_or_default()
            .to_ascii_lowercase();
        protocols.iter().any(|it| rest.starts_with(it))
    });
    ends_with("SERVICE_HOST")
        || ends_with("SERVICE_PORT")
        || name.starts_with("SERVICE_PORT_")
        || name.contains("_SERVICE_PORT_")
        || is_address && ends_with("PORT")
        || of_a_port
}
