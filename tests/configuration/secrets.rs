//! Secrets: where they come from, and that nobody sees them.

use expect_test::expect;
use standpipe::server::Identity;

use crate::world::{STREAM, World};

/// A producer whose secret is given so.
fn world(secret: &str) -> World {
    let producers = format!(
        "producers: {{ web: {{ access_key_id: AKIA, secret_access_key: {secret}, streams: demo }} }}\n{STREAM}"
    );
    World::default().file("delivery.yaml", producers)
}

#[test]
fn secrets_come_from_files_variables_and_credentials_and_are_never_shown() {
    world("{ file: secrets/web }")
        .file("secrets/web", "hunter2\n")
        .check(expect![[r#"
            producers.web.access_key_id = AKIA (delivery.yaml:1:36)
            producers.web.secret_access_key.file = secrets/web (delivery.yaml:1:69)
            producers.web.secret_access_key = [secret] (delivery.yaml:1:61)
            producers.web.streams = demo (delivery.yaml:1:93)
        "#]]);
    world("{ env: WEB }")
        .variable("WEB", "hunter2")
        .check(expect![[r#"
            producers.web.access_key_id = AKIA (delivery.yaml:1:36)
            producers.web.secret_access_key.env = WEB (delivery.yaml:1:68)
            producers.web.secret_access_key = [secret] (delivery.yaml:1:61)
            producers.web.streams = demo (delivery.yaml:1:84)
        "#]]);
    world("{ credential: web }")
        .file("run/web", "hunter2")
        .variable("CREDENTIALS_DIRECTORY", "run")
        .check(expect![[r#"
            producers.web.access_key_id = AKIA (delivery.yaml:1:36)
            producers.web.secret_access_key.credential = web (delivery.yaml:1:75)
            producers.web.secret_access_key = [secret] (delivery.yaml:1:61)
            producers.web.streams = demo (delivery.yaml:1:91)
        "#]]);
    world("hunter2").check(expect![[r#"
        producers.web.access_key_id = AKIA (delivery.yaml:1:36)
        producers.web.secret_access_key = [secret] (delivery.yaml:1:61)
        producers.web.streams = demo (delivery.yaml:1:79)
        warning: producers.web.secret_access_key: the secret stands in the open
    "#]]);
}

#[test]
fn a_secret_that_cannot_be_had_is_told_with_its_place() {
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
          delivery.yaml:1:68  producers.web.secret_access_key.env: the environment variable `UNSET` is not set, or is empty
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
        let loaded = world("{ file: t }").file("t", text).load().unwrap();
        let Identity::AccessKey {
            secret_access_key, ..
        } = &loaded.settings.producers[0].identity
        else {
            panic!("the producer signs");
        };
        assert_eq!(&*secret_access_key.reveal(), secret);
    }
}
