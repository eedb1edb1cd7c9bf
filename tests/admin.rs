//! What operators are answered, without sockets. The metrics are an interface: their names, labels
//! and meanings are held here and in `docs/metrics.md`. A changed snapshot is a changed promise.

#[path = "support/idle.rs"]
mod idle;

use std::fmt::Write;

use expect_test::{Expect, expect, expect_file};
use http_body_util::BodyExt;
use idle::Idle;
use standpipe::outside::stop::Phase;
use standpipe::server::{Service, incoming};
use standpipe::telemetry::Metrics;

/// `METHOD /path`, perhaps with ` token` behind it.
async fn check(daemon: &Idle, request: &str, expected: Expect) {
    let mut words = request.split(' ');
    let mut asked = http::Request::builder()
        .method(words.next().unwrap())
        .uri(words.next().unwrap());
    if let Some(token) = words.next() {
        asked = asked.header("authorization", format!("Bearer {token}"));
    }
    let answer = daemon.admin.call(asked.body(incoming("")).unwrap()).await;
    let (head, body) = answer.into_parts();
    let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
    let first = text.lines().next().unwrap_or("");
    let content_type = head.headers["content-type"].to_str().unwrap();
    expected.assert_eq(&format!("{} {content_type}: {first}", head.status.as_u16()));
}

#[tokio::test]
async fn a_daemon_that_runs_is_healthy_and_ready() {
    let daemon = idle::daemon(None);
    check(
        &daemon,
        "GET /healthz",
        expect!["200 text/plain; charset=utf-8: ok"],
    )
    .await;
    check(
        &daemon,
        "HEAD /readyz",
        expect!["200 text/plain; charset=utf-8: ok"],
    )
    .await;
    check(&daemon, "GET /metrics", expect!["200 application/openmetrics-text; version=1.0.0; charset=utf-8: # HELP standpipe_build Which Standpipe this is."]).await;
}

#[tokio::test]
async fn a_daemon_that_drains_is_healthy_and_not_ready() {
    let daemon = idle::daemon(None);
    daemon.stopper.advance(Phase::Draining);
    check(
        &daemon,
        "GET /healthz",
        expect!["200 text/plain; charset=utf-8: ok"],
    )
    .await;
    check(
        &daemon,
        "GET /readyz",
        expect!["503 text/plain; charset=utf-8: the daemon is stopping"],
    )
    .await;
}

#[tokio::test]
async fn the_page_and_the_reasons_are_for_the_tokens_holder() {
    let daemon = idle::daemon(Some("open-sesame"));
    daemon.stopper.advance(Phase::Draining);
    check(
        &daemon,
        "GET /metrics",
        expect!["401 text/plain; charset=utf-8: send the token of listen.admin"],
    )
    .await;
    check(
        &daemon,
        "GET /metrics open-sesam",
        expect!["401 text/plain; charset=utf-8: send the token of listen.admin"],
    )
    .await;
    check(&daemon, "GET /metrics open-sesame", expect!["200 application/openmetrics-text; version=1.0.0; charset=utf-8: # HELP standpipe_build Which Standpipe this is."]).await;
    check(
        &daemon,
        "GET /readyz",
        expect!["503 text/plain; charset=utf-8: no"],
    )
    .await;
    check(
        &daemon,
        "GET /readyz open-sesame",
        expect!["503 text/plain; charset=utf-8: the daemon is stopping"],
    )
    .await;
}

#[tokio::test]
async fn whoever_asks_for_something_else_is_told_what_there_is() {
    let daemon = idle::daemon(None);
    check(
        &daemon,
        "GET /",
        expect!["404 text/plain; charset=utf-8: ask /metrics, /healthz or /readyz"],
    )
    .await;
    check(
        &daemon,
        "POST /metrics",
        expect!["405 text/plain; charset=utf-8: only GET"],
    )
    .await;
}

const INTRODUCTION: &str = "\
# Metrics

`GET /metrics` on `listen.admin` answers in the OpenMetrics text format. This page is written from
the program's own table: `UPDATE_EXPECT=1 cargo test --test admin` writes it anew.

The records of a stream are conserved, on every page and across restarts (the log itself keeps the
totals):

    accepted = delivered + failed + dropped + expired + quarantined + buffered

An alarm worth having: `standpipe_delivery_stuck_seconds` above what you can wait,
`standpipe_oldest_record_age_seconds` above a few buffer intervals, `standpipe_log_full`,
`standpipe_log_failed`, any increase of `standpipe_expired_records_total` or
`standpipe_quarantined_records_total`.

| metric | kind | labels | meaning |
|---|---|---|---|
";

#[test]
fn the_documentation_names_every_metric() {
    let mut page = INTRODUCTION.to_owned();
    for row in Metrics::default().table() {
        let (name, kind) = (row.full_name(), row.kind());
        let (kind, labels, help) = (kind.as_str(), row.labels, row.help);
        writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").unwrap();
    }
    expect_file!["../docs/metrics.md"].assert_eq(&page);
}

#[tokio::test]
async fn the_page_of_an_idle_daemon_is_this() {
    let daemon = idle::daemon(None);
    let request = http::Request::get("/metrics").body(incoming("")).unwrap();
    let answer = daemon.admin.call(request).await;
    let page = answer.into_body().collect().await.unwrap().to_bytes();
    let page = sorted(std::str::from_utf8(&page).unwrap());
    insta::with_settings!({ filters => vec![(r#"version="[^"]+""#, r#"version="VERSION""#)] }, {
        insta::assert_snapshot!("idle", page);
    });
}

/// The samples of a family come in any order.
fn sorted(page: &str) -> String {
    let lines: Vec<_> = page.lines().collect();
    let families = lines.chunk_by(|one, next| !one.starts_with('#') && !next.starts_with('#'));
    let sorted = families.flat_map(|family| {
        let mut family = family.to_vec();
        family.sort();
        family
    });
    sorted.collect::<Vec<_>>().join("\n")
}
