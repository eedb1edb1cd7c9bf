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

/// Each request (`METHOD /path`, perhaps with ` token` behind it) and the first line of its answer.
async fn check(daemon: &Idle, requests: &[&str], expected: Expect) {
    let mut told = String::new();
    for request in requests {
        let mut words = request.split(' ');
        let mut asked = http::Request::builder()
            .method(words.next().unwrap())
            .uri(words.next().unwrap());
        if let Some(token) = words.next() {
            asked = asked.header("authorization", format!("Bearer {token}"));
        }
        let answer = daemon.admin.call(asked.body(incoming("")).unwrap()).await;
        let (head, body) = answer.into_parts();
        let text = body.collect().await.unwrap().to_bytes();
        let first = std::str::from_utf8(&text).unwrap().lines().next();
        let status = head.status.as_u16();
        let content_type = head.headers["content-type"].to_str().unwrap();
        let first = first.unwrap_or("");
        writeln!(told, "{request} → {status} {content_type}: {first}").unwrap();
    }
    expected.assert_eq(&told);
}

#[tokio::test]
async fn a_daemon_that_runs_is_healthy_and_ready() {
    let requests = ["GET /healthz", "HEAD /readyz", "GET /metrics"];
    let expected = expect![[r#"
        GET /healthz → 200 text/plain; charset=utf-8: ok
        HEAD /readyz → 200 text/plain; charset=utf-8: ok
        GET /metrics → 200 text/plain; version=0.0.4; charset=utf-8: # HELP standpipe_build_info Which Standpipe this is.
    "#]];
    check(&idle::daemon(None), &requests, expected).await;
}

#[tokio::test]
async fn a_daemon_that_drains_is_healthy_and_not_ready() {
    let daemon = idle::daemon(None);
    daemon.stopper.advance(Phase::Draining);
    let expected = expect![[r#"
        GET /healthz → 200 text/plain; charset=utf-8: ok
        GET /readyz → 503 text/plain; charset=utf-8: the daemon is stopping
    "#]];
    check(&daemon, &["GET /healthz", "GET /readyz"], expected).await;
}

#[tokio::test]
async fn the_page_and_the_reasons_are_for_the_tokens_holder() {
    let daemon = idle::daemon(Some("open-sesame"));
    daemon.stopper.advance(Phase::Draining);
    let requests = [
        "GET /metrics",
        "GET /metrics open-sesam",
        "GET /metrics open-sesame",
        "GET /readyz",
        "GET /readyz open-sesame",
    ];
    let expected = expect![[r#"
        GET /metrics → 401 text/plain; charset=utf-8: send the token of listen.admin
        GET /metrics open-sesam → 401 text/plain; charset=utf-8: send the token of listen.admin
        GET /metrics open-sesame → 200 text/plain; version=0.0.4; charset=utf-8: # HELP standpipe_build_info Which Standpipe this is.
        GET /readyz → 503 text/plain; charset=utf-8: no
        GET /readyz open-sesame → 503 text/plain; charset=utf-8: the daemon is stopping
    "#]];
    check(&daemon, &requests, expected).await;
}

#[tokio::test]
async fn whoever_asks_for_something_else_is_told_what_there_is() {
    let expected = expect![[r#"
        GET / → 404 text/plain; charset=utf-8: ask /metrics, /healthz or /readyz
        POST /metrics → 405 text/plain; charset=utf-8: only GET
    "#]];
    check(&idle::daemon(None), &["GET /", "POST /metrics"], expected).await;
}

const INTRODUCTION: &str = "\
# Metrics

`GET /metrics` on `listen.admin` answers in the OpenMetrics text format to those who ask for it, as
Prometheus does, and in Prometheus' older text format (0.0.4) to all others. This page is written from
the program's own table: `UPDATE_EXPECT=1 cargo test --test admin` writes it anew.

The records of a stream are conserved, on every page and across restarts (the log itself keeps the
totals):

    accepted = delivered + failed + dropped + expired + quarantined + buffered

An alarm worth having:

- `standpipe_delivery_stuck_seconds` above what you can wait: the destination, or the failed output,
  takes nothing. With an HTTP endpoint or Splunk it lasts on while batches go to the failed output.
- any increase of `standpipe_failed_records_total`: records were not taken, or a function failed them,
  and they wait in the failed output for you.
- any increase of `standpipe_quarantined_records_total`: the disk damaged records.
- `standpipe_oldest_record_age_seconds` above a few buffer intervals.
- `standpipe_log_full` and `standpipe_log_failed`.

The counters of a stream exist from the start, at zero, but for those that an error's code names.
`expired` is always 0 as yet: nothing is given up on for its age.

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

async fn page(accept: &'static str) -> String {
    let daemon = idle::daemon(None);
    let request = http::Request::get("/metrics").header("accept", accept);
    let answer = daemon.admin.call(request.body(incoming("")).unwrap()).await;
    let page = answer.into_body().collect().await.unwrap().to_bytes();
    sorted(std::str::from_utf8(&page).unwrap())
}

#[tokio::test]
async fn the_page_of_an_idle_daemon_is_this() {
    let page = page("application/openmetrics-text; version=1.0.0").await;
    insta::with_settings!({ filters => vec![(r#"version="[^"]+""#, r#"version="VERSION""#)] }, {
        insta::assert_snapshot!("idle", page);
    });
}

#[tokio::test]
async fn scrapers_of_the_older_format_find_each_counter_under_its_own_name() {
    let page = page("text/plain; version=0.0.4").await;
    let families = [
        "standpipe_build",
        "standpipe_accepted_records",
        "standpipe_log_full",
    ];
    let lines = page.lines().filter(|line| {
        let words = line
            .trim_start_matches("# HELP ")
            .trim_start_matches("# TYPE ");
        families.iter().any(|family| words.starts_with(family))
    });
    let shown: String = lines.map(|line| format!("{line}\n")).collect();
    let shown = shown.replace(env!("CARGO_PKG_VERSION"), "[version]");
    expect![[r#"
        # HELP standpipe_build_info Which Standpipe this is.
        # TYPE standpipe_build_info gauge
        standpipe_build_info{version="[version]"} 1
        # HELP standpipe_accepted_records_total Records acknowledged since the log began: the sum of the next six.
        # TYPE standpipe_accepted_records_total counter
        standpipe_accepted_records_total{stream="clicks"} 0
        standpipe_accepted_records_total{stream="orders"} 0
        # HELP standpipe_log_full 1 while the log is full and puts are refused, else 0.
        # TYPE standpipe_log_full gauge
        standpipe_log_full 0
    "#]]
    .assert_eq(&shown);
    assert!(!page.contains("# EOF"));
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
