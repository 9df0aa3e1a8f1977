//! Every call of a port passes a tap, before and after its effect. A test can let the calls of one name fail, or let the
//! n-th passage never return: the instant of a kill.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use postrider_ports::error::{PortError, PortResult};
use tokio::sync::Notify;

/// The taps of one world. Clones mean the same.
#[derive(Clone, Default)]
pub(crate) struct Taps {
    state: Arc<Mutex<State>>,
    blocked: Arc<Notify>,
}

#[derive(Default)]
struct State {
    passages: usize,
    block_at: Option<usize>,
    blocked_in: Option<String>,
    failing: HashMap<String, usize>,
    calls: HashMap<String, usize>,
    order: Vec<String>,
}

impl Taps {
    /// Passes one call through: its effect happens unless it fails or is blocked before.
    pub(crate) async fn pass<T>(&self, name: &str, effect: impl AsyncFnOnce() -> T) -> PortResult<T> {
        self.passage(name, "before").await;
        {
            let mut state = self.lock();
            *state.calls.entry(name.to_owned()).or_default() += 1;
            state.order.push(name.to_owned());
            if let Some(left) = state.failing.get_mut(name).filter(|left| **left > 0) {
                *left = left.saturating_sub(1);
                return Err(PortError::transient(format!("{name} is away, says the test")));
            }
        }
        let done = effect().await;
        self.passage(name, "after").await;
        Ok(done)
    }

    /// Lets the next `times` calls of this name fail.
    pub(crate) fn fail(&self, name: &str, times: usize) {
        self.lock().failing.insert(name.to_owned(), times);
    }

    /// How often this was called.
    pub(crate) fn calls(&self, name: &str) -> usize {
        self.lock().calls.get(name).copied().unwrap_or(0)
    }

    /// Every call so far, in order.
    pub(crate) fn order(&self) -> Vec<String> {
        self.lock().order.clone()
    }

    /// Lets passage number `n` (from now on, from 0) never return.
    pub(crate) fn block_at(&self, n: usize) {
        let mut state = self.lock();
        (state.passages, state.block_at, state.blocked_in) = (0, Some(n), None);
    }

    /// Lets everything pass again.
    pub(crate) fn unblock(&self) {
        self.lock().block_at = None;
    }

    /// Waits until somebody is blocked, and says where.
    pub(crate) async fn blocked(&self) -> String {
        loop {
            let notified = self.blocked.notified();
            if let Some(place) = &self.lock().blocked_in {
                return place.clone();
            }
            notified.await;
        }
    }

    async fn passage(&self, name: &str, when: &str) {
        let blocks = {
            let mut state = self.lock();
            let number = state.passages;
            state.passages += 1;
            // A killed process does nothing more, whatever else it had under way.
            let blocks = state.block_at.is_some_and(|at| number >= at);
            if blocks && state.blocked_in.is_none() {
                state.blocked_in = Some(format!("{when} {name}"));
            }
            blocks
        };
        if blocks {
            self.blocked.notify_waiters();
            std::future::pending::<()>().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the taps")
    }
}
