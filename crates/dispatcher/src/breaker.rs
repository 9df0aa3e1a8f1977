//! The circuit breaker of each webhook: failures in a row are counted here, open and half-open are shared with other
//! workers (DESIGN §4.4).
//!
//! Closed: calls go out. Open: none does until its time, then one worker gets the right to one probe. The probe's success
//! closes it, its failure opens it for twice as long.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_ports::limits::{Breaker, Breakers as Shared};
use tracing::{info, warn};

use crate::settings::BreakerSettings;
use crate::shares::Key;

/// Beyond this many webhooks with failures, those whose failures are old are forgotten.
const REMEMBERED: usize = 16 * 1024;

/// The breakers as this worker sees them. Without the shared state each worker decides for itself.
pub(crate) struct Breakers {
    settings: BreakerSettings,
    shared: Arc<dyn Shared>,
    /// Only webhooks with failures since their last success.
    troubled: Mutex<HashMap<Key, Trouble>>,
}

#[derive(Default)]
struct Trouble {
    /// The instants of the last failures in a row.
    failures: VecDeque<Timestamp>,
    open: Option<Open>,
}

struct Open {
    until: Timestamp,
    /// For how long it was opened last.
    length: Duration,
    /// A probe of this worker is under way, or another's is awaited.
    is_probed: bool,
}

/// Whether a call may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// Yes.
    Closed,
    /// Yes, and much depends on it.
    Probe,
    /// Not before then.
    Open(Timestamp),
}

impl Breakers {
    pub(crate) fn new(settings: BreakerSettings, shared: Arc<dyn Shared>) -> Self {
        Self { settings, shared, troubled: Mutex::default() }
    }

    /// How many are open, and how many are about to be probed or being probed (half-open).
    pub(crate) fn states(&self, now: Timestamp) -> (u64, u64) {
        let troubled = self.lock();
        let opens = troubled.values().filter_map(|trouble| trouble.open.as_ref());
        opens.fold((0, 0), |(open, half_open), one| {
            if now < one.until && !one.is_probed { (open + 1, half_open) } else { (open, half_open + 1) }
        })
    }

    /// Until when it is open, if it is; a look that takes no right.
    pub(crate) fn open_until(&self, key: &Key, now: Timestamp) -> Option<Timestamp> {
        let troubled = self.lock();
        troubled.get(key)?.open.as_ref().map(|open| open.until).filter(|until| now < *until)
    }

    /// Asks to make a call that ends within `deadline`. When the breaker's time has come, exactly one worker may probe.
    pub(crate) async fn pass(&self, key: &Key, now: Timestamp, deadline: Duration) -> Pass {
        let probe_ends = now.plus(deadline);
        {
            let mut troubled = self.lock();
            let Some(open) = troubled.get_mut(key).and_then(|trouble| trouble.open.as_mut()) else {
                return Pass::Closed;
            };
            if now < open.until {
                return Pass::Open(open.until);
            }
            // Those who come while we ask wait for what the probe brings.
            open.until = probe_ends;
            open.is_probed = true;
        }
        match self.shared.probe(&key.space, &key.webhook, probe_ends).await {
            Ok(true) => Pass::Probe,
            Ok(false) => self.learn(key, now, probe_ends).await,
            Err(error) => {
                warn!(%error, "the shared breakers are away; this worker probes for itself");
                Pass::Probe
            }
        }
    }

    /// Someone else probes, or has closed it.
    async fn learn(&self, key: &Key, now: Timestamp, probe_ends: Timestamp) -> Pass {
        let asked = [(key.space.clone(), key.webhook.clone())];
        let state = self.shared.breakers(&asked).await.map(|states| states.into_iter().next().flatten());
        let until = match state {
            Ok(None) => {
                self.lock().remove(key);
                return Pass::Closed;
            }
            Ok(Some(Breaker::Open { until } | Breaker::HalfOpen { until })) if until > now => until,
            // Its time came while we asked: the next one to ask may probe.
            Ok(Some(_)) => now.plus(self.settings.shortest),
            Err(_) => probe_ends,
        };
        if let Some(open) = self.lock().get_mut(key).and_then(|trouble| trouble.open.as_mut()) {
            open.until = until;
            open.is_probed = false;
        }
        Pass::Open(until)
    }

    /// The receiver was gone when it was called last: the next call is a probe, and the others wait for what it brings.
    pub(crate) async fn doubt(&self, key: &Key, now: Timestamp) {
        let open = Open { until: now, length: self.settings.shortest, is_probed: false };
        self.lock().entry(key.clone()).or_default().open.get_or_insert(open);
        if let Err(error) = self.shared.open(&key.space, &key.webhook, now).await {
            warn!(%error, "the open breaker could not be shared");
        }
    }

    /// A call was answered: the receiver lives.
    pub(crate) async fn success(&self, key: &Key) {
        let was_open = {
            let mut troubled = self.lock();
            // Most webhooks have no trouble, and this is on the way of every call.
            !troubled.is_empty() && troubled.remove(key).is_some_and(|trouble| trouble.open.is_some())
        };
        if !was_open {
            return;
        }
        info!(space = %key.space, webhook = %key.webhook, "circuit breaker closed");
        if let Err(error) = self.shared.close(&key.space, &key.webhook).await {
            warn!(%error, "the closed breaker could not be shared");
        }
    }

    /// A call failed in a way that says the receiver is down; whether the breaker opens by it.
    pub(crate) async fn failure(&self, key: &Key, pass: Pass, now: Timestamp) -> bool {
        let Some(until) = self.note_failure(key, pass, now) else { return false };
        info!(space = %key.space, webhook = %key.webhook, %until, "circuit breaker open");
        if let Err(error) = self.shared.open(&key.space, &key.webhook, until).await {
            warn!(%error, "the open breaker could not be shared");
        }
        true
    }

    /// Until when it opens by this failure, if it does.
    fn note_failure(&self, key: &Key, pass: Pass, now: Timestamp) -> Option<Timestamp> {
        let settings = &self.settings;
        let mut troubled = self.lock();
        if troubled.len() >= REMEMBERED {
            let old = now.minus(settings.longest);
            troubled.retain(|_, trouble| trouble.failures.back().is_some_and(|last| *last > old));
        }
        let trouble = troubled.entry(key.clone()).or_default();
        trouble.failures.push_back(now);
        if trouble.failures.len() > settings.failures {
            trouble.failures.pop_front();
        }
        let length = match &trouble.open {
            Some(open) if pass == Pass::Probe => (2 * open.length).min(settings.longest),
            // Calls that were under way when it opened say nothing new.
            Some(_) => return None,
            None => {
                let first = trouble.failures.front().copied().unwrap_or(now);
                let in_a_row = trouble.failures.len() >= settings.failures;
                if !in_a_row || now.since(first) > settings.within {
                    return None;
                }
                settings.shortest
            }
        };
        let until = now.plus(length);
        trouble.open = Some(Open { until, length, is_probed: false });
        Some(until)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Trouble>> {
        self.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
