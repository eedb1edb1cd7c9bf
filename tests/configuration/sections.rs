//! The other sections, at their limits and one past them.

use expect_test::expect;

use crate::certificates::OURS;
use crate::world::{STREAM, World, check, check_section};

#[test]
fn limits_of_sections_hold_at_the_limit_and_one_past_it() {
    check_section(
        "storage: { max_size: 128MiB }",
        expect![[r#"
            storage.max_size = 128MiB (delivery.yaml:1:22)
        "#]],
    );
    check_section(
        "storage: { max_size: 134217727B, retention: 24h }",
        expect![[r#"
            delivery.yaml has 2 problems
              delivery.yaml:1:22  storage.max_size: `134217727B` is less than 128MiB
              delivery.yaml:1:34  storage.retention: not offered in this version
                hint: offered here: directory, max_size
        "#]],
    );
    check_section(
        "shutdown: { mode: deliver, deadline: 1s }",
        expect![[r#"
        shutdown.mode = deliver (delivery.yaml:1:19)
        shutdown.deadline = 1s (delivery.yaml:1:38)
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
    "#]],
    );
    World::default()
        .file("delivery.yaml", STREAM)
        .variable("STANDPIPE_IDENTITY__ACCOUNT", "000000000042")
        .check(expect![[r#"
            identity.account = 000000000042 ($STANDPIPE_IDENTITY__ACCOUNT)
        "#]]);
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
        "#]],
    );
    check_section(
        "listen: { firehose: { address: \"127.0.0.1:4574\" } }",
        expect![[r#"
            delivery.yaml has 1 problem
              delivery.yaml:1:32  listen.firehose.address: `127.0.0.1:4574` is `listen.admin.address`'s already
        "#]],
    );
    // All of IPv4 is not all of IPv6, but the other way round it is.
    check_section(
        "listen: { firehose: { address: \"[::1]:4573\" }, admin: { address: \"127.0.0.1:4573\" } }",
        expect![[r#"
            listen.firehose.address = [::1]:4573 (delivery.yaml:1:32)
            listen.admin.address = 127.0.0.1:4573 (delivery.yaml:1:66)
        "#]],
    );
    check_section(
        "listen: { firehose: { address: \"127.0.0.1:0\" }, admin: { address: \"127.0.0.1:0\" } }",
        expect![[r#"
            listen.firehose.address = 127.0.0.1:0 (delivery.yaml:1:32)
            listen.admin.address = 127.0.0.1:0 (delivery.yaml:1:67)
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
            warning: listen.firehose.address: tokens reach `0.0.0.0:4573` unencrypted
            warning: listen.admin.address: tokens reach `0.0.0.0:4574` unencrypted
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
        "#]]);
    check(
        &format!("aws: {{ default: {{ region: eu-west-1 }} }}\n{bucket}"),
        expect![[r#"
            aws.default.region = eu-west-1 (delivery.yaml:1:27)
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
fn how_a_profiles_servers_are_reached() {
    let bucket =
        "streams: { demo: { source: direct_put, destination: { s3: { bucket: lake } } } }\n";
    let profile = |more: &str| {
        let yaml = format!("aws: {{ default: {{ region: eu-west-1, {more} }} }}\n{bucket}");
        World::default()
            .file("delivery.yaml", yaml)
            .file("us.crt", OURS.certificate.as_str())
            .file("us.key", OURS.key.as_str())
            .variable("HTTPS_PROXY", "http://usual.example:3128")
            .variable("NO_PROXY", ".internal")
    };
    for (more, expected) in [
        (
            "path_style: false",
            "https http://usual.example:3128 but .internal",
        ),
        ("proxy: none", "https - but "),
        ("proxy: \"http://p:1\"", "https http://p:1/ but "),
        (
            "proxy: { url: \"http://p:1\", no_proxy: [a.example, 10.0.0.0/8] }",
            "https http://p:1/ but a.example,10.0.0.0/8",
        ),
    ] {
        let loaded = profile(more)
            .load()
            .unwrap_or_else(|error| panic!("{error}"));
        let proxies = &loaded.profiles[0].http.proxies;
        let https = proxies.https.as_ref().map(|url| url.reveal());
        let https = https.as_deref().unwrap_or("-");
        assert_eq!(format!("https {https} but {}", proxies.except), expected);
    }
    let shown = profile("client_certificate_file: us.crt, client_key_file: us.key");
    let identity = shown.load().unwrap().profiles[0].http.identity.clone();
    assert_eq!(&*identity.unwrap().key_pem.reveal(), OURS.key);
    profile("client_certificate_file: us.crt").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:8  aws.default.client_key_file: is missing
    "#]]);
    profile("client_certificate_file: us.key, client_key_file: us.crt").check(expect![[r#"
        delivery.yaml has 2 problems
          delivery.yaml:1:63  aws.default.client_certificate_file: the file `us.key` holds no certificate in PEM form
          delivery.yaml:1:88  aws.default.client_key_file: the file `us.crt` holds no key in PEM form
    "#]]);
    profile("proxy: { no_proxy: [a.example] }").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:38  aws.default.proxy.url: is missing
    "#]]);
    profile("proxy: \"http://me:hunter2@p:1\"").check(expect![[r#"
        delivery.yaml has 1 problem
          delivery.yaml:1:45  aws.default.proxy: a proxy's user and password cannot stand here
            hint: name the proxy in `$HTTPS_PROXY`, and leave `proxy` out
    "#]]);
}
