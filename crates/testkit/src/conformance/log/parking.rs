//! Deliveries whose message was put aside for a person, put back and dropped.

use std::time::Duration;

use postrider_domain::delivery::DeliveryState::{Cancelled, Delivered, Parked, Pending};
use postrider_domain::delivery::{DeliveryId, DeliveryState};
use postrider_domain::event::Carried;
use postrider_domain::record::Record;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::progress::Asked;

use super::{LogBench, an_event, delivery, write};
use crate::builders::{call, matched, scope, settled, webhook_id};
use crate::clock::START;
use crate::conformance::{Checked, same};

fn at(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

/// Parked after so many attempts.
fn parked(event: &Carried, webhook: &str, attempt: u32) -> Record {
    let mut record = settled(event, webhook, Parked, at(70));
    if let Record::Settled(settled) = &mut record {
        settled.attempt = attempt;
    }
    record
}

fn asked(event: &Carried, webhook: &str) -> Asked {
    let id = DeliveryId::derive(&scope("default"), &event.head.id, &webhook_id(webhook), 0);
    Asked { id, day: event.head.day() }
}

pub(in super::super) async fn what_is_parked_says_so_in_any_order(bench: &LogBench<'_>) -> Checked {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (number, order) in orders.into_iter().enumerate() {
        for together in [true, false] {
            let event = an_event(&format!("e{number}-{together}")).carried();
            let failed = call(&event, "w1", 1).failed(500, Some(at(60))).record();
            let story = [matched(&event, &["w1"], &[]), failed, parked(&event, "w1", 1)];
            let story = order.map(|place| story[place].clone());
            for batch in story.chunks(if together { story.len() } else { 1 }) {
                write(&bench.on, batch).await?;
            }
            let row = delivery(&bench.on, &event, "w1", 0).await?;
            let shown = (row.state, row.attempt, row.next_at);
            same!(shown, (Parked, 1, None), "the delivery in the order {order:?}, in one batch: {together}");
            same!(row.reason.as_deref(), Some("the test says Parked"), "why");
        }
    }
    Ok(())
}

pub(in super::super) async fn what_is_parked_goes_on_with_its_next_attempt_or_ends(
    bench: &LogBench<'_>,
) -> Checked {
    let ends: [(&str, DeliveryState, u32); 4] =
        [("w1", Delivered, 2), ("w2", Pending, 2), ("w3", Cancelled, 1), ("w4", Pending, 1)];
    for together in [true, false] {
        let event = an_event(if together { "e1" } else { "e2" }).carried();
        let failed = |webhook, attempt| call(&event, webhook, attempt).failed(500, Some(at(60))).record();
        let story = [
            matched(&event, &["w1", "w2", "w3", "w4"], &[]),
            parked(&event, "w1", 1),
            call(&event, "w1", 2).record(),
            parked(&event, "w2", 1),
            failed("w2", 2),
            parked(&event, "w3", 1),
            settled(&event, "w3", Cancelled, at(80)),
            // A copy of the message of an attempt that was made since.
            failed("w4", 1),
            parked(&event, "w4", 0),
        ];
        for batch in story.chunks(if together { story.len() } else { 1 }) {
            write(&bench.on, batch).await?;
        }
        for (webhook, state, attempt) in ends {
            let row = delivery(&bench.on, &event, webhook, 0).await?;
            same!((row.state, row.attempt), (state, attempt), "{webhook}, in one batch: {together}");
        }
    }
    Ok(())
}

pub(in super::super) async fn what_was_put_back_is_pending_and_nothing_else_is(
    bench: &LogBench<'_>,
) -> Checked {
    let event = an_event("e1").carried();
    let story = [
        matched(&event, &["w1", "w2", "w3"], &[]),
        parked(&event, "w1", 3),
        call(&event, "w2", 1).record(),
        parked(&event, "w3", 0),
    ];
    write(&bench.on, &story).await?;
    let unknown = asked(&event, "w9");
    let back = [asked(&event, "w1"), asked(&event, "w2"), unknown];
    for _ in 0..2 {
        bench.on.reopen(&back, at(90)).await?;
        let row = delivery(&bench.on, &event, "w1", 0).await?;
        same!((row.state, row.attempt, row.reason), (Pending, 3, None), "what was put back");
        same!(delivery(&bench.on, &event, "w2", 0).await?.state, Delivered, "what was delivered");
        same!(delivery(&bench.on, &event, "w3", 0).await?.state, Parked, "what stayed parked");
    }
    let mut balance = bench.on.balance(None).await?;
    balance.retain(|(_, count)| *count > 0);
    balance.sort_by_key(|(state, _)| state.as_str());
    same!(balance, [(Delivered, 1), (Parked, 1), (Pending, 1)], "the balance");
    write(&bench.on, &[parked(&event, "w1", 3)]).await?;
    same!(delivery(&bench.on, &event, "w1", 0).await?.state, Parked, "what came back to be parked again");
    Ok(())
}
