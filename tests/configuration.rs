//! The configuration as users meet it: what is read, what wins, and what is said when it is wrong.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use expect_test::{Expect, expect};
use standpipe::config::{Loaded, Origin, Problems, Sources, load};
use standpipe::outside::Surroundings;

/// A stream for tests that are about something else. One line, behind what is tested.
const STREAM: &str =
    "streams: { demo: { source: direct_put, destination: { directory: { path: out } } } }\n";

#[derive(Default)]
struct World {
    files: Vec<(&'static str, String)>,
    variables: Vec<(&'static str, &'static str)>,
    paths: Vec<&'static str>,
    set: Vec<&'static str>,
}

impl World {
    fn file(mut self, name: &'static str, text: impl Into<String>) -> World {
        self.files.push((name, text.into()));
        self
    }

    fn variable(mut self, name: &'static str, value: &'static str) -> World {
        self.variables.push((name, value));
        self
    }

    fn path(mut self, path: &'static str) -> World {
        self.paths.push(path);
        self
    }

    fn set(mut self, argument: &'static str) -> World {
        self.set.push(argument);
        self
    }

    fn load(&self) -> Result<Loaded, Problems> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in &self.files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let variables = self.variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let variables: BTreeMap<String, String> = variables.collect();
        let sources = Sources {
            paths: self.paths.iter().map(PathBuf::from).collect(),
            set: self.set.iter().map(ToString::to_string).collect(),
        };
        load(&sources, &Surroundings::given(variables, folder.path().to_owned()))
    }

