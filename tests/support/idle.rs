//! A daemon's admin side over a log that nobody uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use standpipe::admin::{Admin, Watched};
use standpipe::buffer::{self, StreamSpec};
use standpipe::model::{ByteSize, Secret, Timestamp};
use standpipe::outside::disk::RealDisk;
use standpipe::outside::stop::{self, Stopper};
use standpipe::outside::{Clock, Dice};
use standpipe::pipeline::progress::Progress;
use standpipe::server::Pulse;
use standpipe::telemetry::{Metrics, happened};
use tempfile::TempDir;

pub struct Idle {
    pub admin: Admin,
    pub stopper: Stopper,
    /// Keep what `admin` looks at.
    _log: buffer::Opened,
    _folder: TempDir,
}

pub fn daemon(token: Option<&str>) -> Idle {
    let folder = TempDir::new().unwrap();
    let settings = buffer::Settings {
        directory: PathBuf::from(folder.path()),
        max_size: ByteSize::mebibytes(1024),
    };
    let streams = ["clicks", "orders"].map(|name| StreamSpec {
        name: name.parse().unwrap(),
        fingerprint: 1,
        readers: BTreeSet::new(),
    });
    let metrics = Metrics::default();
    let clock = Clock::system();
    let disk = Arc::new(RealDisk::new(folder.path()));
    let dice = Dice::seeded(1);
    let log = buffer::open(disk, &settings, &streams, clock, dice, metrics.clone()).unwrap();
    let born = Timestamp::from_millis(1_767_225_600_000);
    happened::daemon::started(&metrics, born, "delivery.yaml", folder.path());
    let (stopper, stop) = stop::channel();
    let progress = |spec: &StreamSpec| (spec.name.clone(), vec![Progress::default()]);
    let watched = Watched {
        status: log.status.clone(),
        stop,
        pipelines: BTreeMap::from_iter(streams.iter().map(progress)),
        listener: Pulse::default(),
    };
    Idle {
        admin: Admin::new(watched, metrics, token.map(Secret::new)),
        stopper,
        _log: log,
        _folder: folder,
    }
}
