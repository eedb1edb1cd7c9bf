//! Bodies that come late, in pieces, too large or not at all.

use std::convert::Infallible;
use std::error::Error;
use std::io::Write;

use bytes::Bytes;
use expect_test::expect;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{FutureExt, StreamExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use standpipe::model::limits;
use standpipe::outside::stop::Phase;
use standpipe::server::{Incoming, Request, Service};
use tokio::time::Instant;

use crate::world::{api, api_with, by_web, guarded_world, lines, open_world, with};

/// A body that comes in pieces; `after` is what happens then.
fn pieces(pieces: &[&'static str], after: Option<Box<dyn Error + Send + Sync>>) -> Incoming {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))))
        .chain(after.map(Err))
        .collect();
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_whole_stores_nothing() {
    let world = open_world();
    let broken = pieces(&["{\"Deli"], Some("the connection was reset".into()));
    world.check(api_with("PutRecord", broken), expect![[r#"400 {"__type":"SerializationException","message":"The body ended before its announced length. Nothing was stored."}"#]]).await;
    // A client that stops in the middle and keeps its connection.
    let endless = stream::pending::<Result<Frame<Bytes>, Infallible>>();
    let endless = StreamBody::new(endless)
        .map_err(|never| match never {})
        .boxed_unsync();
    let begun = Instant::now();
    world.check(api_with("PutRecord", endless), expect![[r#"408 {"__type":"RequestTimeoutException","message":"Nothing of the body came for 10 seconds."}"#]]).await;
    assert_eq!(
        begun.elapsed(),
        limits::REQUEST_BODY_PAUSE_MAX,
        "not waited for twice"
    );
    // In pieces is whole as well.
    let whole = pieces(&["{\"Delivery", "StreamName\":", "\"x\"}"], None);
    world.check(api_with("DescribeDeliveryStream", whole), expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose x under account 123456789012 not found."}"#]]).await;
    let most = 12 * 1024 * 1024;
    world.check(api("PutRecord", " ".repeat(most)), expect![[r#"400 {"__type":"SerializationException","message":"The body is not JSON: EOF while parsing a value at line 1 column 12582912"}"#]]).await;
    world.check(api("PutRecord", " ".repeat(most + 1)), expect![[r#"413 {"__type":"RequestEntityTooLargeException","message":"A request's body may have at most 12582912 bytes."}"#]]).await;
}

/// So many bytes come, and the end never does.
fn unfinished(bytes: usize) -> Incoming {
    let here = Frame::data(Bytes::from(vec![b' '; bytes]));
    let never = stream::pending::<Result<Frame<Bytes>, Infallible>>();
    StreamBody::new(stream::iter([Ok(here)]).chain(never))
        .map_err(|never| match never {})
        .boxed_unsync()
}

const MIB: usize = 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn too_many_bytes_under_way_are_told_to_slow_down() {
    let world = open_world();
    // Five of the largest, and four MiB less one byte: there is room for one byte.
    let sizes = [12, 12, 12, 12, 12, 4].map(|mib| mib * MIB - usize::from(mib == 4));
    let requests = sizes.map(|bytes| world.call(api_with("PutRecord", unfinished(bytes))));
    let mut under_way = Box::pin(futures_util::future::join_all(requests));
    assert!(under_way.as_mut().now_or_never().is_none());
    let one = world.call(api("PutRecord", " ")).await;
    assert!(one.starts_with("400 "), "{one}");
    let two = world.service.call(api("PutRecord", "  ")).await;
    assert_eq!(two.status(), 503);
    assert_eq!(
        two.headers()["x-amzn-errortype"],
        "ServiceUnavailableException"
    );
    assert_eq!(two.headers()["retry-after"], "1");
    let body = two.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(
        body,
        r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#
    );
    // They give their bytes back when they are given up.
    for answer in under_way.await {
        assert!(answer.starts_with("408 "), "{answer}");
    }
    let again = world.call(api("PutRecord", " ".repeat(5 * MIB))).await;
    assert!(again.starts_with("400 "), "{again}");
}

#[tokio::test(start_paused = true)]
async fn whoever_claims_a_producers_key_leaves_the_others_their_room() {
    let world = guarded_world();
    let forged = |bytes: usize| {
        let (head, _) = by_web("PutRecord", "").into_parts();
        world.call(Request::from_parts(head, unfinished(bytes)))
    };
    let mut forged: Vec<_> = [12, 12, 8].map(|mib| Box::pin(forged(mib * MIB))).into();
    assert!(forged.iter_mut().all(|it| it.now_or_never().is_none()));
    let put = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"YQ=="}}"#;
    let slow_down =
        expect![[r#"503 {"__type":"ServiceUnavailableException","message":"Slow down."}"#]];
    world.check(by_web("PutRecord", put), slow_down).await;
    let other = with(
        lines("views", "a\n"),
        "authorization",
        "Bearer events-token",
    );
    let other = world.call(other).await;
    assert!(other.starts_with("200 "), "{other}");
}

#[tokio::test(start_paused = true)]
async fn puts_are_refused_while_draining() {
    let world = open_world();
    world.stopper.advance(Phase::Draining);
    let put = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"YQ=="}}"#;
    world
        .check(
            api("PutRecord", put),
            expect![[r#"503 {"__type":"ServiceUnavailableException","message":"Slow down."}"#]],
        )
        .await;
    world
        .check(
            lines("clicks", "a\n"),
            expect![[r#"503 {"__type":"ServiceUnavailableException","message":"Slow down."}"#]],
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_under_way_is_refused_once_a_stop_has_begun() {
    let world = open_world();
    let mut under_way = Box::pin(world.call(api_with("PutRecord", unfinished(3))));
    assert!(under_way.as_mut().now_or_never().is_none());
    world.stopper.advance(Phase::Draining);
    let begun = Instant::now();
    let answer = under_way.await;
    assert!(answer.starts_with("503 "), "{answer}");
    assert_eq!(begun.elapsed(), 2 * limits::REQUEST_DRAIN_GRACE);
}

fn packed(plain: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_was_packed_for_the_way_is_stored_as_it_was_before() {
    let world = open_world();
    let gzip = |request| with(request, "content-encoding", "gzip");
    let put = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"b25lCg=="}}"#;
    let answer = world.call(gzip(api("PutRecord", packed(put)))).await;
    assert!(answer.starts_with("200 "), "{answer}");
    let mut two = lines("clicks", "");
    *two.body_mut() = standpipe::server::incoming(packed("two\nthree\n"));
    let answer = world.call(gzip(two)).await;
    assert!(answer.starts_with("200 "), "{answer}");
    let stored = world.stored("clicks").await;
    assert_eq!(stored, [&b"one\n"[..], b"two\n", b"three\n"]);

    world
        .check(gzip(lines("clicks", "four\n")), expect![[r#"400 {"__type":"SerializationException","message":"The body is not gzip, though `Content-Encoding` says so. Nothing was stored."}"#]])
        .await;
    let zstd = || with(lines("clicks", "five\n"), "content-encoding", "zstd");
    world.check(zstd(), expect![[r#"415 {"__type":"UnsupportedMediaTypeException","message":"Content-Encoding `zstd` is not taken: send `gzip`, or none."}"#]]).await;
    let answer = world.service.call(zstd()).await;
    assert_eq!(answer.headers()["accept-encoding"], "gzip");
    assert_eq!(world.stored("clicks").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_signature_is_over_what_was_sent() {
    let world = guarded_world();
    let put = r#"{"DeliveryStreamName":"clicks","Record":{"Data":"b25lCg=="}}"#;
    let signed = by_web("PutRecord", packed(put));
    let signed = with(signed, "content-encoding", "gzip");
    let answer = world.call(signed).await;
    assert!(answer.starts_with("200 "), "{answer}");
    assert_eq!(world.stored("clicks").await, [b"one\n"]);
}
