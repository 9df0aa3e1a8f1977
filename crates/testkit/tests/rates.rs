//! A plain token bucket passes the suite, and broken ones are rejected by the case that is about what they break.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::limits::{Leased, Rates};
use postrider_testkit::{ManualClock, conformance};

/// What is wrong with the buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    StartsEmpty,
    IgnoresTheWish,
    AFullBucketAndTheRate,
    AlwaysFull,
    LosesTheRace,
    HalfTheRate,
    RefillsOnlyWhenRested,
    PromisesTooEarly,
    PromisesTooLate,
    OneBucketForAll,
    MixesSpaces,
    KeepsTheOldBucket,
    KeepsTheFirstLimit,
}

/// Whole numbers: there is nothing to round.
#[derive(Clone, Copy)]
struct Bucket {
    /// Calls × `per` in ms.
    level: u128,
    at: Timestamp,
    limit: RateLimit,
}

type Key = (Option<SpaceId>, Option<WebhookId>);

struct Flawed {
    flaw: Flaw,
    clock: Arc<ManualClock>,
    buckets: Mutex<HashMap<Key, Bucket>>,
}

impl Flawed {
    /// What a bucket holds and what flows in per window, in calls: together at most one more than allowed, and before a
    /// window ends the last one has not flown in.
    fn shape(&self, limit: RateLimit) -> (u128, u128) {
        let calls = u128::from(limit.calls);
        let capacity = (calls / 10).max(1);
        match self.flaw {
            Flaw::AFullBucketAndTheRate => (calls, calls),
            Flaw::HalfTheRate => (capacity, (calls / 2).max(1)),
            _ => (capacity, calls + 1 - capacity),
        }
    }
}

#[async_trait]
impl Rates for Flawed {
    async fn lease(
        &self,
        space: &SpaceId,
        webhook: &WebhookId,
        limit: RateLimit,
        wanted: u32,
    ) -> PortResult<Leased> {
        let now = self.clock.now();
        let one_space = matches!(self.flaw, Flaw::OneBucketForAll | Flaw::MixesSpaces);
        let one_webhook = self.flaw == Flaw::OneBucketForAll;
        let key = ((!one_space).then(|| space.clone()), (!one_webhook).then(|| webhook.clone()));
        let known = self.buckets.lock().expect("no panic").get(&key).copied();
        if self.flaw == Flaw::LosesTheRace {
            tokio::task::yield_now().await;
        }
        let limit = match known {
            Some(bucket) if self.flaw == Flaw::KeepsTheFirstLimit => bucket.limit,
            _ => limit,
        };
        let (per, (capacity, rate)) = (limit.per.as_millis(), self.shape(limit));
        // A changed limit measures in another unit: what is in the bucket is converted, and anew bounded.
        let level = match known {
            Some(_) if self.flaw == Flaw::AlwaysFull => capacity * per,
            Some(bucket) => {
                let rested = now.since(bucket.at).as_millis();
                let flown = match self.flaw {
                    Flaw::RefillsOnlyWhenRested if rested < per => 0,
                    _ => rested * rate,
                };
                let held = bucket.level * per / bucket.limit.per.as_millis().max(1);
                let most = if self.flaw == Flaw::KeepsTheOldBucket { u128::MAX } else { capacity * per };
                (held + flown).min(most)
            }
            None if self.flaw == Flaw::StartsEmpty => 0,
            None => capacity * per,
        };
        let there = level / per;
        let granted = if self.flaw == Flaw::IgnoresTheWish { there } else { there.min(u128::from(wanted)) };
        let left = level - granted * per;
        let bucket = Bucket { level: left, at: now, limit };
        self.buckets.lock().expect("no panic").insert(key, bucket);
        let missing = per.saturating_sub(left).div_ceil(rate);
        let wait = match self.flaw {
            Flaw::PromisesTooEarly => missing / 2,
            Flaw::PromisesTooLate => missing + per,
            _ => missing,
        };
        let again_at = now.plus(Duration::from_millis(u64::try_from(wait).expect("a short wait")));
        Ok(Leased { granted: u32::try_from(granted).expect("at most what was wanted"), again_at })
    }
}

async fn check(flaw: Flaw) -> conformance::Report {
    let make = move |clock| -> Arc<dyn Rates> { Arc::new(Flawed { flaw, clock, buckets: Mutex::default() }) };
    conformance::rates::check(&make).await
}

#[tokio::test(start_paused = true)]
async fn a_plain_token_bucket_passes() {
    check(Flaw::None).await.assert_clean();
}

#[tokio::test(start_paused = true)]
async fn the_suite_for_rates_rejects_what_is_broken() {
    for (flaw, case) in [
        (Flaw::StartsEmpty, "the_first_call_is_granted_at_once"),
        (Flaw::IgnoresTheWish, "nobody_gets_more_than_he_asked_for"),
        (Flaw::AFullBucketAndTheRate, "no_window_ever_sees_more_calls_than_allowed"),
        (Flaw::LosesTheRace, "no_window_ever_sees_more_calls_than_allowed"),
        (Flaw::AlwaysFull, "leasers_at_once_share_one_bucket"),
        (Flaw::LosesTheRace, "leasers_at_once_share_one_bucket"),
        (Flaw::HalfTheRate, "who_takes_all_there_is_gets_most_of_the_limit"),
        (Flaw::PromisesTooLate, "who_takes_all_there_is_gets_most_of_the_limit"),
        (Flaw::RefillsOnlyWhenRested, "who_takes_a_few_at_a_time_gets_most_of_the_limit"),
        (Flaw::PromisesTooEarly, "a_call_is_granted_when_it_was_told"),
        (Flaw::OneBucketForAll, "webhooks_and_spaces_have_buckets_of_their_own"),
        (Flaw::MixesSpaces, "webhooks_and_spaces_have_buckets_of_their_own"),
        (Flaw::KeepsTheOldBucket, "a_lowered_limit_counts_at_once"),
        (Flaw::KeepsTheFirstLimit, "a_raised_limit_counts_at_once"),
    ] {
        check(flaw).await.assert_rejected(case);
    }
}
