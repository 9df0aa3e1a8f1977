//! What is told of webhooks that fail, are disabled and recover: each change of state one event, whoever tells it, and none
//! because of such an event.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::{Carriage, EventHead};
use postrider_domain::matching::Rule;
use postrider_domain::operational::{Condition, Ill, News};
use postrider_domain::secret::Sealed;
use postrider_domain::webhook::{Disabled, DisabledBy, Status};
use postrider_ports::claims::Claims;
use postrider_ports::clock::Clock;
use postrider_ports::wellness::Wellness;
use postrider_testkit::START;
use postrider_testkit::builders::{event, space, webhook, webhook_id};

use crate::receiver::Answer;
use crate::world::{World, seconds};

/// A webhook on entries, and `ops` on what is told of webhooks.
fn world() -> World {
    World::with([
        webhook("w").topic("Entry.*").delays(&[]).build(),
        webhook("ops").topic("Webhook.*").delays(&[]).build(),
    ])
}

async fn publish(world: &World, ids: &[&str]) {
    for id in ids {
        world.accept(event("Entry.publish").id(id)).await;
    }
    world.step().await;
}

/// The events about webhooks that were matched, in order: action and body.
fn told(world: &World) -> Vec<(String, String)> {
    let matches = world.matches().into_iter().filter(|one| one.event.head.event_type.as_str() == "Webhook");
    let text = |content: &Carriage| match content {
        Carriage::Inline(content) => content.data.as_str().to_owned(),
        Carriage::Stored(_) => panic!("it is small"),
    };
    matches.map(|one| (one.event.head.action.to_string(), text(&one.event.content))).collect()
}

fn actions(world: &World) -> Vec<String> {
    told(world).into_iter().map(|(action, _)| action).collect()
}

fn head(world: &World, at: usize) -> Arc<EventHead> {
    let heads = world.matches().into_iter().map(|one| one.event.head);
    let mut heads = heads.filter(|head| head.event_type.as_str() == "Webhook");
    heads.nth(at).expect("so many were told")
}

