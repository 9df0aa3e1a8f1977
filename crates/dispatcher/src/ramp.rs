//! A receiver that was down is not flooded with what waited for it: after its first answer it gets ten calls in the first
//! second and twice as many in each one that follows, per worker, until after ten seconds there is no such limit (DESIGN
//! §4.4). What comes too early is told the second that has a place for it, so that it comes once more and not every second.
//! How many calls a receiver holds at once grows from four (`shares`). Pure.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;

use crate::shares::Key;

/// Calls in the first second.
const FIRST: f64 = 10.0;
/// How long it lasts: by then it is 10 × 2^10 calls per second, more than a worker makes.
const LASTS: Duration = Duration::from_secs(10);
/// Beyond this many webhooks, those that have been down for long without a sign are forgotten.
const REMEMBERED: usize = 16 * 1024;

/// The webhooks whose receivers are down, or are just returning.
#[derive(Default)]
pub(crate) struct Ramps(Mutex<HashMap<Key, Ramp>>);

struct Ramp {
    broke_at: Timestamp,
    /// When it answered first; `None` while it is down.
    since: Option<Timestamp>,
    /// Calls begun since then.
    begun: f64,
    /// Calls begun or told when to come.
    placed: f64,
}

impl Ramps {
    /// The receiver is down.
    pub(crate) fn broke(&self, key: &Key, now: Timestamp) {
        let mut ramps = self.lock();
        if ramps.len() >= REMEMBERED {
            // The breaker keeps those that matter; a forgotten one starts with four calls at once.
            ramps.retain(|_, ramp| now.since(ramp.broke_at) < Duration::from_secs(3600));
        }
        ramps.insert(key.clone(), Ramp { broke_at: now, since: None, begun: 0.0, placed: 0.0 });
    }

    /// The receiver answered.
    pub(crate) fn answered(&self, key: &Key, now: Timestamp) {
        let mut ramps = self.lock();
        // Most are not down, and this is on the way of every call.
        if ramps.is_empty() {
            return;
        }
        if let Some(ramp) = ramps.get_mut(key) {
            ramp.since.get_or_insert(now);
        }
    }

    /// Asks to begin a call; else says when to come again.
    pub(crate) fn take(&self, key: &Key, now: Timestamp) -> Result<(), Timestamp> {
        let mut ramps = self.lock();
        if ramps.is_empty() {
            return Ok(());
        }
        let Some(ramp) = ramps.get_mut(key) else { return Ok(()) };
        // While it is down the breaker decides.
        let Some(since) = ramp.since else { return Ok(()) };
        let age = now.since(since);
        if age >= LASTS {
            ramps.remove(key);
            return Ok(());
        }
        let second = u32::try_from(age.as_secs()).unwrap_or(u32::MAX);
        if ramp.begun + 1.0 <= allowed(second) {
            ramp.begun += 1.0;
            return Ok(());
        }
        ramp.placed = ramp.placed.max(ramp.begun) + 1.0;
        Err(since.plus(place(ramp.placed)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Ramp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls allowed up to and with this second, counted from 0: FIRST × (1 + 2 + 4 + …).
fn allowed(second: u32) -> f64 {
    FIRST * (2_f64.powf(f64::from(second) + 1.0) - 1.0)
}

/// After how long the call of this number has its place; those beyond the ramp at the pace at which it ends.
fn place(number: f64) -> Duration {
    let last = u32::try_from(LASTS.as_secs()).unwrap_or(u32::MAX);
    match (0..last).find(|second| number <= allowed(*second)) {
        Some(second) => Duration::from_secs(second.into()),
        None => {
            LASTS
                + Duration::from_secs_f64((number - allowed(last - 1)) / (allowed(last) - allowed(last - 1)))
        }
    }
}

#[cfg(test)]
mod tests {
    use postrider_domain::id::{SpaceId, WebhookId};

    use super::*;

    fn key(webhook: &str) -> Key {
        Key { space: SpaceId::new("s").expect("space"), webhook: WebhookId::new(webhook).expect("webhook") }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    /// Calls that may begin in each of the first seconds, with any number wanted.
    fn begun(ramps: &Ramps, from: i64, seconds: i64) -> Vec<usize> {
        let in_second = |second: i64| {
            let ms = (0..1000).step_by(100).map(move |ms| at(from + 1000 * second + ms));
            ms.map(|now| (0..100_000).take_while(|_| ramps.take(&key("w"), now).is_ok()).count()).sum()
        };
        (0..seconds).map(in_second).collect()
    }

    #[test]
    fn after_its_first_answer_it_gets_ten_calls_and_twice_as_many_each_second() {
        let ramps = Ramps::default();
        ramps.broke(&key("w"), at(0));
        assert_eq!(ramps.take(&key("w"), at(5)), Ok(()), "the probe");
        ramps.answered(&key("w"), at(10));
        ramps.answered(&key("w"), at(11));
        assert_eq!(begun(&ramps, 10, 5), [10, 20, 40, 80, 160]);
        assert_eq!(ramps.take(&key("other"), at(10)), Ok(()));
    }

    #[test]
    fn what_comes_too_early_is_told_the_second_that_has_a_place_for_it() {
        let ramps = Ramps::default();
        ramps.broke(&key("w"), at(0));
        ramps.answered(&key("w"), at(0));
        let asked: Vec<_> = (0..50_000).map(|_| ramps.take(&key("w"), at(0))).collect();
        let told = |from: i64, to: i64| {
            let within = |at: &Timestamp| (from..to).contains(&at.unix_ms());
            asked.iter().filter(|one| one.is_err_and(|at| within(&at))).count()
        };
        assert_eq!(asked.iter().filter(|one| one.is_ok()).count(), 10);
        let seconds: Vec<usize> = (0..10).map(|second| told(1000 * second, 1000 * (second + 1))).collect();
        assert_eq!(seconds, [0, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120]);
        let beyond: Vec<usize> = (10..15).map(|second| told(1000 * second, 1000 * (second + 1))).collect();
        assert_eq!(beyond.iter().sum::<usize>(), 50_000 - 10_230);
        assert!(beyond[..3].iter().all(|one| (10_200..=10_280).contains(one)), "{beyond:?}");
        assert_eq!(begun(&ramps, 1_000, 1), [20], "and there it has it");
    }

    #[test]
    fn after_ten_seconds_nothing_is_left_of_it() {
        let ramps = Ramps::default();
        ramps.broke(&key("w"), at(0));
        ramps.answered(&key("w"), at(0));
        assert_eq!(ramps.take(&key("w"), at(10_000)), Ok(()));
        assert!(ramps.lock().is_empty());
    }

    #[test]
    fn one_that_breaks_again_begins_again() {
        let ramps = Ramps::default();
        ramps.broke(&key("w"), at(0));
        ramps.answered(&key("w"), at(0));
        assert_eq!(begun(&ramps, 0, 3), [10, 20, 40]);
        ramps.broke(&key("w"), at(3_000));
        ramps.answered(&key("w"), at(9_000));
        assert_eq!(begun(&ramps, 9_000, 2), [10, 20]);
    }
}
