//! The HTTP endpoint protocol: what is sent, and what each answer comes to.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use expect_test::{Expect, expect};
use http::Response;
use standpipe::model::{
    ByteSize, Compression, DirectoryId, ReaderKind, Records, RecordsBuilder, Secret, Seq, SeqRange,
    limits,
};
use standpipe::objects::Room;
use standpipe::outside::Clock;
use standpipe::outside::http_client::{AnswerTooLong, SendError};
use standpipe::sink::endpoint::{Endpoint, EndpointRequest, Rejection};
use standpipe::sink::http_endpoint::{CommonAttributes, EndpointUrl, HttpEndpoint, Settings};
use standpipe::sink::parts::Gathering;
use standpipe::sink::{BatchFacts, FlushReason};
use standpipe::telemetry::Chain;
use tokio::time::Instant;
use uuid::Uuid;

use crate::NOW;
use crate::scripted::{Say, Scripted};
use crate::whole;

const ID: Uuid = Uuid::from_u128(0xed4a_cda5_034f_4f42_bba1_f29a_ea6d_7d8f);
pub const YES: &str = r#"{"requestId":"ed4acda5-034f-4f42-bba1-f29aea6d7d8f","timestamp":1}"#;

pub fn settings() -> Settings {
    Settings {
        url: EndpointUrl::parse("https://collector.test/v1/hunter1?a=b%20c").unwrap(),
        access_key: Some(Secret::new("hunter2")),
        source_arn: "arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks".to_owned(),
        content_encoding: Compression::Uncompressed,
        common_attributes: CommonAttributes::default(),
        retry_duration: Duration::from_secs(300),
        body_bytes_max: limits::FIREHOSE_ENDPOINT_BODY_BYTES_MAX,
    }
}

pub fn endpoint(settings: Settings, http: &Arc<Scripted>) -> HttpEndpoint {
    let clock = Clock::simulated(NOW);
    HttpEndpoint::new(settings, http.clone(), clock, Room::new(1, 1))
}

pub fn facts() -> BatchFacts {
    BatchFacts {
        directory: DirectoryId(0xabc),
        stream: "clicks".parse().unwrap(),
        version: 3,
        range: SeqRange::new(Seq::new(10), Seq::new(12)),
        records: 2,
        bytes: 5,
        first_arrival: NOW,
        reader: ReaderKind::Arrivals,
        reason: FlushReason::Size,
    }
}

pub fn records(all: &[&str]) -> Records {
    let mut records = RecordsBuilder::default();
    all.iter()
        .for_each(|record| records.push(record.as_bytes()));
    records.build().unwrap()
}

/// A request for these records, planned by the endpoint itself.
pub fn request(endpoint: &dyn Endpoint, all: &[&str]) -> EndpointRequest {
    EndpointRequest {
        plan: endpoint.plan(&facts()),
        id: ID,
        at: NOW,
        records: records(all),
    }
}

pub fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Say {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    Say::Answer(response.body(Bytes::from(body.to_owned())).unwrap())
}

pub fn yes() -> Say {
    answer(200, &[("content-type", "application/json")], YES)
}

