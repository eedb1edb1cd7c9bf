//! Streams: source, hints, destination, prefixes.

use std::fmt::Write;

use expect_test::expect;

use crate::world::{World, check, check_section, check_stream, stream};

#[test]
fn a_stream_has_one_source_and_one_destination() {
    check_stream(
        "source: direct_put",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:2:3  streams.clicks.destination: is missing
    "#]],
    );
    check_stream(
        "source: direct_get\ndestination: { directory: { path: out } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:3:13  streams.clicks.source: `direct_get` is not one of direct_put
                hint: did you mean `direct_put`?
        "#]],
    );
    check_stream(
        "source: direct_put\ndestination: { s3: }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:20  streams.clicks.destination.s3: there is nothing behind the key
                hint: give it a value, or leave it out
        "#]],
    );
    check_stream(
        "source: direct_put\ndestination: s3",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:18  streams.clicks.destination: expected a block of keys, found a value
                hint: its keys: s3, directory, http_endpoint, splunk, coralogix, datadog, dynatrace, elastic, honeycomb, logic_monitor, logz_io, mongodb, new_relic, sumo_logic
        "#]],
    );
    check_stream(
        "source: direct_put\ndestination: { directory: { path: \"\" } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:39  streams.clicks.destination.directory.path: the path is empty
        "#]],
    );
    check(
        "streams: { \"a b\": { source: direct_put, destination: { directory: { path: o } } } }\n",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:12  streams.a b: `a b` is not a stream name: 1 to 64 of the characters a-z A-Z 0-9 _ . - are allowed
        "#]],
    );
}

