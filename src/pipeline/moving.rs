//! A batch that was cut for a destination which its stream no longer has.
//!
//! ```text
//!   cut for an endpoint ──► what failed there, filed ──► moved, durable ──► the rest, as one object
//!   cut for a bucket ──► moved, durable ──► requests, verdicts
//! ```
//!
//! The log takes the new plan before anything is delivered by it, so a repeat uses that one (D3), and
//! what has a verdict is not delivered again (D5). What had arrived at the old destination without a
//! word in the log about it is delivered to the new one as well.

use super::delivery::{Delivery, Entry, LeftToTheNextLife, Written, span};
use super::plan;
use super::route::Destination;
use crate::buffer::{Shape, Verdicts};
use crate::model::ErrorOutput;
use crate::objects::Refusal;
use crate::sink::plan::sink_of;
use crate::sink::{BatchFacts, FlushReason, Plan};
use crate::telemetry::happened;

impl Delivery {
    /// Does nothing for a batch that was cut for a destination of the same kind: it goes by its own
    /// plan, wherever that is today.
    pub(super) async fn move_to_todays_destination(&mut self) -> Result<(), LeftToTheNextLife> {
        let planned = plan::of_sink(&self.cut.plan);
        let left = |refusal: Refusal| self.leave(&refusal);
        let before = plan::of_failed(&self.cut.plan).map_err(left)?;
        let from = sink_of(&planned).map_err(left)?;
        let to = self.route.destination.kind();
        if from == to {
            return self.destination_reads(&planned).map_err(left);
        }
        let anew = plan::compose_anew(&self.route, &self.facts(), &before.unwrap_or_default());
        self.file_what_failed_there().await?;
        if self.write(Entry::Move(anew.clone())).await? == Written::Stale {
            return Err(LeftToTheNextLife);
        }
        self.cut.plan = anew;
        self.cut.shape = Shape::InParts(self.verdicts(Verdicts::clone));
        let left = self.without_verdicts();
        let left = left.iter().map(|range| range.count()).sum();
        happened::delivery::moved(self.batch(self.size()), &from, to, left);
        Ok(())
    }

    fn destination_reads(&self, planned: &Plan) -> Result<(), Refusal> {
        match &self.route.destination {
            Destination::Objects(sink) => sink.reads(planned),
            Destination::Requests(endpoint) => endpoint.terms(planned).map(drop),
        }
    }

    /// Under the name and in the shape that the old plan says: the new one has others.
    async fn file_what_failed_there(&mut self) -> Result<(), LeftToTheNextLife> {
        while self.verdicts(Verdicts::have_failures) {
            let plan = self.failed_plan()?;
            let mut errors = [ErrorOutput::HttpEndpoint, ErrorOutput::Splunk].into_iter();
            let there = errors.find(|error| plan.key(*error).is_some());
            self.file_so_far(there.unwrap_or(ErrorOutput::HttpEndpoint))
                .await?;
        }
        Ok(())
    }

    fn facts(&self) -> BatchFacts {
        BatchFacts {
            directory: self.route.directory,
            stream: self.route.stream.clone(),
            version: self.route.version,
            range: span(&self.cut.ranges),
            reader: self.route.reader,
            records: self.cut.records,
            bytes: self.cut.bytes,
            first_arrival: self.cut.first_arrival,
            reason: FlushReason::Moved,
        }
    }
}
