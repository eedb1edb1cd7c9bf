//! What failed of a batch goes to the failed output, before the batch is settled (D1).
//!
//! Failures are of two kinds: records that the transformer could not process, and parts that the sink
//! would not take. Each kind becomes one object, whose name stands in the cut (D3); a batch of which so
//! much is refused that its verdicts would not fit the log's snapshots has some more. Each is tried
//! until it is there: the failed output is never given up on (D4).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::delivery::{Delivery, Entry, LeftToTheNextLife, span};
use super::plan::{self, FailedPlan};
use super::progress::Place;
use super::reading::{Select, Size, good_records};
use crate::buffer::{Chunk, Verdict, Verdicts};
use crate::failed::{Cause, Line};
use crate::model::{
    Compression, ErrorOutput, ReaderKind, Records, RecordsBuilder, Seq, SeqRange, drawn,
};
use crate::objects::{Object, Refusal};
use crate::sink;
use crate::telemetry::happened;

/// Some of a batch's failures, which become one object.
struct Lot<'a> {
    error: ErrorOutput,
    /// Where they stand.
    ranges: &'a [SeqRange],
    key: String,
    select: Arc<Select>,
}

impl Delivery {
    /// Answers how many records rest in the failed output.
    pub(super) async fn file_failures(&mut self) -> Result<u64, LeftToTheNextLife> {
        let mut failed = self.verdicts(Verdicts::filed).unwrap_or_default();
        if self.route.reader == ReaderKind::Answers {
            let plan = self.failed_plan()?;
            let ranges = self.cut.ranges.clone();
            let lot = Lot {
                error: ErrorOutput::Processing,
                ranges: &ranges,
                key: self.key(&plan, ErrorOutput::Processing)?,
                select: Arc::new(processing_lines),
            };
            failed += self.file(&lot).await?;
        }
        if self.verdicts(Verdicts::have_failures) {
            let plan = self.failed_plan()?;
            for error in [ErrorOutput::HttpEndpoint, ErrorOutput::Splunk] {
                if plan.key(error).is_some() {
                    failed += self.file_judged(&plan, error).await?;
                }
            }
        }
        Ok(failed)
    }

    /// There is no room for more failures: those so far are filed, and at rest from then on.
    pub(super) async fn file_so_far(
        &mut self,
        error: ErrorOutput,
    ) -> Result<(), LeftToTheNextLife> {
        let Some(judged) = self.verdicts(|verdicts| verdicts.unfiled(&self.cut.ranges)) else {
            return Ok(());
        };
        let plan = self.failed_plan()?;
        let failed = self.file_judged(&plan, error).await?;
        let at_rest = Verdict::AtRest { failed };
        self.write(Entry::Verdict(judged, at_rest)).await.map(drop)
    }

    /// What the sink would not take, as far as it is not filed yet.
    async fn file_judged(
        &mut self,
        plan: &FailedPlan,
        error: ErrorOutput,
    ) -> Result<u64, LeftToTheNextLife> {
        let verdicts = self.verdicts(Verdicts::clone);
        let Some(judged) = verdicts.unfiled(&self.cut.ranges) else {
            return Ok(0);
        };
        let ranges = self.cut.ranges.iter();
        let ranges: Vec<SeqRange> = ranges.filter_map(|range| range.shared(judged)).collect();
        let mut key = self.key(plan, error)?;
        if verdicts.filed().is_some() {
            key = key_of_more(&key, judged.start());
        }
        let lot = Lot {
            error,
            ranges: &ranges,
            key,
            select: Arc::new(move |chunk| delivery_lines(chunk, &verdicts, error)),
        };
        self.file(&lot).await
    }

    /// What became of this cut's parts, as it stands in the log.
    pub(super) fn verdicts<T: Default>(&self, look: impl FnOnce(&Verdicts) -> T) -> T {
        let found = self.route.outlet.verdicts(self.cut.id, look);
        found.unwrap_or_default()
    }

    fn key(&self, plan: &FailedPlan, error: ErrorOutput) -> Result<String, LeftToTheNextLife> {
        let key = plan.key(error).map(str::to_owned);
        key.ok_or_else(|| self.leave(&sink::plan::without_failures()))
    }

    pub(super) fn failed_plan(&self) -> Result<FailedPlan, LeftToTheNextLife> {
        let plan = plan::of_failed(&self.cut.plan).map_err(|refusal| self.leave(&refusal))?;
        plan.ok_or_else(|| self.leave(&sink::plan::without_failures()))
    }

