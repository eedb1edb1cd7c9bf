//! `standpipe run`: the daemon.

use clap::Args;

use super::{Configuration, Exit, Failure};
use crate::outside::Surroundings;

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
75 try again (directory locked, drain incomplete), 78 bad configuration";

impl Run {
    pub fn run(&self, surroundings: &Surroundings) -> Result<Exit, Failure> {
        let _loaded = self.configuration.load(surroundings)?;
        todo!("daemon::run(loaded.settings, loaded.files), by the lead")
    }
}
