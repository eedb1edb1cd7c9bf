//! Splunk, through its HTTP Event Collector (HEC) with indexer acknowledgement.
//!
//! ```text
//! POST /services/collector/{raw,event}        200 {"text":"Success","code":0,"ackId":7}
//! Authorization: Splunk <token>
//! X-Splunk-Request-Channel: <uuid>
//!
//! POST /services/collector/ack?channel=<uuid>    200 {"acks":{"7":false}}   not yet
//! {"acks":[7]}                                   200 {"acks":{"7":true}}    once, then forgotten
//! ```
//!
//! Nobody waits for an acknowledgement before the next request is sent: each is asked for beside them.
//!
//! Data that is taken may still be lost by Splunk: it is delivered when it is acknowledged, and sent
//! again when it is not, in time. An answer that is lost on its way, the one acknowledgement among
//! them, so makes duplicates and never gaps.
//!
//! The plan is JSON with a version, because it stands in the log:
//!
//! ```json
//! {"v":1,"sink":"splunk","format":"raw","body_bytes_max":5242880,"ack_timeout_ms":180000,"retry_duration_ms":300000}
//! ```
//!
//! URL and token are not planned: as in Firehose, new ones count from the next attempt.

mod answer;
mod events;
mod rejection;
mod session;
mod url;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::endpoint::{Endpoint, EndpointRequest, Rejection, Sent, Terms};
use super::parts::{Framing, RequestLimits};
use super::{BatchFacts, Plan, Receipt, plan};
use crate::model::{Compression, ErrorOutput, Records, Secret, limits};
use crate::objects::Refusal;
use crate::outside::http_client::{HttpClient, Limits, Outgoing, SendError, asked_to_wait};
use crate::outside::{Clock, Dice};
use rejection::IllegalToken;
use session::{Session, Sessions};

pub use url::{HecUrl, UrlError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub url: HecUrl,
    pub token: Secret,
    pub format: Format,
    /// `limits::FIREHOSE_SPLUNK_ACK_TIMEOUT_MIN` to `…_MAX`.
    pub ack_timeout: Duration,
    pub retry_duration: Duration,
}

/// As it is written in the configuration and in plans: an interface to other versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Splunk finds the events itself.
    Raw,
    /// Each record is one or more of HEC's JSON objects.
    Event,
}

impl Format {
    fn path(self) -> &'static str {
        match self {
            Format::Raw => "/services/collector/raw",
            Format::Event => "/services/collector/event",
        }
    }

    fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Format::Raw => "text/plain",
            Format::Event => "application/json",
        })
    }
}

pub struct Splunk {
    collector: Arc<Collector>,
    sessions: Sessions,
}

/// How the collector is spoken to.
struct Collector {
    settings: Settings,
    http: Arc<dyn HttpClient>,
    clock: Clock,
}

/// Data that was taken, until it is acknowledged.
struct Unacknowledged {
    collector: Arc<Collector>,
    session: Session,
    ack: u64,
    bytes: u64,
    deadline: Instant,
}

/// What was decided when the batch was cut (D3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Planned {
    v: u32,
    sink: String,
    format: Format,
    body_bytes_max: u64,
    ack_timeout_ms: u64,
    retry_duration_ms: u64,
}

const VERSION: u32 = 1;
const SINK: &str = "splunk";
const AGENT: &str = concat!("standpipe/", env!("CARGO_PKG_VERSION"));

/// Acknowledgements take seconds: asked soon at first, then at Firehose's leisure.
const POLL_FIRST: Duration = Duration::from_millis(50);
const POLL_LAST: Duration = Duration::from_secs(5);
const POLL_LIMITS: Limits = Limits {
    timeout: Duration::from_secs(30),
    answer_bytes_max: limits::SPLUNK_ANSWER_BYTES_MAX,
};

impl Splunk {
    pub fn new(settings: Settings, http: Arc<dyn HttpClient>, clock: Clock, dice: Dice) -> Splunk {
        Splunk {
            collector: Arc::new(Collector {
                settings,
                http,
                clock,
            }),
            sessions: Sessions::new(dice),
        }
    }

    /// A channel that met trouble is not given back.
    async fn attempt(&self, request: &EndpointRequest) -> Result<Sent, Rejection> {
        let planned = Planned::read(&request.plan)?;
        let mut session = self.sessions.take();
        let ack_timeout = Duration::from_millis(planned.ack_timeout_ms);
        let deadline = Instant::now() + ack_timeout;
        let posted = self
            .collector
            .post(&mut session, &planned, &request.records);
        let taken = Unacknowledged {
            ack: posted.await?,
            collector: Arc::clone(&self.collector),
            session: session.clone(),
            bytes: request.records.slab().len() as u64,
            deadline,
        };
        self.sessions.give_back(session);
        Ok(Sent::Taken(Box::pin(taken.confirmed())))
    }
}

impl Unacknowledged {
    async fn confirmed(mut self) -> Result<Receipt, Rejection> {
        let acknowledged = self.acknowledged().await;
        acknowledged.inspect_err(|_| self.session.retire())?;
        let url = &self.collector.settings.url;
        let (channel, ack) = (self.session.channel, self.ack);
        Ok(Receipt {
            place: format!("{url} channel {channel} ack {ack}"),
            bytes: self.bytes,
        })
    }

