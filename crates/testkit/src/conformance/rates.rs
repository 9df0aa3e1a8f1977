//! The suite for token buckets: never more calls than allowed in any window, and not far fewer in the long run.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;
use postrider_ports::clock::{Clock, Random};
use postrider_ports::limits::{Leased, Rates};
use tokio::task::JoinSet;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::{space, webhook_id};
use crate::clock::START;
use crate::random::SeededRandom;

suite!(
    "rates",
    dyn Rates,
    [
        the_first_call_is_granted_at_once,
        nobody_gets_more_than_he_asked_for,
        no_window_ever_sees_more_calls_than_allowed,
        leasers_at_once_share_one_bucket,
        who_takes_all_there_is_gets_most_of_the_limit,
        who_takes_a_few_at_a_time_gets_most_of_the_limit,
        a_call_is_granted_when_it_was_told,
        webhooks_and_spaces_have_buckets_of_their_own,
        a_lowered_limit_counts_at_once,
        a_raised_limit_counts_at_once,
    ]
);

type RatesBench<'h> = Bench<'h, dyn Rates>;

/// Everything that can be had.
const ALL: u32 = u32::MAX;
/// Who wants all there is is always told when to ask again.
const GREEDY: (u32, Duration) = (ALL, Duration::ZERO);

/// The extremes of what a webhook may say (1 to 1,000,000 calls in 100 ms to 24 h), and what is usual.
const LIMITS: [RateLimit; 9] = [
    limit(1, 1_000),
    limit(2, 1_000),
    limit(10, 1_000),
    limit(500, 1_000),
    limit(1, 100),
    limit(100, 100),
    limit(7, 350),
    limit(600, 60_000),
    limit(50, 86_400_000),
];

const fn limit(calls: u32, per_ms: u64) -> RateLimit {
    RateLimit { calls, per: Duration::from_millis(per_ms) }
}

/// The webhook `w` of the space `s` unless said otherwise.
impl RatesBench<'_> {
    async fn lease(&self, limit: RateLimit, wanted: u32) -> Result<Leased, Fault> {
        Ok(self.on.lease(&space("s"), &webhook_id("w"), limit, wanted).await?)
    }

    /// Asks for `wanted` every `pace`, or when told if that was not granted, until `end`; how many were granted.
    async fn take_until(
        &self,
        end: Timestamp,
        limit: RateLimit,
        (wanted, pace): (u32, Duration),
    ) -> Result<u64, Fault> {
        let mut granted = 0;
        while self.clock.now() < end {
            let leased = self.lease(limit, wanted).await?;
            granted += u64::from(leased.granted);
            let now = self.clock.now();
            let next = if leased.granted < wanted { leased.again_at } else { now.plus(pace) };
            ensure!(next > now, "{limit:?}: at {now} told to ask again at {next}");
            self.clock.set(next.min(end));
        }
        Ok(granted)
    }

    /// Takes calls for many windows; at least 85 % of the limit must be granted.
    async fn gets_most(&self, limit: RateLimit, asking: (u32, Duration)) -> Checked {
        const WINDOWS: u32 = 5;
        self.clock.advance(Duration::from_hours(48));
        let end = self.clock.now().plus(limit.per * WINDOWS);
        let granted = self.take_until(end, limit, asking).await?;
        let allowed = u64::from(limit.calls) * u64::from(WINDOWS);
        let (wanted, pace) = asking;
        ensure!(
            granted * 100 >= allowed * 85,
            "{limit:?}: {granted} of {allowed} calls, less than 85 %, to one who wants {wanted} every {pace:?}"
        );
        Ok(())
    }

    /// Several workers lease at the same instant; how much they got together.
    async fn lease_at_once(&self, limit: RateLimit, wanted: Vec<u32>) -> Result<u64, Fault> {
        let mut workers = JoinSet::new();
        for wanted in wanted {
            let on = Arc::clone(&self.on);
            workers.spawn(async move {
                let leased = on.lease(&space("s"), &webhook_id("w"), limit, wanted).await;
                leased.map(|leased| (wanted, leased.granted))
            });
        }
        let mut granted = 0;
        while let Some(done) = workers.join_next().await {
            let (wanted, got) = done.map_err(|panic| Fault::new(panic.to_string()))??;
            ensure!(got <= wanted, "{wanted} were wanted, {got} granted");
            granted += u64::from(got);
        }
        Ok(granted)
    }
}

/// A number from 0 to `below` − 1.
fn draw(random: &SeededRandom, below: u64) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    u64::from_be_bytes(bytes) % below.max(1)
}

/// How long until the next lease: mostly a small part of a window, now and then a long rest.
fn pause(random: &SeededRandom, limit: RateLimit) -> Duration {
    let per = u64::try_from(limit.per.as_millis()).unwrap_or(u64::MAX);
    let longest = match draw(random, 10) {
        0 => per * 3,
        1..4 => per / 2,
        _ => per / 20,
    };
    Duration::from_millis(draw(random, longest + 1))
}

/// Checks every half-open window that begins with a grant: no other can hold more.
fn check_windows(limit: RateLimit, grants: &[(Timestamp, u64)]) -> Checked {
    for (index, (begin, _)) in grants.iter().enumerate() {
        let end = begin.plus(limit.per);
        let in_window = grants[index..].iter().take_while(|(at, _)| *at < end);
        let sum: u64 = in_window.map(|(_, granted)| granted).sum();
        ensure!(sum <= u64::from(limit.calls), "{limit:?}: {sum} calls from {begin} until before {end}");
    }
    Ok(())
}

