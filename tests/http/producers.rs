//! Who may do what.

use expect_test::expect;

use crate::world::{api, by_web, guarded_world, lines, signed, with};

#[tokio::test(start_paused = true)]
async fn a_producer_sees_its_own_streams_only() {
    let world = guarded_world();
    world.check(by_web("ListDeliveryStreams", "{}"), expect![[r#"200 {"DeliveryStreamNames":["audit-eu","audit-us","clicks"],"HasMoreDeliveryStreams":false}"#]]).await;
    world.check(
        by_web(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"views"}"#,
        ),
        expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/web is not authorized to perform: firehose:DescribeDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/views because no identity-based policy allows the firehose:DescribeDeliveryStream action"}"#]],
    ).await;
    world.check(
        by_web(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"nothing"}"#,
        ),
        expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/web is not authorized to perform: firehose:DescribeDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/nothing because no identity-based policy allows the firehose:DescribeDeliveryStream action"}"#]],
    ).await;
    world.check(
        by_web(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"audit-x"}"#,
        ),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose audit-x under account 123456789012 not found."}"#]],
    ).await;
    let put = r#"{"DeliveryStreamName":"views","Record":{"Data":"YQ=="}}"#;
    world.check(by_web("PutRecord", put), expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/web is not authorized to perform: firehose:PutRecord on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/views because no identity-based policy allows the firehose:PutRecord action"}"#]]).await;
    world.check(by_web("CreateDeliveryStream", "{}"), expect![[r#"400 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/web is not authorized to perform: firehose:CreateDeliveryStream on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/* because no identity-based policy allows the firehose:CreateDeliveryStream action"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn who_does_not_sign_is_turned_away() {
    let world = guarded_world();
    world.check(api("ListDeliveryStreams", "{}"), expect![[r#"400 {"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}"#]]).await;
    let stranger = signed("AKIDNOBODY", "x", "firehose", "ListDeliveryStreams", "{}");
    world.check(stranger, expect![[r#"400 {"__type":"UnrecognizedClientException","message":"The security token included in the request is invalid."}"#]]).await;
    let elsewhere = signed("AKIDWEB", "web's secret", "s3", "ListDeliveryStreams", "{}");
    world.check(elsewhere, expect![[r#"400 {"__type":"InvalidSignatureException","message":"Credential should be scoped to correct service: 'firehose'. "}"#]]).await;
    let early = with(
        by_web("ListDeliveryStreams", "{}"),
        "x-amz-date",
        "20150830T124101Z",
    );
    world.check(early, expect![[r#"400 {"__type":"InvalidSignatureException","message":"Signature not yet current: 20150830T124101Z is still later than 20150830T124100Z (20150830T123600Z + 5 min.)"}"#]]).await;
    let late = with(
        by_web("ListDeliveryStreams", "{}"),
        "x-amz-date",
        "20150830T123059Z",
    );
    world.check(late, expect![[r#"400 {"__type":"InvalidSignatureException","message":"Signature expired: 20150830T123059Z is now earlier than 20150830T123100Z (20150830T123600Z - 5 min.)"}"#]]).await;
    let token = with(
        api("ListDeliveryStreams", "{}"),
        "authorization",
        "Bearer events-token",
    );
    world.check(token, expect![[r#"400 {"__type":"IncompleteSignatureException","message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=UFgQsygXNifzBO8lHLU74pj0xWhB6tgIbrDjFrjgMIc="}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_signature_is_told_what_should_have_been_signed() {
    let request = signed(
        "AKIDWEB",
        "another secret",
        "firehose",
        "ListDeliveryStreams",
        "{}",
    );
    guarded_world().check(request, expect![[r#"400 {"__type":"InvalidSignatureException","message":"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this request should have been\n'POST\n/\n\ncontent-type:application/x-amz-json-1.1\nhost:localhost:4573\nx-amz-date:20150830T123600Z\nx-amz-target:Firehose_20150804.ListDeliveryStreams\n\ncontent-type;host;x-amz-date;x-amz-target\n44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'\n\nThe String-to-Sign should have been\n'AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/eu-west-1/firehose/aws4_request\nb8e705b0cd515eab312f20492f9cbbb288ccf722940c4bda91479a7471f5a025'\n"}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn the_plain_endpoint_takes_tokens_and_helps() {
    let world = guarded_world();
    let token = |stream: &str, token: &str| with(lines(stream, "a\n"), "authorization", token);
    world.check(lines("views", "a\n"), expect![[r#"401 {"__type":"MissingAuthenticationTokenException","message":"Only known producers may put: send `Authorization: Bearer <token>`, or sign the request (SigV4, service `firehose`)."}"#]]).await;
    world.check(token("views", "Bearer wrong"), expect![[r#"401 {"__type":"UnrecognizedClientException","message":"The bearer token belongs to no producer: see `producers` in the configuration."}"#]]).await;
    world.check(token("views", "Basic eDp5"), expect![[r#"401 {"__type":"IncompleteSignatureException","message":"Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=oCqWo2TpexL3+WNfMmEpQEAcH9njSQYPVUB4jREq8AE="}"#]]).await;
    world.check(token("clicks", "Bearer events-token"), expect![[r#"403 {"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/events is not authorized to perform: firehose:PutRecordBatch on resource: arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks because no identity-based policy allows the firehose:PutRecordBatch action"}"#]]).await;
    let empty = with(lines("views", ""), "authorization", "Bearer events-token");
    world.check(empty, expect![[r#"400 {"__type":"ValidationException","message":"The body is empty: send one record a line, such as `curl --data-binary @lines.txt`."}"#]]).await;
}
