//! The generator: publishes events over HTTP, one a request, as fast as they are accepted or at a steady pace.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::book::{Book, now};
use super::http::{Connection, request};
use super::receiver::MARK;

/// Connections of a flood. With more, the events only wait in the sockets instead of in the generator.
pub(crate) const CONNECTIONS: usize = 64;
/// A connection that rested for longer is not used again; ingest waits 30 s for a request.
const RESTS: Duration = Duration::from_secs(2);
/// The size of an event's data: about what an entry of a CMS has.
const DATA_BYTES: usize = 1000;

/// Where and how events are published.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) authorization: String,
    /// Stands before the number in the id of each event, so that ids are unique.
    pub(crate) prefix: String,
    /// What the events are of.
    pub(crate) event_type: &'static str,
    /// Events are of so many content types in turn: `page-0`, `page-1`, …
    pub(crate) content_types: usize,
}

/// A source that takes no heed of what it is answered.
pub(crate) struct Heedless {
    door: Door,
    /// The number of its next event.
    next: AtomicUsize,
    /// Events in a request.
    at_once: usize,
    requests_per_second: u32,
    /// Events that were accepted.
    pub(crate) accepted: AtomicUsize,
    /// Events that were refused by 429 with a Retry-After.
    pub(crate) refused: AtomicUsize,
}

/// Publishes everything in the book, on [`CONNECTIONS`] connections, the next event once the one before is accepted.
///
/// # Errors
/// When an event is not accepted.
pub(crate) async fn flood(door: &Door, book: &Arc<Book>, events: usize) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS.min(events) {
        let (door, book, next) = (door.clone(), Arc::clone(book), Arc::clone(&next));
        senders.spawn(async move {
            let mut connection = Connection::open(door.address).await?;
            loop {
                let event = next.fetch_add(1, Ordering::Relaxed);
                if event >= events {
                    return Ok(());
                }
                let request = door.event(event);
                book.send(event, now());
                publish(&mut connection, &request).await?;
            }
        });
    }
    finish(senders).await
}

/// Publishes everything in the book at a steady pace, whether or not the events before were accepted. The instant that
/// counts is the one at which an event should have been sent.
///
/// # Errors
/// When an event is not accepted.
pub(crate) async fn steadily(door: &Door, book: &Arc<Book>, events: usize, per_second: u32) -> Result<()> {
    let idle = Arc::new(Idle::default());
    let mut senders = JoinSet::new();
    let mut ticks = ticks(events, per_second)?;
    while let Some((event, at)) = ticks.recv().await {
        book.send(event, at);
        let (door, idle) = (door.clone(), Arc::clone(&idle));
        senders.spawn(async move {
            let mut connection = idle.take(door.address).await?;
            publish(&mut connection, &door.event(event)).await?;
            idle.keep(connection);
            Ok(())
        });
    }
    finish(senders).await
}

/// The events and their instants, each at its instant. A thread of its own keeps them: the runtime's timers are exact to a
/// millisecond only, and that would be in every latency.
fn ticks(events: usize, per_second: u32) -> Result<mpsc::UnboundedReceiver<(usize, Instant)>> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let start = now() + Duration::from_millis(20);
    let tick = move || {
        for event in 0..events {
            let at = start + Duration::from_secs(1) * u32::try_from(event).unwrap_or(u32::MAX) / per_second;
            while let Some(rest) = at.checked_duration_since(now()).filter(|rest| !rest.is_zero()) {
                std::thread::park_timeout(rest);
            }
            if sender.send((event, at)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("ticks".to_owned()).spawn(tick).context("no thread for the pace")?;
    Ok(receiver)
}

impl Heedless {
    /// One whose events are numbered from `first`, so many in a request.
    pub(crate) fn new(door: &Door, first: usize, at_once: usize, requests_per_second: u32) -> Arc<Self> {
        let (next, accepted, refused) = (AtomicUsize::new(first), AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { door: door.clone(), next, at_once, requests_per_second, accepted, refused })
    }

    /// Publishes for ever.
    ///
    /// # Errors
    /// When an answer is neither 202 nor 429 with a Retry-After.
    pub(crate) async fn publish(self: Arc<Self>) -> Result<()> {
        let idle = Arc::new(Idle::default());
        let mut senders: JoinSet<Result<()>> = JoinSet::new();
        let mut ticks = ticks(usize::MAX, self.requests_per_second)?;
        while ticks.recv().await.is_some() {
            while let Some(ended) = senders.try_join_next() {
                ended.context("a sender panicked")??;
            }
            let (source, idle) = (Arc::clone(&self), Arc::clone(&idle));
            senders.spawn(async move {
                let connection = idle.take(source.door.address).await?;
                idle.keep(source.publish_once(connection).await?);
                Ok(())
            });
        }
        Ok(())
    }

    async fn publish_once(&self, mut connection: Connection) -> Result<Connection> {
        let first = self.next.fetch_add(self.at_once, Ordering::Relaxed);
        let request = if self.at_once == 1 {
            self.door.event(first)
        } else {
            self.door.events(first..first + self.at_once)
        };
        let answer = connection.send(&request).await?;
        let count = match answer.status {
            200 | 202 => &self.accepted,
            429 if answer.retry_after => &self.refused,
            other => bail!("{other} instead of 202 or 429: {}", String::from_utf8_lossy(&answer.body)),
        };
        count.fetch_add(self.at_once, Ordering::Relaxed);
        Ok(connection)
    }
}

/// Connections at rest, each with the instant since when.
#[derive(Default)]
struct Idle(Mutex<Vec<(Connection, Instant)>>);

impl Idle {
    /// The one that rests for the shortest time, or a new one: a server closes what rests for long.
    async fn take(&self, address: SocketAddr) -> Result<Connection> {
        let kept = {
            let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            idle.retain(|(_, since)| since.elapsed() < RESTS);
            idle.pop()
        };
        match kept {
            Some((connection, _)) => Ok(connection),
            None => Connection::open(address).await,
        }
    }

    fn keep(&self, connection: Connection) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((connection, now()));
    }
}

async fn publish(connection: &mut Connection, request: &[u8]) -> Result<()> {
    let answer = connection.send(request).await?;
    let accepted = matches!(answer.status, 200 | 202);
    ensure!(accepted, "not accepted: {} {}", answer.status, String::from_utf8_lossy(&answer.body));
    Ok(())
}

async fn finish(mut senders: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = senders.join_next().await {
        ended.context("a sender panicked")??;
    }
    Ok(())
}

impl Door {
    /// The request that publishes an event.
    pub(crate) fn event(&self, number: usize) -> Vec<u8> {
        request("POST", &self.path, &self.authorization, &self.body(number))
    }

    /// The request that publishes several.
    fn events(&self, numbers: Range<usize>) -> Vec<u8> {
        let all = numbers.map(|number| self.body(number)).collect::<Vec<_>>().join(",");
        request("POST", &self.path, &self.authorization, &format!("[{all}]"))
    }

    fn body(&self, number: usize) -> String {
        let filling = "x".repeat(DATA_BYTES);
        let id = format!("{}-{number}", self.prefix);
        let (of, page) = (self.event_type, number % self.content_types.max(1));
        format!(
            r#"{{"id":"{id}","type":"{of}","action":"publish","resource":{{"id":"r-{number}","contentType":"page-{page}"}},"data":{{{MARK}{number}","text":"{filling}"}}}}"#
        )
    }
}
