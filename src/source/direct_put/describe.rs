//! DescribeDeliveryStream: a stream as Firehose would show one with an S3 destination.
//!
//! Both the extended and the plain description are given, as Firehose does. A directory shows
//! itself under the same shape, with its path in the place of the bucket.

use serde::Serialize;

use crate::model::{Compression, StreamDescription, Timestamp};
use crate::server::Caller;
use crate::source::direct_put::answer::Answered;
use crate::source::direct_put::{DirectPut, Settings, parse, validate};

impl DirectPut {
    pub(super) fn describe(&self, caller: &Caller, body: &[u8]) -> Answered {
        let asked: parse::Describe = parse::json(body)?;
        let name = validate::describe(&asked)?;
        let stream = self.stream(name, caller, "DescribeDeliveryStream")?;
        Ok(description(&self.settings, &stream.description))
    }
}

fn description(settings: &Settings, stream: &StreamDescription) -> String {
    let name = stream.name.as_str();
    let answer = Answer {
        delivery_stream_description: Description {
            delivery_stream_name: name,
            delivery_stream_arn: settings.stream_arn(name),
            delivery_stream_status: "ACTIVE",
            delivery_stream_encryption_configuration: Status { status: "DISABLED" },
            delivery_stream_type: "DirectPut",
            version_id: stream.version.to_string(),
            create_timestamp: seconds(stream.created),
            last_update_timestamp: stream.updated.map(seconds),
            destinations: [Destination {
                destination_id: "destinationId-000000000001",
                extended: ExtendedS3 {
                    s3: S3::of(settings, stream),
                    custom_time_zone: stream.destination.time_zone.as_deref(),
                    data_format_conversion_configuration: Enabled { enabled: false },
                    processing_configuration: Processing {
                        enabled: false,
                        processors: [],
                    },
                    s3_backup_mode: "Disabled",
                },
                s3: S3::of(settings, stream),
            }],
            has_more_destinations: false,
        },
    };
    serde_json::to_string(&answer).expect("a description is always JSON")
}

/// API timestamps are seconds, with the milliseconds as a fraction.
fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1000.0
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Answer<'a> {
    delivery_stream_description: Description<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Description<'a> {
    delivery_stream_name: &'a str,
    #[serde(rename = "DeliveryStreamARN")]
    delivery_stream_arn: String,
    delivery_stream_status: &'a str,
    delivery_stream_encryption_configuration: Status<'a>,
    delivery_stream_type: &'a str,
    version_id: String,
    create_timestamp: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_timestamp: Option<f64>,
    destinations: [Destination<'a>; 1],
    has_more_destinations: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status<'a> {
    status: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Destination<'a> {
    destination_id: &'a str,
    #[serde(rename = "ExtendedS3DestinationDescription")]
    extended: ExtendedS3<'a>,
    #[serde(rename = "S3DestinationDescription")]
    s3: S3<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExtendedS3<'a> {
    #[serde(flatten)]
    s3: S3<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_time_zone: Option<&'a str>,
    data_format_conversion_configuration: Enabled,
    processing_configuration: Processing,
    #[serde(rename = "S3BackupMode")]
    s3_backup_mode: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct S3<'a> {
    #[serde(rename = "BucketARN")]
    bucket_arn: String,
    buffering_hints: Hints,
    cloud_watch_logging_options: Enabled,
    compression_format: &'a str,
    encryption_configuration: Encryption,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_output_prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    #[serde(rename = "RoleARN")]
    role_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Hints {
    interval_in_seconds: u64,
    #[serde(rename = "SizeInMBs")]
    size_in_mebibytes: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processing {
    enabled: bool,
    processors: [(); 0],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Encryption {
    no_encryption_config: &'static str,
}

impl<'a> S3<'a> {
    fn of(settings: &Settings, stream: &'a StreamDescription) -> S3<'a> {
        let destination = &stream.destination;
        S3 {
            bucket_arn: format!("arn:aws:s3:::{}", destination.place),
            buffering_hints: Hints {
                interval_in_seconds: stream.buffering.interval.as_secs(),
                size_in_mebibytes: stream.buffering.size.get().div_ceil(1 << 20),
            },
            cloud_watch_logging_options: Enabled { enabled: false },
            compression_format: match destination.compression {
                Compression::Uncompressed => "UNCOMPRESSED",
                Compression::Gzip => "GZIP",
            },
            encryption_configuration: Encryption {
                no_encryption_config: "NoEncryption",
            },
            error_output_prefix: destination.error_output_prefix.as_deref(),
            prefix: destination.prefix.as_deref(),
            // Clients take it for granted. Who really writes is up to the profile.
            role_arn: format!("arn:aws:iam::{}:role/standpipe", settings.account),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::expect;

    use super::*;
    use crate::model::{BufferingHints, ByteSize, DestinationDescription};

    #[test]
    fn a_stream_is_shown_as_firehose_shows_one() {
        let settings = Settings {
            region: "eu-west-1".to_owned(),
            account: "123456789012".to_owned(),
        };
        let mut stream = StreamDescription {
            name: "clicks".parse().unwrap(),
            version: 1,
            created: Timestamp::from_millis(1_700_000_000_123),
            updated: None,
            destination: DestinationDescription {
                place: "my-bucket".to_owned(),
                url: "s3://my-bucket/".to_owned(),
                prefix: Some("clicks/".to_owned()),
                error_output_prefix: None,
                time_zone: None,
                compression: Compression::Gzip,
            },
            buffering: BufferingHints {
                size: ByteSize::mebibytes(5),
                interval: Duration::from_secs(300),
            },
        };
        expect![[r#"{"DeliveryStreamDescription":{"DeliveryStreamName":"clicks","DeliveryStreamARN":"arn:aws:firehose:eu-west-1:123456789012:deliverystream/clicks","DeliveryStreamStatus":"ACTIVE","DeliveryStreamEncryptionConfiguration":{"Status":"DISABLED"},"DeliveryStreamType":"DirectPut","VersionId":"1","CreateTimestamp":1700000000.123,"Destinations":[{"DestinationId":"destinationId-000000000001","ExtendedS3DestinationDescription":{"BucketARN":"arn:aws:s3:::my-bucket","BufferingHints":{"IntervalInSeconds":300,"SizeInMBs":5},"CloudWatchLoggingOptions":{"Enabled":false},"CompressionFormat":"GZIP","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"Prefix":"clicks/","RoleARN":"arn:aws:iam::123456789012:role/standpipe","DataFormatConversionConfiguration":{"Enabled":false},"ProcessingConfiguration":{"Enabled":false,"Processors":[]},"S3BackupMode":"Disabled"},"S3DestinationDescription":{"BucketARN":"arn:aws:s3:::my-bucket","BufferingHints":{"IntervalInSeconds":300,"SizeInMBs":5},"CloudWatchLoggingOptions":{"Enabled":false},"CompressionFormat":"GZIP","EncryptionConfiguration":{"NoEncryptionConfig":"NoEncryption"},"Prefix":"clicks/","RoleARN":"arn:aws:iam::123456789012:role/standpipe"}}],"HasMoreDestinations":false}}"#]].assert_eq(&description(&settings, &stream));

        stream.version = 2;
        stream.updated = Some(Timestamp::from_millis(1_700_000_100_000));
        stream.destination.time_zone = Some("Europe/Paris".to_owned());
        let text = description(&settings, &stream);
        assert!(text.contains(r#""VersionId":"2""#));
        assert!(text.contains(r#""LastUpdateTimestamp":1700000100.0"#));
        assert_eq!(
            text.matches(r#""CustomTimeZone":"Europe/Paris""#).count(),
            1
        );
    }
}
