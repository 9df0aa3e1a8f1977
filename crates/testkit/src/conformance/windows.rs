//! The suite for coalescing windows: which window an event falls into, and which delivery of a window is its newest.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::coalesce::{Rank, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::windows::{Newest, Opening, Windows};
use tokio::task::JoinSet;

use super::{Bench, Checked, Fault, ensure, same, suite};
use crate::builders::{event_id, scope, webhook_id};
use crate::clock::START;

suite!(
    "windows",
    dyn Windows,
    [
        the_first_event_opens_its_window,
        an_event_joins_until_the_window_ends,
        at_its_end_a_window_is_over_and_the_next_begins,
        a_late_event_joins_the_window_of_its_acceptance,
        an_event_from_before_the_window_joins_it,
        each_key_has_windows_of_its_own,
        equal_keys_in_one_batch_share_one_window,
        all_who_join_at_once_agree_on_one_end,
        the_highest_rank_is_the_newest_in_any_order,
        rank_is_decided_by_version_then_time_then_id,
        of_many_registered_at_once_the_highest_rank_stays,
        an_unknown_window_has_no_newest,
        windows_of_one_key_are_told_apart_by_their_end,
        the_newest_is_kept_for_ten_minutes_after_the_end,
    ]
);

type WindowsBench<'h> = Bench<'h, dyn Windows>;

/// What `auto_save` has by default.
const LENGTH: Duration = Duration::from_secs(20);
/// How long the newest is kept after its window's end.
const KEPT: Duration = Duration::from_mins(10);
const MILLISECOND: Duration = Duration::from_millis(1);

/// So many seconds after the start.
fn second(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// An event for a key that would open a window of 20 s.
fn opening(key: &str, at: Timestamp) -> Opening {
    Opening { key: key.to_owned(), at, ends_at: at.plus(LENGTH) }
}

fn delivery(event: &str) -> DeliveryId {
    DeliveryId::derive(&scope("s"), &event_id(event), &webhook_id("w"), 0)
}

fn rank(version: i64, event: &str) -> Rank {
    Rank { version: Some(version), occurred_at: START, event: event_id(event) }
}

fn window(key: &str, ends_at: Timestamp, rank: Rank) -> Window {
    Window { key: key.to_owned(), ends_at, rank }
}

/// A delivery, confirmed, of version `version` in the window of `key` that ends at second 20.
fn confirmed(key: &str, version: i64) -> (Window, DeliveryId) {
    let event = format!("e{version}");
    (window(key, second(20), rank(version, &event)), delivery(&event))
}

fn newest((window, delivery): (Window, DeliveryId)) -> Newest {
    Newest { rank: window.rank, delivery }
}

impl WindowsBench<'_> {
    async fn join(&self, key: &str, at: Timestamp) -> Result<Timestamp, Fault> {
        let ends = self.on.join(&[opening(key, at)]).await?;
        match ends.as_slice() {
            [end] => Ok(*end),
            _ => Err(Fault::new(format!("one window was joined, {} answers came", ends.len()))),
        }
    }

    /// The newest of the window of `key` that ends at second 20.
    async fn newest(&self, key: &str) -> Result<Option<Newest>, Fault> {
        let newest = self.on.newest(&[window(key, second(20), rank(0, "who-asks"))]).await?;
        ensure!(newest.len() == 1, "one window was asked for, {} answers came", newest.len());
        Ok(newest.into_iter().next().flatten())
    }
}

async fn the_first_event_opens_its_window(bench: &WindowsBench<'_>) -> Checked {
    same!(bench.join("k", START).await?, second(20), "the window's end");
    ensure!(bench.on.join(&[]).await?.is_empty(), "no question, no answer");
    Ok(())
}

async fn an_event_joins_until_the_window_ends(bench: &WindowsBench<'_>) -> Checked {
    bench.join("k", START).await?;
    for at in [START, second(5), second(20).minus(MILLISECOND)] {
        bench.clock.set(at);
        same!(bench.join("k", at).await?, second(20), "the end for an event at {at}");
    }
    Ok(())
}

async fn at_its_end_a_window_is_over_and_the_next_begins(bench: &WindowsBench<'_>) -> Checked {
    bench.join("k", START).await?;
    bench.clock.set(second(20));
    same!(bench.join("k", second(20)).await?, second(40), "the end for an event at the end");
    bench.clock.set(second(25));
    same!(bench.join("k", second(25)).await?, second(40), "the end for an event of the next window");
    // The third begins with its first event, not where the second ended.
    bench.clock.set(second(47));
    same!(bench.join("k", second(47)).await?, second(67), "the end for an event after a pause");
    Ok(())
}

async fn a_late_event_joins_the_window_of_its_acceptance(bench: &WindowsBench<'_>) -> Checked {
    bench.join("k", START).await?;
    bench.clock.set(second(60));
    same!(bench.join("k", second(19)).await?, second(20), "the end for an event that was accepted before it");
    Ok(())
}

async fn an_event_from_before_the_window_joins_it(bench: &WindowsBench<'_>) -> Checked {
    bench.join("k", second(5)).await?;
    same!(bench.join("k", second(3)).await?, second(25), "the end for an overtaken event");
    Ok(())
}

async fn each_key_has_windows_of_its_own(bench: &WindowsBench<'_>) -> Checked {
    bench.join("b", START).await?;
    let openings = [opening("a", second(5)), opening("b", second(5)), opening("c", second(6))];
    let expected = [second(25), second(20), second(26)];
    same!(bench.on.join(&openings).await?, expected, "the ends, in the order of the questions");
    Ok(())
}

