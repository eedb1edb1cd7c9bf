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
        expect![[r#"
            delivery.yaml has 7 problems
              delivery.yaml:2:13  storage.max_size: `5 megs` is not a size
                hint: write a count and a unit, e.g. `5MiB`
              delivery.yaml:3:3   storage.directry: unknown key
                hint: did you mean `directory`?
              delivery.yaml:5:24  listen.firehose.address: `localhost` is not an address
                hint: write an IP address and a port, e.g. `127.0.0.1:4573`
              delivery.yaml:9:24  streams.clicks.buffering.size: `5MB` leaves open whether 1000 or 1024 is meant
                hint: write `MiB` for 1024 × 1024 bytes, as Firehose means its MBs
              delivery.yaml:10:5  streams.clicks.destination: needs exactly one of s3, directory; found s3 and directory
              delivery.yaml:13:3  streams.audit.source: is missing
              delivery.yaml:14:5  streams.audit.destination: needs exactly one of s3, directory; found none
        "#]],
    );
}

#[test]
fn the_smallest_configuration_is_one_stream() {
    check(
        STREAM,
        expect![[r#"
        streams.demo.source = direct_put (delivery.yaml:1:28)
        streams.demo.destination.directory.path = out (delivery.yaml:1:74)
    "#]],
    );
}

#[test]
fn a_file_that_is_not_one_is_told() {
    check(
        "",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:1  streams: there are no streams
            hint: for example `streams: { demo: { source: direct_put, destination: { directory: { path: ./out } } } }`
    "#]],
    );
    check(
        "just text\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml  expected `key: value` lines, found a value
    "#]],
    );
    check(
        "- a\n- b\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml  expected `key: value` lines, found a list
    "#]],
    );
    check(
        "streams: [a]\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:10  streams: expected names with a block each, found a list
    "#]],
    );
    check(
        "streams: {}\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:1  streams: there are no streams
            hint: for example `streams: { demo: { source: direct_put, destination: { directory: { path: ./out } } } }`
    "#]],
    );
    check(
        "streams:\n  demo: direct_put\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:2:9  streams.demo: expected a block of keys, found a value
            hint: its keys: source, buffering, destination
    "#]],
    );
    check(
        "streams:\n  demo:\n    source: direct_put\n    destination: !{timestamp:yyyy}\n",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:4:18  not readable as YAML: while scanning a tag, did not find expected whitespace or line break
                hint: a value that begins with `!{` needs quotes: `prefix: "!{…}"`
        "#]],
    );
    World::default().check(expect![[r#"
        the configuration has 1 problem
          there is neither ./delivery.yaml nor /etc/standpipe/delivery.yaml
            hint: name a file or a folder: `standpipe run -c PATH`
    "#]]);
    World::default().path("nowhere.yaml").check(expect![[r#"
        nowhere.yaml has 1 problem
          nowhere.yaml  the file cannot be read: No such file or directory (os error 2)
    "#]]);
    World::default()
        .file("conf.d/readme", "")
        .path("conf.d")
        .check(expect![[r#"
            conf.d has 1 problem
              conf.d  the folder has no `*.yaml` files
        "#]]);
}

#[test]
fn unknown_keys_are_told_with_the_nearest_known_one() {
    check_section(
        "storge: {}",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:1  storge: unknown key
            hint: did you mean `storage`?
    "#]],
    );
    check_section(
        "storage: { max-size: 1GiB, colour: red }",
        expect![[r#"
        delivery.yaml has 2 problems
          delivery.yaml:1:12  storage.max-size: unknown key
            hint: did you mean `max_size`?
          delivery.yaml:1:28  storage.colour: unknown key
            hint: allowed here: directory, max_size, retention
    "#]],
    );
    check_section(
        "listen: { firehose: { adress: \"127.0.0.1:1\" } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:23  listen.firehose.adress: unknown key
                hint: did you mean `address`?
        "#]],
    );
    check_section(
        "x-anything: { at: all }\nX-not: 1",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:2:1  X-not: unknown key
            hint: allowed here: storage, listen, producers, identity, aws, defaults, streams, shutdown, log
    "#]],
    );
}

#[test]
fn keys_of_later_versions_are_told_as_such() {
    check_stream(
        "source: { kafka: { brokers: [a] } }\ntransform: {}\nprocessors: []\n\
         buffering: { grow_to: 128MiB }\ndestination: { splunk: {} }",
        expect![[r#"
            delivery.yaml has 5 problems
              delivery.yaml:3:13  streams.clicks.source: `kafka` is not offered in this version
                hint: offered here: direct_put
              delivery.yaml:4:5   streams.clicks.transform: not offered in this version
                hint: offered here: source, buffering, destination
              delivery.yaml:5:5   streams.clicks.processors: not offered in this version
                hint: offered here: source, buffering, destination
              delivery.yaml:6:18  streams.clicks.buffering.grow_to: not offered in this version
                hint: offered here: size, interval, low_latency
              delivery.yaml:7:20  streams.clicks.destination.splunk: not offered in this version
                hint: offered here: s3, directory
        "#]],
    );
    check_stream(
        "source: tail\ndestination: { directory: { path: out, compression: { zstd: { level: 3 } } } }",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:3:13  streams.clicks.source: `tail` is not offered in this version
                hint: offered here: direct_put
              delivery.yaml:4:57  streams.clicks.destination.directory.compression: `zstd` is not offered in this version
                hint: offered here: none, gzip
        "#]],
    );
}

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
          delivery.yaml:4:5  streams.clicks.destination: needs exactly one of s3, directory; found none
    "#]],
    );
    check_stream(
        "source: direct_put\ndestination: s3",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:4:18  streams.clicks.destination: expected a block of keys, found a value
            hint: its keys: s3, directory
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
        let stream = format!(
            "source: direct_put\nbuffering: {{ {hints} }}\ndestination: {{ directory: {{ path: out }} }}"
        );
        let world = World::default().file("delivery.yaml", self::stream(&stream));
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
        size: 1.5MiB → `1536KiB` failed to satisfy constraint: Member must be a whole number
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
        interval: 900s 1ms → `15m 1ms` failed to satisfy constraint: Member must have value less than or equal to 900
        interval: 60s 1ms → `1m 1ms` failed to satisfy constraint: Member must be a whole number
        interval: 60 → `60` is not a duration
        interval: -1s → `-1s` is not a duration
        low_latency: yes → `yes` is neither `true` nor `false`
    "#]].assert_eq(&out);
}

#[test]
fn limits_of_sections_hold_at_the_limit_and_one_past_it() {
    check_section(
        "storage: { max_size: 128MiB, retention: 900s }",
        expect![[r#"
            storage.max_size = 128MiB (delivery.yaml:1:22)
            storage.retention = 900s (delivery.yaml:1:41)
            streams.demo.source = direct_put (delivery.yaml:2:28)
            streams.demo.destination.directory.path = out (delivery.yaml:2:74)
        "#]],
    );
    check_section(
        "storage: { max_size: 134217727B, retention: 899s }",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:1:22  storage.max_size: `134217727B` is less than 128MiB
              delivery.yaml:1:45  storage.retention: `899s` is less than 900s
                hint: 900s is the longest buffering interval
        "#]],
    );
    check_section(
        "shutdown: { mode: deliver, deadline: 1s }",
        expect![[r#"
        shutdown.mode = deliver (delivery.yaml:1:19)
        shutdown.deadline = 1s (delivery.yaml:1:38)
        streams.demo.source = direct_put (delivery.yaml:2:28)
        streams.demo.destination.directory.path = out (delivery.yaml:2:74)
    "#]],
    );
    check_section(
        "shutdown: { mode: kill, deadline: 999ms }",
        expect![[r#"
        delivery.yaml has 2 problems
          delivery.yaml:1:19  shutdown.mode: `kill` is not one of keep, deliver
          delivery.yaml:1:35  shutdown.deadline: `999ms` is not between 1s and 1h
    "#]],
    );
    check_section(
        "shutdown: { deadline: 1h }",
        expect![[r#"
        shutdown.deadline = 1h (delivery.yaml:1:23)
        streams.demo.source = direct_put (delivery.yaml:2:28)
        streams.demo.destination.directory.path = out (delivery.yaml:2:74)
    "#]],
    );
    check_section(
        "shutdown: { deadline: 3601s }",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:23  shutdown.deadline: `3601s` is not between 1s and 1h
    "#]],
    );
    check_section(
        "log: { level: loud, format: jsno }",
        expect![[r#"
        delivery.yaml has 2 problems
          delivery.yaml:1:15  log.level: `loud` is not one of error, warn, info, debug, trace
          delivery.yaml:1:29  log.format: `jsno` is not one of auto, human, json
            hint: did you mean `json`?
    "#]],
    );
    check_section(
        "identity: { region: EU, account: 1234 }",
        expect![[r#"
        delivery.yaml has 2 problems
          delivery.yaml:1:21  identity.region: `EU` is not a region
            hint: small letters, digits and dashes, e.g. `eu-west-1`
          delivery.yaml:1:34  identity.account: `1234` is not an account
            hint: twelve digits, e.g. `"123456789012"`
    "#]],
    );
}

#[test]
fn an_account_keeps_its_leading_zeros() {
    check_section(
        "identity: { account: 012345678901 }",
        expect![[r#"
        identity.account = 012345678901 (delivery.yaml:1:22)
        streams.demo.source = direct_put (delivery.yaml:2:28)
        streams.demo.destination.directory.path = out (delivery.yaml:2:74)
    "#]],
    );
    World::default()
        .file("delivery.yaml", STREAM)
        .variable("STANDPIPE_IDENTITY__ACCOUNT", "000000000042")
        .check(expect![[r#"
            identity.account = 000000000042 ($STANDPIPE_IDENTITY__ACCOUNT)
            streams.demo.source = direct_put (delivery.yaml:1:28)
            streams.demo.destination.directory.path = out (delivery.yaml:1:74)
        "#]]);
}

#[test]
fn defaults_lie_under_every_stream_and_are_checked_where_they_stand() {
    check_section(
        "defaults: { buffering: { size: 64MiB, interval: 120s } }",
        expect![[r#"
            streams.demo.source = direct_put (delivery.yaml:2:28)
            streams.demo.buffering.size = 64MiB (delivery.yaml:1:32)
            streams.demo.buffering.interval = 120s (delivery.yaml:1:49)
            streams.demo.destination.directory.path = out (delivery.yaml:2:74)
        "#]],
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
            delivery.yaml has 1 problem
              delivery.yaml:1:36  streams.demo.buffering.interval: `12s` failed to satisfy constraint: Member must have value greater than or equal to 60
                hint: 60s to 900s; `low_latency: true` beside it allows 0s to 59s, at the price of                     many small objects
        "#]],
    );
}

#[test]
fn off_loopback_it_takes_producers_and_a_token() {
    check_section(
        "listen: { firehose: { address: \"0.0.0.0:4573\" }, admin: { address: \"[::]:4574\" } }",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:1:32  listen.firehose.address: `0.0.0.0:4573` can be reached by others, and without `producers` anybody may put
                hint: name who may put under `producers`, or listen on 127.0.0.1
              delivery.yaml:1:68  listen.admin.address: `[::]:4574` can be reached by others, which takes a token
                hint: add `token: { env: NAME }` here, or listen on 127.0.0.1
        "#]],
    );
    check_section(
        "listen: { firehose: { address: \"[::1]:4573\" }, admin: { address: \"127.9.9.9:4574\" } }",
        expect![[r#"
            listen.firehose.address = [::1]:4573 (delivery.yaml:1:32)
            listen.admin.address = 127.9.9.9:4574 (delivery.yaml:1:66)
            streams.demo.source = direct_put (delivery.yaml:2:28)
            streams.demo.destination.directory.path = out (delivery.yaml:2:74)
        "#]],
    );
    check_section(
        "listen: { firehose: { address: \"127.0.0.1:4574\" } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:1  listen.admin.address: `127.0.0.1:4574` is `listen.firehose`'s already
        "#]],
    );
    check_section(
        "listen: { firehose: { address: \"127.0.0.1:0\" }, admin: { address: \"127.0.0.1:0\" } }",
        expect![[r#"
            listen.firehose.address = 127.0.0.1:0 (delivery.yaml:1:32)
            listen.admin.address = 127.0.0.1:0 (delivery.yaml:1:67)
            streams.demo.source = direct_put (delivery.yaml:2:28)
            streams.demo.destination.directory.path = out (delivery.yaml:2:74)
        "#]],
    );
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
        .check(expect![[r#"
            producers.web.token.env = WEB (delivery.yaml:2:35)
            producers.web.token = [secret] (delivery.yaml:2:28)
            producers.web.streams = * (delivery.yaml:2:51)
            listen.firehose.address = 0.0.0.0:4573 (delivery.yaml:1:32)
            listen.admin.token.env = ADMIN (delivery.yaml:1:98)
            listen.admin.token = [secret] (delivery.yaml:1:91)
            listen.admin.address = 0.0.0.0:4574 (delivery.yaml:1:68)
            streams.demo.source = direct_put (delivery.yaml:3:28)
            streams.demo.destination.directory.path = out (delivery.yaml:3:74)
        "#]]);
}

#[test]
fn a_producer_signs_or_shows_a_token() {
    check_section(
        "producers:\n  a: { streams: [demo] }\n  b: { access_key_id: AKIA, token: t, streams: [demo] }\n  \
         c: { access_key_id: AKIA, streams: [\"a b\"] }\n  d: { token: \"a b\" }",
        expect![[r#"
            delivery.yaml has 6 problems
              delivery.yaml:2:3   producers.a: needs either access_key_id with secret_access_key, or token
              delivery.yaml:3:3   producers.b: needs either access_key_id with secret_access_key, or token
              delivery.yaml:4:3   producers.c.secret_access_key: is missing
              delivery.yaml:4:39  producers.c.streams: `a b` matches no stream's name
                hint: 1 to 64 of the characters a-z A-Z 0-9 _ . - and `*`
              delivery.yaml:5:3   producers.d.streams: names no stream
                hint: for all of them: `streams: ["*"]`
              delivery.yaml:5:15  producers.d.token: the token has characters that no header can carry
                hint: letters, digits and ASCII punctuation, no blanks
        "#]],
    );
    check_section(
        "producers: {}",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:1  producers: names nobody, so nobody could put
    "#]],
    );
    check_section(
        "producers:\n  a: { token: same, streams: demo }\n  b: { token: same, streams: [dmeo, \"d*\"] }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:3:15  producers.b.token: the same as `producers.a` has
        "#]],
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
    world("{ file: secrets/web }")
        .file("secrets/web", "hunter2\n")
        .check(expect![[r#"
            producers.web.access_key_id = AKIA (delivery.yaml:1:36)
            producers.web.secret_access_key.file = secrets/web (delivery.yaml:1:69)
            producers.web.secret_access_key = [secret] (delivery.yaml:1:61)
            producers.web.streams = demo (delivery.yaml:1:93)
            streams.demo.source = direct_put (delivery.yaml:2:28)
            streams.demo.destination.directory.path = out (delivery.yaml:2:74)
        "#]]);
    world("{ env: WEB }")
        .variable("WEB", "hunter2")
        .check(expect![[r#"
            producers.web.access_key_id = AKIA (delivery.yaml:1:36)
            producers.web.secret_access_key.env = WEB (delivery.yaml:1:68)
            producers.web.secret_access_key = [secret] (delivery.yaml:1:61)
            producers.web.streams = demo (delivery.yaml:1:84)
            streams.demo.source = direct_put (delivery.yaml:2:28)
            streams.demo.destination.directory.path = out (delivery.yaml:2:74)
        "#]]);
    world("{ credential: web }")
        .file("run/web", "hunter2")
        .variable("CREDENTIALS_DIRECTORY", "run")
        .check(expect![[r#"
            producers.web.access_key_id = AKIA (delivery.yaml:1:36)
            producers.web.secret_access_key.credential = web (delivery.yaml:1:75)
            producers.web.secret_access_key = [secret] (delivery.yaml:1:61)
            producers.web.streams = demo (delivery.yaml:1:91)
            streams.demo.source = direct_put (delivery.yaml:2:28)
            streams.demo.destination.directory.path = out (delivery.yaml:2:74)
        "#]]);
    world("hunter2").check(expect![[r#"
        producers.web.access_key_id = AKIA (delivery.yaml:1:36)
        producers.web.secret_access_key = [secret] (delivery.yaml:1:61)
        producers.web.streams = demo (delivery.yaml:1:79)
        streams.demo.source = direct_put (delivery.yaml:2:28)
        streams.demo.destination.directory.path = out (delivery.yaml:2:74)
        warning: producers.web.secret_access_key: the secret stands in the open
    "#]]);
    world("{ file: nowhere }").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:69  producers.web.secret_access_key.file: the file `nowhere` cannot be read: No such file or directory (os error 2)
    "#]]);
    world("{ file: empty }")
        .file("empty", "\n")
        .check(expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:61  producers.web.secret_access_key: the secret is empty
        "#]]);
    world("{ env: UNSET }").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:68  producers.web.secret_access_key.env: the environment variable `UNSET` is not set
    "#]]);
    world("{ credential: web }").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:75  producers.web.secret_access_key.credential: there is no `$CREDENTIALS_DIRECTORY`
            hint: systemd sets it: `LoadCredential=NAME:PATH` in the unit
    "#]]);
    world("{ credential: ../web }").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:75  producers.web.secret_access_key.credential: `../web` is not a credential's name
    "#]]);
    world("{ file: a, env: B }").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:42  producers.web.secret_access_key: needs exactly one of file, env, credential; found file and env
    "#]]);
    world("{ vault: a }").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:63  producers.web.secret_access_key.vault: unknown key
            hint: allowed here: file, env, credential
    "#]]);
    world("[hunter2]").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:61  producers.web.secret_access_key: expected a block of keys, found a list
            hint: its keys: file, env, credential
    "#]]);
}

#[test]
fn a_secrets_file_loses_its_last_newline_only() {
    for (text, secret) in [
        ("a\n", "a"),
        ("a\r\n", "a"),
        ("a\n\n", "a\n"),
        (" a ", " a "),
    ] {
        let yaml = format!("listen: {{ admin: {{ token: {{ file: t }} }} }}\n{STREAM}");
        let world = World::default().file("delivery.yaml", yaml).file("t", text);
        let token = world.load().unwrap().settings.listen.admin_token.unwrap();
        assert_eq!(token.reveal(), secret);
    }
}

#[test]
fn profiles_are_complete_or_told() {
    let bucket =
        "streams: { demo: { source: direct_put, destination: { s3: { bucket: lake } } } }\n";
    check(
        bucket,
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:55  streams.demo.destination.s3.profile: there is no profile `default`
            hint: say where it is: `aws: { default: { region: eu-west-1 } }`
    "#]],
    );
    World::default()
        .file("delivery.yaml", bucket)
        .variable("AWS_DEFAULT_REGION", "eu-central-1")
        .check(expect![[r#"
            aws.default.region = eu-central-1 ($AWS_DEFAULT_REGION)
            streams.demo.source = direct_put (delivery.yaml:1:28)
            streams.demo.destination.s3.bucket = lake (delivery.yaml:1:69)
        "#]]);
    check(
        &format!("aws: {{ default: {{ region: eu-west-1 }} }}\n{bucket}"),
        expect![[r#"
            aws.default.region = eu-west-1 (delivery.yaml:1:27)
            streams.demo.source = direct_put (delivery.yaml:2:28)
            streams.demo.destination.s3.bucket = lake (delivery.yaml:2:69)
        "#]],
    );
    check(
        &format!("aws: {{ default: {{ path_style: true }} }}\n{bucket}"),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:8  aws.default.region: is missing
        "#]],
    );
    check(
        &format!(
            "aws:\n  default:\n    endpoint: minio:9000\n    path_style: maybe\n    checksums: never\n    \
             access_key_id: standpipe\n    ca_file: ca.crt\n    assume_role: {{ arn: lake }}\n{bucket}"
        ),
        expect![[r#"
            delivery.yaml has 6 problems
              delivery.yaml:2:3   aws.default.secret_access_key: is missing
              delivery.yaml:3:15  aws.default.endpoint: `minio:9000` is not an endpoint
                hint: write the scheme and the host, e.g. `http://127.0.0.1:9000`
              delivery.yaml:4:17  aws.default.path_style: `maybe` is neither `true` nor `false`
              delivery.yaml:5:16  aws.default.checksums: `never` is not one of when_supported, when_required
              delivery.yaml:7:14  aws.default.ca_file: the file `ca.crt` cannot be read: No such file or directory (os error 2)
              delivery.yaml:8:25  aws.default.assume_role.arn: `lake` is not a role's ARN
                hint: e.g. `arn:aws:iam::123456789012:role/lake`
        "#]],
    );
    check(
        &format!("aws: {{ default: {{ endpoint: \"https://me:hunter2@minio\" }} }}\n{bucket}"),
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:29  aws.default.endpoint: an endpoint has no user and no password
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
fn later_layers_win_and_say_where_they_are() {
    World::default()
        .file(
            "one.yaml",
            format!(
                "storage: {{ directory: a, max_size: 1GiB }}\nlog: {{ level: warn }}\n{STREAM}"
            ),
        )
        .file("more/two.yaml", "storage: { directory: b }\nlog:\n")
        .file("more/three.txt", "not: read")
        .path("one.yaml")
        .path("more")
        .variable("STANDPIPE_STORAGE__MAX_SIZE", "2GiB")
        .variable("STANDPIPE_SHUTDOWN__DEADLINE", "5s")
        .variable("STANDPIPE_DAEMON", "http://127.0.0.1:1")
        .set("shutdown.deadline=6s")
        .check(expect![[r#"
            storage.directory = more/b (more/two.yaml:1:23)
            storage.max_size = 2GiB ($STANDPIPE_STORAGE__MAX_SIZE)
            shutdown.deadline = 6s (--set shutdown.deadline)
            log.level = warn (one.yaml:2:15)
            streams.demo.source = direct_put (one.yaml:3:28)
            streams.demo.destination.directory.path = out (one.yaml:3:74)
        "#]]);
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
        .check(expect![[r#"
            the configuration has 7 problems
              $STANDPIPE_STORAGE__COLOUR        storage.colour: unknown key
                hint: allowed here: directory, max_size, retention
              $STANDPIPE_STORAGE__MAX_SIZE      storage.max_size: `much` is not a size
                hint: write a count and a unit, e.g. `5MiB`
              $STANDPIPE_STORGE__DIRECTORY      storge: unknown key
                hint: did you mean `storage`?
              $STANDPIPE_STREAMS__DEMO__SOURCE  streams.demo.source: `streams` can only be set in a file
              --set log                         expected `section.key=value`
                hint: for example `--set storage.max_size=50GiB`
              --set log.level                   expected `section.key=value`
                hint: for example `--set storage.max_size=50GiB`
              --set log.level                   log.level: `loud` is not one of error, warn, info, debug, trace
        "#]]);
    World::default()
        .file("delivery.yaml", STREAM)
        .variable("STANDPIPE_LISTEN__ADMIN__TOKEN", "{ env: TOKEN }")
        .variable("TOKEN", "t")
        .check(expect![[r#"
            listen.admin.token.env = TOKEN ($STANDPIPE_LISTEN__ADMIN__TOKEN)
            listen.admin.token = [secret] ($STANDPIPE_LISTEN__ADMIN__TOKEN)
            streams.demo.source = direct_put (delivery.yaml:1:28)
            streams.demo.destination.directory.path = out (delivery.yaml:1:74)
        "#]]);
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
        .check(expect![[r#"
            b.yaml has 2 problems
              b.yaml:1:14  producers.web: this producer is defined at a.yaml:1:14 already
                hint: a producer stands in one file as a whole
              b.yaml:2:12  streams.demo: this stream is defined at a.yaml:2:12 already
                hint: a stream stands in one file as a whole
        "#]]);
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
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:1:23  streams.a.destination.directory.path: the path is empty
              delivery.yaml:1:27  streams.a.destination.directory.compresion: unknown key
                hint: did you mean `compression`?
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
    World::default()
        .file("delivery.yaml", text.clone())
        .load()
        .expect("a fresh clone runs");
    for block in 0..blocks {
        let (text, _) = uncommented(&text, |index| index == block);
        // A stream alone names a profile that another block defines.
        let with_profiles = text.contains("\n        profile: minio");
        let text = if with_profiles {
            format!("{text}\naws: {{ minio: {{ region: eu-west-1 }} }}\n")
        } else {
            text
        };
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
