//! Where a reader's records go, and what its deliveries share.

use std::sync::Arc;

use crate::buffer::Outlet;
use crate::model::{DirectoryId, ReaderKind, StreamName};
use crate::objects::key::KeyTemplate;
use crate::objects::{Room, Store};
use crate::outside::Clock;
use crate::outside::stop::{Mode, Stop};
use crate::pipeline::progress::Progress;
use crate::sink::Sink;
use crate::sink::endpoint::Endpoint;
use crate::telemetry::Metrics;

/// What all deliveries of one reader share.
pub struct Route {
    pub stream: StreamName,
    /// Of its settings.
    pub version: u32,
    pub directory: DirectoryId,
    pub reader: ReaderKind,
    pub outlet: Arc<Outlet>,
    pub destination: Destination,
    /// What requests under way may hold in memory.
    pub room: Room,
    pub failed: FailedOutput,
    pub progress: Progress,
    pub metrics: Metrics,
    pub clock: Clock,
    pub mode: Mode,
    pub stop: Stop,
    /// Draining once nobody adds to what this reader reads: a drain that delivers is not over before.
    pub upstream_ended: Stop,
}

impl Route {
    /// For metrics and logs.
    pub fn to(&self) -> &'static str {
        match self.reader {
            ReaderKind::Arrivals | ReaderKind::Answers => "destination",
            ReaderKind::Backup => "source_backup",
        }
    }
}

/// What takes batches.
#[derive(Clone)]
pub enum Destination {
    /// Whole, as objects.
    Objects(Arc<dyn Sink>),
    /// In parts, as requests.
    Requests(Arc<dyn Endpoint>),
}

impl Destination {
    /// As plans for it say.
    pub fn kind(&self) -> &'static str {
        match self {
            Destination::Objects(sink) => sink.kind(),
            Destination::Requests(endpoint) => endpoint.kind(),
        }
    }
}

/// Where records go that could not be processed or delivered.
#[derive(Clone)]
pub struct FailedOutput {
    pub store: Arc<dyn Store>,
    pub keys: KeyTemplate,
}
