//! Over loopback, in real time: what only a socket can do wrong.

use std::fs;
use std::net::Ipv4Addr;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use super::*;
use crate::outside::stop::{self, Stopper};
use crate::server::body::{self, Budget, Hashing};
use crate::server::{Request, Response, TlsFiles};

/// Answers with the body it got, and tells the test when a request has come in.
struct Echo {
    budget: Budget,
    stop: Stop,
    seen: mpsc::Sender<String>,
}

impl Service for Echo {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        async move {
            let (head, mut body) = request.into_parts();
            let _ = self
                .seen
                .send(format!("{} {}", head.method, head.uri.path()))
                .await;
            let read = body::read(&mut body, &self.budget, Hashing::Unneeded, &self.stop).await;
            let _ = self
                .seen
                .send(format!("{:?}", read.as_ref().map(|it| it.len())))
                .await;
            let text = match &read {
                Ok(payload) => payload.bytes().clone(),
                Err(error) => error.to_string().into(),
            };
            body::discard(&head, &mut body, &self.stop).await;
            Response::new(text.into())
        }
        .boxed()
    }
}

struct Running {
    address: SocketAddr,
    stopper: Stopper,
    serving: tokio::task::JoinHandle<()>,
    seen: mpsc::Receiver<String>,
}

async fn bind(tls: Option<TlsFiles>) -> Listener {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let settings = Settings { address, tls };
    let bound = Listener::bind(&settings, &Surroundings::default()).await;
    bound.unwrap()
}

fn run(listener: Listener, budget: Budget) -> Running {
    let address = listener.local_address();
    let (stopper, stop) = stop::channel();
    let (sender, seen) = mpsc::channel(100);
    let service = Arc::new(Echo {
        budget,
        stop: stop.clone(),
        seen: sender,
    });
    Running {
        address,
        stopper,
        serving: tokio::spawn(listener.serve(service, stop, Pulse::default())),
        seen,
    }
}

async fn plain() -> Running {
    run(bind(None).await, Budget::default())
}