    /// Answers how many lines there are.
    async fn file(&mut self, lot: &Lot<'_>) -> Result<u64, LeftToTheNextLife> {
        loop {
            let size = self.measure(lot.ranges, lot.select.as_ref()).await?;
            if size.records == 0 {
                return Ok(0);
            }
            let started = Instant::now();
            match self.put_lines(lot, size).await {
                Ok(()) => {
                    self.tell_filed(lot, size, started.elapsed());
                    return Ok(size.records);
                }
                Err(refusal) => match self.reading.take_damage() {
                    Some(stretch) => self.set_aside(stretch).await?,
                    None => self.hold_failures(&refusal).await?,
                },
            }
        }
    }

    async fn put_lines(&self, lot: &Lot<'_>, size: Size) -> Result<(), Refusal> {
        let object = Object {
            key: lot.key.clone(),
            body: self.reading.body(lot.ranges, size.bytes, &lot.select),
            compression: Compression::Uncompressed,
            metadata: vec![
                ("standpipe-stream", self.route.stream.to_string()),
                ("standpipe-directory", self.route.directory.to_string()),
                ("standpipe-range", span(lot.ranges).to_string()),
                ("standpipe-records", size.records.to_string()),
                ("standpipe-error-output-type", lot.error.as_str().to_owned()),
            ],
        };
        self.route.failed.store.put(&object).await.map(drop)
    }

    fn tell_filed(&self, lot: &Lot<'_>, size: Size, took: Duration) {
        let filed = happened::delivery::Filed {
            stream: &self.route.stream,
            range: span(lot.ranges),
            records: size.records,
            error_output: lot.error.as_str(),
            object: &lot.key,
            took,
        };
        happened::delivery::filed(&self.route.metrics, filed);
        self.taken_by(Place::FailedOutput);
    }
}

/// After the first filing of a batch an object's name is a function of where its part begins (D3). It is
/// as long as the first one's: the uuid at its end is another.
fn key_of_more(key: &str, start: Seq) -> String {
    let start = start.get().to_be_bytes();
    let uuid = drawn::uuid(&[b"standpipe more failures 1", &start, key.as_bytes()]);
    let stem = key.char_indices().nth_back(UUID_CHARACTERS - 1);
    let stem = stem.map_or("", |(end, _)| &key[..end]);
    format!("{stem}{uuid}")
}

const UUID_CHARACTERS: usize = 36;

/// What the transformer could not process.
fn processing_lines(chunk: &Chunk) -> Option<Records> {
    let mut lines = RecordsBuilder::default();
    for (_, record) in &chunk.failed {
        let function = &record.function;
        let line = Line {
            data: &record.data,
            arrival: record.arrival,
            failure: &record.failure,
            cause: Cause::Transformer { function },
        };
        line.write_to(lines.slab_mut());
        lines.end_record();
    }
    lines.build()
}

