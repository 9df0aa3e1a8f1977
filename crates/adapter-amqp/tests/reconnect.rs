//! Whatever happens to the connections or the broker, nothing is lost and everything goes on by itself.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use postrider_adapter_amqp::{Amqp, Settings, Status, topology};
use postrider_domain::message::{EventMessage, Queue};
use postrider_ports::clock::Clock;
use postrider_ports::inbox::{Inbox, Inboxes};
use postrider_ports::queue::{Consume, Consumers, Depth, Depths, Outgoing, Parked, Publish};
use postrider_testkit::builders::{event, outgoing};
use postrider_testkit::servers::rabbitmq::{self, Broker};
use postrider_testkit::{RealClock, SeededRandom};
use tokio::sync::watch;

/// Long enough for anything that comes at all, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn start(url: &str) -> Amqp {
    let (amqp, driver) =
        Amqp::new(Settings::new(url), Arc::new(RealClock::new()), Arc::new(SeededRandom::new(1)));
    tokio::spawn(driver.run());
    amqp
}

async fn becomes(status: &mut watch::Receiver<Status>, wanted: impl Fn(&Status) -> bool) -> Status {
    let status = tokio::time::timeout(PATIENCE, status.wait_for(|status| wanted(status))).await;
    status.expect("the status changes in time").expect("the driver runs").clone()
}

fn is_away(status: &Status) -> bool {
    matches!(status, Status::Away(_))
}

fn message(id: &str, suspect: bool) -> Outgoing<EventMessage> {
    Outgoing { suspect, ..outgoing(event("Entry.publish").id(id).message()) }
}

/// Publishes until it is stored, again as a suspect after a failure, as every service does.
async fn publish(amqp: &Amqp, id: &str) {
    let mut suspect = false;
    while Publish::<EventMessage>::publish(amqp, vec![message(id, suspect)]).await.is_err() {
        suspect = true;
    }
}

/// Receives and acknowledges until all of these came at least once. What came twice was a suspect the second time.
async fn receive_all(amqp: &Amqp, count: usize) -> BTreeSet<String> {
    let mut consumer: Box<dyn Consume<EventMessage>> = amqp.consumer(Queue::Events);
    let mut seen = BTreeSet::new();
    while seen.len() < count {
        for one in consumer.receive(10).await.expect("outages are waited for") {
            let fresh = seen.insert(one.message.event.head.id.as_str().to_owned());
            assert!(fresh || one.suspect, "a repetition must be a suspect");
            // An acknowledgement may fall into the outage; then the message comes again.
            drop(one.lease.ack().await);
        }
    }
    seen
}

#[tokio::test]
async fn a_connection_that_is_cut_mid_stream_loses_nothing() {
    let url = rabbitmq::vhost().await;
    let vhost = url.rsplit('/').next().expect("a virtual host").to_owned();
    let amqp = start(&url);
    let mut status = amqp.status();
    becomes(&mut status, |status| *status == Status::Ready).await;
    let management = rabbitmq::management_of_all();
    let send = async {
        for number in 0..300 {
            publish(&amqp, &format!("e{number}")).await;
            if number == 100 || number == 200 {
                let closed = management.close_connections(&vhost).await.expect("the broker closes them");
                assert!(closed > 0, "there were connections to close");
            }
        }
    };
    let both = async { tokio::join!(send, receive_all(&amqp, 300)) };
    let ((), seen) = tokio::time::timeout(PATIENCE, both).await.expect("it goes on by itself");
    assert_eq!(seen.len(), 300);
    amqp.close().await;
}

