//! A scripted HTTP receiver on 127.0.0.1. It is written on bare sockets, because it must see header names as they were
//! sent and answer in ways that no HTTP library would.

mod connection;
mod signature;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

pub use signature::{verify_cometcms, verify_standard_webhooks};

/// How long [`Receiver::seen`] waits before it fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// A receiver. It stops when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// GET, POST, …
    pub method: String,
    /// Path and query.
    pub path: String,
    /// In the order sent, names as sent.
    pub headers: Vec<(String, String)>,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// When it had come completely.
    pub at: Instant,
}

/// What the receiver does with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Bytes,
    manner: Manner,
    held: bool,
}

/// How an answer is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Complete.
    Whole,
    /// Not at all, while the connection stays open.
    Hang,
    /// The connection is reset.
    Reset,
    /// The head and the given body, of which one byte more is promised and never comes.
    Stall,
    /// The head, and the given body again and again for ever.
    Endless,
    /// The given body alone, without a head.
    Raw,
}

#[derive(Default)]
struct Shared {
    scripts: Mutex<HashMap<String, Script>>,
    received: watch::Sender<Vec<ReceivedRequest>>,
    released: watch::Sender<bool>,
}

struct Script {
    answers: Vec<Answer>,
    next: usize,
}

impl Answer {
    /// An answer of this status without a body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), manner: Manner::Whole, held: false }
    }

    /// No answer; the connection stays open.
    pub fn hang() -> Self {
        Self { manner: Manner::Hang, ..Self::status(200) }
    }

    /// No answer; the connection is reset.
    pub fn reset() -> Self {
        Self { manner: Manner::Reset, ..Self::status(200) }
    }

    /// Bytes that need not be HTTP.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self { manner: Manner::Raw, body: bytes.into(), ..Self::status(200) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// The body stops before its last byte, and the connection stays open.
    #[must_use]
    pub fn stalled(mut self) -> Self {
        self.manner = Manner::Stall;
        self
    }

    /// The body comes again and again for ever.
    #[must_use]
    pub fn endless(mut self) -> Self {
        self.manner = Manner::Endless;
        self
    }

    /// Given only after [`Receiver::release`].
    #[must_use]
    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }
}

impl ReceivedRequest {
    /// The first header of this name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(one, _)| one.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

impl Receiver {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let accepting = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection::serve(stream, Arc::clone(&serving)));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, shared, accepting }
    }

    /// The URL of a path, which begins with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// How requests to a path are answered, one after the other; the last answer stays. A path without a script answers
    /// 200.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let script = Script { answers: answers.into_iter().collect(), next: 0 };
        assert!(!script.answers.is_empty(), "a script has at least one answer");
        self.shared.scripts().insert(path.to_owned(), script);
    }

    /// Gives all held answers, those still to come included.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// Every request so far, in the order in which they came.
    pub fn received(&self) -> Vec<ReceivedRequest> {
        self.shared.received.borrow().clone()
    }

    /// Waits until there are at least `count` requests.
    pub async fn seen(&self, count: usize) -> Vec<ReceivedRequest> {
        self.seen_where(count, |_| true).await
    }

    /// Waits until there are at least `count` requests to a path; returns those.
    pub async fn seen_at(&self, path: &str, count: usize) -> Vec<ReceivedRequest> {
        self.seen_where(count, |request| request.path == path).await
    }

    async fn seen_where(&self, count: usize, is: impl Fn(&ReceivedRequest) -> bool) -> Vec<ReceivedRequest> {
        let mut received = self.shared.received.subscribe();
        let enough = received.wait_for(|all| all.iter().filter(|one| is(one)).count() >= count);
        let waited = tokio::time::timeout(PATIENCE, enough).await.map(drop);
        let found: Vec<_> = self.received().into_iter().filter(|one| is(one)).collect();
        assert!(waited.is_ok(), "of {count} requests only {} came", found.len());
        found
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn scripts(&self) -> MutexGuard<'_, HashMap<String, Script>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request and says how to answer it.
    fn take(&self, request: ReceivedRequest) -> Answer {
        let mut scripts = self.scripts();
        let answer = match scripts.get_mut(&request.path) {
            Some(script) => {
                let at = script.next.min(script.answers.len() - 1);
                script.next += 1;
                script.answers[at].clone()
            }
            None => Answer::status(200),
        };
        self.received.send_modify(|all| all.push(request));
        answer
    }
}
