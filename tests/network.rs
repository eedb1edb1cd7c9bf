//! The real network door against peers on loopback that misbehave.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use standpipe::outside::http_client::{
    HttpClient, Limits, Network, Outgoing, SendError, Settings, StreamError,
};
use standpipe::telemetry::Chain;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(5),
    answer_bytes_max: 16,
};

/// Takes connections, reads what comes in one go, says `answer` and leaves; says nothing and stays
/// if that is empty.
async fn peer(answer: &'static str) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut silent = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            match answer {
                "" => silent.push(stream),
                answer => stream.write_all(answer.as_bytes()).await.unwrap(),
            }
        }
    });
    (uri, tasks)
}

async fn send(uri: &str, body: Outgoing, limits: Limits) -> Result<Response<Bytes>, SendError> {
    let network = Network::open(&Settings::default()).unwrap();
    let request = Request::put(uri).body(body).unwrap();
    network.send(request, limits).await
}

async fn answered(answer: &'static str) -> Result<Response<Bytes>, SendError> {
    let (uri, _peer) = peer(answer).await;
    send(&uri, Outgoing::Whole(Bytes::from_static(b"body")), LIMITS).await
}

#[tokio::test]
async fn an_answer_is_taken_up_to_its_limit_and_not_one_byte_past_it() {
    let fits = "HTTP/1.1 201 Created\r\ncontent-length: 16\r\n\r\n0123456789abcdef";
    let answer = answered(fits).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().len()), (201, 16));
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n0123456789abcdefg";
    let error = answered(long).await.unwrap_err();
    let chain = Chain(&error).to_string();
    assert!(
        chain.ends_with("broke off: the answer is longer than 16 bytes"),
        "{chain}"
    );
}

#[tokio::test]
async fn redirects_are_answers_like_any_other() {
    let moved = "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(answered(moved).await.unwrap().status(), 307);
}

#[tokio::test]
async fn silence_is_a_time_out_and_nobody_there_is_not() {
    let (uri, _peer) = peer("").await;
    let limits = Limits {
        timeout: Duration::from_millis(50),
        ..LIMITS
    };
    let error = send(&uri, Outgoing::Whole(Bytes::new()), limits)
        .await
        .unwrap_err();
    assert!(matches!(error, SendError::TimedOut { .. }), "{error}");
    let error = send("http://127.0.0.1:1/", Outgoing::Whole(Bytes::new()), LIMITS).await;
    let error = error.unwrap_err();
    assert!(matches!(error, SendError::Connect { .. }), "{error}");
}

#[tokio::test]
async fn a_broken_answer_is_broken() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf",
        "nonsense\r\n\r\n",
    ] {
        let error = answered(answer).await.unwrap_err();
        assert!(matches!(error, SendError::Broken { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_too_short_never_ends_well() {
    let gone = || -> StreamError { Box::new(std::io::Error::other("gone")) };
    for pieces in [
        vec![Ok(Bytes::from_static(b"ab")), Err(gone())],
        vec![Ok(Bytes::new())],
    ] {
        let (uri, _peer) = peer("").await;
        let body = Outgoing::Streamed {
            bytes: 4,
            chunks: futures_util::stream::iter(pieces).boxed(),
        };
        let error = send(&uri, body, LIMITS).await.unwrap_err();
        assert!(matches!(error, SendError::Broken { .. }), "{error}");
        assert!(error.source().is_some());
    }
}

/// A peer over TLS whose authority only `ca_pem` knows.
#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named_and_not_before() {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = ["localhost".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap();
    let certificate = certificate.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            key.serialize_der().try_into().unwrap(),
        );
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.unwrap()));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
        }
    });
    let answer = async |ca_pem| {
        let network = Network::open(&Settings { ca_pem }).unwrap();
        let uri = format!("https://localhost:{port}/");
        let request = Request::put(uri)
            .body(Outgoing::Whole(Bytes::new()))
            .unwrap();
        network.send(request, LIMITS).await
    };
    let error = answer(None).await.unwrap_err();
    assert!(error.is_untrusted(), "{error}");
    let known = answer(Some(certificate.pem().into_bytes())).await;
    assert_eq!(known.unwrap().status(), 200);
}
