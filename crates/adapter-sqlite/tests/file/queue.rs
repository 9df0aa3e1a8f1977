//! The queue's own corners: order, clocks, claims that nobody waits for, limits, parked messages.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use postrider_domain::message::{EventMessage, Lane, Queue, RecordsMessage};
use postrider_ports::error::PortErrorKind;
use postrider_ports::queue::{Consume, Consumers, Depth, Depths, Outgoing, Parked, Publish};

use postrider_testkit::builders::{deliver, outgoing};

use crate::rig::{NOON, Rig, event, id_of, large_event};

async fn ids(consumer: &mut dyn Consume<EventMessage>, max: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for one in consumer.receive(max).await.expect("received") {
        ids.push(id_of(&one.message).to_owned());
        one.lease.ack().await.expect("acked");
    }
    ids
}

#[tokio::test]
async fn messages_come_in_the_order_they_were_published_even_if_the_clock_goes_back() {
    let rig = Rig::new().await;
    rig.publish(&["a", "b"]).await;
    rig.clock.set(NOON.minus(Duration::from_hours(1)));
    rig.publish(&["c"]).await;
    assert_eq!(ids(&mut *rig.events(), 10).await, ["a", "b", "c"]);
}

#[tokio::test]
async fn what_is_put_off_comes_through_the_late_lane_at_its_instant_and_not_before() {
    let rig = Rig::new().await;
    let due = NOON.plus(Duration::from_secs(5));
    let put_off = Outgoing { not_before: Some(due), ..outgoing(deliver(&event("a").event, &["w1"])) };
    rig.database.publish(vec![put_off]).await.expect("published");
    let late = Queue::Deliver(Lane::Late);
    let depth = rig.database.depth(late).await.expect("depth");
    assert_eq!(depth, Depth { ready: 0, delayed: 1, leased: 0 });

    let mut consumer = rig.lane(Lane::Late);
    let mut receiving = consumer.receive(1);
    rig.clock.set(due.minus(Duration::from_millis(1)));
    let slept_for = tokio::select! {
        _ = &mut receiving => panic!("a millisecond early"),
        slept_for = rig.clock.someone_sleeps() => slept_for,
    };
    assert_eq!(slept_for, due);
    rig.clock.set(due);
    let received = receiving.await.expect("received");
    assert_eq!(received[0].message.lane, Lane::Late);
    assert_eq!(received[0].redeliveries, 0);
}

#[tokio::test]
async fn a_claim_that_nobody_waits_for_any_more_is_ready_again_untouched() {
    let rig = Rig::new().await;
    rig.publish(&["a"]).await;
    let mut consumer = rig.events();
    for _ in 0..3 {
        // Polled once, the claim is on its way to the writer; then its receiver is gone.
        assert!(consumer.receive(1).now_or_never().is_none());
    }
    let received = consumer.receive(1).await.expect("received");
    assert_eq!((received[0].redeliveries, received[0].suspect), (0, false));
}

#[tokio::test]
async fn a_message_that_is_rejected_twenty_times_is_parked_and_can_be_put_back() {
    let rig = Rig::new().await;
    rig.publish(&["poison"]).await;
    let mut consumer = rig.events();
    for round in 0..20 {
        let mut received = consumer.receive(1).await.expect("received");
        let one = received.remove(0);
        assert_eq!(one.redeliveries, round);
        one.lease.reject("it makes us ill").await.expect("rejected");
    }
    let parked = Parked::list(&rig.database, None, 10).await.expect("listed");
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].queue.as_str(), parked[0].reason.as_str()), ("events", "it makes us ill"));
    assert_eq!((parked[0].deliveries, parked[0].parked_at), (20, NOON));
    let depth = rig.database.depth(Queue::Events).await.expect("depth");
    assert_eq!(depth, Depth::default());

    assert!(rig.database.redrive(parked[0].id).await.expect("put back"));
    let received = consumer.receive(1).await.expect("received");
    assert_eq!((received[0].redeliveries, received[0].suspect), (0, true));
    assert!(!rig.database.redrive(parked[0].id).await.expect("asked"), "it is no longer parked");
}

#[tokio::test]
async fn an_input_that_never_was_a_message_cannot_be_put_back() {
    let rig = Rig::new().await;
    rig.database.park("inbox", "no JSON", b"{").await.expect("parked");
    let parked = Parked::list(&rig.database, None, 10).await.expect("listed");
    let error = rig.database.redrive(parked[0].id).await.expect_err("refused");
    assert_eq!(error.kind, PortErrorKind::Permanent);
    assert!(error.to_string().contains("inbox"), "{error}");
    assert!(rig.database.discard(parked[0].id).await.expect("discarded"));
    assert!(!rig.database.discard(parked[0].id).await.expect("asked"));
}

