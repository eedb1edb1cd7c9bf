//! The outside world behind the daemon's one HTTP door: an S3, functions and endpoints that lose,
//! refuse, delay and lie.
//!
//! A request's effect does not depend on who still waits for the answer: the server's half is a task
//! of the world's own, so that an effect can happen after its client gave up, or died.

mod bucket;
mod endpoint;
mod function;
mod splunk;
mod weather;
mod wire;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use standpipe::outside::Dice;
use standpipe::outside::http_client::{AnswerTooLong, HttpClient, Limits, Outgoing, SendError};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::trace::Trace;

pub use bucket::{Buckets, Deed, Effect, Object, Place};
pub use endpoint::Sent;
pub use function::{Question, Reply, Said};
pub use weather::{Fate, Kind, Loss, Manners, Outage, Refusal, Script, Weather};
pub use wire::Host;

use endpoint::Endpoints;
use function::Function;
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
    questions: Vec<Question>,
    /// The number of the last answer of a function.
    answers: u64,
    endpoints: Endpoints,
    attempts: Vec<Attempt>,
    servers: JoinSet<()>,
}

/// Where a request is noted, and so what becomes of it.
#[derive(Clone, Copy)]
enum Entry {
    None,
    Question(usize),
    Sent(usize),
    /// For the acknowledgement of a request that was sent.
    Poll(Option<usize>),
}

