//! Secrets and certificates are replaced under a running daemon.

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::path::Path;
use std::time::Duration;

use process::Daemon;
use standpipe::outside::http_client::{HttpClient, Limits, Network, Outgoing, Settings};
use tokio::time::{Instant, sleep};

/// Two looks take four seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// As careful people replace files: at once, and whole.
fn replace(path: &Path, content: &str) {
    let next = path.with_extension("next");
    fs::write(&next, content).unwrap();
    fs::rename(next, path).unwrap();
}

/// A certificate of its own for `localhost`, in the daemon's folder.
fn certify(folder: &Path) -> Settings {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    replace(&folder.join("tls.crt"), &made.cert.pem());
    replace(&folder.join("tls.key"), &made.signing_key.serialize_pem());
    Settings {
        ca_pem: Some(made.cert.pem().into_bytes()),
        ..Settings::default()
    }
}

/// What a put with this token is answered, by a daemon whose certificate is in `trusted`.
async fn put(daemon: &Daemon, trusted: &Settings, token: &str) -> Result<u16, String> {
    let network = Network::open(trusted).unwrap();
    let port = daemon.firehose().port();
    let request = http::Request::post(format!("https://localhost:{port}/v1/streams/demo/records"))
        .header("authorization", format!("Bearer {token}"))
        .body(Outgoing::Whole("line".into()));
    let limits = Limits {
        timeout: Duration::from_secs(10),
        answer_bytes_max: 1024 * 1024,
    };
    let answer = network.send(request.unwrap(), limits).await;
    match answer {
        Ok(answer) => Ok(answer.status().as_u16()),
        Err(error) if error.is_untrusted() => Err("untrusted".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

async fn until(what: &str, daemon: &Daemon, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        let log = daemon.log();
        assert!(begun.elapsed() < PATIENCE, "waited for {what}:\n{log}");
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn new_secrets_and_certificates_are_taken_and_bad_ones_are_not() {
    let daemon = Daemon::behind(
        ", tls: { certificate_file: ./tls.crt, key_file: ./tls.key }",
        "producers: { web: { token: { file: ./token }, streams: demo } }\n\
         streams: { demo: { source: direct_put, destination: { directory: { path: ./out } } } }\n",
    );
    let token = daemon.folder().join("token");
    fs::write(&token, "first\n").unwrap();
    let trusted = certify(daemon.folder());
    daemon.start().await;
    assert_eq!(put(&daemon, &trusted, "first").await, Ok(200));

    replace(&token, "second\n");
    until("the second token", &daemon, async || {
        put(&daemon, &trusted, "second").await == Ok(200)
    })
    .await;
    assert_eq!(put(&daemon, &trusted, "first").await, Ok(401));

    replace(&token, "");
    let refused = || daemon.log().matches("cannot be used").count();
    until("a word about the empty one", &daemon, async || {
        refused() == 1
    })
    .await;
    assert!(
        daemon.log().contains("the secret is empty"),
        "{}",
        daemon.log()
    );
    assert_eq!(put(&daemon, &trusted, "second").await, Ok(200));

    replace(&daemon.folder().join("tls.key"), "no key");
    until("a word about the key", &daemon, async || refused() == 2).await;
    assert_eq!(put(&daemon, &trusted, "second").await, Ok(200));

    let renewed = certify(daemon.folder());
    until("the new certificate", &daemon, async || {
        put(&daemon, &renewed, "second").await == Ok(200)
    })
    .await;
    let old = put(&daemon, &trusted, "second").await;
    assert_eq!(old, Err("untrusted".to_owned()));
    assert_eq!(refused(), 2);
    assert!(daemon.stop().await.success());
}
