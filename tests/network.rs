//! What every outbound connection keeps to, tested once for all who use the door: limits, deadlines,
//! trust, proxies. The peers are on loopback, and misbehave.

#[path = "network/proxy.rs"]
mod proxy;
#[path = "network/tls.rs"]
mod tls;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response};
use proxy::Proxy;
use standpipe::model::Secret;
use standpipe::model::limits::REQUESTS_PER_SERVER_MAX;
use standpipe::outside::http_client::{
    HttpClient, Limits, Network, Outgoing, Proxies, SendError, Settings, StreamError, Trouble,
};
use standpipe::telemetry::Chain;
use tls::Authority;
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

async fn asked(uri: &str, settings: &Settings) -> Result<u16, SendError> {
    let network = Network::open(settings).unwrap();
    let body = Outgoing::Whole(Bytes::new());
    let request = Request::put(uri).body(body).unwrap();
    let answer = network.send(request, LIMITS).await?;
    Ok(answer.status().as_u16())
}

fn trusting(authority: &Authority) -> Settings {
    Settings {
        ca_pem: Some(authority.pem()),
        ..Settings::default()
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named_and_not_before() {
    let authority = Authority::new();
    let (port, _peer) = tls::peer(&authority, None).await;
    let uri = format!("https://localhost:{port}/");
    let error = asked(&uri, &Settings::default()).await.unwrap_err();
    assert!(error.is_untrusted(), "{error}");
    assert_eq!(asked(&uri, &trusting(&authority)).await.unwrap(), 200);
}

#[tokio::test]
async fn a_server_that_asks_who_we_are_is_shown_the_client_certificate() {
    let (authority, ours, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let (port, _peer) = tls::peer(&authority, Some(&ours)).await;
    let uri = format!("https://localhost:{port}/");
    let showing = |identity| Settings {
        identity,
        ..trusting(&authority)
    };
    assert_eq!(
        asked(&uri, &showing(Some(ours.client()))).await.unwrap(),
        200
    );
    for identity in [None, Some(strangers.client())] {
        asked(&uri, &showing(identity)).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_proxy_is_asked_for_http_by_name_and_for_https_to_connect() {
    let authority = Authority::new();
    let (port, _peer) = tls::peer(&authority, None).await;
    let proxy = Proxy::to(port).await;
    let named = Settings {
        proxies: Proxies::named(Secret::new(proxy.url.as_str()), String::new()),
        ..trusting(&authority)
    };
    // The name is nowhere but at the proxy, and TLS reaches through it.
    assert_eq!(asked("https://s3.test/b/k", &named).await.unwrap(), 200);
    assert_eq!(proxy.seen(), "CONNECT s3.test:443");
    let (plain, _plain_peer) = peer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let plain: http::Uri = plain.parse().unwrap();
    let proxy = Proxy::to(plain.port_u16().unwrap()).await;
    let named = Settings {
        proxies: Proxies::named(Secret::new(proxy.url.as_str()), String::new()),
        ..Settings::default()
    };
    assert_eq!(asked("http://s3.test/b/k", &named).await.unwrap(), 200);
    assert_eq!(proxy.seen(), "PUT http://s3.test/b/k");
}

#[tokio::test]
async fn who_is_excepted_and_loopback_are_asked_directly_unless_the_proxy_was_named() {
    let (uri, _peer) = peer("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let port = uri.parse::<http::Uri>().unwrap().port_u16().unwrap();
    let proxy = Proxy::to(port).await;
    let usual = |no_proxy| {
        Proxies::usual(|name| match name {
            "HTTP_PROXY" => Some(proxy.url.as_str()),
            "NO_PROXY" => Some(no_proxy),
            _ => None,
        })
    };
    let named = |except: &str| Proxies::named(Secret::new(proxy.url.as_str()), except.to_owned());
    for (host, proxies, expected) in [
        ("127.0.0.1", usual(""), ""),
        ("s3.test", usual(""), "PUT http://s3.test"),
        ("127.0.0.1", named(""), "PUT http://127.0.0.1"),
        ("127.0.0.1", named("127.0.0.0/8"), ""),
        (
            "s3.test",
            named("10.0.0.0/8,example.org"),
            "PUT http://s3.test",
        ),
        ("127.0.0.1", Proxies::default(), ""),
    ] {
        let settings = Settings {
            proxies,
            ..Settings::default()
        };
        let status = asked(&format!("http://{host}:{port}/"), &settings).await;
        assert_eq!(status.unwrap(), 200, "{host}");
        let seen = proxy.seen();
        let seen = seen.strip_suffix(&format!(":{port}/")).unwrap_or(&seen);
        assert_eq!(seen, expected, "{host}");
    }
    // Nobody knows the name but the proxy, which is not asked.
    let settings = Settings {
        proxies: usual("example.org,.test"),
        ..Settings::default()
    };
    let error = asked("http://s3.test/", &settings).await.unwrap_err();
    assert!(matches!(error, SendError::Connect { .. }), "{error}");
    assert_eq!(proxy.seen(), "");
}

#[tokio::test]
async fn a_server_gets_as_many_requests_at_once_as_the_limit_says_and_not_one_more() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let network = Arc::new(Network::open(&Settings::default()).unwrap());
    let mut requests = JoinSet::new();
    for _ in 0..=REQUESTS_PER_SERVER_MAX {
        let request = Request::get(&uri).body(Outgoing::Whole(Bytes::new()));
        let (network, request) = (network.clone(), request.unwrap());
        requests.spawn(async move { network.send(request, LIMITS).await });
    }
    let mut open = Vec::new();
    for _ in 0..REQUESTS_PER_SERVER_MAX {
        open.push(listener.accept().await.unwrap().0);
    }
    let one_more = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(one_more.is_err(), "one past the limit");
    // One ends, and the one that waited goes.
    drop(open.pop());
    open.push(listener.accept().await.unwrap().0);
}

#[tokio::test]
async fn malformed_answers_are_told_apart() {
    for (answer, trouble) in [
        ("HTTP/1.1 2x0 OK\r\n\r\n", Trouble::BadStatus),
        ("SSH-2.0-OpenSSH_9.2\r\n", Trouble::NotHttp),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 17\r\n\r\n0123456789abcdefg",
            Trouble::TooLong,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort",
            Trouble::Broken,
        ),
    ] {
        let error = answered(answer).await.unwrap_err();
        assert_eq!(error.trouble(), trouble, "{}", Chain(&error));
    }
}

#[tokio::test]
async fn an_unusual_reason_phrase_is_kept() {
    let answer = answered("HTTP/1.1 200 Splendid\r\ncontent-length: 0\r\n\r\n").await;
    let answer = answer.unwrap();
    let phrase = answer.extensions().get::<hyper::ext::ReasonPhrase>();
    assert_eq!(phrase.unwrap().as_bytes(), b"Splendid");
}

#[tokio::test]
async fn a_url_that_may_hold_a_token_is_never_told() {
    let (uri, peer) = peer("").await;
    drop(peer);
    let uri = format!("{uri}v1/hunter2?key=hunter2");
    let body = Outgoing::Whole(Bytes::new());
    let error = send(&uri, body, LIMITS).await.unwrap_err();
    assert!(!format!("{} {error:?}", Chain(&error)).contains("hunter2"));
}
