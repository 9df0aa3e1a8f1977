//! Circuit breakers that are not closed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::limits::{Breaker, Breakers};

type Key = (SpaceId, WebhookId);

/// Breakers in memory. There are at most as many as webhooks that fail.
pub struct MemoryBreakers {
    clock: Arc<dyn Clock>,
    states: Mutex<HashMap<Key, Breaker>>,
}

impl MemoryBreakers {
    /// All closed.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, states: Mutex::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<Key, Breaker>) -> T) -> T {
        work(&mut self.states.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn key(space: &SpaceId, webhook: &WebhookId) -> Key {
    (space.clone(), webhook.clone())
}

#[async_trait]
impl Breakers for MemoryBreakers {
    async fn breakers(&self, webhooks: &[(SpaceId, WebhookId)]) -> PortResult<Vec<Option<Breaker>>> {
        Ok(self.with(|states| webhooks.iter().map(|key| states.get(key).copied()).collect()))
    }

    async fn open(&self, space: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<()> {
        self.with(|states| {
            let kept = match states.get(&key(space, webhook)) {
                Some(Breaker::Open { until: before }) => until.max(*before),
                _ => until,
            };
            states.insert(key(space, webhook), Breaker::Open { until: kept });
        });
        Ok(())
    }

    async fn probe(&self, space: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<bool> {
        let now = self.clock.now();
        Ok(self.with(|states| match states.get_mut(&key(space, webhook)) {
            // An open breaker's time has come, or the worker that probed never reported.
            Some(state) if ends(*state) <= now => {
                *state = Breaker::HalfOpen { until };
                true
            }
            _ => false,
        }))
    }

    async fn close(&self, space: &SpaceId, webhook: &WebhookId) -> PortResult<()> {
        self.with(|states| states.remove(&key(space, webhook)));
        Ok(())
    }
}

fn ends(state: Breaker) -> Timestamp {
    match state {
        Breaker::Open { until } | Breaker::HalfOpen { until } => until,
    }
}
