//! The metrics are an interface: their names, labels and meanings are held here and in
//! `docs/metrics.md`. A changed snapshot is a changed promise.

use std::fmt::Write;

use expect_test::expect_file;
use standpipe::telemetry::Metrics;

const INTRODUCTION: &str = "\
# Metrics

`GET /metrics` on `listen.admin` answers in the OpenMetrics text format. This page is written from
the program's own table: `UPDATE_EXPECT=1 cargo test --test metrics` writes it anew.

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
