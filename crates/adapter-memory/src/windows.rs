//! Coalescing windows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::coalesce::Window;
use postrider_domain::gathering::Gathering;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::windows::{Coalesced, Entry, Newest, Opening, Windows};

use crate::expiring::Expiring;

/// A window is remembered for so long after its end: its delivery may be late.
const KEPT: Duration = Duration::from_secs(600);
/// Windows kept at most. Beyond, those that end first are forgotten: more calls, never fewer.
const MOST: usize = 50_000;
/// What all windows may list, in bytes: 32 MiB, two hundred thousand events. Beyond, events are counted and not listed, and
/// one that comes twice counts twice.
const LISTS: usize = 32 * 1024 * 1024;

/// Windows in memory.
pub struct MemoryWindows {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    /// The end of each key's current window.
    current: Expiring<String, Timestamp>,
    /// What each window has gathered, by key and end.
    gathered: Expiring<(String, Timestamp), Kept>,
    /// What the lists of all windows take.
    lists: Arc<AtomicUsize>,
}

/// What a window has gathered. Its share of [`State::lists`] is given back when it is forgotten.
struct Kept {
    gathering: Gathering,
    counted: usize,
    lists: Arc<AtomicUsize>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.lists.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

impl Kept {
    fn enter(&mut self, entry: &Entry) {
        let with_lists = self.lists.load(Ordering::Relaxed) < LISTS;
        self.gathering.enter(&entry.window, entry.delivery, &entry.event, with_lists);
        let weight = self.gathering.weight();
        self.lists.fetch_add(weight - self.counted, Ordering::Relaxed);
        self.counted = weight;
    }
}

impl MemoryWindows {
    /// No windows.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state =
            State { current: Expiring::new(MOST), gathered: Expiring::new(MOST), lists: Arc::default() };
        Self { clock, state: Mutex::new(state) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        state.current.sweep(now);
        state.gathered.sweep(now);
        work(&mut state)
    }

    /// Asks each window that is known.
    fn of_each<T>(&self, windows: &[Window], ask: impl Fn(&mut Gathering) -> Option<T>) -> Vec<Option<T>> {
        let key = |window: &Window| (window.key.clone(), window.ends_at);
        self.with(|state| {
            let known = |window: &Window| ask(&mut state.gathered.get_mut(&key(window))?.gathering);
            windows.iter().map(known).collect()
        })
    }
}

#[async_trait]
impl Windows for MemoryWindows {
    async fn join(&self, openings: &[Opening]) -> PortResult<Vec<Timestamp>> {
        Ok(self.with(|state| {
            let join = |opening: &Opening| match state.current.get(&opening.key) {
                Some(end) if opening.at < *end => *end,
                _ => {
                    let kept = opening.ends_at.plus(KEPT);
                    state.current.put(opening.key.clone(), opening.ends_at, kept);
                    opening.ends_at
                }
            };
            openings.iter().map(join).collect()
        }))
    }

    async fn register(&self, confirmed: &[Entry]) -> PortResult<()> {
        self.with(|state| {
            for entry in confirmed {
                let key = (entry.window.key.clone(), entry.window.ends_at);
                if let Some(known) = state.gathered.get_mut(&key) {
                    known.enter(entry);
                    continue;
                }
                let lists = Arc::clone(&state.lists);
                let mut fresh = Kept { gathering: Gathering::default(), counted: 0, lists };
                fresh.enter(entry);
                state.gathered.put(key, fresh, entry.window.ends_at.plus(KEPT));
            }
        });
        Ok(())
    }

    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>> {
        Ok(self.of_each(windows, Gathering::newest))
    }

    async fn coalesced(&self, windows: &[Window]) -> PortResult<Vec<Option<Coalesced>>> {
        Ok(self.of_each(windows, |gathering| Some(gathering.coalesced())))
    }
}