#[tokio::test]
async fn bytes_that_are_no_message_are_parked_and_hold_nothing_up() {
    let rig = Rig::new().await;
    rig.database.park("events", "by hand", b"not a message").await.expect("parked");
    let id = Parked::list(&rig.database, None, 1).await.expect("listed")[0].id;
    rig.database.redrive(id).await.expect("put in");
    rig.publish(&["good"]).await;
    assert_eq!(ids(&mut *rig.events(), 10).await, ["good"]);
    let parked = Parked::list(&rig.database, Some(id), 10).await.expect("listed");
    assert!(parked[0].reason.contains("cannot be read"), "{}", parked[0].reason);
}

#[tokio::test]
async fn a_message_of_a_newer_version_stops_the_consumer_and_stays() {
    let rig = Rig::new().await;
    rig.publish(&["before"]).await;
    rig.database.park("events", "by hand", br#"{"v":7}"#).await.expect("parked");
    let id = Parked::list(&rig.database, None, 1).await.expect("listed")[0].id;
    rig.database.redrive(id).await.expect("put in");
    rig.publish(&["after"]).await;
    let mut consumer = rig.events();
    assert_eq!(ids(&mut *consumer, 10).await, ["before"]);
    for _ in 0..25 {
        let error = consumer.receive(10).await.err().expect("stops");
        assert_eq!(error.kind, PortErrorKind::Permanent);
        assert!(error.to_string().contains('7') && error.to_string().contains('1'), "{error}");
    }
    assert!(Parked::list(&rig.database, Some(id), 10).await.expect("listed").is_empty());
}

#[tokio::test]
async fn a_consumer_of_another_kind_of_message_is_refused_and_touches_nothing() {
    let rig = Rig::new().await;
    rig.publish(&["a"]).await;
    let mut wrong = Consumers::<RecordsMessage>::consumer(&rig.database, Queue::Events);
    assert!(wrong.receive(1).await.is_err());
    assert_eq!(ids(&mut *rig.events(), 1).await, ["a"]);
}

#[tokio::test]
async fn one_claim_takes_no_more_than_eight_mebibytes() {
    let rig = Rig::new().await;
    for id in 0..12 {
        let batch = vec![outgoing(large_event(&id.to_string(), 1024 * 1024))];
        rig.database.publish(batch).await.expect("published");
    }
    let received = rig.events().receive(100).await.expect("received");
    assert_eq!(received.len(), 8);
}

#[tokio::test]
async fn consumers_of_one_queue_share_it_and_get_each_message_once() {
    let rig = Arc::new(Rig::new().await);
    let wanted = 200;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let rig = Arc::clone(&rig);
        tasks.push(tokio::spawn(async move {
            let mut consumer = rig.events();
            let mut mine = Vec::new();
            loop {
                for one in consumer.receive(1).await.expect("received") {
                    let id = id_of(&one.message).to_owned();
                    assert_eq!(one.redeliveries, 0);
                    one.lease.ack().await.expect("acked");
                    if id == "end" {
                        return mine;
                    }
                    mine.push(id);
                }
            }
        }));
    }
    for n in 0..wanted {
        rig.publish(&[&n.to_string()]).await;
    }
    // Each task takes one of them and ends.
    rig.publish(&["end"; 4]).await;
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.expect("no panic"));
    }
    all.sort();
    let mut expected: Vec<String> = (0..wanted).map(|n| n.to_string()).collect();
    expected.sort();
    assert_eq!(all, expected);
}

#[tokio::test]
async fn the_counts_agree_with_the_file_after_every_kind_of_end() {
    let rig = Rig::new().await;
    rig.publish(&["a", "b", "c", "d", "e", "f"]).await;
    let mut received = rig.events().receive(5).await.expect("received").into_iter().map(|one| one.lease);
    received.next().expect("a").ack().await.expect("acked");
    received.next().expect("b").release().await.expect("released");
    received.next().expect("c").reject("no").await.expect("rejected");
    received.next().expect("d").park("no").await.expect("parked");
    let held = received.next().expect("e");
    let depth = rig.database.depth(Queue::Events).await.expect("depth");
    assert_eq!(depth, Depth { ready: 3, delayed: 0, leased: 1 });
    drop(held);
    let rig = rig.reopen().await;
    let depth = rig.database.depth(Queue::Events).await.expect("depth");
    assert_eq!(depth, Depth { ready: 4, delayed: 0, leased: 0 });
    let mut back: Vec<(String, u32)> = Vec::new();
    for one in rig.events().receive(10).await.expect("received") {
        back.push((id_of(&one.message).to_owned(), one.redeliveries));
        one.lease.ack().await.expect("acked");
    }
    let expected = [("b", 1), ("c", 1), ("e", 1), ("f", 0)];
    assert_eq!(back, expected.map(|(id, count)| (id.to_owned(), count)));
}

#[tokio::test]
async fn publishing_nothing_is_done_at_once() {
    let rig = Rig::new().await;
    Publish::<EventMessage>::publish(&rig.database, Vec::new()).await.expect("nothing to do");
}