async fn equal_keys_in_one_batch_share_one_window(bench: &WindowsBench<'_>) -> Checked {
    let openings = [opening("a", START), opening("a", second(5)), opening("a", second(20))];
    same!(bench.on.join(&openings).await?, [second(20), second(20), second(40)], "the ends");
    Ok(())
}

async fn all_who_join_at_once_agree_on_one_end(bench: &WindowsBench<'_>) -> Checked {
    let mut workers = JoinSet::new();
    for number in 0..40 {
        let on = Arc::clone(&bench.on);
        let openings = [opening("k", START.plus(MILLISECOND * number))];
        workers.spawn(async move { on.join(&openings).await });
    }
    let mut ends = Vec::new();
    while let Some(done) = workers.join_next().await {
        ends.extend(done.map_err(|panic| Fault::new(panic.to_string()))??);
    }
    same!(ends.len(), 40, "answers");
    ends.sort();
    ends.dedup();
    ensure!(ends.len() == 1, "all must agree on one end, they got {ends:?}");
    let offered = second(20)..second(20).plus(MILLISECOND * 40);
    ensure!(offered.contains(&ends[0]), "{} is no end that anybody offered", ends[0]);
    Ok(())
}

async fn the_highest_rank_is_the_newest_in_any_order(bench: &WindowsBench<'_>) -> Checked {
    for (registered, expected) in [(5, 5), (3, 5), (7, 7), (6, 7)] {
        bench.on.register(&[confirmed("k", registered)]).await?;
        let found = bench.newest("k").await?;
        same!(found, Some(newest(confirmed("k", expected))), "the newest after version {registered}");
    }
    bench.on.register(&[confirmed("j", 2), confirmed("j", 9), confirmed("j", 4)]).await?;
    same!(bench.newest("j").await?, Some(newest(confirmed("j", 9))), "the newest of a batch");
    Ok(())
}

async fn rank_is_decided_by_version_then_time_then_id(bench: &WindowsBench<'_>) -> Checked {
    let ranks = [
        Rank { version: None, occurred_at: second(9), event: event_id("z") },
        Rank { version: Some(9), occurred_at: START, event: event_id("y") },
        Rank { version: Some(10), occurred_at: START, event: event_id("x") },
        Rank { version: Some(10), occurred_at: second(2), event: event_id("a") },
        Rank { version: Some(10), occurred_at: second(2), event: event_id("b") },
    ];
    let registered =
        |key: &str, rank: &Rank| (window(key, second(20), rank.clone()), delivery(rank.event.as_str()));
    for (index, higher) in ranks.iter().enumerate() {
        for lower in &ranks[..index] {
            for (first, then) in [(higher, lower), (lower, higher)] {
                let key = format!("{}, then {}", first.event, then.event);
                bench.on.register(&[registered(&key, first), registered(&key, then)]).await?;
                same!(bench.newest(&key).await?, Some(newest(registered(&key, higher))), "{key}");
            }
        }
    }
    Ok(())
}

async fn of_many_registered_at_once_the_highest_rank_stays(bench: &WindowsBench<'_>) -> Checked {
    let mut workers = JoinSet::new();
    // 1 to 50 in a mixed order: 7 and 51 have no common divisor. The highest comes early.
    for version in (1..=50).map(|number| number * 7 % 51) {
        let on = Arc::clone(&bench.on);
        workers.spawn(async move { on.register(&[confirmed("k", version)]).await });
    }
    while let Some(done) = workers.join_next().await {
        done.map_err(|panic| Fault::new(panic.to_string()))??;
    }
    same!(bench.newest("k").await?, Some(newest(confirmed("k", 50))), "the newest");
    Ok(())
}

async fn an_unknown_window_has_no_newest(bench: &WindowsBench<'_>) -> Checked {
    bench.join("joined", START).await?;
    bench.on.register(&[confirmed("registered", 1)]).await?;
    let ask = |key| window(key, second(20), rank(1, "who-asks"));
    let found = bench.on.newest(&[ask("joined"), ask("registered"), ask("unknown")]).await?;
    let expected = [None, Some(newest(confirmed("registered", 1))), None];
    same!(found, expected, "the newest of each, in the order of the questions");
    Ok(())
}

async fn windows_of_one_key_are_told_apart_by_their_end(bench: &WindowsBench<'_>) -> Checked {
    let (first, second) = (confirmed("k", 8), (window("k", second(40), rank(3, "e3")), delivery("e3")));
    bench.on.register(&[first.clone(), second.clone()]).await?;
    let found = bench.on.newest(&[second.0.clone(), first.0.clone()]).await?;
    same!(found, [Some(newest(second)), Some(newest(first))], "the newest of each window");
    Ok(())
}

async fn the_newest_is_kept_for_ten_minutes_after_the_end(bench: &WindowsBench<'_>) -> Checked {
    bench.join("k", START).await?;
    bench.on.register(&[confirmed("k", 5)]).await?;
    bench.clock.set(second(20).plus(KEPT).minus(MILLISECOND));
    same!(bench.newest("k").await?, Some(newest(confirmed("k", 5))), "the newest, a moment before");
    bench.clock.advance(MILLISECOND);
    same!(bench.newest("k").await?, None, "the newest, when its time is over");
    Ok(())
}
