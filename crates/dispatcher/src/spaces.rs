//! The spaces a worker knows: loaded with the first event, bounded by bytes, and never older than the version that the
//! subscriptions were last seen at (DESIGN §4.5).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::subscriptions::{Change, Changes, Subscriptions};

use crate::index::{Known, SpaceIndex};

/// How often a space is loaded again because it changed while being loaded, before that is called a fault.
const LOADS: usize = 8;

/// The matching index of one worker.
pub(crate) struct Spaces {
    subscriptions: Arc<dyn Subscriptions>,
    clock: Arc<dyn Clock>,
    bytes: usize,
    unverified_for: Duration,
    state: Mutex<State>,
    /// Held while asking the subscriptions, so that many who miss the same thing ask once.
    asking: tokio::sync::Mutex<()>,
    hits: AtomicU64,
    loads: AtomicU64,
}

#[derive(Default)]
struct State {
    /// What everything loaded is not older than; `None` before the first look.
    version: Option<u64>,
    verified_at: Option<Timestamp>,
    loaded: HashMap<SpaceId, Loaded>,
    bytes: usize,
    /// Grows with each use.
    uses: u64,
}

struct Loaded {
    index: Arc<SpaceIndex>,
    last_use: u64,
}

impl Spaces {
    pub(crate) fn new(
        subscriptions: Arc<dyn Subscriptions>,
        clock: Arc<dyn Clock>,
        bytes: usize,
        unverified_for: Duration,
    ) -> Self {
        let (state, asking) = (Mutex::default(), tokio::sync::Mutex::default());
        let (hits, loads) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { subscriptions, clock, bytes, unverified_for, state, asking, hits, loads }
    }

    /// How many looks found their space, or had to load it first.
    pub(crate) fn lookups(&self, is_hit: bool) -> u64 {
        if is_hit { &self.hits } else { &self.loads }.load(Ordering::Relaxed)
    }

    /// The index of a space. An error is the subscriptions'.
    pub(crate) async fn space(&self, space: &SpaceId) -> PortResult<Arc<SpaceIndex>> {
        if let Some(index) = self.lock().used(space) {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(index);
        }
        self.loads.fetch_add(1, Ordering::Relaxed);
        let _one_at_a_time = self.asking.lock().await;
        if let Some(index) = self.lock().used(space) {
            return Ok(index);
        }
        for _ in 0..LOADS {
            let snapshot = self.subscriptions.load(space).await?;
            let index = Arc::new(SpaceIndex::of(snapshot.webhooks, snapshot.settings));
            let mut state = self.lock();
            // A change that was applied while this was being read may be missing in it.
            if snapshot.version >= *state.version.get_or_insert(snapshot.version) {
                state.keep(space, Arc::clone(&index), self.bytes);
                return Ok(index);
            }
        }
        Err(PortError::transient(format!(
            "loading the webhooks of space {space}: {LOADS} times older than the version seen before"
        )))
    }

    /// One webhook as it stands.
    pub(crate) async fn webhook(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Arc<Known>>> {
        Ok(self.space(space).await?.get(id).cloned())
    }

    /// Compares the version and applies what changed.
    pub(crate) async fn refresh(&self) -> PortResult<()> {
        let _one_at_a_time = self.asking.lock().await;
        // What was true when we asked counts, not when the answer came.
        let asked_at = self.clock.now();
        let version = self.subscriptions.version().await?;
        let known = self.lock().version;
        if let Some(known) = known.filter(|known| *known != version) {
            let changes = self.subscriptions.changes_since(known).await?;
            self.lock().apply(changes, self.bytes);
        }
        let mut state = self.lock();
        state.version.get_or_insert(version);
        state.verified_at = Some(asked_at);
        Ok(())
    }

    /// Whether it was verified lately enough to be used.
    pub(crate) fn is_usable(&self) -> bool {
        self.usable_until().is_some_and(|until| self.clock.now() <= until)
    }

    /// Until when it may be used if it cannot be verified again; `None` before the first time.
    pub(crate) fn usable_until(&self) -> Option<Timestamp> {
        self.lock().verified_at.map(|at| at.plus(self.unverified_for))
    }

    /// Whether it was verified after an instant.
    pub(crate) fn verified_after(&self, instant: Timestamp) -> bool {
        self.lock().verified_at.is_some_and(|at| at > instant)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn used(&mut self, space: &SpaceId) -> Option<Arc<SpaceIndex>> {
        self.uses += 1;
        let loaded = self.loaded.get_mut(space)?;
        loaded.last_use = self.uses;
        Some(Arc::clone(&loaded.index))
    }

    /// Keeps an index, and lets go of those used longest ago when there is no space for all. The new one always stays.
    fn keep(&mut self, space: &SpaceId, index: Arc<SpaceIndex>, limit: usize) {
        self.uses += 1;
        self.bytes += index.bytes();
        let loaded = Loaded { index, last_use: self.uses };
        if let Some(before) = self.loaded.insert(space.clone(), loaded) {
            self.bytes -= before.index.bytes();
        }
        while self.bytes > limit && self.loaded.len() > 1 {
            let oldest = self.loaded.iter().min_by_key(|(_, loaded)| loaded.last_use);
            let Some(oldest) = oldest.map(|(space, _)| space.clone()) else { return };
            if let Some(gone) = self.loaded.remove(&oldest) {
                self.bytes -= gone.index.bytes();
            }
        }
    }

    fn apply(&mut self, changes: Changes, limit: usize) {
        self.version = Some(changes.version);
        if changes.incomplete {
            self.loaded.clear();
            self.bytes = 0;
            return;
        }
        let mut by_space: HashMap<SpaceId, Vec<Change>> = HashMap::new();
        for (space, change) in changes.changed {
            by_space.entry(space).or_default().push(change);
        }
        for (space, changed) in by_space {
            if let Some(loaded) = self.loaded.get(&space) {
                let index = Arc::new(loaded.index.with(changed));
                self.keep(&space, index, limit);
            }
        }
    }
}