async fn the_first_call_is_granted_at_once(bench: &RatesBench<'_>) -> Checked {
    for (index, limit) in LIMITS.into_iter().enumerate() {
        let webhook = webhook_id(&format!("w{index}"));
        let leased = bench.on.lease(&space("s"), &webhook, limit, 1).await?;
        same!(leased.granted, 1, "calls granted under {limit:?}");
    }
    Ok(())
}

async fn nobody_gets_more_than_he_asked_for(bench: &RatesBench<'_>) -> Checked {
    let thousand = limit(1_000, 1_000);
    for wanted in [3, 0, 1, 7] {
        let leased = bench.lease(thousand, wanted).await?;
        ensure!(leased.granted <= wanted, "{wanted} were wanted, {} granted", leased.granted);
    }
    Ok(())
}

async fn no_window_ever_sees_more_calls_than_allowed(bench: &RatesBench<'_>) -> Checked {
    for (seed, limit) in (1..).zip(LIMITS) {
        let random = SeededRandom::new(seed);
        // A webhook's limit is another after this; what it granted before must be long past.
        bench.clock.advance(Duration::from_hours(48));
        let mut grants = Vec::new();
        for _ in 0..200 {
            let most = u64::from(limit.calls) * 2;
            let wanted = (0..=draw(&random, 4)).map(|_| 1 + draw(&random, most));
            let wanted = wanted.map(|wanted| u32::try_from(wanted).unwrap_or(ALL)).collect();
            let granted = bench.lease_at_once(limit, wanted).await?;
            grants.push((bench.clock.now(), granted));
            bench.clock.advance(pause(&random, limit));
        }
        check_windows(limit, &grants)?;
    }
    Ok(())
}

async fn leasers_at_once_share_one_bucket(bench: &RatesBench<'_>) -> Checked {
    for limit in [limit(1, 1_000), limit(20, 1_000)] {
        bench.clock.advance(Duration::from_hours(1));
        let granted = bench.lease_at_once(limit, vec![1; 50]).await?;
        ensure!(granted > 0, "a rested bucket must grant something");
        ensure!(granted <= u64::from(limit.calls), "{limit:?}: {granted} calls at one instant");
    }
    Ok(())
}

async fn who_takes_all_there_is_gets_most_of_the_limit(bench: &RatesBench<'_>) -> Checked {
    for limit in LIMITS {
        bench.gets_most(limit, GREEDY).await?;
    }
    Ok(())
}

/// One call at a time, at the pace of the limit.
async fn who_takes_a_few_at_a_time_gets_most_of_the_limit(bench: &RatesBench<'_>) -> Checked {
    for limit in LIMITS {
        let pace = (limit.per / limit.calls).max(Duration::from_millis(1));
        bench.gets_most(limit, (1, pace)).await?;
    }
    Ok(())
}

async fn a_call_is_granted_when_it_was_told(bench: &RatesBench<'_>) -> Checked {
    for limit in LIMITS {
        bench.clock.advance(Duration::from_hours(48));
        bench.lease(limit, ALL).await?;
        for _ in 0..20 {
            let refused = bench.lease(limit, ALL).await?;
            same!(refused.granted, 0, "{limit:?}: calls granted right after all there were");
            let now = bench.clock.now();
            ensure!(refused.again_at > now, "{limit:?}: at {now} told to ask again at {}", refused.again_at);
            bench.clock.set(refused.again_at);
            let leased = bench.lease(limit, ALL).await?;
            ensure!(leased.granted > 0, "{limit:?}: nothing was granted at the instant told");
        }
    }
    Ok(())
}

async fn webhooks_and_spaces_have_buckets_of_their_own(bench: &RatesBench<'_>) -> Checked {
    let one = limit(1, 60_000);
    for (of, webhook) in [("s", "w"), ("s", "v"), ("t", "w")] {
        let leased = bench.on.lease(&space(of), &webhook_id(webhook), one, 1).await?;
        same!(leased.granted, 1, "calls granted to {webhook} of {of}");
    }
    same!(bench.lease(one, 1).await?.granted, 0, "calls granted to w of s, which had its one");
    Ok(())
}

async fn a_lowered_limit_counts_at_once(bench: &RatesBench<'_>) -> Checked {
    let (high, low) = (limit(1_000, 1_000), limit(5, 1_000));
    // A little is taken under the high limit; what is left in its bucket is more than the low one allows.
    bench.lease(high, 1).await?;
    bench.clock.advance(Duration::from_millis(50));
    let granted = bench.take_until(bench.clock.now().plus(low.per), low, GREEDY).await?;
    ensure!(granted <= u64::from(low.calls), "{granted} calls in the first window of {low:?}");
    Ok(())
}

async fn a_raised_limit_counts_at_once(bench: &RatesBench<'_>) -> Checked {
    let (low, high) = (limit(1, 86_400_000), limit(100, 1_000));
    same!(bench.lease(low, ALL).await?.granted, 1, "calls granted under {low:?}");
    let granted = bench.take_until(START.plus(high.per * 2), high, GREEDY).await?;
    ensure!(granted >= 150, "{granted} calls in the first two windows of {high:?}");
    Ok(())
}
