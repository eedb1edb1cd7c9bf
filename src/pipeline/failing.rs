//! What failed of a batch goes to the failed output, before the batch is settled (D1).
//!
//! Failures are of two kinds: records that the transformer could not process, and parts that the sink
//! would not take. Each kind becomes one object, whose name stands in the cut (D3). It is tried until
//! it is there: the failed output is never given up on (D4).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::delivery::{Delivery, LeftToTheNextLife, span};
use super::plan::{self, FailedPlan};
use super::progress::Place;
use super::reading::{Select, Size, good_records};
use crate::buffer::{Chunk, Shape, Verdict, Verdicts};
use crate::failed::{Cause, Line};
use crate::model::{Compression, ErrorOutput, ReaderKind, Records, RecordsBuilder, SeqRange};
use crate::objects::{Object, Refusal};
use crate::telemetry::happened;

impl Delivery {
    /// Answers how many records rest in the failed output.
    pub(super) async fn file_failures(&mut self) -> Result<u64, LeftToTheNextLife> {
        let verdicts = self.verdicts();
        let delivery = verdicts
            .iter()
            .any(|(_, verdict)| matches!(verdict, Verdict::Failed(_)));
        if self.route.reader != ReaderKind::Answers && !delivery {
            return Ok(0);
        }
        let plan = self.failed_plan().await?;
        let mut failed = 0;
        if self.route.reader == ReaderKind::Answers {
            failed += self
                .file(&plan, ErrorOutput::Processing, Arc::new(processing_lines))
                .await?;
        }
        for error in [ErrorOutput::HttpEndpoint, ErrorOutput::Splunk] {
            if delivery && plan.key(error).is_some() {
                let verdicts = verdicts.clone();
                let select = move |chunk: &Chunk| delivery_lines(chunk, &verdicts, error);
                failed += self.file(&plan, error, Arc::new(select)).await?;
            }
        }
        Ok(failed)
    }

    /// The verdicts on the parts of this cut, as they stand in the log.
    pub(super) fn verdicts(&self) -> Verdicts {
        let open = self.route.outlet.open_cuts();
        let ours = open.into_iter().find(|cut| cut.id == self.cut.id);
        match ours.map(|cut| cut.shape) {
            Some(Shape::InParts(verdicts)) => verdicts,
            Some(Shape::Whole) | None => Verdicts::default(),
        }
    }

    async fn failed_plan(&mut self) -> Result<FailedPlan, LeftToTheNextLife> {
        loop {
            let refusal = match plan::of_failed(&self.cut.plan) {
                Ok(Some(plan)) => return Ok(plan),
                Ok(None) => plan::missing(),
                Err(refusal) => refusal,
            };
            self.hold_failures(&refusal).await?;
        }
    }

    /// Answers how many lines there are.
    async fn file(
        &mut self,
        plan: &FailedPlan,
        error: ErrorOutput,
        select: Arc<Select>,
    ) -> Result<u64, LeftToTheNextLife> {
        loop {
            let size = self.measure(select.as_ref()).await?;
            if size.records == 0 {
                return Ok(0);
            }
            let started = Instant::now();
            match self.put_lines(plan, error, size, &select).await {
                Ok(()) => {
                    self.filed(plan, error, size, started.elapsed());
                    return Ok(size.records);
                }
                Err(refusal) => match self.reading.take_damage() {
                    Some(stretch) => self.set_aside(stretch).await?,
                    None => self.hold_failures(&refusal).await?,
                },
            }
        }
    }

    async fn put_lines(
        &self,
        plan: &FailedPlan,
        error: ErrorOutput,
        size: Size,
        select: &Arc<Select>,
    ) -> Result<(), Refusal> {
        let key = plan.key(error).ok_or_else(plan::missing)?;
        let object = Object {
            key: key.to_owned(),
            body: self.reading.body(&self.cut.ranges, size.bytes, select),
            compression: Compression::Uncompressed,
            metadata: vec![
                ("standpipe-stream", self.route.stream.to_string()),
                ("standpipe-directory", self.route.directory.to_string()),
                ("standpipe-range", span(&self.cut.ranges).to_string()),
                ("standpipe-records", size.records.to_string()),
                ("standpipe-error-output-type", error.as_str().to_owned()),
            ],
        };
        self.route.failed.store.put(&object).await.map(drop)
    }

    fn filed(&self, plan: &FailedPlan, error: ErrorOutput, size: Size, took: Duration) {
        let filed = happened::delivery::Filed {
            stream: &self.route.stream,
            range: span(&self.cut.ranges),
            records: size.records,
            error_output: error.as_str(),
            object: plan.key(error).unwrap_or_default(),
            took,
        };
        happened::delivery::filed(&self.route.metrics, filed);
        self.taken_by(Place::FailedOutput);
    }
}

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