#[tokio::test]
async fn a_broker_that_stops_and_returns_is_used_again_within_three_seconds() {
    let mut broker = Broker::start().await.expect("a broker");
    let amqp = start(&broker.url());
    let mut status = amqp.status();
    becomes(&mut status, |status| *status == Status::Ready).await;
    for number in 0..50 {
        publish(&amqp, &format!("before{number}")).await;
    }
    let mut consumer: Box<dyn Consume<EventMessage>> = amqp.consumer(Queue::Events);
    let held = consumer.receive(5).await.expect("messages");
    broker.kill().await;
    becomes(&mut status, is_away).await;
    let refused = Publish::<EventMessage>::publish(&amqp, vec![message("during", false)]).await;
    let error = refused.expect_err("there is no broker");
    assert!(error.is_transient() && error.to_string().contains("away"), "{error}");
    for one in held {
        let error = one.lease.ack().await.expect_err("what was held will be handed out again");
        assert!(error.is_transient(), "{error}");
    }
    drop(consumer);
    broker.start_again().await.expect("it starts again");
    #[expect(clippy::disallowed_methods, reason = "the promise is about real time")]
    let back = Instant::now();
    becomes(&mut status, |status| *status == Status::Ready).await;
    assert!(back.elapsed() < Duration::from_secs(3), "it took {:?}", back.elapsed());
    publish(&amqp, "after").await;
    let seen = tokio::time::timeout(PATIENCE, receive_all(&amqp, 51)).await.expect("all come");
    assert!(seen.contains("after") && seen.contains("before0"));
    amqp.close().await;
    broker.end().await;
}

#[tokio::test]
async fn a_broker_without_memory_takes_no_publishes_and_still_takes_acknowledgements() {
    let broker = Broker::start().await.expect("a broker");
    let amqp = start(&broker.url());
    let mut status = amqp.status();
    becomes(&mut status, |status| *status == Status::Ready).await;
    for number in 0..10 {
        publish(&amqp, &format!("e{number}")).await;
    }
    broker.set_memory_alarm(true).await.expect("the alarm is raised");
    // The broker blocks a connection once it publishes; whether this one is stored shows after the alarm.
    drop(Publish::<EventMessage>::publish(&amqp, vec![message("blocked", false)]).await);
    becomes(&mut status, |status| matches!(status, Status::Away(why) if why.contains("takes no messages")))
        .await;
    let refused = Publish::<EventMessage>::publish(&amqp, vec![message("blocked", true)]).await;
    assert!(refused.expect_err("it is refused at once").is_transient());
    let seen = tokio::time::timeout(PATIENCE, receive_all(&amqp, 10)).await.expect("consuming goes on");
    assert_eq!(seen.len(), 10);
    assert_eq!(amqp.depth(Queue::Events).await.expect("asked"), Depth::default());
    broker.set_memory_alarm(false).await.expect("the alarm is over");
    becomes(&mut status, |status| *status == Status::Ready).await;
    publish(&amqp, "after").await;
    amqp.close().await;
    broker.end().await;
}

#[tokio::test]
async fn a_process_that_starts_before_its_broker_says_so_and_waits() {
    let mut broker = Broker::start().await.expect("a broker");
    broker.stop().await;
    let amqp = start(&broker.url());
    let mut status = amqp.status();
    let says = becomes(&mut status, |status| matches!(status, Status::Away(why) if why != "starting")).await;
    assert!(format!("{says:?}").contains("check that it runs"), "{says:?}");
    broker.start_again().await.expect("it starts");
    becomes(&mut status, |status| *status == Status::Ready).await;
    amqp.close().await;
    assert_eq!(*amqp.status().borrow(), Status::Closed);
    broker.end().await;
}

#[tokio::test]
async fn a_line_that_nobody_consumes_goes_back_to_the_broker_for_others() {
    let url = rabbitmq::vhost().await;
    let (one, other) = (start(&url), start(&url));
    for number in 0..5 {
        publish(&one, &format!("e{number}")).await;
    }
    let mut consumer: Box<dyn Consume<EventMessage>> = one.consumer(Queue::Events);
    let held = consumer.receive(1).await.expect("a message");
    drop(consumer);
    // The first process still lives and holds one lease; the other four come to the second.
    let rest = tokio::time::timeout(PATIENCE, receive_all(&other, 4)).await.expect("they come");
    assert!(!rest.contains(held[0].message.event.head.id.as_str()));
    for lease in held {
        lease.lease.ack().await.expect("the lease outlives the consumer");
    }
    one.close().await;
    other.close().await;
}

