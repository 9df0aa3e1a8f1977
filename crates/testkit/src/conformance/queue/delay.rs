//! Messages that are put off.

use std::time::Duration;

use postrider_domain::message::{DeliverMessage, Lane, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::queue::{Depth, Outgoing, Publish};

use super::{LATE, QueueBench, a_while, deliveries, next};
use crate::builders::{deliver, event, outgoing};
use crate::clock::START;
use crate::conformance::{Checked, Fault, ensure, same};

fn due(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn message(id: &str, lane: Lane) -> DeliverMessage {
    DeliverMessage { lane, ..deliver(&event("Entry.publish").id(id).carried(), &["w1"]) }
}

async fn put_off(bench: &QueueBench<'_>, id: &str, until: Timestamp) -> Checked {
    let outgoing = Outgoing { not_before: Some(until), ..outgoing(message(id, Lane::Fresh)) };
    Ok(Publish::<DeliverMessage>::publish(&*bench.on, vec![outgoing]).await?)
}

async fn next_late(bench: &QueueBench<'_>) -> Result<String, Fault> {
    let received = next(&mut *deliveries(&bench.on, LATE)).await?;
    let id = received.message.event.head.id.as_str().to_owned();
    received.lease.ack().await?;
    Ok(id)
}

/// A message that is due at once comes, and nothing comes with it.
async fn only_the_marker_is_ready(bench: &QueueBench<'_>, when: &str) -> Checked {
    let marker = vec![outgoing(message("marker", Lane::Late))];
    Publish::<DeliverMessage>::publish(&*bench.on, marker).await?;
    let received = deliveries(&bench.on, LATE).receive(10).await?;
    let found: Vec<&str> = received.iter().map(|one| one.message.event.head.id.as_str()).collect();
    same!(found, ["marker"], "what is ready {when}");
    for one in received {
        one.lease.ack().await?;
    }
    Ok(())
}

pub(super) async fn a_delayed_message_comes_exactly_when_it_is_due(bench: &QueueBench<'_>) -> Checked {
    if bench.behind_a_broker() {
        return Ok(());
    }
    put_off(bench, "a", due(10)).await?;
    only_the_marker_is_ready(bench, "ten seconds before").await?;
    bench.clock.advance(Duration::from_millis(9_999));
    only_the_marker_is_ready(bench, "a millisecond before").await?;
    bench.clock.advance(Duration::from_millis(1));
    same!(next_late(bench).await?, "a", "the message that is due now");
    only_the_marker_is_ready(bench, "after it was acknowledged").await
}

pub(super) async fn a_delayed_message_comes_through_the_late_lane_as_it_was_sent(
    bench: &QueueBench<'_>,
) -> Checked {
    if bench.behind_a_broker() {
        return Ok(());
    }
    let trace = TraceContext { parent: Some("00-a-b-01".to_owned()), state: None };
    let sent = message("a", Lane::Fresh);
    let outgoing =
        Outgoing { message: sent.clone(), suspect: true, not_before: Some(due(1)), trace: trace.clone() };
    Publish::<DeliverMessage>::publish(&*bench.on, vec![outgoing]).await?;
    bench.clock.advance(Duration::from_secs(1));
    let received = next(&mut *deliveries(&bench.on, LATE)).await?;
    same!(received.message, DeliverMessage { lane: Lane::Late, ..sent }, "the message");
    ensure!(received.suspect, "it was published as a suspect");
    same!(received.redeliveries, 0, "waiting is no delivery");
    same!(received.trace, trace, "the trace");
    Ok(received.lease.ack().await?)
}

pub(super) async fn delayed_messages_come_in_the_order_of_their_instants(bench: &QueueBench<'_>) -> Checked {
    if bench.behind_a_broker() {
        return Ok(());
    }
    for (id, seconds) in [("c", 3), ("a", 1), ("b", 2)] {
        put_off(bench, id, due(seconds)).await?;
    }
    for expected in ["a", "b", "c"] {
        bench.clock.advance(Duration::from_secs(1));
        same!(next_late(bench).await?, expected, "the one that is due");
    }
    Ok(())
}

pub(super) async fn a_waiting_consumer_wakes_when_a_message_falls_due(bench: &QueueBench<'_>) -> Checked {
    if bench.behind_a_broker() {
        return Ok(());
    }
    put_off(bench, "a", due(60)).await?;
    let pass = async {
        a_while(50).await;
        bench.clock.advance(Duration::from_secs(60));
    };
    let (id, ()) = tokio::join!(next_late(bench), pass);
    same!(id?, "a", "the message");
    Ok(())
}

pub(super) async fn the_depth_counts_what_is_put_off(bench: &QueueBench<'_>) -> Checked {
    if bench.behind_a_broker() {
        return Ok(());
    }
    put_off(bench, "a", due(10)).await?;
    put_off(bench, "b", due(20)).await?;
    let depth = |ready, delayed| Depth { ready, delayed, leased: 0 };
    same!(bench.on.depth(LATE).await?, depth(0, 2), "two put off");
    bench.clock.advance(Duration::from_secs(10));
    same!(bench.on.depth(LATE).await?, depth(1, 1), "one of them due");
    Ok(())
}
