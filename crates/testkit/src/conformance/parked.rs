//! The suite for messages put aside, and for bytes that are no message.

use postrider_domain::delivery::DeliveryRef;
use postrider_domain::message::{DeliverMessage, EventMessage, Queue, TraceContext};
use postrider_ports::error::PortErrorKind;
use postrider_ports::queue::{HeldDelivery, Message, Outgoing, ParkedMessage, Publish};

use super::queue::{
    QueueAdapter, QueueBench, deliveries, events, id_of, next, nothing_else_is_ready, publish,
};
use super::{Checked, Fault, ensure, same, suite};
use crate::builders::{deliver, event, outgoing, webhook_id};

suite!(
    "parked messages",
    dyn QueueAdapter,
    [
        bytes_put_aside_are_listed_as_they_were,
        a_message_put_aside_names_the_deliveries_that_wait_for_it,
        the_count_is_what_the_list_has,
        the_list_goes_from_the_oldest_on_page_by_page,
        a_redriven_message_is_a_suspect_whose_count_is_zero,
        a_redriven_message_keeps_its_trace,
        what_does_not_exist_is_neither_redriven_nor_discarded,
        a_discarded_message_is_gone,
        a_body_that_cannot_be_read_is_parked_and_stops_nobody,
        a_message_of_a_newer_version_stays_where_it_is_and_stops_the_consumer,
    ]
);

async fn only(bench: &QueueBench<'_>) -> Result<ParkedMessage, Fault> {
    let mut parked = bench.on.list(None, 10).await?;
    match (parked.pop(), parked.len()) {
        (Some(one), 0) => Ok(one),
        (_, rest) => Err(Fault::new(format!("expected one parked message, more or less by {rest}"))),
    }
}

async fn bytes_put_aside_are_listed_as_they_were(bench: &QueueBench<'_>) -> Checked {
    bench.on.park("inbox", "no JSON: expected a value at 1:1", &[0xff, 0x00, b'x']).await?;
    let parked = only(bench).await?;
    same!(parked.queue, "inbox", "where it was");
    same!(parked.reason, "no JSON: expected a value at 1:1", "the reason");
    same!(parked.body, [0xff, 0x00, b'x'], "the bytes");
    same!(parked.parked_at, postrider_ports::clock::Clock::now(&*bench.clock), "when");
    same!(parked.deliveries, 0, "how often it had been handed out");
    Ok(())
}

async fn a_message_put_aside_names_the_deliveries_that_wait_for_it(bench: &QueueBench<'_>) -> Checked {
    let event = event("Entry.publish").carried();
    let mut message = deliver(&event, &["w1", "w2"]);
    message.targets[1].attempt = 3;
    message.targets[1].generation = 1;
    Publish::<DeliverMessage>::publish(&*bench.on, vec![outgoing(message.clone())]).await?;
    let mut consumer = deliveries(&bench.on, message.queue());
    next(&mut *consumer).await?.lease.park("for a person").await?;
    let held = |webhook, generation, attempt| HeldDelivery {
        delivery: DeliveryRef { event: event.head.clone(), webhook: webhook_id(webhook), generation },
        attempt,
    };
    same!(only(bench).await?.holds, [held("w1", 0, 0), held("w2", 1, 2)], "the deliveries");
    bench.on.discard(only(bench).await?.id).await?;
    publish(&bench.on, "a").await?;
    next(&mut *events(&bench.on)).await?.lease.park("for a person").await?;
    same!(only(bench).await?.holds, [], "deliveries of an event that was not matched");
    Ok(())
}

async fn the_count_is_what_the_list_has(bench: &QueueBench<'_>) -> Checked {
    same!(bench.on.count().await?, 0, "of nothing");
    for body in [b"a", b"b", b"c"] {
        bench.on.park("inbox", "malformed", body).await?;
    }
    same!(bench.on.count().await?, 3, "after three");
    let first = bench.on.list(None, 1).await?;
    let id = first.first().map_or(4711, |one| one.id);
    ensure!(bench.on.discard(id).await?, "it is there to be discarded");
    same!(bench.on.count().await?, 2, "after one was discarded");
    Ok(())
}

async fn the_list_goes_from_the_oldest_on_page_by_page(bench: &QueueBench<'_>) -> Checked {
    for body in [b"a", b"b", b"c"] {
        bench.on.park("inbox", "malformed", body).await?;
    }
    let first = bench.on.list(None, 2).await?;
    same!(first.iter().map(|one| one.body.as_slice()).collect::<Vec<_>>(), [b"a", b"b"], "the first page");
    let second = bench.on.list(Some(first[1].id), 2).await?;
    same!(second.iter().map(|one| one.body.as_slice()).collect::<Vec<_>>(), [b"c"], "the second page");
    ensure!(bench.on.list(Some(second[0].id), 2).await?.is_empty(), "nothing follows the last page");
    Ok(())
}

