//! Bodies that come late, in pieces, too large or not at all.

use std::convert::Infallible;
use std::error::Error;

use bytes::Bytes;
use expect_test::expect;
use futures_util::{FutureExt, stream};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use standpipe::outside::stop::Phase;
use standpipe::server::{Incoming, Service};

use crate::world::{api, api_with, lines, open_world};

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
    world.check(api_with("PutRecord", endless), expect![[r#"408 {"__type":"RequestTimeoutException","message":"The body did not arrive within 60 seconds."}"#]]).await;
    // In pieces is whole as well.
    let whole = pieces(&["{\"Delivery", "StreamName\":", "\"x\"}"], None);
    world.check(api_with("DescribeDeliveryStream", whole), expect![[r#"400 {"__type":"ResourceNotFoundException","message":"Firehose x under account 123456789012 not found."}"#]]).await;
    let most = 12 * 1024 * 1024;
    world.check(api("PutRecord", " ".repeat(most)), expect![[r#"400 {"__type":"SerializationException","message":"The body is not JSON: EOF while parsing a value at line 1 column 12582912"}"#]]).await;
    world.check(api("PutRecord", " ".repeat(most + 1)), expect![[r#"413 {"__type":"RequestEntityTooLargeException","message":"A request's body may have at most 12582912 bytes."}"#]]).await;
}

#[tokio::test(start_paused = true)]
async fn too_many_bytes_under_way_are_told_to_slow_down() {
    let world = open_world();
    // A chunked body counts as the largest: five of them leave no room for a sixth.
    let endless = || {
        let endless = stream::pending::<Result<Frame<Bytes>, Infallible>>();
        let body = StreamBody::new(endless)
            .map_err(|never| match never {})
            .boxed_unsync();
        api_with("PutRecord", body)
    };
    let under_way = futures_util::future::join_all((0..5).map(|_| world.call(endless())));
    let mut under_way = std::pin::pin!(under_way);
    assert!(under_way.as_mut().now_or_never().is_none());
    let sixth = world
        .service
        .call(api("PutRecord", " ".repeat(5 * 1024 * 1024)))
        .await;
    assert_eq!(sixth.status(), 503);
    assert_eq!(
        sixth.headers()["x-amzn-errortype"],
        "ServiceUnavailableException"
    );
    assert_eq!(sixth.headers()["retry-after"], "1");
    let body = sixth.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(
        body,
        r#"{"__type":"ServiceUnavailableException","message":"Slow down."}"#
    );
    // They give their bytes back when they are given up.
    for answer in under_way.await {
        assert!(answer.starts_with("408 "), "{answer}");
    }
    let again = world
        .call(api("PutRecord", " ".repeat(5 * 1024 * 1024)))
        .await;
    assert!(again.starts_with("400 "), "{again}");
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
