//! The suite for coalescing windows: which window an event falls into, and which delivery of a window is its newest.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::coalesce::{Rank, Ranking, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::gathering::{LISTED, LISTED_BYTES};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use postrider_ports::windows::{Coalesced, CoalescedEvent, Entry, Newest, Opening, Windows};
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
        versions_rank_first_then_times_then_ids,
        without_versions_times_rank_first_then_ids,
        where_some_have_no_version_times_rank_first,
        versions_of_many_resources_are_not_compared_before_times,
        how_a_window_is_ranked_is_settled_when_it_is_first_asked,
        of_many_registered_at_once_the_highest_rank_stays,
        an_unknown_window_has_no_newest,
        windows_of_one_key_are_told_apart_by_their_end,
        a_window_lists_what_it_gathered_and_each_delivery_once,
        a_list_is_bounded_and_its_count_is_not,
        what_is_gathered_is_kept_for_ten_minutes_after_the_end,
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

/// A window of one document, as [`postrider_domain::coalesce::CoalesceRule::key_for`] names it.
fn window(key: &str, ends_at: Timestamp, rank: Rank) -> Window {
    Window { key: format!("s/master/w/Entry/{key}"), ends_at, rank }
}

/// What a list says of the event of this rank.
fn told(rank: &Rank) -> CoalescedEvent {
    CoalescedEvent {
        id: rank.event.clone(),
        event_type: EventType::new("Entry").expect("a type"),
        action: Action::new("auto_save").expect("an action"),
        resource: "document".to_owned(),
        occurred_at: rank.occurred_at,
    }
}

fn entry(window: Window) -> Entry {
    Entry { delivery: delivery(window.rank.event.as_str()), event: told(&window.rank), window }
}

/// A delivery, confirmed, of version `version` in the window of `key` that ends at second 20.
fn confirmed(key: &str, version: i64) -> Entry {
    entry(window(key, second(20), rank(version, &format!("e{version}"))))
}

