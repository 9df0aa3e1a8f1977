//! Filters together: every combination, and a rare one among many rows.

use std::time::Duration;

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::event::Carried;
use postrider_domain::id::EnvironmentId;
use postrider_domain::record::Record;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::log::{Cursor, DeliveryRow, LOOKED_AT, LogQuery, Order};

use super::{LogBench, all, an_event, write};
use crate::builders::{SPACE, call, event, matched, space, webhook_id};
use crate::clock::START;
use crate::conformance::{Checked, Fault, ensure, same};

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// What a query can be narrowed by, a bit each.
const KINDS: u32 = 8;

/// Rows that share values with each other in all ways; each event has one delivery and one call.
fn rows() -> Vec<(Carried, &'static str, DeliveryState, Timestamp)> {
    let topics = ["Entry.publish", "Entry.delete", "Asset.publish", "Asset.delete", "Release.publish"];
    let states = [DeliveryState::Delivered, DeliveryState::GivenUp, DeliveryState::Pending];
    (0..12_usize)
        .map(|number| {
            let event = event(topics[number % 5]).id(&format!("e{number}"));
            let event = if number % 4 == 3 { event.environment("staging") } else { event };
            let webhook = if number % 2 == 0 { "w1" } else { "w2" };
            (event.carried(), webhook, states[number % 3], at(10 + u64::try_from(number).unwrap_or(0)))
        })
        .collect()
}

/// What asks for the values of a row, for each bit that is set.
fn like((event, webhook, state, at): &(Carried, &str, DeliveryState, Timestamp), bits: u32) -> LogQuery {
    let head = &event.head;
    let asked = |bit: u32| bits >> bit & 1 == 1;
    LogQuery {
        webhook: asked(0).then(|| webhook_id(webhook)),
        environment: asked(1).then(|| head.scope.environment.clone()),
        event_type: asked(2).then(|| head.event_type.to_string()),
        action: asked(3).then(|| head.action.to_string()),
        state: asked(4).then_some(*state),
        from: asked(5).then_some(*at),
        to: asked(6).then(|| at.plus(Duration::from_secs(1))),
        event: asked(7).then(|| head.id.clone()),
        ..all(2)
    }
}

fn takes(query: &LogQuery, (delivery, state, at): (&DeliveryRef, DeliveryState, Timestamp)) -> bool {
    let head = &delivery.event;
    query.webhook.as_ref().is_none_or(|id| *id == delivery.webhook)
        && query.environment.as_ref().is_none_or(|id: &EnvironmentId| *id == head.scope.environment)
        && query.event_type.as_ref().is_none_or(|name| name == head.event_type.as_str())
        && query.action.as_ref().is_none_or(|name| name == head.action.as_str())
        && query.event.as_ref().is_none_or(|id| *id == head.id)
        && query.state.is_none_or(|wanted| wanted == state)
        && query.from.is_none_or(|from| at >= from)
        && query.to.is_none_or(|to| at < to)
}

pub(in super::super) async fn every_combination_of_filters_filters(bench: &LogBench<'_>) -> Checked {
    let rows = rows();
    for (event, webhook, state, at) in &rows {
        let call = call(event, webhook, 1).at(*at);
        let call = match state {
            DeliveryState::GivenUp => call.failed(404, None),
            DeliveryState::Pending => {
                call.failed(500, Some(Timestamp::from_unix_ms(i64::from(u32::MAX) * 1000)))
            }
            _ => call,
        };
        write(&bench.on, &[matched(event, &[webhook], &[]), call.record()]).await?;
    }
    // Deliveries and calls have instants of their own: what is expected is told from the whole lists.
    let deliveries = bench.on.deliveries(&space(SPACE), &all(100)).await?.items;
    let calls = bench.on.calls(&space(SPACE), &all(100)).await?.items;
    same!((deliveries.len(), calls.len()), (rows.len(), rows.len()), "all rows");
    for (row, bits) in rows.iter().step_by(5).flat_map(|row| (0..1_u32 << KINDS).map(move |bits| (row, bits)))
    {
        // Every kind of filter alone and with each other one, and all together.
        if (3..KINDS).contains(&bits.count_ones()) {
            continue;
        }
        let query = like(row, bits);
        let wanted = calls.iter().filter(|call| takes(&query, (&call.delivery, call.state, call.started_at)));
        let wanted: Vec<&str> = wanted.map(|call| call.delivery.event.id.as_str()).collect();
        let page = bench.on.calls(&space(SPACE), &query).await?;
        let found: Vec<&str> = page.items.iter().map(|call| call.delivery.event.id.as_str()).collect();
        same!(found, wanted[..wanted.len().min(2)], "calls by {query:?}");
        same!(page.total, wanted.len(), "the total of calls by {query:?}");
        let wanted =
            deliveries.iter().filter(|row| takes(&query, (&row.delivery, row.state, row.updated_at)));
        let wanted: Vec<&str> = wanted.map(|row| row.delivery.event.id.as_str()).collect();
        let page = bench.on.deliveries(&space(SPACE), &query).await?;
        let found: Vec<&str> = page.items.iter().map(|row| row.delivery.event.id.as_str()).collect();
        same!(found, wanted[..wanted.len().min(2)], "deliveries by {query:?}");
        same!(page.total, wanted.len(), "the total of deliveries by {query:?}");
    }
    Ok(())
}