async fn check(settings: Settings, all: &[&str], expected: Expect) {
    let http = Arc::new(Scripted::new([yes()]));
    let endpoint = endpoint(settings, &http);
    let request = request(&endpoint, all);
    let receipt = whole(&endpoint, &request).await.unwrap();
    let seen = http.take_seen();
    expected.assert_eq(&format!("{seen}\n{} {}", receipt.place, receipt.bytes));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_firehoses_to_the_letter() {
    check(settings(), &["hello", ""], expect![[r#"
        POST https://collector.test/v1/hunter1?a=b%20c
        content-length: 122
        content-type: application/json
        user-agent: Amazon Kinesis Data Firehose Agent/1.0
        x-amz-firehose-access-key: hunter2 (sensitive)
        x-amz-firehose-protocol-version: 1.0
        x-amz-firehose-request-id: ed4acda5-034f-4f42-bba1-f29aea6d7d8f
        x-amz-firehose-source-arn: arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks
        -- whole, at most 180 s: {"requestId":"ed4acda5-034f-4f42-bba1-f29aea6d7d8f","timestamp":1773480413000,"records":[{"data":"aGVsbG8="},{"data":""}]}
        https://collector.test request ed4acda5-034f-4f42-bba1-f29aea6d7d8f 122"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_key_there_is_no_header_for_it() {
    let settings = Settings {
        access_key: None,
        ..settings()
    };
    check(settings, &["hello"], expect![[r#"
        POST https://collector.test/v1/hunter1?a=b%20c
        content-length: 110
        content-type: application/json
        user-agent: Amazon Kinesis Data Firehose Agent/1.0
        x-amz-firehose-protocol-version: 1.0
        x-amz-firehose-request-id: ed4acda5-034f-4f42-bba1-f29aea6d7d8f
        x-amz-firehose-source-arn: arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks
        -- whole, at most 180 s: {"requestId":"ed4acda5-034f-4f42-bba1-f29aea6d7d8f","timestamp":1773480413000,"records":[{"data":"aGVsbG8="}]}
        https://collector.test request ed4acda5-034f-4f42-bba1-f29aea6d7d8f 110"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn attributes_and_gzip_say_so() {
    let attributes = BTreeMap::from([("environment".to_owned(), Secret::new("production"))]);
    let settings = Settings {
        content_encoding: Compression::Gzip,
        common_attributes: CommonAttributes::new(attributes).unwrap(),
        ..settings()
    };
    check(settings, &["hello"], expect![[r#"
        POST https://collector.test/v1/hunter1?a=b%20c
        content-encoding: gzip
        content-length: 123
        content-type: application/json
        user-agent: Amazon Kinesis Data Firehose Agent/1.0
        x-amz-firehose-access-key: hunter2 (sensitive)
        x-amz-firehose-common-attributes: {"commonAttributes":{"environment":"production"}} (sensitive)
        x-amz-firehose-protocol-version: 1.0
        x-amz-firehose-request-id: ed4acda5-034f-4f42-bba1-f29aea6d7d8f
        x-amz-firehose-source-arn: arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks
        -- whole, at most 180 s: (123 bytes)
        https://collector.test request ed4acda5-034f-4f42-bba1-f29aea6d7d8f 123"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn d3_a_repeat_uses_the_plan_and_never_todays_settings() {
    let http = Arc::new(Scripted::new([yes(), yes()]));
    let before = endpoint(settings(), &http);
    let request = request(&before, &["hello"]);
    expect![[r#"{"v":1,"sink":"http_endpoint","records_max":10000,"body_bytes_max":67108864,"encoding":"none","retry_duration_ms":300000}"#]].assert_eq(std::str::from_utf8(&request.plan.0).unwrap());
    let settings = Settings {
        content_encoding: Compression::Gzip,
        retry_duration: Duration::ZERO,
        body_bytes_max: 1000,
        access_key: Some(Secret::new("new key")),
        ..settings()
    };
    let after = endpoint(settings, &http);
    assert_eq!(
        before.terms(&request.plan).unwrap(),
        after.terms(&request.plan).unwrap()
    );
    whole(&before, &request).await.unwrap();
    let sent = http.take_seen();
    whole(&after, &request).await.unwrap();
    // A new key counts at once, as in Firehose.
    assert_eq!(http.take_seen(), sent.replace("hunter2", "new key"));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_as_long_as_its_terms_say() {
    let http = Arc::new(Scripted::new([yes()]));
    let limit = 300;
    let settings = Settings {
        body_bytes_max: limit,
        ..settings()
    };
    let endpoint = endpoint(settings, &http);
    let terms = endpoint.terms(&endpoint.plan(&facts())).unwrap();
    let mut gathering = Gathering::new(terms.limits);
    let mut all = Vec::new();
    while gathering.takes(Seq::new(all.len() as u64), all.len() as u64) {
        all.push("abcdefghijklmnopqrstuvwxyz".get(..all.len()).unwrap());
    }
    let receipt = whole(&endpoint, &request(&endpoint, &all)).await.unwrap();
    assert_eq!(receipt.bytes, gathering.body_bytes());
    assert!(
        receipt.bytes <= limit && limit < receipt.bytes + 30,
        "{}",
        receipt.bytes
    );
}

fn told(rejection: &Rejection) -> String {
    let Rejection {
        code,
        message,
        next,
        retry_after,
        needs_operator,
        ..
    } = rejection;
    let loud = if *needs_operator { ", loud" } else { "" };
    let after = retry_after.map_or(String::new(), |after| format!(", after {after:?}"));
    format!(
        "{next:?}{loud}{after}: {code}\n{message}\n{}",
        Chain(rejection)
    )
}

async fn check_rejected(say: Say, expected: Expect) {
    let http = Arc::new(Scripted::new([say]));
    let endpoint = endpoint(settings(), &http);
    let request = request(&endpoint, &["hello"]);
    let rejection = whole(&endpoint, &request).await.unwrap_err();
    let told = told(&rejection);
    assert!(!told.contains("hunter"), "a secret is told: {told}");
    expected.assert_eq(&told);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_200_is_kept_with_its_answer() {
    check_rejected(
        answer(
            500,
            &[],
            r#"{"requestId":"x","timestamp":1,"errorMessage":"no disk"}"#,
        ),
        expect![[r#"
            Retry: HttpEndpoint.DestinationException
            The following response was received from the endpoint destination. 500: {"requestId":"x","timestamp":1,"errorMessage":"no disk"}
            failed to deliver to `https://collector.test`: the endpoint answered 500: no disk"#]],
    )
    .await;
    check_rejected(
        answer(503, &[("retry-after", "7")], "<html>busy</html>"),
        expect![[r#"
            Retry, after 7s: HttpEndpoint.DestinationException
            The following response was received from the endpoint destination. 503: <html>busy</html>
            failed to deliver to `https://collector.test`: the endpoint answered 503"#]],
    )
    .await;
    check_rejected(
        answer(429, &[("retry-after", "Sat, 14 Mar 2026 09:27:53 GMT")], ""),
        expect![[r#"
            Retry, after 60s: HttpEndpoint.DestinationException
            The following response was received from the endpoint destination. 429:
            failed to deliver to `https://collector.test`: the endpoint answered 429"#]],
    )
    .await;
    check_rejected(answer(202, &[], ""), expect![[r#"
        Retry, loud: HttpEndpoint.DestinationException
        The following response was received from the endpoint destination. 202:
        failed to deliver to `https://collector.test` (this protocol knows no such yes: check the endpoint's URL): the endpoint answered 202"#]]).await;
    check_rejected(
        answer(307, &[("location", "https://elsewhere.test/")], ""),
        expect![[r#"
            Retry, loud: HttpEndpoint.DestinationException
            The following response was received from the endpoint destination. 307:
            failed to deliver to `https://collector.test` (the endpoint has moved: check its URL): the endpoint answered 307"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_the_operator_must_mend_is_retried_and_loud() {
    for (status, advice) in [
        (400, "the endpoint refuses such requests: see its own log"),
        (401, "check the access key"),
        (403, "check the access key"),
        (404, "check the endpoint's URL"),
    ] {
        let http = Arc::new(Scripted::new([answer(status, &[], "")]));
        let endpoint = endpoint(settings(), &http);
        let request = request(&endpoint, &["hello"]);
        let rejection = whole(&endpoint, &request).await.unwrap_err();
        let what = format!("failed to deliver to `https://collector.test` ({advice})");
        assert_eq!(rejection.to_string(), what);
        assert_eq!(rejection.code, "HttpEndpoint.DestinationException");
        assert_eq!(rejection.next, standpipe::sink::endpoint::Next::Retry);
        assert!(rejection.needs_operator);
    }
}

#[tokio::test(start_paused = true)]
async fn too_large_is_halved_however_badly_it_is_said() {
    let twice = [("content-type", "text/html"), ("content-type", "text/html")];
    for headers in [&twice[..0], &twice[..1], &twice[..]] {
        let http = Arc::new(Scripted::new([answer(413, headers, "<html>")]));
        let endpoint = endpoint(settings(), &http);
        let request = request(&endpoint, &["hello"]);
        let rejection = whole(&endpoint, &request).await.unwrap_err();
        assert_eq!(rejection.next, standpipe::sink::endpoint::Next::Halve);
    }
}

#[tokio::test(start_paused = true)]
async fn a_yes_that_is_not_the_protocols_is_a_no() {
    let json = [("content-type", "application/json")];
    check_rejected(answer(200, &json, "{}"), expect![[r#"
        Retry, loud: HttpEndpoint.InvalidResponseFromDestination
        The response received from the specified endpoint is invalid. Contact the owner of the endpoint to resolve the issue. Response for request ed4acda5-034f-4f42-bba1-f29aea6d7d8f is not recognized as valid JSON or has unexpected fields. Raw response received: 200 {}
        failed to deliver to `https://collector.test` (clear this up with the endpoint's owner): the endpoint's answer is not recognized as valid JSON or has unexpected fields: missing field `requestId` at line 1 column 2"#]]).await;
    check_rejected(answer(200, &json, &YES.replace("ed4a", "aaaa")), expect![[r#"
        Retry, loud: HttpEndpoint.InvalidResponseFromDestination
        The response received from the specified endpoint is invalid. Contact the owner of the endpoint to resolve the issue. Response for request ed4acda5-034f-4f42-bba1-f29aea6d7d8f has a requestId that is not the request's. Raw response received: 200 {"requestId":"aaaacda5-034f-4f42-bba1-f29aea6d7d8f","timestamp":1}
        failed to deliver to `https://collector.test` (clear this up with the endpoint's owner): the endpoint's answer has a requestId that is not the request's"#]]).await;
    check_rejected(
        answer(200, &[("content-type", "text/plain")], "OK"),
        expect![[r#"
            Retry, loud: HttpEndpoint.InvalidResponseFromDestination
            The response received from the specified endpoint is invalid. Contact the owner of the endpoint to resolve the issue. Response for request ed4acda5-034f-4f42-bba1-f29aea6d7d8f has the Content-Type `text/plain` and not `application/json`. Raw response received: 200 OK
            failed to deliver to `https://collector.test` (clear this up with the endpoint's owner): the endpoint's answer has the Content-Type `text/plain` and not `application/json`"#]],
    )
    .await;
    check_rejected(answer(200, &[json[0], json[0]], YES), expect![[r#"
        Retry, loud: HttpEndpoint.IllegalResponseFailure
        HttpEndpoint request failed due to illegal response error. HTTP message must not contain more than one Content-Type header.
        failed to deliver to `https://collector.test` (clear this up with the endpoint's owner): the endpoint's answer has more than one Content-Type"#]]).await;
    let large = format!("{YES}{}", " ".repeat(ByteSize::mebibytes(1).get() as usize));
    check_rejected(answer(200, &json, &large), expect![[r#"
        Retry, loud: HttpEndpoint.ResponseTooLarge
        The response received from the endpoint is too large. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test` (clear this up with the endpoint's owner): the endpoint's answer is larger than 1048576 bytes"#]]).await;
}

fn cause<E: std::error::Error + Send + Sync + 'static>(
    cause: E,
) -> Arc<dyn std::error::Error + Send + Sync> {
    Arc::new(cause)
}

fn refused(authority: String) -> SendError {
    let cause = cause(io::Error::from(io::ErrorKind::ConnectionRefused));
    SendError::Connect { authority, cause }
}

fn reset(authority: String) -> SendError {
    let cause = cause(io::Error::from(io::ErrorKind::ConnectionReset));
    SendError::Broken { authority, cause }
}

fn too_long(authority: String) -> SendError {
    let cause = cause(AnswerTooLong(1024 * 1024));
    SendError::Broken { authority, cause }
}

fn untrusted(authority: String) -> SendError {
    let error = rustls::CertificateError::UnknownIssuer;
    let cause = cause(rustls::Error::InvalidCertificate(error));
    SendError::Connect { authority, cause }
}

fn nameless(authority: String) -> SendError {
    let alert = rustls::AlertDescription::CertificateRequired;
    let cause = cause(rustls::Error::AlertReceived(alert));
    SendError::Broken { authority, cause }
}

fn expired(authority: String) -> SendError {
    let error = rustls::CertificateError::Expired;
    let cause = cause(rustls::Error::InvalidCertificate(error));
    SendError::Connect { authority, cause }
}

fn handshake(authority: String) -> SendError {
    let cause = cause(rustls::Error::HandshakeNotComplete);
    SendError::Connect { authority, cause }
}

fn spoilt(authority: String) -> SendError {
    let cause = cause(rustls::Error::DecryptError);
    SendError::Broken { authority, cause }
}

#[tokio::test(start_paused = true)]
async fn trouble_on_the_way_has_firehoses_names() {
    check_rejected(Say::Trouble(refused), expect![[r#"
        Retry: HttpEndpoint.ConnectionFailed
        Unable to connect to the destination endpoint. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test`: failed to connect to `collector.test`: connection refused"#]]).await;
    check_rejected(Say::Trouble(reset), expect![[r#"
        Retry: HttpEndpoint.ConnectionReset
        Unable to maintain connection with the endpoint. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test`: the request to `collector.test` broke off: connection reset"#]]).await;
    check_rejected(Say::Trouble(too_long), expect![[r#"
        Retry, loud: HttpEndpoint.ResponseTooLarge
        The response received from the endpoint is too large. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test` (clear this up with the endpoint's owner): the request to `collector.test` broke off: the answer is longer than 1048576 bytes"#]]).await;
    check_rejected(Say::Trouble(untrusted), expect![[r#"
        Retry, loud: HttpEndpoint.SSLHandshakeCertificatePathFailure
        Unable to complete an SSL Handshake with the endpoint due to invalid certification path. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test` (name its certificate authority in `ca_file`, or give it a certificate of a known one): failed to connect to `collector.test`: invalid peer certificate: UnknownIssuer"#]]).await;
    check_rejected(Say::Trouble(nameless), expect![[r#"
        Retry, loud: HttpEndpoint.SSLFailure
        Unable to complete TLS handshake with the endpoint. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test` (it wants a certificate of ours: name one that it takes in `client_certificate_file`, and its key in `client_key_file`): the request to `collector.test` broke off: received fatal alert: CertificateRequired"#]]).await;
    check_rejected(Say::Trouble(expired), expect![[r#"
        Retry, loud: HttpEndpoint.SSLHandshakeCertificatePathValidationFailure
        Unable to complete an SSL Handshake with the endpoint due to certification path validation failure. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test` (its certificate is not for this host, or not for this day: give it another): failed to connect to `collector.test`: invalid peer certificate: Expired"#]]).await;
    check_rejected(Say::Trouble(handshake), expect![[r#"
        Retry: HttpEndpoint.SSLHandshakeFailure
        Unable to complete an SSL Handshake with the endpoint. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test`: failed to connect to `collector.test`: handshake not complete"#]]).await;
    check_rejected(Say::Trouble(spoilt), expect![[r#"
        Retry: HttpEndpoint.SSLFailure
        Unable to complete TLS handshake with the endpoint. Contact the owner of the endpoint to resolve this issue.
        failed to deliver to `https://collector.test`: the request to `collector.test` broke off: cannot decrypt peer's message"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_three_minutes() {
    let started = Instant::now();
    check_rejected(Say::Hang, expect![[r#"
        Retry: HttpEndpoint.RequestTimeout
        The delivery timed out before a response was received and will be retried.
        failed to deliver to `https://collector.test`: no answer from `collector.test` within 3m"#]]).await;
    assert_eq!(started.elapsed(), Duration::from_secs(180));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_no_header_can_hold_is_the_operators_to_mend() {
    let http = Arc::new(Scripted::new([]));
    let settings = Settings {
        access_key: Some(Secret::new("hunter2\n")),
        ..settings()
    };
    let endpoint = endpoint(settings, &http);
    let request = request(&endpoint, &["hello"]);
    let rejection = whole(&endpoint, &request).await.unwrap_err();
    expect![[r#"
        Retry, loud: HttpEndpoint.MakeRequestFailure.IllegalCharacterInHeaderValue
        HttpEndpoint request failed due to illegal response error. Illegal character '\n' in header value.
        failed to deliver to `https://collector.test` (mend the setting): the access key holds a character that no header can"#]].assert_eq(&told(&rejection));
}

#[tokio::test(start_paused = true)]
async fn a_plan_of_another_destination_holds_the_batch() {
    let http = Arc::new(Scripted::new([]));
    let endpoint = endpoint(settings(), &http);
    let mut request = request(&endpoint, &["hello"]);
    request.plan.0 = br#"{"v":1,"sink":"splunk"}"#.to_vec();
    assert_eq!(
        endpoint.terms(&request.plan).unwrap_err().code,
        "Plan.Destination"
    );
    let rejection = whole(&endpoint, &request).await.unwrap_err();
    expect![[r#"
        Retry, loud: Plan.Destination
        this batch is planned for another destination, `splunk`
        this batch is planned for another destination, `splunk`"#]]
    .assert_eq(&told(&rejection));
}
