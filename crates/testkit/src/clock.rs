//! Clocks for tests: one that stands still until it is moved, and the real one.

use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use tokio::sync::watch;

/// Where a [`ManualClock`] starts: 2026-01-01T00:00:00Z.
pub const START: Timestamp = Timestamp::from_unix_ms(1_767_225_600_000);

/// A clock that only moves when it is told to, and wakes who sleeps until then.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<State>);

#[derive(Debug, Clone)]
struct State {
    now: Timestamp,
    elapsed: Duration,
    /// Until when each sleeper sleeps.
    deadlines: Vec<Timestamp>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::at(START)
    }
}

impl ManualClock {
    /// A clock that stands at [`START`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock that stands at an instant.
    pub fn at(now: Timestamp) -> Self {
        Self(watch::Sender::new(State { now, elapsed: Duration::ZERO, deadlines: Vec::new() }))
    }

    /// Moves on and wakes who slept until then.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|state| {
            state.now = state.now.plus(by);
            state.elapsed += by;
        });
    }

    /// Jumps to an instant, as a corrected system clock does; `monotonic` never goes back with it.
    pub fn set(&self, now: Timestamp) {
        self.0.send_modify(|state| {
            state.elapsed += now.since(state.now);
            state.now = now;
        });
    }

    /// How many sleep now.
    pub fn sleepers(&self) -> usize {
        self.0.borrow().deadlines.len()
    }

    /// Waits until somebody sleeps; returns the earliest instant that is slept for.
    pub async fn someone_sleeps(&self) -> Timestamp {
        let mut state = self.0.subscribe();
        let asleep = state.wait_for(|state| !state.deadlines.is_empty()).await;
        let earliest = asleep.ok().and_then(|state| state.deadlines.iter().min().copied());
        // `self` holds the sender, so waiting cannot fail.
        earliest.unwrap_or_else(|| self.now())
    }
}

/// Notes who sleeps, for as long as he sleeps.
struct Sleeper<'c> {
    clock: &'c ManualClock,
    deadline: Timestamp,
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.clock.0.send_modify(|state| {
            if let Some(at) = state.deadlines.iter().position(|one| *one == self.deadline) {
                state.deadlines.swap_remove(at);
            }
        });
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.0.borrow().now
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        if self.now() >= deadline {
            return;
        }
        let mut state = self.0.subscribe();
        self.0.send_modify(|state| state.deadlines.push(deadline));
        let _sleeper = Sleeper { clock: self, deadline };
        // `self` holds the sender, so waiting cannot fail.
        drop(state.wait_for(|state| state.now >= deadline).await);
    }

    fn monotonic(&self) -> Duration {
        self.0.borrow().elapsed
    }
}

/// The operating system's clock, for tests over real processes and real sockets.
#[derive(Debug, Clone, Copy)]
pub struct RealClock {
    zero: std::time::Instant,
}

impl RealClock {
    /// The clock; its `monotonic` counts from here.
    #[expect(clippy::disallowed_methods, reason = "this is the port `Clock` of tests that need real time")]
    pub fn new() -> Self {
        Self { zero: std::time::Instant::now() }
    }
}

impl Default for RealClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port `Clock` of tests that need real time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, deadline: Timestamp) {
        // A timer may end a moment early by the wall clock.
        while self.now() < deadline {
            tokio::time::sleep(deadline.since(self.now())).await;
        }
    }

    fn monotonic(&self) -> Duration {
        self.zero.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use std::sync::Arc;

    #[test]
    fn a_manual_clock_starts_at_its_start_and_stands_still() {
        let clock = ManualClock::new();
        assert_eq!(clock.now().to_string(), "2026-01-01T00:00:00.000Z");
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_sleeper_wakes_exactly_when_his_time_has_come() {
        let clock = Arc::new(ManualClock::new());
        let mut sleep = clock.sleep_until(START.plus(Duration::from_secs(5)));
        assert!((&mut sleep).now_or_never().is_none());
        assert_eq!(clock.someone_sleeps().await, START.plus(Duration::from_secs(5)));
        clock.advance(Duration::from_millis(4999));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Duration::from_millis(1));
        sleep.await;
        assert_eq!(clock.sleepers(), 0);
    }

    #[test]
    fn a_dropped_sleeper_is_forgotten() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep_until(START.plus(Duration::from_secs(5)));
        assert!((&mut sleep).now_or_never().is_none());
        assert_eq!(clock.sleepers(), 1);
        drop(sleep);
        assert_eq!(clock.sleepers(), 0);
    }

    #[test]
    fn a_clock_that_is_set_back_still_counts_forward() {
        let clock = ManualClock::new();
        clock.advance(Duration::from_secs(10));
        clock.set(START);
        assert_eq!(clock.now(), START);
        assert_eq!(clock.monotonic(), Duration::from_secs(10));
        clock.set(START.plus(Duration::from_secs(1)));
        assert_eq!(clock.monotonic(), Duration::from_secs(11));
    }
}