#[tokio::test(start_paused = true)]
async fn failures_are_told_once_and_the_first_success_after_them_once() {
    let world = world();
    world.receiver.script("/w", &[Answer::Status(404), Answer::Status(403), Answer::Status(200)]);
    publish(&world, &["a", "b"]).await;
    assert_eq!(actions(&world), ["failing"]);
    let (_, body) = &told(&world)[0];
    for says in [
        r#""id":"w""#,
        r#""name":"Webhook w""#,
        r#""lastStatus":404"#,
        "given up",
        "404",
        r#""since":"2026-"#,
    ] {
        assert!(body.contains(says), "{body} says {says}");
    }
    let head = head(&world, 0);
    assert_eq!(head.resource.id, "w");
    assert_eq!(head.resource.title.as_deref(), Some("Webhook w"));
    assert_eq!(head.resource.state.as_deref(), Some("failing"));
    world.clock.advance(seconds(60));
    publish(&world, &["c", "d"]).await;
    assert_eq!(actions(&world), ["failing", "recovered"]);
    world.receiver.script("/w", &[Answer::Status(404)]);
    world.clock.advance(seconds(60));
    publish(&world, &["e"]).await;
    assert_eq!(actions(&world), ["failing", "recovered", "failing"], "it begins anew");
    assert_eq!(world.arrived("ops").len(), 3);
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_is_told_before_anything_is_given_up() {
    let mut world = World::with([
        webhook("w").topic("Entry.*").delays(&[seconds(600)]).build(),
        webhook("ops").topic("Webhook.failing").build(),
    ]);
    world.settings.breaker.failures = 3;
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(500)]);
    publish(&world, &["a", "b"]).await;
    assert_eq!(actions(&world), [""; 0], "they are tried again");
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(500), Answer::Status(500)]);
    publish(&world, &["d", "e", "f"]).await;
    assert_eq!(actions(&world), ["failing"]);
    let (_, body) = &told(&world)[0];
    assert!(body.contains("held back for now"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn a_410_is_told_as_disabled_and_not_as_failing() {
    let world = world();
    world.receiver.script("/w", &[Answer::Status(410), Answer::Status(200)]);
    publish(&world, &["a", "b"]).await;
    assert_eq!(actions(&world), ["disabled"]);
    let (_, body) = &told(&world)[0];
    assert!(body.contains("410 Gone") && body.contains(r#""lastStatus":410"#), "{body}");
    assert_eq!(head(&world, 0).resource.state.as_deref(), Some("disabled"));
    // Enabled, it is another version; its first success is a recovery.
    world.clock.advance(seconds(60));
    world.put(webhook("w").topic("Entry.*").version(2).build());
    publish(&world, &["c"]).await;
    assert_eq!(actions(&world), ["disabled", "recovered"]);
    assert!(world.servers.ill().await.expect("in memory").is_empty());
}

#[tokio::test(start_paused = true)]
async fn enabled_again_it_must_show_first_that_it_lives() {
    let world = world();
    world.receiver.script("/w", &[Answer::Status(410), Answer::Status(500), Answer::Status(200)]);
    publish(&world, &["a"]).await;
    world.clock.advance(seconds(60));
    world.put(webhook("w").topic("Entry.*").delays(&[]).version(2).build());
    publish(&world, &["b", "c", "d", "e"]).await;
    assert_eq!(world.arrived("w").len(), 2, "one call, and the others wait for what it brings");
    assert_eq!(actions(&world), ["disabled", "failing"], "it does not live");
    world.clock.advance(seconds(60));
    world.step().await;
    assert_eq!(world.arrived("w").len(), 5);
    assert_eq!(actions(&world), ["disabled", "failing", "recovered"]);
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn deliveries_of_what_is_told_never_cause_another() {
    let world = World::with([
        webhook("w").topic("Entry.*").delays(&[]).build(),
        webhook("ops").topic("Webhook.*").delays(&[]).build(),
        webhook("gone").topic("Webhook.*").delays(&[]).build(),
    ]);
    for path in ["/w", "/ops"] {
        world.receiver.script(path, &[Answer::Status(404), Answer::Status(200)]);
    }
    world.receiver.script("/gone", &[Answer::Status(410)]);
    publish(&world, &["a"]).await;
    assert_eq!(actions(&world), ["failing"], "of w alone");
    let gone = world.servers.lock().webhooks[&(space("default"), webhook_id("gone"))].status.clone();
    assert!(matches!(gone, Status::Disabled(Disabled { by: DisabledBy::Gone, .. })), "{gone:?}");
    world.clock.advance(seconds(60));
    publish(&world, &["b"]).await;
    assert_eq!(actions(&world), ["failing", "recovered"]);
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_noted_and_did_not_tell_is_told_by_whoever_sees_it() {
    let world = world();
    let condition = Condition {
        ill: Ill::Disabled,
        at: START,
        since: START,
        webhook_version: 0,
        reason: "every call failed for 5 days".to_owned(),
        last_status: Some(503),
        told: false,
    };
    world.servers.note(&space("default"), &webhook_id("w"), &condition).await.expect("noted");
    world.step().await;
    assert_eq!(actions(&world), [""; 0], "who noted it is about to tell it");
    world.clock.advance(seconds(6));
    for _ in 0..3 {
        world.step().await;
    }
    assert_eq!(actions(&world), ["disabled"]);
    assert!(told(&world)[0].1.contains("for 5 days"));
}

#[tokio::test(start_paused = true)]
async fn another_workers_recovery_is_seen_within_seconds() {
    let world = world();
    let running = world.start();
    world.pass(seconds(1)).await;
    let condition = Condition {
        ill: Ill::Failing,
        at: world.clock.now(),
        since: world.clock.now(),
        webhook_version: 0,
        reason: "it failed elsewhere".to_owned(),
        last_status: None,
        told: true,
    };
    world.servers.note(&space("default"), &webhook_id("w"), &condition).await.expect("noted");
    world.pass(seconds(6)).await;
    world.accept(event("Entry.publish").id("a")).await;
    world.pass(seconds(1)).await;
    assert_eq!(actions(&world), ["recovered"]);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_store_it_is_told_all_the_same_and_rather_once_more() {
    let world = world();
    world.receiver.script("/w", &[Answer::Status(404), Answer::Status(404)]);
    world.taps.fail("wellness.note", 1);
    publish(&world, &["a"]).await;
    assert_eq!(actions(&world), ["failing"]);
    world.clock.advance(Duration::from_millis(1));
    publish(&world, &["b"]).await;
    assert_eq!(actions(&world), ["failing", "failing"]);
    assert_eq!(world.balance()["given_up"], 2, "the deliveries themselves are settled");
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_told_and_not_noted_is_told_again_and_is_no_second_event() {
    let world = world();
    world.receiver.script("/w", &[Answer::Status(404)]);
    world.taps.fail("wellness.told", 1);
    publish(&world, &["a"]).await;
    world.clock.advance(seconds(20));
    world.step().await;
    assert_eq!(actions(&world), ["failing"], "its id is known");
    let ill = world.servers.ill().await.expect("in memory");
    assert!(ill[0].2.told, "and now that is noted");
}

#[tokio::test(start_paused = true)]
async fn without_the_memory_of_ids_it_is_told_as_a_suspect() {
    let world = world();
    world.receiver.script("/w", &[Answer::Status(404)]);
    world.taps.fail("claims.claim", 1);
    publish(&world, &["a"]).await;
    assert_eq!(actions(&world), ["failing"]);
    assert_eq!(world.arrived("ops").len(), 1);
    world.assert_empty().await;
}

/// Another worker claimed the id of an event that tells how `w` stands.
async fn another_claims(world: &World, condition: &Condition, news: News) {
    let id = news.event_id(&webhook_id("w"), condition).expect("it has an id");
    world.servers.claim(&space("default"), &[(id, [0; 32])], world.clock.now()).await.expect("claimed");
}

#[tokio::test(start_paused = true)]
async fn what_another_is_just_telling_is_left_to_him_unless_he_dies() {
    let world = world();
    let condition = Condition {
        ill: Ill::Failing,
        at: START,
        since: START,
        webhook_version: 0,
        reason: "a delivery was given up".to_owned(),
        last_status: Some(404),
        told: false,
    };
    world.servers.note(&space("default"), &webhook_id("w"), &condition).await.expect("noted");
    another_claims(&world, &condition, News::Failing).await;
    world.receiver.script("/w", &[Answer::Status(404), Answer::Status(404), Answer::Status(200)]);
    publish(&world, &["a", "b"]).await;
    assert_eq!(actions(&world), [""; 0], "beside him it would be told twice");
    world.clock.advance(seconds(6));
    world.step().await;
    world.step().await;
    assert_eq!(actions(&world), ["failing"], "he died");
    let [(.., noted)] = &world.servers.ill().await.expect("in memory")[..] else { panic!("one is ill") };
    assert!(noted.told);

    another_claims(&world, noted, News::Recovered).await;
    publish(&world, &["c"]).await;
    assert_eq!(actions(&world), ["failing"], "he tells the recovery too");
    world.clock.advance(seconds(6));
    publish(&world, &["d"]).await;
    assert_eq!(actions(&world), ["failing", "recovered"]);
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn every_dialect_says_it_or_says_that_it_cannot() {
    let world = world();
    for name in postrider_dialects::names() {
        let signed = webhook(name).signing(Sealed::new("sealed:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"));
        world.put(signed.topic("Webhook.*").dialect(name).delays(&[]).build());
    }
    world.receiver.script("/w", &[Answer::Status(404)]);
    publish(&world, &["a"]).await;
    let matched = world.matches().pop().expect("it was matched");
    for name in postrider_dialects::names() {
        let decision = matched.decisions.iter().find(|one| one.webhook.as_str() == *name);
        let verdict = &decision.expect("it was considered").verdict;
        let calls = world.calls(name);
        let is_said = verdict.matched && calls.len() == 1 && calls[0].state == DeliveryState::Delivered;
        let is_left = verdict.rule == Rule::NotExpressible && calls.is_empty();
        assert!(is_said || is_left, "{name}: {verdict:?} {calls:?}");
    }
    assert_eq!(world.arrived("native").len(), 1, "our own says it");
}
