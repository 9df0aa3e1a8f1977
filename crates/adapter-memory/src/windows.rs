//! Coalescing windows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::coalesce::Window;
use postrider_domain::delivery::DeliveryId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::windows::{Newest, Opening, Windows};

use crate::expiring::Expiring;

/// A window is remembered for so long after its end: its delivery may be late.
const KEPT: Duration = Duration::from_secs(600);
/// Windows kept at most. Beyond, those that end first are forgotten: more calls, never fewer.
const MOST: usize = 50_000;

/// Windows in memory.
pub struct MemoryWindows {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

struct State {
    /// The end of each key's current window.
    current: Expiring<String, Timestamp>,
    /// The newest confirmed delivery of each window, by key and end.
    newest: Expiring<(String, Timestamp), Newest>,
}

impl MemoryWindows {
    /// No windows.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let state = State { current: Expiring::new(MOST), newest: Expiring::new(MOST) };
        Self { clock, state: Mutex::new(state) }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        state.current.sweep(now);
        state.newest.sweep(now);
        work(&mut state)
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

    async fn register(&self, confirmed: &[(Window, DeliveryId)]) -> PortResult<()> {
        self.with(|state| {
            for (window, delivery) in confirmed {
                let key = (window.key.clone(), window.ends_at);
                if state.newest.get(&key).is_none_or(|newest| newest.rank < window.rank) {
                    let newest = Newest { rank: window.rank.clone(), delivery: *delivery };
                    state.newest.put(key, newest, window.ends_at.plus(KEPT));
                }
            }
        });
        Ok(())
    }

    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>> {
        let key = |window: &Window| (window.key.clone(), window.ends_at);
        Ok(self.with(|state| windows.iter().map(|window| state.newest.get(&key(window)).cloned()).collect()))
    }
}
