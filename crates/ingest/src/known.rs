//! What was found in a store not long ago: believed for a few seconds without a look, and for longer while the store does
//! not answer. Publishers' every request would otherwise cost reads, and none would pass while the store is away.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;

/// At most so many things of a kind are remembered.
const REMEMBERED: usize = 1024;
/// So long a look may take when there is something to believe instead. A store answers within milliseconds; one that is
/// away takes seconds to say so, and every request would wait for it.
const LOOK: Duration = Duration::from_millis(250);

/// How long what was found is believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Belief {
    /// Without another look.
    pub(crate) unasked: Duration,
    /// While the store does not answer.
    pub(crate) at_most: Duration,
}

/// Things of one kind.
pub(crate) struct Known<K, V> {
    belief: Belief,
    clock: Arc<dyn Clock>,
    entries: Mutex<HashMap<K, Entry<V>>>,
}

struct Entry<V> {
    value: V,
    /// When the store said so.
    found_at: Timestamp,
    /// When it was last looked for, in vain or not.
    looked_at: Timestamp,
}

impl<K: Hash + Eq, V: Clone> Known<K, V> {
    pub(crate) fn new(belief: Belief, clock: Arc<dyn Clock>) -> Self {
        Self { belief, clock, entries: Mutex::new(HashMap::new()) }
    }

    /// What is behind this key: as it was found lately, or else as `look` finds it. If that fails or takes long, as it was
    /// last found, if that may still be believed. What does not exist is not remembered: it would fill the memory with
    /// whatever strangers ask for, and a new token or space must work at once.
    pub(crate) async fn find(
        &self,
        key: K,
        look: impl Future<Output = PortResult<Option<V>>>,
    ) -> PortResult<Option<V>> {
        let now = self.clock.now();
        let last = match self.last(&key, now) {
            Some((value, true)) => return Ok(Some(value)),
            Some((value, false)) => Some(value),
            None => None,
        };
        let Some(last) = last else {
            let found = look.await?;
            self.note(key, found.as_ref(), now);
            return Ok(found);
        };
        let looked = tokio::select! {
            biased;
            looked = look => looked.ok(),
            () = self.clock.sleep_until(now.plus(LOOK)) => None,
        };
        if let Some(found) = looked {
            self.note(key, found.as_ref(), now);
            return Ok(found);
        }
        if let Some(entry) = self.entries().get_mut(&key) {
            entry.looked_at = now;
        }
        Ok(Some(last))
    }

    /// What was last found, if it may be believed at all; `true` when without another look. A clock set back must not make
    /// anything last longer.
    fn last(&self, key: &K, now: Timestamp) -> Option<(V, bool)> {
        let within = |since: Timestamp, time: Duration| now >= since && now.since(since) < time;
        let entries = self.entries();
        let entry = entries.get(key).filter(|entry| within(entry.found_at, self.belief.at_most))?;
        Some((entry.value.clone(), within(entry.looked_at, self.belief.unasked)))
    }

    fn note(&self, key: K, found: Option<&V>, now: Timestamp) {
        let mut entries = self.entries();
        let Some(value) = found else {
            entries.remove(&key);
            return;
        };
        if entries.len() >= REMEMBERED {
            entries
                .retain(|_, entry| now >= entry.found_at && now.since(entry.found_at) < self.belief.unasked);
        }
        if entries.len() >= REMEMBERED {
            entries.clear();
        }
        entries.insert(key, Entry { value: value.clone(), found_at: now, looked_at: now });
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, HashMap<K, Entry<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use postrider_ports::error::PortError;
    use postrider_testkit::ManualClock;

    use super::*;

    const BELIEF: Belief = Belief { unasked: Duration::from_secs(5), at_most: Duration::from_secs(60) };

    fn known() -> (Arc<ManualClock>, Known<usize, &'static str>) {
        let clock = Arc::new(ManualClock::new());
        (clock.clone(), Known::new(BELIEF, clock))
    }

    fn away() -> impl Future<Output = PortResult<Option<&'static str>>> {
        std::future::ready(Err(PortError::transient("away")))
    }

    fn found(value: Option<&'static str>) -> impl Future<Output = PortResult<Option<&'static str>>> {
        std::future::ready(Ok(value))
    }

    #[tokio::test]
    async fn what_is_known_is_believed_for_its_time_and_the_memory_is_bounded() {
        let (clock, known) = known();
        known.find(0, found(Some("zero"))).await.expect("found");
        clock.advance(Duration::from_millis(4_999));
        assert_eq!(known.find(0, away()).await.expect("believed"), Some("zero"));
        clock.advance(Duration::from_millis(1));
        assert_eq!(known.find(0, found(None)).await.expect("looked for"), None, "it is looked for again");
        assert!(known.find(0, away()).await.is_err(), "what does not exist is not remembered");
        for key in 0..=REMEMBERED {
            known.find(key, found(Some("again"))).await.expect("found");
        }
        let held = known.entries().len();
        assert!((1..=REMEMBERED).contains(&held), "{held}");
    }

    #[tokio::test]
    async fn while_the_store_is_away_what_was_found_is_believed_for_a_minute_and_no_longer() {
        let (clock, known) = known();
        known.find(0, found(Some("zero"))).await.expect("found");
        for _ in 0..11 {
            clock.advance(Duration::from_secs(5));
            assert_eq!(known.find(0, away()).await.expect("believed"), Some("zero"));
        }
        clock.advance(Duration::from_secs(5));
        assert!(known.find(0, away()).await.is_err());
        assert_eq!(known.find(0, found(Some("new"))).await.expect("found"), Some("new"));
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_is_waited_for_once_in_five_seconds_and_not_long() {
        let (clock, known) = known();
        known.find(0, found(Some("zero"))).await.expect("found");
        clock.advance(Duration::from_secs(5));
        let never = std::future::pending();
        let (answer, ()) = futures::join!(known.find(0, never), async {
            clock.someone_sleeps().await;
            clock.advance(LOOK);
        });
        assert_eq!(answer.expect("believed"), Some("zero"));
        let at_once =
            known.find(0, std::future::pending()).now_or_never().expect("nobody else waits meanwhile");
        assert_eq!(at_once.expect("believed"), Some("zero"));
    }
}
