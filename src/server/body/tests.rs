//! Bodies in pieces, too many at once, and such as stand still.

use std::convert::Infallible;
use std::time::Duration;

use expect_test::{Expect, expect};
use futures_util::{FutureExt, StreamExt, stream};
use http_body_util::StreamBody;
use tokio::time::{Instant, advance};

use super::*;
use crate::outside::stop::{self, Stopper};

fn in_pieces(pieces: &[&[u8]]) -> Incoming {
    let frames: Vec<_> = pieces
        .iter()
        .map(|piece| Ok(Frame::data(Bytes::copy_from_slice(piece))))
        .collect();
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

/// One byte each time so much has passed, for ever. Without a length, as chunked bodies are.
fn one_byte_each(pause: Duration) -> Incoming {
    let bytes = stream::repeat(()).then(move |()| async move {
        sleep(pause).await;
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
    });
    StreamBody::new(bytes.boxed())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// What is here, and then nothing more, of so many announced bytes.
struct Promise {
    here: Option<Bytes>,
    announced: u64,
}

impl http_body::Body for Promise {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.here.take() {
            Some(here) => std::task::Poll::Ready(Some(Ok(Frame::data(here)))),
            None => std::task::Poll::Pending,
        }
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.announced)
    }
}

fn promise(here: &'static str, announced: usize) -> Incoming {
    Promise {
        here: Some(Bytes::from_static(here.as_bytes())),
        announced: announced as u64,
    }
    .boxed_unsync()
}

async fn read_all(body: &mut Incoming, budget: &Budget) -> Result<Payload, ReadError> {
    let (_stopper, stop) = stop::channel();
    read(body, budget, Hashing::Sha256, &stop).await
}

#[tokio::test]
async fn a_body_in_pieces_is_the_body_in_one() {
    let budget = Budget::default();
    let whole = read_all(&mut in_pieces(&[b"abc"]), &budget).await.unwrap();
    let pieces = &mut in_pieces(&[b"a", b"", b"b", b"c"]);
    let pieces = read_all(pieces, &budget).await.unwrap();
    assert_eq!(&*pieces, b"abc");
    assert_eq!(*pieces, *whole);
    assert_eq!(pieces.sha256(), whole.sha256());
    assert_eq!(pieces.sha256()[..4], [0xba, 0x78, 0x16, 0xbf]);
    let nothing = read_all(&mut in_pieces(&[]), &budget).await.unwrap();
    assert_eq!(&*nothing, b"");
    assert_eq!(nothing.sha256()[..4], [0xe3, 0xb0, 0xc4, 0x42]);
    // Each larger buffer begins with what the last one held.
    let numbers: Vec<String> = (0..10_000).map(|number| format!("{number:05}")).collect();
    let pieces: Vec<&[u8]> = numbers.iter().map(String::as_bytes).collect();
    let many = read_all(&mut in_pieces(&pieces), &budget).await.unwrap();
    assert_eq!(*many, *numbers.concat().into_bytes());
}

#[tokio::test]
async fn the_budget_counts_what_is_held() {
    let budget = Budget::new(6);
    let read =
        async |text: &'static str| read_all(&mut crate::server::incoming(text), &budget).await;
    let first = read("abcd").await.unwrap();
    assert!(matches!(read("abc").await, Err(ReadError::Busy)));
    let second = read("ab").await.unwrap();
    drop(first);
    assert!(read("abcd").await.is_ok());
    drop(second);
    // Without a length it is found out on the way, and what had come is given back.
    let seven = read_all(&mut in_pieces(&[b"abc", b"def", b"g"]), &budget).await;
    assert!(matches!(seven, Err(ReadError::Busy)));
    assert_eq!(budget.left(), 6);
    let six = read_all(&mut in_pieces(&[b"abc", b"def"]), &budget).await;
    assert_eq!(&*six.unwrap(), b"abcdef");
}

#[tokio::test(start_paused = true)]
async fn a_promise_takes_no_room_from_others() {
    let budget = Budget::new(100);
    let mut promised: Vec<_> = (0..50).map(|_| promise("x", 50)).collect();
    let reading = promised.iter_mut().map(|body| read_all(body, &budget));
    let mut reading = Box::pin(futures_util::future::join_all(reading));
    assert!(reading.as_mut().now_or_never().is_none());
    assert_eq!(budget.left(), 50);
    let other = read_all(&mut in_pieces(&[&[b'x'; 50]]), &budget).await;
    assert_eq!(other.unwrap().len(), 50);
    for given_up in reading.await {
        assert!(matches!(given_up, Err(ReadError::Stalled)));
    }
    assert_eq!(budget.left(), 100);
}

