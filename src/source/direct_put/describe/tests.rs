//! Streams of each kind, as clients see them.

use std::collections::BTreeMap;
use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::model::{
    BackupDescription, BufferingHints, ByteSize, Compression, DestinationDescription,
    HecEndpointType, HttpEndpointDescription, ObjectsDescription, SplunkDescription,
    TransformDescription,
};

fn settings() -> Settings {
    Settings {
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
    }
}

fn hints(mebibytes: u64, seconds: u64) -> BufferingHints {
    BufferingHints {
        size: ByteSize::mebibytes(mebibytes),
        interval: Duration::from_secs(seconds),
    }
}

fn objects(bucket: &str, prefix: &str) -> ObjectsDescription {
    ObjectsDescription {
        place: bucket.to_owned(),
        url: format!("s3://{bucket}/"),
        prefix: Some(prefix.to_owned()),
        error_output_prefix: None,
        time_zone: None,
        compression: Compression::Gzip,
    }
}

fn stream(destination: DestinationDescription) -> StreamDescription {
    StreamDescription {
        name: "clicks".parse().unwrap(),
        version: 1,
        created: Timestamp::from_millis(1_700_000_000_123),
        updated: None,
        destination,
        buffering: hints(5, 300),
        transform: None,
        backup: None,
    }
}

/// What stands under `key`, of a stream with a transformer and a source backup.
#[track_caller]
fn check(destination: DestinationDescription, key: &str, expected: Expect) {
    let mut stream = stream(destination);
    stream.transform = Some(TransformDescription {
        function: "arn:aws:lambda:eu-west-1:123456789012:function:enrich".to_owned(),
        retries: 3,
        buffering: BufferingHints {
            size: ByteSize::bytes(209_715),
            interval: Duration::from_secs(60),
        },
    });
    stream.backup = Some(BackupDescription {
        objects: objects("source", "all/"),
        buffering: hints(64, 900),
    });
    let text = description(&settings(), &stream);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let destination = &answer["DeliveryStreamDescription"]["Destinations"][0];
    expected.assert_eq(&format!("{:#}", destination[key]));
}

