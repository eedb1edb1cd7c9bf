//! The daemon as a process, with a folder of its own, through as many lives as a test wants.

// Several test targets include this file, and each uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use rustix::process::{Pid, Signal, kill_process};
use standpipe::outside::http_client::{HttpClient, Limits, Network, Outgoing, SendError, Settings};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Far longer than anything takes, and short enough to wait for in vain once.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Daemon {
    folder: TempDir,
    firehose: SocketAddr,
    admin: SocketAddr,
    client: Network,
    process: Mutex<Option<Child>>,
}

impl Daemon {
    /// `rest` is what the configuration says beside its storage and its addresses.
    pub fn new(rest: &str) -> Daemon {
        Daemon::behind("", rest)
    }

    /// `door` is what its listener says beside its address: a comma and more.
    pub fn behind(door: &str, rest: &str) -> Daemon {
        let folder = TempDir::new().unwrap();
        let (firehose, admin) = (free_address(), free_address());
        let configuration = format!(
            "storage: {{ directory: ./data, max_size: 128MiB }}\n\
             listen:\n  firehose: {{ address: \"{firehose}\"{door} }}\n  \
             admin: {{ address: \"{admin}\" }}\n{rest}"
        );
        fs::write(folder.path().join("delivery.yaml"), configuration).unwrap();
        Daemon {
            folder,
            firehose,
            admin,
            client: Network::open(&Settings::default()).unwrap(),
            process: Mutex::new(None),
        }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where it takes puts.
    pub fn firehose(&self) -> SocketAddr {
        self.firehose
    }

    /// Begins a life, and returns when it takes puts.
    pub async fn start(&self) {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_standpipe"))
            .arg("run")
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        *self.process.lock().unwrap() = Some(process.unwrap());
        self.until_readiness_says(200).await;
    }

    /// Returns when it no longer wants puts, and can still be asked.
    pub async fn until_draining(&self) {
        self.until_readiness_says(503).await;
    }

    async fn until_readiness_says(&self, status: u16) {
        let begun = Instant::now();
        let uri = http::Uri::try_from(format!("http://{}/readyz", self.admin)).unwrap();
        loop {
            let asked = self.send(Request::get(uri.clone()), Bytes::new());
            if asked.await.ok() == Some(status) {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "never {status}:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Puts lines, one record each. `true`: they were taken.
    pub async fn put(&self, stream: &str, lines: String) -> bool {
        let uri = format!("http://{}/v1/streams/{stream}/records", self.firehose);
        matches!(self.send(Request::post(uri), lines.into()).await, Ok(200))
    }

    /// The status of an answer.
    async fn send(&self, head: http::request::Builder, body: Bytes) -> Result<u16, SendError> {
        let limits = Limits {
            timeout: Duration::from_secs(10),
            answer_bytes_max: 1024 * 1024,
        };
        let request = head.body(Outgoing::Whole(body)).unwrap();
        let answer = self.client.send(request, limits).await?;
        Ok(answer.status().as_u16())
    }

    /// SIGKILL.
    pub fn kill(&self) {
        let mut process = self.process.lock().unwrap().take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub async fn stop(&self) -> ExitStatus {
        self.terminate();
        self.ended().await
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let process = self.process.lock().unwrap();
        let id = process.as_ref().expect("it runs").id();
        let id = Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
        kill_process(id, Signal::TERM).unwrap();
    }

    /// How it ended.
    pub async fn ended(&self) -> ExitStatus {
        let mut process = self.process.lock().unwrap().take().expect("it runs");
        let begun = Instant::now();
        loop {
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not stop:\n{}",
                self.log()
            );
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it said in its last life.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.get_mut().unwrap().take() {
            // Gone already, perhaps; a test that failed has said why.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// Free when asked: whoever takes it before the daemon does makes the test fail loudly.
fn free_address() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}
