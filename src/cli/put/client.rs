//! PutRecordBatch, as a client speaks it: signed or not, repeated until all records are taken.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use serde::Deserialize;
use serde_json::json;

use crate::aws::{SignError, Signer};
use crate::model::StreamName;
use crate::outside::http_client::{HttpClient, Limits, Outgoing, SendError, asked_to_wait};
use crate::outside::{Clock, Dice};
use crate::retry::{Backoff, Jitter};

const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(200),
    cap: Duration::from_secs(20),
    jitter: Jitter::Full,
};
/// Attempts in a row that bring nothing forward: about a minute and a half.
const FAILURES_MAX: u32 = 10;
const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(60),
    answer_bytes_max: 1024 * 1024,
};

pub struct Client {
    pub http: Arc<dyn HttpClient>,
    pub endpoint: Uri,
    pub stream: StreamName,
    /// `None`: unsigned.
    pub signer: Option<Signer>,
    pub clock: Clock,
    pub dice: Dice,
}

#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error("the daemon could not be asked")]
    Send(#[source] SendError),
    #[error("the records were refused with {status}: {message}")]
    Refused { status: StatusCode, message: String },
    #[error("the daemon took no more for {FAILURES_MAX} attempts; its last answer: {message}")]
    Full { message: String },
    #[error("the answer is not one of the Firehose API: {status}")]
    Strange { status: StatusCode },
    #[error(transparent)]
    Sign(SignError),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    failed_put_count: usize,
    request_responses: Vec<RecordAnswer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RecordAnswer {
    error_code: Option<String>,
    error_message: Option<String>,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
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
        loop {
            let (message, at_least) = match self.attempt(&left).await? {
                Attempt::Left(rest, message) => {
                    let took = left.len() - rest.len();
                    *taken += took as u64;
                    left = rest;
                    if left.is_empty() {
                        return Ok(());
                    }
                    failures = if took == 0 { failures } else { 0 };
                    (message, None)
                }
                Attempt::Later(message, at_least) => (message, at_least),
            };
            failures += 1;
            if FAILURES_MAX <= failures {
                return Err(PutError::Full { message });
            }
            let pause = BACKOFF.pause(failures - 1, at_least, &mut self.dice);
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, batch: &[Bytes]) -> Result<Attempt, PutError> {
        let request = self.request(batch).await?;
        let response = match self.http.send(request, LIMITS).await {
            Ok(response) => response,
            // The records may have been taken: putting them again may double them, and not putting
            // them may lose them.
            Err(error @ (SendError::TimedOut { .. } | SendError::Broken { .. })) => {
                return Ok(Attempt::Later(error.to_string(), None));
            }
            Err(error @ SendError::Connect { .. }) => return Err(PutError::Send(error)),
        };
        let status = response.status();
        if status == StatusCode::OK {
            return left_over(batch, &response).ok_or(PutError::Strange { status });
        }
        let message = message(&response);
        if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
            let asked = asked_to_wait(response.headers(), self.clock.now());
            return Ok(Attempt::Later(message, asked));
        }
        Err(PutError::Refused { status, message })
    }

    async fn request(&self, batch: &[Bytes]) -> Result<Request<Outgoing>, PutError> {
        let record = |record: &Bytes| json!({ "Data": STANDARD.encode(record) });
        let records: Vec<_> = batch.iter().map(record).collect();
        let body = json!({ "DeliveryStreamName": self.stream.as_str(), "Records": records });
        let body = Bytes::from(body.to_string());
        let mut request = Request::post(self.endpoint.clone());
        let headers = request.headers_mut().expect("an endpoint is a good URI");
        headers.extend(self.headers());
        let mut request = request.body(()).expect("all headers are constant");
        if let Some(signer) = &self.signer {
            signer
                .sign(&mut request, &body)
                .await
                .map_err(PutError::Sign)?;
        }
        Ok(request.map(|()| Outgoing::Whole(body)))
    }

    fn headers(&self) -> HeaderMap {
        let pairs = [
            (header::CONTENT_TYPE.as_str(), "application/x-amz-json-1.1"),
            ("x-amz-target", "Firehose_20150804.PutRecordBatch"),
        ];
        let header = |(name, value): (&'static str, &'static str)| {
            (
                header::HeaderName::from_static(name),
                header::HeaderValue::from_static(value),
            )
        };
        pairs.into_iter().map(header).collect()
    }
}

/// The records that were not taken; `None` when the answer is not for this batch.
fn left_over(batch: &[Bytes], response: &Response<Bytes>) -> Option<Attempt> {
    let answer: Answer = serde_json::from_slice(response.body()).ok()?;
    if answer.request_responses.len() != batch.len() {
        return None;
    }
    if answer.failed_put_count == 0 {
        return Some(Attempt::Left(Vec::new(), String::new()));
    }
    let failed = |(_, answer): &(&Bytes, &RecordAnswer)| answer.error_code.is_some();
    let failed = batch.iter().zip(&answer.request_responses).filter(failed);
    let (left, answers): (Vec<Bytes>, Vec<&RecordAnswer>) = failed
        .map(|(record, answer)| (record.clone(), answer))
        .unzip();
    let message = answers
        .first()
        .and_then(|answer| answer.error_message.clone());
    Some(Attempt::Left(left, message.unwrap_or_default()))
}

fn message(response: &Response<Bytes>) -> String {
    match serde_json::from_slice::<ErrorAnswer>(response.body()) {
        Ok(answer) if !answer.message.is_empty() => format!("{}: {}", answer.kind, answer.message),
        Ok(answer) => answer.kind,
        Err(_) => response.status().to_string(),
    }
}
