//! What stands beside source and destination: `transform`, `failed_output`, `source_backup`, and the
//! defaults that lie under them.

use std::fmt::Write;

use expect_test::{Expect, expect};
use standpipe::config::Transform;

use crate::world::{World, check as check_whole, stream};

const TO_FILES: &str = "destination: { directory: { path: out } }";
const TO_SPLUNK: &str = "destination: { splunk: { url: \"https://h.test\", token: { file: key } } }\n\
                         failed_output: { directory: { path: failed } }";

fn world(inner: &str) -> World {
    let aws = "aws: { default: { region: eu-west-1 } }\n";
    let yaml = stream(&format!("source: direct_put\n{inner}"));
    World::default()
        .file("delivery.yaml", format!("{yaml}{aws}"))
        .file("key", "hunter2")
        .variable("FUNCTION", "http://127.0.0.1:8000/?key=hunter2")
}

#[track_caller]
fn check(inner: &str, expected: Expect) {
    world(inner).check(expected);
}

fn transform(inner: &str) -> Transform {
    let loaded = world(inner)
        .load()
        .unwrap_or_else(|problems| panic!("{problems}"));
    loaded.settings.streams[0].transform.clone().unwrap()
}

#[test]
fn a_transformer_is_a_lambda_function_or_lives_at_a_url() {
    check(
        &format!("transform: {{ lambda: {{ function: \"enrich:live\" }} }}\n{TO_FILES}"),
        expect![[r#"
            aws.default.region = eu-west-1 (delivery.yaml:6:27)
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.transform.lambda.function = enrich:live (delivery.yaml:4:38)
            streams.clicks.destination.directory.path = out (delivery.yaml:5:39)
        "#]],
    );
    check(
        &format!(
            "transform: {{ http: {{ url: {{ env: FUNCTION }}, proxy: none }}, retries: 0 }}\n{TO_FILES}"
        ),
        expect![[r#"
            aws.default.region = eu-west-1 (delivery.yaml:6:27)
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.transform.http.url.env = FUNCTION (delivery.yaml:4:38)
            streams.clicks.transform.http.url = http://127.0.0.1:8000/ (delivery.yaml:4:31)
            streams.clicks.transform.http.proxy = none (delivery.yaml:4:57)
            streams.clicks.transform.retries = 0 (delivery.yaml:4:74)
            streams.clicks.destination.directory.path = out (delivery.yaml:5:39)
        "#]],
    );
    check(
        &format!(
            "transform: {{ http: {{ url: \"http://me:hunter2@f.test/t?key=hunter2\" }} }}\n{TO_FILES}"
        ),
        expect![[r#"
            aws.default.region = eu-west-1 (delivery.yaml:6:27)
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.transform.http.url = http://f.test/t (delivery.yaml:4:31)
            streams.clicks.destination.directory.path = out (delivery.yaml:5:39)
            warning: streams.clicks.transform.http.url: records and keys leave this machine unencrypted
        "#]],
    );
}

#[test]
fn a_transformers_mistakes_are_told_with_their_places() {
    check(
        &format!(
            "transform: {{ lambda: {{ function: a }}, http: {{ url: \"http://127.0.0.1/\" }} }}\n{TO_FILES}"
        ),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:5  streams.clicks.transform: needs exactly one of lambda, http; found lambda and http
        "#]],
    );
    check(
        &format!("transform: {{ retries: 3 }}\n{TO_FILES}"),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:5  streams.clicks.transform: needs exactly one of lambda, http; found none
        "#]],
    );
    check(
        &format!("transform: {{ lamda: {{ function: a }} }}\n{TO_FILES}"),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:18  streams.clicks.transform.lamda: unknown key
                hint: did you mean `lambda`?
        "#]],
    );
    check(
        &format!(
            "transform: {{ lambda: {{ function: \"a b\", profile: lake }}, retries: many }}\n{TO_FILES}"
        ),
        expect![[r#"
            delivery.yaml has 3 problems
              delivery.yaml:4:38  streams.clicks.transform.lambda.function: `a b` is neither the name nor the ARN of a Lambda function
                hint: its name or ARN, with a version or alias behind it or not: `enrich`, `enrich:live`, `arn:aws:lambda:eu-west-1:123456789012:function:enrich`
              delivery.yaml:4:54  streams.clicks.transform.lambda.profile: there is no profile `lake`
                hint: say where it is: `aws: { lake: { region: eu-west-1 } }`
              delivery.yaml:4:71  streams.clicks.transform.retries: `many` is not a count
                hint: a whole number, e.g. `3`
        "#]],
    );
    check(
        &format!("transform: {{ http: {{ url: \"f.test/hunter2\" }} }}\n{TO_FILES}"),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:31  streams.clicks.transform.http.url: a function's URL begins with http:// or https:// and a host, and has no `#`
        "#]],
    );
    check(
        &format!("transform: {{ http: {{}} }}\n{TO_FILES}"),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:18  streams.clicks.transform.http.url: is missing
        "#]],
    );
}

#[test]
fn helpings_and_retries_have_firehoses_ranges() {
    let mut out = String::new();
    for case in [
        "buffering: { size: 0.2MiB }",
        "buffering: { size: 209714B }",
        "buffering: { size: 0.25MiB }",
        "buffering: { size: 3MiB }",
        "buffering: { size: 3145729B }",
        "buffering: { interval: 0s }",
        "buffering: { interval: 900s }",
        "buffering: { interval: 901s }",
        "buffering: { interval: 500ms }",
        "buffering: { low_latency: true }",
        "retries: 0",
        "retries: 300",
        "retries: 301",
        "retries: -1",
    ] {
        let yaml = format!("transform: {{ lambda: {{ function: a }}, {case} }}\n{TO_FILES}");
        let verdict = match world(&yaml).load() {
            Ok(_) => "good".to_owned(),
            Err(problems) => problems.iter().map(|it| it.wrong.what.clone()).collect(),
        };
        writeln!(out, "{case} → {verdict}").unwrap();
    }
    expect![[r#"
        buffering: { size: 0.2MiB } → good
        buffering: { size: 209714B } → `209714B` failed to satisfy constraint: Member must have value greater than or equal to 0.2
        buffering: { size: 0.25MiB } → good
        buffering: { size: 3MiB } → good
        buffering: { size: 3145729B } → `3145729B` failed to satisfy constraint: Member must have value less than or equal to 3
        buffering: { interval: 0s } → good
        buffering: { interval: 900s } → good
        buffering: { interval: 901s } → `901s` failed to satisfy constraint: Member must have value less than or equal to 900
        buffering: { interval: 500ms } → `500ms` failed to satisfy constraint: Member must be a whole number
        buffering: { low_latency: true } → unknown key
        retries: 0 → good
        retries: 300 → good
        retries: 301 → `301` failed to satisfy constraint: Member must have value less than or equal to 300
        retries: -1 → `-1` is not a count
    "#]].assert_eq(&out);
}

#[test]
fn in_front_of_splunk_helpings_are_small_and_invocations_many() {
    let mut out = String::new();
    for destination in [TO_FILES, TO_SPLUNK] {
        let transform = transform(&format!(
            "transform: {{ lambda: {{ function: a }} }}\n{destination}"
        ));
        let hints = transform.hints.get();
        let (size, seconds) = (hints.size, hints.interval.as_secs());
        writeln!(out, "{size} {seconds}s, {} at once", transform.parallel_max).unwrap();
    }
    expect![[r#"
        1MiB 60s, 5 at once
        256KiB 60s, 10 at once
    "#]]
    .assert_eq(&out);
}

#[test]
fn what_an_endpoint_does_not_take_needs_a_place() {
    let to_splunk = TO_SPLUNK.lines().next().unwrap();
    check(
        to_splunk,
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:2:3  streams.clicks.failed_output: is missing: what this destination does not take must go somewhere
            hint: for example `failed_output: { directory: { path: ./failed } }`
    "#]],
    );
    check(
        "destination: { http_endpoint: { url: nowhere } }",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:2:3   streams.clicks.failed_output: is missing: what this destination does not take must go somewhere
                hint: for example `failed_output: { directory: { path: ./failed } }`
              delivery.yaml:4:42  streams.clicks.destination.http_endpoint.url: this is not a URL of an endpoint, such as `https://collector.example/firehose`
        "#]],
    );
    check(
        &format!("{to_splunk}\nfailed_output: {{}}"),
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:5:5  streams.clicks.failed_output: needs exactly one of s3, directory; found none
    "#]],
    );
    check(
        &format!(
            "{to_splunk}\nfailed_output: {{ s3: {{ bucket: b }}, directory: {{ path: p, compression: gzip }} }}"
        ),
        expect![[r#"
            delivery.yaml has 3 problems
              delivery.yaml:5:5   streams.clicks.failed_output: needs exactly one of s3, directory; found s3 and directory
              delivery.yaml:5:36  streams.clicks.failed_output.s3.bucket: `b` is not a bucket's name
                hint: only the name, without `s3://` and path: letters, digits, `.`, `-` and `_`
              delivery.yaml:5:63  streams.clicks.failed_output.directory.compression: unknown key
                hint: allowed here: path, prefix, error_output_prefix, time_zone
        "#]],
    );
    check(
        &format!(
            "{to_splunk}\nfailed_output: {{ directory: {{ path: p, prefix: \"!{{timestamp:yyyy}}/\" }} }}"
        ),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:5:22  streams.clicks.failed_output.directory.error_output_prefix: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions
        "#]],
    );
    check(
        &format!("{TO_FILES}\nfailed_output: {{ s3: {{ bucket: failures, prefix: a/ }} }}"),
        expect![[r#"
            aws.default.region = eu-west-1 (delivery.yaml:6:27)
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.directory.path = out (delivery.yaml:4:39)
            streams.clicks.failed_output.s3.bucket = failures (delivery.yaml:5:36)
            streams.clicks.failed_output.s3.prefix = a/ (delivery.yaml:5:54)
        "#]],
    );
}

#[test]
fn a_source_backup_has_a_place_and_hints_of_its_own() {
    check(
        &format!(
            "{TO_FILES}\nsource_backup: {{ directory: {{ path: all, prefix: \"!{{timestamp:yyyy}}/\", compression: gzip }} }}"
        ),
        expect![[r#"
            aws.default.region = eu-west-1 (delivery.yaml:6:27)
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.directory.path = out (delivery.yaml:4:39)
            streams.clicks.source_backup.directory.path = all (delivery.yaml:5:41)
            streams.clicks.source_backup.directory.prefix = !{timestamp:yyyy}/ (delivery.yaml:5:54)
            streams.clicks.source_backup.directory.compression = gzip (delivery.yaml:5:89)
        "#]],
    );
    check(
        &format!(
            "{TO_FILES}\nsource_backup: {{ s3: {{ bucket: b, error_output_prefix: e/ }}, buffering: {{ low_latency: true }} }}"
        ),
        expect![[r#"
            delivery.yaml has 3 problems
              delivery.yaml:5:36  streams.clicks.source_backup.s3.bucket: `b` is not a bucket's name
                hint: only the name, without `s3://` and path: letters, digits, `.`, `-` and `_`
              delivery.yaml:5:39  streams.clicks.source_backup.s3.error_output_prefix: unknown key
                hint: allowed here: bucket, profile, prefix, time_zone, compression
              delivery.yaml:5:79  streams.clicks.source_backup.buffering.low_latency: unknown key
                hint: allowed here: size, interval
        "#]],
    );
    let mut out = String::new();
    for case in [
        "size: 1MiB",
        "size: 128MiB",
        "size: 129MiB",
        "size: 1023KiB",
        "interval: 60s",
        "interval: 59s",
        "interval: 900s",
        "interval: 901s",
    ] {
        let yaml = format!(
            "{TO_FILES}\nsource_backup: {{ directory: {{ path: all }}, buffering: {{ {case} }} }}"
        );
        let verdict = match world(&yaml).load() {
            Ok(_) => "good".to_owned(),
            Err(problems) => problems.to_string(),
        };
        writeln!(out, "{case} → {verdict}").unwrap();
    }
    expect![[r#"
        size: 1MiB → good
        size: 128MiB → good
        size: 129MiB → delivery.yaml has 1 problem
          delivery.yaml:5:67  streams.clicks.source_backup.buffering.size: `129MiB` failed to satisfy constraint: Member must have value less than or equal to 128
            hint: 1MiB to 128MiB, in whole MiB
        size: 1023KiB → delivery.yaml has 1 problem
          delivery.yaml:5:67  streams.clicks.source_backup.buffering.size: `1023KiB` failed to satisfy constraint: Member must have value greater than or equal to 1
            hint: 1MiB to 128MiB, in whole MiB
        interval: 60s → good
        interval: 59s → delivery.yaml has 1 problem
          delivery.yaml:5:71  streams.clicks.source_backup.buffering.interval: `59s` failed to satisfy constraint: Member must have value greater than or equal to 60
            hint: 60s to 900s
        interval: 900s → good
        interval: 901s → delivery.yaml has 1 problem
          delivery.yaml:5:71  streams.clicks.source_backup.buffering.interval: `901s` failed to satisfy constraint: Member must have value less than or equal to 900
            hint: 60s to 900s
    "#]].assert_eq(&out);
}

#[test]
fn defaults_count_where_the_destination_allows_them() {
    let yaml = |defaults: &str| {
        format!(
            "defaults: {{ buffering: {{ {defaults} }} }}\nstreams:\n  \
             files: {{ source: direct_put, destination: {{ directory: {{ path: out }} }} }}\n  \
             hec:\n    source: direct_put\n    \
             destination: {{ splunk: {{ url: \"https://h.test\", token: {{ env: T }} }} }}\n    \
             failed_output: {{ directory: {{ path: failed }} }}\n"
        )
    };
    let mut out = String::new();
    for defaults in [
        "size: 64MiB, interval: 120s",
        "size: 2MiB, interval: 30s",
        "interval: 30s, low_latency: true",
    ] {
        let world = World::default()
            .file("delivery.yaml", yaml(defaults))
            .variable("T", "t");
        let loaded = world.load().unwrap_or_else(|problems| panic!("{problems}"));
        writeln!(out, "{defaults}").unwrap();
        for stream in &loaded.settings.streams {
            let hints = stream.pipeline.buffering;
            writeln!(
                out,
                "  {}: {} {}s",
                stream.name,
                hints.size,
                hints.interval.as_secs()
            )
            .unwrap();
        }
        for warning in &loaded.warnings {
            writeln!(out, "  warning: {}: {}", warning.path, warning.wrong.what).unwrap();
        }
    }
    expect![[r#"
        size: 64MiB, interval: 120s
          files: 64MiB 120s
          hec: 5MiB 60s
          warning: streams.hec.buffering.size: `64MiB` failed to satisfy constraint: Member must have value less than or equal to 5; 5MiB counts instead
          warning: streams.hec.buffering.interval: `120s` failed to satisfy constraint: Member must have value less than or equal to 60; 60s counts instead
        size: 2MiB, interval: 30s
          files: 2MiB 300s
          hec: 2MiB 30s
          warning: streams.files.buffering.interval: `30s` failed to satisfy constraint: Member must have value greater than or equal to 60; 300s counts instead
        interval: 30s, low_latency: true
          files: 5MiB 30s
          hec: 5MiB 30s
    "#]].assert_eq(&out);
    check_whole(
        &yaml("size: 129MiB, interval: 901s"),
        expect![[r#"
            delivery.yaml has 3 problems
              delivery.yaml:1:32  defaults.buffering.size: `129MiB` failed to satisfy constraint: Member must have value less than or equal to 128
                hint: 1MiB to 128MiB, in whole MiB
              delivery.yaml:1:50  defaults.buffering.interval: `901s` failed to satisfy constraint: Member must have value less than or equal to 900
                hint: 0s to 900s
              delivery.yaml:6:67  streams.hec.destination.splunk.token.env: the environment variable `T` is not set, or is empty
        "#]],
    );
}

#[test]
fn a_fingerprint_changes_with_whatever_stands_beside_and_with_no_secret() {
    let fingerprint = |inner: &str, secret: &'static str| {
        let loaded = world(inner).variable("S", secret).load();
        let loaded = loaded.unwrap_or_else(|problems| panic!("{inner}: {problems}"));
        loaded.settings.streams[0].fingerprint
    };
    let endpoint = |rest: &str| {
        format!(
            "failed_output: {{ directory: {{ path: failed }} }}\ndestination: {{ http_endpoint: {{ {rest} }} }}"
        )
    };
    let mut seen = std::collections::BTreeMap::new();
    for inner in [
        TO_FILES.to_owned(),
        format!("{TO_FILES}\nfailed_output: {{ directory: {{ path: failed }} }}"),
        format!("{TO_FILES}\nfailed_output: {{ directory: {{ path: failed, prefix: a }} }}"),
        format!("{TO_FILES}\nsource_backup: {{ directory: {{ path: all }} }}"),
        format!(
            "{TO_FILES}\nsource_backup: {{ directory: {{ path: all }}, buffering: {{ size: 6MiB }} }}"
        ),
        format!("{TO_FILES}\ntransform: {{ lambda: {{ function: a }} }}"),
        format!("{TO_FILES}\ntransform: {{ lambda: {{ function: b }} }}"),
        format!("{TO_FILES}\ntransform: {{ lambda: {{ function: a }}, retries: 4 }}"),
        format!(
            "{TO_FILES}\ntransform: {{ lambda: {{ function: a }}, buffering: {{ size: 2MiB }} }}"
        ),
        format!("{TO_FILES}\ntransform: {{ http: {{ url: \"http://127.0.0.1/?key=s\" }} }}"),
        endpoint("url: \"https://c.test/\""),
        endpoint("url: \"https://d.test/\""),
        endpoint("url: \"https://c.test/\", content_encoding: gzip"),
        endpoint("url: \"https://c.test/\", retry_duration: 1s"),
        endpoint("url: \"https://c.test/\", common_attributes: { a: b }"),
        endpoint("url: \"https://c.test/\", common_attributes: { a: c }"),
        endpoint("url: \"https://c.test/\", common_attributes: { a: { env: S } }"),
        TO_SPLUNK.to_owned(),
        TO_SPLUNK.replace("token:", "format: event, token:"),
        TO_SPLUNK.replace("token:", "ack_timeout: 181s, token:"),
    ] {
        if let Some(other) = seen.insert(fingerprint(&inner, "one"), inner.clone()) {
            panic!("{other}\nis the same as\n{inner}");
        }
    }
    for (one, other) in [
        (
            endpoint("url: \"https://c.test/\", access_key: { env: S }"),
            endpoint("url: \"https://c.test/\""),
        ),
        (
            endpoint("url: \"https://c.test/\", common_attributes: { a: { env: S } }"),
            endpoint("url: \"https://c.test/\", common_attributes: { a: { env: S } }"),
        ),
        (
            endpoint("url: \"https://c.test/?token=s\""),
            endpoint("url: \"https://c.test/?token=t\""),
        ),
    ] {
        assert_eq!(
            fingerprint(&one, "one"),
            fingerprint(&other, "two"),
            "{one}"
        );
    }
}
