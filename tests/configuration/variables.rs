//! What the environment and the command line set, and what only looks as if it did.

use expect_test::expect;

use crate::world::{STREAM, World};

fn world() -> World {
    World::default().file("delivery.yaml", STREAM)
}

#[test]
fn a_variable_that_almost_sets_something_is_told() {
    world()
        .variable("STANDPIPE_STORAGE_DIRECTORY", "/x")
        .variable("STANDPIPE_STORAGE_MAX_SIZE", "1GiB")
        .variable("STANDPIPE_LISTEN_ADMIN_ADDRESS", "127.0.0.1:1")
        .variable("STANDPIPE_LOG", "debug")
        .variable("STANDPIPE_LOGLEVEL", "debug")
        .variable("STANDPIPE_SHUTDOWN", "{ mode: deliver }")
        .variable("STANDPIPE_PORT", "8080")
        .variable("STANDPIPE_", "x")
        .variable("standpipe_log__level", "debug")
        .check(expect![[r#"
            the configuration has 9 problems
              $STANDPIPE_                      has no effect: no section and key are named so
                hint: `STANDPIPE_<SECTION>__<KEY>`, with two underscores at each step; sections are storage, listen, producers, identity, aws, defaults, streams, shutdown, log
              $STANDPIPE_LISTEN_ADMIN_ADDRESS  has no effect: no section and key are named so
                hint: `STANDPIPE_<SECTION>__<KEY>`, with two underscores at each step; sections are storage, listen, producers, identity, aws, defaults, streams, shutdown, log
              $STANDPIPE_LOG                   has no effect: no section and key are named so
                hint: `STANDPIPE_<SECTION>__<KEY>`, with two underscores at each step; sections are storage, listen, producers, identity, aws, defaults, streams, shutdown, log
              $STANDPIPE_LOGLEVEL              has no effect: no section and key are named so
                hint: `STANDPIPE_<SECTION>__<KEY>`, with two underscores at each step; sections are storage, listen, producers, identity, aws, defaults, streams, shutdown, log
              $STANDPIPE_PORT                  has no effect: no section and key are named so
                hint: `STANDPIPE_<SECTION>__<KEY>`, with two underscores at each step; sections are storage, listen, producers, identity, aws, defaults, streams, shutdown, log
              $STANDPIPE_SHUTDOWN              has no effect: no section and key are named so
                hint: `STANDPIPE_<SECTION>__<KEY>`, with two underscores at each step; sections are storage, listen, producers, identity, aws, defaults, streams, shutdown, log
              $STANDPIPE_STORAGE_DIRECTORY     has no effect: no section and key are named so
                hint: did you mean `STANDPIPE_STORAGE__DIRECTORY`?
              $STANDPIPE_STORAGE_MAX_SIZE      has no effect: no section and key are named so
                hint: did you mean `STANDPIPE_STORAGE__MAX_SIZE`?
              $standpipe_log__level            has no effect: names of variables are written in capitals
                hint: did you mean `STANDPIPE_LOG__LEVEL`?
        "#]]);
}

#[test]
fn variables_of_commands_and_of_kubernetes_set_nothing() {
    world()
        .variable("STANDPIPE_DAEMON", "http://127.0.0.1:4574")
        .variable("STANDPIPE_SERVICE_HOST", "10.0.0.1")
        .variable("STANDPIPE_SERVICE_PORT", "4573")
        .variable("STANDPIPE_SERVICE_PORT_FIREHOSE", "4573")
        .variable("STANDPIPE_PORT", "tcp://10.0.0.1:4573")
        .variable("STANDPIPE_PORT_4573_TCP", "tcp://10.0.0.1:4573")
        .variable("STANDPIPE_PORT_4573_TCP_ADDR", "10.0.0.1")
        .variable("STANDPIPE_ADMIN_SERVICE_HOST", "10.0.0.2")
        .variable("STANDPIPE_ADMIN_SERVICE_PORT_METRICS", "4574")
        .variable("STANDPIPE_ADMIN_PORT_4574_TCP_PROTO", "tcp")
        .variable("STANDPIPES", "x")
        .variable("standpipe_home", "/opt")
        .check(expect![]);
}

#[test]
fn an_address_in_brackets_is_no_list() {
    world()
        .variable("STANDPIPE_LISTEN__ADMIN__ADDRESS", "[::1]:4575")
        .set("listen.firehose.address=[::1]:4573")
        .check(expect![[r#"
            listen.firehose.address = [::1]:4573 (--set listen.firehose.address)
            listen.admin.address = [::1]:4575 ($STANDPIPE_LISTEN__ADMIN__ADDRESS)
        "#]]);
    world()
        .set("aws.default={ region: eu-west-1 }")
        .set("aws.default.proxy.url=http://p:1")
        .set("aws.default.proxy.no_proxy=[a.example, 10.0.0.0/8]")
        .check(expect![[r#"
            aws.default.region = eu-west-1 (--set aws.default)
            aws.default.proxy.url = http://p:1/ (--set aws.default.proxy.url)
            aws.default.proxy.no_proxy = a.example, 10.0.0.0/8 (--set aws.default.proxy.no_proxy)
        "#]]);
    world().set("log.level=[debug]").check(expect![[r#"
        the configuration has 1 problem
          --set log.level  log.level: expected one value, found a list
    "#]]);
}
