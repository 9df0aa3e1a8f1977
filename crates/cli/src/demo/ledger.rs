//! The demo's receiver: answers by path (`/{behaviour}/{webhook}`) and keeps a ledger of what arrived.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::StatusCode;
use clap::ValueEnum;

use super::script::Behaviour;
use crate::receiver::{Answer, Call};

/// How long the slow receiver takes.
const SLOW: Duration = Duration::from_millis(1_500);

/// What is made to go wrong, to show that the demo would notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Sabotage {
    /// Bodies are changed on their way to the verifier
    Signature,
    /// The receiver never sees what is sent to one webhook
    Loss,
    /// The receiver that should fail twice does not, so nothing is retried
    Retry,
}

/// The webhook whose calls get lost under [`Sabotage::Loss`].
pub const LOST: &str = "editors";

/// A call in the ledger.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The webhook it was for, by name.
    pub webhook: String,
    /// As it arrived.
    pub call: Call,
    /// What it was answered.
    pub status: StatusCode,
}

/// The receiver's memory.
#[derive(Debug, Default)]
pub struct Ledger {
    sabotage: Option<Sabotage>,
    entries: Mutex<Vec<Entry>>,
    failures: Mutex<HashMap<(String, Vec<u8>), u32>>,
}

impl Ledger {
    /// An empty ledger, honest unless sabotaged.
    pub fn new(sabotage: Option<Sabotage>) -> Self {
        Self { sabotage, ..Self::default() }
    }

    /// Everything that arrived, in order.
    pub fn entries(&self) -> Vec<Entry> {
        lock(&self.entries).clone()
    }

    fn status(&self, behaviour: Behaviour, webhook: &str, call: &Call) -> StatusCode {
        match behaviour {
            Behaviour::Refuses => StatusCode::INTERNAL_SERVER_ERROR,
            Behaviour::FailsTwice if self.sabotage != Some(Sabotage::Retry) => {
                let mut failures = lock(&self.failures);
                let failed = failures.entry((webhook.to_owned(), message_of(call))).or_default();
                *failed += 1;
                if *failed <= 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
            }
            Behaviour::FailsTwice | Behaviour::Succeeds | Behaviour::Slow => StatusCode::OK,
        }
    }
}

#[async_trait]
impl Answer for Ledger {
    async fn answer(&self, mut call: Call) -> StatusCode {
        let mut parts = call.path.split('/').skip(1);
        let behaviour = parts.next().and_then(Behaviour::parse);
        let (Some(behaviour), Some(webhook)) = (behaviour, parts.next().map(str::to_owned)) else {
            return StatusCode::NOT_FOUND;
        };
        let status = self.status(behaviour, &webhook, &call);
        match self.sabotage {
            Some(Sabotage::Loss) if webhook == LOST => return status,
            Some(Sabotage::Signature) => call.body.push(b' '),
            _ => {}
        }
        if behaviour == Behaviour::Slow {
            tokio::time::sleep(SLOW).await;
        }
        lock(&self.entries).push(Entry { webhook, call, status });
        status
    }
}

/// What stays the same through all attempts of one message: its id, or else its body.
fn message_of(call: &Call) -> Vec<u8> {
    call.header("webhook-id").map_or_else(|| call.body.clone(), |id| id.as_bytes().to_vec())
}

/// A panic while the lock was held leaves the list as it was, which is good enough for a list.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
