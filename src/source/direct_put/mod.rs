//! Direct put: the Firehose API, and a plain endpoint for people.
//!
//! | request | what it is |
//! |---|---|
//! | `POST /` with `X-Amz-Target: Firehose_20150804.…` | the Firehose API, AWS JSON 1.1 (`operation`) |
//! | `POST /v1/streams/{name}/records` | one record a line (`plain`) |
//! | anything else | 404, with the two lines above |
//!
//! A request goes the same way whatever it asks for: who says they sent it (before its body is
//! read), the body, whether they did, what they ask for. Records are on disk before the answer says
//! so (B1), and an answer that is not 200 means that nothing was stored, save where it is
//! `InternalFailure`.
//!
//! What AWS clients look at is kept to the letter: names and texts of exceptions, the order of
//! members, no blanks between them.

mod answer;
mod describe;
mod encoding;
mod operation;
mod parse;
mod plain;
mod put;
mod scan;
mod validate;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::Method;
use http::request::Parts;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use uuid::{Builder, Uuid};

use crate::buffer::Intake;
use crate::model::{DirectoryId, Spare, StreamDescription, StreamName, limits};
use crate::outside::stop::{Phase, Stop};
use crate::outside::{Clock, Dice};
use crate::server::body::{self, Budget, Hashing, Payload};
use crate::server::sigv4::{Claim, Refusal};
use crate::server::{Caller, Incoming, Producers, Request, Response, Service};
use crate::telemetry::{Metrics, Repetition, Say, happened};
use answer::{Answered, Exception, Kind, Style};
use encoding::Encoding;
use operation::Operation;

/// What ARNs are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub region: String,
    pub account: String,
}

/// A stream that takes direct puts.
#[derive(Clone)]
pub struct Stream {
    pub intake: Intake,
    /// Its number in the log, for record ids.
    pub id: u32,
    pub directory: DirectoryId,
    pub description: StreamDescription,
}

/// What the daemon lends us.
pub struct Tools {
    pub metrics: Metrics,
    pub clock: Clock,
    pub dice: Dice,
    pub stop: Stop,
}

/// The service behind `listen.firehose`.
pub struct DirectPut {
    settings: Settings,
    streams: BTreeMap<StreamName, Stream>,
    producers: Producers,
    budget: Budget,
    /// Each producer's part of it, by name, where there are several.
    shares: BTreeMap<String, Budget>,
    /// Of which requests may hold so much before their signatures are proved.
    unproved: Arc<Semaphore>,
    /// For records on their way to the log, and for long answers.
    spare: Spare,
    metrics: Metrics,
    clock: Clock,
    /// For request ids.
    dice: Mutex<Dice>,
    stop: Stop,
    /// Those whose key, secret, token or clock is wrong are told of aloud once a minute.
    strangers: Mutex<Repetition>,
}

impl DirectPut {
    pub fn new(
        settings: Settings,
        streams: BTreeMap<StreamName, Stream>,
        producers: Producers,
        tools: Tools,
    ) -> DirectPut {
        let budget = Budget::default();
        let share = |name: &str| {
            let share = budget.share(limits::PRODUCER_BYTES_IN_FLIGHT_MAX);
            (name.to_owned(), share)
        };
        let shares = match producers.names().len() {
            0 | 1 => BTreeMap::new(),
            _ => producers.names().map(share).collect(),
        };
        DirectPut {
            settings,
            streams,
            producers,
            shares,
            unproved: Arc::new(Semaphore::new(limits::UNPROVED_BYTES_IN_FLIGHT_MAX)),
            budget,
            spare: Spare::new(limits::SPARE_RECORD_BYTES_MAX),
            metrics: tools.metrics,
            clock: tools.clock,
            dice: Mutex::new(tools.dice),
            stop: tools.stop,
            strangers: Mutex::default(),
        }
    }

