//! A folder with files, an environment and a command line; and what comes of them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use expect_test::Expect;
use standpipe::config::{Loaded, Origin, Problems, Sources, load};
use standpipe::outside::Surroundings;

/// A stream for tests that are about something else. One line, behind what is tested.
pub const STREAM: &str =
    "streams: { demo: { source: direct_put, destination: { directory: { path: out } } } }\n";

#[derive(Default)]
pub struct World {
    files: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, &'static str)>,
    paths: Vec<&'static str>,
    set: Vec<&'static str>,
}

impl World {
    pub fn file(mut self, name: &'static str, text: impl Into<String>) -> World {
        self.files.push((name, text.into()));
        self
    }

    pub fn variable(mut self, name: &'static str, value: &'static str) -> World {
        self.variables.push((name, value));
        self
    }

    pub fn path(mut self, path: &'static str) -> World {
        self.paths.push(path);
        self
    }

    pub fn set(mut self, argument: &'static str) -> World {
        self.set.push(argument);
        self
    }

    pub fn load(&self) -> Result<Loaded, Problems> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in &self.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let variables = self
            .variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        let variables: BTreeMap<String, String> = variables.collect();
        let sources = Sources {
            paths: self.paths.iter().map(PathBuf::from).collect(),
            set: self.set.iter().map(ToString::to_string).collect(),
        };
        load(
            &sources,
            &Surroundings::given(variables, folder.path().to_owned()),
        )
    }

    /// Problems, or what was said: values that are not defaults, and warnings. What the stream
    /// `demo` says is left out: it is there because there must be one.
    #[track_caller]
    pub fn check(&self, expected: Expect) {
        let mut out = String::new();
        match self.load() {
            Err(problems) => writeln!(out, "{problems}").unwrap(),
            Ok(loaded) => {
                for said in &loaded.said {
                    let is_background = said.path.starts_with("streams.demo.");
                    if *said.place.origin != Origin::Default && !is_background {
                        writeln!(out, "{} = {} ({})", said.path, said.value, said.place).unwrap();
                    }
                }
                for warning in &loaded.warnings {
                    let what = &warning.wrong.what;
                    writeln!(out, "warning: {}: {what}", warning.path).unwrap();
                }
            }
        }
        expected.assert_eq(&out);
    }
}

#[track_caller]
pub fn check(yaml: &str, expected: Expect) {
    World::default().file("delivery.yaml", yaml).check(expected);
}

/// The text, and a good stream behind it.
#[track_caller]
pub fn check_section(yaml: &str, expected: Expect) {
    check(&format!("{yaml}\n{STREAM}"), expected);
}

/// One stream's inner text, indented by four.
pub fn stream(inner: &str) -> String {
    let mut text = "streams:\n  clicks:\n".to_owned();
    for line in inner.lines() {
        writeln!(text, "    {line}").unwrap();
    }
    text
}

#[track_caller]
pub fn check_stream(inner: &str, expected: Expect) {
    check(&stream(inner), expected);
}
