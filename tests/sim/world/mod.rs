//! The outside world behind the daemon's one HTTP door: an S3 that loses, refuses and delays.
//!
//! A request's effect does not depend on who still waits for the answer: the server's half is a task
//! of the world's own, so that an effect can happen after its client gave up, or died.

mod bucket;
mod weather;
mod wire;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use standpipe::outside::Dice;
use standpipe::outside::http_client::{HttpClient, Limits, Outgoing, SendError};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::trace::Trace;

pub use bucket::{Buckets, Deed, Effect, Object, Place};
pub use weather::{Fate, Kind, Loss, Outage, Refusal, Script, Weather};

use wire::Asked;

/// Cheap to clone; all clones are the same world.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    trace: Trace,
}

struct State {
    dice: Dice,
    weather: Weather,
    buckets: Buckets,
    attempts: Vec<Attempt>,
    servers: JoinSet<()>,
}

/// One request as it arrived, and how long its sender was told to wait, if at all.
pub struct Attempt {
    pub at: Duration,
    pub machine: &'static str,
    pub life: u32,
    pub kind: Kind,
    pub what: String,
    pub retry_after: Option<Duration>,
}

impl World {
    pub fn new(dice: Dice, weather: Weather, trace: Trace) -> World {
        let state = State {
            dice,
            weather,
            buckets: Buckets::default(),
            attempts: Vec::new(),
            servers: JoinSet::new(),
        };
        World {
            state: Arc::new(Mutex::new(state)),
            trace,
        }
    }

    /// The door of one life of a daemon, which answers as long as `power` says that its machine is on.
    pub fn door(
        &self,
        machine: &'static str,
        life: u32,
        power: Arc<dyn Fn() -> bool + Send + Sync>,
    ) -> Arc<dyn HttpClient> {
        Arc::new(Door {
            world: self.clone(),
            machine,
            life,
            power,
        })
    }

    /// The healing phase: from here on everything works.
    pub fn calm(&self) {
        self.state.lock().unwrap().weather = Weather::fine();
    }

    /// What is there, and everything that ever happened to it.
    pub fn look<T>(&self, see: impl FnOnce(&Buckets, &[Attempt]) -> T) -> T {
        let state = self.state.lock().unwrap();
        see(&state.buckets, &state.attempts)
    }

    /// Waits until no effect is under way. A panic in the world is a failure of the test.
    pub async fn rest(&self) {
        let mut servers = std::mem::take(&mut self.state.lock().unwrap().servers);
        while let Some(ended) = servers.join_next().await {
            ended.expect("the world does not panic");
        }
    }
}

