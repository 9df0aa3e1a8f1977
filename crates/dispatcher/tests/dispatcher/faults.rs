//! When something is away: consumption pauses, the process says "not ready", nothing turns in a loop, nothing is lost.

use std::time::Duration;

use postrider_testkit::builders::{deliver, event, outgoing, webhook};

use crate::receiver::Answer;
use crate::world::{World, idle, seconds};

#[tokio::test(start_paused = true)]
async fn queues_that_are_away_after_a_call_do_not_cost_a_second_call() {
    for away in ["records.publish", "deliver.publish"] {
        let world = World::with([webhook("w").topic("*.*").delays(&[seconds(30)]).build()]);
        world.receiver.script("/w", &[Answer::Status(500), Answer::Status(200)]);
        let running = world.start();
        world.publish(outgoing(deliver(&event("Entry.publish").carried(), &["w"]))).await;
        world.taps.fail(away, 5);
        idle().await;
        assert!(world.health.not_ready().contains_key("dispatcher"), "{away}: not ready");
        world.pass(seconds(120)).await;
        assert_eq!(world.arrived("w").len(), 2, "{away}");
        let states: Vec<_> = world.calls("w").iter().map(|call| call.state.as_str()).collect();
        assert_eq!(states, ["pending", "delivered"], "{away}");
        assert!(!world.health.not_ready().contains_key("dispatcher"), "{away}: ready again");
        running.stop().await;
        world.assert_empty().await;
    }
}

#[tokio::test(start_paused = true)]
async fn after_trouble_an_idle_dispatcher_is_ready_again() {
    let world = World::with([webhook("w").build()]);
    let running = world.start();
    world.taps.fail("lease.ack", 1);
    world.publish(outgoing(deliver(&event("Entry.publish").carried(), &["w"]))).await;
    idle().await;
    assert!(world.health.not_ready().contains_key("dispatcher"), "{:?}", world.health.not_ready());
    // The message comes once more and finds its evidence; then there is nothing to do.
    world.pass(seconds(2)).await;
    assert!(world.health.not_ready().is_empty(), "{:?}", world.health.not_ready());
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_decided_now_is_given_back_with_growing_pauses() {
    let world = World::with([webhook("w").build()]);
    world.taps.fail("progresses", usize::MAX);
    let running = world.start();
    let mut suspect = outgoing(deliver(&event("Entry.publish").carried(), &["w"]));
    suspect.suspect = true;
    world.publish(suspect).await;
    world.pass(seconds(60)).await;
    let asked = world.taps.calls("progresses");
    // 100 ms doubled up to 2 s: 0.1 + 0.2 + … + 1.6 = 3.1 s for the first 5, then one per 2 s.
    assert!((20..=36).contains(&asked), "asked {asked} times in a minute");
    assert!(world.health.not_ready()["dispatcher"].contains("progresses"));
    world.taps.fail("progresses", 0);
    world.pass(seconds(30)).await;
    assert_eq!(world.arrived("w").len(), 1);
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn an_index_that_cannot_be_verified_is_used_for_sixty_seconds() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    let running = world.start();
    world.accept(event("Entry.publish").id("before")).await;
    world.pass(seconds(1)).await;
    world.taps.fail("subscriptions.version", usize::MAX);
    world.pass(seconds(50)).await;
    world.accept(event("Entry.publish").id("within")).await;
    world.pass(seconds(1)).await;
    assert_eq!(world.arrived("w").len(), 2, "it is still used");
    world.pass(seconds(20)).await;
    world.accept(event("Entry.publish").id("after")).await;
    world.pass(seconds(20)).await;
    assert_eq!(world.arrived("w").len(), 2, "nothing is taken any more");
    assert_eq!(world.depth().await.ready, 1);
    assert!(world.health.not_ready().contains_key("dispatcher index"));
    world.taps.fail("subscriptions.version", 0);
    world.pass(seconds(2)).await;
    assert_eq!(world.arrived("w").len(), 3);
    assert!(!world.health.not_ready().contains_key("dispatcher index"));
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn the_first_look_comes_first_and_without_it_nothing_is_taken() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.accept(event("Entry.publish").id("e1")).await;
    let running = world.start();
    idle().await;
    assert_eq!(world.arrived("w").len(), 1, "no time passed");
    assert!(world.health.not_ready().is_empty());
    running.stop().await;
    world.taps.fail("subscriptions.version", 3);
    world.accept(event("Entry.publish").id("e2")).await;
    let running = world.start();
    idle().await;
    assert!(world.health.not_ready()["dispatcher index"].contains("cannot be read"));
    assert_eq!(world.arrived("w").len(), 1);
    world.pass(seconds(5)).await;
    assert_eq!(world.arrived("w").len(), 2);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn matching_that_fails_for_a_while_loses_nothing() {
    for away in ["subscriptions.load", "deliver.publish", "records.publish"] {
        let world = World::with([webhook("w").topic("*.*").build()]);
        world.taps.fail(away, 4);
        let running = world.start();
        for at in 0..10 {
            world.accept(event("Entry.publish").id(&format!("e{at}"))).await;
        }
        world.pass(seconds(60)).await;
        assert_eq!(world.balance(), [("delivered", 10)].into(), "{away}");
        assert_eq!(world.arrived("w").len(), 10, "{away}");
        running.stop().await;
        world.assert_empty().await;
    }
}

#[tokio::test(start_paused = true)]
async fn marks_breakers_and_rates_may_be_away_and_deliveries_go_on() {
    let world = World::with([webhook("w").topic("*.*").rate_limit(1000, seconds(1)).build()]);
    for away in ["marks.mark", "breakers", "breakers.open", "breakers.probe", "rates.lease"] {
        world.taps.fail(away, usize::MAX);
    }
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(200)]);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(seconds(10)).await;
    assert_eq!(world.balance(), [("delivered", 1)].into());
    assert!(world.health.not_ready().is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn patience_ends_and_the_message_comes_back_as_a_suspect() {
    let mut world = World::with([webhook("w").build()]);
    world.settings.patience = seconds(20);
    world.taps.fail("records.publish", usize::MAX);
    let running = world.start();
    world.publish(outgoing(deliver(&event("Entry.publish").carried(), &["w"]))).await;
    world.pass(seconds(60)).await;
    world.taps.fail("records.publish", 0);
    world.pass(seconds(60)).await;
    let arrived = world.arrived("w").len();
    assert!((2..=4).contains(&arrived), "called once per {} s without evidence: {arrived}", 20);
    assert_eq!(world.calls("w").len(), 1, "each outcome is recorded once it can be");
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_failing_lease_is_not_the_end() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.taps.fail("lease.ack", 2);
    let running = world.start();
    world.accept(event("Entry.publish")).await;
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(world.arrived("w").len(), 1, "what came back found its evidence");
    assert_eq!(world.balance(), [("delivered", 1)].into());
    running.stop().await;
    world.assert_empty().await;
}
