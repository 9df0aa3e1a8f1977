//! How long a delivery is put off when there is no room for it: its webhook's backlog ÷ the observed rate, 1 s to 15 min
//! (DESIGN §4.4). Pure.
//!
//! With W waiting, a delivery comes back when its turn is near, so it is put off again only as often as the rate was
//! overestimated (about log2 W times) and, beyond a quarter of an hour, once per 900 s: W ÷ 900 deferrals a second.

use std::collections::BTreeMap;
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;

/// Nothing is put off for less: shorter waits happen in the process.
pub(crate) const SHORTEST: Duration = Duration::from_secs(1);
/// Nothing is put off for longer, so that a receiver that recovers is not left alone for more than 15 min.
pub(crate) const LONGEST: Duration = Duration::from_secs(900);
/// Calls per second before any has ended: one round of a slow start per second. While none ends it shrinks with time.
const FIRST_RATE: f64 = 4.0;
/// The rate is an average over about so many seconds.
const MEMORY_SECONDS: f64 = 10.0;

/// What is known about one webhook's backlog.
#[derive(Debug)]
pub(crate) struct Backlog {
    /// How many were put off until which second. At most 900 entries and the present one.
    due: BTreeMap<i64, u32>,
    waiting: u32,
    rate: Rate,
}

/// Calls per second while there is something to do.
#[derive(Debug)]
struct Rate {
    /// What it was when the webhook was last busy.
    before: f64,
    /// Since when it is busy now.
    busy_since: Timestamp,
    /// Calls since then, older ones counting less and less.
    weight: f64,
    last: Timestamp,
}

impl Backlog {
    pub(crate) fn new(now: Timestamp) -> Self {
        let rate = Rate { before: FIRST_RATE, busy_since: now, weight: 0.0, last: now };
        Self { due: BTreeMap::new(), waiting: 0, rate }
    }

    /// The webhook was idle, and is busy from now on.
    pub(crate) fn begin(&mut self, now: Timestamp) {
        if now.since(self.rate.busy_since) >= SHORTEST && self.rate.weight > 0.0 {
            self.rate.before = self.rate.at(self.rate.last, usize::MAX);
        }
        self.rate = Rate { before: self.rate.before, busy_since: now, weight: 0.0, last: now };
    }

    /// A call ended.
    pub(crate) fn ended(&mut self, now: Timestamp) {
        self.rate.decay(now);
        self.rate.weight += 1.0;
    }

    /// Puts one off behind `ahead` that wait in the room while so many are being called, at most at `limit` calls per second
    /// and not before `earliest`.
    pub(crate) fn put_off(
        &mut self,
        (running, ahead): (usize, usize),
        limit: Option<f64>,
        earliest: Timestamp,
        now: Timestamp,
    ) -> Timestamp {
        self.forget(now);
        let rate = self.rate.at(now, running).min(limit.unwrap_or(f64::INFINITY)).max(f64::MIN_POSITIVE);
        let before_it = f64::from(self.waiting) + f64::from(u32::try_from(ahead).unwrap_or(u32::MAX));
        let seconds = (before_it / rate).clamp(SHORTEST.as_secs_f64(), LONGEST.as_secs_f64());
        let until = now.plus(Duration::from_secs_f64(seconds)).max(earliest);
        *self.due.entry(until.unix_seconds()).or_default() += 1;
        self.waiting += 1;
        until
    }

    /// Whether nothing is known to be put off.
    pub(crate) fn is_empty(&mut self, now: Timestamp) -> bool {
        self.forget(now);
        self.waiting == 0
    }

    /// What was due has come back.
    fn forget(&mut self, now: Timestamp) {
        while let Some(first) = self.due.first_entry().filter(|first| *first.key() < now.unix_seconds()) {
            self.waiting -= first.remove();
        }
    }
}

impl Rate {
    fn decay(&mut self, now: Timestamp) {
        self.weight *= (-now.since(self.last).as_secs_f64() / MEMORY_SECONDS).exp();
        self.last = now.max(self.last);
    }

