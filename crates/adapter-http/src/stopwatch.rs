//! How long the parts of one call take, and how long a connection may. Resolving and connecting happen deep inside the HTTP
//! client; they find the watch of their call in a task-local. A connection that another task opens finds none: its parts are
//! not measured, and it may take as long as the call that waits for it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use postrider_domain::call::Timings;
use postrider_domain::diagnosis::{CONNECTING, RESOLVING};
use thiserror::Error;
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static WATCH: Stopwatch;
}

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The connector was asked for a connection.
    Connecting,
    /// The resolver was asked.
    Resolving,
    /// It answered.
    Resolved,
    /// The connection stands, TLS included.
    Connected,
    /// The answer's headers are here.
    FirstByte,
}

/// A connection took longer than it may.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no connection within {within:?}: {phase}")]
pub(crate) struct TooSlow {
    within: Duration,
    phase: &'static str,
}

/// One call's watch; clones are the same watch.
#[derive(Clone)]
pub(crate) struct Stopwatch {
    started: Instant,
    connect_within: Option<Duration>,
    marks: Arc<Mutex<[Option<Duration>; 5]>>,
}

type BoxError = Box<dyn Error + Send + Sync>;

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a latency is measured here, no time is told")]
    pub(crate) fn start(connect_within: Option<Duration>) -> Self {
        Self { started: Instant::now(), connect_within, marks: Arc::default() }
    }

    /// Runs a future whose resolver and connector find this watch.
    pub(crate) async fn measure<F: Future>(&self, call: F) -> F::Output {
        WATCH.scope(self.clone(), call).await
    }

    /// Notes that something has happened now.
    pub(crate) fn note(&self, mark: Mark) {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)[mark as usize] =
            Some(self.started.elapsed());
    }

    fn at(&self, mark: Mark) -> Option<Duration> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)[mark as usize]
    }

    /// The parts so far, and the whole until now.
    pub(crate) fn timings(&self) -> Timings {
        let between = |from, to| Some(self.at(to)?.saturating_sub(self.at(from)?));
        let resolve = between(Mark::Resolving, Mark::Resolved);
        let connector = between(Mark::Connecting, Mark::Connected);
        Timings {
            resolve,
            connect: connector.map(|all| all.saturating_sub(resolve.unwrap_or_default())),
            first_byte: self.at(Mark::FirstByte),
            total: self.started.elapsed(),
        }
    }

    /// What the call is waiting for, for people.
    pub(crate) fn phase(&self) -> &'static str {
        let begun = |from, to| self.at(from).is_some() && self.at(to).is_none();
        if self.at(Mark::FirstByte).is_some() {
            "the answer's body had not ended"
        } else if begun(Mark::Resolving, Mark::Resolved) {
            RESOLVING
        } else if begun(Mark::Connecting, Mark::Connected) {
            CONNECTING
        } else {
            "no answer had begun"
        }
    }
}

/// The watch of the call that this task is making; one that nobody reads if there is none.
pub(crate) fn current() -> Stopwatch {
    WATCH.try_with(Clone::clone).unwrap_or_else(|_| Stopwatch::start(None))
}

/// Wraps the client's connector so that it notes when it begins and ends, and ends in time.
#[derive(Clone, Copy)]
pub(crate) struct TimeConnections;

/// A connector that is timed.
#[derive(Clone)]
pub(crate) struct TimedConnector<C>(C);

impl<C> Layer<C> for TimeConnections {
    type Service = TimedConnector<C>;

    fn layer(&self, inner: C) -> Self::Service {
        TimedConnector(inner)
    }
}

impl<C, T> Service<T> for TimedConnector<C>
where
    C: Service<T, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: T) -> Self::Future {
        let watch = current();
        watch.note(Mark::Connecting);
        let connecting = self.0.call(target);
        Box::pin(async move {
            let connection = match watch.connect_within {
                None => connecting.await?,
                Some(within) => {
                    let too_slow = |_| TooSlow { within, phase: watch.phase() };
                    tokio::time::timeout(within, connecting).await.map_err(too_slow)??
                }
            };
            watch.note(Mark::Connected);
            Ok(connection)
        })
    }
}
