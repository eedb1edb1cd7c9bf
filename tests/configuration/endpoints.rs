//! Destinations that take requests: HTTP endpoints, partners by name, Splunk.

use std::fmt::Write;

use expect_test::{Expect, expect};
use standpipe::config::Destination;

use crate::certificates::OURS;
use crate::world::{World, stream};

/// A stream with this destination, and a place for what fails.
fn world(destination: &str) -> World {
    let inner = format!(
        "source: direct_put\nfailed_output: {{ directory: {{ path: failed }} }}\ndestination:\n  {destination}"
    );
    World::default()
        .file("delivery.yaml", stream(&inner))
        .file("key", "hunter2\n")
        .file("ca.crt", OURS.certificate.as_str())
        .file("client.crt", OURS.certificate.as_str())
        .file("client.key", OURS.key.as_str())
        .variable("TOKEN", "hunter3")
        .variable("ENDPOINT", "https://u.test/secret")
        .variable("LONG", LONG)
}

/// One character more than a common attribute's value may have.
const LONG: &str = include_str!("long.txt");

#[track_caller]
fn check(destination: &str, expected: Expect) {
    world(destination).check(expected);
}

/// `good`, or what is wrong, line by line.
fn verdicts(of: impl Fn(&str) -> World, cases: &[&str]) -> String {
    let mut out = String::new();
    for case in cases {
        let verdict = match of(case).load() {
            Ok(_) => "good".to_owned(),
            Err(problems) => {
                let lines = problems.iter().map(|problem| problem.wrong.what.clone());
                lines.collect::<Vec<_>>().join("; ")
            }
        };
        writeln!(out, "{case} → {verdict}").unwrap();
    }
    out
}

#[test]
fn an_http_endpoint_needs_its_url_and_shows_neither_key_nor_path() {
    check(
        "http_endpoint: { url: \"https://c.test/firehose?k=hunter2\" }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.http_endpoint.url = https://c.test (delivery.yaml:6:29)
            streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
        "#]],
    );
    check(
        "http_endpoint: { url: { env: ENDPOINT }, access_key: { file: key }, content_encoding: gzip, \
         common_attributes: { environment: production, token: { env: TOKEN } }, retry_duration: 0s, \
         ca_file: ca.crt, client_certificate_file: client.crt, client_key_file: client.key, \
         proxy: none }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.http_endpoint.url.env = ENDPOINT (delivery.yaml:6:36)
            streams.clicks.destination.http_endpoint.url = https://u.test (delivery.yaml:6:29)
            streams.clicks.destination.http_endpoint.access_key.file = key (delivery.yaml:6:68)
            streams.clicks.destination.http_endpoint.access_key = [secret] (delivery.yaml:6:60)
            streams.clicks.destination.http_endpoint.content_encoding = gzip (delivery.yaml:6:93)
            streams.clicks.destination.http_endpoint.common_attributes.environment = production (delivery.yaml:6:133)
            streams.clicks.destination.http_endpoint.common_attributes.token.env = TOKEN (delivery.yaml:6:159)
            streams.clicks.destination.http_endpoint.common_attributes.token = [secret] (delivery.yaml:6:152)
            streams.clicks.destination.http_endpoint.retry_duration = 0s (delivery.yaml:6:186)
            streams.clicks.destination.http_endpoint.ca_file = ca.crt (delivery.yaml:6:199)
            streams.clicks.destination.http_endpoint.client_certificate_file = client.crt (delivery.yaml:6:232)
            streams.clicks.destination.http_endpoint.client_key_file = client.key (delivery.yaml:6:261)
            streams.clicks.destination.http_endpoint.proxy = none (delivery.yaml:6:280)
            streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
        "#]],
    );
    check(
        "http_endpoint: { access_key: { file: key } }",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:6:7  streams.clicks.destination.http_endpoint.url: is missing
    "#]],
    );
    check(
        "http_endpoint: { url: \"https://c.test/\", access_key: hunter2 }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.http_endpoint.url = https://c.test (delivery.yaml:6:29)
            streams.clicks.destination.http_endpoint.access_key = [secret] (delivery.yaml:6:60)
            streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
            warning: streams.clicks.destination.http_endpoint.access_key: the secret stands in the open
        "#]],
    );
}