    async fn answer(&self, request: Request) -> Response {
        let (head, mut body) = request.into_parts();
        let route = Route::of(&head);
        let answered = self.follow(&route, &head, &mut body).await;
        let request_id = self.request_id();
        if let Err(exception) = &answered {
            self.tell_refused(&route, exception, request_id);
        }
        let answer = answered.as_ref().map_or_else(Exception::name, |_| "ok");
        happened::put::request_answered(&self.metrics, route.name(), answer);
        if answered.as_ref().is_err_and(Exception::is_waited_with) {
            body::discard(&head, &mut body, &self.stop).await;
        }
        answer::response(answered, route.style(), request_id)
    }

    fn tell_refused(&self, route: &Route<'_>, exception: &Exception, request_id: Uuid) {
        let mut strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let say = match exception.is_about_the_sender() {
            // One trouble for all of them: nobody shall fill the log by taking turns.
            true => strangers.say("a stranger", Instant::now()),
            false => Say::Quietly,
        };
        let refused = happened::put::Refused {
            operation: route.name(),
            answer: exception.name(),
            message: exception.message(),
            request_id,
        };
        happened::put::refused(refused, say);
    }

    async fn follow(&self, route: &Route<'_>, head: &Parts, body: &mut Incoming) -> Answered {
        match route {
            Route::Api(operation) => {
                let (caller, payload) = self.admit(head, body, Bearer::Refused).await?;
                self.operate(*operation, &caller, &payload).await
            }
            Route::Records(stream) => {
                let (caller, payload) = self.admit(head, body, Bearer::Taken).await?;
                self.put_lines(stream, &caller, payload.bytes()).await
            }
            Route::Unknown => Err(Exception::bare(Kind::UnknownOperation)),
            Route::NotPost => Err(answer::not_post()),
            Route::Nowhere => Err(answer::nowhere()),
        }
    }

    /// Who sent it, and its body. A stranger's body is not read, and neither is a put's while we are
    /// stopping.
    async fn admit(
        &self,
        head: &Parts,
        body: &mut Incoming,
        bearer: Bearer,
    ) -> Result<(Caller, Payload), Exception> {
        if self.stop.phase() != Phase::Running {
            return Err(Exception::slow_down());
        }
        let claimed = self.claimed(head, bearer)?;
        let encoding = Encoding::of(&head.headers)?;
        let sender = match &claimed {
            Claimed::Known(caller) => caller.name(),
            Claimed::Signed(claim) => claim.producer(),
        };
        let budget = self.shares.get(sender).unwrap_or(&self.budget);
        let (caller, payload) = match claimed {
            Claimed::Known(caller) => {
                let payload = body::read(body, budget, Hashing::Unneeded, &self.stop).await?;
                (caller, payload)
            }
            Claimed::Signed(claim) => {
                let unproved = budget.within(&self.unproved);
                let read = body::read(body, &unproved, Hashing::Sha256, &self.stop);
                let mut payload = read.await?;
                let caller = claim.prove(head, payload.sha256())?;
                payload.leave_narrowest_share();
                (caller, payload)
            }
        };
        match encoding {
            Encoding::Identity => Ok((caller, payload)),
            Encoding::Gzip => Ok((caller, payload.unpacked(budget).await?)),
        }
    }

    fn claimed(&self, head: &Parts, bearer: Bearer) -> Result<Claimed<'_>, Exception> {
        if self.producers.are_everybody() {
            if is_from_a_page(head) {
                return Err(answer::from_a_page());
            }
            return Ok(Claimed::Known(Caller::Anyone));
        }
        let token = match bearer {
            Bearer::Taken => self.producers.bearer(&head.headers),
            Bearer::Refused => None,
        };
        if let Some(owner) = token {
            return owner.map(Claimed::Known).ok_or_else(answer::unknown_token);
        }
        let verifier = self.producers.verifier(SERVICE);
        let claim = verifier.claim(head, self.clock.now());
        claim
            .map(Claimed::Signed)
            .map_err(|refusal| match (bearer, refusal) {
                (Bearer::Taken, Refusal::Missing) => answer::unsigned(),
                (Bearer::Taken | Bearer::Refused, refusal) => refusal.into(),
            })
    }

    /// The stream, if there is one that the caller may see. Whether a stream exists is not told to
    /// those who may not see it.
    fn stream(&self, name: &str, caller: &Caller, action: &str) -> Result<&Stream, Exception> {
        if let Some(stream) = self.visible(name, caller) {
            return Ok(stream);
        }
        let hidden = name
            .parse()
            .is_ok_and(|name: StreamName| !caller.may_see(&name));
        Err(if hidden {
            self.settings.denied(caller, action, name)
        } else {
            self.settings.not_found(name)
        })
    }

    fn visible(&self, name: &str, caller: &Caller) -> Option<&Stream> {
        let (name, stream) = self.streams.get_key_value(name)?;
        caller.may_see(name).then_some(stream)
    }

    fn request_id(&self) -> Uuid {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        Builder::from_random_bytes(dice.u128().to_be_bytes()).into_uuid()
    }
}

