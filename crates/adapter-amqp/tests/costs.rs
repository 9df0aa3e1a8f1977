//! The counters of cost tell what went over the wire, no more and no less.

use std::sync::Arc;

use postrider_adapter_amqp::{Amqp, Settings};
use postrider_domain::message::{EventMessage, Queue};
use postrider_ports::queue::{Consume, Consumers, Parked, Publish};
use postrider_testkit::builders::{event, outgoing};
use postrider_testkit::servers::rabbitmq;
use postrider_testkit::{RealClock, SeededRandom};

#[tokio::test]
async fn each_message_counts_once_on_its_way_in_and_once_on_its_way_out() {
    let settings = Settings::new(rabbitmq::vhost().await);
    let (amqp, driver) = Amqp::new(settings, Arc::new(RealClock::new()), Arc::new(SeededRandom::new(1)));
    tokio::spawn(driver.run());
    assert_eq!((amqp.published(), amqp.delivered()), (0, 0));
    let batch: Vec<_> =
        ["a", "b", "c"].map(|id| outgoing(event("Entry.publish").id(id).message())).into_iter().collect();
    Publish::<EventMessage>::publish(&amqp, batch).await.expect("stored");
    assert_eq!((amqp.published(), amqp.delivered()), (3, 0));
    let mut consumer: Box<dyn Consume<EventMessage>> = amqp.consumer(Queue::Events);
    let mut held = Vec::new();
    while held.len() < 3 {
        held.extend(consumer.receive(3).await.expect("messages"));
    }
    assert_eq!((amqp.published(), amqp.delivered()), (3, 3));
    let first = held.remove(0);
    first.lease.park("for the count").await.expect("parked");
    for one in held {
        // What is dropped waits in the process: that costs the broker nothing.
        drop(one.lease);
    }
    assert_eq!(consumer.receive(3).await.expect("again").len(), 2);
    assert_eq!((amqp.published(), amqp.delivered()), (4, 3));
    assert_eq!(amqp.list(None, 10).await.expect("listed").len(), 1);
    assert_eq!((amqp.published(), amqp.delivered()), (4, 4));
    amqp.close().await;
}
