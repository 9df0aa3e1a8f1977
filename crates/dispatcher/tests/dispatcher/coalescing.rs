//! Windows: the events of one window become one call with the newest state.

use std::time::Duration;

use postrider_domain::coalesce::{CoalesceKey, CoalesceRule, CoalesceSetting};
use postrider_domain::delivery::DeliveryState;
use postrider_testkit::START;
use postrider_testkit::builders::{EventBuilder, WebhookBuilder, event, webhook};

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

/// All that a webhook matches in five minutes.
fn into_one(id: &str) -> WebhookBuilder {
    let rule = CoalesceRule { window: seconds(300), key: CoalesceKey::Webhook };
    webhook(id).topic("Entry.*").coalesce(CoalesceSetting::All(rule))
}

/// Publish number `n` of a release.
fn publish(n: u64) -> EventBuilder {
    event("Entry.publish").id(&format!("p-{n:02}")).resource(&format!("entry-{n}")).at(START.plus(seconds(n)))
}

/// The bodies that a webhook got, and what their headers say of other events.
fn told(world: &World, webhook: &str) -> Vec<(serde_json::Value, Option<String>)> {
    let read = |request: &postrider_ports::sender::Request| {
        let body = serde_json::from_slice(request.body.as_deref().expect("a body")).expect("JSON");
        let header = request.headers.iter().find(|(name, _)| name == "X-Postrider-Coalesced");
        (body, header.map(|(_, value)| value.clone()))
    };
    world.arrived(webhook).iter().map(|one| read(&one.request)).collect()
}

#[tokio::test(start_paused = true)]
async fn fifty_publishes_of_a_release_are_one_call_that_lists_them() {
    let world = World::with([into_one("w").build()]);
    let running = world.start();
    for n in 0..50 {
        world.accept(publish(n)).await;
    }
    world.pass(seconds(600)).await;
    let told = told(&world, "w");
    let [(body, header)] = told.as_slice() else { panic!("{} calls", told.len()) };
    assert_eq!(body["id"], "p-49", "the newest");
    assert_eq!(body["coalesced"]["count"], 50);
    let listed = body["coalesced"]["events"].as_array().expect("a list");
    let ids: Vec<_> = listed.iter().map(|one| one["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, (0..50).map(|n| format!("p-{n:02}")).collect::<Vec<_>>());
    let first = serde_json::json!({"id": "p-00", "type": "Entry", "action": "publish",
        "occurredAt": START.to_string(), "resource": {"id": "entry-0"}});
    assert_eq!(listed[0], first);
    assert_eq!(header.as_deref(), Some(format!("50; {}", ids.join(" ")).as_str()));
    assert_eq!(world.balance(), [("delivered", 1), ("superseded", 49)].into());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn each_attempt_lists_the_same_though_the_window_is_forgotten_meanwhile() {
    let world = World::with([into_one("w").delays(&[seconds(3600)]).build()]);
    world
        .receiver
        .script("/w", &[crate::receiver::Answer::Status(500), crate::receiver::Answer::Status(200)]);
    let running = world.start();
    for n in 0..3 {
        world.accept(publish(n)).await;
    }
    world.pass(seconds(400)).await;
    world.servers.lock().gathered.clear();
    world.pass(seconds(4000)).await;
    let told = told(&world, "w");
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].0["coalesced"]["count"], 3);
    assert_eq!(told[1].0["coalesced"], told[0].0["coalesced"]);
    assert_eq!(told[1].1, told[0].1);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_stands_for_itself_or_for_nobody_knows_what_lists_nothing() {
    let world = World::with([into_one("w").build()]);
    let running = world.start();
    world.accept(publish(1)).await;
    world.pass(seconds(600)).await;
    world.taps.fail("windows.coalesced", usize::MAX);
    for n in [2, 3] {
        world.accept(publish(n).at(START.plus(seconds(600)))).await;
    }
    world.pass(seconds(600)).await;
    let told = told(&world, "w");
    assert_eq!(told.len(), 2, "a list that is not there holds up no call");
    assert!(told.iter().all(|(body, header)| body.get("coalesced").is_none() && header.is_none()));
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_dialect_of_a_cms_says_it_in_the_header_alone() {
    let world = World::with([into_one("w").dialect("datocms").build()]);
    let running = world.start();
    world.accept(publish(1)).await;
    world.accept(publish(2)).await;
    world.pass(seconds(600)).await;
    let told = told(&world, "w");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1.as_deref(), Some("2; p-01 p-02"));
    assert!(!told[0].0.to_string().contains("coalesced"), "{}", told[0].0);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_unpublish_without_a_version_wins_over_an_older_publish_with_one() {
    let rule = CoalesceRule { window: seconds(60), key: CoalesceKey::Resource };
    let world = World::with([webhook("w").topic("Entry.*").coalesce(CoalesceSetting::All(rule)).build()]);
    let running = world.start();
    let unpublish = event("Entry.unpublish").id("down").resource("doc").at(START.plus(seconds(2)));
    world.accept(unpublish.data("null")).await;
    world.accept(event("Entry.publish").id("up").resource("doc").version(7).at(START.plus(seconds(1)))).await;
    world.pass(seconds(100)).await;
    let told = told(&world, "w");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].0["id"], &told[0].0["coalesced"]["count"]), (&"down".into(), &2.into()));
    let detail = &world.matches()[0].decisions[0].verdict.detail;
    assert_eq!(detail, "topics[0] Entry.*; coalesced into one call per resource each 60 s");
    running.stop().await;
}
