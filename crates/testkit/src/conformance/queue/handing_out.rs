//! How messages are handed out.

use std::collections::BTreeSet;

use postrider_domain::coalesce::{Rank, Window};
use postrider_domain::event::{BodyRef, Carriage};
use postrider_domain::message::{DeliverMessage, EventMessage, Lane, Queue, RecordsMessage, TraceContext};
use postrider_ports::queue::{Consumers, Depth, Message, Outgoing, Publish};

use super::{QueueBench, a_while, deliveries, events, id_of, ids, next, publish, publish_all, take};
use crate::builders::{call, deliver, event, matched, outgoing};
use crate::clock::START;
use crate::conformance::{Checked, Fault, ensure, same};

pub(super) async fn messages_come_in_the_order_of_their_publishing(bench: &QueueBench<'_>) -> Checked {
    publish_all(&bench.on, &ids("a", 5)).await?;
    publish_all(&bench.on, &ids("b", 5)).await?;
    let received = take(&mut *events(&bench.on), 10).await?;
    let found: Vec<String> = received.iter().map(id_of).collect();
    same!(found, [ids("a", 5), ids("b", 5)].concat(), "the order");
    ensure!(
        received.iter().all(|one| !one.suspect && one.redeliveries == 0),
        "a first delivery is a clean one"
    );
    Ok(())
}

async fn arrives<M, A>(on: &A, message: M) -> Checked
where
    M: Message + PartialEq + std::fmt::Debug,
    A: Publish<M> + Consumers<M> + ?Sized,
{
    let queue = message.queue();
    on.publish(vec![outgoing(message.clone())]).await?;
    let received = next(&mut *on.consumer(queue)).await?;
    same!(received.message, message, "the message in {}", queue.as_str());
    Ok(received.lease.ack().await?)
}

pub(super) async fn every_kind_of_message_arrives_as_it_was_sent(bench: &QueueBench<'_>) -> Checked {
    let carried = event("Entry.auto_save").version(7).content_type("post").actor("u1").carried();
    arrives(&*bench.on, EventMessage { event: carried.clone() }).await?;
    let mut stored = carried.clone();
    stored.content = Carriage::Stored(BodyRef { day: START.day(), sha256: [7; 32], length: 40_000 });
    arrives(&*bench.on, EventMessage { event: stored }).await?;
    for lane in Lane::ALL {
        let mut message = DeliverMessage { lane, ..deliver(&carried, &["w1", "w2"]) };
        let rank = Rank::of(&carried.head);
        message.targets[1].window =
            Some(Window { key: "default/master/w2".to_owned(), ends_at: START, rank });
        arrives(&*bench.on, message).await?;
    }
    let records = vec![matched(&carried, &["w1"], &["w2"]), call(&carried, "w1", 1).record()];
    arrives(&*bench.on, RecordsMessage { records }).await
}

pub(super) async fn suspicion_and_trace_travel_with_the_message(bench: &QueueBench<'_>) -> Checked {
    let trace = TraceContext {
        parent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        state: Some("vendor=1".to_owned()),
    };
    let message = event("Entry.publish").message();
    let suspect = Outgoing { message, suspect: true, not_before: None, trace: trace.clone() };
    Publish::<EventMessage>::publish(&*bench.on, vec![suspect]).await?;
    let received = next(&mut *events(&bench.on)).await?;
    ensure!(received.suspect, "published as a suspect, it must arrive as one");
    same!(received.redeliveries, 0, "it was not handed out before");
    same!(received.trace, trace, "the trace");
    Ok(())
}

pub(super) async fn never_more_than_max_are_handed_out(bench: &QueueBench<'_>) -> Checked {
    publish_all(&bench.on, &ids("a", 10)).await?;
    let mut consumer = events(&bench.on);
    let mut held = Vec::new();
    for max in [1, 2, 3] {
        let received = consumer.receive(max).await?;
        ensure!((1..=max).contains(&received.len()), "receive({max}) returned {}", received.len());
        held.extend(received);
    }
    Ok(())
}

