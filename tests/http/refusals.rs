//! What is wrong with a request, and the exact words in which it is told so.

use expect_test::expect;
use proptest::prelude::*;
use standpipe::server::{self, Request, Service};
use standpipe::telemetry::metrics::PutRequest;

use crate::world::{World, api, base64_of, batch_of, open_world, with};

/// What a refusal of this kind says; of any other answer all.
async fn message(world: &World, kind: &str, request: Request) -> String {
    let answer = world.call(request).await;
    let head = format!(r#"400 {{"__type":"{kind}","message":""#);
    let message = answer.strip_prefix(&head);
    let message = message.and_then(|rest| rest.strip_suffix("\"}"));
    message.unwrap_or(&answer).to_owned()
}

/// One line a request, with what stands before the arrow.
async fn said<'a>(kind: &str, requests: impl IntoIterator<Item = (&'a str, Request)>) -> String {
    let world = open_world();
    let mut lines = String::new();
    for (name, request) in requests {
        let message = message(&world, kind, request).await;
        lines.push_str(&format!("{name} → {message}\n"));
    }
    lines
}

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
    let help = "The Firehose API is `POST /` with an `X-Amz-Target` header; records also go, one a \
                line, to `POST /v1/streams/{name}/records`.";
    for (status, method, uri) in [
        (405, "GET", "/"),
        (405, "PUT", "/"),
        (404, "POST", "/v1/streams"),
        (405, "GET", "/v1/streams/clicks/records"),
    ] {
        let request = http::Request::builder().method(method).uri(uri);
        let answer = world
            .call(request.body(server::incoming("")).unwrap())
            .await;
        let body = format!(r#"{{"__type":"UnknownOperationException","message":"{help}"}}"#);
        assert_eq!(answer, format!("{status} {body}"));
    }
}

