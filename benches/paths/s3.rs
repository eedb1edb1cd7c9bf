//! An S3 that keeps nothing and counts: PUT and multipart uploads. A gate holds the bodies back, so
//! that a run can measure puts alone and let the batches go afterwards.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Runs on a thread of its own until the program ends.
pub struct S3 {
    pub address: SocketAddr,
    gate: watch::Sender<Gate>,
    counts: Arc<Counts>,
}

#[derive(Clone, Copy, PartialEq)]
enum Gate {
    Open,
    Closed,
}

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    requests: AtomicU64,
}

impl S3 {
    pub fn start() -> S3 {
        let (gate, opened) = watch::channel(Gate::Open);
        let counts = Arc::<Counts>::default();
        let counting = Arc::clone(&counts);
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = socket.local_addr().expect("a bound socket has an address");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime
                .expect("a runtime starts")
                .block_on(listen(socket, opened, counting))
        });
        S3 {
            address,
            gate,
            counts,
        }
    }

    pub fn open(&self) {
        self.gate.send_replace(Gate::Open);
    }

    pub fn close(&self) {
        self.gate.send_replace(Gate::Closed);
    }

    /// Bytes of bodies that arrived, framing included.
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }
}

async fn listen(socket: std::net::TcpListener, gate: watch::Receiver<Gate>, counts: Arc<Counts>) {
    socket
        .set_nonblocking(true)
        .expect("a socket takes the option");
    let listener = TcpListener::from_std(socket).expect("the runtime takes sockets");
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.expect("the daemon connects");
        let (gate, counts) = (gate.clone(), Arc::clone(&counts));
        connections.spawn(async move {
            let answering = service_fn(move |request| {
                let (gate, counts) = (gate.clone(), Arc::clone(&counts));
                async move { answer(request, gate, &counts).await }
            });
            // How a connection ends is the daemon's affair.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), answering)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    mut gate: watch::Receiver<Gate>,
    counts: &Counts,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let query = request.uri().query().unwrap_or("").to_owned();
    let method = request.method().clone();
    if method == Method::PUT {
        let _ = gate.wait_for(|gate| *gate == Gate::Open).await;
    }
    let mut body = request.into_body();
    while let Some(frame) = body.frame().await {
        let bytes = frame?.data_ref().map_or(0, Bytes::len);
        counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
    counts.requests.fetch_add(1, Ordering::Relaxed);
    let text = match method {
        Method::POST if query.contains("uploads") => {
            "<InitiateMultipartUploadResult><UploadId>bench</UploadId>\
             </InitiateMultipartUploadResult>"
        }
        Method::POST => {
            "<CompleteMultipartUploadResult><ETag>\"0\"</ETag></CompleteMultipartUploadResult>"
        }
        Method::GET => "<ListMultipartUploadsResult></ListMultipartUploadsResult>",
        _ => "",
    };
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    let etag = hyper::header::HeaderValue::from_static("\"0\"");
    answer.headers_mut().insert(hyper::header::ETAG, etag);
    Ok(answer)
}
