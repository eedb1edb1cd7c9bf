//! Any server that speaks Firehose's HTTP endpoint protocol: Telegraf, Vector, an OpenTelemetry
//! collector, and the partners of `preset`.
//!
//! ```text
//! POST <url>                                          200
//! X-Amz-Firehose-Request-Id: ed4a…                    Content-Type: application/json
//! X-Amz-Firehose-Access-Key: …
//!
//! {"requestId":"ed4a…","timestamp":1700000000000,     {"requestId":"ed4a…","timestamp":1700000000123}
//!  "records":[{"data":"aGVsbG8="}]}
//! ```
//!
//! The plan is JSON with a version, because it stands in the log:
//!
//! ```json
//! {"v":1,"sink":"http_endpoint","records_max":10000,"body_bytes_max":67108864,"encoding":"gzip","retry_duration_ms":300000}
//! ```
//!
//! URL, key and attributes are not planned: as in Firehose, new ones count from the next attempt.

mod answer;
mod attributes;
pub mod preset;
mod rejection;
mod request;
mod url;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request};
use serde::{Deserialize, Serialize};

use super::endpoint::{Endpoint, EndpointRequest, Rejection, Sent, Terms};
use super::parts::RequestLimits;
use super::{BatchFacts, Plan, Receipt, plan};
use crate::model::{Compression, ErrorOutput, Secret, limits};
use crate::objects::compress::gzip;
use crate::objects::{Refusal, Room};
use crate::outside::Clock;
use crate::outside::http_client::{HttpClient, Limits, Outgoing, asked_to_wait};

pub use attributes::{AttributesError, CommonAttributes};
pub use url::{EndpointUrl, UrlError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub url: EndpointUrl,
    /// Sent verbatim; without one there is no such header.
    pub access_key: Option<Secret>,
    /// The stream's ARN.
    pub source_arn: String,
    pub content_encoding: Compression,
    pub common_attributes: CommonAttributes,
    pub retry_duration: Duration,
    /// Of a request's body before compression. Up to `limits::FIREHOSE_ENDPOINT_BODY_BYTES_MAX`.
    pub body_bytes_max: u64,
}

impl Settings {
    /// What the endpoint says, without what it was told in confidence: servers echo their requests,
    /// an ordinary 404 the URL's path.
    fn hidden_in(&self, text: String) -> String {
        let text = match &self.access_key {
            Some(key) => key.hidden_in(text),
            None => text,
        };
        self.url.hidden_in(self.common_attributes.hidden_in(text))
    }
}

pub struct HttpEndpoint {
    settings: Settings,
    http: Arc<dyn HttpClient>,
    clock: Clock,
    room: Room,
}

/// What was decided when the batch was cut (D3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Planned {
    v: u32,
    sink: String,
    records_max: u64,
    body_bytes_max: u64,
    encoding: PlannedEncoding,
    retry_duration_ms: u64,
}

/// As it is written in plans: an interface to other versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PlannedEncoding {
    None,
    Gzip,
}

impl PlannedEncoding {
    fn compression(self) -> Compression {
        match self {
            PlannedEncoding::None => Compression::Uncompressed,
            PlannedEncoding::Gzip => Compression::Gzip,
        }
    }
}

const VERSION: u32 = 1;
const SINK: &str = "http_endpoint";

const LIMITS: Limits = Limits {
    timeout: limits::FIREHOSE_ENDPOINT_TIMEOUT,
    answer_bytes_max: limits::FIREHOSE_ENDPOINT_ANSWER_BYTES_MAX,
};

impl HttpEndpoint {
    pub fn new(
        settings: Settings,
        http: Arc<dyn HttpClient>,
        clock: Clock,
        room: Room,
    ) -> HttpEndpoint {
        HttpEndpoint {
            settings,
            http,
            clock,
            room,
        }
    }

    async fn attempt(&self, request: &EndpointRequest) -> Result<Receipt, Rejection> {
        let url = &self.settings.url;
        let encoding = Planned::read(&request.plan)?.encoding.compression();
        let headers = request::headers(&self.settings, request.id, encoding);
        let headers = headers.map_err(|cause| rejection::unmade(url, cause))?;
        let body = self.body(request, encoding).await;
        let bytes = body.len();
        let mut outgoing = Request::new(Outgoing::Whole(body));
        *outgoing.method_mut() = Method::POST;
        *outgoing.uri_mut() = url.uri().clone();
        *outgoing.headers_mut() = request::with_length(headers, bytes);
        let sent = self.http.send(outgoing, LIMITS).await;
        let response = sent.map_err(|cause| rejection::unanswered(url, cause))?;
        let hide = |text| self.settings.hidden_in(text);
        answer::check(request.id, hide, &response).map_err(|fault| {
            let asked = asked_to_wait(response.headers(), self.clock.now());
            rejection::refused(url, response.status().as_u16(), asked, fault)
        })?;
        Ok(Receipt {
            place: format!("{url} request {}", request.id),
            bytes: bytes as u64,
        })
    }

    /// Another attempt differs in its time alone.
    async fn body(&self, request: &EndpointRequest, encoding: Compression) -> Bytes {
        let EndpointRequest {
            id, at, records, ..
        } = request;
        let (id, at, records) = (*id, *at, records.clone());
        let work = move || {
            let plain = request::body(id, at, &records);
            match encoding {
                Compression::Uncompressed => Bytes::from(plain),
                Compression::Gzip => gzip(&plain),
            }
        };
        self.room.work(request.records.slab().len(), work).await
    }
}

impl Endpoint for HttpEndpoint {
    fn kind(&self) -> &'static str {
        SINK
    }

    fn plan(&self, _facts: &BatchFacts) -> Plan {
        let planned = Planned {
            v: VERSION,
            sink: SINK.to_owned(),
            records_max: limits::FIREHOSE_ENDPOINT_RECORDS_MAX,
            body_bytes_max: self.settings.body_bytes_max,
            encoding: match self.settings.content_encoding {
                Compression::Uncompressed => PlannedEncoding::None,
                Compression::Gzip => PlannedEncoding::Gzip,
            },
            retry_duration_ms: self.settings.retry_duration.as_millis() as u64,
        };
        Plan(serde_json::to_vec(&planned).expect("a plan is plain JSON"))
    }

    fn error_output(&self) -> ErrorOutput {
        ErrorOutput::HttpEndpoint
    }

    fn terms(&self, plan: &Plan) -> Result<Terms, Refusal> {
        let planned = Planned::read(plan)?;
        Ok(Terms {
            limits: RequestLimits {
                records_max: planned.records_max,
                body_bytes_max: planned.body_bytes_max,
                framing: request::FRAMING,
            },
            retry_duration: Duration::from_millis(planned.retry_duration_ms),
            error_output: self.error_output(),
            compression: planned.encoding.compression(),
        })
    }

    fn send<'a>(&'a self, request: &'a EndpointRequest) -> BoxFuture<'a, Result<Sent, Rejection>> {
        Box::pin(async { self.attempt(request).await.map(Sent::Delivered) })
    }
}

impl Planned {
    fn read(plan: &Plan) -> Result<Planned, Refusal> {
        plan::read(plan, SINK, VERSION)
    }
}
