//! What a kill leaves behind. Adapters that keep nothing are passed over.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::message::{DeliverMessage, Queue};
use postrider_ports::queue::{Depth, Outgoing, Publish};

use super::endings::LIMIT;
use super::{
    LATE, QueueBench, deliveries, events, id_of, ids, next, nothing_else_is_ready, publish, publish_all, take,
};
use crate::builders::{deliver, event, outgoing};
use crate::clock::START;
use crate::conformance::{Checked, ensure, same};

pub(super) async fn what_was_published_is_there_after_a_kill(bench: &QueueBench<'_>) -> Checked {
    publish_all(&bench.on, &ids("a", 20)).await?;
    let Some(again) = bench.reopened().await else { return Ok(()) };
    same!(again.depth(Queue::Events).await?, Depth { ready: 20, delayed: 0, leased: 0 }, "the depth");
    let received = take(&mut *events(&again), 20).await?;
    same!(received.iter().map(id_of).collect::<Vec<_>>(), ids("a", 20), "the messages");
    ensure!(received.iter().all(|one| one.redeliveries == 0), "nobody had seen them");
    Ok(())
}

pub(super) async fn what_was_leased_comes_back_as_redelivered_after_a_kill(
    bench: &QueueBench<'_>,
) -> Checked {
    publish_all(&bench.on, &ids("a", 2)).await?;
    let held = next(&mut *events(&bench.on)).await?;
    let Some(again) = bench.reopened().await else { return Ok(()) };
    let received = take(&mut *events(&again), 2).await?;
    // The dead process no longer has a say.
    drop(held);
    let mut found: Vec<_> = received.iter().map(|one| (id_of(one), one.redeliveries, one.suspect)).collect();
    found.sort();
    // A broker also counts what was fetched ahead and not yet seen by anybody.
    let ahead = u32::from(bench.behind_a_broker() && received.iter().all(|one| one.suspect));
    let expected = [("a0000".to_owned(), 1, true), ("a0001".to_owned(), ahead, ahead > 0)];
    same!(found, expected, "messages, how often each was handed out, and suspicion");
    for one in received {
        one.lease.ack().await?;
    }
    nothing_else_is_ready(&again).await
}

pub(super) async fn what_was_acknowledged_stays_gone_after_a_kill(bench: &QueueBench<'_>) -> Checked {
    publish(&bench.on, "a").await?;
    next(&mut *events(&bench.on)).await?.lease.ack().await?;
    publish(&bench.on, "b").await?;
    next(&mut *events(&bench.on)).await?.lease.park("for a person").await?;
    let Some(again) = bench.reopened().await else { return Ok(()) };
    same!(again.list(None, 10).await?.len(), 1, "parked messages");
    nothing_else_is_ready(&again).await
}

/// Poison that no process survives. Bounded: a broker hands it out 20 times again after the first, a file 20 times in all.
pub(super) async fn what_ends_its_process_every_time_is_parked_in_the_end(bench: &QueueBench<'_>) -> Checked {
    publish(&bench.on, "poison").await?;
    let mut on = Arc::clone(&bench.on);
    let mut held = Vec::new();
    for crashes in 0..=LIMIT {
        let parked = on.list(None, 10).await?;
        if let Some(message) = parked.first() {
            ensure!(crashes >= LIMIT, "parked after {crashes} crashes, the limit is {LIMIT}");
            same!(message.queue, Queue::Events.as_str(), "where it was");
            same!(message.deliveries, LIMIT, "how often it had been handed out");
            ensure!(message.reason.contains("never came to an end"), "the reason: {}", message.reason);
            return nothing_else_is_ready(&on).await;
        }
        held.push(next(&mut *events(&on)).await?);
        let Some(again) = bench.reopened_from(on).await else { return Ok(()) };
        on = again;
    }
    ensure!(bench.behind_a_broker(), "after {LIMIT} crashes and one more it is not parked");
    // A broker moves it in its own time.
    while on.count().await? == 0 {}
    let parked = on.list(None, 10).await?;
    same!(parked.iter().map(|one| one.queue.as_str()).collect::<Vec<_>>(), ["events"], "where it was");
    ensure!(parked[0].reason.contains("delivery_limit"), "the reason: {}", parked[0].reason);
    ensure!(parked[0].parked_at.unix_ms() > 0, "when it was parked");
    nothing_else_is_ready(&on).await
}

pub(super) async fn what_was_put_off_is_still_due_after_a_kill(bench: &QueueBench<'_>) -> Checked {
    if bench.behind_a_broker() {
        return Ok(());
    }
    let message = deliver(&event("Entry.publish").carried(), &["w1"]);
    let not_before = Some(START.plus(Duration::from_secs(10)));
    let put_off = Outgoing { not_before, ..outgoing(message) };
    Publish::<DeliverMessage>::publish(&*bench.on, vec![put_off]).await?;
    let Some(again) = bench.reopened().await else { return Ok(()) };
    same!(again.depth(LATE).await?, Depth { ready: 0, delayed: 1, leased: 0 }, "the depth");
    bench.clock.advance(Duration::from_secs(10));
    let received = next(&mut *deliveries(&again, LATE)).await?;
    same!(received.redeliveries, 0, "waiting is no delivery");
    Ok(received.lease.ack().await?)
}
