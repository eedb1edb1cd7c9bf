//! A daemon's front door to knock at, and the requests to knock with.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use expect_test::Expect;
use http_body_util::BodyExt;
use standpipe::buffer::{self, Intake, Outlet, StreamSpec};
use standpipe::model::{
    BufferingHints, ByteSize, Compression, DestinationDescription, DirectoryId, ObjectsDescription,
    RecordId, Secret, Seq, SeqRange, StreamDescription, StreamName, Timestamp,
};
use standpipe::outside::stop::{self, Stopper};
use standpipe::outside::{Clock, Dice};
use standpipe::server::{
    self, Identity, Incoming, Producer, Producers, Request, Service, StreamPattern,
};
use standpipe::source::direct_put::{DirectPut, Settings, Stream, Tools};
use standpipe::telemetry::Metrics;

use crate::disk::SimDisk;
use crate::signing::Signer;

/// 2015-08-30T12:36:00Z
pub const NOW: u64 = 1_440_938_160_000;

pub struct World {
    pub service: DirectPut,
    pub stopper: Stopper,
    pub metrics: Metrics,
    pub disk: SimDisk,
    outlets: BTreeMap<StreamName, Outlet>,
}

pub fn stream(name: &StreamName, id: u32, intake: Intake) -> Stream {
    Stream {
        intake,
        id,
        directory: DirectoryId(7),
        description: StreamDescription {
            name: name.clone(),
            version: 1,
            created: Timestamp::from_millis(1_440_000_000_500),
            updated: None,
            destination: DestinationDescription::Objects(ObjectsDescription {
                place: "out".to_owned(),
                url: "./out".to_owned(),
                prefix: None,
                error_output_prefix: None,
                time_zone: None,
                compression: Compression::Uncompressed,
            }),
            buffering: BufferingHints {
                size: ByteSize::mebibytes(5),
                interval: Duration::from_secs(60),
            },
            transform: None,
            backup: None,
        },
    }
}

/// A daemon's front door, with the streams `audit-eu`, `audit-us`, `clicks` and `views`, before a log
/// of this size. Its committer runs in the test's runtime.
pub fn world(producers: impl IntoIterator<Item = Producer>, log: ByteSize) -> World {
    let disk = SimDisk::new(Dice::seeded(1));
    let metrics = Metrics::default();
    let clock = Clock::simulated(Timestamp::from_millis(NOW));
    let names = ["audit-eu", "audit-us", "clicks", "views"];
    let specs = names.map(|name| StreamSpec {
        name: name.parse().unwrap(),
        fingerprint: 1,
        readers: BTreeSet::new(),
    });
    let storage = buffer::Settings {
        directory: "data".into(),
        max_size: log,
    };
    let dice = Dice::seeded(2);
    let opened = buffer::open(
        disk.door(),
        &storage,
        &specs,
        clock.clone(),
        dice,
        metrics.clone(),
    );
    let opened = opened.unwrap_or_else(|error| panic!("{error}"));
    tokio::spawn(opened.committer.run());
    let mut streams = BTreeMap::new();
    let mut outlets = BTreeMap::new();
    for (at, (name, handles)) in opened.streams.into_iter().enumerate() {
        streams.insert(name.clone(), stream(&name, at as u32, handles.intake));
        outlets.insert(name, handles.outlet);
    }
    let (stopper, stop) = stop::channel();
    let tools = Tools {
        metrics: metrics.clone(),
        clock,
        dice: Dice::seeded(3),
        stop,
    };
    let settings = Settings {
        region: "eu-west-1".to_owned(),
        account: "123456789012".to_owned(),
    };
    World {
        service: DirectPut::new(settings, streams, Producers::new(producers), tools),
        stopper,
        metrics,
        disk,
        outlets,
    }
}

/// Enough for small puts.
const SMALL_LOG: ByteSize = ByteSize::mebibytes(8);

/// Without producers: whoever reaches the port may put.
pub fn open_world() -> World {
    world([], SMALL_LOG)
}

pub fn guarded_world() -> World {
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
    world([web, events], SMALL_LOG)
}

/// Record ids as `<stream's number>:<sequence number>`.
pub fn readable(text: &str) -> String {
    let pieces = text.split('"').map(|piece| match RecordId::parse(piece) {
        Some(id) => format!("{}:{}", id.stream, id.seq),
        None => piece.to_owned(),
    });
    pieces.collect::<Vec<_>>().join("\"")
}

impl World {
    /// Status and body.
    pub async fn call(&self, request: Request) -> String {
        let response = self.service.call(request).await;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        format!("{status} {}", readable(std::str::from_utf8(&body).unwrap()))
    }

    pub async fn check(&self, request: Request, expected: Expect) {
        expected.assert_eq(&self.call(request).await);
    }

    /// The records that the stream's log holds.
    pub async fn stored(&self, stream: &str) -> Vec<Vec<u8>> {
        let outlet = &self.outlets[stream];
        let count = outlet.waiting().records;
        let extents = outlet.extents();
        let mut found = Vec::new();
        while let Some(range) = SeqRange::between(Seq::new(found.len() as u64), Seq::new(count)) {
            let records = extents.read(range).await.unwrap().unwrap().records;
            found.extend(records.iter().map(<[u8]>::to_vec));
        }
        found
    }
}

pub fn api_with(operation: &str, body: Incoming) -> Request {
    http::Request::post("/")
        .header("host", "localhost:4573")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", format!("Firehose_20150804.{operation}"))
        .body(body)
        .unwrap()
}

pub fn api(operation: &str, body: impl Into<Bytes>) -> Request {
    api_with(operation, server::incoming(body))
}

pub fn lines(stream: &str, body: &str) -> Request {
    let uri = format!("/v1/streams/{stream}/records");
    let body = server::incoming(body.to_owned());
    http::Request::post(uri)
        .header("host", "localhost:4573")
        .body(body)
        .unwrap()
}

pub fn batch_of(records: &[String]) -> String {
    let records: Vec<String> = records
        .iter()
        .map(|data| format!(r#"{{"Data":"{data}"}}"#))
        .collect();
    format!(
        r#"{{"DeliveryStreamName":"clicks","Records":[{}]}}"#,
        records.join(",")
    )
}

pub fn base64_of(bytes: usize) -> String {
    STANDARD.encode(vec![b'x'; bytes])
}

/// Signed by AWS's own signer.
pub fn signed(
    key: &str,
    secret: &str,
    service: &str,
    operation: &str,
    body: impl AsRef<[u8]>,
) -> Request {
    let body = body.as_ref();
    let signer = Signer {
        access_key_id: key,
        secret_access_key: secret,
        service,
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(NOW),
    };
    let mut request = api(operation, body.to_owned());
    signer.sign(&mut request, "http://localhost:4573/", body);
    request
}

pub fn by_web(operation: &str, body: impl AsRef<[u8]>) -> Request {
    signed("AKIDWEB", "web's secret", "firehose", operation, body)
}

pub fn with(mut request: Request, name: &'static str, value: &str) -> Request {
    request.headers_mut().insert(name, value.parse().unwrap());
    request
}
