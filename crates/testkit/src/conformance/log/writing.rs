//! What becomes of records.

use std::time::Duration;

use postrider_domain::delivery::DeliveryState;
use postrider_domain::record::{Decision, Record};
use postrider_domain::timestamp::Timestamp;

use super::{LogAdapter, LogBench, all, an_event, delivery, shown, write};
use crate::builders::{SPACE, call, matched, settled, space};
use crate::clock::START;
use crate::conformance::{Checked, Fault, ensure, same};

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// A story of one event: `w1` is called twice, `w3` is superseded, `w2` does not match.
fn story(id: &str) -> [Record; 4] {
    let event = an_event(id).carried();
    [
        matched(&event, &["w1", "w3"], &["w2"]),
        call(&event, "w1", 1).failed(500, Some(at(60))).record(),
        call(&event, "w1", 2).record(),
        settled(&event, "w3", DeliveryState::Superseded, at(9)),
    ]
}

/// Everything of a story that must not depend on the order: decisions, deliveries, and how many calls.
type Shown = (Vec<Decision>, Vec<(String, DeliveryState, u32, Option<Timestamp>, Option<String>, Timestamp)>);

async fn outcome(on: &std::sync::Arc<dyn LogAdapter>, id: &str) -> Result<Shown, Fault> {
    let row = shown(on, id).await?;
    let deliveries = row.deliveries.into_iter().map(|row| {
        let webhook = row.delivery.webhook.as_str().to_owned();
        (webhook, row.state, row.attempt, row.next_at, row.reason, row.updated_at)
    });
    let mut deliveries: Vec<_> = deliveries.collect();
    deliveries.sort_by_key(|row| row.0.clone());
    Ok((row.decisions, deliveries))
}

fn permutations() -> Vec<[usize; 4]> {
    let all = (0..256_usize).map(|number| [number / 64, number / 16 % 4, number / 4 % 4, number % 4]);
    all.filter(|order| (0..4).all(|one| order.contains(&one))).collect()
}

pub(in super::super) async fn an_event_told_in_parts_is_one_in_any_order(bench: &LogBench<'_>) -> Checked {
    let orders = [[0, 1, 2], [2, 1, 0], [1, 0, 2]];
    for (number, order) in orders.into_iter().enumerate() {
        let id = format!("parts-{number}");
        let event = an_event(&id).carried();
        let mut parts = [
            matched(&event, &["w1"], &["w9"]),
            matched(&event, &["w2", "w3"], &[]),
            matched(&event, &["w4"], &[]),
        ];
        for (part, record) in (0..).zip(&mut parts) {
            let Record::Matched(record) = record else { return Err(Fault::new("a match record")) };
            record.part = part;
        }
        for at in order {
            write(&bench.on, &parts[at..=at]).await?;
        }
        let row = shown(&bench.on, &id).await?;
        let listed: Vec<_> = row.decisions.iter().map(|one| one.webhook.as_str()).collect();
        same!(listed, ["w1", "w9"], "what the first part says");
        let pending = row.deliveries.iter().filter(|row| row.state == DeliveryState::Pending);
        let mut pending: Vec<_> = pending.map(|row| row.delivery.webhook.as_str()).collect();
        pending.sort_unstable();
        same!(pending, ["w1", "w2", "w3", "w4"], "the deliveries of all parts");
    }
    Ok(())
}

pub(in super::super) async fn the_order_of_arrival_does_not_matter(bench: &LogBench<'_>) -> Checked {
    let mut first = None;
    for (number, order) in permutations().into_iter().enumerate() {
        for together in [false, true] {
            let id = format!("e{number}-{together}");
            let story = story(&id);
            let ordered: Vec<Record> = order.iter().map(|one| story[*one].clone()).collect();
            if together {
                write(&bench.on, &ordered).await?;
            } else {
                for record in ordered {
                    write(&bench.on, &[record]).await?;
                }
            }
            let outcome = outcome(&bench.on, &id).await?;
            let expected = first.get_or_insert_with(|| outcome.clone());
            same!(outcome, *expected, "the outcome of the order {order:?}, in one batch: {together}");
        }
    }
    let (decisions, deliveries) = first.unwrap_or_default();
    same!(decisions.len(), 3, "decisions");
    let states: Vec<_> = deliveries.iter().map(|row| (row.0.as_str(), row.1, row.2, row.3)).collect();
    let expected = [("w1", DeliveryState::Delivered, 2, None), ("w3", DeliveryState::Superseded, 0, None)];
    same!(states, expected, "webhook, state, attempt and next attempt");
    same!(
        deliveries[0].5,
        at(2).plus(Duration::from_millis(100)),
        "when it last changed: the end of the call"
    );
    Ok(())
}

