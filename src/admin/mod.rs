//! What operators and their machines ask the daemon.
//!
//! ```text
//!   GET /metrics    the page that Prometheus reads (docs/metrics.md)
//!   GET /healthz    200 while the daemon gets anywhere; 503 when only a restart helps
//!   GET /readyz     200 while it takes records; 503 with the reason when it does not
//! ```
//!
//! With a token, the page is for its holder alone, and so are the reasons: a load balancer that
//! cannot send a token still learns yes or no.

mod format;
mod health;
mod page;

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::future::{self, BoxFuture};
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, StatusCode};
use http_body_util::Full;
use subtle::ConstantTimeEq;

use crate::buffer;
use crate::model::{Secret, StreamName};
use crate::outside::stop::Stop;
use crate::pipeline::progress::Progress;
use crate::server::{Pulse, Request, Response, Service};
use crate::telemetry::Metrics;
use format::Format;
use health::{Observed, Reasons};
use page::Page;

/// Whom we ask in turn.
pub struct Watched {
    pub status: buffer::Status,
    pub stop: Stop,
    pub pipelines: BTreeMap<StreamName, Vec<Progress>>,
    /// Of the listener for puts. When our own is stuck, nobody is answered, which is an answer.
    pub listener: Pulse,
}

pub struct Admin {
    watched: Watched,
    page: Page,
    /// Needed off loopback.
    token: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Metrics,
    Healthy,
    Ready,
}

impl Admin {
    pub fn new(watched: Watched, metrics: Metrics, token: Option<Secret>) -> Admin {
        Admin {
            watched,
            page: Page::new(metrics),
            token,
        }
    }

    fn answer(&self, method: &Method, path: &str, headers: &HeaderMap) -> Response {
        let Some(question) = Question::at(path) else {
            return plain(
                StatusCode::NOT_FOUND,
                "ask /metrics, /healthz or /readyz\n".to_owned(),
            );
        };
        if method != Method::GET && method != Method::HEAD {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n".to_owned());
            answer
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        let trusted = self.trusts(headers);
        match question {
            Question::Metrics if trusted => self.metrics(Format::asked_for(headers)),
            Question::Metrics => unauthorized(),
            Question::Healthy => yes_or_no(self.observed().unhealthy(), trusted),
            Question::Ready => yes_or_no(self.observed().unready(), trusted),
        }
    }

    fn trusts(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else {
            return true;
        };
        let presented = headers
            .get(AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_at_checked(b"Bearer ".len()))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "));
        presented.is_some_and(|(_, it)| it.ct_eq(token.reveal().as_bytes()).into())
    }

    fn observed(&self) -> Observed<'_> {
        Observed {
            phase: self.watched.stop.phase(),
            log: self.watched.status.health(),
            commit: self.watched.status.committing_for(),
            listener: self.watched.listener.silent_for(),
            pipelines: &self.watched.pipelines,
        }
    }

    fn metrics(&self, format: Format) -> Response {
        let page = self
            .page
            .write(&self.watched.status, &self.watched.pipelines);
        typed(StatusCode::OK, format.content_type(), format.write(page))
    }
}

impl Service for Admin {
    fn call(&self, request: Request) -> BoxFuture<'_, Response> {
        let answer = self.answer(request.method(), request.uri().path(), request.headers());
        Box::pin(future::ready(answer))
    }
}

impl Question {
    fn at(path: &str) -> Option<Question> {
        match path {
            "/metrics" => Some(Question::Metrics),
            "/healthz" => Some(Question::Healthy),
            "/readyz" => Some(Question::Ready),
            _ => None,
        }
    }
}

fn yes_or_no(reasons: Reasons, trusted: bool) -> Response {
    if reasons.is_empty() {
        return plain(StatusCode::OK, "ok\n".to_owned());
    }
    let told = if trusted {
        reasons.join("\n")
    } else {
        "no".to_owned()
    };
    plain(StatusCode::SERVICE_UNAVAILABLE, told + "\n")
}

fn unauthorized() -> Response {
    let mut answer = plain(
        StatusCode::UNAUTHORIZED,
        "send the token of listen.admin\n".to_owned(),
    );
    answer
        .headers_mut()
        .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    answer
}

fn plain(status: StatusCode, text: String) -> Response {
    typed(status, "text/plain; charset=utf-8", text)
}

fn typed(status: StatusCode, content_type: &'static str, text: String) -> Response {
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