/// What the sink would not take.
fn delivery_lines(chunk: &Chunk, verdicts: &Verdicts, error: ErrorOutput) -> Option<Records> {
    let mut lines = RecordsBuilder::default();
    for (seq, arrival, data) in good_records(chunk) {
        let one = SeqRange::new(seq, seq.plus(1));
        let Some(Verdict::Failed(failure)) = verdicts.of(one) else {
            continue;
        };
        let cause = match error {
            ErrorOutput::HttpEndpoint => Cause::HttpEndpoint { seq },
            ErrorOutput::Splunk => Cause::Splunk { seq },
            ErrorOutput::Processing => continue,
        };
        let line = Line {
            data,
            arrival,
            failure,
            cause,
        };
        line.write_to(lines.slab_mut());
        lines.end_record();
    }
    lines.build()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::buffer::FailedRecord;
    use crate::model::{Failure, Timestamp};

    /// Records 10 to 14, of which the second failed in the transformer.
    fn chunk() -> Chunk {
        let mut records = RecordsBuilder::default();
        for record in ["zero", "", "two", "three", "four"] {
            records.push(record.as_bytes());
        }
        let failed = FailedRecord {
            function: "arn:f".into(),
            failure: failure("Lambda.FunctionError", 4),
            arrival: Timestamp::from_millis(900),
            data: Bytes::from_static(b"one"),
        };
        Chunk {
            first: Seq::new(10),
            records: records.build().unwrap(),
            arrivals: vec![
                (0, Timestamp::from_millis(1000)),
                (3, Timestamp::from_millis(2000)),
            ],
            failed: vec![(1, failed)],
        }
    }

    fn failure(code: &str, attempts: u32) -> Failure {
        Failure::new(code, "why", attempts, Timestamp::from_millis(5000))
    }

    #[track_caller]
    fn check(lines: Option<Records>, expected: Expect) {
        let lines = lines.map_or("none\n".to_owned(), |lines| {
            String::from_utf8(lines.slab().to_vec()).unwrap()
        });
        expected.assert_eq(&lines);
    }

    fn verdicts(given: &[(u64, u64, Verdict)]) -> Verdicts {
        let mut verdicts = Verdicts::default();
        for (start, end, verdict) in given {
            let part = SeqRange::new(Seq::new(*start), Seq::new(*end));
            verdicts.add(part, verdict.clone());
        }
        verdicts
    }

    #[test]
    fn d3_more_failures_of_a_batch_have_names_of_the_same_shape() {
        let first = "splunk-failed/2026/a-1-ba7816bf-8f01-4fea-8141-40de5dae2223";
        let names = [7, 8].map(|start| key_of_more(first, Seq::new(start)));
        assert_eq!(names[0], key_of_more(first, Seq::new(7)));
        expect!["splunk-failed/2026/a-1-46429941-8ee1-4f26-9671-e3f5282738c0 splunk-failed/2026/a-1-ddb29e1b-eef0-44b2-b0e5-3df8da51dd9e"].assert_eq(&names.join(" "));
    }

    #[test]
    fn what_the_transformer_could_not_process_is_told_with_what_came() {
        check(
            processing_lines(&chunk()),
            expect![[r#"
            {"rawData":"b25l","errorCode":"Lambda.FunctionError","errorMessage":"why","attemptsMade":4,"arrivalTimestamp":900,"attemptEndingTimestamp":5000,"lambdaArn":"arn:f"}
        "#]],
        );
        let mut good = chunk();
        good.failed.clear();
        check(
            processing_lines(&good),
            expect![[r#"
            none
        "#]],
        );
    }

    #[test]
    fn what_the_sink_would_not_take_is_told_unless_it_failed_before_or_is_at_rest() {
        let failed = |attempts| Verdict::Failed(failure("Splunk.AckTimeout", attempts));
        let lines = |given: &[(u64, u64, Verdict)], error| {
            delivery_lines(&chunk(), &verdicts(given), error)
        };
        let some = [
            (10, 12, failed(1)),
            (12, 13, Verdict::Delivered),
            (13, 14, failed(2)),
        ];
        check(
            lines(&some, ErrorOutput::Splunk),
            expect![[r#"
            {"attemptsMade":0,"arrivalTimestamp":1000,"errorCode":"Splunk.AckTimeout","errorMessage":"why","attemptEndingTimestamp":5000,"rawData":"emVybw==","EventId":"49000000000000000000000000000000000000000000000000000010.0"}
            {"attemptsMade":1,"arrivalTimestamp":2000,"errorCode":"Splunk.AckTimeout","errorMessage":"why","attemptEndingTimestamp":5000,"rawData":"dGhyZWU=","EventId":"49000000000000000000000000000000000000000000000000000013.0"}
        "#]],
        );
        check(
            lines(&some[..1], ErrorOutput::HttpEndpoint),
            expect![[r#"
            {"attemptsMade":1,"arrivalTimestamp":1000,"errorCode":"Splunk.AckTimeout","errorMessage":"why","attemptEndingTimestamp":5000,"rawData":"emVybw==","subsequenceNumber":0,"dataId":"49000000000000000000000000000000000000000000000000000010.0"}
        "#]],
        );
        let filed = [&some[..], &[(10, 13, Verdict::AtRest { failed: 1 })]].concat();
        check(
            lines(&filed, ErrorOutput::Splunk),
            expect![[r#"
            {"attemptsMade":1,"arrivalTimestamp":2000,"errorCode":"Splunk.AckTimeout","errorMessage":"why","attemptEndingTimestamp":5000,"rawData":"dGhyZWU=","EventId":"49000000000000000000000000000000000000000000000000000013.0"}
        "#]],
        );
        check(
            lines(&[(10, 15, Verdict::Delivered)], ErrorOutput::Splunk),
            expect![[r#"
                none
            "#]],
        );
        check(
            lines(&[], ErrorOutput::Splunk),
            expect![[r#"
            none
        "#]],
        );
    }
}
