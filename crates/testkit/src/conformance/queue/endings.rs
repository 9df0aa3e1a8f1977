//! How leases end.

use postrider_domain::message::Queue;

use super::{QueueBench, events, id_of, next, nothing_else_is_ready, publish, publish_all};
use crate::conformance::{Checked, ensure, same};

/// The delivery limit (DESIGN §4.2).
pub(super) const LIMIT: u32 = 20;

pub(super) async fn an_acknowledged_message_is_forgotten(bench: &QueueBench<'_>) -> Checked {
    publish(&bench.on, "a").await?;
    next(&mut *events(&bench.on)).await?.lease.ack().await?;
    nothing_else_is_ready(&bench.on).await
}

pub(super) async fn a_dropped_lease_hands_the_message_out_again(bench: &QueueBench<'_>) -> Checked {
    publish(&bench.on, "a").await?;
    drop(next(&mut *events(&bench.on)).await?);
    let again = next(&mut *events(&bench.on)).await?;
    same!(id_of(&again), "a", "the message");
    same!(again.redeliveries, 1, "how often it was handed out before");
    ensure!(again.suspect, "what was handed out before is a suspect");
    again.lease.ack().await?;
    nothing_else_is_ready(&bench.on).await
}

pub(super) async fn a_release_hands_out_again_and_is_never_held_against_the_message(
    bench: &QueueBench<'_>,
) -> Checked {
    publish(&bench.on, "a").await?;
    for before in 0..LIMIT + 5 {
        let received = next(&mut *events(&bench.on)).await?;
        same!(received.redeliveries, before, "how often it was handed out before");
        same!(received.suspect, before > 0, "whether it is a suspect after {before} releases");
        received.lease.release().await?;
    }
    ensure!(bench.on.list(None, 10).await?.is_empty(), "a release never parks");
    next(&mut *events(&bench.on)).await?.lease.ack().await?;
    nothing_else_is_ready(&bench.on).await
}

pub(super) async fn a_reject_hands_out_again_and_the_twentieth_parks(bench: &QueueBench<'_>) -> Checked {
    publish(&bench.on, "a").await?;
    for before in 0..LIMIT {
        let parked = bench.on.list(None, 10).await?;
        ensure!(parked.is_empty(), "parked after {before} rejects, the limit is {LIMIT}");
        let received = next(&mut *events(&bench.on)).await?;
        same!(received.redeliveries, before, "how often it was handed out before");
        received.lease.reject(&format!("cannot be matched, try {before}")).await?;
    }
    let parked = bench.on.list(None, 10).await?;
    same!(parked.len(), 1, "messages parked after {LIMIT} rejects");
    same!(parked[0].reason, "cannot be matched, try 19", "the reason of the last reject");
    same!(parked[0].deliveries, LIMIT, "how often it had been handed out");
    nothing_else_is_ready(&bench.on).await
}

pub(super) async fn a_parked_message_is_kept_with_its_reason(bench: &QueueBench<'_>) -> Checked {
    publish(&bench.on, "a").await?;
    let received = next(&mut *events(&bench.on)).await?;
    received.lease.park("its space is gone").await?;
    let parked = bench.on.list(None, 10).await?;
    same!(parked.len(), 1, "parked messages");
    same!(parked[0].queue, Queue::Events.as_str(), "where it was");
    same!(parked[0].reason, "its space is gone", "the reason");
    same!(parked[0].parked_at, postrider_ports::clock::Clock::now(&*bench.clock), "when it was parked");
    same!(parked[0].deliveries, 1, "how often it had been handed out");
    ensure!(!parked[0].body.is_empty(), "the message is kept");
    same!(bench.on.depth(Queue::Events).await?.leased, 0, "what is leased after parking");
    nothing_else_is_ready(&bench.on).await
}

pub(super) async fn one_message_does_not_hold_up_the_others(bench: &QueueBench<'_>) -> Checked {
    publish_all(&bench.on, &["a".to_owned(), "b".to_owned()]).await?;
    let held = next(&mut *events(&bench.on)).await?;
    same!(id_of(&held), "a", "the first message");
    let other = next(&mut *events(&bench.on)).await?;
    same!(id_of(&other), "b", "the second message, while the first is held");
    other.lease.ack().await?;
    held.lease.ack().await?;
    nothing_else_is_ready(&bench.on).await
}
