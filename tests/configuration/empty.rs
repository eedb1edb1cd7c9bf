//! Keys with nothing behind them.

use expect_test::expect;

use crate::world::{STREAM, World, check, check_section, check_stream};

#[test]
fn a_stream_with_nothing_behind_its_name_is_told_and_not_dropped() {
    check(
        "streams:\n  b:\n  a: { source: direct_put, destination: { directory: { path: out } } }\n",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:2:3  streams.b: there is nothing behind the key
                hint: its keys: source, transform, buffering, destination, failed_output, source_backup
        "#]],
    );
    check(
        "streams:\n  b: ~\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:2:3  streams.b: there is nothing behind the key
            hint: its keys: source, transform, buffering, destination, failed_output, source_backup
    "#]],
    );
    check(
        "streams:\n",
        expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:1  streams: there are no streams
            hint: for example `streams: { demo: { source: direct_put, destination: { directory: { path: ./out } } } }`
    "#]],
    );
}

#[test]
fn what_is_commented_out_below_its_key_is_told_and_not_left_out() {
    check_stream(
        "source: direct_put\ntransform:\n  # http: { url: \"http://127.0.0.1:8000/redact\" }\n\
         source_backup:\nbuffering: { size: , interval: ~ }\n\
         destination: { directory: { path: out, compression: } }",
        expect![[r#"
            delivery.yaml has 5 problems
              delivery.yaml:4:5   streams.clicks.transform: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:6:5   streams.clicks.source_backup: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:7:18  streams.clicks.buffering.size: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:7:26  streams.clicks.buffering.interval: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:8:44  streams.clicks.destination.directory.compression: there is nothing behind the key
                hint: give it a value, or leave it out
        "#]],
    );
    check_stream(
        "source: direct_put\ntransform: { lambda: }\ndestination:",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:4:18  streams.clicks.transform.lambda: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:5:5   streams.clicks.destination: there is nothing behind the key
                hint: give it a value, or leave it out
        "#]],
    );
    check_stream(
        "source:\ndestination: { http_endpoint: { url: , common_attributes: { a: } } }\nfailed_output:",
        expect![[r#"
            delivery.yaml has 4 problems
              delivery.yaml:3:5   streams.clicks.source: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:4:37  streams.clicks.destination.http_endpoint.url: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:4:65  streams.clicks.destination.http_endpoint.common_attributes.a: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:5:5   streams.clicks.failed_output: there is nothing behind the key
                hint: give it a value, or leave it out
        "#]],
    );
    check_section(
        "listen: { firehose: { tls: }, admin: { token: } }\naws: { default: }\nproducers: { web: { token: , streams: demo } }",
        expect![[r#"
            delivery.yaml has 5 problems
              delivery.yaml:1:23  listen.firehose.tls: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:1:40  listen.admin.token: there is nothing behind the key
                hint: give it a value, or leave it out
              delivery.yaml:2:8   aws.default: there is nothing behind the key
                hint: its keys: region, endpoint, path_style, checksums, access_key_id, secret_access_key, session_token, assume_role, ca_file, client_certificate_file, client_key_file, proxy
              delivery.yaml:3:14  producers.web: needs either access_key_id with secret_access_key, or token
              delivery.yaml:3:21  producers.web.token: there is nothing behind the key
                hint: give it a value, or leave it out
        "#]],
    );
}

#[test]
fn a_section_with_nothing_behind_it_says_nothing_and_hides_nothing() {
    World::default()
        .file("a.yaml", "storage: { max_size: 1GiB }\nx-a:\n")
        .file(
            "b.yaml",
            format!("storage:\nlisten:\nproducers: ~\n{STREAM}"),
        )
        .path("a.yaml")
        .path("b.yaml")
        .check(expect![[r#"
            storage.max_size = 1GiB (a.yaml:1:22)
        "#]]);
}
