//! A batch is sent until all of it is taken.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{StatusCode, Uri};
use tokio::time::{Instant, sleep};

use super::wire::{Identity, refusal};
use crate::aws::SignError;
use crate::model::StreamName;
use crate::outside::http_client::{HttpClient, Limits, SendError, Trouble, asked_to_wait};
use crate::outside::{Clock, Dice};
use crate::retry::{Backoff, Jitter};
use crate::telemetry::Chain;

const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(200),
    cap: Duration::from_secs(5),
    jitter: Jitter::Full,
};
/// How long a daemon that takes nothing is asked again: far longer than a restart with the longest
/// drain that the documentation shows.
const NOTHING_TAKEN_MAX: Duration = Duration::from_secs(5 * 60);
/// Whoever waits is told why, so often.
const TOLD_EVERY: Duration = Duration::from_secs(60);
const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(60),
    answer_bytes_max: 1024 * 1024,
};

pub struct Client {
    pub http: Arc<dyn HttpClient>,
    pub endpoint: Uri,
    pub stream: StreamName,
    pub identity: Identity,
    pub clock: Clock,
    pub dice: Dice,
    /// Whether it answered before: then it is the right address, and who is gone comes back.
    pub answered: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("the daemon could not be asked")]
    Send(#[source] SendError),
    #[error("the records were refused with {status}: {message}")]
    Refused { status: StatusCode, message: String },
    #[error("the daemon took nothing for {} minutes; the last attempt: {message}", NOTHING_TAKEN_MAX.as_secs() / 60)]
    Full { message: String },
    #[error("the answer is not one of the Firehose API: {status}")]
    Strange { status: StatusCode },
    #[error(transparent)]
    Sign(SignError),
}

/// On standard error, beside what is said at the end.
fn say_waiting(message: &str) {
    eprintln!("standpipe: waiting for the daemon to take records: {message}");
}

/// What came of one attempt.
enum Attempt {
    /// What is still to be put, and why, if that is known.
    Left(Vec<Bytes>, String),
    /// Nothing was taken for sure; later it may be.
    Later(String, Option<Duration>),
}