/// The name of the service in a signature's scope.
const SERVICE: &str = "firehose";

impl Service for DirectPut {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        self.answer(request).boxed()
    }
}

/// What a head says of who sent it.
enum Claimed<'a> {
    Known(Caller),
    /// To be proved by the body.
    Signed(Claim<'a>),
}

/// Whether a bearer token is an answer to "who are you?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bearer {
    Taken,
    Refused,
}

enum Route<'a> {
    Api(Operation),
    /// The API, with a target that nobody knows.
    Unknown,
    /// The plain endpoint of a stream, by its name as it stands in the path.
    Records(&'a str),
    NotPost,
    Nowhere,
}

impl Route<'_> {
    fn of(head: &Parts) -> Route<'_> {
        let path = head.uri.path();
        let records = path
            .strip_prefix("/v1/streams/")
            .and_then(|rest| rest.strip_suffix("/records"));
        match (records, head.method == Method::POST) {
            (Some(stream), true) => Route::Records(stream),
            (Some(_), false) => Route::NotPost,
            (None, false) if path == "/" => Route::NotPost,
            (None, true) if path == "/" => {
                let target = head.headers.get("x-amz-target");
                let target = target.and_then(|target| target.to_str().ok());
                target
                    .and_then(Operation::of)
                    .map_or(Route::Unknown, Route::Api)
            }
            (None, _) => Route::Nowhere,
        }
    }

    /// For the metric.
    fn name(&self) -> &'static str {
        match self {
            Route::Api(operation) => operation.name(),
            Route::Records(_) => "records",
            Route::Unknown | Route::NotPost | Route::Nowhere => "unknown",
        }
    }

    fn style(&self) -> Style {
        match self {
            Route::Api(_) | Route::Unknown => Style::Api,
            Route::Records(_) | Route::NotPost | Route::Nowhere => Style::Plain,
        }
    }
}

/// Browsers say so, and ask nobody before they send what any page wants posted to this machine.
fn is_from_a_page(head: &Parts) -> bool {
    ["origin", "sec-fetch-site"]
        .iter()
        .any(|name| head.headers.contains_key(*name))
}

impl Settings {
    pub fn stream_arn(&self, stream: &str) -> String {
        let Settings { region, account } = self;
        format!("arn:aws:firehose:{region}:{account}:deliverystream/{stream}")
    }

    fn not_found(&self, stream: &str) -> Exception {
        let message = format!(
            "Firehose {stream} under account {} not found.",
            self.account
        );
        Exception::new(Kind::ResourceNotFound, message)
    }

    /// `stream` is empty where the action names none.
    fn denied(&self, caller: &Caller, action: &str, stream: &str) -> Exception {
        let (account, user) = (&self.account, caller.name());
        let resource = match stream {
            "" => self.stream_arn("*"),
            stream => self.stream_arn(stream),
        };
        Exception::new(
            Kind::AccessDenied,
            format!(
                "User: arn:aws:iam::{account}:user/{user} is not authorized to perform: \
                 firehose:{action} on resource: {resource} because no identity-based policy \
                 allows the firehose:{action} action"
            ),
        )
    }
}