/// Sends, and reads until the server closes.
async fn talk(address: SocketAddr, text: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_request_is_answered_and_what_is_under_way_ends_before_a_stop() {
    let mut running = plain().await;
    let request =
        "POST /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
    let answer = talk(running.address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nabc"), "{answer}");
    assert_eq!(running.seen.recv().await.unwrap(), "POST /a");
    assert_eq!(running.seen.recv().await.unwrap(), "Ok(3)");

    // The second half of this body comes after the stop has begun.
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    let head = b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab";
    slow.write_all(head).await.unwrap();
    assert_eq!(running.seen.recv().await.unwrap(), "POST /slow");
    running.stopper.advance(Phase::Draining);
    slow.write_all(b"cd").await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("abcd"), "{answer}");
    running.serving.await.unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn halting_leaves_nobody_to_wait_for() {
    let mut running = plain().await;
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    let head = b"POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\n\r\nab";
    slow.write_all(head).await.unwrap();
    assert_eq!(running.seen.recv().await.unwrap(), "POST /slow");
    running.stopper.advance(Phase::Halting);
    running.serving.await.unwrap();
}

#[tokio::test]
async fn a_body_that_is_not_as_long_as_announced_is_never_whole() {
    let mut running = plain().await;
    // Shorter: the client closes its side after three of five bytes.
    let mut socket = TcpStream::connect(running.address).await.unwrap();
    let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabc";
    socket.write_all(request).await.unwrap();
    socket.shutdown().await.unwrap();
    assert_eq!(running.seen.recv().await.unwrap(), "POST /");
    let read = running.seen.recv().await.unwrap();
    assert!(read.starts_with("Err(Broken("), "{read}");
    // Longer: what is too much is the next request, and no good one.
    let request = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabcde\r\n\r\n";
    let answer = talk(running.address, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(
        answer.contains("\r\n\r\nabcHTTP/1.1 400 Bad Request"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_refused_client_hears_why_although_it_was_still_sending() {
    let running = run(bind(None).await, Budget::new(10));
    let body = "x".repeat(4 * 1024 * 1024);
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let answer = talk(running.address, &request).await;
    assert!(
        answer.ends_with("too many requests are being read"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_chunked_body_counts_as_it_comes() {
    let request = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                   transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let answer = talk(run(bind(None).await, Budget::new(5)).address, request).await;
    assert!(answer.ends_with("abcde"), "{answer}");
    let answer = talk(run(bind(None).await, Budget::new(4)).address, request).await;
    assert!(
        answer.ends_with("too many requests are being read"),
        "{answer}"
    );
}

/// The answer to a head that is never finished, if there is one.
async fn answer_to_a_beginning(address: SocketAddr, bytes: usize) -> Option<String> {
    let mut head = "GET / HTTP/1.1\r\nx-long: ".to_owned();
    head.extend(std::iter::repeat_n('x', bytes - head.len()));
    let answer = timeout(Duration::from_secs(1), talk(address, &head)).await;
    answer.ok()
}

#[tokio::test]
async fn a_head_is_read_up_to_its_limit_and_no_further() {
    let running = plain().await;
    let most = limits::REQUEST_HEAD_BYTES_MAX;
    let waits = answer_to_a_beginning(running.address, most - 1).await;
    assert_eq!(waits, None);
    let refused = answer_to_a_beginning(running.address, most).await;
    let refused = refused.expect("it is told at once");
    assert!(
        refused.starts_with("HTTP/1.1 431 Request Header Fields Too Large"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_head_of_http2_has_the_same_limit() {
    let running = plain().await;
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(client_config(rustls::RootCertStore::empty()))
        .http2_prior_knowledge()
        .no_proxy();
    let client = client.build().unwrap();
    let url = format!("http://{}/", running.address);
    // Name, value, and the 32 that HTTP/2 counts for each: beside it stand four of its own.
    let status = async |bytes: usize| {
        let value = "x".repeat(bytes);
        let sent = client.get(&url).header("x-long", value).send().await;
        sent.unwrap().status().as_u16()
    };
    let most = limits::REQUEST_HEAD_BYTES_MAX;
    assert_eq!(status(most - 1024).await, 200);
    assert_eq!(status(most).await, 431);
}

#[tokio::test]
async fn whoever_stops_in_the_middle_does_not_hold_up_a_stop() {
    let mut running = plain().await;
    let mut body = TcpStream::connect(running.address).await.unwrap();
    let half = b"POST /half HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc";
    body.write_all(half).await.unwrap();
    assert_eq!(running.seen.recv().await.unwrap(), "POST /half");
    let mut head = TcpStream::connect(running.address).await.unwrap();
    head.write_all(b"POST /half HTTP/1.1\r\n").await.unwrap();
    // One that is answered came after the other, and so that one has been read too.
    let request = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    talk(running.address, request).await;
    running.stopper.advance(Phase::Draining);
    let grace = 2 * limits::REQUEST_DRAIN_GRACE + Duration::from_secs(3);
    let stopped = timeout(grace, running.serving).await;
    stopped.expect("it is not waited for").unwrap();
    let mut answer = String::new();
    body.read_to_string(&mut answer).await.unwrap();
    let why = "the body was still on its way when the daemon was told to stop";
    assert!(answer.ends_with(why), "{answer}");
}

#[tokio::test]
async fn who_asks_before_sending_is_not_asked_to_send_in_vain() {
    let head = "POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n\
                content-length: 5\r\n\r\n";
    let refusing = run(bind(None).await, Budget::new(4));
    let answer = talk(refusing.address, head).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let mut socket = TcpStream::connect(plain().await.address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    socket.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    socket.write_all(b"abcde").await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("abcde"), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_waits_for_its_turn() {
    let mut listener = bind(None).await;
    listener.places = Arc::new(Semaphore::new(2));
    let mut running = run(listener, Budget::default());
    let head = b"POST /held HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut socket = TcpStream::connect(running.address).await.unwrap();
        socket.write_all(head).await.unwrap();
        assert_eq!(running.seen.recv().await.unwrap(), "POST /held");
        held.push(socket);
    }
    let address = running.address;
    let request = "GET /third HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let third = tokio::spawn(async move { talk(address, request).await });
    tokio::task::yield_now().await;
    drop(held.pop());
    // The one that went is seen before the one that comes.
    assert!(running.seen.recv().await.unwrap().starts_with("Err(Broken"));
    assert_eq!(running.seen.recv().await.unwrap(), "GET /third");
    assert!(third.await.unwrap().starts_with("HTTP/1.1 200 OK"));
}

#[tokio::test]
async fn a_taken_port_is_said_so() {
    let running = plain().await;
    let settings = Settings {
        address: running.address,
        tls: None,
    };
    let again = Listener::bind(&settings, &Surroundings::default()).await;
    let error = again.err().unwrap().to_string();
    let address = running.address;
    let expected = format!("`{address}` is taken: stop the program that listens there");
    assert!(error.starts_with(&expected), "{error}");
}

fn client_config(roots: rustls::RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[tokio::test]
async fn tls_speaks_both_http_versions() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = TlsFiles {
        certificate_file: folder.path().join("tls.crt"),
        key_file: folder.path().join("tls.key"),
    };
    fs::write(&files.certificate_file, made.cert.pem()).unwrap();
    fs::write(&files.key_file, made.signing_key.serialize_pem()).unwrap();
    let running = run(bind(Some(files)).await, Budget::default());

    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from(made.cert.der().to_vec()))
        .unwrap();
    let mut config = client_config(roots);
    for protocol in ["h2", "http/1.1"] {
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let connector = TlsConnector::from(Arc::new(config.clone()));
        let socket = TcpStream::connect(running.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut socket = connector.connect(name, socket).await.unwrap();
        let chosen = socket.get_ref().1.alpn_protocol().unwrap().to_vec();
        assert_eq!(chosen, protocol.as_bytes());
        if protocol == "http/1.1" {
            let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi";
            socket.write_all(request).await.unwrap();
            let mut answer = vec![0; 15];
            socket.read_exact(&mut answer).await.unwrap();
            assert_eq!(answer, b"HTTP/1.1 200 OK");
        }
    }
}

#[tokio::test]
async fn tls_files_that_are_no_good_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = TlsFiles {
        certificate_file: folder.path().join("tls.crt"),
        key_file: folder.path().join("tls.key"),
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let tls = Some(files.clone());
    let settings = Settings { address, tls };
    let bind = async || {
        let bound = Listener::bind(&settings, &Surroundings::default()).await;
        let error = bound.err().unwrap();
        let text = crate::telemetry::Chain(&error).to_string();
        text.replace(&format!("{}/", folder.path().display()), "")
    };
    let missing = bind().await;
    let expected = "failed to set up TLS for `127.0.0.1:0`: failed to read `tls.crt`: No such file";
    assert!(missing.starts_with(expected), "{missing}");
    fs::write(&files.certificate_file, "").unwrap();
    let empty = bind().await;
    assert!(empty.ends_with("`tls.crt` holds no certificate"), "{empty}");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(&files.certificate_file, made.cert.pem()).unwrap();
    fs::write(&files.key_file, "no key").unwrap();
    let no_key = bind().await;
    assert!(no_key.contains("`tls.key` must hold"), "{no_key}");
}

#[test]
fn l1_two_listeners_share_what_descriptors_the_log_leaves() {
    let both = 2 * limits::CONNECTIONS_MAX as u64;
    for (descriptors, connections) in [
        (0, 1),
        (limits::DESCRIPTORS_RESERVED, 1),
        (limits::DESCRIPTORS_RESERVED + 3, 1),
        (limits::DESCRIPTORS_RESERVED + 4, 2),
        (1024, 384),
        (
            limits::DESCRIPTORS_RESERVED + both - 1,
            limits::CONNECTIONS_MAX - 1,
        ),
        (limits::DESCRIPTORS_RESERVED + both, limits::CONNECTIONS_MAX),
        (
            limits::DESCRIPTORS_RESERVED + both + 2,
            limits::CONNECTIONS_MAX,
        ),
        (u64::MAX, limits::CONNECTIONS_MAX),
    ] {
        assert_eq!(connections_max(descriptors), connections, "{descriptors}");
    }
}
