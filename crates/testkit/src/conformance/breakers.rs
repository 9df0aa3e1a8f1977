//! The suite for circuit breakers: one state for all workers, one probe at a time.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_ports::limits::{Breaker, Breakers};
use tokio::task::JoinSet;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::{space, webhook_id};
use crate::clock::START;

suite!(
    "breakers",
    dyn Breakers,
    [
        an_unknown_breaker_is_closed,
        an_open_breaker_says_until_when,
        answers_come_in_the_order_of_the_questions,
        webhooks_and_spaces_are_separate,
        the_later_end_stays,
        of_many_who_open_at_once_the_latest_end_stays,
        nobody_probes_before_its_time,
        nobody_probes_a_closed_breaker,
        exactly_one_of_many_probes,
        a_half_open_breaker_says_so_and_is_probed_by_nobody_else,
        who_never_reports_is_followed_by_exactly_one_other,
        a_failed_probe_opens_it_for_its_own_time,
        a_successful_probe_closes_it,
    ]
);

type BreakersBench<'h> = Bench<'h, dyn Breakers>;

const MILLISECOND: Duration = Duration::from_millis(1);

/// So many seconds after the start.
fn second(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn open(until: Timestamp) -> Breaker {
    Breaker::Open { until }
}

fn half_open(until: Timestamp) -> Breaker {
    Breaker::HalfOpen { until }
}

/// The webhook `w` of the space `s` unless said otherwise.
impl BreakersBench<'_> {
    async fn open(&self, until: Timestamp) -> Checked {
        Ok(self.on.open(&space("s"), &webhook_id("w"), until).await?)
    }

    async fn probe(&self, until: Timestamp) -> Result<bool, Fault> {
        Ok(self.on.probe(&space("s"), &webhook_id("w"), until).await?)
    }

    async fn state(&self) -> Result<Option<Breaker>, Fault> {
        self.state_of("s", "w").await
    }

    async fn state_of(&self, of: &str, webhook: &str) -> Result<Option<Breaker>, Fault> {
        let states = self.on.breakers(&[(space(of), webhook_id(webhook))]).await?;
        ensure!(states.len() == 1, "one breaker was asked for, {} answers came", states.len());
        Ok(states[0])
    }

    /// Lets forty workers ask for the right to probe; how many got it.
    async fn probed_by_many(&self, until: Timestamp) -> Result<usize, Fault> {
        let mut workers = JoinSet::new();
        for _ in 0..40 {
            let on = Arc::clone(&self.on);
            workers.spawn(async move { on.probe(&space("s"), &webhook_id("w"), until).await });
        }
        let mut granted = 0;
        while let Some(done) = workers.join_next().await {
            granted += usize::from(done.map_err(|panic| Fault::new(panic.to_string()))??);
        }
        Ok(granted)
    }
}

async fn an_unknown_breaker_is_closed(bench: &BreakersBench<'_>) -> Checked {
    same!(bench.state().await?, None, "the breaker");
    ensure!(bench.on.breakers(&[]).await?.is_empty(), "no question, no answer");
    Ok(())
}

async fn an_open_breaker_says_until_when(bench: &BreakersBench<'_>) -> Checked {
    bench.open(second(10)).await?;
    same!(bench.state().await?, Some(open(second(10))), "the breaker");
    bench.clock.set(second(100));
    same!(
        bench.state().await?,
        Some(open(second(10))),
        "the breaker whose time has come and that nobody probed"
    );
    Ok(())
}

async fn answers_come_in_the_order_of_the_questions(bench: &BreakersBench<'_>) -> Checked {
    for (webhook, until) in [("a", 10), ("b", 20)] {
        bench.on.open(&space("s"), &webhook_id(webhook), second(until)).await?;
    }
    let asked = ["b", "closed", "a", "b"].map(|webhook| (space("s"), webhook_id(webhook)));
    let expected = [Some(open(second(20))), None, Some(open(second(10))), Some(open(second(20)))];
    same!(bench.on.breakers(&asked).await?, expected, "the breakers");
    Ok(())
}

async fn webhooks_and_spaces_are_separate(bench: &BreakersBench<'_>) -> Checked {
    bench.open(second(10)).await?;
    same!(bench.state_of("s", "v").await?, None, "another webhook's breaker");
    same!(bench.state_of("t", "w").await?, None, "the breaker of the same id in another space");
    bench.on.open(&space("t"), &webhook_id("w"), second(10)).await?;
    bench.on.close(&space("t"), &webhook_id("w")).await?;
    same!(bench.state().await?, Some(open(second(10))), "the breaker after another was closed");
    Ok(())
}

