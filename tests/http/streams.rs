//! What streams tell about themselves.

use expect_test::{Expect, expect};

use crate::world::{World, api, lines, open_world};

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_not_there_is_not_found() {
    let world = open_world();
    world.check(
        api(
            "PutRecord",
            r#"{"DeliveryStreamName":"clicsk","Record":{"Data":"YQ=="}}"#,
        ),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose clicsk under account 123456789012 not found."}"#]],
    ).await;
    world.check(
        api(
            "PutRecordBatch",
            r#"{"DeliveryStreamName":"Clicks","Records":[{"Data":"YQ=="}]}"#,
        ),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose Clicks under account 123456789012 not found."}"#]],
    ).await;
    world.check(
        api("DescribeDeliveryStream", r#"{"DeliveryStreamName":"x"}"#),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose x under account 123456789012 not found."}"#]],
    ).await;
    world.check(
        api("ListTagsForDeliveryStream", r#"{"DeliveryStreamName":"x"}"#),
        expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose x under account 123456789012 not found."}"#]],
    ).await;
    world.check(lines("clicsk", "a\n"), expect![[r#"404 {"__type":"ResourceNotFoundException","message":"Firehose clicsk under account 123456789012 not found."}"#]]).await;
    world.check(lines("a%20b", "a\n"), expect![[r#"400 {"__type":"ValidationException","message":"`a%20b` is not a stream name: 1 to 64 of the characters a-z A-Z 0-9 _ . - are allowed."}"#]]).await;
}

async fn list(world: &World, body: &'static str, expected: Expect) {
    let request = api("ListDeliveryStreams", body);
    world.check(request, expected).await;
}

#[tokio::test(start_paused = true)]
async fn streams_are_listed_in_order_and_page_by_page() {
    let world = open_world();
    list(
        &world,
        "{}",
        expect![[
            r#"200 {"DeliveryStreamNames":["audit-eu","audit-us","clicks","views"],"HasMoreDeliveryStreams":false}"#
        ]],
    ).await;
    list(
        &world,
        r#"{"Limit":2}"#,
        expect![[
            r#"200 {"DeliveryStreamNames":["audit-eu","audit-us"],"HasMoreDeliveryStreams":true}"#
        ]],
    )
    .await;
    list(
        &world,
        r#"{"Limit":2,"ExclusiveStartDeliveryStreamName":"audit-us"}"#,
        expect![[
            r#"200 {"DeliveryStreamNames":["clicks","views"],"HasMoreDeliveryStreams":false}"#
        ]],
    )
    .await;
    list(
        &world,
        r#"{"ExclusiveStartDeliveryStreamName":"b"}"#,
        expect![[
            r#"200 {"DeliveryStreamNames":["clicks","views"],"HasMoreDeliveryStreams":false}"#
        ]],
    )
    .await;
    list(
        &world,
        r#"{"ExclusiveStartDeliveryStreamName":"views"}"#,
        expect![[r#"200 {"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}"#]],
    )
    .await;
    list(
        &world,
        r#"{"DeliveryStreamType":"DirectPut","Limit":1}"#,
        expect![[r#"200 {"DeliveryStreamNames":["audit-eu"],"HasMoreDeliveryStreams":true}"#]],
    )
    .await;
    list(
        &world,
        r#"{"DeliveryStreamType":"KinesisStreamAsSource"}"#,
        expect![[r#"200 {"DeliveryStreamNames":[],"HasMoreDeliveryStreams":false}"#]],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_asks_for_what_cannot_be_is_refused() {
    let world = open_world();
    list(
        &world,
        r#"{"DeliveryStreamType":"directput"}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'deliveryStreamType' failed to satisfy constraint: Member must satisfy enum value set: [DirectPut, KinesisStreamAsSource, MSKAsSource, DatabaseAsSource]"}"#
        ]],
    ).await;
    list(
        &world,
        r#"{"Limit":0}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1"}"#
        ]],
    ).await;
    list(
        &world,
        r#"{"Limit":10001}"#,
        expect![[
            r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"}"#
        ]],
    ).await;
    list(
        &world,
        r#"{"Limit":"2"}"#,
        expect![[
            r#"400 {"__type":"SerializationException","message":"Found string, expected a whole number at line 1 column 12"}"#
        ]],
    ).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_describes_itself() {
    let world = open_world();
    world.check(
        api(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"clicks","Limit":10000}"#,
        ),
        expect![[r#"200 {"DeliveryStreamDescription":{"DeliveryStreamName":"clicks","DeliveryStreamARN":"arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks","DeliveryStreamStatus":"ACTIVE","DeliveryStreamEncryptionConfiguration":{"Status":"DISABLED"},"DeliveryStreamType":"DirectPut","VersionId":"1","CreateTimestamp":1440000000.5,"Destinations":[{"DestinationId":"destinationId-000000000001","ExtendedS3DestinationDescription":{"BucketARN":"arn:aws:s3:::out","BufferingHints":{"IntervalInSeconds":60,"SizeInMBs":5},"CloudWatchLoggingOptions":{"Enabled":false},"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"RoleARN":"arn:aws:iam::123456789012:role/standpipe","DataFormatConversionConfiguration":{"Enabled":false},"ProcessingConfiguration":{"Enabled":false,"Processors":[]},"S3BackupMode":"Disabled"},"S3DestinationDescription":{"BucketARN":"arn:aws:s3:::out","BufferingHints":{"IntervalInSeconds":60,"SizeInMBs":5},"CloudWatchLoggingOptions":{"Enabled":false},"CompressionFormat":"UNCOMPRESSED","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"RoleARN":"arn:aws:iam::123456789012:role/standpipe"}}],"HasMoreDestinations":false}}"#]],
    ).await;
    world.check(
        api(
            "DescribeDeliveryStream",
            r#"{"DeliveryStreamName":"clicks","Limit":10001}"#,
        ),
        expect![[r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"}"#]],
    ).await;
    world
        .check(
            api(
                "ListTagsForDeliveryStream",
                r#"{"DeliveryStreamName":"clicks","Limit":50}"#,
            ),
            expect![[r#"200 {"HasMoreTags":false,"Tags":[]}"#]],
        )
        .await;
    world.check(
        api(
            "ListTagsForDeliveryStream",
            r#"{"DeliveryStreamName":"clicks","Limit":51}"#,
        ),
        expect![[r#"400 {"__type":"ValidationException","message":"1 validation error detected: Value at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50"}"#]],
    ).await;
}
