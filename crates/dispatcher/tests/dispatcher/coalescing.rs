//! Windows: the events of one window become one call with the newest state.

use std::time::Duration;

use postrider_domain::coalesce::{CoalesceKey, CoalesceRule, CoalesceSetting};
use postrider_domain::delivery::DeliveryState;
use postrider_testkit::START;
use postrider_testkit::builders::{EventBuilder, event, webhook};

use crate::world::{World, seconds};

/// Edit number `n` (from 1) of a document, made `n - 1` seconds after the start.
fn edit(document: &str, n: u64) -> EventBuilder {
    let at = START.plus(seconds(n - 1));
    let version = i64::try_from(n).expect("small");
    event("Entry.auto_save")
        .id(&format!("{document}-{n}"))
        .resource(document)
        .version(version)
        .data(&format!(r#"{{"edit":{n}}}"#))
        .at(at)
}

/// Which edits arrived at a webhook, and when.
fn arrived(world: &World, webhook: &str) -> Vec<(f64, String)> {
    let text = |body: &[u8]| {
        let text = String::from_utf8_lossy(body).into_owned();
        let (_, edit) = text.split_once(r#""edit":"#).expect("an edit");
        edit.split('}').next().expect("a number").to_owned()
    };
    let arrived = world.arrived(webhook);
    let bodies = arrived.iter().map(|one| text(one.request.body.as_deref().expect("a body")));
    world.arrived_at(webhook).into_iter().zip(bodies).collect()
}

#[tokio::test(start_paused = true)]
async fn an_edit_each_second_for_a_minute_is_three_calls_with_the_twentieth_fortieth_and_sixtieth_state() {
    let world = World::with([webhook("w").topic("Entry.*").build()]);
    let running = world.start();
    for n in 1..=60 {
        world.accept(edit("doc", n)).await;
        world.pass(seconds(1)).await;
    }
    world.pass(seconds(60)).await;
    let expected = [(20.0, "20"), (40.0, "40"), (60.0, "60")].map(|(at, edit)| (at, edit.to_owned()));
    assert_eq!(arrived(&world, "w"), expected);
    assert_eq!(world.balance(), [("delivered", 3), ("superseded", 57)].into());
    let superseded = world.settled("w");
    assert!(superseded.iter().all(|one| one.by.is_some() && one.state == DeliveryState::Superseded));
    let delivered: Vec<_> = world.calls("w").iter().map(|call| call.delivery.id()).collect();
    assert!(superseded.iter().all(|one| one.by.is_some_and(|by| delivered.contains(&by))));
    running.stop().await;
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_lone_edit_is_one_call_at_the_windows_end() {
    let world = World::with([webhook("w").topic("Entry.*").build()]);
    let running = world.start();
    world.accept(edit("doc", 1)).await;
    world.pass(seconds(60)).await;
    assert_eq!(arrived(&world, "w"), [(20.0, "1".to_owned())]);
    let due = world.matches()[0].decisions[0].due_at;
    assert_eq!(due, Some(START.plus(seconds(20))), "explain shows when it is due");
    let order = world.taps.order();
    let first = |name: &str| order.iter().position(|one| one == name).expect(name);
    assert!(
        first("deliver.publish") < first("windows.register"),
        "only what is confirmed supersedes: {order:?}"
    );
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn two_documents_share_no_window_and_other_actions_none_at_all() {
    let world = World::with([webhook("w").topic("Entry.*").build()]);
    let running = world.start();
    world.accept(edit("one", 1)).await;
    world.accept(edit("two", 1)).await;
    world.accept(event("Entry.publish").id("p").data(r#"{"edit":0}"#)).await;
    world.pass(seconds(60)).await;
    let expected = [(0.0, "0"), (20.0, "1"), (20.0, "1")].map(|(at, edit)| (at, edit.to_owned()));
    assert_eq!(arrived(&world, "w"), expected);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_webhook_may_coalesce_everything_it_matches_or_nothing() {
    let rule = CoalesceRule { window: seconds(300), key: CoalesceKey::Webhook };
    let world = World::with([
        webhook("all").topic("*.*").coalesce(CoalesceSetting::All(rule)).build(),
        webhook("off").topic("*.*").coalesce(CoalesceSetting::Off).build(),
    ]);
    let running = world.start();
    for n in 1..=5 {
        world.accept(edit(&format!("doc{n}"), n)).await;
        world.pass(seconds(1)).await;
    }
    world.pass(seconds(600)).await;
    assert_eq!(arrived(&world, "all"), [(300.0, "5".to_owned())]);
    assert_eq!(world.arrived("off").len(), 5);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_newest_state_wins_whatever_order_the_events_come_in() {
    let world = World::with([webhook("w").topic("Entry.*").build()]);
    let running = world.start();
    for n in [3, 1, 2] {
        world.accept(edit("doc", n)).await;
        world.pass(Duration::from_millis(10)).await;
    }
    world.pass(seconds(60)).await;
    let states: Vec<_> = arrived(&world, "w").into_iter().map(|(_, edit)| edit).collect();
    assert_eq!(states, ["3"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_windows_there_are_more_calls_never_fewer() {
    for away in ["windows.join", "windows.register", "windows.newest"] {
        let world = World::with([webhook("w").topic("Entry.*").build()]);
        world.taps.fail(away, usize::MAX);
        let running = world.start();
        for n in 1..=4 {
            world.accept(edit("doc", n)).await;
            world.pass(seconds(1)).await;
        }
        world.pass(seconds(60)).await;
        let states: Vec<_> = arrived(&world, "w").into_iter().map(|(_, edit)| edit).collect();
        assert!(states.contains(&"4".to_owned()), "{away}: the newest state arrives: {states:?}");
        assert_eq!(world.balance().get("pending"), None, "{away}");
        running.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_older_state_never_supersedes_a_newer_one_that_the_window_does_not_know() {
    let world = World::with([webhook("w").topic("Entry.*").build()]);
    let running = world.start();
    world.accept(edit("doc", 1)).await;
    world.pass(seconds(1)).await;
    world.taps.fail("windows.register", 1);
    world.accept(edit("doc", 2)).await;
    world.pass(seconds(60)).await;
    let states: Vec<_> = arrived(&world, "w").into_iter().map(|(_, edit)| edit).collect();
    assert_eq!(states, ["1", "2"], "one call more, the newest state among them");
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_of_a_window_is_retried_with_the_newest_state() {
    let world = World::with([webhook("w").topic("Entry.*").delays(&[seconds(5)]).build()]);
    world
        .receiver
        .script("/w", &[crate::receiver::Answer::Status(500), crate::receiver::Answer::Status(200)]);
    let running = world.start();
    for n in 1..=3 {
        world.accept(edit("doc", n)).await;
    }
    world.pass(seconds(60)).await;
    assert_eq!(arrived(&world, "w"), [(20.0, "3".to_owned()), (25.0, "3".to_owned())]);
    running.stop().await;
}
