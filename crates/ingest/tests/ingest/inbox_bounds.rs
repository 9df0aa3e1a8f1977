//! The door is bounded: by what waits behind it, by the rates of spaces, by its room, and by the wish to stop.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use postrider_ingest::Settings;

use crate::fakes::Gate;
use crate::inbox_world::{Door, End, Sent};
use crate::world::event;

fn slow() -> Settings {
    Settings { per_space_events_per_second: 2, max_batch_events: 2, ..Settings::default() }
}

fn push(door: &Door, space: &str, many: usize) {
    for number in 0..many {
        let key = format!("{space}.master.Entry.publish");
        door.inbox.push(Sent::under(&key, event(&format!("{space}{number}"))));
    }
}

#[tokio::test]
async fn above_the_backlog_inputs_wait_in_the_inbox_and_below_it_they_are_taken() {
    let mut door = Door::with(Settings { max_backlog: 10, ..Settings::default() });
    door.idle().await;
    door.world.queue.ready.store(11, Ordering::Relaxed);
    door.world.clock.advance(Duration::from_secs(1));
    door.idle().await;
    push(&door, "blog", 3);
    door.idle().await;
    assert_eq!(
        (door.inbox.waiting(), door.inbox.ends()),
        (3, Vec::new()),
        "also when it was asked for before"
    );
    assert_eq!(door.ailment(), "", "this is no fault");
    door.world.queue.ready.store(10, Ordering::Relaxed);
    door.world.clock.advance(Duration::from_secs(1));
    assert_eq!(door.ended(3).await, [End::Acked(0), End::Acked(1), End::Acked(2)]);
}

#[tokio::test]
async fn over_its_rate_a_space_waits_and_no_other_does() {
    let mut door = Door::with(slow());
    push(&door, "blog", 5);
    push(&door, "other", 2);
    let ends = door.ended(4).await;
    assert_eq!(ends, [0, 1, 5, 6].map(End::Acked));
    door.idle().await;
    assert_eq!(door.inbox.ends().len(), 4);
    door.world.clock.advance(Duration::from_millis(500));
    assert_eq!(door.ended(5).await[2], End::Acked(2), "half a second brings one");
    door.world.clock.advance(Duration::from_secs(1));
    let ends = door.ended(7).await;
    assert_eq!(ends, [0, 1, 2, 3, 4, 5, 6].map(End::Acked), "in their order, and none is lost");
    assert!(door.published().iter().all(|(_, suspect)| !suspect), "they were never given back");
}

#[tokio::test]
async fn what_waits_is_bounded_by_the_room() {
    let mut door = Door::with(Settings { inbox_room: 4, inbox_batch: 3, ..slow() });
    push(&door, "blog", 20);
    door.ended(2).await;
    door.idle().await;
    assert_eq!(door.inbox.waiting(), 20 - 2 - 4, "four are held, two are accepted");
    for many in 3..=20 {
        door.world.clock.advance(Duration::from_millis(500));
        door.ended(many).await;
        door.idle().await;
    }
    assert_eq!(door.published().len(), 20);
}

#[tokio::test]
async fn what_is_held_is_bounded_in_bytes_too() {
    let room = Settings { max_bytes_in_flight: 100, inbox_batch: 1, ..slow() };
    let mut door = Door::with(room);
    push(&door, "blog", 20);
    door.ended(2).await;
    door.idle().await;
    let one = event("blog0").len();
    assert_eq!(door.inbox.waiting(), 20 - 2 - 100_usize.div_ceil(one));
}

#[tokio::test]
async fn asked_to_stop_it_finishes_what_it_publishes_and_gives_back_the_rest() {
    let mut door = Door::with(slow());
    let gate = Gate::new();
    *door.world.queue.gate.lock().expect("lock") = Some(Arc::clone(&gate));
    push(&door, "blog", 4);
    door.until(gate.came(1)).await;
    door.world.shutdown.begin();
    push(&door, "other", 1);
    door.idle().await;
    let given_back = [End::Released(2), End::Released(3)];
    assert_eq!(door.inbox.ends(), given_back, "at once, while it waits for its confirms");
    gate.open();
    let (world, inbox) = door.stopped().await;
    let mut ends = inbox.ends();
    ends.sort_by_key(End::number);
    assert_eq!(ends, [End::Acked(0), End::Acked(1), End::Released(2), End::Released(3)]);
    assert_eq!((world.published().len(), inbox.waiting()), (2, 3), "nothing is lost, and nothing more taken");
}

#[tokio::test]
async fn asked_to_stop_at_once_it_lets_go_of_everything() {
    let mut door = Door::new();
    let gate = Gate::new();
    *door.world.queue.gate.lock().expect("lock") = Some(Arc::clone(&gate));
    push(&door, "blog", 2);
    door.until(gate.came(1)).await;
    door.world.shutdown.force();
    let (_, inbox) = door.stopped().await;
    assert_eq!(inbox.waiting(), 2, "both come again");
}

#[tokio::test]
async fn asked_to_stop_while_it_rests_or_waits_it_stops() {
    for hindered in [false, true] {
        let mut door = Door::with(Settings { max_backlog: 10, ..Settings::default() });
        if hindered {
            door.inbox.fault.transient();
        } else {
            door.world.queue.ready.store(11, Ordering::Relaxed);
        }
        door.idle().await;
        door.world.shutdown.begin();
        door.stopped().await;
    }
}