    /// Returns once the data is acknowledged. It was taken, so what it would not help to send again is
    /// asked again, until there is no time left: a token that an operator mends, an indexer that is
    /// busy. Data whose channel was forgotten is sent again at once.
    async fn acknowledged(&mut self) -> Result<(), Rejection> {
        let collector = Arc::clone(&self.collector);
        let Settings { url, token, .. } = &collector.settings;
        let mut pause = POLL_FIRST;
        let mut polls = 0;
        loop {
            let next = Instant::now() + pause;
            sleep_until(next.min(self.deadline)).await;
            polls += 1;
            let is_last = self.deadline <= Instant::now();
            let polled = collector.poll(&mut self.session, self.ack).await?;
            let trouble: Option<Box<dyn Error + Send + Sync>> = match polled {
                Ok(response) => match answer::is_acknowledged(&response, self.ack) {
                    Ok(true) => return Ok(()),
                    Ok(false) => None,
                    Err(refused) if refused.fault.says_nothing_of_the_data() => {
                        Some(refused.hiding(token).into())
                    }
                    Err(refused) if is_last || refused.fault.is_forgotten() => {
                        return Err(collector.refused(None, &response, refused));
                    }
                    Err(_) => None,
                },
                Err(cause) => Some(cause.into()),
            };
            if is_last {
                return Err(rejection::unacknowledged(url, polls, trouble));
            }
            pause = (pause * 2).min(POLL_LAST);
        }
    }
}

impl Collector {
    /// Answers under which id the records will be acknowledged.
    async fn post(
        &self,
        session: &mut Session,
        planned: &Planned,
        records: &Records,
    ) -> Result<u64, Rejection> {
        let url = &self.settings.url;
        let uri = url.at(planned.format.path());
        let request = self.request(uri, session, records.slab().clone());
        let mut request = request.map_err(|cause| rejection::unmade(url, cause))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, planned.format.content_type());
        let limits = Limits {
            timeout: Duration::from_millis(planned.ack_timeout_ms),
            ..POLL_LIMITS
        };
        let response = self.exchange(session, request, limits).await;
        let response = response.map_err(|cause| rejection::unanswered(url, cause))?;
        answer::ack_id(&response).map_err(|refused| self.refused(Some(records), &response, refused))
    }

    async fn poll(
        &self,
        session: &mut Session,
        ack: u64,
    ) -> Result<Result<Response<Bytes>, SendError>, Rejection> {
        let channel = session.channel;
        let path = format!("/services/collector/ack?channel={channel}");
        let body = Bytes::from(json!({ "acks": [ack] }).to_string());
        let url = &self.settings.url;
        let request = self.request(url.at(&path), session, body);
        let mut request = request.map_err(|cause| rejection::unmade(url, cause))?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(self.exchange(session, request, POLL_LIMITS).await)
    }

    fn request(
        &self,
        uri: Uri,
        session: &Session,
        body: Bytes,
    ) -> Result<Request<Outgoing>, IllegalToken> {
        let authorization = format!("Splunk {}", self.settings.token.reveal());
        let authorization = HeaderValue::from_str(&authorization);
        let mut authorization = authorization.map_err(|_| IllegalToken)?;
        authorization.set_sensitive(true);
        let channel = HeaderValue::from_str(&session.channel.to_string());
        let channel = channel.expect("a uuid is plain ASCII");
        let bytes = body.len();
        let mut request = Request::new(Outgoing::Whole(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert("x-splunk-request-channel", channel);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(CONTENT_LENGTH, bytes.into());
        if let Some(cookies) = session.cookies() {
            headers.insert(COOKIE, cookies);
        }
        Ok(request)
    }

    async fn exchange(
        &self,
        session: &mut Session,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> Result<Response<Bytes>, SendError> {
        let response = self.http.send(request, limits).await?;
        session.absorb(response.headers());
        Ok(response)
    }

    fn refused(
        &self,
        records: Option<&Records>,
        response: &Response<Bytes>,
        refused: answer::Refused,
    ) -> Rejection {
        Rejection {
            retry_after: asked_to_wait(response.headers(), self.clock.now()),
            ..rejection::refused(
                &self.settings.url,
                records,
                refused.hiding(&self.settings.token),
            )
        }
    }
}

impl Endpoint for Splunk {
    fn kind(&self) -> &'static str {
        SINK
    }

    fn plan(&self, _facts: &BatchFacts) -> Plan {
        let settings = &self.collector.settings;
        let planned = Planned {
            v: VERSION,
            sink: SINK.to_owned(),
            format: settings.format,
            body_bytes_max: limits::SPLUNK_BODY_BYTES_MAX,
            ack_timeout_ms: settings.ack_timeout.as_millis() as u64,
            retry_duration_ms: settings.retry_duration.as_millis() as u64,
        };
        Plan(serde_json::to_vec(&planned).expect("a plan is plain JSON"))
    }

    fn error_output(&self) -> ErrorOutput {
        ErrorOutput::Splunk
    }

    fn terms(&self, plan: &Plan) -> Result<Terms, Refusal> {
        let planned = Planned::read(plan)?;
        Ok(Terms {
            limits: RequestLimits {
                records_max: limits::SPLUNK_RECORDS_MAX,
                body_bytes_max: planned.body_bytes_max,
                framing: Framing::Concatenated,
            },
            retry_duration: Duration::from_millis(planned.retry_duration_ms),
            error_output: self.error_output(),
            compression: Compression::Uncompressed,
        })
    }

    fn send<'a>(&'a self, request: &'a EndpointRequest) -> BoxFuture<'a, Result<Sent, Rejection>> {
        Box::pin(self.attempt(request))
    }
}

impl Planned {
    fn read(plan: &Plan) -> Result<Planned, Refusal> {
        plan::read(plan, SINK, VERSION)
    }
}
