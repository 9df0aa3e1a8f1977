//! Binding an address, and serving a router on it until the process stops.
//!
//! HTTP/1.1 only, in plain text: TLS and HTTP/2 end at the proxy in front. What a slow or greedy client can take is
//! bounded here for connections and request heads, and by each service for bodies and handlers ([`Limits`]).

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::{ServiceExt, service_fn};
use tracing::{debug, warn};

use crate::shutdown::Shutdown;

/// The pause after a failed accept. It fails when file descriptors run out; they come back when connections end, and
/// asking sooner would only burn the processor that serves those.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all clients of one address together, and each of them alone, may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections open at once; further ones wait in the system's queue until one ends.
    pub connections: usize,
    /// How long a client may take to send a whole request head, and how long a kept-alive connection may idle.
    pub head_timeout: Duration,
    /// Longest request head (request line and headers) in bytes; at least 8192. A longer one is answered 431.
    pub head_bytes: usize,
}

/// An address that is bound but not served yet: connections already queue up, nobody else can take the port.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    addr: SocketAddr,
    limits: Limits,
}

/// Why an address could not be bound, and what to do about it.
#[derive(Debug, Error)]
#[error("cannot listen on {addr}: {}", self.advice())]
pub struct BindError {
    /// The address that was asked for.
    pub addr: SocketAddr,
    /// The setting it came from.
    pub setting: String,
    source: io::Error,
}

/// Binds `addr`; port 0 takes any free port, to be read from [`Bound::addr`]. `setting` is what the operator would
/// change to get another address, in the operator's words (`http.listen (flag --listen)`).
///
/// # Errors
/// When the address cannot be had. The message names it, the setting, and the next step.
pub async fn bind(addr: SocketAddr, setting: &str) -> Result<Bound, BindError> {
    let failed = |source| BindError { addr, setting: setting.to_owned(), source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    Ok(Bound { listener, addr, limits: Limits::default() })
}

/// Serves `router` until the process stops. Soft: takes no new connection and answers what is under way; a response
/// that never ends by itself (an event stream) must watch the same wish. Hard: cuts every connection.
///
/// Handlers may extract [`ConnectInfo<SocketAddr>`] to learn who called.
pub async fn serve(bound: Bound, router: Router, shutdown: Shutdown) {
    let Bound { listener, limits, .. } = bound;
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.stopping() => break,
            accepted = accept(&listener, &places) => accepted,
            Some(_ended) = connections.join_next() => continue,
        };
        let (stream, peer, place) = accepted;
        let connection = connection(stream, peer, router.clone(), limits, shutdown.clone());
        connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    drop(listener);
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = shutdown.hard() => connections.shutdown().await,
    }
}

impl Bound {
    /// The address clients connect to, with the real port.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The same address under other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }
}

impl Default for Limits {
    /// 1,000 connections (file descriptors are often limited to 1,024), 30 s and 32 KiB for a head.
    fn default() -> Self {
        Self { connections: 1_000, head_timeout: Duration::from_secs(30), head_bytes: 32 * 1024 }
    }
}

impl BindError {
    fn advice(&self) -> String {
        let Self { addr, setting, source } = self;
        let port = addr.port();
        match source.kind() {
            io::ErrorKind::AddrInUse => format!(
                "port {port} is already in use; set {setting} to another port, or stop the program that holds it \
                 (`ss -ltnp 'sport = :{port}'` or `lsof -i :{port}` shows which one)"
            ),
            io::ErrorKind::PermissionDenied => format!(
                "the system does not let this user have port {port}; set {setting} to a port above 1023, or run \
                 behind a proxy that holds {port}"
            ),
            io::ErrorKind::AddrNotAvailable => format!(
                "this machine has no address {}; set {setting} to one it has, or to 0.0.0.0 for all of them",
                addr.ip()
            ),
            _ => format!("{source}; the address comes from {setting}"),
        }
    }
}

/// Waits for a free place and then for a client to take it.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed, so the permit is always there.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One connection, from its first byte to its end.
async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, limits: Limits, shutdown: Shutdown) {
    // Answers are small and complete: waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%error, "cannot set TCP_NODELAY");
    }
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            Ok::<_, Infallible>(router.oneshot(request).await.unwrap_or_else(|never| match never {}))
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head_bytes)
        .max_buf_size(limits.head_bytes.max(64 * 1024))
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.stopping() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that leaves or dawdles is its own affair.
        debug!(%peer, %error, "a connection ended early");
    }
}