async fn the_later_end_stays(bench: &BreakersBench<'_>) -> Checked {
    for (until, expected) in [(20, 20), (10, 20), (30, 30)] {
        bench.open(second(until)).await?;
        same!(bench.state().await?, Some(open(second(expected))), "opened until second {until}");
    }
    Ok(())
}

async fn of_many_who_open_at_once_the_latest_end_stays(bench: &BreakersBench<'_>) -> Checked {
    let mut workers = JoinSet::new();
    // 1 to 50 in a mixed order: 7 and 51 have no common divisor. The latest comes early.
    for until in (1..=50).map(|number| second(number * 7 % 51)) {
        let on = Arc::clone(&bench.on);
        workers.spawn(async move { on.open(&space("s"), &webhook_id("w"), until).await });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(|panic| Fault::new(panic.to_string()))??;
    }
    same!(bench.state().await?, Some(open(second(50))), "the breaker");
    Ok(())
}

async fn nobody_probes_before_its_time(bench: &BreakersBench<'_>) -> Checked {
    bench.open(second(10)).await?;
    bench.clock.set(second(10).minus(MILLISECOND));
    ensure!(!bench.probe(second(40)).await?, "a probe was allowed a moment before its time");
    same!(bench.state().await?, Some(open(second(10))), "the breaker after the refusal");
    bench.clock.advance(MILLISECOND);
    ensure!(bench.probe(second(40)).await?, "a probe must be allowed when its time has come");
    Ok(())
}

async fn nobody_probes_a_closed_breaker(bench: &BreakersBench<'_>) -> Checked {
    ensure!(!bench.probe(second(40)).await?, "a closed breaker needs no probe");
    same!(bench.state().await?, None, "the breaker after the refusal");
    Ok(())
}

async fn exactly_one_of_many_probes(bench: &BreakersBench<'_>) -> Checked {
    bench.open(second(10)).await?;
    bench.clock.set(second(11));
    same!(bench.probed_by_many(second(40)).await?, 1, "workers that may probe");
    Ok(())
}

async fn a_half_open_breaker_says_so_and_is_probed_by_nobody_else(bench: &BreakersBench<'_>) -> Checked {
    bench.open(second(10)).await?;
    bench.clock.set(second(11));
    ensure!(bench.probe(second(40)).await?, "a probe must be allowed when its time has come");
    same!(bench.state().await?, Some(half_open(second(40))), "the breaker");
    bench.clock.set(second(40).minus(MILLISECOND));
    ensure!(!bench.probe(second(70)).await?, "a second probe was allowed while the first is on its way");
    same!(bench.state().await?, Some(half_open(second(40))), "the breaker after the refusal");
    Ok(())
}

async fn who_never_reports_is_followed_by_exactly_one_other(bench: &BreakersBench<'_>) -> Checked {
    bench.open(second(10)).await?;
    bench.clock.set(second(11));
    ensure!(bench.probe(second(40)).await?, "a probe must be allowed when its time has come");
    bench.clock.set(second(40));
    same!(bench.probed_by_many(second(70)).await?, 1, "workers that may probe in its stead");
    same!(bench.state().await?, Some(half_open(second(70))), "the breaker");
    Ok(())
}

async fn a_failed_probe_opens_it_for_its_own_time(bench: &BreakersBench<'_>) -> Checked {
    bench.open(second(10)).await?;
    bench.clock.set(second(11));
    ensure!(bench.probe(second(40)).await?, "a probe must be allowed when its time has come");
    // It failed at once: the time that the probe might have taken no longer counts.
    bench.open(second(31)).await?;
    same!(bench.state().await?, Some(open(second(31))), "the breaker");
    bench.clock.set(second(31));
    ensure!(bench.probe(second(60)).await?, "the next probe must be allowed when its time has come");
    Ok(())
}

async fn a_successful_probe_closes_it(bench: &BreakersBench<'_>) -> Checked {
    bench.open(second(10)).await?;
    bench.clock.set(second(11));
    ensure!(bench.probe(second(40)).await?, "a probe must be allowed when its time has come");
    bench.on.close(&space("s"), &webhook_id("w")).await?;
    same!(bench.state().await?, None, "the breaker");
    bench.clock.set(second(100));
    ensure!(!bench.probe(second(140)).await?, "a closed breaker needs no probe");
    // Opened anew it knows nothing of its past.
    bench.open(second(101)).await?;
    same!(bench.state().await?, Some(open(second(101))), "the breaker, opened anew");
    Ok(())
}
