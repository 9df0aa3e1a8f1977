//! What one call means: classes of outcome, 410, faults of the webhook itself, masking, cancelling.

use postrider_domain::delivery::DeliveryState;
use postrider_domain::message::Lane;
use postrider_domain::outcome::FailureKind;
use postrider_domain::retry::RetryPolicy;
use postrider_domain::secret::Sealed;
use postrider_domain::webhook::{BasicAuth, CustomHeader, DisabledBy, HeaderValue, Status, Webhook};
use postrider_testkit::builders::{deliver, event, outgoing, space, webhook, webhook_id};

use crate::receiver::Answer;
use crate::world::World;

fn stored(world: &World, id: &str) -> Webhook {
    world.servers.lock().webhooks[&(space("default"), webhook_id(id))].clone()
}

#[tokio::test(start_paused = true)]
async fn final_answers_give_up_at_once() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.receiver.script("/w", &[Answer::Status(301), Answer::Status(404)]);
    world.accept(event("Entry.publish").id("a")).await;
    world.accept(event("Entry.publish").id("b")).await;
    world.step().await;
    assert_eq!(world.balance(), [("given_up", 2)].into());
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn gone_gives_up_and_disables_and_what_waits_is_cancelled() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.receiver.script("/w", &[Answer::Status(500), Answer::Status(410)]);
    world.accept(event("Entry.publish").id("waits")).await;
    world.step().await;
    world.accept(event("Entry.publish").id("gone")).await;
    world.step().await;
    let Status::Disabled(why) = stored(&world, "w").status else { panic!("it is still active") };
    assert_eq!(why.by, DisabledBy::Gone);
    assert!(why.reason.contains("410"), "{}", why.reason);
    world.clock.advance(crate::world::seconds(10));
    world.step().await;
    assert_eq!(world.balance(), [("given_up", 1), ("cancelled", 1)].into());
    let cancelled = &world.settled("w")[0];
    assert_eq!((cancelled.state, cancelled.attempt), (DeliveryState::Cancelled, 1));
    assert!(cancelled.reason.contains("410"), "{}", cancelled.reason);
    assert_eq!(world.arrived("w").len(), 2);
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_disabled_or_deleted_webhook_cancels_and_enabling_does_not_revive() {
    let world =
        World::with([webhook("deleted").topic("*.*").build(), webhook("disabled").topic("*.*").build()]);
    world.receiver.script("/d", &[Answer::Status(503)]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    world.delete("deleted");
    world.put(webhook("disabled").topic("*.*").disabled().build());
    world.clock.advance(crate::world::seconds(10));
    world.step().await;
    assert!(world.settled("deleted")[0].reason.contains("deleted"));
    assert!(world.settled("disabled")[0].reason.contains("switched off by the test"));
    world.put(webhook("disabled").topic("*.*").build());
    world.clock.advance(crate::world::seconds(100_000));
    world.step().await;
    assert_eq!(world.balance(), [("cancelled", 2)].into());
    assert_eq!((world.arrived("deleted").len(), world.arrived("disabled").len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_webhook_that_is_newer_than_the_index_is_found_not_cancelled() {
    let mut world = World::with([webhook("known").topic("*.*").build()]);
    world.settings.refresh = crate::world::seconds(3600);
    let running = world.start();
    world.accept(event("Entry.publish").id("first")).await;
    world.pass(crate::world::seconds(1)).await;
    // Another worker matched it: ours has not looked since.
    world.put(webhook("new").build());
    let message = deliver(&event("Entry.publish").id("second").carried(), &["new"]);
    world.publish(outgoing(message)).await;
    world.pass(crate::world::seconds(1)).await;
    assert_eq!(world.arrived("new").len(), 1);
    assert!(world.settled("new").is_empty());
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn the_latest_settings_are_used_for_every_attempt() {
    let world = World::with([webhook("w").topic("*.*").url("https://old.example/w").build()]);
    world.receiver.script("old.example", &[Answer::Status(500)]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    world.put(webhook("w").topic("*.*").url("https://new.example/w").version(1).build());
    world.clock.advance(crate::world::seconds(10));
    world.step().await;
    let calls = world.calls("w");
    assert_eq!(calls[1].request.url, "https://new.example/w");
    assert_eq!((calls[0].webhook_version, calls[1].webhook_version), (0, 1));
    assert_eq!(world.balance(), [("delivered", 1)].into());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_rendered_is_a_recorded_call_that_is_final() {
    let world = World::with([
        webhook("secret").topic("*.*").signing(Sealed::new("damaged")).build(),
        webhook("header").topic("*.*").header("bad name", "x").build(),
        webhook("dialect").topic("*.*").dialect("esperanto").build(),
    ]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    for (id, says) in [("secret", "changed or moved"), ("header", "bad name"), ("dialect", "esperanto")] {
        let call = &world.calls(id)[0];
        let failure = call.failure.as_ref().expect("a failure");
        assert_eq!((failure.kind, call.state), (FailureKind::Request, DeliveryState::GivenUp), "{id}");
        assert!(failure.message.contains(says), "{}", failure.message);
        assert!(call.request.url.ends_with(id));
        assert!(world.arrived(id).is_empty(), "nothing was sent");
    }
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_holds_up_its_webhook_alone_until_it_is_back() {
    let lost = |id: &str| webhook(id).topic("*.*").signing(Sealed::new("lost:whsec_c2lnbmluZy1zZWNyZXQ="));
    let once = RetryPolicy::named("none").expect("a policy");
    let world = World::with([
        lost("w").build(),
        lost("once").retry(once).build(),
        webhook("other").topic("*.*").build(),
    ]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    assert_eq!(world.balance(), [("delivered", 1), ("pending", 2)].into());
    assert_eq!(world.arrived("other").len(), 1);
    for id in ["w", "once"] {
        let call = &world.calls(id)[0];
        let failure = call.failure.as_ref().expect("a failure");
        assert_eq!((failure.kind, call.state), (FailureKind::Request, DeliveryState::Pending), "{id}");
        assert!(failure.message.contains("key k1, which is not in the key ring"), "{}", failure.message);
        assert!(call.next_at.is_some() && world.arrived(id).is_empty(), "{id}: nothing was sent");
    }
    world.servers.lock().keys_are_back = true;
    world.clock.advance(crate::world::seconds(10));
    world.step().await;
    assert_eq!(world.balance(), [("delivered", 3)].into());
    let headers = &world.arrived("once")[0].request.headers;
    assert!(headers.iter().any(|(name, _)| name == "webhook-signature"), "{headers:?}");
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_that_its_dialect_cannot_say_when_it_surfaces_is_skipped() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.receiver.script("/w", &[Answer::Status(500)]);
    world.accept(event("Hologram.levitate")).await;
    world.step().await;
    world.put(webhook("w").topic("*.*").dialect("cometcms").build());
    world.clock.advance(crate::world::seconds(10));
    world.step().await;
    assert_eq!(world.balance(), [("skipped", 1)].into());
    assert!(!world.settled("w")[0].reason.is_empty());
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn no_secret_reaches_the_log() {
    let mut one = webhook("w").topic("*.*").signing(Sealed::new("sealed:whsec_c2lnbmluZy1zZWNyZXQ=")).build();
    let target = one.action.http_mut().expect("it calls a URL");
    target.basic_auth =
        Some(BasicAuth { username: "user".to_owned(), password: Sealed::new("sealed:p4ssw0rd") });
    let value = HeaderValue::Secret(Sealed::new("sealed:header-secret"));
    target.headers.push(CustomHeader { name: "X-Key".to_owned(), value });
    let world = World::with([one]);
    world.receiver.script("/w", &[Answer::With(200, "echo", "you sent header-secret".to_owned())]);
    world.accept(event("Entry.publish").data(r#"{"leak":"p4ssw0rd"}"#)).await;
    world.step().await;
    let sent = format!("{:?}", world.arrived("w")[0].request.headers);
    assert!(sent.contains("header-secret"), "the receiver gets it: {sent}");
    let call = &world.calls("w")[0];
    let recorded = format!("{call:?}");
    for secret in ["header-secret", "p4ssw0rd", "dXNlcjpwNHNzdzByZA", "c2lnbmluZy1zZWNyZXQ"] {
        assert!(!recorded.contains(secret), "{secret} in {recorded}");
    }
    assert!(recorded.contains("•••"));
}

#[tokio::test(start_paused = true)]
async fn a_content_that_is_gone_parks_the_message_with_its_reason() {
    let world = World::with([webhook("w").topic("*.*").build()]);
    world.accept_stored(event("Entry.publish")).await;
    world.servers.lock().bodies.clear();
    world.step().await;
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1, "at once");
    assert!(parked[0].reason.contains("content is gone"), "{}", parked[0].reason);
    assert_eq!(
        parked[0].holds.len(),
        1,
        "the log hears of the delivery from whoever looks at parked messages"
    );
    world.assert_empty().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_message_not_the_dispatcher() {
    let world = World::with([webhook("bad").topic("Entry.*").build(), webhook("good").topic("*.*").build()]);
    world.receiver.script("/bad", &[Answer::Panics]);
    world.accept(event("Entry.publish")).await;
    world.step().await;
    let parked = world.parked().await;
    assert_eq!(parked.len(), 1, "rejected until the limit");
    assert!(parked[0].reason.contains("the sender broke"), "{}", parked[0].reason);
    assert_eq!(world.arrived("good").len(), 1, "the other half of the bundle was done once");
    world.accept(event("Asset.publish").id("e2")).await;
    world.step().await;
    assert_eq!(world.arrived("good").len(), 2, "the dispatcher lives");
    assert!(world.waiting(Lane::Fresh).is_empty());
}