#[test]
fn sizes_and_intervals_have_firehoses_ranges() {
    let hints = |hints: &str| {
        let inner = format!(
            "source: direct_put\nbuffering: {{ {hints} }}\ndestination: {{ directory: {{ path: out }} }}"
        );
        let world = World::default().file("delivery.yaml", stream(&inner));
        match world.load() {
            Ok(_) => "good".to_owned(),
            Err(problems) => {
                let lines: Vec<_> = problems
                    .iter()
                    .map(|problem| problem.wrong.what.clone())
                    .collect();
                lines.join("; ")
            }
        }
    };
    let mut out = String::new();
    for text in [
        "size: 1MiB",
        "size: 1048575B",
        "size: 128MiB",
        "size: 129MiB",
        "size: 134217729B",
        "size: 1.5MiB",
        "size: 5",
        "interval: 60s",
        "interval: 1m",
        "interval: 59s",
        "interval: 59s, low_latency: true",
        "interval: 0s, low_latency: true",
        "interval: 0s",
        "interval: 900s",
        "interval: 901s",
        "interval: 901s, low_latency: true",
        "interval: 900s 1ms",
        "interval: 60s 1ms",
        "interval: 60",
        "interval: -1s",
        "low_latency: yes",
    ] {
        writeln!(out, "{text} → {}", hints(text)).unwrap();
    }
    expect![[r#"
        size: 1MiB → good
        size: 1048575B → `1048575B` failed to satisfy constraint: Member must have value greater than or equal to 1
        size: 128MiB → good
        size: 129MiB → `129MiB` failed to satisfy constraint: Member must have value less than or equal to 128
        size: 134217729B → `134217729B` failed to satisfy constraint: Member must have value less than or equal to 128
        size: 1.5MiB → `1.5MiB` failed to satisfy constraint: Member must be a whole number
        size: 5 → `5` is not a size
        interval: 60s → good
        interval: 1m → good
        interval: 59s → `59s` failed to satisfy constraint: Member must have value greater than or equal to 60
        interval: 59s, low_latency: true → good
        interval: 0s, low_latency: true → good
        interval: 0s → `0s` failed to satisfy constraint: Member must have value greater than or equal to 60
        interval: 900s → good
        interval: 901s → `901s` failed to satisfy constraint: Member must have value less than or equal to 900
        interval: 901s, low_latency: true → `901s` failed to satisfy constraint: Member must have value less than or equal to 900
        interval: 900s 1ms → `900s 1ms` failed to satisfy constraint: Member must have value less than or equal to 900
        interval: 60s 1ms → `60s 1ms` failed to satisfy constraint: Member must be a whole number
        interval: 60 → `60` is not a duration
        interval: -1s → `-1s` is not a duration
        low_latency: yes → `yes` is neither `true` nor `false`
    "#]].assert_eq(&out);
}

#[test]
fn defaults_lie_under_every_stream_and_are_checked_where_they_stand() {
    check_section(
        "defaults: { buffering: { size: 64MiB, interval: 120s } }",
        expect![""],
    );
    check_section(
        "defaults: { buffering: { size: 640MiB, interval: 12s } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:32  defaults.buffering.size: `640MiB` failed to satisfy constraint: Member must have value less than or equal to 128
                hint: 1MiB to 128MiB, in whole MiB
        "#]],
    );
    check(
        "defaults: { buffering: { interval: 12s, low_latency: true } }\n\
         streams: { demo: { source: direct_put, buffering: { low_latency: false }, \
         destination: { directory: { path: out } } } }\n",
        expect![[r#"
            warning: streams.demo.buffering.interval: `12s` failed to satisfy constraint: Member must have value greater than or equal to 60; 300s counts instead
        "#]],
    );
}

#[test]
fn prefixes_have_firehoses_rules_and_messages() {
    let prefixed = |keys: &str| {
        format!("source: direct_put\ndestination:\n  directory:\n    path: out\n    {keys}")
    };
    check_stream(
        &prefixed("prefix: \"a/!{timestamp:yyyy}/\""),
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:5:7  streams.clicks.destination.directory.error_output_prefix: ErrorOutputPrefix cannot be null or empty when Prefix contains expressions
    "#]],
    );
    check_stream(
        &prefixed("prefix: a/\n    error_output_prefix: \"b/!{nothing:x}/\""),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:8:30  streams.clicks.destination.directory.error_output_prefix: Namespace to the left of colon (nothing) is an invalid keyword!
        "#]],
    );
    check_stream(
        &prefixed("time_zone: Europe/Atlantis"),
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:7:20  streams.clicks.destination.directory.time_zone: `Europe/Atlantis` is not a time zone: names look like `Europe/Berlin`, and case matters
    "#]],
    );
    check_stream(
        &prefixed("prefix: !{timestamp:yyyy}/"),
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:7:17  not readable as YAML: while scanning a tag, did not find expected whitespace or line break
            hint: a value that begins with `!{` needs quotes: `prefix: "!{…}"`
    "#]],
    );
}

#[test]
fn a_fingerprint_changes_with_what_shapes_objects_and_with_nothing_else() {
    let fingerprint = |extra: &str, destination: &str| {
        let yaml = format!(
            "{extra}\nstreams: {{ a: {{ source: direct_put, destination: {destination} }} }}\n"
        );
        let loaded = World::default().file("delivery.yaml", yaml).load().unwrap();
        loaded.settings.streams[0].fingerprint
    };
    let plain = fingerprint("", "{ directory: { path: out } }");
    // A change of this number would raise every stream's version at the next start.
    expect!["b3aceb5d4b7d6a70"].assert_eq(&format!("{plain:016x}"));
    assert_eq!(
        plain,
        fingerprint("log: { level: debug }", "{ directory: { path: ./out } }")
    );
    for other in [
        "{ directory: { path: elsewhere } }",
        "{ directory: { path: out, compression: gzip } }",
        "{ directory: { path: out, prefix: \"\" } }",
        "{ directory: { path: out, prefix: a } }",
        "{ directory: { path: out, time_zone: Europe/Berlin } }",
    ] {
        assert_ne!(plain, fingerprint("", other), "{other}");
    }
    assert_ne!(
        plain,
        fingerprint(
            "defaults: { buffering: { interval: 60s } }",
            "{ directory: { path: out } }"
        )
    );
}

#[test]
fn no_folder_for_objects_overlaps_the_storage_directory() {
    let objects = |path: &str| format!("{{ directory: {{ path: {path} }} }}");
    let with = |destination: &str, failed: &str, backup: &str| {
        let [destination, failed, backup] = [destination, failed, backup].map(objects);
        format!(
            "storage: {{ directory: data }}\nstreams:\n  clicks:\n    source: direct_put\n    \
             destination: {destination}\n    failed_output: {failed}\n    \
             source_backup: {backup}\n"
        )
    };
    check(
        &with("data", "./out/../data/failed", "."),
        expect![[r#"
        delivery.yaml has 3 problems
          delivery.yaml:5:39  streams.clicks.destination.directory.path: `data` and the storage directory `data` overlap
            hint: choose a folder beside `storage.directory`
          delivery.yaml:6:41  streams.clicks.failed_output.directory.path: `out/../data/failed` and the storage directory `data` overlap
            hint: choose a folder beside `storage.directory`
          delivery.yaml:7:41  streams.clicks.source_backup.directory.path: `.` and the storage directory `data` overlap
            hint: choose a folder beside `storage.directory`
    "#]],
    );
    for good in ["datas", "out/data", "../data"] {
        let loaded = World::default().file("delivery.yaml", with(good, good, good));
        assert!(loaded.load().is_ok(), "{good}");
    }
}
