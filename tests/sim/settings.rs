//! From a machine's plan to the daemon's own settings: the same types that a configuration file
//! becomes, in sizes that a simulation can afford.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use standpipe::aws::{Credentials, Profile};
use standpipe::config::{Destination, FailedOutput, Identity, Listen, Settings, Stream};
use standpipe::model::{
    BufferingHints, Compression, DestinationDescription, ObjectsDescription, Secret,
    StreamDescription, Timestamp,
};
use standpipe::objects::Place as ObjectPlace;
use standpipe::objects::key::KeyTemplate;
use standpipe::objects::store::{directory, s3};
use standpipe::outside::{http_client, stop};
use standpipe::{buffer, pipeline, server, sink, telemetry};

use crate::scenario::{MachinePlan, Place, StreamPlan};

/// Where the log is on a machine's disk, and where the directory sink puts objects.
pub const LOG: &str = "log";
pub const OUT: &str = "out";

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
    let keys = KeyTemplate::new(Some("events/"), None, None).expect("a plain prefix");
    Stream {
        name: name.clone(),
        pipeline: pipeline::Settings { buffering },
        failed: FailedOutput {
            place: place(plan.place),
            keys: keys.clone(),
        },
        destination: Destination::Objects(sink::objects::Settings {
            place: place(plan.place),
            keys,
            compression: plan.compression,
        }),
        transform: None,
        backup: None,
        description: StreamDescription {
            name,
            version: 1,
            created: Timestamp::default(),
            updated: None,
            destination: destination(plan.compression),
            buffering,
            transform: None,
            backup: None,
        },
        fingerprint: 7,
    }
}

fn place(place: Place) -> ObjectPlace {
    match place {
        Place::Directory => ObjectPlace::Directory(directory::Settings {
            path: Path::new(OUT).to_owned(),
        }),
        Place::Bucket(bucket) => ObjectPlace::S3(s3::Settings {
            bucket: bucket.to_owned(),
            profile: profile(),
        }),
    }
}

fn profile() -> Profile {
    Profile {
        name: "world".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: Some(http::Uri::from_static("http://s3.world")),
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

fn destination(compression: Compression) -> DestinationDescription {
    DestinationDescription::Objects(ObjectsDescription {
        place: "world".to_owned(),
        url: "s3://world/".to_owned(),
        prefix: None,
        error_output_prefix: None,
        time_zone: None,
        compression,
    })
}
