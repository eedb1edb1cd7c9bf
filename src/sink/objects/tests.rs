//! What a plan says, and that a repeat obeys it and not today's settings.

use std::sync::Mutex;

use expect_test::{Expect, expect};
use futures_util::StreamExt;

use super::*;
use crate::model::{Body, DirectoryId, ReaderKind, RecordsBuilder, Seq, SeqRange, Timestamp};
use crate::objects::Stored;

/// Takes everything and remembers what it was asked.
#[derive(Default)]
struct Remembering(Mutex<Vec<String>>);

impl Store for Remembering {
    fn put<'a>(&'a self, object: &'a Object) -> BoxFuture<'a, Result<Stored, Refusal>> {
        let metadata = object.metadata.iter();
        let metadata: Vec<_> = metadata
            .map(|(name, value)| format!("  {name}: {value}"))
            .collect();
        let put = format!(
            "put {} {:?}\n{}",
            object.key,
            object.compression,
            metadata.join("\n")
        );
        self.0.lock().unwrap().push(put);
        Box::pin(async { Ok(Stored { bytes: 1 }) })
    }

    fn clean<'a>(&'a self, open_keys: &'a [String]) -> BoxFuture<'a, Result<(), Refusal>> {
        let keys = open_keys.join(" ");
        self.0.lock().unwrap().push(format!("clean {keys}"));
        Box::pin(async { Ok(()) })
    }

    fn url(&self) -> String {
        "remembering".to_owned()
    }
}

fn sink(store: Arc<Remembering>, prefix: &str, compression: Compression) -> Objects {
    Objects {
        store,
        keys: KeyTemplate::new(Some(prefix), None, None).unwrap(),
        compression,
    }
}

fn facts() -> BatchFacts {
    BatchFacts {
        directory: DirectoryId(0xabc),
        stream: "clicks".parse().unwrap(),
        version: 3,
        range: SeqRange::new(Seq::new(10), Seq::new(12)),
        reader: ReaderKind::Arrivals,
        records: 2,
        bytes: 6,
        first_arrival: Timestamp::from_millis(1_773_480_413_589),
        reason: FlushReason::Interval,
    }
}

fn batch(plan: Plan) -> Batch {
    let mut records = RecordsBuilder::default();
    records.push(b"abcdef");
    let records = records.build().unwrap();
    Batch {
        plan,
        body: Body::new(6, move || {
            futures_util::stream::iter([Ok(records.clone())]).boxed()
        }),
        first: Seq::new(10),
        records: 2,
    }
}

#[test]
fn a_plan_is_versioned_json() {
    let plan = sink(Arc::default(), "in/", Compression::Gzip).plan(&facts());
    expect![[r#"{"v":1,"key":"in/2026/03/14/09/clicks-3-2026-03-14-09-26-53-e914778d-031a-4b82-bc57-7193befe1590.gz","compression":"gzip","stream":"clicks","directory":"00000000000000000000000000000abc","range":"10..12","bytes":6,"first_arrival_ms":1773480413589,"reason":"interval"}"#]].assert_eq(std::str::from_utf8(&plan.0).unwrap());
}

#[tokio::test]
async fn d3_a_repeat_uses_the_plan_and_never_todays_settings() {
    let store = Arc::new(Remembering::default());
    let before = sink(Arc::clone(&store), "in/", Compression::Gzip);
    let plan = before.plan(&facts());
    assert_eq!(plan, before.plan(&facts()));
    let after = sink(Arc::clone(&store), "elsewhere/", Compression::Uncompressed);
    after.clean(std::slice::from_ref(&plan)).await.unwrap();
    after.deliver(&batch(plan)).await.unwrap();
    expect![[r#"
        clean in/2026/03/14/09/clicks-3-2026-03-14-09-26-53-e914778d-031a-4b82-bc57-7193befe1590.gz
        put in/2026/03/14/09/clicks-3-2026-03-14-09-26-53-e914778d-031a-4b82-bc57-7193befe1590.gz Gzip
          standpipe-stream: clicks
          standpipe-directory: 00000000000000000000000000000abc
          standpipe-range: 10..12
          standpipe-records: 2
          standpipe-bytes: 6
          standpipe-first-arrival-ms: 1773480413589
          standpipe-flush-reason: interval"#]].assert_eq(&store.0.lock().unwrap().join("\n"));
}

async fn check_refused(plan: &str, expected: Expect) {
    let store = Arc::new(Remembering::default());
    let sink = sink(Arc::clone(&store), "", Compression::Gzip);
    let plan = Plan(plan.as_bytes().to_vec());
    sink.clean(std::slice::from_ref(&plan)).await.unwrap();
    let refusal = sink.deliver(&batch(plan)).await.unwrap_err();
    assert!(refusal.needs_operator);
    assert_eq!(*store.0.lock().unwrap(), ["clean "]);
    expected.assert_eq(&format!("{}: {refusal}", refusal.code));
}

#[tokio::test]
async fn a_plan_that_cannot_be_obeyed_waits_for_the_operator() {
    check_refused(r#"{"v":2,"name":"x"}"#, expect!["Plan.Version: this batch was cut by another Standpipe, whose plans have version 2 and not 1: run that one until it is delivered"]).await;
    check_refused(
        r#"{"v":1,"sink":"splunk"}"#,
        expect!["Plan.Destination: this batch is planned for another destination, `splunk`"],
    )
    .await;
    check_refused(r#"{"v":1}"#, expect!["Plan.Damaged: failed to read what was planned for this batch: its cut in the log is damaged"]).await;
    check_refused("", expect!["Plan.Damaged: failed to read what was planned for this batch: its cut in the log is damaged"]).await;
}
