//! What one core could do at best: the CPU time of the stages, added up, in the run that compares.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use super::body::Body;
use super::cpu;
use super::stage::{self, Receiver, Recycled};

/// Long enough for clocks that tick a hundred times a second.
const EACH: Duration = Duration::from_millis(1500);
/// What a busy log commits at once.
const GROUP_BYTES: usize = 4 * 1024 * 1024;
const RECYCLED_BYTES: u64 = 64 * 1024 * 1024;

/// CPU seconds for each GB (10⁹ bytes) of records.
#[derive(Clone, Copy, Debug)]
pub struct Ceiling {
    pub receive: f64,
    /// What an answer of the API's length costs more than `{}`.
    pub answer: f64,
    pub sha256: f64,
    pub decode: f64,
    pub crc: f64,
    pub write: f64,
    pub send: f64,
}

impl Ceiling {
    pub fn measure(body: &Body, folder: &Path) -> Ceiling {
        let gigabytes = body.bytes as f64 / 1e9;
        let mut slab = Vec::new();
        stage::decode(&body.json, &mut slab);
        assert_eq!(
            slab.len() as u64,
            body.bytes,
            "the bare decoder knows this body"
        );
        let mut recycled = Recycled::new(folder, RECYCLED_BYTES);
        let group = vec![7; GROUP_BYTES];
        let crc = each(|| _ = std::hint::black_box(stage::crc32c(&slab))) / gigabytes;
        let bare = receive(body, b"{}") / gigabytes;
        let answered = receive(body, &body.answer) / gigabytes;
        Ceiling {
            receive: bare,
            answer: (answered - bare).max(0.0),
            sha256: each(|| _ = std::hint::black_box(stage::sha256(&body.json))) / gigabytes,
            decode: each(|| stage::decode(&body.json, &mut slab)) / gigabytes,
            crc,
            write: each(|| recycled.write_and_sync(&group)) / (GROUP_BYTES as f64 / 1e9),
            send: send(&group, 500) / (500.0 * GROUP_BYTES as f64 / 1e9),
        }
    }

    /// From a put to its acknowledgement.
    pub fn put(&self) -> f64 {
        self.receive + self.answer + self.sha256 + self.decode + self.crc + self.write
    }

    /// From a put into S3, uncompressed: what must at least happen to the bytes.
    pub fn through(&self) -> f64 {
        self.receive + self.sha256 + self.send
    }
}

/// CPU seconds of one call.
fn each(mut work: impl FnMut()) -> f64 {
    let (began, before) = (Instant::now(), cpu::seconds("thread-self"));
    let mut calls = 0.0;
    while began.elapsed() < EACH {
        work();
        calls += 1.0;
    }
    (cpu::seconds("thread-self") - before) / calls
}

fn receive(body: &Body, answer: &[u8]) -> f64 {
    let mut receiver = Receiver::start(answer);
    let began = Instant::now();
    let mut calls = 0.0;
    while began.elapsed() < EACH {
        receiver.receive(&body.json);
        calls += 1.0;
    }
    receiver.stop() / calls
}

/// Sends bytes to a reader that drops them. Gives the sender's CPU seconds.
fn send(chunk: &[u8], times: usize) -> f64 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let reader = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("the sender connects");
        let mut buffer = vec![0; 256 * 1024];
        while socket.read(&mut buffer).expect("the sender sends") != 0 {}
    });
    let mut socket = TcpStream::connect(address).expect("the listener listens");
    let before = cpu::seconds("thread-self");
    for _ in 0..times {
        socket.write_all(chunk).expect("the reader reads");
    }
    let spent = cpu::seconds("thread-self") - before;
    drop(socket);
    reader.join().expect("the reader does not panic");
    spent
}
