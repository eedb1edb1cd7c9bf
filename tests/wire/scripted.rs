//! An `HttpClient` that writes down what it is asked and answers from a script.

use std::collections::VecDeque;
use std::sync::Mutex;

use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use standpipe::outside::http_client::{HttpClient, Limits, Outgoing, SendError};

/// What one request is answered.
pub enum Say {
    Ok(&'static str),
    Status(u16, &'static str),
    /// To the letter.
    Answer(Response<Bytes>),
    TimeOut,
    /// Nothing, for as long as the request allows.
    Hang,
    /// Trouble on the way, given the authority.
    Trouble(fn(String) -> SendError),
}

#[derive(Default)]
pub struct Scripted {
    answers: Mutex<VecDeque<Say>>,
    seen: Mutex<Vec<String>>,
}

/// Headers of the SDK that say its version, or differ each time.
const UNSTABLE: [&str; 3] = [
    "x-amz-user-agent",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
];

impl Scripted {
    pub fn new(answers: impl IntoIterator<Item = Say>) -> Scripted {
        Scripted {
            answers: Mutex::new(answers.into_iter().collect()),
            seen: Mutex::default(),
        }
    }

    pub fn then(&self, say: Say) {
        self.answers.lock().unwrap().push_back(say);
    }

    /// How many answers nobody has asked for yet.
    pub fn left(&self) -> usize {
        self.answers.lock().unwrap().len()
    }

    /// All requests since the last time, as text.
    pub fn take_seen(&self) -> String {
        std::mem::take(&mut *self.seen.lock().unwrap()).join("\n\n")
    }

    async fn answer(
        &self,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> Result<Response<Bytes>, SendError> {
        let authority = request.uri().authority().unwrap().to_string();
        self.write_down(request, limits).await;
        let say = self.answers.lock().unwrap().pop_front();
        let (status, body) = match say.expect("the script has an answer for each request") {
            Say::Ok(body) => (200, body),
            Say::Status(status, body) => (status, body),
            Say::Answer(response) => return Ok(response),
            Say::Trouble(trouble) => return Err(trouble(authority)),
            Say::Hang => {
                tokio::time::sleep(limits.timeout).await;
                let after = limits.timeout;
                return Err(SendError::TimedOut { authority, after });
            }
            Say::TimeOut => {
                let after = limits.timeout;
                return Err(SendError::TimedOut { authority, after });
            }
        };
        let response = Response::builder().status(status).header("etag", "\"e\"");
        Ok(response.body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    async fn write_down(&self, request: Request<Outgoing>, limits: Limits) {
        let (head, body) = request.into_parts();
        let mut lines = vec![format!("{} {}", head.method, head.uri)];
        let mut headers: Vec<_> = head
            .headers
            .iter()
            .filter(|(name, _)| !UNSTABLE.contains(&name.as_str()))
            .filter(|(name, value)| *name != "user-agent" || !value.as_bytes().starts_with(b"aws-"))
            .map(|(name, value)| {
                let sensitive = if value.is_sensitive() {
                    " (sensitive)"
                } else {
                    ""
                };
                format!("{name}: {}{sensitive}", value.to_str().unwrap())
            })
            .map(|line| line.split(", Signature=").next().unwrap().to_owned())
            .collect();
        headers.sort();
        lines.extend(headers);
        let (how, body) = match body {
            Outgoing::Whole(bytes) => ("whole", bytes),
            Outgoing::Streamed { bytes, mut chunks } => {
                let mut all = BytesMut::new();
                while let Some(chunk) = chunks.next().await {
                    all.extend_from_slice(&chunk.unwrap());
                }
                assert_eq!(all.len() as u64, bytes, "the length that was announced");
                ("streamed", all.freeze())
            }
        };
        let text = match std::str::from_utf8(&body) {
            Ok(text) if text.len() < 1000 => text.to_owned(),
            _ => format!("({} bytes)", body.len()),
        };
        let seconds = limits.timeout.as_secs();
        lines.push(format!("-- {how}, at most {seconds} s: {text}"));
        self.seen.lock().unwrap().push(lines.join("\n"));
    }
}

impl HttpClient for Scripted {
    fn send(
        &self,
        request: Request<Outgoing>,
        limits: Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(self.answer(request, limits))
    }
}
