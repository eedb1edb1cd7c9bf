//! From a machine's plan to the daemon's own settings: the same types that a configuration file
//! becomes, in sizes that a simulation can afford.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use standpipe::aws::{Credentials, Profile};
use standpipe::config::{
    Backup, Destination, FailedOutput, Identity, Listen, Settings, Stream, Transform,
};
use standpipe::model::{
    BufferingHints, Compression, DestinationDescription, ObjectsDescription, Secret,
    StreamDescription, Timestamp, limits,
};
use standpipe::objects::Place as ObjectPlace;
use standpipe::objects::key::KeyTemplate;
use standpipe::objects::store::{directory, s3};
use standpipe::outside::{http_client, stop};
use standpipe::sink::http_endpoint::{self, CommonAttributes, EndpointUrl};
use standpipe::sink::splunk::{self, HecUrl};
use standpipe::transform::{self, Function};
use standpipe::{buffer, pipeline, server, sink, telemetry};

use crate::scenario::{MachinePlan, Place, StreamPlan, To, TransformPlan, Transport};

/// Where the log is on a machine's disk, and where the directory sink puts objects.
pub const LOG: &str = "log";
pub const OUT: &str = "out";

/// What the keys of objects begin with.
const EVENTS: &str = "events/";
pub const BACKUP: &str = "backup/";

pub fn settings(plan: &MachinePlan, mode: stop::Mode) -> Settings {
    let nowhere = server::Settings {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls: None,
    };
    Settings {
        storage: buffer::Settings {
            directory: PathBuf::from(LOG),
            max_size: plan.log_size,
        },
        listen: Listen {
            firehose: nowhere.clone(),
            admin: nowhere,
            admin_token: None,
        },
        producers: Vec::new(),
        identity: Identity {
            region: "eu-central-1".to_owned(),
            account: "000000000000".to_owned(),
        },
        streams: plan.streams.iter().map(stream).collect(),
        shutdown: stop::Settings {
            mode,
            ..stop::Settings::default()
        },
        secret_files: Vec::new(),
        log: telemetry::logging::Settings {
            level: tracing::Level::ERROR,
            format: telemetry::logging::Format::Human,
        },
    }
}

fn stream(plan: &StreamPlan) -> Stream {
    let name: standpipe::model::StreamName = plan.name.parse().expect("a stream's name");
    let buffering = BufferingHints {
        size: plan.size,
        interval: plan.interval,
    };
    let keys = keys(EVENTS);
    Stream {
        name: name.clone(),
        pipeline: pipeline::Settings { buffering },
        failed: FailedOutput {
            place: place(plan.place),
            keys,
        },
        destination: destination(plan),
        transform: plan.transform.map(|it| transform(plan.name, it)),
        backup: plan.backup.map(|(size, interval)| Backup {
            sink: objects(plan, BACKUP, Compression::Uncompressed),
            buffering: BufferingHints { size, interval },
        }),
        description: StreamDescription {
            name,
            version: 1,
            created: Timestamp::default(),
            updated: None,
            destination: described(plan.compression),
            buffering,
            transform: None,
            backup: None,
        },
        fingerprint: match plan.to {
            To::Objects => 7,
            To::Endpoint { .. } => 8,
            To::Splunk { .. } => 9,
        },
    }
}

fn keys(prefix: &str) -> KeyTemplate {
    KeyTemplate::new(Some(prefix), None, None).expect("a plain prefix")
}

fn objects(plan: &StreamPlan, prefix: &str, compression: Compression) -> sink::objects::Settings {
    sink::objects::Settings {
        place: place(plan.place),
        keys: keys(prefix),
        compression,
    }
}

fn destination(plan: &StreamPlan) -> Destination {
    let http = http_client::Settings::default();
    match plan.to {
        To::Objects => Destination::Objects(objects(plan, EVENTS, plan.compression)),
        To::Endpoint { retry_duration } => {
            let url = format!("http://{}.endpoint.world/firehose", plan.name);
            let settings = http_endpoint::Settings {
                url: EndpointUrl::parse(&url).expect("a URL"),
                access_key: Some(Secret::new("key")),
                source_arn: format!("arn:aws:firehose:::deliverystream/{}", plan.name),
                content_encoding: plan.compression,
                common_attributes: CommonAttributes::default(),
                retry_duration,
                body_bytes_max: 20_000,
            };
            Destination::HttpEndpoint { settings, http }
        }
        To::Splunk {
            format,
            retry_duration,
            ack_timeout,
        } => {
            let url = format!("http://{}.splunk.world:8088", plan.name);
            let settings = splunk::Settings {
                url: HecUrl::parse(&url).expect("a URL"),
                token: Secret::new("token"),
                format,
                ack_timeout,
                retry_duration,
            };
            Destination::Splunk { settings, http }
        }
    }
}

fn transform(stream: &str, plan: TransformPlan) -> Transform {
    let function = match plan.by {
        Transport::Http => {
            let url = format!("http://{stream}.function.world/");
            Function::Http(url.parse().expect("a URL"))
        }
        Transport::Lambda => Function::Lambda(Box::new(transform::lambda::Settings {
            function: stream.parse().expect("a function's name"),
            profile: profile(format!("http://{stream}.lambda.world")),
        })),
    };
    Transform {
        settings: transform::Settings {
            function,
            retries: transform::Retries::new(plan.retries).expect("few"),
        },
        // No size is small enough to be met here.
        hints: transform::Hints::new(limits::FIREHOSE_PROCESSING_SIZE_MIN, plan.interval)
            .expect("within their bounds"),
        parallel_max: limits::FIREHOSE_INVOCATIONS_PER_SHARD_MAX,
        http: http_client::Settings::default(),
    }
}

fn place(place: Place) -> ObjectPlace {
    match place {
        Place::Directory => ObjectPlace::Directory(directory::Settings {
            path: Path::new(OUT).to_owned(),
        }),
        Place::Bucket(bucket) => ObjectPlace::S3(s3::Settings {
            bucket: bucket.to_owned(),
            profile: profile("http://s3.world".to_owned()),
        }),
    }
}

fn profile(endpoint: String) -> Profile {
    Profile {
        name: "world".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: Some(endpoint.parse().expect("a URL")),
        path_style: true,
        checksums: standpipe::aws::Checksums::WhenSupported,
        credentials: Credentials::Static {
            access_key_id: "AKIAWORLD".to_owned(),
            secret_access_key: Secret::new("secret"),
            session_token: None,
        },
        assume_role: None,
        http: http_client::Settings::default(),
    }
}

/// Nobody asks here; what it says of endpoints need not be true.
fn described(compression: Compression) -> DestinationDescription {
    DestinationDescription::Objects(ObjectsDescription {
        place: "world".to_owned(),
        url: "s3://world/".to_owned(),
        prefix: None,
        error_output_prefix: None,
        time_zone: None,
        compression,
    })
}