async fn a_redriven_message_is_a_suspect_whose_count_is_zero(bench: &QueueBench<'_>) -> Checked {
    publish(&bench.on, "a").await?;
    for _ in 0..3 {
        next(&mut *events(&bench.on)).await?.lease.reject("not now").await?;
    }
    next(&mut *events(&bench.on)).await?.lease.park("for a person").await?;
    ensure!(bench.on.redrive(only(bench).await?.id).await?, "it is there to be redriven");
    ensure!(bench.on.list(None, 10).await?.is_empty(), "a redriven message is parked no longer");
    // Nineteen failures are allowed again.
    for before in 0..19 {
        let received = next(&mut *events(&bench.on)).await?;
        same!(id_of(&received), "a", "the message");
        ensure!(received.suspect, "a redriven message may be a copy");
        same!(received.redeliveries, before, "how often it was handed out since");
        received.lease.reject("still not").await?;
    }
    next(&mut *events(&bench.on)).await?.lease.ack().await?;
    nothing_else_is_ready(&bench.on).await
}

async fn a_redriven_message_keeps_its_trace(bench: &QueueBench<'_>) -> Checked {
    let trace = TraceContext { parent: Some("00-a-b-01".to_owned()), state: Some("v=1".to_owned()) };
    let outgoing = Outgoing::now(event("Entry.publish").message(), false, trace.clone());
    Publish::<EventMessage>::publish(&*bench.on, vec![outgoing]).await?;
    next(&mut *events(&bench.on)).await?.lease.park("for a person").await?;
    ensure!(bench.on.redrive(only(bench).await?.id).await?, "it is there to be redriven");
    same!(next(&mut *events(&bench.on)).await?.trace, trace, "the trace");
    Ok(())
}

async fn what_does_not_exist_is_neither_redriven_nor_discarded(bench: &QueueBench<'_>) -> Checked {
    ensure!(!bench.on.redrive(4711).await?, "there is nothing to redrive");
    ensure!(!bench.on.discard(4711).await?, "there is nothing to discard");
    Ok(())
}

async fn a_discarded_message_is_gone(bench: &QueueBench<'_>) -> Checked {
    publish(&bench.on, "a").await?;
    next(&mut *events(&bench.on)).await?.lease.park("for a person").await?;
    let id = only(bench).await?.id;
    ensure!(bench.on.discard(id).await?, "it is there to be discarded");
    ensure!(bench.on.list(None, 10).await?.is_empty(), "it is no longer listed");
    ensure!(!bench.on.redrive(id).await?, "it can no longer be redriven");
    nothing_else_is_ready(&bench.on).await
}

/// Puts bytes into a queue the way that needs no broken publisher: parked, and redriven.
async fn inject(bench: &QueueBench<'_>, body: &[u8]) -> Checked {
    bench.on.park(Queue::Events.as_str(), "injected", body).await?;
    ensure!(bench.on.redrive(only(bench).await?.id).await?, "it is there to be redriven");
    Ok(())
}

async fn a_body_that_cannot_be_read_is_parked_and_stops_nobody(bench: &QueueBench<'_>) -> Checked {
    inject(bench, b"{\"v\":1,\"nonsense\":true}").await?;
    nothing_else_is_ready(&bench.on).await?;
    let parked = only(bench).await?;
    same!(parked.body, b"{\"v\":1,\"nonsense\":true}", "the bytes");
    same!(parked.queue, Queue::Events.as_str(), "where it was");
    ensure!(
        !parked.reason.is_empty() && parked.reason != "injected",
        "the reason says what is wrong with it"
    );
    Ok(())
}

async fn a_message_of_a_newer_version_stays_where_it_is_and_stops_the_consumer(
    bench: &QueueBench<'_>,
) -> Checked {
    inject(bench, b"{\"v\":7}").await?;
    let mut consumer = events(&bench.on);
    for _ in 0..2 {
        let Err(error) = consumer.receive(1).await else {
            return Err(Fault::new("a message of a newer version must not be handed out"));
        };
        same!(error.kind, PortErrorKind::Permanent, "the kind of error");
        let text = error.to_string();
        ensure!(text.contains('7') && text.contains('1'), "the error names both versions: {text}");
    }
    ensure!(bench.on.list(None, 10).await?.is_empty(), "it is never parked");
    same!(bench.on.depth(Queue::Events).await?.ready, 1, "messages in the queue");
    Ok(())
}
