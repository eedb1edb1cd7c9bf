//! Each partner, as its own documents want it.

use expect_test::{Expect, expect};

use super::*;
use crate::telemetry::Chain;

/// `key=value` words; `@name` is an attribute, `!` the partner's key.
fn settings(name: &str, words: &str) -> Result<Settings, PresetError> {
    let preset = Preset::named(name).unwrap();
    let mut given = Given {
        address: BTreeMap::new(),
        key: None,
        common_attributes: CommonAttributes::default(),
        content_encoding: preset.content_encoding,
        retry_duration: limits::FIREHOSE_RETRY_DURATION_DEFAULT,
        source_arn: "arn:aws:firehose:us-east-1:000000000000:deliverystream/a".to_owned(),
    };
    let mut attributes = BTreeMap::new();
    for word in words.split_whitespace() {
        if word == "!" {
            given.key = Some(Secret::new("hunter2"));
        } else if let Some(name) = word.strip_prefix('@') {
            attributes.insert(name.to_owned(), Secret::new("v"));
        } else {
            let (key, value) = word.split_once('=').unwrap();
            assert!(preset.address_keys().contains(&key), "{key}");
            given.address.insert(key.to_owned(), Secret::new(value));
        }
    }
    given.common_attributes = CommonAttributes::new(attributes).unwrap();
    preset.settings(given)
}

#[track_caller]
fn check(name: &str, words: &str, expected: Expect) {
    expected.assert_eq(&match settings(name, words) {
        Ok(settings) => settings.url.uri().to_string(),
        Err(error) => Chain(&error).to_string(),
    });
}

#[test]
fn datadog_is_chosen_by_its_site() {
    check(
        "datadog",
        "!",
        expect!["https://aws-kinesis-http-intake.logs.datadoghq.com/v1/input"],
    );
    check(
        "datadog",
        "! site=eu",
        expect!["https://aws-kinesis-http-intake.logs.datadoghq.eu/v1/input"],
    );
    check(
        "datadog",
        "! site=us5",
        expect!["https://aws-kinesis-http-intake.logs.us5.datadoghq.com/v1/input"],
    );
    check(
        "datadog",
        "! site=gov",
        expect!["https://aws-kinesis-http-intake.logs.ddog-gov.com/v1/input"],
    );
    check(
        "datadog",
        "! site=mars",
        expect!["`site` is one of `us`, `us3`, `us5`, `eu`, `ap1`, `gov`"],
    );
    check("datadog", "site=eu", expect!["`api_key` is missing"]);
}

#[test]
fn new_relic_takes_logs_and_metrics_in_two_regions() {
    check(
        "new_relic",
        "!",
        expect!["https://aws-api.newrelic.com/firehose/v1"],
    );
    check(
        "new_relic",
        "! site=eu",
        expect!["https://aws-api.eu.newrelic.com/firehose/v1"],
    );
    check(
        "new_relic",
        "! data=metrics",
        expect!["https://aws-api.newrelic.com/cloudwatch-metrics/v1"],
    );
    check(
        "new_relic",
        "! data=metrics site=eu",
        expect!["https://aws-api.eu01.nr-data.net/cloudwatch-metrics/v1"],
    );
    check(
        "new_relic",
        "! data=traces",
        expect!["`data` is one of `logs`, `metrics`"],
    );
    check("new_relic", "", expect!["`license_key` is missing"]);
}

#[test]
fn sumo_logics_token_stands_in_its_url() {
    check(
        "sumo_logic",
        "deployment=endpoint1 token=a+b/c==",
        expect!["https://endpoint1.sumologic.net/receiver/v1/kinesis/log/a%2Bb%2Fc=="],
    );
    check(
        "sumo_logic",
        "deployment=e data=metrics token=t",
        expect!["https://e.sumologic.net/receiver/v1/kinesis/metric/t"],
    );
    check("sumo_logic", "deployment=e", expect!["`token` is missing"]);
    check(
        "sumo_logic",
        "deployment=evil.test/ token=t",
        expect!["`deployment` is part of a host's name: only a-z, 0-9 and - are allowed"],
    );
    check(
        "sumo_logic",
        "deployment=e token=..",
        expect!["`token` is part of a path: it cannot be empty, `.` or `..`"],
    );
    let settings = settings("sumo_logic", "deployment=e token=hunter2").unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[test]
fn honeycomb_and_logz_io_fill_one_hole() {
    check(
        "honeycomb",
        "! dataset=my+set",
        expect!["https://api.honeycomb.io/1/kinesis_events/my%2Bset"],
    );
    check("honeycomb", "!", expect!["`dataset` is missing"]);
    check(
        "logz_io",
        "! region=eu",
        expect!["https://listener-aws-metrics-stream-eu.logz.io/"],
    );
    check(
        "logz_io",
        "region=eu",
        expect!["`shipping_token` is missing"],
    );
}

#[test]
fn where_the_url_is_not_certain_it_is_asked_for() {
    for name in [
        "coralogix",
        "dynatrace",
        "elastic",
        "logic_monitor",
        "mongodb",
    ] {
        let error = settings(name, "! @dt-url").unwrap_err();
        assert_eq!(error, PresetError::Missing("url"), "{name}");
    }
    check(
        "elastic",
        "! url=https://e.es.eu.aws.elastic-cloud.com",
        expect!["https://e.es.eu.aws.elastic-cloud.com/"],
    );
    check(
        "mongodb",
        "! url=mongodb",
        expect![
            "`url`: this is not a URL of an endpoint, such as `https://collector.example/firehose`"
        ],
    );
}

#[test]
fn a_given_url_takes_the_place_of_a_known_one() {
    for preset in &PRESETS {
        let words = "! url=https://a.test/x @dt-url @applicationName @subsystemName";
        let settings = settings(preset.name, words).unwrap();
        assert_eq!(settings.url.uri().to_string(), "https://a.test/x");
    }
}

#[test]
fn attributes_that_a_partner_needs_are_asked_for() {
    let url = "! url=https://a.test/";
    check(
        "dynatrace",
        url,
        expect!["the attribute `dt-url` is missing, and this partner cannot do without it"],
    );
}

#[test]
fn sizes_are_firehoses_and_bodies_no_larger_than_its() {
    let told = PRESETS.iter().map(|preset| {
        let Sizes { least, usual, most } = preset.size;
        let body = ByteSize::bytes(preset.body_bytes_max());
        format!("{}: {least}–{most} ({usual}), {body}", preset.name)
    });
    expect![[r#"
        coralogix: 1MiB–64MiB (6MiB), 64MiB
        datadog: 1MiB–4MiB (4MiB), 5592408B
        dynatrace: 1MiB–64MiB (5MiB), 64MiB
        elastic: 1MiB–1MiB (1MiB), 1398104B
        honeycomb: 1MiB–64MiB (15MiB), 64MiB
        logic_monitor: 1MiB–64MiB (5MiB), 64MiB
        logz_io: 1MiB–64MiB (5MiB), 64MiB
        mongodb: 1MiB–16MiB (5MiB), 22369624B
        new_relic: 1MiB–64MiB (5MiB), 64MiB
        sumo_logic: 1MiB–64MiB (1MiB), 64MiB"#]]
    .assert_eq(&told.collect::<Vec<_>>().join("\n"));
}