#[test]
fn an_http_endpoints_mistakes_are_told_with_their_places() {
    check(
        "http_endpoint: { url: c.test, acess_key: { file: key }, content_encoding: zstd, retry_duration: 7201s, \
         client_key_file: client.key }",
        expect![[r#"
            delivery.yaml has 5 problems
              delivery.yaml:6:7    streams.clicks.destination.http_endpoint.client_certificate_file: is missing
              delivery.yaml:6:29   streams.clicks.destination.http_endpoint.url: this is not a URL of an endpoint, such as `https://collector.example/firehose`
              delivery.yaml:6:37   streams.clicks.destination.http_endpoint.acess_key: unknown key
                hint: did you mean `access_key`?
              delivery.yaml:6:81   streams.clicks.destination.http_endpoint.content_encoding: `zstd` is not one of none, gzip
              delivery.yaml:6:103  streams.clicks.destination.http_endpoint.retry_duration: `7201s` failed to satisfy constraint: Member must have value less than or equal to 7200
                hint: 0s to 7200s
        "#]],
    );
    check(
        "http_endpoint: { url: \"https://me:hunter2@c.test/\", access_key: { file: nowhere } }",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:6:29  streams.clicks.destination.http_endpoint.url: the URL holds a user or password: the endpoint's access key has a place of its own
              delivery.yaml:6:79  streams.clicks.destination.http_endpoint.access_key.file: the file `nowhere` cannot be read: No such file or directory (os error 2)
        "#]],
    );
}

#[test]
fn requests_keep_firehoses_limits() {
    let endpoint = |rest: &str| {
        world(&format!(
            "http_endpoint: {{ url: \"https://c.test/\", {rest} }}"
        ))
    };
    let numbered = |count: usize| {
        let attributes: Vec<String> = (0..count).map(|n| format!("a{n}: v")).collect();
        format!("common_attributes: {{ {} }}", attributes.join(", "))
    };
    let named =
        |characters: usize| format!("common_attributes: {{ {}: v }}", "n".repeat(characters));
    let long =
        |characters: usize| format!("common_attributes: {{ a: {} }}", "v".repeat(characters));
    for (good, bad) in [
        (numbered(50), numbered(51)),
        (named(256), named(257)),
        (long(1024), long(1025)),
    ] {
        assert!(endpoint(&good).load().is_ok(), "{good}");
        assert!(endpoint(&bad).load().is_err(), "{bad}");
    }
    expect![[r#"
        retry_duration: 0s → good
        retry_duration: 7200s → good
        retry_duration: 2h → good
        retry_duration: 7201s → `7201s` failed to satisfy constraint: Member must have value less than or equal to 7200
        retry_duration: 500ms → `500ms` failed to satisfy constraint: Member must be a whole number
        retry_duration: 300 → `300` is not a duration
        common_attributes: { " ": v } → ` ` is not an attribute's name: 1 to 256 characters are, and not only blanks
        common_attributes: { a: { env: LONG } } → the value has more than 1024 characters
        common_attributes: { a: { env: NOWHERE } } → the environment variable `NOWHERE` is not set, or is empty
        common_attributes: { a: [] } → expected a block of keys, found a list
        common_attributes: a → expected a block of names, found a value
        common_attributes: {} → good
    "#]].assert_eq(&verdicts(
        endpoint,
        &[
            "retry_duration: 0s",
            "retry_duration: 7200s",
            "retry_duration: 2h",
            "retry_duration: 7201s",
            "retry_duration: 500ms",
            "retry_duration: 300",
            "common_attributes: { \" \": v }",
            "common_attributes: { a: { env: LONG } }",
            "common_attributes: { a: { env: NOWHERE } }",
            "common_attributes: { a: [] }",
            "common_attributes: a",
            "common_attributes: {}",
        ],
    ));
    let url = |characters: usize| {
        let path = "p".repeat(characters - "https://c.test/".len());
        world(&format!(
            "http_endpoint: {{ url: \"https://c.test/{path}\" }}"
        ))
    };
    assert!(url(1000).load().is_ok());
    assert!(url(1001).load().is_err());
}

#[test]
fn records_that_leave_the_machine_in_the_open_are_warned_of() {
    let warnings = |destination: &str| {
        let loaded = world(destination).load().unwrap();
        let lines = loaded
            .warnings
            .iter()
            .map(|it| format!("{}: {}", it.path, it.wrong.what));
        lines.collect::<Vec<_>>().join("\n")
    };
    for good in [
        "http_endpoint: { url: \"https://c.test/\" }",
        "http_endpoint: { url: \"http://127.0.0.1:8080/\" }",
        "http_endpoint: { url: \"http://localhost:8080/\" }",
        "splunk: { url: \"http://[::1]:8088\", token: { file: key } }",
    ] {
        assert_eq!(warnings(good), "", "{good}");
    }
    expect!["streams.clicks.destination.http_endpoint.url: records and keys leave this machine unencrypted"].assert_eq(&warnings("http_endpoint: { url: \"http://c.test/\" }"));
    expect![
        "streams.clicks.destination.splunk.url: records and keys leave this machine unencrypted"
    ]
    .assert_eq(&warnings(
        "splunk: { url: \"http://c.test:8088\", token: { file: key } }",
    ));
    expect![
        "streams.clicks.destination.elastic.url: records and keys leave this machine unencrypted"
    ]
    .assert_eq(&warnings(
        "elastic: { url: \"http://c.test/\", api_key: { file: key } }",
    ));
}

#[test]
fn partners_are_chosen_by_name_with_keys_of_their_own() {
    check(
        "datadog: { site: eu, api_key: { file: key } }",
        expect![[r#"
        streams.clicks.source = direct_put (delivery.yaml:3:13)
        streams.clicks.destination.datadog.site = eu (delivery.yaml:6:24)
        streams.clicks.destination.datadog.api_key.file = key (delivery.yaml:6:45)
        streams.clicks.destination.datadog.api_key = [secret] (delivery.yaml:6:37)
        streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
    "#]],
    );
    check(
        "new_relic: { license_key: { file: key }, data: metrics }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.new_relic.data = metrics (delivery.yaml:6:54)
            streams.clicks.destination.new_relic.license_key.file = key (delivery.yaml:6:41)
            streams.clicks.destination.new_relic.license_key = [secret] (delivery.yaml:6:33)
            streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
        "#]],
    );
    check(
        "sumo_logic: { deployment: endpoint5, token: { env: TOKEN } }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.sumo_logic.deployment = endpoint5 (delivery.yaml:6:33)
            streams.clicks.destination.sumo_logic.token.env = TOKEN (delivery.yaml:6:58)
            streams.clicks.destination.sumo_logic.token = [secret] (delivery.yaml:6:51)
            streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
        "#]],
    );
    // From review: it was printed, and nobody was warned.
    check(
        r#"sumo_logic: { deployment: endpoint5, token: "abc==" }"#,
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.sumo_logic.deployment = endpoint5 (delivery.yaml:6:33)
            streams.clicks.destination.sumo_logic.token = [secret] (delivery.yaml:6:51)
            streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
            warning: streams.clicks.destination.sumo_logic.token: the secret stands in the open
        "#]],
    );
    check(
        "honeycomb: { url: { env: ENDPOINT }, api_key: { file: key } }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.honeycomb.url.env = ENDPOINT (delivery.yaml:6:32)
            streams.clicks.destination.honeycomb.api_key.file = key (delivery.yaml:6:61)
            streams.clicks.destination.honeycomb.api_key = [secret] (delivery.yaml:6:53)
            streams.clicks.destination.honeycomb.url = https://u.test (delivery.yaml:6:25)
            streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
        "#]],
    );
}

#[test]
fn what_a_partner_cannot_do_without_is_told() {
    check(
        "datadog: { site: eu }",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:6:7  streams.clicks.destination.datadog.api_key: is missing
    "#]],
    );
    check(
        "datadog: { site: ue, api_key: { file: key } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:6:24  streams.clicks.destination.datadog.site: `ue` is not one of us, us3, us5, eu, ap1, gov
        "#]],
    );
    check(
        "datadog: { region: eu, api_key: { file: key } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:6:18  streams.clicks.destination.datadog.region: unknown key
                hint: allowed here: url, site, api_key, content_encoding, common_attributes, retry_duration, ca_file, client_certificate_file, client_key_file, proxy
        "#]],
    );
    check(
        "datadog: { site: eu, url: \"https://c.test/\", api_key: { file: key } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:6:24  streams.clicks.destination.datadog.site: has no effect beside `url`
        "#]],
    );
    check(
        "elastic: { api_key: { file: key } }",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:6:7  streams.clicks.destination.elastic.url: is missing
    "#]],
    );
    check(
        "honeycomb: { api_key: { file: key } }",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:6:7  streams.clicks.destination.honeycomb.dataset: is missing
    "#]],
    );
    check(
        "logz_io: { region: \"a/b\", shipping_token: { file: key } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:6:26  streams.clicks.destination.logz_io.region: `region` is part of a host's name: only a-z, 0-9 and - are allowed
        "#]],
    );
    check(
        "dynatrace: { url: \"https://c.test/\", api_token: { file: key } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:6:7  streams.clicks.destination.dynatrace.common_attributes.dt-url: is missing, and `dynatrace` cannot do without it
        "#]],
    );
    check(
        "mongodb: { url: \"ftp://c.test/hunter2\", api_key: { file: key } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:6:23  streams.clicks.destination.mongodb.url: this is not a URL of an endpoint, such as `https://collector.example/firehose`
        "#]],
    );
    check(
        "logic_monitor: { url: \"https://c.test/\", api_kye: { file: key } }",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:6:7   streams.clicks.destination.logic_monitor.api_key: is missing
              delivery.yaml:6:48  streams.clicks.destination.logic_monitor.api_kye: unknown key
                hint: did you mean `api_key`?
        "#]],
    );
}

#[test]
fn every_partner_can_be_named() {
    for (name, rest) in [
        ("coralogix", "private_key: { file: key }"),
        ("datadog", "api_key: { file: key }"),
        (
            "dynatrace",
            "api_token: { file: key }, common_attributes: { dt-url: \"https://d.test\" }",
        ),
        ("elastic", "api_key: { file: key }"),
        ("honeycomb", "api_key: { file: key }"),
        ("logic_monitor", "api_key: { file: key }"),
        ("logz_io", "shipping_token: { file: key }"),
        ("mongodb", "api_key: { file: key }"),
        ("new_relic", "license_key: { file: key }"),
        ("sumo_logic", "retry_duration: 1s"),
    ] {
        let loaded = world(&format!("{name}: {{ url: \"https://c.test/\", {rest} }}")).load();
        let loaded = loaded.unwrap_or_else(|problems| panic!("{name}: {problems}"));
        let Destination::HttpEndpoint { settings, .. } = &loaded.settings.streams[0].destination
        else {
            panic!("{name}");
        };
        assert_eq!(settings.url.to_string(), "https://c.test");
        let arn = "arn:aws:firehose:us-east-1:000000000000:deliverystream/clicks";
        assert_eq!(settings.source_arn, arn);
    }
}

#[test]
fn splunk_takes_a_server_a_token_and_a_format() {
    check(
        "splunk: { url: \"https://hec.test:8088\", token: { file: key } }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.splunk.url = https://hec.test:8088 (delivery.yaml:6:22)
            streams.clicks.destination.splunk.token.file = key (delivery.yaml:6:62)
            streams.clicks.destination.splunk.token = [secret] (delivery.yaml:6:54)
            streams.clicks.failed_output.directory.path = failed (delivery.yaml:4:41)
        "#]],
    );
    check(
        "splunk: { url: \"https://hec.test:8088/services/collector\", format: json, ack_timeout: 179s }",
        expect![[r#"
            delivery.yaml has 4 problems
              delivery.yaml:6:7   streams.clicks.destination.splunk.token: is missing
              delivery.yaml:6:22  streams.clicks.destination.splunk.url: an HTTP Event Collector's URL ends after host and port: leave the path out, it follows from `format`
              delivery.yaml:6:74  streams.clicks.destination.splunk.format: `json` is not one of raw, event
              delivery.yaml:6:93  streams.clicks.destination.splunk.ack_timeout: `179s` failed to satisfy constraint: Member must have value greater than or equal to 180
                hint: 180s to 600s
        "#]],
    );
    let splunk = |rest: &str| {
        world(&format!(
            "splunk: {{ url: \"https://h.test\", token: {{ file: key }}, {rest} }}"
        ))
    };
    expect![[r#"
        format: event → good
        ack_timeout: 180s → good
        ack_timeout: 10m → good
        ack_timeout: 179s → `179s` failed to satisfy constraint: Member must have value greater than or equal to 180
        ack_timeout: 601s → `601s` failed to satisfy constraint: Member must have value less than or equal to 600
        ack_timeout: 200s 1ms → `200s 1ms` failed to satisfy constraint: Member must be a whole number
        retry_duration: 7200s → good
        retry_duration: 7201s → `7201s` failed to satisfy constraint: Member must have value less than or equal to 7200
    "#]].assert_eq(&verdicts(
        splunk,
        &[
            "format: event",
            "ack_timeout: 180s",
            "ack_timeout: 10m",
            "ack_timeout: 179s",
            "ack_timeout: 601s",
            "ack_timeout: 200s 1ms",
            "retry_duration: 7200s",
            "retry_duration: 7201s",
        ],
    ));
}

#[test]
fn sizes_and_intervals_are_those_of_each_destination() {
    let mut out = String::new();
    for (name, destination) in [
        (
            "http_endpoint",
            "http_endpoint: { url: \"https://c.test/\" }",
        ),
        ("datadog", "datadog: { api_key: { file: key } }"),
        (
            "elastic",
            "elastic: { url: \"https://c.test/\", api_key: { file: key } }",
        ),
        (
            "mongodb",
            "mongodb: { url: \"https://c.test/\", api_key: { file: key } }",
        ),
        (
            "splunk",
            "splunk: { url: \"https://h.test\", token: { file: key } }",
        ),
    ] {
        let loaded = world(destination).load().unwrap();
        let hints = loaded.settings.streams[0].pipeline.buffering;
        writeln!(out, "{name}: {} {}s", hints.size, hints.interval.as_secs()).unwrap();
        let with = |hint: &str| world(&format!("{destination}\nbuffering: {{ {hint} }}"));
        out += &verdicts(
            with,
            &[
                "size: 1023KiB",
                "size: 1MiB",
                "size: 2MiB",
                "size: 4MiB",
                "size: 5MiB",
                "size: 6MiB",
                "size: 16MiB",
                "size: 17MiB",
                "size: 64MiB",
                "size: 65MiB",
                "size: 1.5MiB",
                "interval: 0s",
                "interval: 60s",
                "interval: 61s",
                "interval: 900s",
                "interval: 901s",
                "interval: 1s 1ms",
            ],
        );
    }
    expect![[r#"
        http_endpoint: 5MiB 60s
        size: 1023KiB → `1023KiB` failed to satisfy constraint: Member must have value greater than or equal to 1
        size: 1MiB → good
        size: 2MiB → good
        size: 4MiB → good
        size: 5MiB → good
        size: 6MiB → good
        size: 16MiB → good
        size: 17MiB → good
        size: 64MiB → good
        size: 65MiB → `65MiB` failed to satisfy constraint: Member must have value less than or equal to 64
        size: 1.5MiB → `1.5MiB` failed to satisfy constraint: Member must be a whole number
        interval: 0s → good
        interval: 60s → good
        interval: 61s → good
        interval: 900s → good
        interval: 901s → `901s` failed to satisfy constraint: Member must have value less than or equal to 900
        interval: 1s 1ms → `1s 1ms` failed to satisfy constraint: Member must be a whole number
        datadog: 4MiB 60s
        size: 1023KiB → `1023KiB` failed to satisfy constraint: Member must have value greater than or equal to 1
        size: 1MiB → good
        size: 2MiB → good
        size: 4MiB → good
        size: 5MiB → `5MiB` failed to satisfy constraint: Member must have value less than or equal to 4
        size: 6MiB → `6MiB` failed to satisfy constraint: Member must have value less than or equal to 4
        size: 16MiB → `16MiB` failed to satisfy constraint: Member must have value less than or equal to 4
        size: 17MiB → `17MiB` failed to satisfy constraint: Member must have value less than or equal to 4
        size: 64MiB → `64MiB` failed to satisfy constraint: Member must have value less than or equal to 4
        size: 65MiB → `65MiB` failed to satisfy constraint: Member must have value less than or equal to 4
        size: 1.5MiB → `1.5MiB` failed to satisfy constraint: Member must be a whole number
        interval: 0s → good
        interval: 60s → good
        interval: 61s → good
        interval: 900s → good
        interval: 901s → `901s` failed to satisfy constraint: Member must have value less than or equal to 900
        interval: 1s 1ms → `1s 1ms` failed to satisfy constraint: Member must be a whole number
        elastic: 1MiB 60s
        size: 1023KiB → `1023KiB` failed to satisfy constraint: Member must have value greater than or equal to 1
        size: 1MiB → good
        size: 2MiB → `2MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        size: 4MiB → `4MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        size: 5MiB → `5MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        size: 6MiB → `6MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        size: 16MiB → `16MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        size: 17MiB → `17MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        size: 64MiB → `64MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        size: 65MiB → `65MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        size: 1.5MiB → `1.5MiB` failed to satisfy constraint: Member must have value less than or equal to 1
        interval: 0s → good
        interval: 60s → good
        interval: 61s → good
        interval: 900s → good
        interval: 901s → `901s` failed to satisfy constraint: Member must have value less than or equal to 900
        interval: 1s 1ms → `1s 1ms` failed to satisfy constraint: Member must be a whole number
        mongodb: 5MiB 60s
        size: 1023KiB → `1023KiB` failed to satisfy constraint: Member must have value greater than or equal to 1
        size: 1MiB → good
        size: 2MiB → good
        size: 4MiB → good
        size: 5MiB → good
        size: 6MiB → good
        size: 16MiB → good
        size: 17MiB → `17MiB` failed to satisfy constraint: Member must have value less than or equal to 16
        size: 64MiB → `64MiB` failed to satisfy constraint: Member must have value less than or equal to 16
        size: 65MiB → `65MiB` failed to satisfy constraint: Member must have value less than or equal to 16
        size: 1.5MiB → `1.5MiB` failed to satisfy constraint: Member must be a whole number
        interval: 0s → good
        interval: 60s → good
        interval: 61s → good
        interval: 900s → good
        interval: 901s → `901s` failed to satisfy constraint: Member must have value less than or equal to 900
        interval: 1s 1ms → `1s 1ms` failed to satisfy constraint: Member must be a whole number
        splunk: 5MiB 60s
        size: 1023KiB → `1023KiB` failed to satisfy constraint: Member must have value greater than or equal to 1
        size: 1MiB → good
        size: 2MiB → good
        size: 4MiB → good
        size: 5MiB → good
        size: 6MiB → `6MiB` failed to satisfy constraint: Member must have value less than or equal to 5
        size: 16MiB → `16MiB` failed to satisfy constraint: Member must have value less than or equal to 5
        size: 17MiB → `17MiB` failed to satisfy constraint: Member must have value less than or equal to 5
        size: 64MiB → `64MiB` failed to satisfy constraint: Member must have value less than or equal to 5
        size: 65MiB → `65MiB` failed to satisfy constraint: Member must have value less than or equal to 5
        size: 1.5MiB → `1.5MiB` failed to satisfy constraint: Member must be a whole number
        interval: 0s → good
        interval: 60s → good
        interval: 61s → `61s` failed to satisfy constraint: Member must have value less than or equal to 60
        interval: 900s → `900s` failed to satisfy constraint: Member must have value less than or equal to 60
        interval: 901s → `901s` failed to satisfy constraint: Member must have value less than or equal to 60
        interval: 1s 1ms → `1s 1ms` failed to satisfy constraint: Member must be a whole number
    "#]].assert_eq(&out);
}