pub(in super::super) async fn what_is_written_twice_is_there_once(bench: &LogBench<'_>) -> Checked {
    let story = story("e1");
    write(&bench.on, &story).await?;
    let before = outcome(&bench.on, "e1").await?;
    write(&bench.on, &story).await?;
    write(&bench.on, &[story.as_slice(), story.as_slice()].concat()).await?;
    same!(outcome(&bench.on, "e1").await?, before, "the outcome after a repetition");
    same!(bench.on.calls(&space(SPACE), &all(10)).await?.total, 2, "calls after a repetition");
    Ok(())
}

pub(in super::super) async fn a_final_state_never_reopens(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    write(&bench.on, &[matched(&event, &["w1"], &[]), call(&event, "w1", 1).record()]).await?;
    write(&bench.on, &[call(&event, "w1", 2).failed(500, Some(at(60))).record()]).await?;
    write(&bench.on, &[settled(&event, "w1", DeliveryState::Cancelled, at(70))]).await?;
    let row = delivery(&bench.on, &event, "w1", 0).await?;
    same!((row.state, row.attempt, row.next_at), (DeliveryState::Delivered, 1, None), "the delivery");
    let calls = bench.on.calls(&space(SPACE), &all(10)).await?;
    same!(calls.total, 2, "calls: what was called is on record all the same");
    Ok(())
}

pub(in super::super) async fn a_delivery_only_moves_forward(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    write(&bench.on, &[matched(&event, &["w1"], &[])]).await?;
    let row = delivery(&bench.on, &event, "w1", 0).await?;
    same!((row.state, row.attempt), (DeliveryState::Pending, 0), "before the first attempt");
    write(&bench.on, &[call(&event, "w1", 2).failed(500, Some(at(60))).record()]).await?;
    write(&bench.on, &[call(&event, "w1", 1).failed(500, Some(at(2))).record()]).await?;
    let row = delivery(&bench.on, &event, "w1", 0).await?;
    same!((row.state, row.attempt, row.next_at), (DeliveryState::Pending, 2, Some(at(60))), "the delivery");
    Ok(())
}

pub(in super::super) async fn an_end_without_a_call_keeps_the_number_of_attempts(
    bench: &LogBench<'_>,
) -> Checked {
    for (id, together) in [("e1", true), ("e2", false)] {
        let event = an_event(id).carried();
        let records = [
            matched(&event, &["w1"], &[]),
            call(&event, "w1", 2).failed(500, Some(at(60))).record(),
            settled(&event, "w1", DeliveryState::Superseded, at(70)),
        ];
        for batch in records.chunks(if together { records.len() } else { 1 }) {
            write(&bench.on, batch).await?;
        }
        let row = delivery(&bench.on, &event, "w1", 0).await?;
        let expected = (DeliveryState::Superseded, 2, None);
        same!((row.state, row.attempt, row.next_at), expected, "in one batch: {together}");
    }
    Ok(())
}

pub(in super::super) async fn a_record_that_cannot_be_stored_keeps_no_other_out(
    bench: &LogBench<'_>,
) -> Checked {
    let event = an_event("e1").carried();
    // Not every store keeps a NUL. Whether this one does is its own affair, as long as the others are kept.
    let mut odd = settled(&event, "w2", DeliveryState::Parked, at(1));
    if let Record::Settled(settled) = &mut odd {
        "NUL: \0".clone_into(&mut settled.reason);
    }
    let batch = [matched(&event, &["w1"], &[]), odd, call(&event, "w1", 1).record()];
    let poisoned = bench.on.write(&batch).await?;
    ensure!(poisoned.iter().all(|one| one.index == 1), "only the odd one may be poisoned: {poisoned:?}");
    ensure!(poisoned.iter().all(|one| !one.reason.is_empty()), "poison is named with a reason");
    same!(delivery(&bench.on, &event, "w1", 0).await?.state, DeliveryState::Delivered, "its neighbours");
    Ok(())
}

pub(in super::super) async fn what_was_written_is_there_after_a_kill(bench: &LogBench<'_>) -> Checked {
    write(&bench.on, &story("e1")).await?;
    let before = outcome(&bench.on, "e1").await?;
    let Some(again) = bench.reopened().await else { return Ok(()) };
    same!(outcome(&again, "e1").await?, before, "the outcome after a kill");
    same!(again.calls(&space(SPACE), &all(10)).await?.total, 2, "calls after a kill");
    Ok(())
}
