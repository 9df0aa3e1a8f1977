//! Many writers, a full disk, and the end of the driver.

use std::sync::Arc;

use postrider_adapter_sqlite::{Database, Settings};
use postrider_domain::message::Queue;
use postrider_ports::access::Tokens;
use postrider_ports::error::PortErrorKind;
use postrider_ports::queue::{Depths, Publish};

use postrider_testkit::builders::outgoing;

use crate::rig::{Rig, clock, event, id_of, large_event};
use crate::store::token;

#[tokio::test]
async fn one_failing_write_takes_down_none_of_those_committed_with_it() {
    let rig = Arc::new(Rig::new().await);
    rig.database.insert(&token("t0")).await.expect("stored");
    // All of them wait while the driver is asked for the first time, so they share transactions.
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let rig = Arc::clone(&rig);
            tokio::spawn(async move {
                rig.publish(&[&n.to_string()]).await;
                rig.database.insert(&token("t0")).await.expect_err("taken").kind
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.expect("no panic"), PortErrorKind::Conflict);
    }
    assert_eq!(rig.database.depth(Queue::Events).await.expect("depth").ready, 100);
}

#[tokio::test]
async fn a_full_disk_is_told_to_those_who_ask_and_is_survived() {
    // 400 pages of 4 KiB: the tables take some 60 of them.
    let rig = Rig::limited(Some(400)).await;
    let mut stored = 0;
    let error = loop {
        match rig.database.publish(vec![outgoing(large_event(&stored.to_string(), 50_000))]).await {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind, PortErrorKind::Transient);
    assert!(error.to_string().contains("full"), "{error}");
    assert!(stored > 5, "only {stored} fitted");
    // Acknowledging makes room, and then there is some.
    for one in rig.events().receive(100).await.expect("received") {
        one.lease.ack().await.expect("acked");
    }
    rig.publish(&["room"]).await;
    let received = rig.events().receive(1).await.expect("received");
    assert_eq!(id_of(&received[0].message), "room");
}

#[tokio::test]
async fn after_closing_everything_fails_at_once_and_nobody_hangs() {
    let rig = Rig::new().await;
    rig.publish(&["a"]).await;
    let mut received = rig.events().receive(1).await.expect("received");
    let (database, mut consumer) = (rig.database.clone(), rig.events());
    let waiting = tokio::spawn(async move { consumer.receive(1).await.err() });
    // One more write goes through while the receiver waits.
    rig.database.insert(&token("t0")).await.expect("stored");
    let held = rig.close().await;
    let error = waiting.await.expect("no panic").expect("closed");
    assert_eq!(error.kind, PortErrorKind::Transient);
    let one = received.remove(0);
    assert_eq!(one.lease.ack().await.expect_err("closed").kind, PortErrorKind::Transient);
    assert!(database.publish(vec![outgoing(event("b"))]).await.is_err());
    assert!(database.find(&[0; 32]).await.is_err());
    drop(held);
}

#[tokio::test]
async fn a_driver_that_is_aborted_leaves_nobody_waiting() {
    let dir = tempfile::tempdir().expect("a directory");
    let (database, driver) = Database::open(&Settings::new(dir.path()), clock()).await.expect("opens");
    let publishing = database.publish(vec![outgoing(event("a"))]);
    let (published, ()) = tokio::join!(publishing, async move { drop(driver) });
    assert_eq!(published.expect_err("no driver").kind, PortErrorKind::Transient);
}

#[tokio::test]
async fn the_driver_ends_when_the_last_handle_is_gone() {
    let dir = tempfile::tempdir().expect("a directory");
    let (database, driver) = Database::open(&Settings::new(dir.path()), clock()).await.expect("opens");
    let driver = tokio::spawn(driver.run());
    database.publish(vec![outgoing(event("a"))]).await.expect("published");
    drop(database);
    driver.await.expect("ends by itself");
}
