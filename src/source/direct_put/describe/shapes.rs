//! The shapes of a destination in Firehose's API, as far as they say something here.

use serde::Serialize;

use crate::model::{
    BufferingHints, Compression, DestinationDescription, HecEndpointType, HttpEndpointDescription,
    ObjectsDescription, SplunkDescription, StreamDescription, TransformDescription,
};
use crate::source::direct_put::Settings;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Destination<'a> {
    destination_id: &'a str,
    #[serde(flatten)]
    kind: Kind<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Kind<'a> {
    Objects(Box<Objects<'a>>),
    HttpEndpoint {
        #[serde(rename = "HttpEndpointDestinationDescription")]
        endpoint: Box<HttpEndpoint<'a>>,
    },
    Splunk {
        #[serde(rename = "SplunkDestinationDescription")]
        splunk: Box<Splunk<'a>>,
    },
}

#[derive(Serialize)]
struct Objects<'a> {
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
    processing_configuration: Processing<'a>,
    #[serde(rename = "S3BackupMode")]
    s3_backup_mode: &'a str,
    #[serde(
        rename = "S3BackupDescription",
        skip_serializing_if = "Option::is_none"
    )]
    s3_backup_description: Option<S3<'a>>,
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
struct HttpEndpoint<'a> {
    buffering_hints: Hints,
    cloud_watch_logging_options: Enabled,
    endpoint_configuration: Endpoint<'a>,
    processing_configuration: Processing<'a>,
    request_configuration: Requests<'a>,
    retry_options: Retry,
    #[serde(rename = "RoleARN")]
    role_arn: String,
    #[serde(rename = "S3BackupMode")]
    s3_backup_mode: &'a str,
    #[serde(rename = "S3DestinationDescription")]
    s3: S3<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint<'a> {
    name: &'a str,
    url: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Requests<'a> {
    common_attributes: Vec<Attribute<'a>>,
    content_encoding: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute<'a> {
    attribute_name: &'a str,
    attribute_value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Splunk<'a> {
    buffering_hints: Hints,
    cloud_watch_logging_options: Enabled,
    #[serde(rename = "HECAcknowledgmentTimeoutInSeconds")]
    hec_acknowledgment_timeout_in_seconds: u64,
    #[serde(rename = "HECEndpoint")]
    hec_endpoint: &'a str,
    #[serde(rename = "HECEndpointType")]
    hec_endpoint_type: &'a str,
    processing_configuration: Processing<'a>,
    retry_options: Retry,
    #[serde(rename = "S3BackupMode")]
    s3_backup_mode: &'a str,
    #[serde(rename = "S3DestinationDescription")]
    s3: S3<'a>,
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
struct Retry {
    duration_in_seconds: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Enabled {
    enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processing<'a> {
    enabled: bool,
    processors: Vec<Processor<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Processor<'a> {
    parameters: Vec<Parameter<'a>>,
    r#type: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Parameter<'a> {
    parameter_name: &'a str,
    parameter_value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Encryption {
    no_encryption_config: &'static str,
}

impl<'a> Destination<'a> {
    pub fn of(settings: &Settings, stream: &'a StreamDescription) -> Destination<'a> {
        Destination {
            destination_id: "destinationId-000000000001",
            kind: match &stream.destination {
                DestinationDescription::Objects(objects) => {
                    Kind::Objects(Box::new(Objects::of(settings, stream, objects)))
                }
                DestinationDescription::HttpEndpoint(endpoint) => Kind::HttpEndpoint {
                    endpoint: Box::new(HttpEndpoint::of(settings, stream, endpoint)),
                },
                DestinationDescription::Splunk(splunk) => Kind::Splunk {
                    splunk: Box::new(Splunk::of(settings, stream, splunk)),
                },
            },
        }
    }
}

impl<'a> Objects<'a> {
    fn of(
        settings: &Settings,
        stream: &'a StreamDescription,
        objects: &'a ObjectsDescription,
    ) -> Objects<'a> {
        let backup = stream.backup.as_ref();
        Objects {
            extended: ExtendedS3 {
                s3: S3::of(settings, objects, stream.buffering),
                custom_time_zone: objects.time_zone.as_deref(),
                data_format_conversion_configuration: Enabled { enabled: false },
                processing_configuration: Processing::of(settings, stream),
                s3_backup_mode: match backup {
                    None => "Disabled",
                    Some(_) => "Enabled",
                },
                s3_backup_description: backup
                    .map(|backup| S3::of(settings, &backup.objects, backup.buffering)),
            },
            s3: S3::of(settings, objects, stream.buffering),
        }
    }
}

impl<'a> S3<'a> {
    fn of(
        settings: &Settings,
        objects: &'a ObjectsDescription,
        buffering: BufferingHints,
    ) -> S3<'a> {
        S3 {
            bucket_arn: format!("arn:aws:s3:::{}", objects.place),
            buffering_hints: Hints::of(buffering),
            cloud_watch_logging_options: Enabled { enabled: false },
            compression_format: match objects.compression {
                Compression::Uncompressed => "UNCOMPRESSED",
                Compression::Gzip => "GZIP",
            },
            encryption_configuration: Encryption {
                no_encryption_config: "NoEncryption",
            },
            error_output_prefix: objects.error_output_prefix.as_deref(),
            prefix: objects.prefix.as_deref(),
            role_arn: role_arn(settings),
        }
    }
}

/// Clients take it for granted. Who really writes is up to the profile.
fn role_arn(settings: &Settings) -> String {
    format!("arn:aws:iam::{}:role/standpipe", settings.account)
}

impl<'a> HttpEndpoint<'a> {
    fn of(
        settings: &Settings,
        stream: &'a StreamDescription,
        endpoint: &'a HttpEndpointDescription,
    ) -> HttpEndpoint<'a> {
        let attributes = endpoint.common_attributes.iter();
        let attributes = attributes.map(|(name, value)| Attribute {
            attribute_name: name,
            attribute_value: value,
        });
        HttpEndpoint {
            buffering_hints: Hints::of(stream.buffering),
            cloud_watch_logging_options: Enabled { enabled: false },
            endpoint_configuration: Endpoint {
                name: endpoint.kind,
                url: &endpoint.url,
            },
            processing_configuration: Processing::of(settings, stream),
            request_configuration: Requests {
                common_attributes: attributes.collect(),
                content_encoding: match endpoint.content_encoding {
                    Compression::Uncompressed => "NONE",
                    Compression::Gzip => "GZIP",
                },
            },
            retry_options: Retry {
                duration_in_seconds: endpoint.retry_duration.as_secs(),
            },
            role_arn: role_arn(settings),
            s3_backup_mode: match &stream.backup {
                None => "FailedDataOnly",
                Some(_) => "AllData",
            },
            s3: S3::of(settings, &endpoint.failed, stream.buffering),
        }
    }
}

