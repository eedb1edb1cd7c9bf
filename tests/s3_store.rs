//! The S3 store against a server that checks signatures, checksums and part sizes.

#[path = "network/proxy.rs"]
mod proxy;
#[path = "support/s3/mod.rs"]
mod s3;

use std::io::Read;
use std::sync::Arc;

use futures_util::StreamExt;
use s3::{ACCESS_KEY, Fault, InProcessS3, Operation, SECRET_KEY};
use standpipe::aws::{Checksums, Credentials, Profile};
use standpipe::model::{Body, BodyError, Compression, RecordsBuilder, Secret};
use standpipe::objects::store::{Doors, Place, Stores, s3 as s3_store};
use standpipe::objects::{Object, Refusal, Room, Store, Stored};
use standpipe::outside::disk::RealDisk;
use standpipe::outside::http_client::{self, Network, Proxies};
use standpipe::outside::{Clock, Dice};

const BUCKET: &str = "lake";
const KEY: &str = "2026/03/14/09/clicks-1-2026-03-14-09-26-53-de36";
const MIB: usize = 1 << 20;

fn profile(server: &InProcessS3) -> Profile {
    Profile {
        name: "test".to_owned(),
        region: "eu-west-1".to_owned(),
        endpoint: Some(server.endpoint().parse().unwrap()),
        path_style: true,
        checksums: Checksums::WhenSupported,
        credentials: Credentials::Static {
            access_key_id: ACCESS_KEY.to_owned(),
            secret_access_key: Secret::new(SECRET_KEY),
            session_token: None,
        },
        assume_role: None,
        http: http_client::Settings::default(),
    }
}

async fn store(profile: Profile) -> Arc<dyn Store> {
    let mut stores = Stores::new(Doors {
        disk: Box::new(|path| Arc::new(RealDisk::new(path))),
        http: Box::new(|settings| Ok(Arc::new(Network::open(settings)?))),
        clock: Clock::system(),
        dice: Dice::seeded(1),
        room: Room::new(64 << 20, 2),
    });
    let place = Place::S3(s3_store::Settings {
        bucket: BUCKET.to_owned(),
        profile,
    });
    stores.open(&place).await.unwrap()
}

async fn started() -> (InProcessS3, Arc<dyn Store>) {
    let server = InProcessS3::start().await;
    server.create_bucket(BUCKET);
    let store = store(profile(&server)).await;
    (server, store)
}

/// Bytes that hardly pack, so that packed objects are large too.
fn noise(bytes: usize) -> Vec<u8> {
    let mut dice = Dice::seeded(bytes as u64);
    let mut noise = Vec::with_capacity(bytes + 16);
    while noise.len() < bytes {
        noise.extend_from_slice(&dice.u128().to_be_bytes());
    }
    noise.truncate(bytes);
    noise
}

fn object(plain: &[u8], compression: Compression) -> Object {
    let pieces: Vec<_> = plain
        .chunks(MIB)
        .map(|piece| {
            let mut records = RecordsBuilder::default();
            records.push(piece);
            Ok(records.build().unwrap())
        })
        .collect();
    let open = move || futures_util::stream::iter(pieces.clone()).boxed();
    Object {
        key: KEY.to_owned(),
        body: Body::new(plain.len() as u64, open),
        compression,
        metadata: vec![
            ("standpipe-stream", "clicks".to_owned()),
            ("standpipe-range", "0..7".to_owned()),
        ],
    }
}

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let mut member = flate2::bufread::GzDecoder::new(packed);
    member.read_to_end(&mut plain).unwrap();
    plain
}

fn asked(server: &InProcessS3, operation: Operation) -> u64 {
    server.asked().get(&operation).copied().unwrap_or(0)
}

fn told(refusal: &Refusal) -> (&str, bool) {
    (&refusal.code, refusal.needs_operator)
}

