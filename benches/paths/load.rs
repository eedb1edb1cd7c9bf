//! Producers: many connections that send one signed put after the other, and time each answer.
//!
//! A request is signed once and sent again and again while its signature is valid, so that the load
//! costs little beside the daemon on the same machine.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::body::Body;

pub const ACCESS_KEY: &str = "AKIDBENCH";
pub const SECRET_KEY: &str = "bench-secret";

const REFUSED_PAUSE: Duration = Duration::from_millis(2);

/// What one run of the load saw.
pub struct Seen {
    pub took: Duration,
    pub acknowledged: u64,
    pub refused: u64,
    /// Of the acknowledged, ascending.
    latencies: Vec<Duration>,
}

impl Seen {
    pub fn latency(&self, quantile: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let index = (last as f64 * quantile).round() as usize;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}

/// Puts until `bytes_max` of records are acknowledged or `time_max` is over.
pub fn run(
    address: SocketAddr,
    body: &Body,
    connections: usize,
    bytes_max: u64,
    time_max: Duration,
) -> Seen {
    let request = signed(address, body);
    let puts_max = bytes_max.div_ceil(body.bytes);
    let begun = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let began = Instant::now();
    let connection = || {
        let mut connection = Connection::open(address);
        let (mut latencies, mut refused) = (Vec::new(), 0);
        while !over.load(Ordering::Relaxed) && began.elapsed() < time_max {
            if puts_max <= begun.fetch_add(1, Ordering::Relaxed) {
                over.store(true, Ordering::Relaxed);
                break;
            }
            let sent = Instant::now();
            match connection.put(&request) {
                200 => latencies.push(sent.elapsed()),
                503 => {
                    refused += 1;
                    begun.fetch_sub(1, Ordering::Relaxed);
                    thread::sleep(REFUSED_PAUSE);
                }
                status => panic!("a put was answered {status}: {}", connection.answer()),
            }
        }
        (latencies, refused)
    };
    let (mut latencies, refused) = thread::scope(|scope| {
        let all: Vec<_> = (0..connections).map(|_| scope.spawn(connection)).collect();
        let seen = all
            .into_iter()
            .map(|it| it.join().expect("a producer does not panic"));
        seen.reduce(|mut sum, one| {
            sum.0.extend(one.0);
            (sum.0, sum.1 + one.1)
        })
        .expect("there is a connection")
    });
    let took = began.elapsed();
    latencies.sort();
    Seen {
        took,
        acknowledged: latencies.len() as u64,
        refused,
        latencies,
    }
}

/// Head and body of the request, as they go over the wire.
fn signed(address: SocketAddr, body: &Body) -> Vec<u8> {
    let target = format!("Firehose_20150804.{}", body.operation);
    let host = address.to_string();
    let headers = [
        ("host", host.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
    ];
    let identity = Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "bench").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("firehose")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .expect("all is set")
        .into();
    let uri = format!("http://{address}/");
    let payload = SignableBody::Bytes(&body.json);
    let signable = SignableRequest::new("POST", uri, headers.into_iter(), payload);
    let signable = signable.expect("the request is one");
    let (instructions, _) = sign(signable, &parameters)
        .expect("the key signs")
        .into_parts();

    let mut request = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!("content-length: {}\r\n\r\n", body.json.len());
    let mut request = request.into_bytes();
    request.extend_from_slice(&body.json);
    request
}

/// One kept-alive connection of a bare client.
pub struct Connection {
    socket: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Connection {
        let socket = TcpStream::connect(address).expect("the daemon listens");
        socket.set_nodelay(true).expect("a socket takes the option");
        let timeout = Some(Duration::from_secs(60));
        socket
            .set_read_timeout(timeout)
            .expect("a socket takes the option");
        Connection {
            socket,
            answer: Vec::new(),
        }
    }

    /// Sends a request and reads the whole answer. Gives the status.
    pub fn put(&mut self, request: &[u8]) -> u16 {
        self.socket.write_all(request).expect("the daemon reads");
        self.answer.clear();
        let mut buffer = [0; 64 * 1024];
        let mut whole = None;
        while whole.is_none_or(|whole| self.answer.len() < whole) {
            let read = self.socket.read(&mut buffer).expect("the daemon answers");
            assert_ne!(
                read,
                0,
                "the daemon closed the connection: {}",
                self.answer()
            );
            self.answer.extend_from_slice(&buffer[..read]);
            whole = whole.or_else(|| answer_length(&self.answer));
        }
        let status = std::str::from_utf8(&self.answer[9..12]).ok();
        status
            .and_then(|it| it.parse().ok())
            .expect("an answer has a status")
    }

    pub fn answer(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.answer)
    }
}

/// Head and body together, once the head is there.
fn answer_length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&answer[..head]).expect("a head is text");
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
    });
    Some(head + length.unwrap_or(0))
}