impl<'a> Splunk<'a> {
    fn of(
        settings: &Settings,
        stream: &'a StreamDescription,
        splunk: &'a SplunkDescription,
    ) -> Splunk<'a> {
        Splunk {
            buffering_hints: Hints::of(stream.buffering),
            cloud_watch_logging_options: Enabled { enabled: false },
            hec_acknowledgment_timeout_in_seconds: splunk.ack_timeout.as_secs(),
            hec_endpoint: &splunk.url,
            hec_endpoint_type: match splunk.endpoint_type {
                HecEndpointType::Raw => "Raw",
                HecEndpointType::Event => "Event",
            },
            processing_configuration: Processing::of(settings, stream),
            retry_options: Retry {
                duration_in_seconds: splunk.retry_duration.as_secs(),
            },
            s3_backup_mode: match &stream.backup {
                None => "FailedEventsOnly",
                Some(_) => "AllEvents",
            },
            s3: S3::of(settings, &splunk.failed, stream.buffering),
        }
    }
}

impl Hints {
    fn of(buffering: BufferingHints) -> Hints {
        Hints {
            interval_in_seconds: buffering.interval.as_secs(),
            size_in_mebibytes: buffering.size.get().div_ceil(1 << 20),
        }
    }
}

impl<'a> Processing<'a> {
    fn of(settings: &Settings, stream: &StreamDescription) -> Processing<'a> {
        let processors = stream.transform.iter().map(|transform| Processor {
            parameters: parameters(settings, transform),
            r#type: "Lambda",
        });
        Processing {
            enabled: stream.transform.is_some(),
            processors: processors.collect(),
        }
    }
}

fn parameters<'a>(settings: &Settings, transform: &TransformDescription) -> Vec<Parameter<'a>> {
    let BufferingHints { size, interval } = transform.buffering;
    // 0.2 MiB are no whole number of bytes.
    let mebibytes = (size.get() as f64 / 1024.0 / 1.024).round() / 1000.0;
    let parameters = [
        ("LambdaArn", transform.function.clone()),
        ("NumberOfRetries", transform.retries.to_string()),
        ("RoleArn", role_arn(settings)),
        ("BufferSizeInMBs", mebibytes.to_string()),
        ("BufferIntervalInSeconds", interval.as_secs().to_string()),
    ];
    let parameters = parameters.into_iter();
    let parameters = parameters.map(|(parameter_name, parameter_value)| Parameter {
        parameter_name,
        parameter_value,
    });
    parameters.collect()
}
