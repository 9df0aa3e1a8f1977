//! What a killed process leaves, and what the next one makes of it.

use postrider_domain::message::{Lane, Queue};
use postrider_ports::queue::{Depth, Depths, Parked, Publish};

use postrider_testkit::builders::{deliver, outgoing};

use crate::rig::{Rig, event, id_of};

#[tokio::test]
async fn what_was_handed_out_comes_back_as_redelivered_and_what_was_not_as_it_was() {
    let rig = Rig::new().await;
    rig.publish(&["acked", "held", "waiting"]).await;
    let mut received = rig.events().receive(2).await.expect("received").into_iter();
    received.next().expect("acked").lease.ack().await.expect("acked");
    let held = received.next().expect("held");

    let next = rig.after_crash().await;
    let found: Vec<_> = next
        .events()
        .receive(10)
        .await
        .expect("received")
        .into_iter()
        .map(|one| (id_of(&one.message).to_owned(), one.redeliveries, one.suspect))
        .collect();
    assert_eq!(found, [("held".to_owned(), 1, true), ("waiting".to_owned(), 0, false)]);
    // The old process never learns of it; it only has to live this long.
    drop(held);
}

#[tokio::test]
async fn nothing_that_was_answered_is_missing_after_a_crash_at_any_point() {
    let rig = Rig::new().await;
    for round in 0..20 {
        let id = round.to_string();
        rig.publish(&[&id]).await;
        rig.database.publish(vec![outgoing(deliver(&event(&id).event, &["w1"]))]).await.expect("published");
        let next = rig.after_crash().await;
        let wanted = Depth { ready: round + 1, delayed: 0, leased: 0 };
        assert_eq!(next.database.depth(Queue::Events).await.expect("depth"), wanted);
        assert_eq!(next.database.depth(Queue::Deliver(Lane::Fresh)).await.expect("depth"), wanted);
    }
}

#[tokio::test]
async fn what_was_held_at_twenty_crashes_is_parked_and_what_was_not_is_handed_out() {
    let mut rig = Rig::new().await;
    rig.publish(&["held"]).await;
    for round in 0..20 {
        let received = rig.events().receive(1).await.expect("received");
        assert_eq!(received[0].redeliveries, round);
        rig.publish(&["late"]).await;
        let next = rig.after_crash().await;
        drop(received);
        rig = next;
    }
    let parked = rig.database.list(None, 10).await.expect("listed");
    assert_eq!((parked.len(), parked[0].deliveries, parked[0].queue.as_str()), (1, 20, "events"));
    assert!(parked[0].reason.contains("held 20 times when the process died"), "{}", parked[0].reason);
    let left = rig.events().receive(50).await.expect("received");
    assert_eq!(left.len(), 20);
    assert!(left.iter().all(|one| one.redeliveries == 0), "nobody had them at a crash");
}

#[tokio::test]
async fn after_a_close_in_good_order_one_file_holds_everything() {
    let rig = Rig::new().await;
    rig.publish(&["a"]).await;
    let (dir, clock) = rig.close().await;
    let wal = dir.path().join("postrider.db-wal");
    assert!(!wal.exists(), "the log was folded into the file");
    let rig = Rig::over(dir, clock).await;
    assert_eq!(rig.events().receive(1).await.expect("received").len(), 1);
}
