//! An S3 server inside the test process: real HTTP on loopback and real signatures (by `s3s`), a
//! backend of our own that is atomic and counts, and faults on demand.
//!
//! A test target includes it with `#[path = "support/s3/mod.rs"] mod s3;`.

#![allow(
    dead_code,
    reason = "each test target that includes this uses its own half of it"
)]

mod backend;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use backend::Stored;
use backend::{Backend, State};

pub const ACCESS_KEY: &str = "AKIATESTPIPE";
pub const SECRET_KEY: &str = "test/secret+key";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    PutObject,
    HeadObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListMultipartUploads,
    Other,
}

/// What befalls a request instead of an ordinary answer.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered with this, without any effect.
    Refuse {
        status: u16,
        code: &'static str,
        retry_after: Option<&'static str>,
    },
    /// The connection breaks before anything happened.
    Break,
    /// It is done, and the connection breaks before the answer.
    LoseAnswer,
    /// Never answered, for so long as a test may take.
    Stall,
}

/// Runs until dropped.
pub struct InProcessS3 {
    endpoint: String,
    state: Arc<Mutex<State>>,
    faults: Arc<Faults>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Faults {
    due: Mutex<BTreeMap<Operation, VecDeque<Fault>>>,
    asked: Mutex<BTreeMap<Operation, u64>>,
}

impl InProcessS3 {
    pub async fn start() -> InProcessS3 {
        let state = Arc::new(Mutex::new(State::default()));
        let mut service = S3ServiceBuilder::new(Backend(Arc::clone(&state)));
        service.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let faults = Arc::new(Faults::default());
        let mut server = JoinSet::new();
        server.spawn(serve(listener, service.build(), Arc::clone(&faults)));
        InProcessS3 {
            endpoint,
            state,
            faults,
            _server: server,
        }
    }

    /// `http://127.0.0.1:port`, to be asked path-style.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub fn create_bucket(&self, bucket: &str) {
        self.state.lock().unwrap().create_bucket(bucket);
    }

    /// All objects of a bucket by key.
    pub fn objects(&self, bucket: &str) -> BTreeMap<String, Stored> {
        self.state.lock().unwrap().objects(bucket)
    }

    /// The keys of multipart uploads that were begun and neither completed nor aborted.
    pub fn open_uploads(&self) -> Vec<String> {
        self.state.lock().unwrap().open_uploads()
    }

    /// Begins an upload as somebody else would.
    pub fn begin_upload(&self, bucket: &str, key: &str) {
        self.state.lock().unwrap().begin_upload(bucket, key);
    }

    /// The next request for `operation` that has no fault yet meets this one.
    pub fn inject(&self, operation: Operation, fault: Fault) {
        let mut due = self.faults.due.lock().unwrap();
        due.entry(operation).or_default().push_back(fault);
    }

    /// How often each operation was asked for, faults included.
    pub fn asked(&self) -> BTreeMap<Operation, u64> {
        self.faults.asked.lock().unwrap().clone()
    }
}

impl Operation {
    fn of<B>(request: &Request<B>) -> Operation {
        let query = request.uri().query().unwrap_or_default();
        let has = |name: &str| {
            let mut names = query
                .split('&')
                .map(|it| it.split('=').next().unwrap_or(it));
            names.any(|it| it == name)
        };
        match *request.method() {
            Method::PUT if has("partNumber") => Operation::UploadPart,
            Method::PUT => Operation::PutObject,
            Method::HEAD => Operation::HeadObject,
            Method::POST if has("uploads") => Operation::CreateMultipartUpload,
            Method::POST if has("uploadId") => Operation::CompleteMultipartUpload,
            Method::DELETE if has("uploadId") => Operation::AbortMultipartUpload,
            Method::GET if has("uploads") => Operation::ListMultipartUploads,
            _ => Operation::Other,
        }
    }
}

async fn serve(listener: TcpListener, service: S3Service, faults: Arc<Faults>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (service, faults) = (service.clone(), Arc::clone(&faults));
        connections.spawn(async move {
            let answer = service_fn(move |request| {
                let (service, faults) = (service.clone(), Arc::clone(&faults));
                async move { answer(service, faults, request).await }
            });
            // A connection that a fault breaks ends in an error: that is the point.
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), answer)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

#[derive(Debug, thiserror::Error)]
#[error("broken by a fault")]
struct Broken;

async fn answer(
    service: S3Service,
    faults: Arc<Faults>,
    request: Request<Incoming>,
) -> Result<Response<s3s::Body>, Broken> {
    let operation = Operation::of(&request);
    *faults.asked.lock().unwrap().entry(operation).or_default() += 1;
    let fault = {
        let mut due = faults.due.lock().unwrap();
        due.get_mut(&operation).and_then(VecDeque::pop_front)
    };
    match fault {
        None => forward(service, request).await,
        Some(Fault::Break) => Err(Broken),
        Some(Fault::LoseAnswer) => {
            let answered = forward(service, request).await?;
            assert!(answered.status().is_success(), "what is lost was done");
            Err(Broken)
        }
        Some(Fault::Stall) => {
            tokio::time::sleep(Duration::from_secs(600)).await;
            Err(Broken)
        }
        Some(Fault::Refuse {
            status,
            code,
            retry_after,
        }) => {
            // Read to its end, or the client may see a broken pipe instead of the answer.
            let _ = request.into_body().collect().await;
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code>\
                 <Message>as the test wished</Message></Error>"
            );
            let mut response = Response::new(s3s::Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(value) = retry_after {
                response
                    .headers_mut()
                    .insert("retry-after", value.parse().unwrap());
            }
            Ok(response)
        }
    }
}

async fn forward(
    service: S3Service,
    request: Request<Incoming>,
) -> Result<Response<s3s::Body>, Broken> {
    let answered = service.call(request.map(s3s::Body::from)).await;
    answered.map_err(|_| Broken)
}
