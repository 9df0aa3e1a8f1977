//! What is our own trouble is never parked: inputs go back, the door rests and says so, and goes on once it is over.

use std::time::Duration;

use postrider_testkit::START;

use crate::inbox_world::{Door, End, Sent};
use crate::world::event;

fn large(id: &str) -> String {
    event(id).replace("1.0", &format!("\"{}\"", "x".repeat(40_000)))
}

#[tokio::test]
async fn while_events_cannot_be_stored_inputs_go_back_and_the_door_rests_longer_each_time() {
    let mut door = Door::new();
    door.world.queue.fault.transient();
    door.inbox.push(Sent::json(event("e1")));
    door.inbox.push(Sent::json(event("e2")));
    assert_eq!(door.ended(2).await, [End::Released(0), End::Released(1)]);
    door.idle().await;
    assert_eq!(door.inbox.ends().len(), 2, "it does not take and give back in a loop");
    assert!(door.ailment().contains("cannot store the event"), "{}", door.ailment());
    assert_eq!(door.world.clock.someone_sleeps().await, START.plus(Duration::from_millis(100)));
    door.world.clock.advance(Duration::from_millis(100));
    door.ended(4).await;
    door.idle().await;
    let next = door.world.clock.someone_sleeps().await;
    assert_eq!(next, START.plus(Duration::from_millis(100 + 200)), "twice as long");
    door.world.queue.fault.heal();
    door.world.clock.advance(Duration::from_millis(200));
    let ends = door.ended(6).await;
    assert!(ends.contains(&End::Acked(0)) && ends.contains(&End::Acked(1)), "{ends:?}");
    let suspects = [("e1".to_owned(), true), ("e2".to_owned(), true)];
    assert_eq!(door.published(), suspects, "they may have been stored before");
    door.idle().await;
    door.world.clock.advance(Duration::from_secs(1));
    door.idle().await;
    assert_eq!(door.ailment(), "");
}

#[tokio::test]
async fn while_spaces_cannot_be_looked_up_nothing_is_parked_but_what_needs_no_look() {
    let mut door = Door::new();
    door.spaces.fault.transient();
    door.inbox.push(Sent::json(event("e1")));
    door.inbox.push(Sent::under("nonsense", event("e1")));
    let ends = door.ended(2).await;
    assert!(ends[0] == End::Released(0) && ends[1].reason().contains("routing_key"), "{ends:?}");
    door.idle().await;
    assert!(door.ailment().contains("look up the space"), "{}", door.ailment());
    door.spaces.fault.heal();
    door.world.clock.advance(Duration::from_millis(100));
    assert_eq!(door.ended(3).await[1], End::Acked(0));
    door.idle().await;
    assert_eq!(door.ailment(), "");
}

#[tokio::test]
async fn without_the_memory_of_ids_inputs_are_accepted_as_suspects() {
    let mut door = Door::new();
    door.world.claims.fault.transient();
    assert_eq!(door.end_of(Sent::json(event("e1"))).await, End::Acked(0));
    assert_eq!(door.published(), [("e1".to_owned(), true)]);
    door.idle().await;
    assert_eq!(door.ailment(), "");
}

#[tokio::test]
async fn without_the_body_store_only_what_needs_it_goes_back() {
    let mut door = Door::new();
    door.world.bodies.fault.transient();
    door.inbox.push(Sent::json(event("e1")));
    door.inbox.push(Sent::json(large("e2")));
    assert_eq!(door.ended(2).await, [End::Acked(0), End::Released(1)]);
    door.world.bodies.fault.heal();
    door.idle().await;
    door.world.clock.advance(Duration::from_millis(100));
    assert_eq!(door.ended(3).await, [End::Acked(0), End::Released(1), End::Acked(1)]);
    let expected = [("e1".to_owned(), false), ("e2".to_owned(), true)];
    assert_eq!(door.published(), expected, "what was handed out before is a suspect");
}

#[tokio::test]
async fn a_repeat_in_the_same_batch_is_not_asked_for_again_while_the_queue_is_away() {
    let mut door = Door::new();
    door.world.queue.fault.transient();
    for _ in 0..5 {
        door.inbox.push(Sent::json(event("e1")));
    }
    let ends = door.ended(5).await;
    assert!(ends.iter().all(|end| matches!(end, End::Released(_))), "{ends:?}");
    assert_eq!(door.world.queue.publishes.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn an_inbox_that_cannot_be_read_is_asked_again() {
    let mut door = Door::new();
    door.inbox.fault.transient();
    door.idle().await;
    assert!(door.ailment().contains("the inbox cannot be read"), "{}", door.ailment());
    door.inbox.fault.heal();
    door.world.clock.advance(Duration::from_millis(100));
    assert_eq!(door.end_of(Sent::json(event("e1"))).await, End::Acked(0));
    door.idle().await;
    assert_eq!(door.ailment(), "");
}

#[tokio::test]
async fn trouble_that_nothing_confirms_any_more_is_over_after_a_while() {
    let mut door = Door::new();
    door.inbox.fault.transient();
    door.idle().await;
    door.inbox.fault.heal();
    door.world.clock.advance(Duration::from_millis(100));
    door.idle().await;
    assert!(!door.ailment().is_empty(), "nothing has shown yet that it works");
    door.world.clock.advance(Duration::from_secs(5));
    door.idle().await;
    assert_eq!(door.ailment(), "");
}
