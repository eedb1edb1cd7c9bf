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
    world("tls.crt", "tls.key").check(expect![[r#"
        listen.firehose.tls.certificate_file = tls.crt (delivery.yaml:1:48)
        listen.firehose.tls.key_file = tls.key (delivery.yaml:1:67)
    "#]]);
    world("tls.crt", "other.key").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:67  listen.firehose.tls.key_file: the key in `other.key` is not that of the certificate in `tls.crt`
    "#]]);
    world("junk", "tls.key").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:48  listen.firehose.tls.certificate_file: `junk` holds no certificate
    "#]]);
    world("tls.crt", "junk").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:67  listen.firehose.tls.key_file: `junk` must hold a certificate or a key as PEM
    "#]]);
    world("tls.crt", "tls.crt").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:48  listen.firehose.tls.certificate_file: `tls.crt` must hold a certificate or a key as PEM
    "#]]);
    world("garbage.crt", "tls.key").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:71  listen.firehose.tls.key_file: the certificate in `garbage.crt` and the key in `tls.key` cannot be used
    "#]]);
    world("nowhere.crt", "nowhere.key").check(expect![[r#"
        delivery.yaml has 2 problems
          delivery.yaml:1:48  listen.firehose.tls.certificate_file: the file `nowhere.crt` cannot be read: No such file or directory (os error 2)
          delivery.yaml:1:71  listen.firehose.tls.key_file: the file `nowhere.key` cannot be read: No such file or directory (os error 2)
    "#]]);
}

#[test]
fn client_certificates_and_authorities_can_be_used() {
    let world = |more: &str| {
        with_files(&format!(
            "aws: {{ default: {{ region: eu-west-1, {more} }} }}"
        ))
    };
    world("client_certificate_file: tls.crt, client_key_file: tls.key").check(expect![[r#"
        aws.default.region = eu-west-1 (delivery.yaml:1:27)
        aws.default.client_certificate_file = tls.crt (delivery.yaml:1:63)
        aws.default.client_key_file = tls.key (delivery.yaml:1:89)
    "#]]);
    world("client_certificate_file: tls.crt, client_key_file: other.key").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:89  aws.default.client_key_file: the key is not that of the client certificate
    "#]]);
    world("client_certificate_file: garbage.crt, client_key_file: tls.key").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:93  aws.default.client_key_file: failed to read the client certificate and its key: invalid peer certificate: BadEncoding
    "#]]);
    world("ca_file: tls.crt").check(expect![[r#"
        aws.default.region = eu-west-1 (delivery.yaml:1:27)
        aws.default.ca_file = tls.crt (delivery.yaml:1:47)
    "#]]);
    world("ca_file: garbage.crt").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:47  aws.default.ca_file: failed to read the certificate authorities: invalid peer certificate: BadEncoding
    "#]]);
    world("ca_file: junk").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:47  aws.default.ca_file: the file `junk` holds no certificate in PEM form
    "#]]);
}