#[tokio::test(start_paused = true)]
async fn operations_that_aws_knows_and_we_do_not_offer_are_denied() {
    let world = open_world();
    world.check(
        api("CreateDeliveryStream", r#"{"DeliveryStreamName":"new"}"#),
        expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/anyone is not authorized to perform: firehose:CreateDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/new because no identity-based policy allows the firehose:CreateDeliveryStream action"}"#]],
    ).await;
    world.check(api("DeleteDeliveryStream", "{}"), expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/anyone is not authorized to perform: firehose:DeleteDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/* because no identity-based policy allows the firehose:DeleteDeliveryStream action"}"#]]).await;
    // From review: whatever stood there came back, up to the 12 MiB of a body.
    world
        .check(
            api(
                "CreateDeliveryStream",
                r#"{"DeliveryStreamName":"no such <name>"}"#,
            ),
            expect![[r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"}"#]],
        )
        .await;
    let longest = "n".repeat(64);
    let named = |name: &str| format!(r#"{{"DeliveryStreamName":"{name}"}}"#);
    let denied = world
        .call(api("CreateDeliveryStream", named(&longest)))
        .await;
    assert!(
        denied.contains(&format!("deliverystream/{longest} ")),
        "{denied}"
    );
    world
        .check(
            api("CreateDeliveryStream", named(&format!("{longest}n"))),
            expect![[r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64"}"#]],
        )
        .await;
    world.check(api("UpdateDestination", "nonsense"), expect![[r#"400 {"__type":"SerializationException","message":"The body is not JSON: expected ident at line 1 column 2"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_that_cannot_be_read_is_a_serialization_error() {
    let bodies = [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{} {}",
        r#"{"DeliveryStreamName":5}"#,
        r#"{"DeliveryStreamName":"clicks","Records":{}}"#,
        r#"{"DeliveryStreamName":"clicks","Records":["YQ=="]}"#,
        r#"{"DeliveryStreamName":"clicks","Records":[["YQ=="]]}"#,
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":1}]}"#,
        r#"{"DeliveryStreamName":"clicks","Records":[{"Data":{}}]}"#,
    ];
    let said = said(
        "SerializationException",
        bodies.map(|body| (body, api("PutRecordBatch", body))),
    )
    .await;
    expect![[r#"
         → The body is not JSON: EOF while parsing a value at line 1 column 0
        { → The body is not JSON: EOF while parsing an object at line 1 column 1
        [] → Found sequence, expected a structure at line 1 column 2
        null → Found null, expected a structure at line 1 column 4
        "text" → Found string, expected a structure at line 1 column 6
        {} {} → The body is not JSON: trailing characters at line 1 column 4
        {"DeliveryStreamName":5} → Found integer, expected a string at line 1 column 23
        {"DeliveryStreamName":"clicks","Records":{}} → Found map, expected a list at line 1 column 43
        {"DeliveryStreamName":"clicks","Records":["YQ=="]} → Found string, expected a structure at line 1 column 48
        {"DeliveryStreamName":"clicks","Records":[["YQ=="]]} → Found sequence, expected a structure at line 1 column 43
        {"DeliveryStreamName":"clicks","Records":[{"Data":1}]} → Found integer, expected a string at line 1 column 51
        {"DeliveryStreamName":"clicks","Records":[{"Data":{}}]} → Found map, expected a string at line 1 column 50
    "#]]
    .assert_eq(&said);
    let kind = "SerializationException";
    let forgot_data =
        r#"{"DeliveryStreamName":"clicks","Record":"a record's own, expected bytes"}"#;
    expect!["Found string, expected a structure at line 1 column 72"]
        .assert_eq(&message(&open_world(), kind, api("PutRecord", forgot_data)).await);
    let request = api("PutRecordBatch", &b"{\"DeliveryStreamName\":\"\xff\"}"[..]);
    expect!["The body is not JSON: invalid unicode code point at line 1 column 24"]
        .assert_eq(&message(&open_world(), kind, request).await);
}

#[tokio::test(start_paused = true)]
async fn base64_is_taken_to_the_letter() {
    let second = |data| {
        let batch = batch_of(&[String::new(), str::to_owned(data)]);
        (data, api("PutRecordBatch", batch))
    };
    let texts = ["YQ", "YQ=", "YR==", "Y=Q=", "Y-_=", "YQ==\\n", "é"];
    let said = said("SerializationException", texts.map(second)).await;
    expect![[r#"
        YQ → Value at 'records.2.member.data' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 2
        YQ= → Value at 'records.2.member.data' can not be converted to a Blob: Base64 encoded length is expected a multiple of 4 bytes but found: 3
        YR== → Value at 'records.2.member.data' can not be converted to a Blob: Invalid last non-pad Base64 character detected
        Y=Q= → Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '='
        Y-_= → Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '-'
        YQ==\n → Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: '\n'
        é → Value at 'records.2.member.data' can not be converted to a Blob: Invalid Base64 character: 'é'
    "#]]
    .assert_eq(&said);
    let one = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"?"}}"#;
    let request = api("PutRecord", one);
    expect!["Value at 'record.data' can not be converted to a Blob: Invalid Base64 character: '?'"]
        .assert_eq(&message(&open_world(), "SerializationException", request).await);
}

#[tokio::test(start_paused = true)]
async fn what_firehoses_model_forbids_is_a_validation_error() {
    let bodies = [
        "{}",
        r#"{"DeliveryStreamName":null,"Record":{"Data":"YQ=="}}"#,
        r#"{"DeliveryStreamName":"clicks","Record":{}}"#,
        r#"{"DeliveryStreamName":"clicks","Record":null}"#,
        r#"{"DeliveryStreamName":"","Record":{"Data":"YQ=="}}"#,
        r#"{"DeliveryStreamName":"a b","Record":{"Data":"YQ=="}}"#,
    ];
    let said = said(
        "ValidationException",
        bodies.map(|body| (body, api("PutRecord", body))),
    )
    .await;
    expect![[r#"
        {} → 2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null; Value at 'record' failed to satisfy constraint: Member must not be null
        {"DeliveryStreamName":null,"Record":{"Data":"YQ=="}} → 1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null
        {"DeliveryStreamName":"clicks","Record":{}} → 1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must not be null
        {"DeliveryStreamName":"clicks","Record":null} → 1 validation error detected: Value at 'record' failed to satisfy constraint: Member must not be null
        {"DeliveryStreamName":"","Record":{"Data":"YQ=="}} → 2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+; Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length greater than or equal to 1
        {"DeliveryStreamName":"a b","Record":{"Data":"YQ=="}} → 1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+
    "#]]
    .assert_eq(&said);
}

#[tokio::test(start_paused = true)]
async fn firehoses_limits_on_a_put_are_held_one_past_them() {
    let large = base64_of(1_024_001);
    let long = "x".repeat(65);
    let named = format!(r#"{{"DeliveryStreamName":"{long}","Record":{{"Data":"YQ=="}}}}"#);
    let one = format!(r#"{{"DeliveryStreamName":"clicks","Record":{{"Data":"{large}"}}}}"#);
    let mut last = vec!["YQ==".to_owned(); 97];
    last[96] = large;
    let holes = r#"{"DeliveryStreamName":"clicks","Records":[{"Data":"YQ=="},null,{}]}"#;
    let nulls = ["null"; 20].join(",");
    let nulls = format!(r#"{{"DeliveryStreamName":"clicks","Records":[{nulls}]}}"#);
    let many = |body: String| api("PutRecordBatch", body);
    let requests = [
        ("a name of 65", api("PutRecord", named)),
        ("a large record", api("PutRecord", one)),
        ("no members", many("{}".to_owned())),
        ("no records", many(batch_of(&[]))),
        ("501 records", many(batch_of(&vec!["YQ==".to_owned(); 501]))),
        ("97, the last large", many(batch_of(&last))),
        ("null, and nothing", many(holes.to_owned())),
        ("20 times null", many(nulls)),
    ];
    let said = said("ValidationException", requests).await;
    expect![[r#"
        a name of 65 → 1 validation error detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must have length less than or equal to 64
        a large record → 1 validation error detected: Value at 'record.data' failed to satisfy constraint: Member must have length less than or equal to 1024000
        no members → 2 validation errors detected: Value at 'deliveryStreamName' failed to satisfy constraint: Member must not be null; Value at 'records' failed to satisfy constraint: Member must not be null
        no records → 1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length greater than or equal to 1
        501 records → 1 validation error detected: Value at 'records' failed to satisfy constraint: Member must have length less than or equal to 500
        97, the last large → 1 validation error detected: Value at 'records.97.member.data' failed to satisfy constraint: Member must have length less than or equal to 1024000
        null, and nothing → 2 validation errors detected: Value at 'records.2.member' failed to satisfy constraint: Member must not be null; Value at 'records.3.member.data' failed to satisfy constraint: Member must not be null
        20 times null → 10 validation errors detected: Value at 'records.1.member' failed to satisfy constraint: Member must not be null; Value at 'records.2.member' failed to satisfy constraint: Member must not be null; Value at 'records.3.member' failed to satisfy constraint: Member must not be null; Value at 'records.4.member' failed to satisfy constraint: Member must not be null; Value at 'records.5.member' failed to satisfy constraint: Member must not be null; Value at 'records.6.member' failed to satisfy constraint: Member must not be null; Value at 'records.7.member' failed to satisfy constraint: Member must not be null; Value at 'records.8.member' failed to satisfy constraint: Member must not be null; Value at 'records.9.member' failed to satisfy constraint: Member must not be null; Value at 'records.10.member' failed to satisfy constraint: Member must not be null
    "#]]
    .assert_eq(&said);
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

// From review: any page that is open in a browser could post records to this machine.
#[tokio::test(start_paused = true)]
async fn web_pages_may_not_put_where_anybody_may() {
    let world = open_world();
    for (header, value) in [
        ("origin", "https://evil.example"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let request = http::Request::builder()
            .method("POST")
            .header(header, value);
        let request = request.uri("/v1/streams/clicks/records");
        let answer = world
            .call(request.body(server::incoming("x")).unwrap())
            .await;
        assert!(answer.starts_with("403 "), "{answer}");
        assert!(
            answer.contains("Web pages may not put where anybody may"),
            "{answer}"
        );
        let mut request = api(
            "PutRecord",
            r#"{"DeliveryStreamName":"clicks","Record":{"Data":"YQ=="}}"#,
        );
        request.headers_mut().insert(header, value.parse().unwrap());
        let answer = world.call(request).await;
        assert!(
            answer.starts_with(r#"400 {"__type":"AccessDeniedException""#),
            "{answer}"
        );
    }
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
