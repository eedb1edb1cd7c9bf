//! AWS's own SDK, talking to the service without a socket: it signs, sends and reads the answers.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sdk_firehose::config::{BehaviorVersion, Region};
use aws_sdk_firehose::error::ProvideErrorMetadata;
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{DeliveryStreamStatus, Record};
use aws_sdk_firehose::{Client, Config};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use expect_test::expect;
use http_body_util::BodyExt;
use standpipe::server::{self, Service};

use crate::world::{NOW, World, guarded_world};

/// The SDK's way to the service.
#[derive(Clone)]
struct Door(Arc<World>);

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door")
    }
}

impl HttpConnector for Door {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let world = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().unwrap();
            let request = request.map(|body| server::incoming(body.bytes().unwrap().to_vec()));
            let (head, body) = world.service.call(request).await.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let response = http::Response::from_parts(head, SdkBody::from(body));
            Ok(HttpResponse::try_from(response).unwrap())
        })
    }
}

fn client(secret: &str) -> Client {
    let door = Door(Arc::new(guarded_world()));
    let connector = SharedHttpConnector::new(door);
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(NOW);
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url("http://localhost:4573")
        .credentials_provider(Credentials::new("AKIDWEB", secret, None, None, "test"))
        .time_source(StaticTimeSource::new(now))
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    Client::from_conf(config)
}

#[tokio::test(start_paused = true)]
async fn it_understands_what_streams_tell() {
    let client = client("web's secret");
    let listed = client
        .list_delivery_streams()
        .limit(2)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.delivery_stream_names(), ["audit-eu", "audit-us"]);
    assert!(listed.has_more_delivery_streams());

    let described = client
        .describe_delivery_stream()
        .delivery_stream_name("clicks");
    let described = described.send().await.unwrap();
    let description = described.delivery_stream_description().unwrap();
    assert_eq!(
        description.delivery_stream_status(),
        &DeliveryStreamStatus::Active
    );
    assert_eq!(
        description.create_timestamp().unwrap().to_millis().unwrap(),
        1_440_000_000_500
    );
    let [destination] = description.destinations() else {
        panic!("one destination: {description:?}")
    };
    let hints = destination.extended_s3_destination_description().unwrap();
    let hints = hints.buffering_hints().unwrap();
    assert_eq!(
        (hints.size_in_mbs(), hints.interval_in_seconds()),
        (Some(5), Some(60))
    );
    assert!(destination.s3_destination_description().is_some());

    let tags = client
        .list_tags_for_delivery_stream()
        .delivery_stream_name("clicks");
    assert_eq!(tags.send().await.unwrap().tags(), []);
}

#[tokio::test(start_paused = true)]
async fn it_understands_what_is_wrong() {
    let good = client("web's secret");
    let record = |bytes: usize| {
        Record::builder()
            .data(Blob::new(vec![b'x'; bytes]))
            .build()
            .unwrap()
    };
    let unknown = good
        .put_record()
        .delivery_stream_name("audit-x")
        .record(record(3));
    let unknown = unknown.send().await.unwrap_err().into_service_error();
    assert!(unknown.is_resource_not_found_exception(), "{unknown:?}");
    expect!["Firehose audit-x under account 123456789012 not found."]
        .assert_eq(unknown.message().unwrap());

    let large = good.put_record_batch().delivery_stream_name("clicks");
    let large = large.set_records(Some(vec![record(1_000_000); 5]));
    let large = large.send().await.unwrap_err().into_service_error();
    assert!(large.is_invalid_argument_exception(), "{large:?}");

    let code = |error: &dyn ProvideErrorMetadata| error.code().unwrap_or_default().to_owned();
    let too_large = good
        .put_record()
        .delivery_stream_name("clicks")
        .record(record(1_024_001));
    let too_large = too_large.send().await.unwrap_err().into_service_error();
    assert_eq!(code(&too_large), "ValidationException");
    let bad = client("another secret")
        .list_delivery_streams()
        .send()
        .await;
    assert_eq!(
        code(&bad.unwrap_err().into_service_error()),
        "InvalidSignatureException"
    );
    let create = good
        .create_delivery_stream()
        .delivery_stream_name("new")
        .send()
        .await;
    assert_eq!(
        code(&create.unwrap_err().into_service_error()),
        "AccessDeniedException"
    );
}
