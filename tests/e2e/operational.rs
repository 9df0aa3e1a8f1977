//! Webhooks that fail, are disabled and recover are told of to those who ask for it: once each, and never to those who did
//! not name it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use postrider_testkit::slack::FakeSlack;
use reqwest::Method;
use serde_json::{Value, json};

use crate::system::{System, event, webhook};
use crate::target::{Answer, Target};

const HOOKS: &str = "/spaces/default/webhook_definitions";

/// A receiver whose path `/w` answers with this status until it is healthy.
async fn sick(status: u16) -> (Target, Arc<AtomicBool>) {
    let healthy = Arc::new(AtomicBool::new(false));
    let heals = Arc::clone(&healthy);
    let target = Target::start(move |hit| match hit.path.as_str() {
        "/w" if !heals.load(Ordering::Relaxed) => Answer::Status(status),
        _ => Answer::Status(200),
    });
    (target.await, healthy)
}

/// The webhook that fails, with one attempt.
fn entries(target: &Target) -> Value {
    let mut hook = webhook(&target.url("/w"), &["Entry.*"]);
    hook["name"] = json!("Search index");
    hook["retryPolicy"] = json!("none");
    hook
}

/// What a path was told of webhooks: action and body.
fn told(target: &Target, path: &str) -> Vec<(String, Value)> {
    let bodies = target.hits(path).into_iter().map(|hit| hit.json());
    bodies.map(|body| (body["action"].as_str().unwrap_or_default().to_owned(), body)).collect()
}

fn actions(target: &Target, path: &str) -> Vec<String> {
    told(target, path).into_iter().map(|(action, _)| action).collect()
}

/// Publishes and delivers, event by event, until `/ops` was told so often. Another dispatcher than the one that noted a failure
/// hears of it within a second, and so does each of a changed webhook: the first success need not be the first event.
async fn until_told(system: &System, target: &Target, times: usize, name: &str) {
    for round in 0.. {
        let known = system.balance().await.of("delivered");
        let id = format!("{name}-{round}");
        system.accept(&event(&id, "Entry.publish")).await;
        let explained = explain(system, &id).await;
        let considered = explained["webhooks"].as_array().expect("webhooks");
        if considered.iter().any(|one| one["matched"] == true) {
            system.until("it is delivered", |balance| balance.of("delivered") > known).await;
        }
        if target.hits("/ops").len() >= times {
            return;
        }
    }
}

#[tokio::test]
async fn failing_and_recovered_are_told_once_each_to_those_who_name_them() {
    let (target, healthy) = sick(404).await;
    let system = System::start(&[]).await;
    let failing = system.webhook(&entries(&target)).await;
    let all = system.webhook(&webhook(&target.url("/all"), &["*.*"])).await;
    system.webhook(&webhook(&target.url("/ops"), &["Webhook.failing", "Webhook.recovered"])).await;
    for id in ["one", "two", "three"] {
        system.accept(&event(id, "Entry.publish")).await;
    }
    // Three refused, three to those who want everything, one notice.
    system
        .until("all is settled", |balance| balance.of("given_up") == 3 && balance.of("delivered") == 4)
        .await;
    let told_of = told(&target, "/ops");
    assert_eq!(told_of.len(), 1, "{told_of:?}");
    let body = &told_of[0].1;
    assert_eq!((&body["type"], &body["action"]), (&json!("Webhook"), &json!("failing")));
    assert_eq!(body["resource"]["id"], json!(failing));
    assert_eq!(body["resource"]["title"], "Search index");
    assert_eq!(body["resource"]["state"], "failing");
    assert_eq!(body["data"]["webhook"], json!({ "id": failing, "name": "Search index" }));
    assert_eq!(body["data"]["lastStatus"], 404);
    let reason = body["data"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("given up") && reason.contains("404"), "{reason}");
    assert!(body["data"]["since"].as_str().expect("an instant").starts_with("20"), "{body}");
    let id = body["id"].as_str().expect("an id").to_owned();

    healthy.store(true, Ordering::Relaxed);
    until_told(&system, &target, 2, "healed").await;
    assert_eq!(actions(&target, "/ops"), ["failing", "recovered"]);
    assert_eq!(told(&target, "/ops")[1].1["data"]["since"], body["data"]["since"], "since it was not well");
    until_told(&system, &target, 2, "later").await;
    assert_eq!(actions(&target, "/ops").len(), 2, "a second success is no news");

    let everything = target.hits("/all");
    assert!(everything.iter().all(|hit| hit.json()["type"] == "Entry"), "*.* does not take them");
    let explained = explain(&system, &id).await;
    let considered = explained["webhooks"].as_array().expect("webhooks");
    let why = considered.iter().find(|one| one["id"] == all).expect("it was considered");
    assert_eq!(why["matched"], false);
    assert!(why["detail"].as_str().expect("a detail").contains("names the type Webhook"), "{why}");
}

/// Why each webhook got an event or did not; each try is a round trip until the event is on record.
async fn explain(system: &System, id: &str) -> Value {
    loop {
        let path = format!("/spaces/default/events/{id}/explain");
        let answer = system.request(Method::GET, &path).send().await.expect("an answer");
        if answer.status().is_success() {
            return answer.json().await.expect("JSON");
        }
    }
}

