//! A disk that never answers, or that fails for good: health says so, a stop does not wait for it, and
//! the outcome tells.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use standpipe::config::{self, Sources};
use standpipe::daemon::{Daemon, Doors, Outcome, Sockets, Wish};
use standpipe::outside::disk::{Disk, DiskFile, Entry, RealDisk};
use standpipe::outside::http_client::Network;
use standpipe::outside::{Clock, Dice, Surroundings};
use standpipe::server::{Service, incoming};
use standpipe::telemetry::Metrics;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

/// While it is shut, syncs wait; once it is broken, they fail.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<Passage>, Condvar)>);

#[derive(Default)]
struct Passage {
    shut: bool,
    broken: bool,
    waiting: usize,
}

impl Gate {
    fn pass(&self) -> io::Result<()> {
        let mut passage = self.0.0.lock().unwrap();
        passage.waiting += 1;
        let mut passage = self.0.1.wait_while(passage, |it| it.shut).unwrap();
        passage.waiting -= 1;
        match passage.broken {
            true => Err(io::Error::other("the device is gone")),
            false => Ok(()),
        }
    }

    /// For good.
    fn break_down(&self) {
        self.0.0.lock().unwrap().broken = true;
        self.shut(false);
    }

    fn shut(&self, shut: bool) {
        self.0.0.lock().unwrap().shut = shut;
        self.0.1.notify_all();
    }

    fn somebody_waits(&self) -> bool {
        0 < self.0.0.lock().unwrap().waiting
    }
}

/// A real one behind the gate.
struct Slow(RealDisk, Gate);

struct SlowFile(Arc<dyn DiskFile>, Gate);

impl Slow {
    fn file(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(SlowFile(file, self.1.clone()))
    }
}

impl Disk for Slow {
    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.0.list(folder)
    }
    fn create(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.0.create(path)?))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.file(self.0.open(path)?))
    }
    fn lock(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        self.0.lock(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.0.create_folder(path)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.0.sync_folder(folder)
    }
    fn forgets(&self) -> io::Result<bool> {
        Ok(false)
    }
    fn waits(&self) -> bool {
        true
    }
}

impl DiskFile for SlowFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.0.write_at(slices, offset)
    }
    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.0.allocate(bytes)
    }
    fn sync(&self) -> io::Result<()> {
        self.1.pass()?;
        self.0.sync()
    }
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
}

/// A daemon whose disk hangs in the sync of a first put.
struct Hung {
    gate: Gate,
    admin: Arc<dyn Service>,
    wish: mpsc::Sender<Wish>,
    running: JoinSet<Option<Outcome>>,
    _folder: TempDir,
}

async fn hung() -> Hung {
    let folder = TempDir::new().unwrap();
    let yaml = "storage: { directory: data, max_size: 128MiB }\n\
                streams: { demo: { source: direct_put, destination: { directory: { path: out } } } }\n\
                shutdown: { deadline: 25s }\n";
    std::fs::write(folder.path().join("delivery.yaml"), yaml).unwrap();
    let surroundings = Surroundings::given(BTreeMap::new(), folder.path().to_owned());
    let loaded = config::load(&Sources::default(), &surroundings).unwrap();
    let gate = Gate::default();
    let (root, at_gate) = (folder.path().to_owned(), gate.clone());
    let doors = Doors {
        disk: Box::new(move |path| {
            Arc::new(Slow(RealDisk::new(root.join(path)), at_gate.clone())) as Arc<dyn Disk>
        }),
        http: Box::new(|settings| Ok(Arc::new(Network::open(settings)?))),
        clock: Clock::system(),
        dice: Dice::seeded(1),
        metrics: Metrics::default(),
    };
    let daemon = Daemon::open(&loaded.settings, doors).await.unwrap();
    let admin = daemon.admin.clone();
    let put = daemon.direct_put.clone();
    let (wish, wishes) = mpsc::channel(2);
    let mut running = JoinSet::new();
    running.spawn(async { Some(daemon.run(Sockets::default(), wishes).await) });
    gate.shut(true);
    running.spawn(async move {
        let request = http::Request::post("/v1/streams/demo/records");
        put.call(request.body(incoming("hello")).unwrap()).await;
        None
    });
    while !gate.somebody_waits() {
        tokio::task::yield_now().await;
    }
    Hung {
        gate,
        admin,
        wish,
        running,
        _folder: folder,
    }
}

impl Hung {
    async fn asked(&self, path: &str) -> String {
        let request = http::Request::get(path).body(incoming("")).unwrap();
        let answer = self.admin.call(request).await;
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body);
        format!("{} {}", head.status.as_u16(), text.trim_end())
    }
}

impl Drop for Hung {
    fn drop(&mut self) {
        // A runtime waits for its blocking threads.
        self.gate.shut(false);
    }
}

const NO: &str = "503 the disk has not answered for 61 s: puts wait; see the kernel's log for the \
                  device";

#[tokio::test(start_paused = true)]
async fn health_sees_a_sync_that_never_ends_and_one_that_ends_after_all() {
    let mut hung = hung().await;
    advance(60 * SECOND).await;
    assert_eq!(hung.asked("/healthz").await, "200 ok");
    advance(SECOND).await;
    assert_eq!(hung.asked("/healthz").await, NO);
    assert_eq!(hung.asked("/readyz").await, NO);
    hung.gate.shut(false);
    let put = hung.running.join_next().await;
    assert_eq!(put.unwrap().unwrap(), None, "the put is answered");
    // The commit is over a moment after it has answered.
    while hung.asked("/healthz").await == NO {
        tokio::task::yield_now().await;
    }
    assert_eq!(hung.asked("/healthz").await, "200 ok");
    assert_eq!(hung.asked("/readyz").await, "200 ok");
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_disk_that_hangs() {
    let mut hung = hung().await;
    hung.wish.send(Wish).await.unwrap();
    let mut seconds = 0;
    let outcome = loop {
        // A blocking thread holds the paused clock.
        advance(SECOND).await;
        seconds += 1;
        assert!(seconds < 40, "it waits for the disk");
        tokio::task::yield_now().await;
        if let Some(ended) = hung.running.try_join_next() {
            break ended.unwrap();
        }
    };
    assert_eq!(outcome, Some(Outcome::Stopped));
}

#[tokio::test(start_paused = true)]
async fn b6_a_stop_after_the_disk_failed_says_that_it_did() {
    let mut hung = hung().await;
    hung.gate.break_down();
    // The first sync fails, and so does that of the segment that takes over.
    let put = hung.running.join_next().await;
    assert_eq!(put.unwrap().unwrap(), None, "the put is answered");
    // The commit is over a moment after it has answered.
    while hung.asked("/readyz").await == "200 ok" {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        hung.asked("/readyz").await,
        "503 the disk failed: nothing is taken until a restart on a disk that works"
    );
    hung.wish.send(Wish).await.unwrap();
    let outcome = hung.running.join_next().await;
    assert_eq!(outcome.unwrap().unwrap(), Some(Outcome::DiskFailed));
}