#[tokio::test]
async fn an_uncompressed_object_is_one_put_streamed_from_the_log() {
    for bytes in [0, 5, 3 * MIB, 20 * MIB] {
        let (server, store) = started().await;
        let plain = noise(bytes);
        let object = object(&plain, Compression::Uncompressed);
        let stored = store.put(&object).await.unwrap();
        assert_eq!(stored.bytes, bytes as u64);
        let found = &server.objects(BUCKET)[KEY];
        assert!(found.bytes == plain, "{bytes} bytes came back changed");
        assert_eq!(
            found.content_type.as_deref(),
            Some("application/octet-stream")
        );
        assert_eq!(found.content_encoding, None);
        assert_eq!(found.metadata["standpipe-range"], "0..7");
        assert_eq!(server.asked().len(), 1, "{:?}", server.asked());
    }
}

#[tokio::test]
async fn a_small_packed_object_is_one_put_and_a_large_one_goes_in_parts() {
    for (bytes, parts) in [(100, 0), (7 * MIB, 0), (20 * MIB, 3)] {
        let (server, store) = started().await;
        let plain = noise(bytes);
        let object = object(&plain, Compression::Gzip);
        let stored = store.put(&object).await.unwrap();
        let found = &server.objects(BUCKET)[KEY];
        assert_eq!(stored.bytes, found.bytes.len() as u64);
        assert!(unpacked(&found.bytes) == plain);
        assert_eq!(found.content_encoding.as_deref(), Some("gzip"));
        assert_eq!(
            found.content_type.as_deref(),
            Some("application/octet-stream")
        );
        assert_eq!(found.metadata["standpipe-stream"], "clicks");
        assert_eq!(asked(&server, Operation::UploadPart), parts);
        assert!(server.open_uploads().is_empty());
    }
}

#[tokio::test]
async fn an_uncompressed_object_above_the_limit_goes_in_parts() {
    let (server, store) = started().await;
    let plain = noise(64 * MIB + 1);
    let object = object(&plain, Compression::Uncompressed);
    store.put(&object).await.unwrap();
    assert!(server.objects(BUCKET)[KEY].bytes == plain);
    assert_eq!(asked(&server, Operation::UploadPart), 9);
}

#[tokio::test]
async fn foreign_servers_may_be_spared_the_checksums() {
    let server = InProcessS3::start().await;
    server.create_bucket(BUCKET);
    let profile = Profile {
        checksums: Checksums::WhenRequired,
        ..profile(&server)
    };
    let store = store(profile).await;
    for bytes in [10, 9 * MIB] {
        let plain = noise(bytes);
        let object = object(&plain, Compression::Gzip);
        store.put(&object).await.unwrap();
        assert!(unpacked(&server.objects(BUCKET)[KEY].bytes) == plain);
    }
}

#[tokio::test]
async fn d3_a_repeat_replaces_the_object_under_the_same_name() {
    let (server, store) = started().await;
    let object = object(b"abc", Compression::Uncompressed);
    server.inject(Operation::PutObject, Fault::LoseAnswer);
    let refusal = store.put(&object).await.unwrap_err();
    assert_eq!(told(&refusal), ("S3.ConnectionLost", false));
    store.put(&object).await.unwrap();
    let objects = server.objects(BUCKET);
    assert_eq!((objects.len(), objects[KEY].puts), (1, 2));
}

async fn check_refused(fault: Fault, code: &str, needs_operator: bool) -> Refusal {
    let (server, store) = started().await;
    server.inject(Operation::PutObject, fault);
    let object = object(b"abc", Compression::Uncompressed);
    let refusal = store.put(&object).await.unwrap_err();
    assert_eq!(told(&refusal), (code, needs_operator));
    assert!(server.objects(BUCKET).is_empty());
    store.put(&object).await.unwrap();
    refusal
}

fn refuse(status: u16, code: &'static str, retry_after: Option<&'static str>) -> Fault {
    Fault::Refuse {
        status,
        code,
        retry_after,
    }
}