struct Door {
    world: World,
    machine: &'static str,
    life: u32,
    power: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl HttpClient for Door {
    fn send(
        &self,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(async move {
            let authority = request.uri().authority().map(|a| a.to_string());
            let authority = authority.unwrap_or_default();
            let sent = self.exchange(request, authority.clone());
            let in_time = tokio::time::timeout(limits.timeout, sent).await;
            in_time.unwrap_or(Err(SendError::TimedOut {
                authority,
                after: limits.timeout,
            }))
        })
    }
}

impl Door {
    async fn exchange(
        &self,
        request: Request<Outgoing>,
        authority: String,
    ) -> Result<Response<Bytes>, SendError> {
        if !(self.power)() {
            // A machine without power sends nothing and hears nothing.
            return std::future::pending().await;
        }
        let asked = wire::head(self.machine, self.life, &request);
        let (fate, latency) = self.world.receive(&asked);
        let broken = |why: &str| SendError::Broken {
            authority: authority.clone(),
            cause: Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(why)),
        };
        if let Fate::Lost(Loss::NotConnected) = fate {
            tokio::time::sleep(latency).await;
            return Err(SendError::Connect {
                authority,
                cause: Arc::from(Box::<dyn std::error::Error + Send + Sync>::from("refused")),
            });
        }
        let halfway = matches!(fate, Fate::Lost(Loss::BrokenHalfway));
        let Some(body) = collect(request.into_body(), halfway)
            .await
            .map_err(|error| SendError::Broken {
                authority: authority.clone(),
                cause: Arc::from(error),
            })?
        else {
            return Err(broken("connection reset while sending"));
        };
        let answer = match fate {
            Fate::Lost(Loss::NotConnected | Loss::BrokenHalfway) => None,
            Fate::Lost(Loss::BrokenBefore | Loss::SilentBefore) => None,
            Fate::Served | Fate::Refused(_) => Some(self.world.serve(asked, body, fate, latency)),
            Fate::Lost(Loss::BrokenAfter) => Some(self.world.serve(asked, body, fate, latency)),
            Fate::Lost(Loss::SilentAfter) => {
                // The answer is lost, and the effect may come long after everybody gave up.
                drop(self.world.serve(asked, body, fate, latency * 1000));
                None
            }
        };
        match (fate, answer) {
            (Fate::Served | Fate::Refused(_), Some(answer)) => {
                Ok(answer.await.expect("the server's half answers"))
            }
            (Fate::Lost(Loss::SilentBefore | Loss::SilentAfter), _) => std::future::pending().await,
            (_, Some(answer)) => {
                let _lost = answer.await;
                Err(broken("connection reset while waiting for the answer"))
            }
            (_, None) => {
                tokio::time::sleep(latency).await;
                Err(broken("connection reset"))
            }
        }
    }
}

impl World {
    /// A request's head arrived: what will become of it, and how long that takes.
    fn receive(&self, asked: &Asked) -> (Fate, Duration) {
        let mut state = self.state.lock().unwrap();
        let State {
            dice,
            weather,
            attempts,
            ..
        } = &mut *state;
        let at = self.trace.now();
        let fate = weather.fate(asked, at, dice);
        let latency = weather.latency(dice);
        attempts.push(Attempt {
            at,
            machine: asked.machine,
            life: asked.life,
            kind: asked.kind(),
            what: asked.to_string(),
            retry_after: fate.retry_after(),
        });
        self.trace.note(format_args!("{asked} → {fate:?}"));
        (fate, latency)
    }

    /// The server's half: the effect and the answer, after `latency`, whoever listens then.
    fn serve(
        &self,
        asked: Asked,
        body: Bytes,
        fate: Fate,
        latency: Duration,
    ) -> oneshot::Receiver<Response<Bytes>> {
        let (tell, answer) = oneshot::channel();
        let world = self.clone();
        let server = async move {
            tokio::time::sleep(latency).await;
            let response = match fate {
                // A refusal has no effect, or the oracle is fooled.
                Fate::Refused(refusal) => refusal.response(&asked),
                Fate::Served | Fate::Lost(_) => {
                    let mut state = world.state.lock().unwrap();
                    let at = world.trace.now();
                    let response = state.buckets.answer(&asked, body, at);
                    let status = response.status().as_u16();
                    let length = state.buckets.size(&asked);
                    world
                        .trace
                        .note(format_args!("{asked} ← {status}, {length} bytes"));
                    response
                }
            };
            // Whoever asked may be gone: that is the point.
            let _ = tell.send(response);
        };
        self.state.lock().unwrap().servers.spawn(server);
        answer
    }
}

/// The whole body, or `None` when the connection breaks before its end.
async fn collect(
    body: Outgoing,
    halfway: bool,
) -> Result<Option<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    match body {
        Outgoing::Whole(_) if halfway => Ok(None),
        Outgoing::Whole(bytes) => Ok(Some(bytes)),
        Outgoing::Streamed { bytes, mut chunks } => {
            let mut whole = Vec::new();
            while let Some(chunk) = chunks.next().await {
                whole.extend_from_slice(&chunk?);
                if halfway {
                    return Ok(None);
                }
            }
            assert_eq!(whole.len() as u64, bytes, "a body is as long as announced");
            Ok(Some(whole.into()))
        }
    }
}
