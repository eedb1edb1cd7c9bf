//! The HTTP services, called directly: no sockets, no real time.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use expect_test::{Expect, expect};
use futures_util::{FutureExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use proptest::prelude::*;
use standpipe::buffer::Intake;
use standpipe::model::{
    BufferingHints, ByteSize, Compression, DestinationDescription, DirectoryId, RecordId, Secret,
    StreamDescription, StreamName, Timestamp,
};
use standpipe::outside::stop::{self, Phase, Stopper};
use standpipe::outside::{Clock, Dice};
use standpipe::server::{
    self, Identity, Incoming, Producer, Producers, Request, Service, StreamPattern,
};
use standpipe::source::direct_put::{DirectPut, Settings, Stream, Tools};
use standpipe::telemetry::Metrics;
use standpipe::telemetry::metrics::PutRequest;

/// 2015-08-30T12:36:00Z
const NOW: u64 = 1_440_938_160_000;

struct World {
    service: DirectPut,
    stopper: Stopper,
    metrics: Metrics,
}

fn stream(name: &StreamName, id: u32, intake: Intake) -> Stream {
    Stream {
        intake,
        id,
        directory: DirectoryId(7),
        description: StreamDescription {
            name: name.clone(),
            version: 1,
            created: Timestamp::from_millis(1_440_000_000_500),
            updated: None,
            destination: DestinationDescription {
                place: "out".to_owned(),
                url: "./out".to_owned(),
                prefix: None,
                error_output_prefix: None,
                time_zone: None,
                compression: Compression::Uncompressed,
            },
            buffering: BufferingHints {
                size: ByteSize::mebibytes(5),
                interval: Duration::from_secs(60),
            },
        },
    }
}

/// A daemon's front door, with the streams `audit-eu`, `audit-us`, `clicks` and `views`.
fn world(producers: impl IntoIterator<Item = Producer>) -> World {
    let settings = Settings {
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
    };
    let names = ["audit-eu", "audit-us", "clicks", "views"];
    let names = names.map(|name| name.parse::<StreamName>().unwrap());
    let streams: BTreeMap<StreamName, Stream> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (name.clone(), stream(name, at as u32, Intake {})))
        .collect();
    let (stopper, stop) = stop::channel();
    let metrics = Metrics::default();
    let tools = Tools {
        metrics: metrics.clone(),
        clock: Clock::simulated(Timestamp::from_millis(NOW)),
        dice: Dice::seeded(1),
        stop,
    };
    World {
        service: DirectPut::new(settings, streams, Producers::new(producers), tools),
        stopper,
        metrics,
    }
}

/// Without producers: whoever reaches the port may put.
fn open_world() -> World {
    world([])
}

fn guarded_world() -> World {
    let web = Producer {
        name: "web".to_owned(),
        identity: Identity::AccessKey {
            access_key_id: "AKIDWEB".to_owned(),
            secret_access_key: Secret::new("web's secret"),
        },
        streams: vec![
            StreamPattern("clicks".to_owned()),
            StreamPattern("audit-*".to_owned()),
        ],
    };
    let events = Producer {
        name: "events".to_owned(),
        identity: Identity::Token(Secret::new("events-token")),
        streams: vec![StreamPattern("views".to_owned())],
    };
    world([web, events])
}