#[tokio::test]
async fn refusals_say_who_can_mend_them_and_how_long_the_server_asked_for() {
    let denied = check_refused(refuse(403, "AccessDenied", None), "S3.AccessDenied", true).await;
    assert!(denied.to_string().contains("`s3://lake/`"), "{denied}");
    let cause = denied.cause.as_ref().unwrap().to_string();
    assert_eq!(
        cause,
        "the server answered 403 AccessDenied: as the test wished"
    );
    let slow = refuse(503, "SlowDown", Some("7"));
    let slow = check_refused(slow, "S3.SlowDown", false).await;
    assert_eq!(slow.retry_after.unwrap().as_secs(), 7);
    check_refused(refuse(500, "InternalError", None), "InternalError", false).await;
    check_refused(refuse(404, "NoSuchBucket", None), "S3.NoSuchBucket", true).await;
    check_refused(Fault::Break, "S3.ConnectionLost", false).await;
}

#[tokio::test]
async fn a_missing_bucket_a_wrong_secret_and_a_dead_server_are_told_apart() {
    let server = InProcessS3::start().await;
    let object = object(b"abc", Compression::Uncompressed);
    let refusal = store(profile(&server))
        .await
        .put(&object)
        .await
        .unwrap_err();
    assert_eq!(told(&refusal), ("S3.NoSuchBucket", true));
    let mut wrong = profile(&server);
    wrong.credentials = Credentials::Static {
        access_key_id: ACCESS_KEY.to_owned(),
        secret_access_key: Secret::new("guess"),
        session_token: None,
    };
    let refusal = store(wrong).await.put(&object).await.unwrap_err();
    assert_eq!(told(&refusal), ("S3.SignatureDoesNotMatch", true));
    let dead = Profile {
        endpoint: Some("http://127.0.0.1:1".parse().unwrap()),
        ..profile(&server)
    };
    let refusal = store(dead).await.put(&object).await.unwrap_err();
    assert_eq!(told(&refusal), ("S3.Unreachable", false));
}

/// A packed object of three parts, put while faults wait for its requests.
async fn put_in_parts(faults: &[(Operation, Fault)]) -> (InProcessS3, Result<Stored, Refusal>) {
    let (server, store) = started().await;
    for (operation, fault) in faults {
        server.inject(*operation, fault.clone());
    }
    let plain = noise(17 * MIB);
    let answer = store.put(&object(&plain, Compression::Gzip)).await;
    if answer.is_ok() {
        assert!(unpacked(&server.objects(BUCKET)[KEY].bytes) == plain);
    }
    (server, answer)
}

#[tokio::test]
async fn each_part_is_tried_again_on_its_own() {
    let slow = refuse(503, "SlowDown", None);
    let faults = [
        (Operation::UploadPart, slow.clone()),
        (Operation::UploadPart, Fault::Break),
        (Operation::UploadPart, Fault::LoseAnswer),
    ];
    let (server, answer) = put_in_parts(&faults).await;
    answer.unwrap();
    assert_eq!(asked(&server, Operation::UploadPart), 6);
    assert_eq!(asked(&server, Operation::CreateMultipartUpload), 1);
}

#[tokio::test]
async fn an_upload_that_is_given_up_is_aborted() {
    let denied = refuse(403, "AccessDenied", None);
    let (server, answer) = put_in_parts(&[(Operation::UploadPart, denied)]).await;
    assert_eq!(told(&answer.unwrap_err()), ("S3.AccessDenied", true));
    assert!(server.open_uploads().is_empty());
    let failing = vec![(Operation::UploadPart, refuse(500, "InternalError", None)); 4];
    let (server, answer) = put_in_parts(&failing).await;
    assert_eq!(told(&answer.unwrap_err()), ("InternalError", false));
    assert_eq!(asked(&server, Operation::UploadPart), 4);
    assert!(server.open_uploads().is_empty());
}