/// Eight deliveries with a next attempt, two of them due at one instant, one never tried; and others that have none.
async fn waiting(bench: &LogBench<'_>) -> Checked {
    for number in 0..8_u64 {
        let event = event("Entry.publish").id(&format!("w{number}")).carried();
        let webhook = if number % 2 == 0 { "w1" } else { "w2" };
        let mut record = matched(&event, &[webhook], &[]);
        // Due in another order than they changed in.
        let due = at(1000 + (number * 5 % 8).min(6) * 10);
        if number == 3 {
            let Record::Matched(matched) = &mut record else { return Err(Fault::new("a match record")) };
            matched.decisions[0].due_at = Some(due);
            write(&bench.on, &[record]).await?;
        } else {
            let call = call(&event, webhook, 1).at(at(10 + number)).failed(500, Some(due));
            write(&bench.on, &[record, call.record()]).await?;
        }
    }
    let (done, fresh) = (an_event("done").carried(), an_event("fresh").carried());
    let ended = call(&done, "w1", 1).at(at(12)).record();
    write(&bench.on, &[matched(&done, &["w1"], &[]), ended, matched(&fresh, &["w1"], &[])]).await
}

/// All pages of a list of deliveries.
async fn paged(bench: &LogBench<'_>, mut query: LogQuery) -> Result<Vec<DeliveryRow>, Fault> {
    let mut rows = Vec::new();
    for _ in 0..20 {
        let page = bench.on.deliveries(&space(SPACE), &query).await?;
        rows.extend(page.items);
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(rows);
        }
    }
    Err(Fault::new("ten rows on pages of two are no twenty pages"))
}

pub(in super::super) async fn deliveries_come_in_the_order_asked_for_page_by_page(
    bench: &LogBench<'_>,
) -> Checked {
    waiting(bench).await?;
    for order in [Order::Newest, Order::Oldest, Order::Soonest, Order::Latest] {
        let whole = bench.on.deliveries(&space(SPACE), &LogQuery { order, ..all(100) }).await?;
        let rows = whole.items;
        let expected = if order.is_by_next_attempt() { 8 } else { 10 };
        same!((rows.len(), whole.total), (expected, expected), "deliveries in the order {order:?}");
        let place = |row: &DeliveryRow| {
            let at = if order.is_by_next_attempt() { row.next_at } else { Some(row.updated_at) };
            (at, row.id)
        };
        let places: Vec<_> = rows.iter().map(place).collect();
        let is_sorted = if order.is_ascending() {
            places.windows(2).all(|pair| pair[0] < pair[1])
        } else {
            places.windows(2).all(|pair| pair[0] > pair[1])
        };
        ensure!(is_sorted, "in the order {order:?} came {places:?}");
        let pages = paged(bench, LogQuery { order, ..all(2) }).await?;
        ensure!(pages == rows, "the pages together differ from the whole in the order {order:?}");
        let skipped = bench.on.deliveries(&space(SPACE), &LogQuery { order, skip: 3, ..all(2) }).await?;
        ensure!(skipped.items == rows[3..5], "three left out, two shown, in the order {order:?}");
        let webhook = Some(webhook_id("w2"));
        let found = paged(bench, LogQuery { order, webhook, ..all(2) }).await?;
        let wanted: Vec<_> =
            rows.iter().filter(|row| row.delivery.webhook.as_str() == "w2").cloned().collect();
        ensure!(found == wanted, "narrowed, in the order {order:?}: {found:?}");
    }
    Ok(())
}