impl Client {
    /// Returns once every record is taken. `taken` counts them as they are, so that it is true even
    /// when this fails.
    pub async fn put(&mut self, batch: Vec<Bytes>, taken: &mut u64) -> Result<(), PutError> {
        let mut left = batch;
        let mut failures = 0;
        let mut last_took = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            let (message, at_least) = match self.attempt(&left).await? {
                Attempt::Left(rest, message) => {
                    let took = left.len() - rest.len();
                    *taken += took as u64;
                    left = rest;
                    if left.is_empty() {
                        return Ok(());
                    }
                    if 0 < took {
                        (failures, last_took) = (0, Instant::now());
                    }
                    (message, None)
                }
                Attempt::Later(message, at_least) => (message, at_least),
            };
            failures += 1;
            let pause = BACKOFF.pause(failures - 1, at_least, &mut self.dice);
            if NOTHING_TAKEN_MAX < last_took.elapsed() + pause {
                return Err(PutError::Full { message });
            }
            if told.is_none_or(|told| TOLD_EVERY <= told.elapsed()) {
                told = Some(Instant::now());
                say_waiting(&message);
            }
            sleep(pause).await;
        }
    }

    async fn attempt(&mut self, batch: &[Bytes]) -> Result<Attempt, PutError> {
        let request = self.identity.request(&self.endpoint, &self.stream, batch);
        let request = request.await.map_err(PutError::Sign)?;
        let response = match self.http.send(request, LIMITS).await {
            Ok(response) => response,
            Err(error) if self.may_pass(&error) => {
                return Ok(Attempt::Later(Chain(&error).to_string(), None));
            }
            Err(error) => return Err(PutError::Send(error)),
        };
        self.answered = true;
        let status = response.status();
        if status == StatusCode::OK {
            let left = self.identity.left(batch, &response);
            let (left, message) = left.ok_or(PutError::Strange { status })?;
            return Ok(Attempt::Left(left, message));
        }
        let message = refusal(&response);
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let asked = asked_to_wait(response.headers(), self.clock.now());
            return Ok(Attempt::Later(message, asked));
        }
        Err(PutError::Refused { status, message })
    }

    /// A daemon that is restarted breaks off, and then refuses connections for a while. Where a
    /// request broke off its records may have been taken: putting them again may double them, and
    /// not putting them may lose them.
    fn may_pass(&self, error: &SendError) -> bool {
        match error.trouble() {
            Trouble::TimedOut | Trouble::Broken | Trouble::TooLong => true,
            Trouble::Unreachable | Trouble::ConnectTimedOut | Trouble::Handshake | Trouble::Tls => {
                self.answered
            }
            Trouble::UnknownIssuer
            | Trouble::OtherHost
            | Trouble::BadCertificate
            | Trouble::ClientCertificate
            | Trouble::BadStatus
            | Trouble::NotHttp => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use expect_test::{Expect, expect};
    use futures_util::FutureExt;
    use futures_util::future::{self, BoxFuture};
    use http::{Request, Response};

    use super::*;
    use crate::outside::http_client::Outgoing;

    /// Takes the first record, refuses connections for so long, and takes again.
    struct Restarted {
        back: Instant,
        asked: AtomicBool,
    }

    impl HttpClient for Restarted {
        fn send(
            &self,
            _: Request<Outgoing>,
            _: Limits,
        ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
            let refused: Arc<io::Error> = Arc::new(io::ErrorKind::ConnectionRefused.into());
            let up = !self.asked.swap(true, Ordering::Relaxed) || self.back <= Instant::now();
            let taken = Bytes::from_static(br#"{"FailedPutCount":0,"RequestResponses":[{}]}"#);
            let result = match up {
                true => Ok(Response::new(taken)),
                false => Err(SendError::Connect {
                    authority: "daemon.test".to_owned(),
                    cause: refused,
                }),
            };
            future::ready(result).boxed()
        }
    }

    /// What two puts say when the daemon is away for so long between them.
    async fn refused_for(away: Duration, seed: u64) -> String {
        let http = Arc::new(Restarted {
            back: Instant::now() + away,
            asked: AtomicBool::new(false),
        });
        let mut client = client(http, Dice::seeded(seed));
        let mut taken = 0;
        for _ in 0..2 {
            let put = client.put(vec![Bytes::from_static(b"a")], &mut taken).await;
            if let Err(error) = put {
                return Chain(&error).to_string();
            }
        }
        "done".to_owned()
    }

    fn client(http: Arc<dyn HttpClient>, dice: Dice) -> Client {
        Client {
            http,
            endpoint: Uri::from_static("http://daemon.test"),
            stream: "demo".parse().unwrap(),
            identity: Identity::Nobody,
            clock: Clock::system(),
            dice,
            answered: false,
        }
    }

    /// What becomes of each request in turn.
    struct Script(Mutex<VecDeque<&'static str>>);

    impl HttpClient for Script {
        fn send(
            &self,
            _: Request<Outgoing>,
            limits: Limits,
        ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
            let authority = "daemon.test".to_owned();
            let refused: Arc<io::Error> = Arc::new(io::ErrorKind::ConnectionRefused.into());
            let reset: Arc<io::Error> = Arc::new(io::ErrorKind::ConnectionReset.into());
            let answer = |status: u16, body: &'static str| {
                let answer = Response::builder().status(status);
                Ok(answer.body(Bytes::from_static(body.as_bytes())).unwrap())
            };
            let result = match self.0.lock().unwrap().pop_front() {
                Some("ok") => answer(200, r#"{"FailedPutCount":0,"RequestResponses":[{}]}"#),
                Some("full") => answer(503, r#"{"__type":"Full","message":"Slow down."}"#),
                Some("refused") => Err(SendError::Connect {
                    authority,
                    cause: refused,
                }),
                Some("reset") => Err(SendError::Broken {
                    authority,
                    cause: reset,
                }),
                Some("late") => Err(SendError::TimedOut {
                    authority,
                    after: limits.timeout,
                }),
                other => panic!("{other:?} is asked for"),
            };
            future::ready(result).boxed()
        }
    }

    /// Puts a batch of one record again and again, until an error or the end of the script.
    async fn check(script: &'static str, expected: Expect) {
        let http = Arc::new(Script(Mutex::new(script.split(' ').collect())));
        let mut client = client(http.clone(), Dice::seeded(1));
        let mut taken = 0;
        let mut outcome = Ok(());
        while outcome.is_ok() && !http.0.lock().unwrap().is_empty() {
            let batch = vec![Bytes::from_static(b"a")];
            outcome = client.put(batch, &mut taken).await;
        }
        let outcome =
            outcome.map_or_else(|error| Chain(&error).to_string(), |()| "done".to_owned());
        let left = http.0.lock().unwrap().len();
        expected.assert_eq(&format!("{taken} taken, {left} not asked: {outcome}"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_that_is_restarted_is_waited_for() {
        check(
            "ok reset refused refused refused full ok",
            expect!["2 taken, 0 not asked: done"],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_where_nobody_ever_answered_is_not_waited_for() {
        check(
            "refused ok",
            expect![[r#"0 taken, 1 not asked: the daemon could not be asked: failed to connect to `daemon.test`: connection refused"#]],
        )
        .await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_restart_that_takes_minutes_is_waited_for_whatever_the_dice_say() {
        for seed in 0..50 {
            assert_eq!(refused_for(Duration::from_secs(4 * 60), seed).await, "done");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn five_minutes_that_bring_nothing_are_the_end() {
        let refused = refused_for(Duration::from_secs(5 * 60 + 1), 1).await;
        expect!["the daemon took nothing for 5 minutes; the last attempt: failed to connect to `daemon.test`: connection refused"]
            .assert_eq(&refused);
    }
}
