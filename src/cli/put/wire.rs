//! What is sent, as whom, and what an answer says about each record.
//!
//! Whoever signs, and whoever need not, puts with PutRecordBatch. A bearer token is good for the plain
//! endpoint only, which takes a body as a whole or not at all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Response, Uri};
use serde::Deserialize;
use serde_json::json;

use crate::aws::{SignError, Signer};
use crate::model::StreamName;
use crate::outside::http_client::Outgoing;

/// As whom records are put.
pub enum Identity {
    Nobody,
    Signer(Box<Signer>),
    /// The whole header, marked so that nothing prints it.
    Bearer(HeaderValue),
}

impl Identity {
    /// `None` where the token cannot stand in a header.
    pub fn bearer(token: &str) -> Option<Identity> {
        let mut header = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
        header.set_sensitive(true);
        (!token.is_empty()).then_some(Identity::Bearer(header))
    }

    pub async fn request(
        &self,
        endpoint: &Uri,
        stream: &StreamName,
        batch: &[Bytes],
    ) -> Result<Request<Outgoing>, SignError> {
        let (request, body) = match self {
            Identity::Nobody => records(endpoint, stream, batch),
            Identity::Signer(signer) => {
                let (mut request, body) = records(endpoint, stream, batch);
                signer.sign(&mut request, &body).await?;
                (request, body)
            }
            Identity::Bearer(token) => {
                let (mut request, body) = lines(endpoint, stream, batch);
                request.headers_mut().insert(AUTHORIZATION, token.clone());
                (request, body)
            }
        };
        Ok(request.map(|()| Outgoing::Whole(body)))
    }

    /// The records that a good answer says were not taken, and why; `None` when it is not for this
    /// batch.
    pub fn left(&self, batch: &[Bytes], answer: &Response<Bytes>) -> Option<(Vec<Bytes>, String)> {
        match self {
            Identity::Nobody | Identity::Signer(_) => left_over(batch, answer),
            Identity::Bearer(_) => {
                let answer: PlainAnswer = serde_json::from_slice(answer.body()).ok()?;
                (answer.records == batch.len()).then(|| (Vec::new(), String::new()))
            }
        }
    }
}

fn records(endpoint: &Uri, stream: &StreamName, batch: &[Bytes]) -> (Request<()>, Bytes) {
    let record = |record: &Bytes| json!({ "Data": STANDARD.encode(record) });
    let records: Vec<_> = batch.iter().map(record).collect();
    let body = json!({ "DeliveryStreamName": stream.as_str(), "Records": records });
    let request = Request::post(endpoint.clone())
        .header(CONTENT_TYPE, "application/x-amz-json-1.1")
        .header("x-amz-target", "Firehose_20150804.PutRecordBatch");
    let request = request.body(()).expect("an endpoint is a good URI");
    (request, Bytes::from(body.to_string()))
}

/// Each record is a line that ends in its newline, but for the last one of all: laid end to end they
/// are the lines again.
fn lines(endpoint: &Uri, stream: &StreamName, batch: &[Bytes]) -> (Request<()>, Bytes) {
    let mut at = endpoint.clone().into_parts();
    let path = format!("/v1/streams/{stream}/records");
    at.path_and_query = Some(PathAndQuery::try_from(path).expect("a stream's name is plain"));
    let request = Request::post(Uri::from_parts(at).expect("an endpoint is a good URI"))
        .header(CONTENT_TYPE, "text/plain");
    let request = request.body(()).expect("all headers are constant");
    (request, Bytes::from(batch.concat()))
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
struct PlainAnswer {
    records: usize,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    #[serde(rename = "__type", default)]
    kind: String,
    #[serde(alias = "Message", default)]
    message: String,
}

fn left_over(batch: &[Bytes], response: &Response<Bytes>) -> Option<(Vec<Bytes>, String)> {
    let answer: Answer = serde_json::from_slice(response.body()).ok()?;
    if answer.request_responses.len() != batch.len() {
        return None;
    }
    if answer.failed_put_count == 0 {
        return Some((Vec::new(), String::new()));
    }
    let failed = |(_, answer): &(&Bytes, &RecordAnswer)| answer.error_code.is_some();
    let failed = batch.iter().zip(&answer.request_responses).filter(failed);
    let (left, answers): (Vec<Bytes>, Vec<&RecordAnswer>) = failed
        .map(|(record, answer)| (record.clone(), answer))
        .unzip();
    let message = answers
        .first()
        .and_then(|answer| answer.error_message.clone());
    Some((left, message.unwrap_or_default()))
}

/// What an answer that is not good says, in its own words where they are ours.
pub fn refusal(response: &Response<Bytes>) -> String {
    match serde_json::from_slice::<ErrorAnswer>(response.body()) {
        Ok(answer) if !answer.message.is_empty() => format!("{}: {}", answer.kind, answer.message),
        Ok(answer) => answer.kind,
        Err(_) => response.status().to_string(),
    }
}
