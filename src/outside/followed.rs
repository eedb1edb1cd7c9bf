//! Files that stay in use while we run, and may be replaced under our feet: secrets, certificates.
//!
//! A change counts once it has stood still from one look to the next, so that neither a file that is
//! half written nor a new certificate without its key is taken. What cannot be used is told once, and
//! what was in use before stays.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::Surroundings;
use super::surroundings::Stamp;

/// Takes the files' present content into use, or says why not.
type Adopt = dyn Fn(&Surroundings) -> Result<(), Box<dyn Error + Send + Sync>> + Send + Sync;

/// Files that are taken into use together.
#[derive(Clone)]
pub struct Followed {
    files: Vec<PathBuf>,
    /// Of what is in use, or was refused.
    known: Vec<Option<Stamp>>,
    /// Of the last look.
    seen: Vec<Option<Stamp>>,
    adopt: Arc<Adopt>,
}

/// What a look brought.
#[derive(Debug)]
pub enum Look {
    /// Nothing new, or not yet.
    Same,
    Taken,
    /// The old content stays in use.
    Refused(Box<dyn Error + Send + Sync>),
}

impl Followed {
    /// To be made before the files are read for the first time: what changes after this is noticed.
    pub fn new<E>(
        files: Vec<PathBuf>,
        surroundings: &Surroundings,
        adopt: impl Fn(&Surroundings) -> Result<(), E> + Send + Sync + 'static,
    ) -> Followed
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let known = stamps(&files, surroundings);
        Followed {
            files,
            seen: known.clone(),
            known,
            adopt: Arc::new(move |surroundings| adopt(surroundings).map_err(Into::into)),
        }
    }

    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Waits for the disk.
    pub fn look(&mut self, surroundings: &Surroundings) -> Look {
        let now = stamps(&self.files, surroundings);
        let stands_still = now == self.seen;
        self.seen = now;
        if !stands_still || self.seen == self.known {
            return Look::Same;
        }
        self.known.clone_from(&self.seen);
        match (self.adopt)(surroundings) {
            Ok(()) => Look::Taken,
            Err(why) => Look::Refused(why),
        }
    }
}

impl fmt::Debug for Followed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.files).finish()
    }
}

fn stamps(files: &[PathBuf], surroundings: &Surroundings) -> Vec<Option<Stamp>> {
    files.iter().map(|file| surroundings.stamp(file)).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::model::Secret;

    /// `=TEXT` writes the file, `-` removes it, `?` looks. The answer is what each look brought, and
    /// the secret after it.
    #[track_caller]
    fn check(steps: &str, expected: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings::given(BTreeMap::new(), folder.path().to_owned());
        let path = folder.path().join("secret");
        fs::write(&path, "first").unwrap();
        let secret = Secret::new("first");
        let kept = secret.clone();
        let file = PathBuf::from("secret");
        let mut followed = Followed::new(vec![file.clone()], &surroundings, move |here| {
            let text = here
                .read_text(&file)
                .map_err(|error| error.kind().to_string())?;
            if text == "bad" {
                return Err("no good".to_owned());
            }
            secret.replace(text);
            Ok(())
        });
        let mut seen = Vec::new();
        for step in steps.split(' ') {
            match step.split_at(1) {
                ("=", text) => {
                    // As careful people do it, and with a stamp that differs for sure.
                    fs::write(folder.path().join("next"), text).unwrap();
                    fs::rename(folder.path().join("next"), &path).unwrap();
                }
                ("-", _) => fs::remove_file(&path).unwrap(),
                _ => {
                    let look = match followed.look(&surroundings) {
                        Look::Same => "same".to_owned(),
                        Look::Taken => "taken".to_owned(),
                        Look::Refused(why) => format!("refused ({why})"),
                    };
                    seen.push(format!("{look}: {}", kept.reveal()));
                }
            }
        }
        expected.assert_eq(&seen.join(", "));
    }

    #[test]
    fn a_new_file_is_taken_once_it_stands_still() {
        check(
            "? ? =second ? ? ?",
            expect!["same: first, same: first, same: first, taken: second, same: second"],
        );
        check(
            "=second ? =third ? ?",
            expect!["same: first, same: first, taken: third"],
        );
    }

    #[test]
    fn a_bad_file_is_refused_once_and_the_old_secret_stays() {
        check(
            "=bad ? ? ? =second ? ?",
            expect![
                "same: first, refused (no good): first, same: first, same: first, taken: second"
            ],
        );
        check(
            "- ? ? ? =second ? ?",
            expect![
                "same: first, refused (entity not found): first, same: first, same: first, taken: second"
            ],
        );
    }
}
