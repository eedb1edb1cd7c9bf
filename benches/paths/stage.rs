//! The stages that no implementation of the path can do without, each as bare as it can be made.
//!
//! They share no code with the daemon: a ceiling built from the house's own walls says nothing.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};

use super::cpu;

pub fn sha256(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Decodes the records of a put that looks as `body` makes it.
pub fn decode(json: &[u8], slab: &mut Vec<u8>) {
    const BEFORE: &[u8] = br#"{"Data":""#;
    slab.clear();
    slab.reserve(json.len());
    let mut rest = &json[memchr::memmem::find(json, BEFORE).expect("a put has records")..];
    while rest.starts_with(BEFORE) {
        rest = &rest[BEFORE.len()..];
        let end = memchr::memchr(b'"', rest).expect("a string has an end");
        base64_simd::STANDARD
            .decode_append(&rest[..end], slab)
            .expect("the body holds base64");
        // `"}` and a comma or a bracket.
        rest = &rest[end + 3..];
    }
}

pub fn crc32c(slab: &[u8]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, slab)
}

/// A file whose every block was written before, as the log's segments are.
pub struct Recycled {
    file: File,
    bytes: u64,
    offset: u64,
}

impl Recycled {
    pub fn new(folder: &Path, bytes: u64) -> Recycled {
        let path = folder.join("recycled");
        let mut options = OpenOptions::new();
        let file = options
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(path);
        let mut file = file.expect("the folder can be written");
        let zeros = vec![0; 1024 * 1024];
        for _ in 0..bytes.div_ceil(zeros.len() as u64) {
            file.write_all(&zeros).expect("the disk has room");
        }
        file.sync_all().expect("the disk syncs");
        Recycled {
            file,
            bytes,
            offset: 0,
        }
    }

    pub fn write_and_sync(&mut self, group: &[u8]) {
        let length = group.len() as u64;
        if self.bytes < self.offset + length {
            self.offset = 0;
        }
        self.file
            .write_all_at(group, self.offset)
            .expect("the disk has room");
        self.file.sync_data().expect("the disk syncs");
        self.offset += length;
    }
}

/// An HTTP server of hyper's that reads bodies, does nothing with them, and answers always the same.
pub struct Receiver {
    client: TcpStream,
    server: JoinHandle<f64>,
    answer_bytes: usize,
    buffer: Vec<u8>,
}

impl Receiver {
    pub fn start(answer: &[u8]) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let (answer_bytes, answer) = (answer.len(), Bytes::copy_from_slice(answer));
        let server = std::thread::spawn(move || {
            let (socket, _) = listener.accept().expect("the client connects");
            serve(socket, answer);
            cpu::seconds("thread-self")
        });
        let client = TcpStream::connect(address).expect("the listener listens");
        client.set_nodelay(true).expect("a socket takes the option");
        Receiver {
            client,
            server,
            answer_bytes,
            buffer: vec![0; 64 * 1024],
        }
    }

    /// Sends one body and waits for the answer.
    pub fn receive(&mut self, body: &[u8]) {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: bench\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.client
            .write_all(head.as_bytes())
            .expect("the server reads");
        self.client.write_all(body).expect("the server reads");
        let read = self.read();
        let answer = &self.buffer[..read];
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        let head = memchr::memmem::find(answer, b"\r\n\r\n").expect("a head is one piece") + 4;
        let mut left = self.answer_bytes - (read - head);
        while left != 0 {
            left -= self.read();
        }
    }

    fn read(&mut self) -> usize {
        let read = self.client.read(&mut self.buffer);
        read.expect("the server answers")
    }

    /// The CPU seconds that the server's side took.
    pub fn stop(self) -> f64 {
        drop(self.client);
        self.server.join().expect("the server does not panic")
    }
}

fn serve(socket: TcpStream, answer: Bytes) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(async {
        socket
            .set_nonblocking(true)
            .expect("a socket takes the option");
        let socket = tokio::net::TcpStream::from_std(socket).expect("the runtime takes sockets");
        let drain = service_fn(|request: Request<Incoming>| async {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                frame?;
            }
            Ok::<_, hyper::Error>(Response::new(Full::new(answer.clone())))
        });
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(socket), drain);
        connection.await.expect("the client closes in order");
    });
}