pub(in super::super) async fn what_waits_is_found_by_its_next_attempt(bench: &LogBench<'_>) -> Checked {
    waiting(bench).await?;
    let rows = bench.on.deliveries(&space(SPACE), &all(100)).await?.items;
    let (from, to) = (at(1010), at(1050));
    let orders = [Order::Newest, Order::Oldest, Order::Soonest, Order::Latest];
    // What is asked for, a bit each: whether tried, the window of the next attempt, that of the last change.
    for (order, bits) in orders.iter().flat_map(|order| (0..64_u32).map(move |bits| (*order, bits))) {
        let asked = |bit: u32| bits >> bit & 1 == 1;
        if (asked(2) || asked(3)) && !order.is_by_next_attempt() {
            continue;
        }
        let query = LogQuery {
            tried: asked(0).then_some(asked(1)),
            next_from: asked(2).then_some(from),
            next_to: asked(3).then_some(to),
            from: asked(4).then(|| at(12)),
            to: asked(5).then(|| at(16)),
            order,
            ..all(100)
        };
        let takes = |row: &&DeliveryRow| {
            (!order.is_by_next_attempt() || row.next_at.is_some())
                && query.tried.is_none_or(|tried| tried == (row.attempt > 0))
                && query.next_from.is_none_or(|from| row.next_at.is_some_and(|next| next >= from))
                && query.next_to.is_none_or(|to| row.next_at.is_some_and(|next| next < to))
                && query.from.is_none_or(|from| row.updated_at >= from)
                && query.to.is_none_or(|to| row.updated_at < to)
        };
        let mut wanted: Vec<&DeliveryRow> = rows.iter().filter(takes).collect();
        wanted.sort_by_key(|row| row.id);
        let page = bench.on.deliveries(&space(SPACE), &query).await?;
        same!(page.total, wanted.len(), "the total of {query:?}");
        let mut found: Vec<&DeliveryRow> = page.items.iter().collect();
        found.sort_by_key(|row| row.id);
        ensure!(found == wanted, "found by {query:?}: {found:?}");
    }
    Ok(())
}

/// More rows than are looked at for a page lie before the ones that are asked for.
pub(in super::super) async fn what_is_rare_among_many_is_found_page_by_page(bench: &LogBench<'_>) -> Checked {
    let (old, busy) = (event("Entry.save").id("old").carried(), an_event("busy").carried());
    let mut records: Vec<Record> =
        (1..=3).map(|attempt| call(&old, "w1", attempt).at(at(attempt.into())).record()).collect();
    let many = u32::try_from(LOOKED_AT).unwrap_or(u32::MAX) + 50;
    records.extend(
        (1..=many).map(|attempt| call(&busy, "w1", attempt).at(at(10 + u64::from(attempt))).record()),
    );
    for batch in records.chunks(1000) {
        write(&bench.on, batch).await?;
    }
    let mut query = LogQuery { webhook: Some(webhook_id("w1")), action: Some("save".to_owned()), ..all(2) };
    let mut found: Vec<CallRecord> = Vec::new();
    // Two pages have the three calls, and one or two more may be empty before them.
    for _ in 0..6 {
        let page = bench.on.calls(&space(SPACE), &query).await?;
        if !page.at_least && page.total != 3 {
            return Err(Fault::new(format!("a total of {} that is not said to be the least", page.total)));
        }
        found.extend(page.items);
        let Some(next) = page.next else { break };
        query.cursor = Some(Cursor { ..next });
    }
    let found: Vec<(&str, u32)> =
        found.iter().map(|call| (call.delivery.event.id.as_str(), call.attempt)).collect();
    same!(found, [("old", 3), ("old", 2), ("old", 1)], "the rare calls");
    Ok(())
}