#[tokio::test]
async fn what_kills_its_consumers_is_parked_by_the_broker_and_listed() {
    let url = rabbitmq::vhost().await;
    let amqp = start(&url);
    publish(&amqp, "poison").await;
    amqp.close().await;
    // Each of these dies with the message in its hands.
    for _ in 0..=topology::DELIVERY_LIMIT {
        let amqp = start(&url);
        let mut consumer: Box<dyn Consume<EventMessage>> = amqp.consumer(Queue::Events);
        let held = consumer.receive(1).await.expect("the message");
        amqp.close().await;
        drop(held);
    }
    let amqp = start(&url);
    let parked = amqp.list(None, 10).await.expect("listed");
    assert_eq!(parked.len(), 1);
    assert!(parked[0].reason.contains("delivery_limit"), "{}", parked[0].reason);
    assert_eq!(parked[0].queue, "events");
    assert!(amqp.redrive(parked[0].id).await.expect("redriven"));
    assert_eq!(receive_all(&amqp, 1).await.into_iter().collect::<Vec<_>>(), ["poison"]);
    amqp.close().await;
}

#[tokio::test]
async fn a_message_of_a_newer_version_outlives_more_restarts_than_the_delivery_limit() {
    let url = rabbitmq::vhost().await;
    let amqp = start(&url);
    amqp.park("events", "injected", b"{\"v\":7}").await.expect("parked");
    let id = amqp.list(None, 1).await.expect("listed")[0].id;
    assert!(amqp.redrive(id).await.expect("redriven"));
    amqp.close().await;
    for _ in 0..=topology::DELIVERY_LIMIT {
        let amqp = start(&url);
        let mut consumer: Box<dyn Consume<EventMessage>> = amqp.consumer(Queue::Events);
        let error = consumer.receive(1).await.err().expect("an old release stops at it").to_string();
        assert!(error.contains("wire version 7"), "{error}");
        amqp.close().await;
    }
    let amqp = start(&url);
    assert!(amqp.list(None, 10).await.expect("listed").is_empty(), "it is never parked");
    amqp.close().await;
}

#[tokio::test]
async fn the_inbox_hands_out_what_a_cms_published_as_it_came() {
    let url = rabbitmq::vhost().await;
    let vhost = url.rsplit('/').next().expect("a virtual host").to_owned();
    let amqp = start(&url);
    becomes(&mut amqp.status(), |status| *status == Status::Ready).await;
    let publish = r#"{"properties":{"content_type":"application/json","message_id":"m-1",
        "headers":{"traceparent":"00-a-b-01","ce-id":7,"x-mine":"no"}},
        "routing_key":"default.master.Entry.publish","payload":"{\"type\"","payload_encoding":"string"}"#;
    let path = format!("/api/exchanges/{vhost}/{}/publish", topology::EVENTS_EXCHANGE);
    rabbitmq::management_of_all().expect("POST", &path, publish).await.expect("published");
    let mut inbox: Box<dyn Inbox> = amqp.inbox();
    let arrived = inbox.receive(1).await.expect("the input").pop().expect("one");
    assert_eq!(arrived.routing_key, "default.master.Entry.publish");
    assert_eq!(arrived.content_type.as_deref(), Some("application/json"));
    assert_eq!(arrived.message_id.as_deref(), Some("m-1"));
    assert_eq!(arrived.trace.parent.as_deref(), Some("00-a-b-01"));
    assert_eq!(arrived.body, b"{\"type\"");
    assert!(arrived.headers.contains(&("ce-id".to_owned(), "7".to_owned())), "{:?}", arrived.headers);
    assert!(arrived.headers.iter().all(|(name, _)| !name.starts_with("x-")), "{:?}", arrived.headers);
    assert!(!arrived.suspect && arrived.redeliveries == 0);
    arrived.lease.park("no JSON: it ends too early").await.expect("parked");
    let parked = amqp.list(None, 10).await.expect("listed");
    assert_eq!(
        (parked[0].queue.as_str(), parked[0].reason.as_str()),
        ("inbox", "no JSON: it ends too early")
    );
    assert!(parked[0].parked_at <= RealClock::new().now());
    assert!(amqp.redrive(parked[0].id).await.expect("redriven through the exchange"));
    let again = inbox.receive(1).await.expect("the input").pop().expect("one");
    assert!(again.suspect && again.routing_key == "default.master.Entry.publish");
    let properties = (again.content_type.as_deref(), again.message_id.as_deref());
    assert_eq!(
        properties,
        (Some("application/json"), Some("m-1")),
        "what is read as it came, is redriven as it came"
    );
    again.lease.ack().await.expect("acknowledged");
    amqp.close().await;
}