#[tokio::test]
async fn a_webhook_disabled_by_its_receiver_is_told_with_the_reason_and_enabled_it_recovers() {
    let (target, healthy) = sick(410).await;
    let system = System::start(&[]).await;
    let gone = system.webhook(&entries(&target)).await;
    system.webhook(&webhook(&target.url("/ops"), &["Webhook.*"])).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is told", |balance| balance.of("delivered") == 1).await;
    let (action, body) = told(&target, "/ops").pop().expect("told");
    assert_eq!((action.as_str(), &body["resource"]["state"]), ("disabled", &json!("disabled")));
    assert_eq!(body["data"]["lastStatus"], 410);
    assert!(body["data"]["reason"].as_str().expect("a reason").contains("410 Gone"), "{body}");
    let hook = system.call(Method::GET, &format!("{HOOKS}/{gone}"), None).await;
    assert_eq!(hook["active"], false, "who is told finds it so");

    healthy.store(true, Ordering::Relaxed);
    system.call(Method::POST, &format!("{HOOKS}/{gone}/enable"), None).await;
    until_told(&system, &target, 2, "enabled").await;
    assert_eq!(actions(&target, "/ops"), ["disabled", "recovered"]);
}

#[tokio::test]
async fn what_waited_for_a_disabled_webhook_says_why_it_was_cancelled() {
    let target =
        Target::start(|hit| Answer::Status(if hit.json()["id"] == "waits" { 503 } else { 410 })).await;
    let system = System::start(&[]).await;
    let mut hook = webhook(&target.url("/w"), &["Entry.*"]);
    hook["retryPolicy"] = json!({ "schedule": [1.1] });
    system.webhook(&hook).await;
    system.accept(&event("waits", "Entry.publish")).await;
    target.until(1).await;
    system.accept(&event("gone", "Entry.publish")).await;
    system.until("it is cancelled", |balance| balance.of("cancelled") == 1).await;
    let list = system.call(Method::GET, "/spaces/default/deliveries?state=cancelled", None).await;
    let reason = list["items"][0]["reason"].as_str().unwrap_or_else(|| panic!("{list}")).to_owned();
    assert!(reason.contains("disabled since 20") && reason.contains("410 Gone"), "{reason}");
    assert_eq!(target.count(), 2, "it was not called again");
}

#[tokio::test]
async fn those_who_are_told_and_fail_are_not_told_of() {
    let (target, _) = sick(404).await;
    let system = System::start(&[]).await;
    system.webhook(&entries(&target)).await;
    let mut deaf = webhook(&target.url("/w"), &["Webhook.*"]);
    deaf["retryPolicy"] = json!("none");
    system.webhook(&deaf).await;
    deaf["url"] = json!(target.url("/ops"));
    system.webhook(&deaf).await;
    system.accept(&event("one", "Entry.publish")).await;
    // The event, and the notice to the deaf one; the notice to the other is delivered.
    system
        .until("all is settled", |balance| balance.of("given_up") == 2 && balance.of("delivered") == 1)
        .await;
    system.accept(&event("two", "Entry.publish")).await;
    let balance = system.until("the next is settled", |balance| balance.of("given_up") == 3).await;
    assert_eq!(balance.total(), 4, "no notice but the one: {balance:?}");
    assert_eq!(actions(&target, "/ops"), ["failing"]);
}

#[tokio::test]
async fn what_was_told_before_a_restart_is_known_after_it() {
    let (target, healthy) = sick(500).await;
    let mut system = System::start(&[]).await;
    system.webhook(&entries(&target)).await;
    system.webhook(&webhook(&target.url("/ops"), &["Webhook.*"])).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is told", |balance| balance.of("delivered") == 1).await;
    system.kill().await;
    system.run().await;
    system.accept(&event("two", "Entry.publish")).await;
    system.until("it fails again", |balance| balance.of("given_up") == 2).await;
    healthy.store(true, Ordering::Relaxed);
    until_told(&system, &target, 2, "healed").await;
    assert_eq!(actions(&target, "/ops"), ["failing", "recovered"], "once each");
}

#[tokio::test]
async fn slack_is_told_as_of_any_other_event() {
    let (target, _) = sick(503).await;
    let slack = FakeSlack::start("Acme").await;
    slack.issue("xoxb-token-of-the-bot");
    let system = System::start(&[&format!("slack.base_url={}", slack.base_url())]).await;
    let bot = json!({ "name": "Ops", "token": "xoxb-token-of-the-bot" });
    system.call(Method::PUT, "/spaces/default/slack_connections/ops", Some(&bot)).await;
    let channel = slack.channel("ops");
    let action = json!({ "type": "slack", "connection": "ops", "channel": channel });
    system.webhook(&json!({ "name": "ops", "topics": ["Webhook.*"], "action": action })).await;
    system.webhook(&entries(&target)).await;
    system.accept(&event("one", "Entry.publish")).await;
    system.until("it is told", |balance| balance.of("delivered") == 1).await;
    let message = slack.messages().pop().expect("a message");
    let text = message.body.to_string();
    for says in ["Search index", "Webhook", "failing"] {
        assert!(text.contains(says), "{text} says {says}");
    }
}