/// Record ids as `<stream's number>:<sequence number>`.
fn readable(text: &str) -> String {
    let pieces = text.split('"').map(|piece| match RecordId::parse(piece) {
        Some(id) => format!("{}:{}", id.stream, id.seq),
        None => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join("\"")
}

impl World {
    /// Status and body.
    async fn call(&self, request: Request) -> String {
        let response = self.service.call(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        format!("{status} {}", readable(std::str::from_utf8(&body).unwrap()))
    }

    #[track_caller]
    fn check(&self, request: Request, expected: Expect) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        expected.assert_eq(&runtime.block_on(self.call(request)));
    }
}

fn api_with(operation: &str, body: Incoming) -> Request {
    http::Request::post("/")
        .header("host", "localhost:4573")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", format!("Firehose_20150804.{operation}"))
        .body(body)
        .unwrap()
}

fn api(operation: &str, body: impl Into<Bytes>) -> Request {
    api_with(operation, server::incoming(body))
}

fn lines(stream: &str, body: &str) -> Request {
    let uri = format!("/v1/streams/{stream}/records");
    let body = server::incoming(body.to_owned());
    http::Request::post(uri)
        .header("host", "localhost:4573")
        .body(body)
        .unwrap()
}

fn batch_of(records: &[String]) -> String {
    let records: Vec<String> = records
        .iter()
        .map(|data| format!(r#"{{"Data":"{data}"}}"#))
        .collect();
    format!(
        r#"{{"DeliveryStreamName":"clicks","Records":[{}]}}"#,
        records.join(",")
    )
}

fn base64_of(bytes: usize) -> String {
    STANDARD.encode(vec![b'x'; bytes])
}

/// Signed by AWS's own signer.
fn signed(key: &str, secret: &str, service: &str, operation: &str, body: &str) -> Request {
    let identity = Credentials::new(key, secret, None, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("eu-west-1")
        .name(service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(NOW))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let mut request = api(operation, body.to_owned());
    let headers = request.headers().clone();
    let headers = headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
    let uri = "http://localhost:4573/";
    let signable = SignableBody::Bytes(body.as_bytes());
    let signable = SignableRequest::new("POST", uri, headers, signable).unwrap();
    let (instructions, _) = sign(signable, &params).unwrap().into_parts();
    instructions.apply_to_request_http1x(&mut request);
    request
}

fn by_web(operation: &str, body: &str) -> Request {
    signed("AKIDWEB", "web's secret", "firehose", operation, body)
}

fn with(mut request: Request, name: &'static str, value: &str) -> Request {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}

#[test]
fn a_request_for_nothing_we_know_is_told_so() {
    let world = open_world();
    world.check(
        api("PutRecords", "{}"),
        expect![[r#"400 {"__type":"UnknownOperationException"}"#]],
    );
    world.check(
        with(api("x", "{}"), "x-amz-target", "Kinesis_20131202.PutRecord"),
        expect![[r#"400 {"__type":"UnknownOperationException"}"#]],
    );
    let mut none = api("x", "{}");
    none.headers_mut().remove("x-amz-target");
    world.check(
        none,
        expect![[r#"400 {"__type":"UnknownOperationException"}"#]],
    );
    let request = |method: &str, uri: &str| {
        let request = http::Request::builder().method(method).uri(uri);
        request.body(server::incoming("")).unwrap()
    };
    world.check(request("GET", "/"), expect![[r#"404 {"__type":"UnknownOperationException","message":"The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a line, to `POST /v1/streams/{name}/records`."}"#]]);
    world.check(request("PUT", "/"), expect![[r#"404 {"__type":"UnknownOperationException","message":"The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a line, to `POST /v1/streams/{name}/records`."}"#]]);
    world.check(request("POST", "/v1/streams"), expect![[r#"404 {"__type":"UnknownOperationException","message":"The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a line, to `POST /v1/streams/{name}/records`."}"#]]);
    world.check(request("GET", "/v1/streams/clicks/records"), expect![[r#"405 {"__type":"UnknownOperationException","message":"The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a line, to `POST /v1/streams/{name}/records`."}"#]]);
}

#[test]
fn operations_that_aws_knows_and_we_do_not_offer_are_denied() {
    let world = open_world();
    world.check(
        api("CreateDeliveryStream", r#"{"DeliveryStreamName":"new"}"#),
        expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/anyone is not authorized to perform: firehose:CreateDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/new because no identity-based policy allows the firehose:CreateDeliveryStream action"}"#]],
    );
    world.check(api("DeleteDeliveryStream", "{}"), expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/anyone is not authorized to perform: firehose:DeleteDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/* because no identity-based policy allows the firehose:DeleteDeliveryStream action"}"#]]);
    world.check(api("UpdateDestination", "nonsense"), expect![[r#"400 {"__type":"SerializationException","message":"The body is not JSON: expected ident at line 1 column 2"}"#]]);
}

#[test]
fn a_body_that_cannot_be_read_is_a_serialization_error() {
    let world = open_world();
    let check =
        |body: &str, expected| world.check(api("PutRecordBatch", body.to_owned()), expected);
    check(
        "",
        expect![[
            r#"400 {"__type":"SerializationException","message":"The body is not JSON: EOF while parsing a value at line 1 column 0"}"#
        ]],
    );
    check(
        "{",
        expect![[
            r#"400 {"__type":"SerializationException","message":"The body is not JSON: EOF while parsing an object at line 1 column 1"}"#
        ]],
    );
    check(
        "[]",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found sequence, expected a structure at line 1 column 2"}"#
        ]],
    );
    check(
        "null",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found null, expected a structure at line 1 column 4"}"#
        ]],
    );
    check(
        "\"text\"",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found string \"text\", expected a structure at line 1 column 6"}"#
        ]],
    );
    check(
        "{} {}",
        expect![[
            r#"400 {"__type":"SerializationException","message":"The body is not JSON: trailing characters at line 1 column 4"}"#
        ]],
    );
    check(
        r#"{"DeliveryStreamName":5}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found integer `5`, expected a string at line 1 column 23"}"#
        ]],
    );
    check(
        r#"{"DeliveryStreamName":"clicks","Records":{}}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found map, expected a list at line 1 column 43"}"#
        ]],
    );
    check(
        r#"{"DeliveryStreamName":"clicks","Records":["YQ=="]}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found string \"YQ==\", expected a structure at line 1 column 48"}"#
        ]],
    );
    check(
        r#"{"DeliveryStreamName":"clicks","Records":[["YQ=="]]}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found sequence, expected a structure at line 1 column 43"}"#
        ]],
    );
    check(
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":1}]}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found integer `1`, expected a string at line 1 column 51"}"#
        ]],
    );
    check(
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":{}}]}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found map, expected a string at line 1 column 50"}"#
        ]],
    );
    let long = format!(
        r#"{{"DeliveryStreamName":"clicks","Records":"{}"}}"#,
        "x".repeat(1000)
    );
    check(
        &long,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found string \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"}"#
        ]],
    );
    world.check(
        api("PutRecordBatch", &b"{\"DeliveryStreamName\":\"\xff\"}"[..]),
        expect![[r#"400 {"__type":"SerializationException","message":"The body is not JSON: invalid unicode code point at line 1 column 24"}"#]],
    );
}

#[test]
fn base64_is_taken_to_the_letter() {
    let world = open_world();
    let check = |data: &str, expected| {
        world.check(
            api(
                "PutRecordBatch",
                batch_of(&["".to_owned(), data.to_owned()]),
            ),
            expected,
        );
    };
    check(
        "YQ",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 2"}"#
        ]],
    );
    check(
        "YQ=",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 3"}"#
        ]],
    );
    check(
        "YR==",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid last non-pad Base64 character detected"}"#
        ]],
    );
    check(
        "Y=Q=",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '='"}"#
        ]],
    );
    check(
        "Y-_=",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '-'"}"#
        ]],
    );
    check(
        "YQ==\\n",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '='"}"#
        ]],
    );
    check(
        "é",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: 'é'"}"#
        ]],
    );
    let one = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"?"}}"#;
    world.check(api("PutRecord", one), expect![[r#"400 {"__type":"SerializationException","message":"Value at 'record.data' can not be converted to a Blob: Invalid Base64 character: '?'"}"#]]);
}

#[test]
fn what_firehoses_model_forbids_is_a_validation_error() {
    let world = open_world();
    let one = |body: &str, expected| world.check(api("PutRecord", body.to_owned()), expected);
    one(
        "{}",
        expect![[
            r#"400 {"__type":"ValidationException","message":"2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null; Value at 'record' failed to satisfy constraint: Member must not be null"}"#
        ]],
    );
    one(
        r#"{"DeliveryStreamName":null,"Record":{"Data":"YQ=="}}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null"}"#
        ]],
    );
    one(
        r#"{"DeliveryStreamName":"clicks","Record":{}}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must not be null"}"#
        ]],
    );
    one(
        r#"{"DeliveryStreamName":"clicks","Record":null}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'record' failed to satisfy constraint: Member must not be null"}"#
        ]],
    );
    one(
        r#"{"DeliveryStreamName":"","Record":{"Data":"YQ=="}}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length greater than or equal to 1"}"#
        ]],
    );
    one(
        r#"{"DeliveryStreamName":"a b","Record":{"Data":"YQ=="}}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"}"#
        ]],
    );
    let long = "x".repeat(65);
    one(
        &format!(r#"{{"DeliveryStreamName":"{long}","Record":{{"Data":"YQ=="}}}}"#),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64"}"#
        ]],
    );
    let large = base64_of(1_024_001);
    one(
        &format!(r#"{{"DeliveryStreamName":"clicks","Record":{{"Data":"{large}"}}}}"#),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000"}"#
        ]],
    );

    let many = |body: String, expected| world.check(api("PutRecordBatch", body), expected);
    many(
        "{}".to_owned(),
        expect![[
            r#"400 {"__type":"ValidationException","message":"2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null; Value at 'records' failed to satisfy constraint: Member must not be null"}"#
        ]],
    );
    many(
        batch_of(&[]),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"}"#
        ]],
    );
    many(
        batch_of(&vec!["YQ==".to_owned(); 501]),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"}"#
        ]],
    );
    let mut records = vec!["YQ==".to_owned(); 97];
    records[96] = large;
    many(
        batch_of(&records),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'records.97.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000"}"#
        ]],
    );
    many(
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"YQ=="},null,{}]}"#.into(),
        expect![[
            r#"400 {"__type":"ValidationException","message":"2 validation errors detected: Value at 'records.2.member' failed to satisfy constraint: Member must not be null; Value at 'records.3.member.data' failed to satisfy constraint: Member must not be null"}"#
        ]],
    );
    let nulls = ["null"; 20].join(",");
    many(
        format!(r#"{{"DeliveryStreamName":"clicks","Records":[{nulls}]}}"#),
        expect![[
            r#"400 {"__type":"ValidationException","message":"10 validation errors detected: Value at 'records.1.member' failed to satisfy constraint: Member must not be null; Value at 'records.2.member' failed to satisfy constraint: Member must not be null; Value at 'records.3.member' failed to satisfy constraint: Member must not be null; Value at 'records.4.member' failed to satisfy constraint: Member must not be null; Value at 'records.5.member' failed to satisfy constraint: Member must not be null; Value at 'records.6.member' failed to satisfy constraint: Member must not be null; Value at 'records.7.member' failed to satisfy constraint: Member must not be null; Value at 'records.8.member' failed to satisfy constraint: Member must not be null; Value at 'records.9.member' failed to satisfy constraint: Member must not be null; Value at 'records.10.member' failed to satisfy constraint: Member must not be null"}"#
        ]],
    );
}

#[test]
fn a_batch_of_more_than_four_mebibytes_is_refused_as_a_whole() {
    let mut records = vec![base64_of(1_024_000); 4];
    records.push(base64_of(98_305));
    open_world().check(api("PutRecordBatch", batch_of(&records)), expect![[r#"400 {"__type":"InvalidArgumentException","message":"Records size exceeds 4 MB limit"}"#]]);
}

#[test]
fn a_stream_that_is_not_there_is_not_found() {
    let world = open_world();
    world.check(
        api(
            "PutRecord",
            r#"{"DeliveryStreamName":"clicsk","Record":{"Data":"YQ=="}}"#,
        ),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose clicsk under account 123456789012 not found."}"#]],
    );
    world.check(
        api(
            "PutRecordBatch",
            r#"{"DeliveryStreamName":"Clicks","Records":[{"Data":"YQ=="}]}"#,
        ),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose Clicks under account 123456789012 not found."}"#]],
    );
    world.check(
        api("DescribeDeliveryStream", r#"{"DeliveryStreamName":"x"}"#),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose x under account 123456789012 not found."}"#]],
    );
    world.check(
        api("ListTagsForDeliveryStream", r#"{"DeliveryStreamName":"x"}"#),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose x under account 123456789012 not found."}"#]],
    );
    world.check(lines("clicsk", "a\n"), expect![[r#"404 {"__type":"ResourceNotFoundException","message":"Firehose clicsk under account 123456789012 not found."}"#]]);
    world.check(lines("a%20b", "a\n"), expect![[r#"400 {"__type":"ValidationException","message":"`a%20b` is not a stream name: 1 to 64 of the characters a-z A-Z 0-9 _ . - are allowed."}"#]]);
}

#[test]
fn streams_are_listed_in_order_and_page_by_page() {
    let world = open_world();
    let list =
        |body: &str, expected| world.check(api("ListDeliveryStreams", body.to_owned()), expected);
    list(
        "{}",
        expect![[
            r#"200 {"DeliveryStreamNames":["audit-eu","audit-us","clicks","views"],"HasMoreDeliveryStreams":false}"#
        ]],
    );
    list(
        r#"{"Limit":2}"#,
        expect![[
            r#"200 {"DeliveryStreamNames":["audit-eu","audit-us"],"HasMoreDeliveryStreams":true}"#
        ]],
    );
    list(
        r#"{"Limit":2,"ExclusiveStartDeliveryStreamName":"audit-us"}"#,
        expect![[
            r#"200 {"DeliveryStreamNames":["clicks","views"],"HasMoreDeliveryStreams":false}"#
        ]],
    );
    list(
        r#"{"ExclusiveStartDeliveryStreamName":"b"}"#,
        expect![[
            r#"200 {"DeliveryStreamNames":["clicks","views"],"HasMoreDeliveryStreams":false}"#
        ]],
    );
    list(
        r#"{"ExclusiveStartDeliveryStreamName":"views"}"#,
        expect![[r#"200 {"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}"#]],
    );
    list(
        r#"{"DeliveryStreamType":"DirectPut","Limit":1}"#,
        expect![[r#"200 {"DeliveryStreamNames":["audit-eu"],"HasMoreDeliveryStreams":true}"#]],
    );
    list(
        r#"{"DeliveryStreamType":"KinesisStreamAsSource"}"#,
        expect![[r#"200 {"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}"#]],
    );
    list(
        r#"{"DeliveryStreamType":"directput"}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamType' failed to satisfy constraint: Member must satisfy enum value set: [DirectPut, KinesisStreamAsSource, MSKAsSource, DatabaseAsSource]"}"#
        ]],
    );
    list(
        r#"{"Limit":0}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"}"#
        ]],
    );
    list(
        r#"{"Limit":10001}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"}"#
        ]],
    );
    list(
        r#"{"Limit":"2"}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found string \"2\", expected a whole number at line 1 column 12"}"#
        ]],
    );
}

#[test]
fn a_stream_describes_itself() {
    let world = open_world();
    world.check(
        api(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"clicks","Limit":10000}"#,
        ),
        expect![[r#"200 {"DeliveryStreamDescription":{"DeliveryStreamName":"clicks","DeliveryStreamARN":"arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks","DeliveryStreamStatus":"ACTIVE","DeliveryStreamEncryptionConfiguration":{"Status":"DISABLED"},"DeliveryStreamType":"DirectPut","VersionId":"1","CreateTimestamp":1440000000.5,"Destinations":[{"DestinationId":"destinationId-000000000001","ExtendedS3DestinationDescription":{"BucketARN":"arn:aws:s3:::out","BufferingHints":{"IntervalInSeconds":60,"SizeInMBs":5},"CloudWatchLoggingOptions":{"Enabled":false},"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"RoleARN":"arn:aws:iam::123456789012:role/standpipe","DataFormatConversionConfiguration":{"Enabled":false},"ProcessingConfiguration":{"Enabled":false,"Processors":[]},"S3BackupMode":"Disabled"},"S3DestinationDescription":{"BucketARN":"arn:aws:s3:::out","BufferingHints":{"IntervalInSeconds":60,"SizeInMBs":5},"CloudWatchLoggingOptions":{"Enabled":false},"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"RoleARN":"arn:aws:iam::123456789012:role/standpipe"}}],"HasMoreDestinations":false}}"#]],
    );
    world.check(
        api(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"clicks","Limit":10001}"#,
        ),
        expect![[r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"}"#]],
    );
    world.check(
        api(
            "ListTagsForDeliveryStream",
            r#"{"DeliveryStreamName":"clicks","Limit":50}"#,
        ),
        expect![[r#"200 {"HasMoreTags":false,"Tags":[]}"#]],
    );
    world.check(
        api(
            "ListTagsForDeliveryStream",
            r#"{"DeliveryStreamName":"clicks","Limit":51}"#,
        ),
        expect![[r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"}"#]],
    );
}

#[test]
fn a_producer_sees_its_own_streams_only() {
    let world = guarded_world();
    world.check(by_web("ListDeliveryStreams", "{}"), expect![[r#"200 {"DeliveryStreamNames":["audit-eu","audit-us","clicks"],"HasMoreDeliveryStreams":false}"#]]);
    world.check(
        by_web(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"views"}"#,
        ),
        expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/web is not authorized to perform: firehose:DescribeDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/views because no identity-based policy allows the firehose:DescribeDeliveryStream action"}"#]],
    );
    world.check(
        by_web(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"nothing"}"#,
        ),
        expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/web is not authorized to perform: firehose:DescribeDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/nothing because no identity-based policy allows the firehose:DescribeDeliveryStream action"}"#]],
    );
    world.check(
        by_web(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"audit-x"}"#,
        ),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose audit-x under account 123456789012 not found."}"#]],
    );
    let put = r#"{"DeliveryStreamName":"views","Record":{"Data":"YQ=="}}"#;
    world.check(by_web("PutRecord", put), expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/web is not authorized to perform: firehose:PutRecord on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/views because no identity-based policy allows the firehose:PutRecord action"}"#]]);
    world.check(by_web("CreateDeliveryStream", "{}"), expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/web is not authorized to perform: firehose:CreateDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/* because no identity-based policy allows the firehose:CreateDeliveryStream action"}"#]]);
}

#[test]
fn who_does_not_sign_is_turned_away() {
    let world = guarded_world();
    world.check(api("ListDeliveryStreams", "{}"), expect![[r#"400 {"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}"#]]);
    let stranger = signed("AKIDNOBODY", "x", "firehose", "ListDeliveryStreams", "{}");
    world.check(stranger, expect![[r#"400 {"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#]]);
    let elsewhere = signed("AKIDWEB", "web's secret", "s3", "ListDeliveryStreams", "{}");
    world.check(elsewhere, expect![[r#"400 {"__type":"InvalidSignatureException","message":"Credential should be scoped to correct service: 'firehose'. "}"#]]);
    let early = with(
        by_web("ListDeliveryStreams", "{}"),
        "x-amz-date",
        "20150830T124101Z",
    );
    world.check(early, expect![[r#"400 {"__type":"InvalidSignatureException","message":"Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)"}"#]]);
    let late = with(
        by_web("ListDeliveryStreams", "{}"),
        "x-amz-date",
        "20150830T123059Z",
    );
    world.check(late, expect![[r#"400 {"__type":"InvalidSignatureException","message":"Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"}"#]]);
    let token = with(
        api("ListDeliveryStreams", "{}"),
        "authorization",
        "Bearer events-token",
    );
    world.check(token, expect![[r#"400 {"__type":"IncompleteSignatureException","message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=UFgQsygXNifzBO8lHLU74pj0xWhB6tgIbrDjFrjgMIc="}"#]]);
}

#[test]
fn a_wrong_signature_is_told_what_should_have_been_signed() {
    let request = signed(
        "AKIDWEB",
        "another secret",
        "firehose",
        "ListDeliveryStreams",
        "{}",
    );
    guarded_world().check(request, expect![[r#"400 {"__type":"InvalidSignatureException","message":"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:localhost:4573\nx-amz-date:20150830T123600Z\nx-amz-target:Firehose_20150804.ListDeliveryStreams\n\ncontent-type;host;x-amz-date;x-amz-target\n44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/eu-west-1/firehose/aws4_request\nb8e705b0cd515eab312f20492f9cbbb288ccf722940c4bda91479a7471f5a025'\n"}"#]]);
}

#[test]
fn the_plain_endpoint_takes_tokens_and_helps() {
    let world = guarded_world();
    let token = |stream: &str, token: &str| with(lines(stream, "a\n"), "authorization", token);
    world.check(lines("views", "a\n"), expect![[r#"401 {"__type":"MissingAuthenticationTokenException","message":"Only known producers may put: send `Authorization: Bearer <token>`, or sign the request (SigV4, service `firehose`)."}"#]]);
    world.check(token("views", "Bearer wrong"), expect![[r#"401 {"__type":"UnrecognizedClientException","message":"The bearer token belongs to no producer: see `producers` in the configuration."}"#]]);
    world.check(token("views", "Basic eDp5"), expect![[r#"401 {"__type":"IncompleteSignatureException","message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=oCqWo2TpexL3+WNfMmEpQEAcH9njSQYPVUB4jREq8AE="}"#]]);
    world.check(token("clicks", "Bearer events-token"), expect![[r#"403 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/events is not authorized to perform: firehose:PutRecordBatch on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks because no identity-based policy allows the firehose:PutRecordBatch action"}"#]]);
    let empty = with(lines("views", ""), "authorization", "Bearer events-token");
    world.check(empty, expect![[r#"400 {"__type":"ValidationException","message":"The body is empty: send one record a line, such as `curl --data-binary @lines.txt`."}"#]]);
}

/// A body that comes in pieces; `after` is what happens then.
fn pieces(pieces: &[&'static str], after: Option<Box<dyn Error + Send + Sync>>) -> Incoming {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))
        .chain(after.map(Err))
        .collect();
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

#[test]
fn a_body_that_does_not_come_whole_stores_nothing() {
    let world = open_world();
    let broken = pieces(&["{\"Deli"], Some("the connection was reset".into()));
    world.check(api_with("PutRecord", broken), expect![[r#"400 {"__type":"SerializationException","message":"The body ended before its announced length. Nothing was stored."}"#]]);
    // A client that stops in the middle and keeps its connection.
    let endless = stream::pending::<Result<Frame<Bytes>, Infallible>>();
    let endless = StreamBody::new(endless)
        .map_err(|never| match never {})
        .boxed_unsync();
    world.check(api_with("PutRecord", endless), expect![[r#"408 {"__type":"RequestTimeoutException","message":"The body did not arrive within 60 seconds."}"#]]);
    // In pieces is whole as well.
    let whole = pieces(&["{\"Delivery", "StreamName\":", "\"x\"}"], None);
    world.check(api_with("DescribeDeliveryStream", whole), expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose x under account 123456789012 not found."}"#]]);
    let most = 12 * 1024 * 1024;
    world.check(api("PutRecord", " ".repeat(most)), expect![[r#"400 {"__type":"SerializationException","message":"The body is not JSON: EOF while parsing a value at line 1 column 12582912"}"#]]);
    world.check(api("PutRecord", " ".repeat(most + 1)), expect![[r#"413 {"__type":"RequestEntityTooLargeException","message":"A request's body may have at most 12582912 bytes."}"#]]);
}

#[tokio::test(start_paused = true)]
async fn too_many_bytes_under_way_are_told_to_slow_down() {
    let world = open_world();
    // A chunked body counts as the largest: five of them leave no room for a sixth.
    let endless = || {
        let endless = stream::pending::<Result<Frame<Bytes>, Infallible>>();
        let body = StreamBody::new(endless)
            .map_err(|never| match never {})
            .boxed_unsync();
        api_with("PutRecord", body)
    };
    let under_way = futures_util::future::join_all((0..5).map(|_| world.call(endless())));
    let mut under_way = std::pin::pin!(under_way);
    assert!(under_way.as_mut().now_or_never().is_none());
    let sixth = world
        .service
        .call(api("PutRecord", " ".repeat(5 * 1024 * 1024)))
        .await;
    assert_eq!(sixth.status(), 503);
    assert_eq!(
        sixth.headers()["x-amzn-errortype"],
        "ServiceUnavailableException"
    );
    assert_eq!(sixth.headers()["retry-after"], "1");
    let body = sixth.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(
        body,
        r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#
    );
    // They give their bytes back when they are given up.
    for answer in under_way.await {
        assert!(answer.starts_with("408 "), "{answer}");
    }
    let again = world
        .call(api("PutRecord", " ".repeat(5 * 1024 * 1024)))
        .await;
    assert!(again.starts_with("400 "), "{again}");
}

#[test]
fn puts_are_refused_while_draining() {
    let world = open_world();
    world.stopper.advance(Phase::Draining);
    let put = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"YQ=="}}"#;
    world.check(
        api("PutRecord", put),
        expect![[r#"503 {"__type":"ServiceUnavailableException","message":"Slow down."}"#]],
    );
    world.check(
        lines("clicks", "a\n"),
        expect![[r#"503 {"__type":"ServiceUnavailableException","message":"Slow down."}"#]],
    );
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_answer() {
    let world = open_world();
    for _ in 0..3 {
        world.call(api("ListDeliveryStreams", "{}")).await;
    }
    world.call(api("PutRecord", "{}")).await;
    world.call(api("Nonsense", "{}")).await;
    let count = |operation: &'static str, answer: &'static str| {
        let request = PutRequest { operation, answer };
        world.metrics.put_requests.get_or_create(&request).get()
    };
    assert_eq!(count("ListDeliveryStreams", "ok"), 3);
    assert_eq!(count("PutRecord", "ValidationException"), 1);
    assert_eq!(count("unknown", "UnknownOperationException"), 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Bad input is the client's: it never is our failure, nor a panic.
    #[test]
    fn no_body_is_too_odd_for_an_answer(
        operation in prop::sample::select(vec![
            "PutRecord",
            "PutRecordBatch",
            "DescribeDeliveryStream",
            "ListDeliveryStreams",
            "ListTagsForDeliveryStream",
            "CreateDeliveryStream",
        ]),
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ":", ",", "\"", "\\", "null", "true", "1", "-1e99", " ", "x",
            "\"DeliveryStreamName\"", "\"Record\"", "\"Records\"", "\"Data\"", "\"Limit\"",
            "\"YQ==\"", "\"YQ\"", "\"\\u0041\"", "\"\\ud800\"", "\"nothing\"", "é", "{\"Data\":",
        ]), 0..24),
    ) {
        let body: String = pieces.concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answer = runtime.block_on(open_world().call(api(operation, body)));
        prop_assert!(answer.starts_with("400 ") || answer.starts_with("200 "), "{answer}");
    }
}

#[tokio::test]
async fn an_answer_carries_what_clients_look_for() {
    let world = open_world();
    let good = world.service.call(api("ListDeliveryStreams", "{}")).await;
    assert_eq!(good.headers()["content-type"], "application/x-amz-json-1.1");
    let id = good.headers()["x-amzn-requestid"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(uuid::Uuid::parse_str(&id).is_ok(), "{id}");
    assert!(!good.headers().contains_key("x-amzn-errortype"));

    let bad = world.service.call(api("PutRecord", "{}")).await;
    assert_eq!(bad.status(), 400);
    assert_eq!(bad.headers()["x-amzn-errortype"], "ValidationException");
    assert_ne!(bad.headers()["x-amzn-requestid"], id.as_str());
}
