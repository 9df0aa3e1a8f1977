//! The suite for how far deliveries have come as the log knows them.

use std::time::Duration;

use postrider_domain::delivery::{DeliveryId, DeliveryState, Progress};
use postrider_domain::event::Carried;
use postrider_ports::progress::Asked;

use super::log::{LogAdapter, LogBench, an_event, write};
use super::{Checked, ensure, same, suite};
use crate::builders::{call, matched, scope, webhook_id};
use crate::clock::START;

suite!(
    "progress",
    dyn LogAdapter,
    [
        each_is_answered_in_the_order_asked,
        a_wave_of_questions_is_answered_in_one,
        nothing_asked_is_nothing_answered,
    ]
);

fn asked(event: &Carried, webhook: &str) -> Asked {
    let id = DeliveryId::derive(&event.head.scope, &event.head.id, &webhook_id(webhook), 0);
    Asked { id, day: event.head.day() }
}

async fn each_is_answered_in_the_order_asked(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    let retried = call(&event, "w2", 3).failed(500, Some(START.plus(Duration::from_secs(60))));
    write(
        &bench.on,
        &[matched(&event, &["w1", "w2", "w3"], &[]), retried.record(), call(&event, "w3", 1).record()],
    )
    .await?;
    let answers = bench
        .on
        .progress(&[asked(&event, "w3"), asked(&event, "w9"), asked(&event, "w2"), asked(&event, "w1")])
        .await?;
    let at = |state, attempt| Some(Progress { state, attempt });
    let expected =
        [at(DeliveryState::Delivered, 1), None, at(DeliveryState::Pending, 3), at(DeliveryState::Pending, 0)];
    same!(answers, expected, "the answers");
    Ok(())
}

async fn a_wave_of_questions_is_answered_in_one(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    write(&bench.on, &[matched(&event, &["w1"], &[])]).await?;
    let unknown = |number: u32| {
        let id = DeliveryId::derive(&scope("other"), &event.head.id, &webhook_id("w1"), number);
        Asked { id, day: START.day() }
    };
    let mut wave: Vec<Asked> = (0..2000).map(unknown).collect();
    wave.push(asked(&event, "w1"));
    let answers = bench.on.progress(&wave).await?;
    same!(answers.len(), 2001, "answers");
    ensure!(answers[..2000].iter().all(Option::is_none), "what is not known is answered with a progress");
    ensure!(answers[2000].is_some(), "the last one is known");
    Ok(())
}

async fn nothing_asked_is_nothing_answered(bench: &LogBench<'_>) -> Checked {
    same!(bench.on.progress(&[]).await?, [], "answers to no question");
    Ok(())
}