#[tokio::test]
async fn a_sender_leaves_others_what_is_past_its_share() {
    let budget = Budget::new(10);
    let (mine, yours) = (budget.share(6), budget.share(6));
    let read = async |budget: &Budget, text: &'static str| {
        read_all(&mut crate::server::incoming(text), budget).await
    };
    let held = read(&mine, "abcdef").await.unwrap();
    assert!(matches!(read(&mine, "g").await, Err(ReadError::Busy)));
    assert!(matches!(read(&yours, "abcde").await, Err(ReadError::Busy)));
    assert!(read(&yours, "abcd").await.is_ok());
    drop(held);
    assert!(read(&yours, "abcdef").await.is_ok());
    assert!(matches!(
        read(&yours, "abcdefg").await,
        Err(ReadError::Busy)
    ));
}

// From review: who knew the name of a lone producer kept everybody out.
#[tokio::test]
async fn bodies_that_are_not_proved_leave_room_for_those_of_known_senders() {
    let known = Budget::new(10);
    let unproved = known.within(&Arc::new(Semaphore::new(6)));
    let read = async |budget: &Budget, text: &'static str| {
        read_all(&mut crate::server::incoming(text), budget).await
    };
    assert!(matches!(
        read(&unproved, "abcdefg").await,
        Err(ReadError::Busy)
    ));
    let mut held = read(&unproved, "abcdef").await.unwrap();
    assert!(matches!(read(&unproved, "g").await, Err(ReadError::Busy)));
    assert!(matches!(read(&known, "abcde").await, Err(ReadError::Busy)));
    assert!(read(&known, "abcd").await.is_ok());
    // Once it is proved it counts as any other.
    held.leave_narrowest_share();
    assert!(matches!(
        read(&unproved, "abcde").await,
        Err(ReadError::Busy)
    ));
    assert!(read(&unproved, "abcd").await.is_ok());
    drop(held);
    assert_eq!((known.left(), unproved.left()), (10, 6));
}

/// What became of a body, and after how many seconds.
async fn check(mut body: Incoming, expected: Expect) {
    let started = Instant::now();
    let read = read_all(&mut body, &Budget::default()).await;
    let text = match read {
        Ok(payload) => format!("{} bytes", payload.len()),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&format!("{}s: {text}", started.elapsed().as_secs()));
}

#[tokio::test(start_paused = true)]
async fn a_body_must_move_and_arrive() {
    let second = Duration::from_secs(1);
    let pause = limits::REQUEST_BODY_PAUSE_MAX;
    check(
        promise("x", 2),
        expect!["10s: nothing of the body came for 10 seconds"],
    )
    .await;
    check(
        one_byte_each(pause + second),
        expect!["10s: nothing of the body came for 10 seconds"],
    )
    .await;
    check(
        one_byte_each(pause - second),
        expect!["60s: the body did not arrive within 60 seconds"],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_body_under_way_has_a_moment_when_a_stop_begins() {
    let budget = Budget::default();
    let (stopper, stop): (Stopper, Stop) = stop::channel();
    let mut body = promise("x", 2);
    let mut reading = Box::pin(read(&mut body, &budget, Hashing::Unneeded, &stop));
    assert!(reading.as_mut().now_or_never().is_none());
    advance(Duration::from_secs(3)).await;
    stopper.advance(Phase::Draining);
    let started = Instant::now();
    assert!(matches!(reading.await, Err(ReadError::Draining)));
    assert_eq!(started.elapsed(), limits::REQUEST_DRAIN_GRACE);
    // What is all here is taken, even then.
    let here = &mut crate::server::incoming("abc");
    let here = read(here, &budget, Hashing::Unneeded, &stop).await;
    assert_eq!(here.unwrap().len(), 3);
    // And what is refused is not waited for.
    let (head, ()) = http::Request::new(()).into_parts();
    let started = Instant::now();
    discard(&head, &mut promise("x", 2), &stop).await;
    assert_eq!(started.elapsed(), limits::REQUEST_DRAIN_GRACE);
}

#[test]
fn a_buffer_is_no_larger_than_what_came_makes_likely() {
    for (arrived, left, room) in [
        (1, Some(7), 8),
        (1, Some(8), 8),
        (100, Some(20), 120),
        (100, Some(0), 100),
        (100, None, 200),
    ] {
        assert_eq!(believed(arrived, left), room, "{arrived} + {left:?}");
    }
}
