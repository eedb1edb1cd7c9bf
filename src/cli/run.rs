//! `standpipe run`: the daemon.

use std::error::Error;
use std::io;

use clap::Args;
use tokio::runtime::Runtime;

use super::{Configuration, Exit, Failure};
use crate::buffer;
use crate::daemon::{self, Outcome, StartError};
use crate::outside::Surroundings;
use crate::server::BindError;
use crate::telemetry::{happened, logging};

/// Runs the daemon until it is told to stop.
///
/// Takes records, keeps them on disk until they are delivered, and says so in the log, at /metrics,
/// /healthz and /readyz. SIGTERM or SIGINT stops it gently: what is not delivered stays on disk and
/// goes on at the next start (or is delivered first, with `shutdown: { mode: deliver }`). A second
/// signal stops it at once, which loses nothing either.
#[derive(Args, Debug)]
#[command(after_help = HELP)]
pub struct Run {
    #[command(flatten)]
    configuration: Configuration,
}

const HELP: &str = "\
Examples:
  standpipe run                          what ./delivery.yaml says
  standpipe run -c /etc/standpipe        all *.yaml files of a folder
  standpipe run -c base.yaml -c here.yaml --set log.level=debug
  STANDPIPE_STORAGE__DIRECTORY=/var/lib/standpipe standpipe run

Exit codes: 0 stopped, 64 bad command line, 70 a bug, 74 disk failed or port taken,
75 try again (directory locked, drain incomplete), 78 bad configuration, or a data
directory that this version cannot open";

impl Run {
    pub fn run(&self, surroundings: &Surroundings) -> Result<Exit, Failure> {
        let loaded = self.configuration.load(surroundings)?;
        let bug = |error: Box<dyn Error + Send + Sync>| Failure::new(Exit::Bug, error);
        logging::start(&loaded.settings.log).map_err(|error| bug(error.into()))?;
        for warning in &loaded.warnings {
            let place = warning.place.as_ref().map(ToString::to_string);
            let hint = warning.wrong.hint.as_deref();
            happened::daemon::configuration_warning(
                &place.unwrap_or_default(),
                &warning.path,
                &warning.wrong.what,
                hint.unwrap_or_default(),
            );
        }
        let runtime = Runtime::new().map_err(|error| bug(error.into()))?;
        let files: Vec<_> = loaded
            .files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        let files = files.join(", ");
        let running = daemon::start(&loaded.settings, &files, surroundings);
        let outcome = runtime.block_on(running).map_err(refused)?;
        // A disk that does not answer must not keep us: what it holds is safe.
        runtime.shutdown_background();
        Ok(match outcome {
            Outcome::Stopped | Outcome::Aborted => Exit::Stopped,
            Outcome::DiskFailed => Exit::Disk,
            Outcome::LeftUndelivered => Exit::TryAgain,
            Outcome::Panicked => Exit::Bug,
        })
    }
}

fn refused(error: StartError) -> Failure {
    let (exit, hint) = match &error {
        StartError::Bind(BindError::Tls { .. }) => (Exit::BadConfiguration, None),
        StartError::Bind(BindError::Taken { .. } | BindError::Address { .. }) => (Exit::Disk, None),
        StartError::Signals(_) => (Exit::Bug, None),
        StartError::Open(daemon::OpenError::Storage { cause, .. }) => {
            (storage_exit(cause), Some(cause.hint()))
        }
        StartError::Open(daemon::OpenError::Destination { .. }) => (Exit::Disk, None),
        StartError::Open(daemon::OpenError::Connections { .. }) => (Exit::BadConfiguration, None),
    };
    let failure = Failure::new(exit, error);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Whoever restarts us is told where that cannot help: somebody must do what the hint says.
pub(super) fn storage_exit(error: &buffer::OpenError) -> Exit {
    match error {
        buffer::OpenError::Locked(_) => Exit::TryAgain,
        buffer::OpenError::Missing(_)
        | buffer::OpenError::NotOurs { .. }
        | buffer::OpenError::TooSmall { .. }
        | buffer::OpenError::TooManyStreams { .. }
        | buffer::OpenError::Newer { .. }
        | buffer::OpenError::NoHead { .. }
        | buffer::OpenError::NothingLeft { .. }
        | buffer::OpenError::HeadLost { .. } => Exit::BadConfiguration,
        // A file, or a link to nowhere, stands where the directory should.
        buffer::OpenError::Disk { cause, .. }
            if [io::ErrorKind::NotADirectory, io::ErrorKind::AlreadyExists]
                .contains(&cause.kind()) =>
        {
            Exit::BadConfiguration
        }
        buffer::OpenError::Unreadable { .. }
        | buffer::OpenError::Full { .. }
        | buffer::OpenError::Disk { .. }
        | buffer::OpenError::Begin(_) => Exit::Disk,
    }
}
