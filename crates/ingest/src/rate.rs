//! How many events a space may send: a bucket that fills at the allowed rate and holds one second's worth.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use postrider_domain::id::SpaceId;
use postrider_domain::timestamp::Timestamp;

use crate::problem::{Kind, Problem};

/// The buckets of all spaces that sent something. There are no more than there are spaces: only known ones get here.
#[derive(Debug)]
pub struct Rates {
    per_second: u64,
    /// Thousandths of an event, so that every millisecond adds `per_second` of them exactly.
    full: u64,
    buckets: Mutex<HashMap<SpaceId, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    level: u64,
    at: Timestamp,
}

impl Rates {
    /// Lets each space send `per_second` events. A bucket holds at least `largest` events, so that a request of that many
    /// passes at any rate.
    pub fn new(per_second: u32, largest: usize) -> Self {
        let per_second = u64::from(per_second).max(1);
        let largest = u64::try_from(largest).unwrap_or(u64::MAX);
        Self {
            per_second,
            full: per_second.max(largest).saturating_mul(1000),
            buckets: Mutex::new(HashMap::new()),
        }
    }

    /// Takes `events` events, or says when there will be enough.
    pub fn take(&self, space: &SpaceId, events: usize, now: Timestamp) -> Result<(), Problem> {
        let wanted = u64::try_from(events).unwrap_or(u64::MAX).saturating_mul(1000);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(space.clone()).or_insert(Bucket { level: self.full, at: now });
        let passed = u64::try_from(now.since(bucket.at).as_millis()).unwrap_or(u64::MAX);
        bucket.level = bucket.level.saturating_add(passed.saturating_mul(self.per_second)).min(self.full);
        bucket.at = now;
        if wanted <= bucket.level {
            bucket.level -= wanted;
            return Ok(());
        }
        let wait = Duration::from_millis((wanted - bucket.level).div_ceil(self.per_second));
        let message = format!("space {space} may send {} events per second and sent more", self.per_second);
        Err(Problem::new(Kind::TooManyEvents, message, "send the same request again after Retry-After")
            .after(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(id: &str) -> SpaceId {
        SpaceId::new(id).expect("space")
    }

    #[test]
    fn a_space_gets_its_rate_and_no_more_and_never_anothers() {
        let rates = Rates::new(10, 1);
        let at = Timestamp::from_unix_ms;
        rates.take(&space("a"), 10, at(0)).expect("one second's worth");
        let refused = rates.take(&space("a"), 1, at(0)).expect_err("nothing is left");
        assert_eq!(
            (refused.kind, refused.retry_after),
            (Kind::TooManyEvents, Some(Duration::from_millis(100)))
        );
        rates.take(&space("b"), 10, at(0)).expect("the bucket of b is its own");
        assert!(rates.take(&space("a"), 1, at(99)).is_err());
        rates.take(&space("a"), 1, at(100)).expect("a tenth of a second brings one");
        assert!(rates.take(&space("a"), 11, at(60_000)).is_err(), "a bucket holds one second's worth");
    }

    #[test]
    fn the_largest_request_passes_at_the_lowest_rate_once_the_bucket_is_full() {
        let rates = Rates::new(1, 500);
        rates.take(&space("a"), 500, Timestamp::from_unix_ms(0)).expect("full at first");
        let refused = rates.take(&space("a"), 500, Timestamp::from_unix_ms(1000)).expect_err("one is back");
        assert_eq!(refused.retry_after, Some(Duration::from_secs(499)));
        rates.take(&space("a"), 500, Timestamp::from_unix_ms(500_000)).expect("full again");
    }

    #[test]
    fn a_clock_set_back_neither_fills_nor_breaks_a_bucket() {
        let rates = Rates::new(10, 1);
        rates.take(&space("a"), 10, Timestamp::from_unix_ms(5_000)).expect("full");
        assert!(rates.take(&space("a"), 1, Timestamp::from_unix_ms(0)).is_err());
        rates.take(&space("a"), 10, Timestamp::from_unix_ms(1_000)).expect("a second later by the new time");
    }
}
