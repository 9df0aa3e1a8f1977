//! The webhooks change while the dispatcher runs.

use postrider_domain::space::{SpaceConstants, SpaceSettings};
use postrider_testkit::builders::{SPACE, event, space, webhook};

use crate::receiver::Answer;
use crate::world::{World, seconds};

/// Changes the settings of the space.
pub(crate) fn settle(world: &World, settings: SpaceSettings) {
    let mut state = world.servers.lock();
    state.version += 1;
    let version = state.version;
    state.changes.push((version, space(SPACE), None));
    state.settings.insert(space(SPACE), settings);
}

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
async fn settings_of_the_space_are_obeyed_from_the_first_load_on_and_when_they_change() {
    let world = World::with([webhook("w").topic("*.*").dialect("datocms").build()]);
    let named = |site: &str, version| {
        let constants = SpaceConstants { site_id: Some(site.to_owned()), ..SpaceConstants::default() };
        SpaceSettings { version, constants, ..SpaceSettings::default() }
    };
    settle(&world, named("site-one", 1));
    let running = world.start();
    world.accept(event("Entry.publish").id("e1")).await;
    world.pass(seconds(1)).await;
    settle(&world, named("site-two", 2));
    world.pass(std::time::Duration::from_millis(500)).await;
    world.accept(event("Entry.publish").id("e2")).await;
    world.pass(seconds(1)).await;
    let bodies: Vec<String> = world
        .arrived("w")
        .iter()
        .map(|one| String::from_utf8_lossy(one.request.body.as_deref().expect("a body")).into_owned())
        .collect();
    assert_eq!(bodies.len(), 2);
    assert!(bodies[0].contains(r#""site_id":"site-one""#), "{}", bodies[0]);
    assert!(bodies[1].contains(r#""site_id":"site-two""#), "{}", bodies[1]);
    assert_eq!(world.taps.calls("subscriptions.load"), 1, "only what changed was read");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_retry_policy_of_the_space_counts_for_webhooks_without_one_of_their_own() {
    let own = webhook("own").topic("*.*").delays(&[seconds(1)]);
    let world = World::with([webhook("none").topic("*.*").build(), own.build()]);
    for path in ["/none", "/own"] {
        world.receiver.script(path, &[Answer::Status(503)]);
    }
    let settings = SpaceSettings { version: 1, max_retries: Some(3), ..SpaceSettings::default() };
    settle(&world, settings);
    let running = world.start();
    world.accept(event("Entry.publish").id("e1")).await;
    // 30 s and 30 s (Contentful's), then 4 min.
    let mut seen = Vec::new();
    for step in [2, 30, 30, 230, 10, 3600] {
        world.pass(seconds(step)).await;
        seen.push((world.arrived("none").len(), world.arrived("own").len()));
    }
    assert_eq!(seen, [(1, 2), (2, 2), (3, 2), (3, 2), (4, 2), (4, 2)]);
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