fn newest(entry: Entry) -> Newest {
    Newest { rank: entry.window.rank, delivery: entry.delivery, ranking: Ranking::Version }
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

    /// What the window of `key` that ends at second 20 has gathered.
    async fn coalesced(&self, key: &str) -> Result<Option<Coalesced>, Fault> {
        let coalesced = self.on.coalesced(&[window(key, second(20), rank(0, "who-asks"))]).await?;
        ensure!(coalesced.len() == 1, "one window was asked for, {} answers came", coalesced.len());
        Ok(coalesced.into_iter().next().flatten())
    }

    /// Registers two at a time in both orders, each pair in a window of its own, and expects the later one of the list.
    async fn each_outranks_those_before(
        &self,
        ranks: &[Rank],
        ranking: Ranking,
        key: impl Fn(&str) -> String,
    ) -> Checked {
        for (index, higher) in ranks.iter().enumerate() {
            for lower in &ranks[..index] {
                for (first, then) in [(higher, lower), (lower, higher)] {
                    let key = key(&format!("{}-then-{}", first.event, then.event));
                    let of =
                        |rank: &Rank| Window { key: key.clone(), ends_at: second(20), rank: rank.clone() };
                    self.on.register(&[entry(of(first)), entry(of(then))]).await?;
                    let found = self.on.newest(&[of(first)]).await?;
                    let expected = Newest { ranking, ..newest(entry(of(higher))) };
                    same!(found, [Some(expected)], "the newest of {key}");
                }
            }
        }
        Ok(())
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

fn ranked(version: Option<i64>, at: u64, event: &str) -> Rank {
    Rank { version, occurred_at: second(at), event: event_id(event) }
}

fn of_document(key: &str) -> String {
    format!("s/master/w/Entry/{key}")
}

async fn versions_rank_first_then_times_then_ids(bench: &WindowsBench<'_>) -> Checked {
    let ranks = [
        ranked(Some(-1), 9, "z"),
        ranked(Some(9), 0, "y"),
        ranked(Some(10), 0, "x"),
        ranked(Some(10), 2, "a"),
        ranked(Some(10), 2, "b"),
    ];
    bench.each_outranks_those_before(&ranks, Ranking::Version, of_document).await
}

async fn without_versions_times_rank_first_then_ids(bench: &WindowsBench<'_>) -> Checked {
    let ranks = [ranked(None, 0, "z"), ranked(None, 1, "a"), ranked(None, 1, "b")];
    bench.each_outranks_those_before(&ranks, Ranking::Version, of_document).await
}

/// An unpublish without a version after a publish with one, and the other way round.
async fn where_some_have_no_version_times_rank_first(bench: &WindowsBench<'_>) -> Checked {
    for ranks in [
        [ranked(Some(7), 1, "publish"), ranked(None, 2, "unpublish")],
        [ranked(None, 1, "unpublish"), ranked(Some(7), 2, "publish")],
        [ranked(Some(7), 1, "publish"), ranked(None, 1, "at-the-same-instant")],
    ] {
        let key = |key: &str| of_document(&format!("{key}-{}", ranks[1].event));
        bench.each_outranks_those_before(&ranks, Ranking::Time, key).await?;
    }
    // With a third the whole window is ranked so: versions and times may disagree, and there is still one newest.
    let all = [ranked(Some(5), 1, "a"), ranked(None, 2, "b"), ranked(Some(4), 3, "c")];
    let of = |rank: &Rank| entry(window("three", second(20), rank.clone()));
    bench.on.register(&all.each_ref().map(of)).await?;
    let expected = Newest { ranking: Ranking::Time, ..newest(of(&all[2])) };
    same!(bench.newest("three").await?, Some(expected), "the newest of three");
    Ok(())
}

async fn versions_of_many_resources_are_not_compared_before_times(bench: &WindowsBench<'_>) -> Checked {
    let ranks = [
        ranked(Some(50), 0, "z"),
        ranked(Some(3), 1, "y"),
        ranked(Some(4), 1, "a"),
        ranked(None, 1, "b"),
        ranked(Some(1), 2, "c"),
    ];
    // The window of a whole webhook: its key names no resource.
    bench.each_outranks_those_before(&ranks, Ranking::Time, |key| format!("s/master/{key}")).await
}

/// Otherwise two deliveries could each be dropped for the other, and nobody would be called.
async fn how_a_window_is_ranked_is_settled_when_it_is_first_asked(bench: &WindowsBench<'_>) -> Checked {
    let versions = [ranked(Some(5), 1, "a"), ranked(Some(4), 3, "c")];
    let of = |rank: &Rank| entry(window("k", second(20), rank.clone()));
    bench.on.register(&versions.each_ref().map(of)).await?;
    let first = newest(of(&versions[0]));
    same!(bench.newest("k").await?, Some(first.clone()), "the newest by version");
    bench.on.register(&[of(&ranked(None, 2, "late"))]).await?;
    same!(bench.newest("k").await?, Some(first), "the newest after a late one without a version");
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
    bench.join(&of_document("joined"), START).await?;
    bench.on.register(&[confirmed("registered", 1)]).await?;
    let ask = |key| window(key, second(20), rank(1, "who-asks"));
    let asked = [ask("joined"), ask("registered"), ask("unknown")];
    let expected = [None, Some(newest(confirmed("registered", 1))), None];
    same!(bench.on.newest(&asked).await?, expected, "the newest of each, in the order of the questions");
    let gathered = Coalesced { count: 1, events: vec![confirmed("registered", 1).event] };
    same!(bench.on.coalesced(&asked).await?, [None, Some(gathered), None], "what each has gathered");
    Ok(())
}

async fn windows_of_one_key_are_told_apart_by_their_end(bench: &WindowsBench<'_>) -> Checked {
    let (first, second) = (confirmed("k", 8), entry(window("k", second(40), rank(3, "e3"))));
    bench.on.register(&[first.clone(), second.clone()]).await?;
    let asked = [second.window.clone(), first.window.clone()];
    let gathered = [&second, &first].map(|one| Some(Coalesced { count: 1, events: vec![one.event.clone()] }));
    same!(bench.on.coalesced(&asked).await?, gathered, "what each window has gathered");
    let found = bench.on.newest(&asked).await?;
    same!(found, [Some(newest(second)), Some(newest(first))], "the newest of each window");
    Ok(())
}

async fn a_window_lists_what_it_gathered_and_each_delivery_once(bench: &WindowsBench<'_>) -> Checked {
    let event = |at, event: &str| entry(window("k", second(20), ranked(Some(1), at, event)));
    let (one, two, three) = (event(1, "b"), event(1, "c"), event(0, "d"));
    bench.on.register(&[two.clone(), one.clone()]).await?;
    // A copy of an event that came before is matched again.
    bench.on.register(&[three.clone(), one.clone()]).await?;
    bench.on.register(std::slice::from_ref(&one)).await?;
    let expected = Coalesced { count: 3, events: vec![three.event, one.event, two.event] };
    same!(bench.coalesced("k").await?, Some(expected), "by instant, then id");
    Ok(())
}

async fn a_list_is_bounded_and_its_count_is_not(bench: &WindowsBench<'_>) -> Checked {
    let many: Vec<Entry> = (1..=150).map(|version| confirmed("many", version)).collect();
    for some in many.chunks(40) {
        bench.on.register(some).await?;
    }
    let Some(found) = bench.coalesced("many").await? else { return Err(Fault::new("nothing is known")) };
    same!((found.count, found.events.len()), (150, LISTED), "how many, and how many of them are listed");
    ensure!(
        found.events.iter().all(|event| many[..LISTED].iter().any(|one| one.event == *event)),
        "the first are listed"
    );
    let long = |version| {
        let mut entry = confirmed("long", version);
        entry.event.resource = "x".repeat(1024);
        entry
    };
    let entries: Vec<Entry> = (1..=30).map(long).collect();
    bench.on.register(&entries).await?;
    let Some(found) = bench.coalesced("long").await? else { return Err(Fault::new("nothing is known")) };
    let fit = LISTED_BYTES / entries[0].event.weight();
    ensure!(
        found.count == 30 && found.events.len().abs_diff(fit) <= 1,
        "{} of {}",
        found.events.len(),
        found.count
    );
    let weight: usize = found.events.iter().map(CoalescedEvent::weight).sum();
    ensure!(weight <= LISTED_BYTES, "{weight} bytes are listed");
    Ok(())
}

async fn what_is_gathered_is_kept_for_ten_minutes_after_the_end(bench: &WindowsBench<'_>) -> Checked {
    bench.join(&of_document("k"), START).await?;
    bench.on.register(&[confirmed("k", 5)]).await?;
    bench.clock.set(second(20).plus(KEPT).minus(MILLISECOND));
    same!(bench.newest("k").await?, Some(newest(confirmed("k", 5))), "the newest, a moment before");
    let gathered = Coalesced { count: 1, events: vec![confirmed("k", 5).event] };
    same!(bench.coalesced("k").await?, Some(gathered), "the list, a moment before");
    bench.clock.advance(MILLISECOND);
    same!(bench.newest("k").await?, None, "the newest, when its time is over");
    same!(bench.coalesced("k").await?, None, "the list, when its time is over");
    Ok(())
}