#[tokio::test]
async fn a_completion_whose_answer_was_lost_is_found_done() {
    let lost = (Operation::CompleteMultipartUpload, Fault::LoseAnswer);
    let (server, answer) = put_in_parts(&[lost]).await;
    answer.unwrap();
    assert_eq!(asked(&server, Operation::CompleteMultipartUpload), 1);
    assert_eq!(server.objects(BUCKET)[KEY].puts, 1);
    // When the comparison fails too, trying again finds no upload, and then the object.
    let lost = [
        (Operation::CompleteMultipartUpload, Fault::LoseAnswer),
        (Operation::HeadObject, Fault::Break),
    ];
    let (server, answer) = put_in_parts(&lost).await;
    answer.unwrap();
    assert_eq!(asked(&server, Operation::CompleteMultipartUpload), 2);
    assert_eq!(server.objects(BUCKET)[KEY].puts, 1);
}

#[tokio::test]
async fn what_is_there_by_somebody_else_is_not_taken_for_ours() {
    let (server, store) = started().await;
    let mut others = object(&noise(17 * MIB), Compression::Gzip);
    others.metadata[1].1 = "7..9".to_owned();
    store.put(&others).await.unwrap();
    for _ in 0..4 {
        let failing = refuse(500, "InternalError", None);
        server.inject(Operation::CompleteMultipartUpload, failing);
    }
    let ours = object(&noise(17 * MIB), Compression::Gzip);
    let refusal = store.put(&ours).await.unwrap_err();
    assert_eq!(told(&refusal), ("InternalError", false));
    assert!(server.open_uploads().is_empty());
}

#[tokio::test]
async fn an_upload_that_could_not_be_aborted_is_ended_before_the_next_try() {
    let (server, store) = started().await;
    let object = object(&noise(17 * MIB), Compression::Gzip);
    server.inject(Operation::UploadPart, refuse(403, "AccessDenied", None));
    server.inject(Operation::AbortMultipartUpload, Fault::Break);
    store.put(&object).await.unwrap_err();
    assert_eq!(server.open_uploads(), [KEY]);
    server.inject(Operation::CreateMultipartUpload, Fault::LoseAnswer);
    store.put(&object).await.unwrap_err();
    assert_eq!(
        server.open_uploads(),
        [KEY],
        "begun, though the answer was lost"
    );
    store.put(&object).await.unwrap();
    assert!(server.open_uploads().is_empty());
    assert_eq!(asked(&server, Operation::ListMultipartUploads), 2);
}

#[tokio::test]
async fn a_refused_beginning_leaves_nothing_to_look_for() {
    for (status, code, lists) in [
        (503, "SlowDown", 0),
        (403, "AccessDenied", 0),
        (500, "InternalError", 1),
        (504, "GatewayTimeout", 1),
    ] {
        let (server, store) = started().await;
        let object = object(&noise(17 * MIB), Compression::Gzip);
        let refused = refuse(status, code, None);
        server.inject(Operation::CreateMultipartUpload, refused);
        store.put(&object).await.unwrap_err();
        store.put(&object).await.unwrap();
        let asked = asked(&server, Operation::ListMultipartUploads);
        assert_eq!(asked, lists, "after {status}");
    }
}

#[tokio::test]
async fn d4_leftovers_that_cannot_be_removed_hold_no_object() {
    let (server, store) = started().await;
    let object = object(&noise(17 * MIB), Compression::Gzip);
    let denied = refuse(403, "AccessDenied", None);
    server.inject(Operation::CreateMultipartUpload, Fault::LoseAnswer);
    store.put(&object).await.unwrap_err();
    assert_eq!(server.open_uploads(), [KEY]);
    // A policy, or a server, that lists no uploads.
    server.inject(Operation::ListMultipartUploads, denied.clone());
    server.inject(Operation::UploadPart, denied.clone());
    store.put(&object).await.unwrap_err();
    assert_eq!(server.open_uploads(), [KEY], "it is still remembered");
    server.inject(Operation::ListMultipartUploads, denied);
    store.put(&object).await.unwrap();
    assert_eq!(server.objects(BUCKET)[KEY].puts, 1);
    assert_eq!(asked(&server, Operation::ListMultipartUploads), 2);
}

