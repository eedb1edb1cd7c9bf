//! How long a connection may keep us waiting between its requests.
//!
//! hyper knows one deadline for a request's head, which it also runs while a connection is idle. We
//! want a long one for idle connections and a short one for slow heads, so we watch the bytes: the
//! short deadline starts with the first byte after a silence. HTTP/2 sends frames while idle and its
//! heads are small, so there only the long one counts. A request's body has a deadline of its own,
//! in `body::read`.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use http::Version;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

use crate::model::limits;

/// What one connection is doing. Shared by its socket and its requests.
#[derive(Debug)]
pub(super) struct Patience(Mutex<State>);

#[derive(Debug)]
enum State {
    /// Waiting for the first byte of a head.
    Idle {
        until: Instant,
    },
    /// Waiting for the rest of it.
    Head {
        until: Instant,
    },
    /// HTTP/2 between two requests.
    Frames {
        until: Instant,
    },
    Busy {
        requests: usize,
    },
}

impl Patience {
    pub(super) fn new() -> Arc<Patience> {
        let until = Instant::now() + limits::REQUEST_HEADERS_TIMEOUT;
        Arc::new(Patience(Mutex::new(State::Head { until })))
    }

    fn change(&self, step: impl FnOnce(&mut State)) {
        // A panic while it was held left a whole value: every step is one assignment.
        step(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn bytes_arrived(&self) {
        self.change(|state| match state {
            State::Idle { .. } => {
                let until = Instant::now() + limits::REQUEST_HEADERS_TIMEOUT;
                *state = State::Head { until };
            }
            State::Head { .. } | State::Frames { .. } | State::Busy { .. } => {}
        });
    }

    /// A request's head is here; the request is under way until the answer is dropped.
    pub(super) fn request(self: &Arc<Patience>, version: Version) -> UnderWay {
        self.change(|state| match state {
            State::Busy { requests } => *requests += 1,
            State::Idle { .. } | State::Head { .. } | State::Frames { .. } => {
                *state = State::Busy { requests: 1 };
            }
        });
        UnderWay {
            patience: self.clone(),
            version,
        }
    }

    /// A stop has begun: a request that is not here yet has a moment left.
    pub(super) fn hurry(&self) {
        let soon = Instant::now() + limits::REQUEST_DRAIN_GRACE;
        self.change(|state| match state {
            State::Idle { until } | State::Head { until } | State::Frames { until } => {
                *until = soon.min(*until);
            }
            State::Busy { .. } => {}
        });
    }

    /// Returns when the client has used up our patience. Cancel-safe.
    pub(super) async fn ends(&self) {
        loop {
            let now = Instant::now();
            let mut until = now + limits::REQUEST_HEADERS_TIMEOUT;
            self.change(|state| match state {
                State::Idle { until: end }
                | State::Head { until: end }
                | State::Frames { until: end } => until = *end,
                State::Busy { .. } => {}
            });
            if until <= now {
                return;
            }
            // The state may get a nearer end while we sleep: look again no later than that one.
            sleep_until(until.min(now + limits::REQUEST_HEADERS_TIMEOUT)).await;
        }
    }
}

pub(super) struct UnderWay {
    patience: Arc<Patience>,
    version: Version,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let until = Instant::now() + limits::CONNECTION_IDLE_TIMEOUT;
        self.patience.change(|state| match state {
            State::Busy { requests } if 1 < *requests => *requests -= 1,
            State::Busy { .. } if self.version == Version::HTTP_2 => {
                *state = State::Frames { until };
            }
            State::Busy { .. } => *state = State::Idle { until },
            State::Idle { .. } | State::Head { .. } | State::Frames { .. } => {
                unreachable!("a request that is under way keeps the connection busy")
            }
        });
    }
}

/// A socket that tells when bytes arrive.
pub(super) struct Watched<S> {
    pub(super) socket: S,
    pub(super) patience: Arc<Patience>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        if before < buffer.filled().len() {
            self.patience.bytes_arrived();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::{advance, timeout};

    use super::*;

    /// How long our patience lasts from now on.
    async fn lasts(patience: &Patience) -> Duration {
        let start = Instant::now();
        patience.ends().await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_must_send_a_head_soon() {
        let patience = Patience::new();
        patience.bytes_arrived();
        advance(Duration::from_secs(4)).await;
        patience.bytes_arrived();
        assert_eq!(lasts(&patience).await, Duration::from_secs(6));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_takes_its_time_and_then_the_connection_may_idle() {
        let patience = Patience::new();
        let first = patience.request(Version::HTTP_11);
        let hour = timeout(Duration::from_secs(3600), patience.ends()).await;
        assert!(
            hour.is_err(),
            "a request under way has deadlines of its own"
        );
        drop(first);
        assert_eq!(lasts(&patience).await, limits::CONNECTION_IDLE_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_head_ends_an_idle_connection() {
        let patience = Patience::new();
        drop(patience.request(Version::HTTP_11));
        advance(Duration::from_secs(60)).await;
        patience.bytes_arrived();
        assert_eq!(lasts(&patience).await, limits::REQUEST_HEADERS_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_under_way_has_a_moment_when_a_stop_begins() {
        let patience = Patience::new();
        patience.bytes_arrived();
        patience.hurry();
        assert_eq!(lasts(&patience).await, limits::REQUEST_DRAIN_GRACE);
        // One that had less keeps that; a request under way has deadlines of its own.
        let patience = Patience::new();
        advance(limits::REQUEST_HEADERS_TIMEOUT - Duration::from_millis(1)).await;
        patience.hurry();
        assert_eq!(lasts(&patience).await, Duration::from_millis(1));
        let _under_way = patience.request(Version::HTTP_11);
        patience.hurry();
        let hour = timeout(Duration::from_secs(3600), patience.ends()).await;
        assert!(hour.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_requests_are_no_heads() {
        let patience = Patience::new();
        let first = patience.request(Version::HTTP_2);
        let second = patience.request(Version::HTTP_2);
        drop(first);
        assert!(
            timeout(Duration::from_secs(3600), patience.ends())
                .await
                .is_err()
        );
        drop(second);
        patience.bytes_arrived();
        assert_eq!(lasts(&patience).await, limits::CONNECTION_IDLE_TIMEOUT);
    }
}