#[test]
fn a_stream_is_shown_as_firehose_shows_one() {
    let mut stream = stream(DestinationDescription::Objects(objects(
        "my-bucket",
        "clicks/",
    )));
    expect![[r#"{"DeliveryStreamDescription":{"DeliveryStreamName":"clicks","DeliveryStreamARN":"arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks","DeliveryStreamStatus":"ACTIVE","DeliveryStreamEncryptionConfiguration":{"Status":"DISABLED"},"DeliveryStreamType":"DirectPut","VersionId":"1","CreateTimestamp":1700000000.123,"Destinations":[{"DestinationId":"destinationId-000000000001","ExtendedS3DestinationDescription":{"BucketARN":"arn:aws:s3:::my-bucket","BufferingHints":{"IntervalInSeconds":300,"SizeInMBs":5},"CloudWatchLoggingOptions":{"Enabled":false},"CompressionFormat":"GZIP","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"Prefix":"clicks/","RoleARN":"arn:aws:iam::123456789012:role/standpipe","DataFormatConversionConfiguration":{"Enabled":false},"ProcessingConfiguration":{"Enabled":false,"Processors":[]},"S3BackupMode":"Disabled"},"S3DestinationDescription":{"BucketARN":"arn:aws:s3:::my-bucket","BufferingHints":{"IntervalInSeconds":300,"SizeInMBs":5},"CloudWatchLoggingOptions":{"Enabled":false},"CompressionFormat":"GZIP","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"Prefix":"clicks/","RoleARN":"arn:aws:iam::123456789012:role/standpipe"}}],"HasMoreDestinations":false}}"#]].assert_eq(&description(&settings(), &stream));

    stream.version = 2;
    stream.updated = Some(Timestamp::from_millis(1_700_000_100_000));
    stream.destination = DestinationDescription::Objects(ObjectsDescription {
        time_zone: Some("Europe/Paris".to_owned()),
        ..objects("my-bucket", "clicks/")
    });
    let text = description(&settings(), &stream);
    assert!(text.contains(r#""VersionId":"2""#));
    assert!(text.contains(r#""LastUpdateTimestamp":1700000100.0"#));
    assert_eq!(
        text.matches(r#""CustomTimeZone":"Europe/Paris""#).count(),
        1
    );
}

#[test]
fn a_transformer_is_a_processor_and_a_source_backup_a_second_bucket() {
    let destination = DestinationDescription::Objects(objects("my-bucket", "clicks/"));
    check(
        destination,
        "ExtendedS3DestinationDescription",
        expect![[r#"
        {
          "BucketARN": "arn:aws:s3:::my-bucket",
          "BufferingHints": {
            "IntervalInSeconds": 300,
            "SizeInMBs": 5
          },
          "CloudWatchLoggingOptions": {
            "Enabled": false
          },
          "CompressionFormat": "GZIP",
          "DataFormatConversionConfiguration": {
            "Enabled": false
          },
          "EncryptionConfiguration": {
            "NoEncryptionConfig": "NoEncryption"
          },
          "Prefix": "clicks/",
          "ProcessingConfiguration": {
            "Enabled": true,
            "Processors": [
              {
                "Parameters": [
                  {
                    "ParameterName": "LambdaArn",
                    "ParameterValue": "arn:aws:lambda:eu-west-1:123456789012:function:enrich"
                  },
                  {
                    "ParameterName": "NumberOfRetries",
                    "ParameterValue": "3"
                  },
                  {
                    "ParameterName": "RoleArn",
                    "ParameterValue": "arn:aws:iam::123456789012:role/standpipe"
                  },
                  {
                    "ParameterName": "BufferSizeInMBs",
                    "ParameterValue": "0.2"
                  },
                  {
                    "ParameterName": "BufferIntervalInSeconds",
                    "ParameterValue": "60"
                  }
                ],
                "Type": "Lambda"
              }
            ]
          },
          "RoleARN": "arn:aws:iam::123456789012:role/standpipe",
          "S3BackupDescription": {
            "BucketARN": "arn:aws:s3:::source",
            "BufferingHints": {
              "IntervalInSeconds": 900,
              "SizeInMBs": 64
            },
            "CloudWatchLoggingOptions": {
              "Enabled": false
            },
            "CompressionFormat": "GZIP",
            "EncryptionConfiguration": {
              "NoEncryptionConfig": "NoEncryption"
            },
            "Prefix": "all/",
            "RoleARN": "arn:aws:iam::123456789012:role/standpipe"
          },
          "S3BackupMode": "Enabled"
        }"#]],
    );
}

#[test]
fn an_http_endpoint_is_shown_with_the_place_of_its_failures_and_without_its_key() {
    let attributes = [("environment", "production"), ("token", "[secret]")];
    let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let destination = DestinationDescription::HttpEndpoint(HttpEndpointDescription {
        kind: "datadog",
        url: "https://intake.example".to_owned(),
        content_encoding: Compression::Gzip,
        common_attributes: BTreeMap::from(attributes),
        retry_duration: Duration::from_secs(300),
        failed: objects("failed", "datadog/"),
    });
    check(
        destination,
        "HttpEndpointDestinationDescription",
        expect![[r#"
            {
              "BufferingHints": {
                "IntervalInSeconds": 300,
                "SizeInMBs": 5
              },
              "CloudWatchLoggingOptions": {
                "Enabled": false
              },
              "EndpointConfiguration": {
                "Name": "datadog",
                "Url": "https://intake.example"
              },
              "ProcessingConfiguration": {
                "Enabled": true,
                "Processors": [
                  {
                    "Parameters": [
                      {
                        "ParameterName": "LambdaArn",
                        "ParameterValue": "arn:aws:lambda:eu-west-1:123456789012:function:enrich"
                      },
                      {
                        "ParameterName": "NumberOfRetries",
                        "ParameterValue": "3"
                      },
                      {
                        "ParameterName": "RoleArn",
                        "ParameterValue": "arn:aws:iam::123456789012:role/standpipe"
                      },
                      {
                        "ParameterName": "BufferSizeInMBs",
                        "ParameterValue": "0.2"
                      },
                      {
                        "ParameterName": "BufferIntervalInSeconds",
                        "ParameterValue": "60"
                      }
                    ],
                    "Type": "Lambda"
                  }
                ]
              },
              "RequestConfiguration": {
                "CommonAttributes": [
                  {
                    "AttributeName": "environment",
                    "AttributeValue": "production"
                  },
                  {
                    "AttributeName": "token",
                    "AttributeValue": "[secret]"
                  }
                ],
                "ContentEncoding": "GZIP"
              },
              "RetryOptions": {
                "DurationInSeconds": 300
              },
              "RoleARN": "arn:aws:iam::123456789012:role/standpipe",
              "S3BackupMode": "AllData",
              "S3DestinationDescription": {
                "BucketARN": "arn:aws:s3:::failed",
                "BufferingHints": {
                  "IntervalInSeconds": 300,
                  "SizeInMBs": 5
                },
                "CloudWatchLoggingOptions": {
                  "Enabled": false
                },
                "CompressionFormat": "GZIP",
                "EncryptionConfiguration": {
                  "NoEncryptionConfig": "NoEncryption"
                },
                "Prefix": "datadog/",
                "RoleARN": "arn:aws:iam::123456789012:role/standpipe"
              }
            }"#]],
    );
}

#[test]
fn splunk_is_shown_without_its_token() {
    let destination = DestinationDescription::Splunk(SplunkDescription {
        url: "https://hec.example:8088".to_owned(),
        endpoint_type: HecEndpointType::Event,
        ack_timeout: Duration::from_secs(180),
        retry_duration: Duration::ZERO,
        failed: objects("failed", "splunk/"),
    });
    check(
        destination,
        "SplunkDestinationDescription",
        expect![[r#"
        {
          "BufferingHints": {
            "IntervalInSeconds": 300,
            "SizeInMBs": 5
          },
          "CloudWatchLoggingOptions": {
            "Enabled": false
          },
          "HECAcknowledgmentTimeoutInSeconds": 180,
          "HECEndpoint": "https://hec.example:8088",
          "HECEndpointType": "Event",
          "ProcessingConfiguration": {
            "Enabled": true,
            "Processors": [
              {
                "Parameters": [
                  {
                    "ParameterName": "LambdaArn",
                    "ParameterValue": "arn:aws:lambda:eu-west-1:123456789012:function:enrich"
                  },
                  {
                    "ParameterName": "NumberOfRetries",
                    "ParameterValue": "3"
                  },
                  {
                    "ParameterName": "RoleArn",
                    "ParameterValue": "arn:aws:iam::123456789012:role/standpipe"
                  },
                  {
                    "ParameterName": "BufferSizeInMBs",
                    "ParameterValue": "0.2"
                  },
                  {
                    "ParameterName": "BufferIntervalInSeconds",
                    "ParameterValue": "60"
                  }
                ],
                "Type": "Lambda"
              }
            ]
          },
          "RetryOptions": {
            "DurationInSeconds": 0
          },
          "S3BackupMode": "AllEvents",
          "S3DestinationDescription": {
            "BucketARN": "arn:aws:s3:::failed",
            "BufferingHints": {
              "IntervalInSeconds": 300,
              "SizeInMBs": 5
            },
            "CloudWatchLoggingOptions": {
              "Enabled": false
            },
            "CompressionFormat": "GZIP",
            "EncryptionConfiguration": {
              "NoEncryptionConfig": "NoEncryption"
            },
            "Prefix": "splunk/",
            "RoleARN": "arn:aws:iam::123456789012:role/standpipe"
          }
        }"#]],
    );
}
