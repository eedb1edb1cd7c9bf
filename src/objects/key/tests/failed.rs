//! Keys of what failed.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};

use super::*;

/// Where what the transformer could not process goes.
#[track_caller]
fn check_failed(prefix: &str, error_output_prefix: &str, expected: Expect) {
    let clicks = "clicks".parse().unwrap();
    let template = KeyTemplate::new(Some(prefix), Some(error_output_prefix), None).unwrap();
    expected.assert_eq(&template.failed_key(&facts(&clicks), ErrorOutput::Processing));
}

#[test]
fn what_failed_goes_under_the_error_output_prefix_or_else_under_the_prefix() {
    check_failed(
        "",
        "",
        expect![
            "processing-failed/2026/03/14/09/clicks-1-2026-03-14-09-26-53-cb2bf597-967d-4045-aff3-a16991ba6add"
        ],
    );
    check_failed(
        "logs/",
        "",
        expect![
            "logs/processing-failed/2026/03/14/09/clicks-1-2026-03-14-09-26-53-cb2bf597-967d-4045-aff3-a16991ba6add"
        ],
    );
    check_failed(
        "logs/",
        "bad/",
        expect![
            "bad/processing-failed/2026/03/14/09/clicks-1-2026-03-14-09-26-53-cb2bf597-967d-4045-aff3-a16991ba6add"
        ],
    );
    check_failed(
        "logs/!{timestamp:yyyy}/",
        "bad/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd}/",
        expect![
            "bad/processing-failed/2026/03/14/clicks-1-2026-03-14-09-26-53-cb2bf597-967d-4045-aff3-a16991ba6add"
        ],
    );
}

#[test]
fn d3_each_kind_of_failure_has_a_name_of_its_own() {
    let clicks = "clicks".parse().unwrap();
    let template = KeyTemplate::new(None, Some("!{firehose:error-output-type}/"), None).unwrap();
    let errors = [
        ErrorOutput::Processing,
        ErrorOutput::HttpEndpoint,
        ErrorOutput::Splunk,
    ];
    let mut keys: Vec<String> = errors
        .iter()
        .map(|error| template.failed_key(&facts(&clicks), *error))
        .collect();
    keys.push(template.object_key(&facts(&clicks)));
    let uuids: BTreeSet<&str> = keys
        .iter()
        .map(|key| key.trim_end_matches(".gz"))
        .map(|key| &key[key.len() - 36..])
        .collect();
    assert_eq!(uuids.len(), keys.len());
}
