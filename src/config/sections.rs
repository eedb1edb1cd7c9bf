//! The sections that are a handful of values: `storage`, `identity`, `shutdown`, `log`.

use std::path::PathBuf;
use std::time::Duration;

use tracing::Level;

use super::kind::{ACCOUNT, DURATION, PATH, REGION, SIZE};
use super::place::Place;
use super::problem::Wrong;
use super::reading::{Block, Keys, Told};
use super::settings::Identity;
use crate::buffer;
use crate::model::{ByteSize, limits};
use crate::outside::stop;
use crate::telemetry::logging;

pub static ALL: [&Keys; 4] = [&STORAGE, &IDENTITY, &SHUTDOWN, &LOG];
static STORAGE: Keys = Keys {
    known: &["directory", "max_size"],
    later: &["retention"],
};

const MAX_SIZE_DEFAULT: ByteSize = ByteSize::mebibytes(20 * 1024);

pub fn storage(root: &Block<'_>) -> Result<buffer::Settings, Told> {
    let block = root.block("storage", &STORAGE)?;
    let directory = match block.optional("directory", &PATH) {
        Ok(None) => Ok(default_directory(&block)),
        Ok(Some(directory)) => Ok(directory),
        Err(told) => Err(told),
    };
    if let Ok(directory) = &directory {
        block.reading.keep_clear_of(directory.clone());
    }
    let max_size = block.or("max_size", &SIZE, MAX_SIZE_DEFAULT);
    let max_size = max_size.and_then(|size| {
        let least = limits::STORAGE_SIZE_MIN;
        if least <= size {
            return Ok(size);
        }
        Err(block.wrong(
            "max_size",
            Wrong::new(format!(
                "`{}` is less than {least}",
                block.written("max_size")
            )),
        ))
    });
    Ok(buffer::Settings {
        directory: directory?,
        max_size: max_size?,
    })
}

/// systemd's, if it gave one (it may give several, with colons between), else `./data`.
fn default_directory(block: &Block<'_>) -> PathBuf {
    let reading = block.reading;
    let given = reading.surroundings.variable("STATE_DIRECTORY");
    let given = given.and_then(|folders| folders.split(':').next());
    let (place, directory) = match given {
        Some(folder) => (Place::variable("STATE_DIRECTORY"), folder),
        None => (Place::default_value(), "data"),
    };
    reading.say(&place, &block.at("directory"), directory);
    PathBuf::from(directory)
}

static IDENTITY: Keys = Keys {
    known: &["region", "account"],
    later: &[],
};

pub fn identity(root: &Block<'_>) -> Result<Identity, Told> {
    let block = root.block("identity", &IDENTITY)?;
    let region = block.or("region", &REGION, "us-east-1".to_owned());
    let account = block.or("account", &ACCOUNT, "000000000000".to_owned());
    Ok(Identity {
        region: region?,
        account: account?,
    })
}

static SHUTDOWN: Keys = Keys {
    known: &["mode", "deadline"],
    later: &[],
};

pub fn shutdown(root: &Block<'_>) -> Result<stop::Settings, Told> {
    let block = root.block("shutdown", &SHUTDOWN)?;
    let default = stop::Settings::default();
    let words = [("keep", stop::Mode::Keep), ("deliver", stop::Mode::Deliver)];
    let mode = block.choice("mode", &words, default.mode);
    let deadline = block.or("deadline", &DURATION, default.deadline);
    let deadline = deadline.and_then(|deadline| {
        let range = Duration::from_secs(1)..=Duration::from_secs(60 * 60);
        if range.contains(&deadline) {
            return Ok(deadline);
        }
        let written = block.written("deadline");
        let wrong = Wrong::new(format!("`{written}` is not between 1s and 1h"));
        Err(block.wrong("deadline", wrong))
    });
    Ok(stop::Settings {
        mode: mode?,
        deadline: deadline?,
    })
}

static LOG: Keys = Keys {
    known: &["level", "format"],
    later: &[],
};

pub fn log(root: &Block<'_>) -> Result<logging::Settings, Told> {
    let block = root.block("log", &LOG)?;
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
    ];
    let formats = [
        ("auto", logging::Format::Auto),
        ("human", logging::Format::Human),
        ("json", logging::Format::Json),
    ];
    let level = block.choice("level", &levels, Level::INFO);
    let format = block.choice("format", &formats, logging::Format::Auto);
    Ok(logging::Settings {
        level: level?,
        format: format?,
    })
}
