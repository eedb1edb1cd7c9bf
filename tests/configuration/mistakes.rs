//! Mistakes that people make, and the words that they are told: all at once, as they wrote it, with
//! what would be right.

use std::fmt::Write;

use expect_test::{Expect, expect};

use crate::world::{STREAM, World, check, check_section, check_stream, stream};

/// What is wrong with each case, or what is warned of, without places.
#[track_caller]
fn check_each(world: impl Fn(&str) -> World, cases: &[&str], expected: Expect) {
    let mut out = String::new();
    for case in cases {
        let loaded = world(case).load();
        let told: Vec<String> = match &loaded {
            Ok(loaded) => loaded
                .warnings
                .iter()
                .map(|it| format!("warning: {}", it.wrong.what))
                .collect(),
            Err(problems) => problems.iter().map(|it| it.wrong.what.clone()).collect(),
        };
        let told = if told.is_empty() {
            "good".to_owned()
        } else {
            told.join("; ")
        };
        writeln!(out, "{case} → {told}").unwrap();
    }
    expected.assert_eq(&out);
}

fn section(yaml: &str) -> World {
    World::default().file("delivery.yaml", format!("{yaml}\n{STREAM}"))
}

/// A stream with this destination, and a place for what fails.
fn destination(destination: &str) -> World {
    let inner = format!(
        "source: direct_put\nfailed_output: {{ directory: {{ path: failed }} }}\ndestination: {destination}"
    );
    World::default().file("delivery.yaml", stream(&inner))
}

fn transform(transform: &str) -> World {
    let inner = format!(
        "source: direct_put\ntransform: {transform}\ndestination: {{ directory: {{ path: out }} }}"
    );
    World::default().file("delivery.yaml", stream(&inner))
}

#[test]
fn all_that_a_destination_lacks_is_told_at_once() {
    for name in ["splunk", "coralogix", "sumo_logic", "http_endpoint"] {
        let problems = destination(&format!("{{ {name}: {{}} }}"))
            .load()
            .unwrap_err();
        let paths = problems
            .iter()
            .map(|it| it.path.rsplit_once(name).unwrap().1.to_owned());
        let told = paths.collect::<Vec<_>>().join(" ");
        let expected = match name {
            "splunk" => ".token .url",
            "coralogix" => ".private_key .url",
            "sumo_logic" => ".deployment .token",
            _ => ".url",
        };
        assert_eq!(told, expected, "{name}");
    }
}