    /// Problems, or what was said: values that are not defaults, and warnings.
    #[track_caller]
    fn check(&self, expected: Expect) {
        let mut out = String::new();
        match self.load() {
            Err(problems) => writeln!(out, "{problems}").unwrap(),
            Ok(loaded) => {
                for said in &loaded.said {
                    if *said.place.origin != Origin::Default {
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
fn check(yaml: &str, expected: Expect) {
    World::default().file("delivery.yaml", yaml).check(expected);
}

/// The text, and a good stream behind it.
#[track_caller]
fn check_section(yaml: &str, expected: Expect) {
    check(&format!("{yaml}\n{STREAM}"), expected);
}

/// One stream's inner text, indented by four.
fn stream(inner: &str) -> String {
    let mut text = "streams:\n  clicks:\n".to_owned();
    for line in inner.lines() {
        writeln!(text, "    {line}").unwrap();
    }
    text
}

#[track_caller]
fn check_stream(inner: &str, expected: Expect) {
    check(&stream(inner), expected);
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    check(
        "\
storage:
  max_size: 5 megs
  directry: ./data
listen:
  firehose: { address: localhost }
streams:
  clicks:
    source: direct_put
    buffering: { size: 5MB, interval: 1h }
    destination:
      s3: { bucket: s3://lake, profile: minoi }
      directory: { path: ./out }
  audit:
    destination: {}
aws:
  minio: { endpoint: \"http://127.0.0.1:9000\" }
",
        expect![""],
    );
}

#[test]
fn the_smallest_configuration_is_one_stream() {
    check(STREAM, expect![""]);
}

#[test]
fn a_file_that_is_not_one_is_told() {
    check("", expect![""]);
    check("just text\n", expect![""]);
    check("- a\n- b\n", expect![""]);
    check("streams: [a]\n", expect![""]);
    check("streams: {}\n", expect![""]);
    check("streams:\n  demo: direct_put\n", expect![""]);
    check("streams:\n  demo:\n    source: direct_put\n    destination: !{timestamp:yyyy}\n", expect![""]);
    World::default().check(expect![""]);
    World::default().path("nowhere.yaml").check(expect![""]);
    World::default().file("conf.d/readme", "").path("conf.d").check(expect![""]);
}

#[test]
fn unknown_keys_are_told_with_the_nearest_known_one() {
    check_section("storge: {}", expect![""]);
    check_section("storage: { max-size: 1GiB, colour: red }", expect![""]);
    check_section("listen: { firehose: { adress: \"127.0.0.1:1\" } }", expect![""]);
    check_section("x-anything: { at: all }\nX-not: 1", expect![""]);
}

#[test]
fn keys_of_later_versions_are_told_as_such() {
    check_stream(
        "source: { kafka: { brokers: [a] } }\ntransform: {}\nprocessors: []\n\
         buffering: { grow_to: 128MiB }\ndestination: { splunk: {} }",
        expect![""],
    );
    check_stream(
        "source: tail\ndestination: { directory: { path: out, compression: { zstd: { level: 3 } } } }",
        expect![""],
    );
}

#[test]
fn a_stream_has_one_source_and_one_destination() {
    check_stream("source: direct_put", expect![""]);
    check_stream("source: direct_get\ndestination: { directory: { path: out } }", expect![""]);
    check_stream("source: direct_put\ndestination: { s3: }", expect![""]);
    check_stream("source: direct_put\ndestination: s3", expect![""]);
    check_stream("source: direct_put\ndestination: { directory: { path: \"\" } }", expect![""]);
    check("streams: { \"a b\": { source: direct_put, destination: { directory: { path: o } } } }\n", expect![""]);
}

#[test]
fn sizes_and_intervals_have_firehoses_ranges() {
    let hints = |hints: &str| {
        let stream = format!(
            "source: direct_put\nbuffering: {{ {hints} }}\ndestination: {{ directory: {{ path: out }} }}"
        );
        let world = World::default().file("delivery.yaml", self::stream(&stream));
        match world.load() {
            Ok(_) => "good".to_owned(),
            Err(problems) => {
                let lines: Vec<_> = problems.iter().map(|problem| problem.wrong.what.clone()).collect();
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
    expect![""].assert_eq(&out);
}

#[test]
fn limits_of_sections_hold_at_the_limit_and_one_past_it() {
    check_section("storage: { max_size: 128MiB, retention: 900s }", expect![""]);
    check_section("storage: { max_size: 134217727B, retention: 899s }", expect![""]);
    check_section("shutdown: { mode: deliver, deadline: 1s }", expect![""]);
    check_section("shutdown: { mode: kill, deadline: 999ms }", expect![""]);
    check_section("shutdown: { deadline: 1h }", expect![""]);
    check_section("shutdown: { deadline: 3601s }", expect![""]);
    check_section("log: { level: loud, format: jsno }", expect![""]);
    check_section("identity: { region: EU, account: 1234 }", expect![""]);
}

#[test]
fn an_account_keeps_its_leading_zeros() {
    check_section("identity: { account: 012345678901 }", expect![""]);
    World::default()
        .file("delivery.yaml", STREAM)
        .variable("STANDPIPE_IDENTITY__ACCOUNT", "000000000042")
        .check(expect![""]);
}

#[test]
fn defaults_lie_under_every_stream_and_are_checked_where_they_stand() {
    check_section("defaults: { buffering: { size: 64MiB, interval: 120s } }", expect![""]);
    check_section("defaults: { buffering: { size: 640MiB, interval: 12s } }", expect![""]);
    check(
        "defaults: { buffering: { interval: 12s, low_latency: true } }\n\
         streams: { demo: { source: direct_put, buffering: { low_latency: false }, \
         destination: { directory: { path: out } } } }\n",
        expect![""],
    );
}

#[test]
fn off_loopback_it_takes_producers_and_a_token() {
    check_section("listen: { firehose: { address: \"0.0.0.0:4573\" }, admin: { address: \"[::]:4574\" } }", expect![""]);
    check_section("listen: { firehose: { address: \"[::1]:4573\" }, admin: { address: \"127.9.9.9:4574\" } }", expect![""]);
    check_section("listen: { firehose: { address: \"127.0.0.1:4574\" } }", expect![""]);
    check_section("listen: { firehose: { address: \"127.0.0.1:0\" }, admin: { address: \"127.0.0.1:0\" } }", expect![""]);
    World::default()
        .file(
            "delivery.yaml",
            format!(
                "listen: {{ firehose: {{ address: \"0.0.0.0:4573\" }}, \
                 admin: {{ address: \"0.0.0.0:4574\", token: {{ env: ADMIN }} }} }}\n\
                 producers: {{ web: {{ token: {{ env: WEB }}, streams: \"*\" }} }}\n{STREAM}"
            ),
        )
        .variable("ADMIN", "a")
        .variable("WEB", "w")
        .check(expect![""]);
}

#[test]
fn a_producer_signs_or_shows_a_token() {
    check_section(
        "producers:\n  a: { streams: [demo] }\n  b: { access_key_id: AKIA, token: t, streams: [demo] }\n  \
         c: { access_key_id: AKIA, streams: [\"a b\"] }\n  d: { token: \"a b\" }",
        expect![""],
    );
    check_section("producers: {}", expect![""]);
    check_section(
        "producers:\n  a: { token: same, streams: demo }\n  b: { token: same, streams: [dmeo, \"d*\"] }",
        expect![""],
    );
}

#[test]
fn secrets_come_from_files_variables_and_credentials_and_are_never_shown() {
    let producers = |secret: &str| {
        format!(
            "producers: {{ web: {{ access_key_id: AKIA, secret_access_key: {secret}, streams: demo }} }}\n{STREAM}"
        )
    };
    let world = |secret: &str| World::default().file("delivery.yaml", producers(secret));
    world("{ file: secrets/web }").file("secrets/web", "hunter2\n").check(expect![""]);
    world("{ env: WEB }").variable("WEB", "hunter2").check(expect![""]);
    world("{ credential: web }")
        .file("run/web", "hunter2")
        .variable("CREDENTIALS_DIRECTORY", "run")
        .check(expect![""]);
    world("hunter2").check(expect![""]);
    world("{ file: nowhere }").check(expect![""]);
    world("{ file: empty }").file("empty", "\n").check(expect![""]);
    world("{ env: UNSET }").check(expect![""]);
    world("{ credential: web }").check(expect![""]);
    world("{ credential: ../web }").check(expect![""]);
    world("{ file: a, env: B }").check(expect![""]);
    world("{ vault: a }").check(expect![""]);
    world("[hunter2]").check(expect![""]);
}

#[test]
fn a_secrets_file_loses_its_last_newline_only() {
    for (text, secret) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a ")] {
        let yaml = format!("listen: {{ admin: {{ token: {{ file: t }} }} }}\n{STREAM}");
        let world = World::default().file("delivery.yaml", yaml).file("t", text);
        let token = world.load().unwrap().settings.listen.admin_token.unwrap();
        assert_eq!(token.reveal(), secret);
    }
}

#[test]
fn profiles_are_complete_or_told() {
    let bucket = "streams: { demo: { source: direct_put, destination: { s3: { bucket: lake } } } }\n";
    check(bucket, expect![""]);
    World::default()
        .file("delivery.yaml", bucket)
        .variable("AWS_DEFAULT_REGION", "eu-central-1")
        .check(expect![""]);
    check(&format!("aws: {{ default: {{ region: eu-west-1 }} }}\n{bucket}"), expect![""]);
    check(&format!("aws: {{ default: {{ path_style: true }} }}\n{bucket}"), expect![""]);
    check(
        &format!(
            "aws:\n  default:\n    endpoint: minio:9000\n    path_style: maybe\n    checksums: never\n    \
             access_key_id: standpipe\n    ca_file: ca.crt\n    assume_role: {{ arn: lake }}\n{bucket}"
        ),
        expect![""],
    );
    check(
        &format!("aws: {{ default: {{ endpoint: \"https://me:hunter2@minio\" }} }}\n{bucket}"),
        expect![""],
    );
}

#[test]
fn prefixes_have_firehoses_rules_and_messages() {
    let prefixed = |keys: &str| {
        format!("source: direct_put\ndestination:\n  directory:\n    path: out\n    {keys}")
    };
    check_stream(&prefixed("prefix: \"a/!{timestamp:yyyy}/\""), expect![""]);
    check_stream(&prefixed("prefix: a/\n    error_output_prefix: \"b/!{nothing:x}/\""), expect![""]);
    check_stream(&prefixed("time_zone: Europe/Atlantis"), expect![""]);
    check_stream(&prefixed("prefix: !{timestamp:yyyy}/"), expect![""]);
}

#[test]
fn later_layers_win_and_say_where_they_are() {
    World::default()
        .file("one.yaml", format!("storage: {{ directory: a, max_size: 1GiB }}\nlog: {{ level: warn }}\n{STREAM}"))
        .file("more/two.yaml", "storage: { directory: b }\nlog:\n")
        .file("more/three.txt", "not: read")
        .path("one.yaml")
        .path("more")
        .variable("STANDPIPE_STORAGE__MAX_SIZE", "2GiB")
        .variable("STANDPIPE_SHUTDOWN__DEADLINE", "5s")
        .variable("STANDPIPE_DAEMON", "http://127.0.0.1:1")
        .set("shutdown.deadline=6s")
        .check(expect![""]);
}

#[test]
fn variables_and_arguments_are_told_by_their_names() {
    World::default()
        .file("delivery.yaml", STREAM)
        .variable("STANDPIPE_STORAGE__MAX_SIZE", "much")
        .variable("STANDPIPE_STORAGE__COLOUR", "red")
        .variable("STANDPIPE_STREAMS__DEMO__SOURCE", "direct_put")
        .variable("STANDPIPE_STORGE__DIRECTORY", "x")
        .set("log.level")
        .set("log.level=loud")
        .set("log=loud")
        .check(expect![""]);
    World::default()
        .file("delivery.yaml", STREAM)
        .variable("STANDPIPE_LISTEN__ADMIN__TOKEN", "{ env: TOKEN }")
        .variable("TOKEN", "t")
        .check(expect![""]);
}

#[test]
fn a_stream_and_a_producer_stand_in_one_file_as_a_whole() {
    let producers = "producers: { web: { token: { env: T }, streams: demo } }\n";
    World::default()
        .file("a.yaml", format!("{producers}{STREAM}"))
        .file("b.yaml", format!("{producers}{STREAM}"))
        .variable("T", "t")
        .path("a.yaml")
        .path("b.yaml")
        .check(expect![""]);
}

#[test]
fn a_merged_anchor_is_wrong_once_and_where_it_stands() {
    check(
        "\
x-lake: &lake { path: \"\", compresion: gzip }
streams:
  a: { source: direct_put, destination: { directory: { <<: *lake } } }
  b: { source: direct_put, destination: { directory: { <<: *lake, path: out } } }
",
        expect![""],
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
    expect![""].assert_eq(&format!("{plain:016x}"));
    assert_eq!(plain, fingerprint("log: { level: debug }", "{ directory: { path: ./out } }"));
    for other in [
        "{ directory: { path: elsewhere } }",
        "{ directory: { path: out, compression: gzip } }",
        "{ directory: { path: out, prefix: \"\" } }",
        "{ directory: { path: out, prefix: a } }",
        "{ directory: { path: out, time_zone: Europe/Berlin } }",
    ] {
        assert_ne!(plain, fingerprint("", other), "{other}");
    }
    assert_ne!(plain, fingerprint("defaults: { buffering: { interval: 60s } }", "{ directory: { path: out } }"));
}

/// Everything that the reference's secrets and files name.
fn reference(text: String) -> World {
    World::default()
        .file("delivery.yaml", text)
        .file("tls.crt", "x")
        .file("tls.key", "x")
        .file("ca.crt", "-----BEGIN CERTIFICATE-----")
        .file("secrets/web", "s")
        .file("run/events-token", "t")
        .variable("CREDENTIALS_DIRECTORY", "run")
        .variable("ADMIN_TOKEN", "t")
        .variable("MINIO_SECRET", "s")
        .variable("MINIO_SESSION_TOKEN", "s")
}

/// The text with the chosen `#: ` blocks taken in; a block is a run of such lines.
fn uncommented(text: &str, is_chosen: impl Fn(usize) -> bool) -> (String, usize) {
    let (mut out, mut blocks, mut inside) = (String::new(), 0, false);
    for line in text.lines() {
        let reference = line.strip_prefix("#:");
        if reference.is_some() && !inside {
            blocks += 1;
        }
        inside = reference.is_some();
        match reference {
            Some(rest) if is_chosen(blocks - 1) => {
                let rest = rest.strip_prefix(' ').unwrap_or(rest);
                writeln!(out, "{rest}").unwrap();
            }
            _ => writeln!(out, "{line}").unwrap(),
        }
    }
    (out, blocks)
}

#[test]
fn the_reference_in_delivery_yaml_is_true_block_by_block_and_as_a_whole() {
    let text = fs::read_to_string("delivery.yaml").unwrap();
    let (plain, blocks) = uncommented(&text, |_| false);
    assert_eq!(plain, text);
    assert!(10 <= blocks, "the reference has shrunk to {blocks} blocks");
    World::default().file("delivery.yaml", text.clone()).load().expect("a fresh clone runs");
    for block in 0..blocks {
        let (text, _) = uncommented(&text, |index| index == block);
        // A stream alone names a profile that another block defines.
        let with_profiles = text.contains("\n        profile: minio");
        let text = if with_profiles { format!("{text}\naws: {{ minio: {{ region: eu-west-1 }} }}\n") } else { text };
        if let Err(problems) = reference(text).load() {
            panic!("block {block}: {problems}");
        }
    }
    let (whole, _) = uncommented(&text, |_| true);
    if let Err(problems) = reference(whole).load() {
        panic!("{problems}");
    }
}

#[test]
fn the_reference_names_every_key() {
    let text = fs::read_to_string("delivery.yaml").unwrap();
    for key in standpipe::config::known_keys() {
        let written = text.contains(&format!("{key}:"));
        assert!(written, "`{key}` is not in the reference");
    }
}
