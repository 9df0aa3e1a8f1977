//! Resends.

use std::collections::BTreeSet;
use std::time::Duration;

use postrider_domain::delivery::DeliveryState;

use super::{LogBench, an_event, delivery, write};
use crate::builders::{SPACE, call, event_id, matched, space, webhook_id};
use crate::clock::START;
use crate::conformance::{Checked, Fault, ensure, same};

pub(in super::super) async fn a_generation_opens_as_pending_and_counts_up(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    write(&bench.on, &[matched(&event, &["w1"], &[]), call(&event, "w1", 1).failed(404, None).record()])
        .await?;
    for generation in [1, 2] {
        let now = START.plus(Duration::from_secs(100 + u64::from(generation)));
        let opened = bench.on.open_generation(&space(SPACE), &event_id("e1"), &webhook_id("w1"), now).await?;
        let opened = opened.ok_or_else(|| Fault::new("there is a delivery to be sent again"))?;
        same!(opened.delivery.generation, generation, "the generation");
        same!(opened.id, opened.delivery.id(), "its id");
        same!((opened.state, opened.attempt), (DeliveryState::Pending, 0), "where it stands");
        same!(opened.delivery.event.id, event.head.id, "its event");
        same!(delivery(&bench.on, &event, "w1", generation).await?, opened, "what the log shows");
    }
    same!(delivery(&bench.on, &event, "w1", 0).await?.state, DeliveryState::GivenUp, "generation 0");
    Ok(())
}

pub(in super::super) async fn two_callers_get_two_generations(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    write(&bench.on, &[matched(&event, &["w1"], &[])]).await?;
    let (space, id, webhook) = (space(SPACE), event_id("e1"), webhook_id("w1"));
    let open = || bench.on.open_generation(&space, &id, &webhook, START);
    let (a, b, c, d) = tokio::join!(open(), open(), open(), open());
    let opened: BTreeSet<u32> =
        [a?, b?, c?, d?].into_iter().flatten().map(|row| row.delivery.generation).collect();
    same!(opened, BTreeSet::from([1, 2, 3, 4]), "the generations of four callers at once");
    Ok(())
}

pub(in super::super) async fn there_is_no_generation_of_nothing(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    write(&bench.on, &[matched(&event, &["w1"], &["w2"])]).await?;
    for (owner, id, webhook) in
        [(SPACE, "e2", "w1"), (SPACE, "e1", "w2"), (SPACE, "e1", "w9"), ("other", "e1", "w1")]
    {
        let opened =
            bench.on.open_generation(&space(owner), &event_id(id), &webhook_id(webhook), START).await?;
        ensure!(opened.is_none(), "opened a generation of {owner}/{id}/{webhook}, which has none");
    }
    Ok(())
}

pub(in super::super) async fn generations_do_not_disturb_each_other(bench: &LogBench<'_>) -> Checked {
    let event = an_event("e1").carried();
    let next_at = Some(START.plus(Duration::from_secs(60)));
    write(&bench.on, &[matched(&event, &["w1"], &[]), call(&event, "w1", 1).failed(500, next_at).record()])
        .await?;
    let (space, id, webhook) = (space(SPACE), event_id("e1"), webhook_id("w1"));
    bench.on.open_generation(&space, &id, &webhook, START.plus(Duration::from_secs(5))).await?;
    let again = call(&event, "w1", 1).generation(1).at(START.plus(Duration::from_secs(6)));
    write(&bench.on, &[again.record()]).await?;
    let zero = delivery(&bench.on, &event, "w1", 0).await?;
    same!((zero.state, zero.attempt, zero.next_at), (DeliveryState::Pending, 1, next_at), "generation 0");
    let one = delivery(&bench.on, &event, "w1", 1).await?;
    same!((one.state, one.attempt), (DeliveryState::Delivered, 1), "generation 1");
    Ok(())
}