/// What happened around S3.
pub struct Scene<'a> {
    pub buckets: &'a Buckets,
    pub attempts: &'a [Attempt],
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
            questions: Vec::new(),
            answers: 0,
            endpoints: Endpoints::default(),
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

    /// The healing phase: from here on everything works, and nobody lies. What a function makes of a
    /// record, and which record no endpoint takes, is no trouble of the world's.
    pub fn calm(&self) {
        let weather = &mut self.state.lock().unwrap().weather;
        let manners = Manners {
            lies: 0,
            ..weather.manners.clone()
        };
        *weather = Weather {
            manners,
            ..Weather::fine()
        };
    }

    /// What is there, and everything that ever happened to it.
    pub fn look<T>(&self, see: impl FnOnce(Scene<'_>) -> T) -> T {
        let state = self.state.lock().unwrap();
        see(Scene {
            buckets: &state.buckets,
            attempts: &state.attempts,
        })
    }

    /// What functions were asked, and endpoints sent. To be taken once, at the end.
    pub fn told(&self) -> (Vec<Question>, Vec<Sent>) {
        let mut state = self.state.lock().unwrap();
        let questions = std::mem::take(&mut state.questions);
        (questions, std::mem::take(&mut state.endpoints.sent))
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
            let sent = self.exchange(request, authority.clone(), limits);
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
        limits: Limits,
    ) -> Result<Response<Bytes>, SendError> {
        if !(self.power)() {
            // A machine without power sends nothing and hears nothing.
            return std::future::pending().await;
        }
        let asked = wire::head(self.machine, self.life, &request);
        let (fate, latency, entry) = self.world.receive(&asked, request.body());
        if limits.timeout <= latency {
            self.world.late(asked.host, entry);
        }
        let cause = |why: &str| Arc::from(Box::<dyn std::error::Error + Send + Sync>::from(why));
        let broken = |why: &str| SendError::Broken {
            authority: authority.clone(),
            cause: cause(why),
        };
        if let Fate::Lost(Loss::NotConnected) = fate {
            tokio::time::sleep(latency).await;
            let cause = cause("refused");
            return Err(SendError::Connect { authority, cause });
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
            Fate::Served | Fate::Refused(_) | Fate::Lost(Loss::BrokenAfter) => {
                Some(self.world.serve((asked, entry, body), fate, latency))
            }
            Fate::Lost(Loss::SilentAfter) => {
                // The answer is lost, and the effect may come long after everybody gave up.
                drop(self.world.serve((asked, entry, body), fate, latency * 1000));
                None
            }
        };
        match (fate, answer) {
            (Fate::Served | Fate::Refused(_), Some(answer)) => {
                let answer = answer.await.expect("the server's half answers");
                let most = limits.answer_bytes_max.min(entry.answer_bytes_max());
                if most < answer.body().len() {
                    self.world.too_long(entry);
                    let cause = Arc::new(AnswerTooLong(most));
                    return Err(SendError::Broken { authority, cause });
                }
                self.world.heard(entry, &answer);
                Ok(answer)
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
    /// A request's head arrived: what will become of it, how long that takes, and where it is noted.
    fn receive(&self, asked: &Asked, body: &Outgoing) -> (Fate, Duration, Entry) {
        let mut state = self.state.lock().unwrap();
        let State { dice, weather, .. } = &mut *state;
        let at = self.trace.now();
        let fate = weather.fate(asked, at, dice);
        let latency = weather.latency(dice);
        state.attempts.push(Attempt {
            at,
            machine: asked.machine,
            life: asked.life,
            kind: asked.kind(),
            what: asked.to_string(),
            retry_after: fate.retry_after(),
        });
        let entry = match body {
            Outgoing::Whole(body) => state.begin(asked, body, fate, at),
            Outgoing::Streamed { .. } => Entry::None,
        };
        let records = state.records(entry);
        self.trace
            .note(format_args!("{asked}, {records} records → {fate:?}"));
        (fate, latency, entry)
    }

    /// The server's half: the effect and the answer, after `latency`, whoever listens then.
    fn serve(
        &self,
        (asked, entry, body): (Asked, Entry, Bytes),
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
                    let response = state.answer(&asked, entry, body, (fate, at));
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

    /// The answer came back to one who lives.
    fn heard(&self, entry: Entry, answer: &Response<Bytes>) {
        let mut state = self.state.lock().unwrap();
        match entry {
            Entry::Question(number) => state.questions[number].heard = true,
            Entry::Sent(number) | Entry::Poll(Some(number)) => {
                state.endpoints.sent[number].hear(answer, self.trace.now());
            }
            Entry::Poll(None) | Entry::None => {}
        }
    }

    /// The answer will come too late.
    fn late(&self, host: Host, entry: Entry) {
        let mut state = self.state.lock().unwrap();
        match entry {
            Entry::Sent(number) => state.endpoints.sent[number].late(host),
            // Nothing takes so long as a function may.
            Entry::Question(_) | Entry::Poll(_) | Entry::None => {}
        }
    }

    /// The answer is longer than whoever asked would have it.
    fn too_long(&self, entry: Entry) {
        let mut state = self.state.lock().unwrap();
        match entry {
            Entry::Question(number) => {
                state.questions[number].reply = Reply::Trouble(function::TOO_LONG);
            }
            Entry::Sent(_) | Entry::Poll(_) | Entry::None => panic!("nobody else talks so much"),
        }
    }
}

impl State {
    /// How many were sent.
    fn records(&self, entry: Entry) -> usize {
        match entry {
            Entry::Question(number) => self.questions[number].records.len(),
            Entry::Sent(number) => self.endpoints.sent[number].records.len(),
            Entry::Poll(_) | Entry::None => 0,
        }
    }

    /// Notes a request that has no answer yet.
    fn begin(&mut self, asked: &Asked, body: &Bytes, fate: Fate, at: Duration) -> Entry {
        match asked.kind() {
            Kind::Put | Kind::CompleteUpload | Kind::Other => Entry::None,
            Kind::Invoke => {
                let question = Question::begun(asked, body, fate, at);
                self.questions.push(question);
                Entry::Question(self.questions.len() - 1)
            }
            Kind::Send => {
                self.endpoints.sent.push(Sent::begun(asked, body, fate, at));
                Entry::Sent(self.endpoints.sent.len() - 1)
            }
            Kind::Poll => {
                let about = self.endpoints.polled(asked, body);
                if let (Some(number), Some(code)) = (about, endpoint::trouble(asked.host, fate)) {
                    self.endpoints.sent[number].codes.insert(code);
                }
                Entry::Poll(about)
            }
        }
    }

    fn answer(
        &mut self,
        asked: &Asked,
        entry: Entry,
        body: Bytes,
        (fate, at): (Fate, Duration),
    ) -> Response<Bytes> {
        let State {
            dice,
            weather: Weather { manners, .. },
            ..
        } = self;
        match entry {
            Entry::None => self.buckets.answer(asked, body, at),
            Entry::Question(number) => {
                let answers = &mut self.answers;
                let mut function = Function {
                    manners,
                    dice,
                    answers,
                };
                let (reply, response) = function.answer(asked, &body);
                // One who is lost on the way says nothing to anybody.
                if fate == Fate::Served {
                    self.questions[number].reply = reply;
                }
                response
            }
            Entry::Sent(number) => {
                let answer = match asked.host {
                    Host::Splunk => self.endpoints.collect(asked, number, manners, dice),
                    _ => endpoint::answer(&self.endpoints.sent[number], manners, dice),
                };
                self.endpoints.sent[number].note(&answer);
                answer.response
            }
            Entry::Poll(_) => self.endpoints.poll(asked, &body),
        }
    }
}

impl Entry {
    fn answer_bytes_max(self) -> usize {
        match self {
            Entry::Question(_) => function::ANSWER_BYTES_MAX,
            Entry::None | Entry::Sent(_) | Entry::Poll(_) => usize::MAX,
        }
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
