//! What is wrong with a request, and the exact words in which it is told so.

use expect_test::expect;
use proptest::prelude::*;
use standpipe::server::{self, Service};
use standpipe::telemetry::metrics::PutRequest;

use crate::world::{api, base64_of, batch_of, open_world, with};

#[tokio::test(start_paused = true)]
async fn a_request_for_nothing_we_know_is_told_so() {
    let world = open_world();
    world
        .check(
            api("PutRecords", "{}"),
            expect![[r#"400 {"__type":"UnknownOperationException"}"#]],
        )
        .await;
    world
        .check(
            with(api("x", "{}"), "x-amz-target", "Kinesis_20131202.PutRecord"),
            expect![[r#"400 {"__type":"UnknownOperationException"}"#]],
        )
        .await;
    let mut none = api("x", "{}");
    none.headers_mut().remove("x-amz-target");
    world
        .check(
            none,
            expect![[r#"400 {"__type":"UnknownOperationException"}"#]],
        )
        .await;
    let request = |method: &str, uri: &str| {
        let request = http::Request::builder().method(method).uri(uri);
        request.body(server::incoming("")).unwrap()
    };
    world.check(request("GET", "/"), expect![[r#"404 {"__type":"UnknownOperationException","message":"The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a line, to `POST /v1/streams/{name}/records`."}"#]]).await;
    world.check(request("PUT", "/"), expect![[r#"404 {"__type":"UnknownOperationException","message":"The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a line, to `POST /v1/streams/{name}/records`."}"#]]).await;
    world.check(request("POST", "/v1/streams"), expect![[r#"404 {"__type":"UnknownOperationException","message":"The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a line, to `POST /v1/streams/{name}/records`."}"#]]).await;
    world.check(request("GET", "/v1/streams/clicks/records"), expect![[r#"405 {"__type":"UnknownOperationException","message":"The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a line, to `POST /v1/streams/{name}/records`."}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn operations_that_aws_knows_and_we_do_not_offer_are_denied() {
    let world = open_world();
    world.check(
        api("CreateDeliveryStream", r#"{"DeliveryStreamName":"new"}"#),
        expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/anyone is not authorized to perform: firehose:CreateDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/new because no identity-based policy allows the firehose:CreateDeliveryStream action"}"#]],
    ).await;
    world.check(api("DeleteDeliveryStream", "{}"), expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/anyone is not authorized to perform: firehose:DeleteDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/* because no identity-based policy allows the firehose:DeleteDeliveryStream action"}"#]]).await;
    world.check(api("UpdateDestination", "nonsense"), expect![[r#"400 {"__type":"SerializationException","message":"The body is not JSON: expected ident at line 1 column 2"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_read_is_a_serialization_error() {
    let world = open_world();
    let check = async |body: &str, expected| {
        world
            .check(api("PutRecordBatch", body.to_owned()), expected)
            .await
    };
    check(
        "",
        expect![[
            r#"400 {"__type":"SerializationException","message":"The body is not JSON: EOF while parsing a value at line 1 column 0"}"#
        ]],
    ).await;
    check(
        "{",
        expect![[
            r#"400 {"__type":"SerializationException","message":"The body is not JSON: EOF while parsing an object at line 1 column 1"}"#
        ]],
    ).await;
    check(
        "[]",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found sequence, expected a structure at line 1 column 2"}"#
        ]],
    ).await;
    check(
        "null",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found null, expected a structure at line 1 column 4"}"#
        ]],
    ).await;
    check(
        "\"text\"",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found string \"text\", expected a structure at line 1 column 6"}"#
        ]],
    ).await;
    check(
        "{} {}",
        expect![[
            r#"400 {"__type":"SerializationException","message":"The body is not JSON: trailing characters at line 1 column 4"}"#
        ]],
    ).await;
    check(
        r#"{"DeliveryStreamName":5}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found integer `5`, expected a string at line 1 column 23"}"#
        ]],
    ).await;
    check(
        r#"{"DeliveryStreamName":"clicks","Records":{}}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found map, expected a list at line 1 column 43"}"#
        ]],
    ).await;
    check(
        r#"{"DeliveryStreamName":"clicks","Records":["YQ=="]}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found string \"YQ==\", expected a structure at line 1 column 48"}"#
        ]],
    ).await;
    check(
        r#"{"DeliveryStreamName":"clicks","Records":[["YQ=="]]}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found sequence, expected a structure at line 1 column 43"}"#
        ]],
    ).await;
    check(
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":1}]}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found integer `1`, expected a string at line 1 column 51"}"#
        ]],
    ).await;
    check(
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":{}}]}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found map, expected a string at line 1 column 50"}"#
        ]],
    ).await;
    let long = format!(
        r#"{{"DeliveryStreamName":"clicks","Records":"{}"}}"#,
        "x".repeat(1000)
    );
    check(
        &long,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found string \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…"}"#
        ]],
    ).await;
    world.check(
        api("PutRecordBatch", &b"{\"DeliveryStreamName\":\"\xff\"}"[..]),
        expect![[r#"400 {"__type":"SerializationException","message":"The body is not JSON: invalid unicode code point at line 1 column 24"}"#]],
    ).await;
}

#[tokio::test(start_paused = true)]
async fn base64_is_taken_to_the_letter() {
    let world = open_world();
    let check = async |data: &str, expected| {
        world
            .check(
                api(
                    "PutRecordBatch",
                    batch_of(&["".to_owned(), data.to_owned()]),
                ),
                expected,
            )
            .await;
    };
    check(
        "YQ",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 2"}"#
        ]],
    ).await;
    check(
        "YQ=",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 3"}"#
        ]],
    ).await;
    check(
        "YR==",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid last non-pad Base64 character detected"}"#
        ]],
    ).await;
    check(
        "Y=Q=",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '='"}"#
        ]],
    ).await;
    check(
        "Y-_=",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '-'"}"#
        ]],
    ).await;
    check(
        "YQ==\\n",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '='"}"#
        ]],
    ).await;
    check(
        "é",
        expect![[
            r#"400 {"__type":"SerializationException","message":"Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: 'é'"}"#
        ]],
    ).await;
    let one = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"?"}}"#;
    world.check(api("PutRecord", one), expect![[r#"400 {"__type":"SerializationException","message":"Value at 'record.data' can not be converted to a Blob: Invalid Base64 character: '?'"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn what_firehoses_model_forbids_is_a_validation_error() {
    let world = open_world();
    let one = async |body: &str, expected| {
        world
            .check(api("PutRecord", body.to_owned()), expected)
            .await
    };
    one(
        "{}",
        expect![[
            r#"400 {"__type":"ValidationException","message":"2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null; Value at 'record' failed to satisfy constraint: Member must not be null"}"#
        ]],
    ).await;
    one(
        r#"{"DeliveryStreamName":null,"Record":{"Data":"YQ=="}}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null"}"#
        ]],
    ).await;
    one(
        r#"{"DeliveryStreamName":"clicks","Record":{}}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must not be null"}"#
        ]],
    ).await;
    one(
        r#"{"DeliveryStreamName":"clicks","Record":null}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'record' failed to satisfy constraint: Member must not be null"}"#
        ]],
    ).await;
    one(
        r#"{"DeliveryStreamName":"","Record":{"Data":"YQ=="}}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length greater than or equal to 1"}"#
        ]],
    ).await;
    one(
        r#"{"DeliveryStreamName":"a b","Record":{"Data":"YQ=="}}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"}"#
        ]],
    ).await;
    let long = "x".repeat(65);
    one(
        &format!(r#"{{"DeliveryStreamName":"{long}","Record":{{"Data":"YQ=="}}}}"#),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64"}"#
        ]],
    ).await;
    let large = base64_of(1_024_001);
    one(
        &format!(r#"{{"DeliveryStreamName":"clicks","Record":{{"Data":"{large}"}}}}"#),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000"}"#
        ]],
    ).await;

    let many =
        async |body: String, expected| world.check(api("PutRecordBatch", body), expected).await;
    many(
        "{}".to_owned(),
        expect![[
            r#"400 {"__type":"ValidationException","message":"2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null; Value at 'records' failed to satisfy constraint: Member must not be null"}"#
        ]],
    ).await;
    many(
        batch_of(&[]),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1"}"#
        ]],
    ).await;
    many(
        batch_of(&vec!["YQ==".to_owned(); 501]),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to 500"}"#
        ]],
    ).await;
    let mut records = vec!["YQ==".to_owned(); 97];
    records[96] = large;
    many(
        batch_of(&records),
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'records.97.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000"}"#
        ]],
    ).await;
    many(
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"YQ=="},null,{}]}"#.into(),
        expect![[
            r#"400 {"__type":"ValidationException","message":"2 validation errors detected: Value at 'records.2.member' failed to satisfy constraint: Member must not be null; Value at 'records.3.member.data' failed to satisfy constraint: Member must not be null"}"#
        ]],
    ).await;
    let nulls = ["null"; 20].join(",");
    many(
        format!(r#"{{"DeliveryStreamName":"clicks","Records":[{nulls}]}}"#),
        expect![[
            r#"400 {"__type":"ValidationException","message":"10 validation errors detected: Value at 'records.1.member' failed to satisfy constraint: Member must not be null; Value at 'records.2.member' failed to satisfy constraint: Member must not be null; Value at 'records.3.member' failed to satisfy constraint: Member must not be null; Value at 'records.4.member' failed to satisfy constraint: Member must not be null; Value at 'records.5.member' failed to satisfy constraint: Member must not be null; Value at 'records.6.member' failed to satisfy constraint: Member must not be null; Value at 'records.7.member' failed to satisfy constraint: Member must not be null; Value at 'records.8.member' failed to satisfy constraint: Member must not be null; Value at 'records.9.member' failed to satisfy constraint: Member must not be null; Value at 'records.10.member' failed to satisfy constraint: Member must not be null"}"#
        ]],
    ).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_more_than_four_mebibytes_is_refused_as_a_whole() {
    let mut records = vec![base64_of(1_024_000); 4];
    records.push(base64_of(98_305));
    open_world().check(api("PutRecordBatch", batch_of(&records)), expect![[r#"400 {"__type":"InvalidArgumentException","message":"Records size exceeds 4 MB limit"}"#]]).await;
}

#[tokio::test(start_paused = true)]
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
    #![proptest_config(ProptestConfig::with_cases(200))]

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
        let answer = runtime.block_on(async { open_world().call(api(operation, body)).await });
        prop_assert!(answer.starts_with("400 ") || answer.starts_with("200 "), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
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
