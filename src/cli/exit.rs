//! How a command ends: exit codes, and errors as people read them.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use crate::config::Problems;

/// Exit codes, after `sysexits.h` where that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Stopped = 0,
    /// It ran, and the answer is no: damage found, not everything taken, a contract broken.
    No = 1,
    BadCommandLine = 64,
    /// The daemon, or the server, cannot be reached.
    Unreachable = 69,
    /// A bug of ours.
    Bug = 70,
    /// The disk failed, or a port is taken.
    Disk = 74,
    /// Trying again later helps: the directory is locked, the drain was incomplete.
    TryAgain = 75,
    /// Somebody must do something: no restart mends it.
    BadConfiguration = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Shown below every `--help`.
pub const EXIT_CODES: &str = "\
Exit codes:
   0  done, or stopped as asked
   1  it ran, and the answer is no (damage found, not everything taken, a contract broken)
  64  bad command line
  69  not reachable
  70  a bug in Standpipe
  74  the disk failed, or a port is taken
  75  try again: the directory is locked, or the drain was incomplete
  78  bad configuration, or a data directory that this version cannot open";

/// Why a command failed, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub error: Box<dyn Error + Send + Sync>,
    pub hint: Option<String>,
}

impl Failure {
    pub fn new(exit: Exit, error: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure {
            exit,
            error: error.into(),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Failure {
        Failure::new(Exit::BadConfiguration, problems)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.error)?;
        let mut cause = self.error.source();
        while let Some(error) = cause {
            write!(f, "\ncaused by: {error}")?;
            cause = error.source();
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}
