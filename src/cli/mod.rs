//! The command line: one file a command.
//!
//! A verb acts on a daemon or runs one; a noun stands only for a family. A command exists when it
//! works. What a command prints for others to read goes to standard output, errors to standard
//! error.

mod check;
mod exit;
mod put;
mod run;
mod storage;
mod test_transformer;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use http::Uri;

pub use exit::{Exit, Failure};

use crate::config::{Loaded, Problems, Sources, load};
use crate::outside::Surroundings;
use crate::outside::http_client::server;

/// A self-hosted, Firehose-style delivery daemon: an acknowledged record is never lost.
///
/// Producers put records with the Amazon Data Firehose API or with plain HTTP. Standpipe says yes
/// once they are on disk, and delivers them in batches to S3, a directory, an HTTP endpoint or
/// Splunk.
#[derive(Debug, Parser)]
#[command(name = "standpipe", version, after_help = exit::EXIT_CODES)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Check(check::Check),
    Put(put::Put),
    Storage(storage::Storage),
    TestTransformer(Box<test_transformer::TestTransformer>),
}

/// Where the configuration is.
#[derive(Args, Clone, Debug)]
struct Configuration {
    /// A file, or a folder of `*.yaml` files. May be repeated; later ones are laid over earlier
    /// ones. Without it: ./delivery.yaml, else /etc/standpipe/delivery.yaml and
    /// /etc/standpipe/conf.d/.
    #[arg(short = 'c', long = "config", value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Sets one value over files and environment, such as `storage.max_size=50GiB`. May be repeated.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    set: Vec<String>,
}

impl Configuration {
    /// Whether the user said where to look.
    fn is_named(&self) -> bool {
        !self.paths.is_empty() || !self.set.is_empty()
    }

    fn load(&self, surroundings: &Surroundings) -> Result<Loaded, Problems> {
        let sources = Sources {
            paths: self.paths.clone(),
            set: self.set.clone(),
        };
        load(&sources, surroundings)
    }
}

/// A server's address, by the rule of the configuration.
fn endpoint(text: &str) -> Result<Uri, String> {
    if text.contains('@') {
        return Err("an endpoint has no user and no password".to_owned());
    }
    server(text).ok_or_else(|| {
        "write the scheme, the host and no path, e.g. `http://127.0.0.1:4573`".to_owned()
    })
}

/// For standard output: as much as whoever reads it wants to (`… | head`).
fn print(text: impl Display) {
    if let Err(error) = write!(io::stdout().lock(), "{text}")
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("error: failed to write to standard output: {error}");
    }
}

/// Parses the arguments, runs the command, prints why it failed.
pub fn main() -> Exit {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let asked = !error.use_stderr();
            // Nobody is left to tell if this cannot be printed.
            let _ = error.print();
            return if asked {
                Exit::Stopped
            } else {
                Exit::BadCommandLine
            };
        }
    };
    let surroundings = Surroundings::of_process();
    let outcome = match &arguments.command {
        Command::Run(run) => run.run(&surroundings),
        Command::Check(check) => check.run(&surroundings),
        Command::Put(put) => put.run(&surroundings),
        Command::Storage(storage) => storage.run(),
        Command::TestTransformer(test) => test.run(&surroundings),
    };
    outcome.unwrap_or_else(|failure| {
        eprintln!("{failure}");
        failure.exit
    })
}
