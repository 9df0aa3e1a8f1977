//! Stopping for a moment when something we need is away: consumption pauses with growing back-off and the process says
//! "not ready", instead of taking and giving back the same messages in a loop (DESIGN §4.2).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_runtime::health::Component;

/// The first pause; each one that follows is twice as long.
const SHORTEST: Duration = Duration::from_millis(100);
/// No pause is longer, so that work goes on within 3 s after the fault is mended, a new connection included.
const LONGEST: Duration = Duration::from_secs(2);

/// The pause of one worker.
pub(crate) struct Pause {
    clock: Arc<dyn Clock>,
    component: Component,
    patience: Duration,
    /// Whether there was trouble that is not over: saves the lock on the way of every delivery.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct State {
    until: Timestamp,
    length: Duration,
}

impl Pause {
    pub(crate) fn new(clock: Arc<dyn Clock>, component: Component, patience: Duration) -> Self {
        let state = Mutex::new(State { until: Timestamp::from_unix_ms(0), length: Duration::ZERO });
        Self { clock, component, patience, troubled: AtomicBool::new(false), state }
    }

    /// Something failed that time may heal. Many failures of one moment make one pause.
    pub(crate) fn trouble(&self, what: &str) {
        self.begins_trouble(what);
    }

    /// The same; `true` for the failure that began the pause.
    pub(crate) fn begins_trouble(&self, what: &str) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let begins = now >= state.until;
        if begins {
            state.length = (2 * state.length).clamp(SHORTEST, LONGEST);
            state.until = now.plus(state.length);
        }
        self.troubled.store(true, Ordering::Relaxed);
        self.component.not_ready(what);
        begins
    }

    /// Something succeeded, or nothing failed: with nothing to do there is no other sign. After a pause that no trouble followed for as long again, all is well.
    pub(crate) fn success(&self) {
        if !self.troubled.load(Ordering::Relaxed) {
            return;
        }
        let now = self.clock.now();
        let mut state = self.lock();
        if now >= state.until.plus(state.length) {
            state.length = Duration::ZERO;
            self.troubled.store(false, Ordering::Relaxed);
            self.component.ready();
        }
    }

    /// Waits until the pause is over.
    pub(crate) async fn over(&self) {
        loop {
            let until = self.lock().until;
            if self.clock.now() >= until {
                return;
            }
            self.clock.sleep_until(until).await;
        }
    }

    /// Does what must not be given up lightly: the outcome of a call that was made would be lost with it, and the call made
    /// again. Tries with pauses until it succeeds, cannot succeed, or patience ends. `attempt` is told whether it comes
    /// again: what was published without a confirm may be there.
    pub(crate) async fn insist<F, A>(&self, mut attempt: F) -> PortResult<()>
    where
        F: FnMut(bool) -> A,
        A: Future<Output = PortResult<()>>,
    {
        let until = self.clock.now().plus(self.patience);
        let mut again = false;
        loop {
            match attempt(again).await {
                Ok(()) => {
                    self.success();
                    return Ok(());
                }
                Err(error) if !error.is_transient() => return Err(error),
                Err(error) => {
                    self.trouble(&error.to_string());
                    if self.clock.now() >= until {
                        return Err(error);
                    }
                }
            }
            self.over().await;
            again = true;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
