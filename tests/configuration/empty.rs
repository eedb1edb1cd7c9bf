//! Keys with nothing behind them.

use expect_test::expect;

use crate::world::{STREAM, World, check, check_section, check_stream};

#[test]
fn a_stream_with_nothing_behind_its_name_is_told_and_not_dropped() {
    check(
        "streams:\n  b:\n  a: { source: direct_put, destination: { directory: { path: out } } }\n",
        expect![[]],
    );
    check("streams:\n  b: ~\n", expect![[]]);
    check("streams:\n", expect![[]]);
}

#[test]
fn what_is_commented_out_below_its_key_is_told_and_not_left_out() {
    check_stream(
        "source: direct_put\ntransform:\n  # http: { url: \"http://127.0.0.1:8000/redact\" }\n\
         source_backup:\nbuffering: { size: , interval: ~ }\n\
         destination: { directory: { path: out, compression: } }",
        expect![[]],
    );
    check_stream(
        "source: direct_put\ntransform: { lambda: }\ndestination:",
        expect![[]],
    );
    check_stream(
        "source:\ndestination: { http_endpoint: { url: , common_attributes: { a: } } }\nfailed_output:",
        expect![[]],
    );
    check_section(
        "listen: { firehose: { tls: }, admin: { token: } }\naws: { default: }\nproducers: { web: { token: , streams: demo } }",
        expect![[]],
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
        .check(expect![[]]);
}