#[tokio::test]
async fn an_object_goes_through_a_proxy_to_a_name_that_only_the_proxy_knows() {
    let server = InProcessS3::start().await;
    server.create_bucket(BUCKET);
    let endpoint: http::Uri = server.endpoint().parse().unwrap();
    let proxy = proxy::Proxy::to(endpoint.port_u16().unwrap()).await;
    let mut profile = profile(&server);
    profile.endpoint = Some("http://s3.test".parse().unwrap());
    profile.http.proxies = Proxies::usual(|name| match name {
        "HTTP_PROXY" => Some(proxy.url.as_str()),
        _ => None,
    });
    let object = object(b"line\n", Compression::Uncompressed);
    store(profile).await.put(&object).await.unwrap();
    assert_eq!(server.objects(BUCKET)[KEY].puts, 1);
    let seen = proxy.seen();
    assert!(seen.starts_with("PUT http://s3.test/lake/"), "{seen}");
}

#[tokio::test]
async fn a_replaced_secret_signs_the_next_request() {
    let server = InProcessS3::start().await;
    server.create_bucket(BUCKET);
    let secret = Secret::new("guess");
    let mut profile = profile(&server);
    profile.credentials = Credentials::Static {
        access_key_id: ACCESS_KEY.to_owned(),
        secret_access_key: secret.clone(),
        session_token: None,
    };
    let store = store(profile).await;
    let object = object(b"line\n", Compression::Uncompressed);
    let refusal = store.put(&object).await.unwrap_err();
    assert_eq!(refusal.code, "S3.SignatureDoesNotMatch");
    secret.replace(SECRET_KEY);
    store.put(&object).await.unwrap();
}

#[tokio::test]
async fn clean_ends_uploads_of_open_cuts_and_nobody_elses() {
    let (server, store) = started().await;
    let others = [format!("{KEY}.gz"), "elsewhere".to_owned()];
    for key in [KEY, KEY, &others[0], &others[1]] {
        server.begin_upload(BUCKET, key);
    }
    let open = [KEY.to_owned(), "never/started".to_owned()];
    store.clean(&open).await.unwrap();
    assert_eq!(server.open_uploads(), others);
    let lists = asked(&server, Operation::ListMultipartUploads);
    assert_eq!(lists, 2, "once for each open cut");
}

#[tokio::test]
async fn a_log_that_cannot_be_read_is_not_the_servers_fault() {
    let (server, store) = started().await;
    let cause = BodyError(Arc::new(std::io::Error::other("damaged")));
    // What is larger than 8 MiB is read twice: to sum, and to send.
    for (compression, mebibytes, fails_at) in [
        (Compression::Uncompressed, 3, 1),
        (Compression::Uncompressed, 9, 1),
        (Compression::Uncompressed, 9, 2),
        (Compression::Gzip, 3, 1),
    ] {
        let plain = noise(mebibytes * MIB);
        let good = object(&plain, compression);
        let (opened, cause) = (
            Arc::new(std::sync::atomic::AtomicU32::new(0)),
            cause.clone(),
        );
        let body = good.body.clone();
        let open = move || {
            let nth = opened.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            let broken = futures_util::stream::iter([Err(cause.clone())]);
            if nth == fails_at {
                body.open().take(1).chain(broken).boxed()
            } else {
                body.open()
            }
        };
        let bad = Object {
            body: Body::new(plain.len() as u64, open),
            ..good
        };
        let refusal = store.put(&bad).await.unwrap_err();
        assert_eq!(told(&refusal), ("Buffer.Unreadable", false));
        let cause = refusal.cause.unwrap();
        let cause = cause.downcast_ref::<BodyError>().unwrap();
        assert_eq!(cause.0.to_string(), "damaged");
        assert!(server.objects(BUCKET).is_empty());
    }
}
