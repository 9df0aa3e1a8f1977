//! What is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::{Carriage, Carried};
use postrider_domain::id::EnvironmentId;
use postrider_domain::record::Record;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::log::LogQuery;

use super::{LogBench, all, an_event, shown, write};
use crate::builders::{SPACE, call, event, event_id, matched, settled, space, webhook_id};
use crate::clock::START;
use crate::conformance::{Checked, Fault, ensure, same};

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

pub(in super::super) async fn an_event_is_shown_with_everything_it_caused(bench: &LogBench<'_>) -> Checked {
    let builder = an_event("e1").content_type("post").data(r#"{ "a":1.0, "b" : [] }"#).previous("null");
    let event = builder.clone().carried();
    let mut record = matched(&event, &["w1", "w2"], &["w3"]);
    if let Record::Matched(matched) = &mut record {
        matched.unlisted = 7;
        matched.decisions[1].due_at = Some(at(20));
    }
    let Record::Matched(decided) = record.clone() else { return Err(Fault::new("a match record")) };
    write(&bench.on, &[record, call(&event, "w1", 1).record()]).await?;
    let row = shown(&bench.on, "e1").await?;
    same!(row.event, builder.build(), "the event, byte for byte");
    same!(row.decisions, decided.decisions, "the decisions");
    same!(row.unlisted, 7, "webhooks that are not listed");
    let found: Vec<_> =
        row.deliveries.iter().map(|row| (row.delivery.webhook.as_str(), row.state, row.next_at)).collect();
    let expected = [("w1", DeliveryState::Delivered, None), ("w2", DeliveryState::Pending, Some(at(20)))];
    same!(found, expected, "its deliveries, with state and due instant");
    ensure!(row.deliveries.iter().all(|row| *row.delivery.event == *event.head), "each names its event");
    Ok(())
}

pub(in super::super) async fn a_large_content_is_shown_from_the_bodies(bench: &LogBench<'_>) -> Checked {
    let text = format!("\"{}\"", "x".repeat(40_000));
    let builder = an_event("e1").data(&text);
    let body = bench.on.put(START.day(), &builder.clone().build().content).await?;
    let stored = Carried { content: Carriage::Stored(body), ..builder.clone().carried() };
    write(&bench.on, &[matched(&stored, &["w1"], &[])]).await?;
    same!(shown(&bench.on, "e1").await?.event, builder.build(), "the event");
    Ok(())
}

pub(in super::super) async fn another_space_sees_nothing(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    let made = call(&event, "w1", 1).build();
    let record = Record::Call(Box::new(made.clone()));
    write(&bench.on, &[matched(&event, &["w1"], &[]), record]).await?;
    let (own, other) = (space(SPACE), space("other"));
    same!(bench.on.call(&own, made.id).await?, Some(made.clone()), "the call, in its own space");
    ensure!(bench.on.call(&other, made.id).await?.is_none(), "another space sees the call");
    ensure!(bench.on.event(&other, &event_id("e1")).await?.is_none(), "another space sees the event");
    same!(bench.on.calls(&other, &all(10)).await?.total, 0, "calls in another space");
    same!(bench.on.deliveries(&other, &all(10)).await?.total, 0, "deliveries in another space");
    ensure!(bench.on.event(&own, &event_id("e2")).await?.is_none(), "an event that never was");
    Ok(())
}

/// Seven events, each called once, a second apart; two calls share an instant.
async fn seven(bench: &LogBench<'_>) -> Checked {
    for number in 0..7_u64 {
        let event = an_event(&format!("e{number}")).carried();
        let started = at(10 + number.min(5));
        let called = call(&event, "w1", 1).at(started).record();
        write(&bench.on, &[matched(&event, &["w1"], &[]), called]).await?;
    }
    Ok(())
}

pub(in super::super) async fn calls_come_newest_first_and_page_by_page(bench: &LogBench<'_>) -> Checked {
    seven(bench).await?;
    let space = space(SPACE);
    let whole = bench.on.calls(&space, &all(10)).await?;
    same!((whole.items.len(), whole.total, &whole.next), (7, 7, &None), "rows, total and next of one page");
    let places: Vec<_> = whole.items.iter().map(|call| (call.started_at, call.id)).collect();
    ensure!(places.windows(2).all(|pair| pair[0] > pair[1]), "newest first, then the greater id: {places:?}");
    let (mut query, mut paged) = (all(3), Vec::new());
    for number in 1.. {
        let page = bench.on.calls(&space, &query).await?;
        ensure!(page.items.len() <= 3, "a page of at most 3 has {}", page.items.len());
        same!(page.total, 7, "the total on every page");
        paged.extend(page.items);
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
        ensure!(number < 3, "seven rows on pages of three are three pages, a fourth is promised");
    }
    ensure!(paged == whole.items, "the pages together differ from the whole");
    let skipped = bench.on.calls(&space, &LogQuery { skip: 2, ..all(3) }).await?;
    ensure!(skipped.items == whole.items[2..5], "two left out, three shown");
    Ok(())
}

pub(in super::super) async fn deliveries_come_last_changed_first_and_page_by_page(
    bench: &LogBench<'_>,
) -> Checked {
    seven(bench).await?;
    let space = space(SPACE);
    let whole = bench.on.deliveries(&space, &all(10)).await?;
    same!((whole.items.len(), whole.total, &whole.next), (7, 7, &None), "rows, total and next of one page");
    let places: Vec<_> = whole.items.iter().map(|row| (row.updated_at, row.id)).collect();
    ensure!(places.windows(2).all(|pair| pair[0] > pair[1]), "last changed first: {places:?}");
    let first = bench.on.deliveries(&space, &all(4)).await?;
    ensure!(first.next.is_some(), "a next page follows");
    let second = bench.on.deliveries(&space, &LogQuery { cursor: first.next, ..all(4) }).await?;
    ensure!(second.next.is_none(), "no third page follows");
    ensure!([first.items, second.items].concat() == whole.items, "the pages together differ from the whole");
    Ok(())
}

/// Three deliveries that differ in everything a query can ask for, each with one call.
async fn three(bench: &LogBench<'_>) -> Checked {
    let other = event("Asset.delete").id("e2").environment("staging").carried();
    let (first, third) = (an_event("e1").carried(), event("Entry.delete").id("e3").carried());
    let next_at = Some(at(99));
    write(&bench.on, &[matched(&first, &["w1"], &[]), call(&first, "w1", 1).at(at(10)).record()]).await?;
    let failed = call(&other, "w2", 1).at(at(20)).failed(500, next_at).record();
    write(&bench.on, &[matched(&other, &["w2"], &[]), failed]).await?;
    let given_up = call(&third, "w1", 1).at(at(30)).failed(404, None).record();
    write(&bench.on, &[matched(&third, &["w1"], &[]), given_up]).await
}

/// Queries over [`three`], and the events whose rows they find, newest first.
fn questions() -> Vec<(&'static str, LogQuery, Vec<&'static str>)> {
    let query = || all(10);
    let staging = EnvironmentId::new("staging").ok();
    vec![
        ("nothing", query(), vec!["e3", "e2", "e1"]),
        ("webhook", LogQuery { webhook: Some(webhook_id("w1")), ..query() }, vec!["e3", "e1"]),
        ("environment", LogQuery { environment: staging, ..query() }, vec!["e2"]),
        ("event", LogQuery { event: Some(event_id("e3")), ..query() }, vec!["e3"]),
        ("type", LogQuery { event_type: Some("Entry".to_owned()), ..query() }, vec!["e3", "e1"]),
        ("action", LogQuery { action: Some("delete".to_owned()), ..query() }, vec!["e3", "e2"]),
        ("state", LogQuery { state: Some(DeliveryState::Pending), ..query() }, vec!["e2"]),
        ("from", LogQuery { from: Some(at(20)), ..query() }, vec!["e3", "e2"]),
        ("to", LogQuery { to: Some(at(20)), ..query() }, vec!["e1"]),
        (
            "two together",
            LogQuery { webhook: Some(webhook_id("w1")), state: Some(DeliveryState::GivenUp), ..query() },
            vec!["e3"],
        ),
        (
            "two that exclude each other",
            LogQuery { event: Some(event_id("e1")), webhook: Some(webhook_id("w2")), ..query() },
            vec![],
        ),
    ]
}

pub(in super::super) async fn every_filter_of_calls_filters(bench: &LogBench<'_>) -> Checked {
    three(bench).await?;
    for (what, query, expected) in questions() {
        let page = bench.on.calls(&space(SPACE), &query).await?;
        let found: Vec<_> = page.items.iter().map(|call| call.delivery.event.id.as_str()).collect();
        same!(found, expected, "calls by {what}");
        same!(page.total, expected.len(), "the total of calls by {what}");
    }
    Ok(())
}

pub(in super::super) async fn every_filter_of_deliveries_filters(bench: &LogBench<'_>) -> Checked {
    three(bench).await?;
    for (what, query, expected) in questions() {
        let page = bench.on.deliveries(&space(SPACE), &query).await?;
        let found: Vec<_> = page.items.iter().map(|row| row.delivery.event.id.as_str()).collect();
        same!(found, expected, "deliveries by {what}");
        same!(page.total, expected.len(), "the total of deliveries by {what}");
    }
    Ok(())
}

pub(in super::super) async fn the_balance_adds_up(bench: &LogBench<'_>) -> Checked {
    for number in 0..6_u64 {
        let event = an_event(&format!("e{number}")).carried();
        write(&bench.on, &[matched(&event, &["w1", "w2"], &["w3"])]).await?;
        let ended = match number {
            0 => call(&event, "w1", 1).record(),
            1 => call(&event, "w1", 1).failed(404, None).record(),
            2 => settled(&event, "w1", DeliveryState::Skipped, at(1)),
            _ => continue,
        };
        write(&bench.on, &[ended]).await?;
    }
    let elsewhere = an_event("e0").space("other").carried();
    write(&bench.on, &[matched(&elsewhere, &["w1"], &[])]).await?;
    // A resend is no second promise: only generation 0 counts.
    bench.on.open_generation(&space(SPACE), &event_id("e0"), &webhook_id("w1"), at(5)).await?;
    let named = |counts: Vec<(DeliveryState, u64)>| {
        counts.into_iter().map(|(state, count)| (state.as_str(), count)).collect::<BTreeMap<_, _>>()
    };
    let expected = [("delivered", 1), ("given_up", 1), ("skipped", 1), ("pending", 9)];
    let own = named(bench.on.balance(Some(&space(SPACE))).await?);
    same!(own, BTreeMap::from(expected), "the balance of a space");
    let whole = named(bench.on.balance(None).await?);
    same!(whole.values().sum::<u64>(), 13, "all deliveries of all spaces");
    same!(whole.get("pending"), Some(&10), "pending ones of all spaces");
    Ok(())
}
