//! One listening socket, and the connections that come in by it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_rustls::TlsAcceptor;

use crate::model::limits;
use crate::outside::descriptors;
use crate::outside::stop::{Phase, Stop};
use crate::outside::{Followed, Surroundings};
use crate::server::deadline::{Patience, Watched};
use crate::server::{Pulse, Service, Settings, TlsError, tls};
use crate::telemetry::happened;

/// A bound socket that nobody serves yet.
pub struct Listener {
    socket: TcpListener,
    local_address: SocketAddr,
    tls: Option<TlsAcceptor>,
    followed: Option<Followed>,
    /// For as many connections as may be open at once; the next one waits in the kernel.
    places: Arc<Semaphore>,
}

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("failed to set up TLS for `{address}`")]
    Tls {
        address: SocketAddr,
        #[source]
        cause: TlsError,
    },
    #[error(
        "`{address}` is taken: stop the program that listens there, or choose another port in \
         `listen`"
    )]
    Taken { address: SocketAddr },
    #[error("failed to listen on `{address}`")]
    Address {
        address: SocketAddr,
        #[source]
        cause: io::Error,
    },
}

/// The log and the deliveries must never go without a descriptor because of clients: they keep some
/// for themselves, and what is left is shared by two listeners.
fn connections_max(descriptors: u64) -> usize {
    let spare = descriptors.saturating_sub(limits::DESCRIPTORS_RESERVED);
    let share = usize::try_from(spare / 2).unwrap_or(usize::MAX);
    share.clamp(1, limits::CONNECTIONS_MAX)
}

impl Listener {
    pub async fn bind(
        settings: &Settings,
        surroundings: &Surroundings,
    ) -> Result<Listener, BindError> {
        let address = settings.address;
        let files = settings.tls.as_ref();
        let acceptor = files
            .map(|files| tls::acceptor(files, surroundings))
            .transpose();
        let acceptor = acceptor.map_err(|cause| BindError::Tls { address, cause })?;
        let (tls, followed) = acceptor.unzip();
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::AddrInUse => BindError::Taken { address },
            _ => BindError::Address { address, cause },
        };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let local_address = socket.local_addr().map_err(failed)?;
        Ok(Listener {
            socket,
            local_address,
            tls,
            followed,
            places: Arc::new(Semaphore::new(connections_max(descriptors::raise_limit()))),
        })
    }

    /// With the port that was found where the settings left it open (0).
    pub fn local_address(&self) -> SocketAddr {
        self.local_address
    }

    /// The certificate's files, whose change is to be followed.
    pub fn take_followed(&mut self) -> Option<Followed> {
        self.followed.take()
    }

    /// Serves until `stop` says Draining, then lets what is under way be answered, and returns when
    /// the last connection is closed; at Halting those that are left are dropped.
    /// `pulse` beats meanwhile, unless accepting fails again and again.
    pub async fn serve(self, service: Arc<dyn Service>, mut stop: Stop, pulse: Pulse) {
        let mut connections = JoinSet::new();
        pulse.beat();
        loop {
            let next = async {
                let place = self.places.clone().acquire_owned().await;
                (place.expect("never closed"), self.socket.accept().await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                () = stop.reached(Phase::Draining) => break,
                Some(ended) = connections.join_next() => {
                    resume_panic(ended);
                    continue;
                }
                next = next => next,
                // Nobody came, or all places are taken, which no restart would mend.
                () = sleep_until(pulse.due()) => {
                    pulse.beat();
                    continue;
                }
            };
            match accepted {
                Ok((socket, _)) => {
                    pulse.beat();
                    let tls = self.tls.clone();
                    let (service, stop) = (service.clone(), stop.clone());
                    connections.spawn(async move {
                        let _place = place;
                        connection(socket, tls, service, stop).await;
                    });
                }
                Err(error) => {
                    happened::put::accept_failed(&error);
                    // Out of file descriptors, most likely: accepting again at once would spin.
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(self.socket);
        pulse.stop();
        while let Some(ended) = connections.join_next().await {
            resume_panic(ended);
        }
    }
}

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A panic in a connection is a bug of ours, and must not stay in its task.
fn resume_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

async fn connection(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    service: Arc<dyn Service>,
    mut stop: Stop,
) {
    // Answers are small and must not wait for Nagle. If it fails the socket is gone: reading says so.
    let _ = socket.set_nodelay(true);
    let Some(tls) = tls else {
        return requests(socket, service, stop).await;
    };
    let handshake = tokio::select! {
        biased;
        () = stop.reached(Phase::Draining) => return,
        handshake = timeout(limits::REQUEST_HEADERS_TIMEOUT, tls.accept(socket)) => handshake,
    };
    match handshake {
        Ok(Ok(socket)) => requests(socket, service, stop).await,
        Ok(Err(error)) => happened::put::handshake_failed(&error),
        Err(late) => happened::put::handshake_failed(&late.into()),
    }
}

async fn requests<S>(socket: S, service: Arc<dyn Service>, mut stop: Stop)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let patience = Patience::new();
    let watched = Watched {
        socket,
        patience: patience.clone(),
    };
    let answers = service_fn(|request: hyper::Request<hyper::body::Incoming>| {
        let under_way = patience.request(request.version());
        let service = service.clone();
        async move {
            let request = request.map(|body| body.map_err(Into::into).boxed_unsync());
            let answer = service.call(request).await;
            drop(under_way);
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // `Patience` is the deadline for heads.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(limits::REQUEST_HEAD_BYTES_MAX);
    let head_bytes_max = u32::try_from(limits::REQUEST_HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(HTTP2_STREAMS_MAX)
        .max_header_list_size(head_bytes_max.expect("it is a constant far smaller than 4 GiB"))
        .initial_stream_window_size(limits::HTTP2_WINDOW_BYTES)
        .initial_connection_window_size(limits::HTTP2_WINDOW_BYTES);
    let serving = builder.serve_connection(TokioIo::new(watched), answers);
    let mut serving = std::pin::pin!(serving);
    let ended = tokio::select! {
        biased;
        () = stop.reached(Phase::Draining) => {
            serving.as_mut().graceful_shutdown();
            patience.hurry();
            tokio::select! {
                biased;
                () = stop.reached(Phase::Halting) => return,
                () = patience.ends() => return,
                ended = serving => ended,
            }
        }
        () = patience.ends() => return,
        ended = serving.as_mut() => ended,
    };
    if let Err(error) = ended {
        happened::put::connection_failed(&*error);
    }
}

/// Requests side by side on one HTTP/2 connection. They share its window: those bytes are not in the
/// budget yet.
const HTTP2_STREAMS_MAX: u32 = 128;

#[cfg(test)]
mod tests;
