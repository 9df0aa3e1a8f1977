//! How long the parts of one call take. Resolving and connecting happen deep inside the HTTP client; they find the watch of
//! their call in a task-local. A connection that another task opens finds none, and its parts are not measured.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use postrider_domain::call::Timings;
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

/// One call's watch; clones are the same watch.
#[derive(Clone)]
pub(crate) struct Stopwatch {
    started: Instant,
    marks: Arc<Mutex<[Option<Duration>; 5]>>,
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a latency is measured here, no time is told")]
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), marks: Arc::default() }
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
            "the name was being resolved"
        } else if begun(Mark::Connecting, Mark::Connected) {
            "the connection was being opened"
        } else {
            "no answer had begun"
        }
    }
}

/// The watch of the call that this task is making; one that nobody reads if there is none.
pub(crate) fn current() -> Stopwatch {
    WATCH.try_with(Clone::clone).unwrap_or_else(|_| Stopwatch::start())
}

/// Wraps the client's connector so that it notes when it begins and ends.
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
    C: Service<T>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: T) -> Self::Future {
        let watch = current();
        watch.note(Mark::Connecting);
        let connecting = self.0.call(target);
        Box::pin(async move {
            let connection = connecting.await?;
            watch.note(Mark::Connected);
            Ok(connection)
        })
    }
}