pub(super) async fn two_consumers_never_hold_the_same_message(bench: &QueueBench<'_>) -> Checked {
    publish_all(&bench.on, &ids("a", 100)).await?;
    let (mut one, mut other) = (events(&bench.on), events(&bench.on));
    let mut held = Vec::new();
    while held.len() < 100 {
        held.extend(one.receive(7.min(100 - held.len())).await?);
        if held.len() < 100 {
            held.extend(other.receive(5.min(100 - held.len())).await?);
        }
    }
    let distinct: BTreeSet<String> = held.iter().map(id_of).collect();
    same!(distinct.len(), 100, "distinct messages among 100 that are held at once");
    Ok(())
}

pub(super) async fn a_waiting_consumer_wakes_when_a_message_comes(bench: &QueueBench<'_>) -> Checked {
    let mut consumer = events(&bench.on);
    let publish = async {
        a_while(50).await;
        publish(&bench.on, "a").await
    };
    let (received, published) = tokio::join!(next(&mut *consumer), publish);
    published?;
    same!(id_of(&received?), "a", "the message");
    Ok(())
}

pub(super) async fn a_cancelled_receive_loses_nothing(bench: &QueueBench<'_>) -> Checked {
    let all = ids("a", 40);
    let mut acked = Vec::new();
    let mut consumer = events(&bench.on);
    for (turn, id) in all.iter().enumerate() {
        publish(&bench.on, id).await?;
        // Dropped after 0 to 6 turns, at whatever point it then is.
        let received = tokio::select! {
            biased;
            received = consumer.receive(3) => received?,
            () = a_while(turn % 7) => Vec::new(),
        };
        for one in received {
            acked.push(id_of(&one));
            one.lease.ack().await?;
        }
    }
    while acked.len() < all.len() {
        for one in consumer.receive(10).await? {
            acked.push(id_of(&one));
            one.lease.ack().await?;
        }
    }
    acked.sort();
    same!(acked, all, "the messages that came, each once");
    Ok(())
}

pub(super) async fn of_five_thousand_none_is_lost_and_none_doubled(bench: &QueueBench<'_>) -> Checked {
    let all = ids("a", 5000);
    for batch in all.chunks(500) {
        publish_all(&bench.on, batch).await?;
    }
    // Holds 0 once all are acknowledged.
    let left = tokio::sync::watch::Sender::new(all.len());
    let drain = async || {
        let (mut consumer, mut acked) = (events(&bench.on), Vec::new());
        let mut watched = left.subscribe();
        loop {
            let received = tokio::select! {
                biased;
                _ = watched.wait_for(|left| *left == 0) => break,
                received = consumer.receive(50) => received?,
            };
            for one in received {
                acked.push(id_of(&one));
                one.lease.ack().await?;
                left.send_modify(|left| *left = left.saturating_sub(1));
            }
        }
        Ok::<_, Fault>(acked)
    };
    let (one, other) = tokio::join!(drain(), drain());
    let mut acked = [one?, other?].concat();
    acked.sort();
    same!(acked.len(), all.len(), "how many came");
    ensure!(acked == all, "some came twice and others never");
    let depth = bench.on.depth(Queue::Events).await?;
    same!(depth, Depth::default(), "the depth after all were acknowledged");
    Ok(())
}

pub(super) async fn the_depth_counts_ready_and_leased(bench: &QueueBench<'_>) -> Checked {
    same!(bench.on.depth(Queue::Events).await?, Depth::default(), "an empty queue");
    publish_all(&bench.on, &ids("a", 3)).await?;
    let depth = |ready, leased| Depth { ready, delayed: 0, leased };
    same!(bench.on.depth(Queue::Events).await?, depth(3, 0), "three published");
    if bench.behind_a_broker() {
        return Ok(());
    }
    let received = next(&mut *events(&bench.on)).await?;
    same!(bench.on.depth(Queue::Events).await?, depth(2, 1), "one of them handed out");
    received.lease.release().await?;
    same!(bench.on.depth(Queue::Events).await?, depth(3, 0), "and released");
    next(&mut *events(&bench.on)).await?.lease.ack().await?;
    same!(bench.on.depth(Queue::Events).await?, depth(2, 0), "one acknowledged");
    let fresh = deliveries(&bench.on, Queue::Deliver(Lane::Fresh));
    drop(fresh);
    same!(bench.on.depth(Queue::Records).await?, Depth::default(), "another queue");
    Ok(())
}
