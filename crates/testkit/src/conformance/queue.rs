//! The suite for the queues: `Publish`, `Consumers`, `Depths`, and `Parked` as far as leases lead there.

mod delay;
mod endings;
mod handing_out;
mod reopening;

use std::sync::Arc;

use postrider_domain::message::{DeliverMessage, EventMessage, Lane, Queue, RecordsMessage};
use postrider_ports::queue::{Consume, Consumers, Depths, Parked, Publish, Received};

use super::{Bench, Fault, suite};
use crate::builders::{event, outgoing};

/// Everything that queues are for.
pub trait QueueAdapter:
    Publish<EventMessage>
    + Publish<DeliverMessage>
    + Publish<RecordsMessage>
    + Consumers<EventMessage>
    + Consumers<DeliverMessage>
    + Consumers<RecordsMessage>
    + Depths
    + Parked
{
}

impl<T> QueueAdapter for T where
    T: Publish<EventMessage>
        + Publish<DeliverMessage>
        + Publish<RecordsMessage>
        + Consumers<EventMessage>
        + Consumers<DeliverMessage>
        + Consumers<RecordsMessage>
        + Depths
        + Parked
{
}

suite!(
    "the queues",
    dyn QueueAdapter,
    [
        handing_out::messages_come_in_the_order_of_their_publishing,
        handing_out::every_kind_of_message_arrives_as_it_was_sent,
        handing_out::suspicion_and_trace_travel_with_the_message,
        handing_out::never_more_than_max_are_handed_out,
        handing_out::two_consumers_never_hold_the_same_message,
        handing_out::a_waiting_consumer_wakes_when_a_message_comes,
        handing_out::a_cancelled_receive_loses_nothing,
        handing_out::of_five_thousand_none_is_lost_and_none_doubled,
        handing_out::the_depth_counts_ready_and_leased,
        endings::an_acknowledged_message_is_forgotten,
        endings::a_dropped_lease_hands_the_message_out_again,
        endings::a_release_hands_out_again_and_is_never_held_against_the_message,
        endings::a_reject_hands_out_again_and_the_twentieth_parks,
        endings::a_parked_message_is_kept_with_its_reason,
        endings::one_message_does_not_hold_up_the_others,
        delay::a_delayed_message_comes_exactly_when_it_is_due,
        delay::a_delayed_message_comes_through_the_late_lane_as_it_was_sent,
        delay::delayed_messages_come_in_the_order_of_their_instants,
        delay::a_waiting_consumer_wakes_when_a_message_falls_due,
        delay::the_depth_counts_what_is_put_off,
        reopening::what_was_published_is_there_after_a_kill,
        reopening::what_was_leased_comes_back_as_redelivered_after_a_kill,
        reopening::what_was_acknowledged_stays_gone_after_a_kill,
        reopening::what_ends_its_process_every_time_is_parked_in_the_end,
        reopening::what_was_put_off_is_still_due_after_a_kill,
    ]
);

pub(super) type QueueBench<'h> = Bench<'h, dyn QueueAdapter>;

pub(super) const LATE: Queue = Queue::Deliver(Lane::Late);

pub(super) fn events(on: &Arc<dyn QueueAdapter>) -> Box<dyn Consume<EventMessage>> {
    Consumers::<EventMessage>::consumer(&**on, Queue::Events)
}

pub(super) fn deliveries(on: &Arc<dyn QueueAdapter>, queue: Queue) -> Box<dyn Consume<DeliverMessage>> {
    Consumers::<DeliverMessage>::consumer(&**on, queue)
}

/// Publishes an event of this id.
pub(super) async fn publish(on: &Arc<dyn QueueAdapter>, id: &str) -> Result<(), Fault> {
    publish_all(on, &[id.to_owned()]).await
}

/// Publishes events of these ids in one batch.
pub(super) async fn publish_all(on: &Arc<dyn QueueAdapter>, ids: &[String]) -> Result<(), Fault> {
    let batch = ids.iter().map(|id| outgoing(event("Entry.publish").id(id).message())).collect();
    Ok(Publish::<EventMessage>::publish(&**on, batch).await?)
}

/// `count` ids, in order.
pub(super) fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number:04}")).collect()
}

/// The id of a received event.
pub(super) fn id_of(received: &Received<EventMessage>) -> String {
    received.message.event.head.id.as_str().to_owned()
}

/// The next message alone.
pub(super) async fn next<M: postrider_ports::queue::Message>(
    from: &mut dyn Consume<M>,
) -> Result<Received<M>, Fault> {
    let mut received = from.receive(1).await?;
    match (received.pop(), received.len()) {
        (Some(one), 0) => Ok(one),
        (_, rest) => Err(Fault::new(format!("receive(1) returned {} messages", rest + 1))),
    }
}

/// Receives until there are `count`.
pub(super) async fn take<M: postrider_ports::queue::Message>(
    from: &mut dyn Consume<M>,
    count: usize,
) -> Result<Vec<Received<M>>, Fault> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let received = from.receive(count - taken.len()).await?;
        if received.is_empty() {
            return Err(Fault::new("receive returned no message instead of waiting for one"));
        }
        taken.extend(received);
    }
    Ok(taken)
}

/// Proves that nothing else is ready in `events`: the next message, out of as many as there are, is one published now.
pub(super) async fn nothing_else_is_ready(on: &Arc<dyn QueueAdapter>) -> Result<(), Fault> {
    publish(on, "marker").await?;
    let received = events(on).receive(10).await?;
    let found: Vec<String> = received.iter().map(id_of).collect();
    if found != ["marker"] {
        return Err(Fault::new(format!("nothing but the marker should be ready, found {found:?}")));
    }
    for one in received {
        one.lease.ack().await?;
    }
    Ok(())
}

/// Lets other tasks run for a while, without waiting for time.
pub(super) async fn a_while(turns: usize) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}
