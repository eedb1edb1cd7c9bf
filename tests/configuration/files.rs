//! Files, layers and keys: what is read, what wins, what is unknown.

use expect_test::expect;

use crate::world::{STREAM, World, check, check_section, check_stream};

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
            delivery.yaml has 9 problems
              delivery.yaml:2:13   storage.max_size: `5 megs` is not a size
                hint: write a count and a unit, e.g. `5MiB`
              delivery.yaml:3:3    storage.directry: unknown key
                hint: did you mean `directory`?
              delivery.yaml:5:24   listen.firehose.address: `localhost` is not an address
                hint: write an IP address and a port, e.g. `127.0.0.1:4573`
              delivery.yaml:9:24   streams.clicks.buffering.size: `5MB` leaves open whether 1000 or 1024 is meant
                hint: write `MiB` for 1024 × 1024 bytes, as Firehose means its MBs
              delivery.yaml:10:5   streams.clicks.destination: needs exactly one of s3, directory, http_endpoint, splunk, coralogix, datadog, dynatrace, elastic, honeycomb, logic_monitor, logz_io, mongodb, new_relic, sumo_logic; found s3 and directory
              delivery.yaml:11:21  streams.clicks.destination.s3.bucket: `s3://lake` is not a bucket's name
                hint: only the name, without `s3://` and path: letters, digits, `.`, `-` and `_`
              delivery.yaml:11:41  streams.clicks.destination.s3.profile: there is no profile `minoi`
                hint: did you mean `minio`?
              delivery.yaml:13:3   streams.audit.source: is missing
              delivery.yaml:14:5   streams.audit.destination: needs exactly one of s3, directory, http_endpoint, splunk, coralogix, datadog, dynatrace, elastic, honeycomb, logic_monitor, logz_io, mongodb, new_relic, sumo_logic; found none
        "#]],
    );
}

#[test]
fn the_smallest_configuration_is_one_stream() {
    check(
        &STREAM.replace("demo", "clicks"),
        expect![[r#"
            streams.clicks.source = direct_put (delivery.yaml:1:30)
            streams.clicks.destination.directory.path = out (delivery.yaml:1:76)
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
              delivery.yaml:1:1  expected sections, found a value
                hint: lines such as `streams:`, with what belongs to them indented below
        "#]],
    );
    check(
        "- a\n- b\n",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:1  expected sections, found a list
                hint: lines such as `streams:`, with what belongs to them indented below
        "#]],
    );
    check(
        "streams: [a]\n",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:10  streams: expected a block of names, found a list
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
                hint: its keys: source, transform, buffering, destination, failed_output, source_backup
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
}

#[test]
fn a_path_without_a_configuration_is_told() {
    World::default().check(expect![[r#"
        the configuration has 1 problem
          there is neither ./delivery.yaml nor /etc/standpipe/delivery.yaml
            hint: name a file or a folder with `-c PATH`
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
                hint: allowed here: directory, max_size
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
            delivery.yaml has 7 problems
              delivery.yaml:2:3   streams.clicks.failed_output: is missing: what this destination does not take must go somewhere
                hint: for example `failed_output: { directory: { path: ./failed } }`
              delivery.yaml:3:13  streams.clicks.source: `kafka` is not offered in this version
                hint: offered here: direct_put
              delivery.yaml:4:5   streams.clicks.transform: needs exactly one of lambda, http; found none
              delivery.yaml:5:5   streams.clicks.processors: not offered in this version
                hint: offered here: source, transform, buffering, destination, failed_output, source_backup
              delivery.yaml:6:18  streams.clicks.buffering.grow_to: not offered in this version
                hint: offered here: size, interval, low_latency
              delivery.yaml:7:20  streams.clicks.destination.splunk.token: is missing
              delivery.yaml:7:20  streams.clicks.destination.splunk.url: is missing
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
                hint: allowed here: directory, max_size
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
