//! Who is let in: over TLS and without, in both HTTP versions, by a token or by a signature.

use std::fs;
use std::sync::Arc;
use std::time::SystemTime;

use http::{Request, Version};
use rustls::pki_types::CertificateDer;

use crate::process::Daemon;
use crate::signing::Signer;

const PUT: &str = r#"{"DeliveryStreamName":"demo","Record":{"Data":"YQ=="}}"#;
const STREAM: &str =
    "streams: { demo: { source: direct_put, destination: { directory: { path: ./out } } } }\n";

/// A client that speaks only this version, and knows the daemon's certificate.
fn client(version: Version, certificate: &CertificateDer<'static>) -> reqwest::Client {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let is_http2 = version == Version::HTTP_2;
    let name: &[u8] = if is_http2 { b"h2" } else { b"http/1.1" };
    tls.alpn_protocols = vec![name.to_vec()];
    let builder = reqwest::Client::builder()
        .no_proxy()
        .tls_backend_preconfigured(tls);
    let builder = match is_http2 {
        true => builder.http2_prior_knowledge(),
        false => builder.http1_only(),
    };
    builder.build().unwrap()
}

/// The version, the status and, of a refusal, the exception's name.
async fn said(client: &reqwest::Client, request: Request<String>) -> String {
    let request = reqwest::Request::try_from(request).unwrap();
    let answer = client.execute(request).await.unwrap();
    let exception = answer.headers().get("x-amzn-errortype");
    let exception = exception.map_or("", |name| name.to_str().unwrap());
    let told = format!(
        "{:?} {} {exception}",
        answer.version(),
        answer.status().as_u16()
    );
    told.trim().to_owned()
}

fn lines(base: &str, authorization: Option<&str>) -> Request<String> {
    let request = Request::post(format!("{base}/v1/streams/demo/records"));
    let request = match authorization {
        Some(value) => request.header("authorization", value),
        None => request,
    };
    request.body("a\n".to_owned()).unwrap()
}

fn signed(base: &str, secret: &str) -> Request<String> {
    let uri = format!("{base}/");
    let mut request = Request::post(&uri)
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "Firehose_20150804.PutRecord")
        .body(PUT.to_owned())
        .unwrap();
    let signer = Signer {
        access_key_id: "AKIDWEB",
        secret_access_key: secret,
        service: "firehose",
        time: SystemTime::now(),
    };
    signer.sign(&mut request, &uri, PUT.as_bytes());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn producers_are_let_in_over_tls_by_token_or_signature_in_both_http_versions() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let door = ", tls: { certificate_file: ./tls.crt, key_file: ./tls.key }";
    let producers = "producers:\n  \
        events: { token: { file: ./token }, streams: demo }\n  \
        web: { access_key_id: AKIDWEB, secret_access_key: { file: ./secret }, streams: demo }\n";
    let daemon = Daemon::behind(door, &format!("{producers}{STREAM}"));
    for (name, content) in [
        ("tls.crt", made.cert.pem()),
        ("tls.key", made.signing_key.serialize_pem()),
        ("token", "events-token".to_owned()),
        ("secret", "web's secret".to_owned()),
    ] {
        fs::write(daemon.folder().join(name), content).unwrap();
    }
    daemon.start().await;
    let base = format!("https://localhost:{}", daemon.firehose().port());
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let client = client(version, made.cert.der());
        for (request, expected) in [
            (lines(&base, Some("Bearer events-token")), "200"),
            (
                lines(&base, Some("Bearer other")),
                "401 UnrecognizedClientException",
            ),
            (
                lines(&base, None),
                "401 MissingAuthenticationTokenException",
            ),
            (signed(&base, "web's secret"), "200"),
            (signed(&base, "another"), "400 InvalidSignatureException"),
        ] {
            let expected = format!("{version:?} {expected}");
            assert_eq!(said(&client, request).await, expected);
        }
        // Who forgets TLS gets no answer, and nobody's request is read.
        let plain = base.replace("https", "http");
        let request = reqwest::Request::try_from(lines(&plain, None)).unwrap();
        assert!(client.execute(request).await.is_err());
    }
    assert_eq!(daemon.stop().await.code(), Some(0), "{}", daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_both_http_versions_are_spoken_too() {
    let daemon = Daemon::new(STREAM);
    daemon.start().await;
    let base = format!("http://{}", daemon.firehose());
    let unknown = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let client = client(version, unknown.cert.der());
        assert_eq!(
            said(&client, lines(&base, None)).await,
            format!("{version:?} 200")
        );
        // Nobody checks signatures here, so an odd one is no reason to refuse.
        assert_eq!(
            said(&client, signed(&base, "any")).await,
            format!("{version:?} 200")
        );
    }
    assert_eq!(daemon.stop().await.code(), Some(0), "{}", daemon.log());
}
