//! How fast the lane `bulk` is taken: it never hurries past others (DESIGN §1, §4.4). Pure.
//!
//! While the other lanes are quiet it takes what there is. Beside them it takes as many deliveries per second as they do,
//! and no fewer than a floor, so that replays and the far end of huge fan-outs get on but are felt by nobody.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;

/// The other lanes are quiet when nothing was taken from them for so long.
const QUIET: Duration = Duration::from_secs(1);
/// The rate of the others is an average over about so many seconds.
const MEMORY_SECONDS: f64 = 1.0;

/// The pace of one worker.
pub(crate) struct BulkPace {
    least: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// When the others last took something.
    others_at: Option<Timestamp>,
    /// Deliveries that they took, older ones counting less and less.
    weight: f64,
    /// No bulk before then, unless the others are quiet.
    next: Option<Timestamp>,
}

impl BulkPace {
    /// At least so many deliveries per second.
    pub(crate) fn new(least: u32) -> Self {
        Self { least, state: Mutex::default() }
    }

    /// The other lanes took so many deliveries.
    pub(crate) fn others_took(&self, deliveries: usize, now: Timestamp) {
        let mut state = self.lock();
        state.weight = state.weight_at(now) + number(deliveries);
        state.others_at = Some(now);
    }

    /// The lane took so many deliveries.
    pub(crate) fn took(&self, deliveries: usize, now: Timestamp) {
        let mut state = self.lock();
        let pace = (state.weight_at(now) / MEMORY_SECONDS).max(f64::from(self.least));
        let from = state.next.map_or(now, |next| next.max(now));
        state.next = Some(from.plus(Duration::from_secs_f64(number(deliveries) / pace)));
    }

    /// When the lane may take again; `None` for now.
    pub(crate) fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        let state = self.lock();
        state.next.filter(|next| *next > now && !state.is_quiet(now))
    }

    /// Whether nobody is there to be held up.
    pub(crate) fn is_alone(&self, now: Timestamp) -> bool {
        self.lock().is_quiet(now)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_quiet(&self, now: Timestamp) -> bool {
        self.others_at.is_none_or(|at| now.since(at) >= QUIET)
    }

    fn weight_at(&self, now: Timestamp) -> f64 {
        let age = self.others_at.map_or(f64::INFINITY, |at| now.since(at).as_secs_f64());
        if self.weight == 0.0 { 0.0 } else { self.weight * (-age / MEMORY_SECONDS).exp() }
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    /// Bundles of 16 that are taken within ten seconds, while the others take one delivery each `every_ms`.
    fn taken(pace: &BulkPace, every_ms: Option<i64>) -> usize {
        let mut taken = 0;
        for ms in 0..10_000 {
            if every_ms.is_some_and(|every| ms % every == 0) {
                pace.others_took(1, at(ms));
            }
            if pace.not_before(at(ms)).is_none() {
                pace.took(16, at(ms));
                taken += 16;
            }
        }
        taken
    }

    #[test]
    fn beside_others_it_keeps_its_pace_and_alone_it_goes_as_fast_as_it_can() {
        let beside = taken(&BulkPace::new(1000), Some(10));
        assert!((9_900..=10_100).contains(&beside), "1,000 a second beside 100 a second: {beside}");
        assert_eq!(taken(&BulkPace::new(1000), None), 160_000, "each millisecond, for nobody is there");
    }

    #[test]
    fn beside_many_it_takes_as_many_as_they_do() {
        let pace = BulkPace::new(16);
        let beside = taken(&pace, Some(2));
        assert!((4_200..=5_200).contains(&beside), "they take 500 a second: {beside}");
    }

    #[test]
    fn once_the_others_are_quiet_for_a_second_it_is_alone() {
        let pace = BulkPace::new(1);
        assert!(pace.is_alone(at(0)));
        pace.others_took(1, at(0));
        pace.took(16, at(0));
        assert!(!pace.is_alone(at(999)) && pace.not_before(at(999)).is_some());
        assert!(pace.is_alone(at(1000)) && pace.not_before(at(1000)).is_none());
    }
}