#[test]
fn the_mistakes_of_prefixes_do_not_hide_one_another() {
    check_each(
        destination,
        &[
            "{ directory: { path: out, prefix: \"!{timestamp:bb}/\" } }",
            "{ directory: { path: out, prefix: \"!{timestamp:yyyy}/\", time_zone: Mars/Base } }",
            "{ directory: { path: out, prefix: \"!{x:y}/\", error_output_prefix: \"!{timestamp:yyyy}/\", time_zone: Mars/Base } }",
            "{ directory: { path: out, prefix: \"!{timestamp:yyyy}/\", error_output_prefix: \"x/\" } }",
            "{ directory: { path: out, prefix: \"!{timestamp:yyyy}/\", error_output_prefix: \"!{timestamp:yyyy}/\" } }",
        ],
        expect![[r#"
            { directory: { path: out, prefix: "!{timestamp:bb}/" } } → ErrorOutputPrefix cannot be null or empty when Prefix contains expressions; Invalid conversion character used in the value of the expression in Prefix
            { directory: { path: out, prefix: "!{timestamp:yyyy}/", time_zone: Mars/Base } } → ErrorOutputPrefix cannot be null or empty when Prefix contains expressions; `Mars/Base` is not a time zone: names look like `Europe/Berlin`, and case matters
            { directory: { path: out, prefix: "!{x:y}/", error_output_prefix: "!{timestamp:yyyy}/", time_zone: Mars/Base } } → Namespace to the left of colon (x) is an invalid keyword!; ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}; `Mars/Base` is not a time zone: names look like `Europe/Berlin`, and case matters
            { directory: { path: out, prefix: "!{timestamp:yyyy}/", error_output_prefix: "x/" } } → good
            { directory: { path: out, prefix: "!{timestamp:yyyy}/", error_output_prefix: "!{timestamp:yyyy}/" } } → ErrorOutputPrefix must contain at least one occurrence of !{firehose:error-output-type}
        "#]],
    );
}

#[test]
fn a_prefix_that_is_seldom_meant_is_warned_of() {
    check_each(
        destination,
        &[
            "{ directory: { path: out, prefix: a/ } }",
            "{ directory: { path: out, prefix: logs- } }",
            "{ directory: { path: out, prefix: a } }",
            "{ directory: { path: out, prefix: /a/ } }",
            "{ directory: { path: out, prefix: a//b/, error_output_prefix: failed } }",
        ],
        expect![[r#"
            { directory: { path: out, prefix: a/ } } → good
            { directory: { path: out, prefix: logs- } } → good
            { directory: { path: out, prefix: a } } → warning: what follows `a` is glued on without a `/`
            { directory: { path: out, prefix: /a/ } } → warning: keys would have a folder without a name
            { directory: { path: out, prefix: a//b/, error_output_prefix: failed } } → warning: keys would have a folder without a name; warning: what follows `failed` is glued on without a `/`
        "#]],
    );
}

#[test]
fn a_backup_among_the_delivered_objects_is_warned_of() {
    let inner = |backup: &str| {
        stream(&format!(
            "source: direct_put\ndestination: {{ directory: {{ path: out }} }}\nsource_backup: {{ directory: {{ {backup} }} }}"
        ))
    };
    check_each(
        |backup| World::default().file("delivery.yaml", inner(backup)),
        &[
            "path: out",
            "path: ./out, prefix: \"\"",
            "path: out, prefix: source/",
            "path: source",
        ],
        expect![[r#"
            path: out → warning: copies lie among the delivered objects, and nothing tells them apart
            path: ./out, prefix: "" → warning: copies lie among the delivered objects, and nothing tells them apart
            path: out, prefix: source/ → good
            path: source → good
        "#]],
    );
}

#[test]
fn a_value_is_told_as_it_was_written() {
    check_each(
        transform,
        &[
            "{ http: { url: \"http://127.0.0.1/\" }, buffering: { size: 0.1MiB } }",
            "{ http: { url: \"http://127.0.0.1/\" }, buffering: { interval: 60500ms }, retries: 301 }",
        ],
        expect![[r#"
            { http: { url: "http://127.0.0.1/" }, buffering: { size: 0.1MiB } } → `0.1MiB` failed to satisfy constraint: Member must have value greater than or equal to 0.2
            { http: { url: "http://127.0.0.1/" }, buffering: { interval: 60500ms }, retries: 301 } → `60500ms` failed to satisfy constraint: Member must be a whole number; `301` failed to satisfy constraint: Member must have value less than or equal to 300
        "#]],
    );
    check_each(
        |buffering| {
            World::default().file("delivery.yaml", stream(&format!(
                "source: direct_put\nbuffering: {buffering}\ndestination: {{ directory: {{ path: out }} }}"
            )))
        },
        &[
            "{ size: 5.5MiB }",
            "{ size: 0MiB }",
            "{ interval: 60500ms }",
            "{ interval: 16m }",
        ],
        expect![[r#"
            { size: 5.5MiB } → `5.5MiB` failed to satisfy constraint: Member must be a whole number
            { size: 0MiB } → `0MiB` failed to satisfy constraint: Member must have value greater than or equal to 1
            { interval: 60500ms } → `60500ms` failed to satisfy constraint: Member must be a whole number
            { interval: 16m } → `16m` failed to satisfy constraint: Member must have value less than or equal to 900
        "#]],
    );
    check_each(
        section,
        &[
            "storage: { max_size: 127.5MiB }",
            "shutdown: { deadline: 61m }",
            "defaults: { buffering: { size: 0.5GiB, interval: 2h } }",
        ],
        expect![[r#"
            storage: { max_size: 127.5MiB } → `127.5MiB` is less than 128MiB
            shutdown: { deadline: 61m } → `61m` is not between 1s and 1h
            defaults: { buffering: { size: 0.5GiB, interval: 2h } } → `0.5GiB` failed to satisfy constraint: Member must have value less than or equal to 128; `2h` failed to satisfy constraint: Member must have value less than or equal to 900
        "#]],
    );
}

#[test]
fn a_port_is_one_that_a_server_can_have() {
    check_each(
        |port| {
            destination(&format!(
                "{{ http_endpoint: {{ url: \"https://x:{port}/p\" }} }}"
            ))
        },
        &["65535", "65536", "0"],
        expect![[r#"
            65535 → good
            65536 → this is not a URL of an endpoint, such as `https://collector.example/firehose`
            0 → this is not a URL of an endpoint, such as `https://collector.example/firehose`
        "#]],
    );
    check_each(
        |port| {
            destination(&format!(
                "{{ splunk: {{ url: \"https://x:{port}\", token: {{ env: HOME }} }} }}"
            ))
            .variable("HOME", "t")
        },
        &["65535", "99999"],
        expect![[r#"
            65535 → good
            99999 → this is not a URL of an HTTP Event Collector, such as `https://hec.example:8088`
        "#]],
    );
    check_each(
        |port| {
            transform(&format!(
                "{{ http: {{ url: \"https://me:hunter2@[::1]:{port}\" }} }}"
            ))
        },
        &["65535", "99999"],
        expect![[r#"
            65535 → good
            99999 → a function's URL begins with http:// or https:// and a host, and has no `#`
        "#]],
    );
    check_each(
        |port| {
            section(&format!(
                "aws: {{ default: {{ endpoint: \"https://x:{port}\" }} }}"
            ))
        },
        &["65535", "99999"],
        expect![[r#"
            65535 → good
            99999 → `https://x:99999` is not an endpoint
        "#]],
    );
}

#[test]
fn what_travels_in_a_header_has_no_line_break() {
    check_each(
        |token| section("listen: { admin: { token: { file: t } } }").file("t", token),
        &["ab", "a\nb", "a b"],
        expect![[r#"
            ab → good
            a
            b → the token has characters that no header can carry
            a b → the token has characters that no header can carry
        "#]],
    );
    check_each(
        |id| {
            section(&format!(
                "producers: {{ web: {{ access_key_id: {id}, secret_access_key: {{ env: S }}, streams: demo }} }}"
            ))
            .variable("S", "s")
        },
        &["AKIA", "\"a b/c\"", "wJalr/UtnFEMI", "\"a,b\""],
        expect![[r#"
            AKIA → good
            "a b/c" → this is not an access key's id
            wJalr/UtnFEMI → this is not an access key's id
            "a,b" → this is not an access key's id
        "#]],
    );
}

#[test]
fn tokens_that_others_can_read_on_their_way_are_warned_of() {
    let listen = |more: &str| {
        section(&format!(
            "listen: {{ firehose: {{ address: {more} }}, admin: {{ address: {more}, token: {{ env: T }} }} }}\n\
             producers: {{ web: {{ token: {{ env: W }}, streams: demo }} }}"
        ))
        .variable("T", "t")
        .variable("W", "w")
    };
    check_each(
        listen,
        &["\"0.0.0.0:0\"", "\"127.0.0.1:0\""],
        expect![[r#"
        "0.0.0.0:0" → warning: tokens reach `0.0.0.0:0` unencrypted; warning: tokens reach `0.0.0.0:0` unencrypted
        "127.0.0.1:0" → good
    "#]],
    );
}

#[test]
fn a_proxy_is_told_what_a_proxy_is() {
    check_each(
        |proxy| {
            section(&format!(
                "aws: {{ default: {{ region: eu-west-1, proxy: {proxy} }} }}"
            ))
        },
        &[
            "foo",
            "\"http://me:hunter2@p:1\"",
            "{ url: foo }",
            "{ url: \"http://p:1\", no_proxy: \"a.example,b.example\" }",
        ],
        expect![[r#"
            foo → `foo` is not a proxy's URL
            "http://me:hunter2@p:1" → a proxy's user and password cannot stand here
            { url: foo } → `foo` is not a proxy's URL
            { url: "http://p:1", no_proxy: "a.example,b.example" } → good
        "#]],
    );
    check_section(
        "aws: { default: { region: eu-west-1, proxy: \"http://me:hunter2@p:1\" } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:45  aws.default.proxy: a proxy's user and password cannot stand here
                hint: name the proxy in `$HTTPS_PROXY`, and leave `proxy` out
        "#]],
    );
}

#[test]
fn an_empty_variable_is_told_to_be_no_secret() {
    check_each(
        |name| {
            section(&format!(
                "listen: {{ admin: {{ token: {{ env: {name} }} }} }}"
            ))
            .variable("EMPTY", "")
        },
        &["EMPTY", "UNSET"],
        expect![[r#"
            EMPTY → the environment variable `EMPTY` is not set, or is empty
            UNSET → the environment variable `UNSET` is not set, or is empty
        "#]],
    );
}

#[test]
fn yaml_is_told_in_words_of_configuration() {
    check(
        "x-a: &a\n  b: *a\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:2:6  not readable as YAML: an anchor's block names the anchor itself
    "#]],
    );
    check(
        "x-a: &a text\nstreams:\n  b:\n    <<: *a\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:9  not readable as YAML: `<<` merges blocks, and this anchor is none
    "#]],
    );
    check(
        "- streams\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:1  expected sections, found a list
            hint: lines such as `streams:`, with what belongs to them indented below
    "#]],
    );
    check(
        "streams\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:1  expected sections, found a value
            hint: lines such as `streams:`, with what belongs to them indented below
    "#]],
    );
}

#[test]
fn a_name_whose_options_are_empty_is_the_name() {
    check_stream(
        "source: { direct_put: {} }\ndestination: { directory: { path: out, compression: { gzip: {} } } }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.destination.directory.path = out (delivery.yaml:4:39)
            streams.clicks.destination.directory.compression = gzip (delivery.yaml:4:57)
        "#]],
    );
    check_stream(
        "source: { direct_put: { x: 1 } }\ndestination: { directory: { path: out, compression: { gzip: { level: 3 } } } }",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:3:15  streams.clicks.source.direct_put: has no options here
                hint: write `source: direct_put`
              delivery.yaml:4:59  streams.clicks.destination.directory.compression.gzip: has no options here
                hint: write `compression: gzip`
        "#]],
    );
}

#[test]
fn a_folder_with_yml_files_only_is_told_their_names() {
    World::default()
        .file("conf/a.yml", STREAM)
        .path("conf")
        .check(expect![[r#"
            conf has 1 problem
              conf  the folder has no `*.yaml` files
                hint: `conf/a.yml` is not read: call it `conf/a.yaml`
        "#]]);
    World::default()
        .file("conf/a.txt", STREAM)
        .path("conf")
        .check(expect![[r#"
            conf has 1 problem
              conf  the folder has no `*.yaml` files
        "#]]);
}

#[test]
fn low_latency_is_shown_with_its_place() {
    check_stream(
        "source: direct_put\nbuffering: { interval: 5s, low_latency: true }\ndestination: { directory: { path: out } }",
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:3:13)
            streams.clicks.buffering.low_latency = true (delivery.yaml:4:45)
            streams.clicks.buffering.interval = 5s (delivery.yaml:4:28)
            streams.clicks.destination.directory.path = out (delivery.yaml:5:39)
        "#]],
    );
}
