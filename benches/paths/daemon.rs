//! The daemon under test: the built program, in a process of its own.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::body::STREAM;
use super::cpu;
use super::load::{ACCESS_KEY, Connection, SECRET_KEY};

const READY_WITHIN: Duration = Duration::from_secs(60);
const EMPTY_WITHIN: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(20);

pub struct Daemon {
    process: Child,
    pub firehose: SocketAddr,
    admin: SocketAddr,
}

impl Daemon {
    pub fn start(folder: &Path, s3: SocketAddr) -> Daemon {
        let (firehose, admin) = (free_address(), free_address());
        let file = folder.join("delivery.yaml");
        fs::write(&file, configuration(firehose, admin, s3)).expect("the folder can be written");
        let log = fs::File::create(folder.join("log")).expect("the folder can be written");
        let process = Command::new(env!("CARGO_BIN_EXE_standpipe"))
            .arg("run")
            .arg("-c")
            .arg(&file)
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the program starts");
        let mut daemon = Daemon {
            process,
            firehose,
            admin,
        };
        daemon.wait_until_ready(&folder.join("log"));
        daemon
    }

    fn wait_until_ready(&mut self, log: &Path) {
        let began = Instant::now();
        while std::net::TcpStream::connect(self.admin).is_err() || self.ask("/readyz").0 != 200 {
            let ended = self.process.try_wait().expect("a child can be waited for");
            let late = READY_WITHIN < began.elapsed();
            if ended.is_some() || late {
                let said = fs::read_to_string(log).unwrap_or_default();
                panic!("the daemon is not ready ({ended:?}):\n{said}");
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn ask(&self, path: &str) -> (u16, String) {
        let mut connection = Connection::open(self.admin);
        let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
        let status = connection.put(request.as_bytes());
        (status, connection.answer().into_owned())
    }

    pub fn buffered_records(&self) -> u64 {
        self.metric("standpipe_buffered_records")
    }

    pub fn buffered_bytes(&self) -> u64 {
        self.metric("standpipe_buffered_bytes")
    }

    fn metric(&self, name: &str) -> u64 {
        let sample = format!("{name}{{stream=\"{STREAM}\"}} ");
        let (_, page) = self.ask("/metrics");
        let value = page.lines().find_map(|line| line.strip_prefix(&sample));
        let value = value.and_then(|value| value.parse().ok());
        value.unwrap_or_else(|| panic!("no `{name}` on the page:\n{page}"))
    }

    /// Until nothing is left to deliver.
    pub fn wait_until_empty(&self) {
        let began = Instant::now();
        while self.buffered_records() != 0 {
            assert!(
                began.elapsed() < EMPTY_WITHIN,
                "the daemon does not deliver"
            );
            std::thread::sleep(LOOK_EVERY);
        }
    }

    pub fn cpu_seconds(&self) -> f64 {
        cpu::seconds(&self.process.id().to_string())
    }

    pub fn peak_mebibytes(&self) -> f64 {
        peak_mebibytes(self.process.id())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // The data is thrown away: there is nothing to drain.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn free_address() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    socket.local_addr().expect("a bound socket has an address")
}

fn configuration(firehose: SocketAddr, admin: SocketAddr, s3: SocketAddr) -> String {
    format!(
        r#"
storage: {{ directory: ./data, max_size: 8GiB }}
listen:
  firehose: {{ address: "{firehose}" }}
  admin: {{ address: "{admin}" }}
producers:
  bench:
    access_key_id: {ACCESS_KEY}
    secret_access_key: {{ file: secret }}
    streams: ["*"]
aws:
  default:
    region: us-east-1
    endpoint: "http://{s3}"
    path_style: true
    access_key_id: bench
    secret_access_key: {{ file: secret }}
streams:
  {STREAM}:
    source: direct_put
    buffering: {{ size: 128MiB, interval: 1s, low_latency: true }}
    destination: {{ s3: {{ bucket: bench }} }}
"#
    )
}

/// The secret of both keys, where the configuration looks for it.
pub fn write_secret(folder: &Path) {
    fs::write(folder.join("secret"), SECRET_KEY).expect("the folder can be written");
}

/// The most memory that the process ever had resident, in MiB.
fn peak_mebibytes(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    let kibibytes: f64 = kibibytes
        .and_then(|it| it.parse().ok())
        .expect("VmHWM is in kB");
    kibibytes / 1024.0
}