    fn at(&self, now: Timestamp, running: usize) -> f64 {
        // A young average covers a shorter time; below 50 ms it would say nothing.
        let age = now.since(self.busy_since).as_secs_f64().max(0.05);
        let covered = MEMORY_SECONDS * (1.0 - (-age / MEMORY_SECONDS).exp());
        let weight = self.weight * (-now.since(self.last).as_secs_f64() / MEMORY_SECONDS).exp();
        let measured = weight / covered;
        if age < 1.0 {
            measured.max(self.before)
        } else if self.weight == 0.0 {
            // Had it been faster, one of these calls would have ended by now.
            self.before.min(f64::from(u32::try_from(running.max(1)).unwrap_or(u32::MAX)) / age)
        } else {
            measured
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BinaryHeap;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn the_delay_is_backlog_by_rate_from_one_second_to_fifteen_minutes() {
        let mut backlog = Backlog::new(at(0));
        for ms in 1..=10_000 {
            backlog.ended(at(ms)); // 1,000 calls per second
        }
        let now = at(10_000);
        assert_eq!(backlog.put_off((0, 0), None, now, now), at(11_000), "never less than a second");
        let later = backlog.put_off((0, 20_000), None, now, now).since(now).as_secs_f64();
        assert!((19.0..21.0).contains(&later), "20,000 at 1,000 per second: {later}");
        let limited = backlog.put_off((0, 100), Some(10.0), now, now).since(now).as_secs_f64();
        assert!((10.0..11.0).contains(&limited), "102 at 10 per second: {limited}");
        assert_eq!(backlog.put_off((0, 100_000_000), None, now, now), now.plus(LONGEST));
        assert_eq!(backlog.put_off((0, 0), None, now.plus(LONGEST), now), now.plus(LONGEST));
    }

    #[test]
    fn idle_time_does_not_count_as_slowness() {
        let mut backlog = Backlog::new(at(0));
        for ms in 1..=2_000 {
            backlog.ended(at(ms));
        }
        let next_day = at(86_400_000);
        backlog.begin(next_day);
        let delay = backlog.put_off((0, 2_000), None, next_day, next_day).since(next_day).as_secs_f64();
        assert!((1.5..2.5).contains(&delay), "the rate was 1,000 per second: {delay}");
    }

    /// `waiting` deliveries of a webhook that takes `per_second`, with a room of 100: all who come and find no room are
    /// put off. Returns the deferrals made within `seconds`.
    fn deferrals(waiting: u32, per_second: u32, seconds: i64) -> u64 {
        let mut backlog = Backlog::new(at(0));
        let mut outside: BinaryHeap<std::cmp::Reverse<i64>> =
            (0..waiting).map(|_| std::cmp::Reverse(0)).collect();
        let (mut room, mut made) = (0_usize, 0);
        for second in 0..seconds {
            let now = at(second * 1000);
            for _ in 0..room.min(per_second as usize) {
                room -= 1;
                backlog.ended(now);
            }
            while outside.peek().is_some_and(|due| due.0 <= second * 1000) {
                outside.pop();
                if room < 100 {
                    room += 1;
                } else {
                    made += 1;
                    let until = backlog.put_off((0, room), None, now, now);
                    outside.push(std::cmp::Reverse(until.unix_ms()));
                }
            }
        }
        made
    }

    #[test]
    fn deferrals_stay_below_log2_and_waiting_by_900_per_second() {
        for (waiting, rate) in [(3_000_u32, 4), (3_000, 0), (50_000, 4), (50_000, 64), (20_000, 500)] {
            let seconds = 3600_u32;
            let made = deferrals(waiting, rate, i64::from(seconds));
            // Each is put off once on arrival; that is not of the steady state.
            let repeated = made.saturating_sub(u64::from(waiting));
            let bound = f64::from(seconds) * (f64::from(waiting).log2() + f64::from(waiting) / 900.0);
            #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
            let repeated = repeated as f64;
            assert!(
                repeated <= bound,
                "{waiting} at {rate}/s: {repeated} deferrals in an hour, bound {bound}"
            );
        }
    }
}
