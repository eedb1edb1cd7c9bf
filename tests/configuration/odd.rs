//! Configurations as odd as chance makes them: each is taken or told what is wrong with it.

use proptest::prelude::*;

use crate::world::World;

/// Keys and values of ours, and what YAML has to offer beside them.
const PIECES: [&str; 54] = [
    "storage",
    "listen",
    "producers",
    "identity",
    "aws",
    "defaults",
    "streams",
    "shutdown",
    "log",
    "demo",
    "source",
    "direct_put",
    "destination",
    "directory",
    "path",
    "s3",
    "bucket",
    "http_endpoint",
    "datadog",
    "splunk",
    "url",
    "http://a.test",
    "transform",
    "lambda",
    "http",
    "failed_output",
    "source_backup",
    "buffering",
    "size",
    "interval",
    "5MiB",
    "60s",
    "-1",
    "18446744073709551616",
    "1e999",
    ".nan",
    "true",
    "~",
    ": ",
    ":",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "{ ",
    " }",
    "[",
    "]",
    ", ",
    "&a ",
    "*a",
    "<<: *a",
    "!{x}",
    "\"",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_configuration_is_too_odd_to_be_told_what_is_wrong(
        pieces in prop::collection::vec(prop::sample::select(PIECES.to_vec()), 0..30),
    ) {
        let loaded = World::default().file("delivery.yaml", pieces.concat()).load();
        if let Err(problems) = loaded {
            prop_assert!(problems.to_string().contains("problem"), "{problems}");
        }
    }

    #[test]
    fn no_text_is_too_odd_to_be_told_what_is_wrong(text in "\\PC{0,40}|[\\x00-\\x7f]{0,40}") {
        let loaded = World::default().file("delivery.yaml", text).load();
        prop_assert!(loaded.is_err(), "no such text names a stream");
    }
}
