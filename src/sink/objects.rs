//! A batch becomes one object: a thin user of `objects`.
//!
//! The plan is JSON with a version, because it stands in the log and may be read by a later, or an
//! earlier, Standpipe than the one that wrote it:
//!
//! ```json
//! {"v":1,"key":"2026/03/14/09/clicks-1-…","compression":"gzip","reason":"size", …}
//! ```

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{Batch, BatchFacts, FlushReason, Plan, Receipt, Sink, plan};
use crate::model::Compression;
use crate::objects::key::{KeyFacts, KeyTemplate};
use crate::objects::store::{OpenError, Stores};
use crate::objects::{Object, Refusal, Store};

pub use crate::objects::Place;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub place: Place,
    pub keys: KeyTemplate,
    pub compression: Compression,
}

pub struct Objects {
    store: Arc<dyn Store>,
    keys: KeyTemplate,
    compression: Compression,
}

/// What the object will be, decided when the batch is cut (D3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Planned {
    v: u32,
    key: String,
    compression: PlannedCompression,
    stream: String,
    /// The data directory that the batch stands in.
    directory: String,
    range: String,
    bytes: u64,
    first_arrival_ms: u64,
    reason: FlushReason,
}

/// As it is written in plans: an interface to other versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PlannedCompression {
    None,
    Gzip,
}

const VERSION: u32 = 1;

impl Objects {
    /// Touches neither network nor disk: a place that cannot be reached is found out by the first
    /// delivery, which waits.
    pub async fn open(settings: &Settings, stores: &mut Stores) -> Result<Objects, OpenError> {
        Ok(Objects {
            store: stores.open(&settings.place).await?,
            keys: settings.keys.clone(),
            compression: settings.compression,
        })
    }

    /// `s3://bucket/` or the directory's path, for people.
    pub fn url(&self) -> String {
        self.store.url()
    }

    async fn put(&self, batch: &Batch) -> Result<Receipt, Refusal> {
        let planned = Planned::read(&batch.plan)?;
        let object = planned.object(batch);
        let stored = self.store.put(&object).await?;
        Ok(Receipt {
            place: object.key,
            bytes: stored.bytes,
        })
    }

    async fn remove_leftovers(&self, open: &[Plan]) -> Result<(), Refusal> {
        // A plan that cannot be read is told by its delivery.
        let read = |plan| Planned::read(plan).ok().map(|planned| planned.key);
        let keys: Vec<_> = open.iter().filter_map(read).collect();
        self.store.clean(&keys).await
    }
}

impl Sink for Objects {
    fn kind(&self) -> &'static str {
        plan::OBJECTS
    }

    fn plan(&self, facts: &BatchFacts) -> Plan {
        let key = self.keys.object_key(&KeyFacts {
            directory: facts.directory,
            stream: &facts.stream,
            version: facts.version,
            range: facts.range,
            reader: facts.reader,
            first_arrival: facts.first_arrival,
            compression: self.compression,
        });
        let planned = Planned {
            v: VERSION,
            key,
            compression: match self.compression {
                Compression::Uncompressed => PlannedCompression::None,
                Compression::Gzip => PlannedCompression::Gzip,
            },
            stream: facts.stream.to_string(),
            directory: facts.directory.to_string(),
            range: facts.range.to_string(),
            bytes: facts.bytes,
            first_arrival_ms: facts.first_arrival.as_millis(),
            reason: facts.reason,
        };
        Plan(serde_json::to_vec(&planned).expect("a plan is plain JSON"))
    }

    fn reads(&self, plan: &Plan) -> Result<(), Refusal> {
        Planned::read(plan).map(drop)
    }

    fn deliver<'a>(&'a self, batch: &'a Batch) -> BoxFuture<'a, Result<Receipt, Refusal>> {
        Box::pin(self.put(batch))
    }

    fn clean<'a>(&'a self, open: &'a [Plan]) -> BoxFuture<'a, Result<(), Refusal>> {
        Box::pin(self.remove_leftovers(open))
    }
}

impl Planned {
    fn read(plan: &Plan) -> Result<Planned, Refusal> {
        plan::read(plan, plan::OBJECTS, VERSION)
    }

    fn object(self, batch: &Batch) -> Object {
        let metadata = vec![
            ("standpipe-stream", self.stream),
            ("standpipe-directory", self.directory),
            ("standpipe-range", self.range),
            ("standpipe-records", batch.records.to_string()),
            ("standpipe-bytes", batch.body.bytes().to_string()),
            (
                "standpipe-first-arrival-ms",
                self.first_arrival_ms.to_string(),
            ),
            ("standpipe-flush-reason", self.reason.as_str().to_owned()),
        ];
        Object {
            key: self.key,
            body: batch.body.clone(),
            compression: match self.compression {
                PlannedCompression::None => Compression::Uncompressed,
                PlannedCompression::Gzip => Compression::Gzip,
            },
            metadata,
        }
    }
}

#[cfg(test)]
mod tests;
