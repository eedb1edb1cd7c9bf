//! Splunk's HTTP Event Collector: what is sent, how it is asked for acknowledgements, and what each
//! answer comes to. Time is paused: minutes of waiting cost nothing.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use standpipe::model::Secret;
use standpipe::outside::http_client::SendError;
use standpipe::outside::{Clock, Dice};
use standpipe::sink::endpoint::{Endpoint, Next, Rejection};
use standpipe::sink::splunk::{Format, HecUrl, Settings, Splunk};
use standpipe::telemetry::Chain;
use tokio::time::Instant;

use crate::NOW;
use crate::http_endpoint::{answer, facts, request};
use crate::scripted::{Say, Scripted};
use crate::whole;

pub fn settings(format: Format) -> Settings {
    Settings {
        url: HecUrl::parse("https://hec.test:8088").unwrap(),
        token: Secret::new("hunter2"),
        format,
        ack_timeout: Duration::from_secs(180),
        retry_duration: Duration::from_secs(300),
    }
}

pub fn splunk(format: Format, http: &Arc<Scripted>) -> Splunk {
    let clock = Clock::simulated(NOW);
    Splunk::new(settings(format), http.clone(), clock, Dice::seeded(1))
}

pub const TAKEN: Say = Say::Ok(r#"{"text":"Success","code":0,"ackId":7}"#);
pub const TRUE: Say = Say::Ok(r#"{"acks":{"7":true}}"#);
const FALSE: Say = Say::Ok(r#"{"acks":{"7":false}}"#);

fn unavailable() -> Say {
    Say::Status(503, r#"{"text":"Server is busy","code":9}"#)
}

fn broken(authority: String) -> SendError {
    let cause = Arc::new(io::Error::from(io::ErrorKind::ConnectionReset));
    SendError::Broken { authority, cause }
}

fn refused(authority: String) -> SendError {
    let cause = Arc::new(io::Error::from(io::ErrorKind::ConnectionRefused));
    SendError::Connect { authority, cause }
}

fn certificate(authority: String, error: rustls::CertificateError) -> SendError {
    let cause = Arc::new(rustls::Error::InvalidCertificate(error));
    SendError::Connect { authority, cause }
}

fn other_host(authority: String) -> SendError {
    certificate(authority, rustls::CertificateError::NotValidForName)
}

fn nameless(authority: String) -> SendError {
    let alert = rustls::AlertDescription::CertificateRequired;
    let cause = Arc::new(rustls::Error::AlertReceived(alert));
    SendError::Broken { authority, cause }
}

fn untrusted(authority: String) -> SendError {
    certificate(authority, rustls::CertificateError::UnknownIssuer)
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
    let told = format!(
        "{next:?}{loud}{after}: {code}\n{message}\n{}",
        Chain(rejection)
    );
    assert!(!told.contains("hunter"), "a secret is told: {told}");
    told
}

/// What one attempt comes to, and how long that takes.
async fn check(answers: impl IntoIterator<Item = Say>, expected: Expect) {
    let http = Arc::new(Scripted::new(answers));
    let splunk = splunk(Format::Event, &http);
    let request = request(&splunk, &["{}{}", "{}", "{}"]);
    let started = Instant::now();
    let outcome = match whole(&splunk, &request).await {
        Ok(receipt) => format!("{} ({} bytes)", receipt.place, receipt.bytes),
        Err(rejection) => told(&rejection),
    };
    assert_eq!(http.left(), 0, "answers that nobody asked for");
    expected.assert_eq(&format!("{:?}: {outcome}", started.elapsed()));
}

#[tokio::test(start_paused = true)]
async fn raw_data_is_sent_as_it_is_and_acknowledged() {
    let http = Arc::new(Scripted::new([TAKEN, FALSE, TRUE]));
    let splunk = splunk(Format::Raw, &http);
    let request = request(&splunk, &["one\n", "two\n"]);
    expect![[r#"{"v":1,"sink":"splunk","format":"raw","body_bytes_max":5242880,"ack_timeout_ms":180000,"retry_duration_ms":300000}"#]].assert_eq(std::str::from_utf8(&request.plan.0).unwrap());
    whole(&splunk, &request).await.unwrap();
    expect![[r#"
        POST https://hec.test:8088/services/collector/raw
        authorization: Splunk hunter2 (sensitive)
        content-length: 8
        content-type: text/plain
        user-agent: standpipe/0.1.0
        x-splunk-request-channel: a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d
        -- whole, at most 180 s: one
        two


        POST https://hec.test:8088/services/collector/ack?channel=a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d
        authorization: Splunk hunter2 (sensitive)
        content-length: 12
        content-type: application/json
        user-agent: standpipe/0.1.0
        x-splunk-request-channel: a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d
        -- whole, at most 30 s: {"acks":[7]}

        POST https://hec.test:8088/services/collector/ack?channel=a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d
        authorization: Splunk hunter2 (sensitive)
        content-length: 12
        content-type: application/json
        user-agent: standpipe/0.1.0
        x-splunk-request-channel: a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d
        -- whole, at most 30 s: {"acks":[7]}"#]].assert_eq(&http.take_seen());
}

#[tokio::test(start_paused = true)]
async fn events_have_a_path_of_their_own() {
    let http = Arc::new(Scripted::new([TAKEN, TRUE]));
    let splunk = splunk(Format::Event, &http);
    let request = request(&splunk, &[r#"{"event":1}"#, r#"{"event":2}{"event":3}"#]);
    whole(&splunk, &request).await.unwrap();
    let seen = http.take_seen();
    expect![[r#"
        POST https://hec.test:8088/services/collector/event
        authorization: Splunk hunter2 (sensitive)
        content-length: 33
        content-type: application/json
        user-agent: standpipe/0.1.0
        x-splunk-request-channel: a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d
        -- whole, at most 180 s: {"event":1}{"event":2}{"event":3}"#]]
    .assert_eq(seen.split("\n\n").next().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_true_acknowledgement_is_waited_for() {
    check([TAKEN, TRUE], expect!["50ms: https://hec.test:8088 channel a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d ack 7 (8 bytes)"]).await;
    check([TAKEN, FALSE, FALSE, FALSE, FALSE, FALSE, TRUE], expect!["3.15s: https://hec.test:8088 channel a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d ack 7 (8 bytes)"]).await;
    let falses = std::iter::repeat_with(|| FALSE).take(41);
    check([TAKEN].into_iter().chain(falses).chain([TRUE]), expect!["180s: https://hec.test:8088 channel a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d ack 7 (8 bytes)"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_acknowledged_in_time_is_sent_again() {
    let falses = std::iter::repeat_with(|| FALSE).take(42);
    check([TAKEN].into_iter().chain(falses), expect![[r#"
        180s: Retry: Splunk.AckTimeout
        Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.
        failed to deliver to Splunk at `https://hec.test:8088`: asked 42 times, Splunk has not acknowledged the data"#]]).await;
    // The one true answer was lost on its way, and Splunk has forgotten it.
    let lost = [TAKEN, Say::Trouble(broken)];
    let falses = std::iter::repeat_with(|| FALSE).take(41);
    check(lost.into_iter().chain(falses), expect![[r#"
        180s: Retry: Splunk.AckTimeout
        Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.
        failed to deliver to Splunk at `https://hec.test:8088`: asked 42 times, Splunk has not acknowledged the data"#]]).await;
    let troubles = std::iter::repeat_with(|| Say::Trouble(refused)).take(42);
    check([TAKEN].into_iter().chain(troubles), expect![[r#"
        180s: Retry: Splunk.AckTimeout
        Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.
        failed to deliver to Splunk at `https://hec.test:8088`: asked 42 times, Splunk has not acknowledged the data: failed to connect to `hec.test:8088`: connection refused"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn trouble_between_us_and_the_indexer_is_asked_past() {
    let answers = [
        TAKEN,
        Say::Trouble(broken),
        Say::Hang,
        unavailable(),
        Say::Status(502, "<html>"),
        Say::Ok("<html>"),
        TRUE,
    ];
    check(answers, expect!["33.15s: https://hec.test:8088 channel a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d ack 7 (8 bytes)"]).await;
}

// From review: a server that was busy at the last poll gave its name to the failure, and one that
// called the poll too large had the data halved.
#[tokio::test(start_paused = true)]
async fn whatever_the_last_poll_meets_it_is_the_acknowledgement_that_did_not_come() {
    let at_last = |last: Say| {
        let falses = std::iter::repeat_with(|| FALSE).take(41);
        [TAKEN].into_iter().chain(falses).chain([last])
    };
    check(at_last(unavailable()), expect![[r#"
        180s: Retry: Splunk.AckTimeout
        Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.
        failed to deliver to Splunk at `https://hec.test:8088`: asked 42 times, Splunk has not acknowledged the data: Splunk answered 503: Server is busy (code 9)"#]]).await;
    check(at_last(Say::Status(500, "<html>no</html>")), expect![[r#"
        180s: Retry: Splunk.AckTimeout
        Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.
        failed to deliver to Splunk at `https://hec.test:8088`: asked 42 times, Splunk has not acknowledged the data: Splunk answered 500"#]]).await;
    check(
        at_last(Say::Status(413, "<html>too large</html>")),
        expect![[r#"
            180s: Retry: Splunk.AckTimeout
            Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.
            failed to deliver to Splunk at `https://hec.test:8088`: asked 42 times, Splunk has not acknowledged the data: Splunk answered 413"#]],
    )
    .await;
    check(at_last(Say::Ok("<html>welcome</html>")), expect![[r#"
        180s: Retry: Splunk.AckTimeout
        Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.
        failed to deliver to Splunk at `https://hec.test:8088`: asked 42 times, Splunk has not acknowledged the data: Splunk answered 200"#]]).await;
    check(at_last(Say::Trouble(broken)), expect![[r#"
        180s: Retry: Splunk.AckTimeout
        Did not receive an acknowledgement from HEC before the HEC acknowledgement timeout expired. Despite the acknowledgement timeout, it's possible the data was indexed successfully in Splunk.
        failed to deliver to Splunk at `https://hec.test:8088`: asked 42 times, Splunk has not acknowledged the data: the request to `hec.test:8088` broke off: connection reset"#]]).await;
    check(at_last(DISABLED), expect![[r#"
        180s: Retry, loud: Splunk.DisabledToken
        The HEC token is disabled. Enable the token to allow data delivery to Splunk. Response received from HEC: 403 {"text":"Token disabled","code":1}
        failed to deliver to Splunk at `https://hec.test:8088` (enable the HEC token): Splunk answered 403: Token disabled (code 1)"#]]).await;
}

/// Nobody would ever know of it: asking again is a waste of the retry duration.
#[tokio::test(start_paused = true)]
async fn what_was_forgotten_is_sent_again_at_once() {
    let missing = Say::Status(400, r#"{"text":"Data channel is missing","code":10}"#);
    check([TAKEN, missing], expect![[r#"
        50ms: Retry, loud: Splunk.ProxyWithoutStickySessions
        If you have a proxy (ELB or other) between Amazon Data Firehose and the HEC node, you must enable sticky sessions to support HEC ACKs. Response received from HEC: 400 {"text":"Data channel is missing","code":10}
        failed to deliver to Splunk at `https://hec.test:8088` (let the load balancer keep sessions at one indexer): Splunk answered 400: Data channel is missing (code 10)"#]]).await;
    let invalid = Say::Status(400, r#"{"text":"Invalid data channel","code":11}"#);
    check([TAKEN, invalid], expect![[r#"
        50ms: Retry, loud: Splunk.ProxyWithoutStickySessions
        If you have a proxy (ELB or other) between Amazon Data Firehose and the HEC node, you must enable sticky sessions to support HEC ACKs. Response received from HEC: 400 {"text":"Invalid data channel","code":11}
        failed to deliver to Splunk at `https://hec.test:8088` (let the load balancer keep sessions at one indexer): Splunk answered 400: Invalid data channel (code 11)"#]]).await;
}

const NO_ACKS: Say = Say::Status(400, r#"{"text":"ACK is disabled","code":14}"#);
const DISABLED: Say = Say::Status(403, r#"{"text":"Token disabled","code":1}"#);
const UNKNOWN: Say = Say::Status(401, r#"{"text":"Invalid authorization","code":3}"#);
const NOT_FOUND: Say = Say::Status(404, "");

/// It was taken: the same again would be there twice.
#[tokio::test(start_paused = true)]
async fn refused_polls_are_asked_past_until_the_time_is_up() {
    let mended = [TAKEN, NO_ACKS, DISABLED, UNKNOWN, NOT_FOUND, TRUE];
    check(mended, expect!["1.55s: https://hec.test:8088 channel a833bdcd-b6d1-4eb1-88dc-97e5aab5fe3d ack 7 (8 bytes)"]).await;
    let ever = |say: fn() -> Say| {
        [TAKEN]
            .into_iter()
            .chain(std::iter::repeat_with(say).take(42))
    };
    check(ever(|| NO_ACKS), expect![[r#"
        180s: Retry, loud: Splunk.AcknowledgementsDisabled
        Could not get acknowledgements on POST. Make sure that acknowledgements are enabled on HEC endpoint. Response received from HEC: 400 {"text":"ACK is disabled","code":14}
        failed to deliver to Splunk at `https://hec.test:8088` (enable indexer acknowledgement for the HEC token): Splunk answered 400: ACK is disabled (code 14)"#]]).await;
    check(ever(|| DISABLED), expect![[r#"
        180s: Retry, loud: Splunk.DisabledToken
        The HEC token is disabled. Enable the token to allow data delivery to Splunk. Response received from HEC: 403 {"text":"Token disabled","code":1}
        failed to deliver to Splunk at `https://hec.test:8088` (enable the HEC token): Splunk answered 403: Token disabled (code 1)"#]]).await;
    check(ever(|| UNKNOWN), expect![[r#"
        180s: Retry, loud: Splunk.InvalidToken
        The HEC token is invalid. Response received from HEC: 401 {"text":"Invalid authorization","code":3}
        failed to deliver to Splunk at `https://hec.test:8088` (check the HEC token): Splunk answered 401: Invalid authorization (code 3)"#]]).await;
    check(ever(|| NOT_FOUND), expect![[r#"
        180s: Retry, loud: Splunk.URLNotFound
        The requested URL was not found on the Splunk server. Please check the Splunk cluster and make sure it is configured correctly. Response received from HEC: 404
        failed to deliver to Splunk at `https://hec.test:8088` (check that the URL is an HTTP Event Collector's): Splunk answered 404"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn without_an_id_nobody_would_say_that_data_stays() {
    check([Say::Ok(r#"{"text":"Success","code":0}"#)], expect![[r#"
        0ns: Never, loud: Splunk.DisabledAck
        Indexer acknowledgement is disabled for the HEC token. Enable indexer acknowledgement and try again. Response received from HEC: 200 {"text":"Success","code":0}
        failed to deliver to Splunk at `https://hec.test:8088` (enable indexer acknowledgement for the HEC token): Splunk answered 200: Success (code 0)"#]]).await;
    check([Say::Ok("<html>welcome</html>")], expect![[r#"
        0ns: Retry, loud: Splunk.InvalidHecResponseCharacter
        Invalid characters found in HEC response, make sure to check to the service and HEC configuration. Response received from HEC: 200 <html>welcome</html>
        failed to deliver to Splunk at `https://hec.test:8088` (check that the URL is an HTTP Event Collector's): Splunk answered 200"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn tokens_indexes_and_busy_servers_are_tried_again() {
    check(
        [Say::Status(403, r#"{"text":"Token disabled","code":1}"#)],
        expect![[r#"
            0ns: Retry, loud: Splunk.DisabledToken
            The HEC token is disabled. Enable the token to allow data delivery to Splunk. Response received from HEC: 403 {"text":"Token disabled","code":1}
            failed to deliver to Splunk at `https://hec.test:8088` (enable the HEC token): Splunk answered 403: Token disabled (code 1)"#]],
    )
    .await;
    check(
        [Say::Status(401, r#"{"text":"Token is required","code":2}"#)],
        expect![[r#"
            0ns: Retry, loud: Splunk.InvalidToken
            The HEC token is invalid. Response received from HEC: 401 {"text":"Token is required","code":2}
            failed to deliver to Splunk at `https://hec.test:8088` (check the HEC token): Splunk answered 401: Token is required (code 2)"#]],
    )
    .await;
    check(
        [Say::Status(403, r#"{"text":"Invalid token","code":4}"#)],
        expect![[r#"
            0ns: Retry, loud: Splunk.InvalidToken
            The HEC token is invalid. Response received from HEC: 403 {"text":"Invalid token","code":4}
            failed to deliver to Splunk at `https://hec.test:8088` (check the HEC token): Splunk answered 403: Invalid token (code 4)"#]],
    )
    .await;
    check(
        [Say::Status(400, r#"{"text":"Incorrect index","code":7}"#)],
        expect![[r#"
            0ns: Retry, loud: Splunk.InvalidIndex
            The HEC token or input is configured with an invalid index. Check your index configuration and try again. Response received from HEC: 400 {"text":"Incorrect index","code":7}
            failed to deliver to Splunk at `https://hec.test:8088` (check which indexes the HEC token allows): Splunk answered 400: Incorrect index (code 7)"#]],
    )
    .await;
    check(
        [Say::Status(
            500,
            r#"{"text":"Internal server error","code":8}"#,
        )],
        expect![[r#"
            0ns: Retry: Splunk.ServerError
            Data delivery to Splunk failed due to a server error from the HEC node. Response received from HEC: 500 {"text":"Internal server error","code":8}
            failed to deliver to Splunk at `https://hec.test:8088`: Splunk answered 500: Internal server error (code 8)"#]],
    )
    .await;
    let busy = answer(
        503,
        &[("retry-after", "7")],
        r#"{"text":"Server is busy","code":9}"#,
    );
    check([busy], expect![[r#"
        0ns: Retry, after 7s: Splunk.IndexerBusy
        Data delivery to Splunk failed due to a server error from the HEC node. Make sure HEC endpoint or the Elastic Load Balancer is reachable and is healthy. Response received from HEC: 503 {"text":"Server is busy","code":9}
        failed to deliver to Splunk at `https://hec.test:8088`: Splunk answered 503: Server is busy (code 9)"#]]).await;
    check(
        [Say::Status(
            400,
            r#"{"text":"Data channel is missing","code":10}"#,
        )],
        expect![[r#"
            0ns: Retry, loud: Splunk.ProxyWithoutStickySessions
            If you have a proxy (ELB or other) between Amazon Data Firehose and the HEC node, you must enable sticky sessions to support HEC ACKs. Response received from HEC: 400 {"text":"Data channel is missing","code":10}
            failed to deliver to Splunk at `https://hec.test:8088` (let the load balancer keep sessions at one indexer): Splunk answered 400: Data channel is missing (code 10)"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_record_with_the_invalid_event_is_named() {
    for (event, next) in [
        (0, Next::Without(0)),
        (1, Next::Without(0)),
        (2, Next::Without(1)),
        (3, Next::Without(2)),
        (4, Next::Halve),
    ] {
        let body = format!(r#"{{"text":"","code":6,"invalid-event-number":{event}}}"#);
        let http = Arc::new(Scripted::new([answer(400, &[], &body)]));
        let splunk = splunk(Format::Event, &http);
        let request = request(&splunk, &["{}{}", "{}", "{}"]);
        let rejection = whole(&splunk, &request).await.unwrap_err();
        assert_eq!(
            (rejection.next, rejection.code.as_str()),
            (next, "Splunk.InvalidDataFormat")
        );
    }
    check(
        [Say::Status(
            400,
            r#"{"text":"Event field is required","code":12,"invalid-event-number":2}"#,
        )],
        expect![[r#"
            0ns: Without(1): Splunk.InvalidDataFormat
            The data is not formatted correctly. Response received from HEC: 400 {"text":"Event field is required","code":12,"invalid-event-number":2}
            failed to deliver to Splunk at `https://hec.test:8088`: Splunk answered 400: Event field is required (code 12)"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_spoilt_somewhere_is_halved_and_what_is_blank_filed() {
    check(
        [Say::Status(
            400,
            r#"{"text":"Invalid data format","code":6}"#,
        )],
        expect![[r#"
            0ns: Halve: Splunk.InvalidDataFormat
            The data is not formatted correctly. Response received from HEC: 400 {"text":"Invalid data format","code":6}
            failed to deliver to Splunk at `https://hec.test:8088`: Splunk answered 400: Invalid data format (code 6)"#]],
    )
    .await;
    check(
        [Say::Status(400, r#"{"text":"No data","code":5}"#)],
        expect![[r#"
            0ns: Never: Splunk.InvalidDataFormat
            The data is not formatted correctly. Response received from HEC: 400 {"text":"No data","code":5}
            failed to deliver to Splunk at `https://hec.test:8088`: Splunk answered 400: No data (code 5)"#]],
    )
    .await;
    check([Say::Status(413, "<html>too large</html>")], expect![[r#"
        0ns: Halve: Splunk.ServerError.ContentTooLarge
        Data delivery to Splunk failed due to a server error with a statusCode: 413, message: the request your client sent was too large. See splunk docs to configure max_content_length. Response received from HEC: 413 <html>too large</html>
        failed to deliver to Splunk at `https://hec.test:8088`: Splunk answered 413"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn trouble_on_the_way_has_firehoses_names() {
    check([Say::Hang], expect![[r#"
        180s: Retry: Splunk.ConnectionTimeout
        The connection to Splunk timed out. This might be a transient error and the request will be retried.
        failed to deliver to Splunk at `https://hec.test:8088`: no answer from `hec.test:8088` within 3m"#]]).await;
    check([Say::Trouble(refused)], expect![[r#"
        0ns: Retry: Splunk.InvalidEndpoint
        Could not connect to the HEC endpoint. Make sure that the HEC endpoint URL is valid and reachable.
        failed to deliver to Splunk at `https://hec.test:8088`: failed to connect to `hec.test:8088`: connection refused"#]]).await;
    check([Say::Trouble(broken)], expect![[r#"
        0ns: Retry: Splunk.ConnectionClosed
        Unable to send data to Splunk due to a connection failure. This might be a transient error.
        failed to deliver to Splunk at `https://hec.test:8088`: the request to `hec.test:8088` broke off: connection reset"#]]).await;
    check([Say::Trouble(other_host)], expect![[r#"
        0ns: Retry, loud: Splunk.SSLUnverified
        Could not connect to the HEC endpoint. The host does not match the certificate provided by the peer. Make sure that the certificate and the host are valid.
        failed to deliver to Splunk at `https://hec.test:8088` (its certificate is not for this host, or not for this day: give it another): failed to connect to `hec.test:8088`: invalid peer certificate: NotValidForName"#]]).await;
    check([Say::Trouble(nameless)], expect![[r#"
        0ns: Retry, loud: Splunk.SSLHandshake
        Could not connect to the HEC endpoint. Make sure that the certificate and the host are valid.
        failed to deliver to Splunk at `https://hec.test:8088` (it wants a certificate of ours: name one that it takes in `client_certificate_file`, and its key in `client_key_file`): the request to `hec.test:8088` broke off: received fatal alert: CertificateRequired"#]]).await;
    check([Say::Trouble(untrusted)], expect![[r#"
        0ns: Retry, loud: Splunk.SSLHandshake
        Could not connect to the HEC endpoint. Make sure that the certificate and the host are valid.
        failed to deliver to Splunk at `https://hec.test:8088` (name its certificate authority in `ca_file`, or give it a certificate of a known one): failed to connect to `hec.test:8088`: invalid peer certificate: UnknownIssuer"#]]).await;
}

/// The channel of each request, by its first characters.
fn channels(seen: &str) -> Vec<&str> {
    let lines = seen
        .lines()
        .filter_map(|line| line.strip_prefix("x-splunk-request-channel: "));
    lines.map(|channel| &channel[..4]).collect()
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_kept_until_it_meets_trouble() {
    let http = Arc::new(Scripted::new([
        TAKEN,
        TRUE,
        TAKEN,
        TRUE,
        unavailable(),
        TAKEN,
        TRUE,
    ]));
    let splunk = splunk(Format::Raw, &http);
    let request = request(&splunk, &["one"]);
    for _ in 0..2 {
        whole(&splunk, &request).await.unwrap();
    }
    whole(&splunk, &request).await.unwrap_err();
    whole(&splunk, &request).await.unwrap();
    let seen = http.take_seen();
    let channels = channels(&seen);
    assert!(
        channels[..5].iter().all(|channel| channel == &channels[0]),
        "{channels:?}"
    );
    assert!(
        channels[5] == channels[6] && channels[5] != channels[0],
        "{channels:?}"
    );
}

// From review: memory and channel were held until the indexers had written the data.
#[tokio::test(start_paused = true)]
async fn a_request_is_over_when_it_is_answered_and_its_channel_free_for_the_next() {
    let http = Arc::new(Scripted::new([TAKEN, TAKEN, TRUE, TRUE]));
    let splunk = splunk(Format::Raw, &http);
    let request = request(&splunk, &["one"]);
    let started = Instant::now();
    let first = splunk.send(&request).await.unwrap();
    let second = splunk.send(&request).await.unwrap();
    assert_eq!(started.elapsed(), Duration::ZERO);
    drop(request);
    let (first, second) = tokio::join!(first.confirmed(), second.confirmed());
    assert_eq!(first.unwrap().place, second.unwrap().place);
}

#[tokio::test(start_paused = true)]
async fn a_channel_whose_data_is_not_acknowledged_is_not_used_again() {
    let missing = Say::Status(400, r#"{"text":"Data channel is missing","code":10}"#);
    let http = Arc::new(Scripted::new([TAKEN, missing, TAKEN, TRUE]));
    let splunk = splunk(Format::Raw, &http);
    let request = request(&splunk, &["one"]);
    whole(&splunk, &request).await.unwrap_err();
    whole(&splunk, &request).await.unwrap();
    let seen = http.take_seen();
    let channels = channels(&seen);
    assert_eq!(channels[0], channels[1]);
    assert_ne!(channels[1], channels[2]);
}

#[tokio::test(start_paused = true)]
async fn a_balancers_cookies_come_along() {
    let cookie = ("set-cookie", "AWSALB=abc; Path=/; Secure");
    let taken = answer(200, &[cookie], r#"{"text":"Success","code":0,"ackId":7}"#);
    let http = Arc::new(Scripted::new([taken, TRUE]));
    let splunk = splunk(Format::Raw, &http);
    let request = request(&splunk, &["one"]);
    whole(&splunk, &request).await.unwrap();
    let seen = http.take_seen();
    let cookies: Vec<_> = seen
        .lines()
        .filter(|line| line.starts_with("cookie"))
        .collect();
    assert_eq!(cookies, ["cookie: AWSALB=abc (sensitive)"]);
}

#[tokio::test(start_paused = true)]
async fn d3_a_repeat_uses_the_plan_and_never_todays_settings() {
    let http = Arc::new(Scripted::new([TAKEN, TRUE]));
    let before = splunk(Format::Raw, &http);
    let request = request(&before, &["one"]);
    let settings = Settings {
        ack_timeout: Duration::from_secs(600),
        retry_duration: Duration::ZERO,
        ..settings(Format::Event)
    };
    let after = Splunk::new(
        settings,
        http.clone(),
        Clock::simulated(NOW),
        Dice::seeded(1),
    );
    let terms = |splunk: &Splunk| splunk.terms(&before.plan(&facts())).unwrap();
    assert_eq!(terms(&before), terms(&after));
    whole(&after, &request).await.unwrap();
    assert!(
        http.take_seen()
            .starts_with("POST https://hec.test:8088/services/collector/raw\n")
    );
}
