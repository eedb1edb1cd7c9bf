//! Where a value was written: what every problem begins with, and what `check` shows as origin.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One of the things that configuration is made of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    File(PathBuf),
    /// The variable's name.
    Environment(String),
    /// The key given with `--set`.
    CommandLine(String),
}

impl Origin {
    /// Relative paths are relative to the file that names them.
    pub fn folder(&self) -> &Path {
        match self {
            Origin::File(path) => path.parent().unwrap_or(Path::new("")),
            Origin::Default | Origin::Environment(_) | Origin::CommandLine(_) => Path::new(""),
        }
    }
}

/// A line and a column of a file, or a whole variable or argument.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub origin: Arc<Origin>,
    /// From 1; 0 where there are no lines.
    pub line: u64,
    pub column: u64,
}

impl Place {
    pub fn whole(origin: Arc<Origin>) -> Place {
        Place {
            origin,
            line: 0,
            column: 0,
        }
    }

    pub fn variable(name: &str) -> Place {
        Place::whole(Arc::new(Origin::Environment(name.to_owned())))
    }

    pub fn default_value() -> Place {
        Place::whole(Arc::new(Origin::Default))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.origin {
            Origin::Default => f.write_str("default"),
            Origin::File(path) if self.line == 0 => write!(f, "{}", path.display()),
            Origin::File(path) => {
                write!(f, "{}:{}:{}", path.display(), self.line, self.column)
            }
            Origin::Environment(variable) => write!(f, "${variable}"),
            Origin::CommandLine(key) => write!(f, "--set {key}"),
        }
    }
}
