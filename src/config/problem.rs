//! What is wrong with a configuration: all of it at once, each with its place and a hint.

use std::collections::BTreeSet;
use std::fmt;

use super::place::{Origin, Place};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `None` when nothing was written where something should have been.
    pub place: Option<Place>,
    /// The key's path: `streams.clicks.buffering.size`. Empty for a file as a whole.
    pub path: String,
    pub wrong: Wrong,
}

/// What is wrong with one value, whose place and path its reader knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrong {
    pub what: String,
    pub hint: Option<String>,
}

impl Wrong {
    pub fn new(what: impl Into<String>) -> Wrong {
        Wrong {
            what: what.into(),
            hint: None,
        }
    }

    pub fn hint(mut self, hint: impl Into<String>) -> Wrong {
        self.hint = Some(hint.into());
        self
    }
}

/// At least one problem, sorted by place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// # Panics
    ///
    /// When there is none.
    pub fn new(mut problems: Vec<Problem>) -> Problems {
        assert!(!problems.is_empty(), "an error has a reason");
        problems.sort_by(|a, b| (&a.place, &a.path).cmp(&(&b.place, &b.path)));
        // An anchor's content is read wherever it is merged in, but it is wrong only once.
        let mut seen = BTreeSet::new();
        problems.retain(|problem| {
            let key = problem.path.rsplit('.').next().unwrap_or_default();
            let once = (problem.place.clone(), key.to_owned(), problem.wrong.clone());
            problem.place.is_none() || seen.insert(once)
        });
        Problems(problems)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// The one thing that all problems are in.
    fn subject(&self) -> String {
        let origin = |problem: &Problem| problem.place.as_ref().map(|place| place.origin.clone());
        let first = origin(&self.0[0]);
        match first.as_deref() {
            Some(Origin::File(path)) if self.0.iter().all(|other| origin(other) == first) => {
                path.display().to_string()
            }
            _ => "the configuration".to_owned(),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        let plural = if count == 1 { "problem" } else { "problems" };
        write!(f, "{} has {count} {plural}", self.subject())?;
        let places = self.0.iter().map(|problem| match &problem.place {
            Some(place) => place.to_string(),
            None => String::new(),
        });
        let places: Vec<String> = places.collect();
        let width = places.iter().map(|place| place.chars().count()).max();
        let width = width.unwrap_or(0);
        for (problem, place) in self.0.iter().zip(&places) {
            write!(f, "\n  ")?;
            if 0 < width {
                write!(f, "{place:width$}  ")?;
            }
            if !problem.path.is_empty() {
                write!(f, "{}: ", problem.path)?;
            }
            f.write_str(&problem.wrong.what)?;
            if let Some(hint) = &problem.wrong.hint {
                write!(f, "\n    hint: {hint}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
