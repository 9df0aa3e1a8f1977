//! The webhooks change while the dispatcher runs.

use postrider_testkit::builders::{event, webhook};

use crate::world::{World, seconds};

#[tokio::test(start_paused = true)]
async fn a_change_is_seen_within_half_a_second_and_with_a_hint_at_once() {
    let world = World::new();
    let running = world.start();
    world.accept(event("Entry.publish").id("e1")).await;
    world.pass(seconds(1)).await;
    world.put(webhook("w").topic("*.*").build());
    world.pass(std::time::Duration::from_millis(500)).await;
    world.accept(event("Entry.publish").id("e2")).await;
    world.pass(seconds(1)).await;
    assert_eq!(world.arrived("w").len(), 1, "the change was found by its version");
    world.put(webhook("h").topic("*.*").build());
    world.pass(std::time::Duration::from_millis(20)).await;
    world.servers.hint.notify_one();
    crate::world::idle().await;
    world.accept(event("Entry.publish").id("e3")).await;
    crate::world::idle().await;
    assert_eq!(world.arrived("h").len(), 1, "the hint was enough");
    assert_eq!(world.taps.calls("subscriptions.load"), 1, "only what changed was read");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn when_changes_are_forgotten_every_space_is_loaded_again() {
    let world = World::with([webhook("old").topic("*.*").build()]);
    let running = world.start();
    world.accept(event("Entry.publish").id("e1")).await;
    world.pass(seconds(1)).await;
    {
        let mut state = world.servers.lock();
        state.changes.clear();
        state.version += 100;
        state.forgotten = state.version;
    }
    world.put(webhook("new").topic("*.*").build());
    world.pass(seconds(1)).await;
    world.accept(event("Entry.publish").id("e2")).await;
    world.pass(seconds(1)).await;
    assert_eq!((world.arrived("old").len(), world.arrived("new").len()), (2, 1));
    assert_eq!(world.taps.calls("subscriptions.load"), 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_index_is_bounded_by_bytes_and_lets_go_of_what_was_used_longest_ago() {
    let mut world = World::new();
    for space in ["a", "b", "c"] {
        world.put(webhook("w").space(space).topic("*.*").build());
    }
    // A little more than 1 KiB a webhook: two spaces have place, three have not.
    world.settings.index_bytes = 3000;
    let running = world.start();
    for (at, space) in ["a", "b", "a", "c", "a", "b"].into_iter().enumerate() {
        world.accept(event("Entry.publish").space(space).id(&format!("e{at}"))).await;
        world.pass(seconds(1)).await;
    }
    assert_eq!(world.arrived("w").len(), 6);
    assert_eq!(world.taps.calls("subscriptions.load"), 4, "a, b, c, and b again");
    running.stop().await;
}
