//! Certificates, keys and authorities are looked at before anything starts.

use expect_test::expect;

use crate::certificates::{ANOTHER, OURS};
use crate::world::{STREAM, World};

const GARBAGE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

fn with_files(yaml: &str) -> World {
    World::default()
        .file("delivery.yaml", format!("{yaml}\n{STREAM}"))
        .file("tls.crt", OURS.certificate.as_str())
        .file("tls.key", OURS.key.as_str())
        .file("other.key", ANOTHER.key.as_str())
        .file("garbage.crt", GARBAGE)
        .file("junk", "hunter2")
}

#[test]
fn a_listeners_certificate_and_key_belong_together() {
    let world = |certificate: &str, key: &str| {
        with_files(&format!(
            "listen: {{ firehose: {{ tls: {{ certificate_file: {certificate}, key_file: {key} }} }} }}"
        ))
    };
    world("tls.crt", "tls.key").check(expect![[]]);
    world("tls.crt", "other.key").check(expect![[]]);
    world("junk", "tls.key").check(expect![[]]);
    world("tls.crt", "junk").check(expect![[]]);
    world("tls.crt", "tls.crt").check(expect![[]]);
    world("garbage.crt", "tls.key").check(expect![[]]);
    world("nowhere.crt", "nowhere.key").check(expect![[]]);
}

#[test]
fn client_certificates_and_authorities_can_be_used() {
    let world = |more: &str| {
        with_files(&format!(
            "aws: {{ default: {{ region: eu-west-1, {more} }} }}"
        ))
    };
    world("client_certificate_file: tls.crt, client_key_file: tls.key").check(expect![[]]);
    world("client_certificate_file: tls.crt, client_key_file: other.key").check(expect![[]]);
    world("client_certificate_file: garbage.crt, client_key_file: tls.key").check(expect![[]]);
    world("ca_file: tls.crt").check(expect![[]]);
    world("ca_file: garbage.crt").check(expect![[]]);
    world("ca_file: junk").check(expect![[]]);
}
