//! The receiver: answers each URL as the test says, and remembers who came when.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use postrider_domain::call::{Failure, RecordedResponse, Timings};
use postrider_domain::outcome::FailureKind;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::sender::{Request, Sender, Sent};
use postrider_testkit::ManualClock;

use crate::taps::Taps;

/// How one call is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// With this status.
    Status(u16),
    /// With this status and body.
    Says(u16, &'static str),
    /// With this status and header.
    With(u16, &'static str, String),
    /// Not at all.
    Failure(FailureKind),
    /// As the inner, after so long.
    After(Duration, Box<Answer>),
    /// Not before the deadline: a time-out.
    Hangs,
    /// With a panic of the sender.
    Panics,
}

/// A call that arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) at: Timestamp,
    pub(crate) request: Request,
}

/// Answers calls.
pub(crate) struct Receiver {
    clock: Arc<ManualClock>,
    taps: Taps,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    scripts: HashMap<String, Vec<Answer>>,
    arrived: Vec<Arrived>,
    open: HashMap<String, usize>,
    most_open: HashMap<String, usize>,
}

impl Receiver {
    pub(crate) fn new(clock: Arc<ManualClock>, taps: Taps) -> Self {
        Self { clock, taps, state: Mutex::default() }
    }

    /// Answers calls whose URL contains this with these answers in turn, the last one for ever. Without a script it is 200.
    pub(crate) fn script(&self, url: &str, answers: &[Answer]) {
        self.lock().scripts.insert(url.to_owned(), answers.to_vec());
    }

    /// The calls whose URL contains this, in the order of their arrival.
    pub(crate) fn arrived(&self, url: &str) -> Vec<Arrived> {
        self.lock().arrived.iter().filter(|one| one.request.url.contains(url)).cloned().collect()
    }

    /// The most calls that were open at once to URLs that contain this.
    pub(crate) fn most_open(&self, url: &str) -> usize {
        self.lock().most_open.iter().filter(|(one, _)| one.contains(url)).map(|(_, most)| *most).sum()
    }

    fn next(&self, request: &Request) -> Answer {
        let at = self.clock.now();
        let mut state = self.lock();
        state.arrived.push(Arrived { at, request: request.clone() });
        let open = state.open.entry(request.url.clone()).or_default();
        *open += 1;
        let open = *open;
        let most = state.most_open.entry(request.url.clone()).or_default();
        *most = open.max(*most);
        let script = state.scripts.iter_mut().find(|(url, _)| request.url.contains(url.as_str()));
        match script {
            None => Answer::Status(200),
            Some((_, answers)) if answers.len() > 1 => answers.remove(0),
            Some((_, answers)) => answers.first().cloned().expect("a script has an answer"),
        }
    }

    async fn answer(&self, answer: Answer, timeout: Duration) -> Result<RecordedResponse, Failure> {
        let response = |status, headers| {
            Ok(RecordedResponse { status, headers, body: Bytes::from_static(b"seen"), truncated: false })
        };
        let failure = |kind: FailureKind| Err(Failure { kind, message: format!("{kind}, says the test") });
        match answer {
            Answer::Status(status) => response(status, Vec::new()),
            Answer::Says(status, body) => Ok(RecordedResponse {
                status,
                headers: Vec::new(),
                body: Bytes::from_static(body.as_bytes()),
                truncated: false,
            }),
            Answer::With(status, name, value) => response(status, vec![(name.to_owned(), value)]),
            Answer::Failure(kind) => failure(kind),
            Answer::After(delay, then) => {
                Box::pin(self.clock.sleep_until(self.clock.now().plus(delay))).await;
                Box::pin(self.answer(*then, timeout)).await
            }
            Answer::Hangs => {
                Box::pin(self.clock.sleep_until(self.clock.now().plus(timeout))).await;
                failure(FailureKind::Timeout)
            }
            Answer::Panics => panic!("the sender broke"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the receiver")
    }
}

/// Counts a call as open while it lives.
struct OpenCall<'r>(&'r Receiver, String);

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if let Some(open) = self.0.lock().open.get_mut(&self.1) {
            *open -= 1;
        }
    }
}

#[async_trait]
impl Sender for Receiver {
    async fn send(&self, request: Request) -> Sent {
        let sent = self.taps.pass("sender.send", async || {
            let (answer, timeout) = (self.next(&request), request.timeout);
            let _open = OpenCall(self, request.url.clone());
            Sent { result: self.answer(answer, timeout).await, timings: Timings::default() }
        });
        sent.await.expect("the sender itself never fails")
    }
}
