//! Parked messages: listed by pages, shown, put back, dropped, by who rules the instance and nobody else.

use axum::http::Method;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::Carried;
use postrider_domain::message::{DeliverMessage, Queue};
use postrider_ports::log::{DeliveryRow, LogRead, LogWrite};
use postrider_ports::queue::{Consumers, Depths, Message, Parked, Publish};
use postrider_testkit::builders::{deliver, event, event_id, matched, outgoing, settled, space};
use serde_json::json;

use crate::harness::Instance;

async fn instance_with(messages: &[(&str, &[u8])]) -> (Instance, Vec<String>) {
    let instance = Instance::start().await;
    for (queue, body) in messages {
        instance.queue.park(queue, "it is no event", body).await.expect("parked");
    }
    let listed = instance.get("/parked").await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    let items = listed.body["items"].as_array().expect("items");
    let ids = items.iter().map(|one| one["sys"]["id"].as_str().expect("an id").to_owned()).collect();
    (instance, ids)
}

#[tokio::test]
async fn parked_messages_are_listed_oldest_first_by_pages_without_their_bodies() {
    let (instance, ids) = instance_with(&[("inbox", b"one"), ("events", b"two"), ("events", b"three")]).await;
    let first = instance.get("/parked?limit=2").await;
    assert_eq!(first.body["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(first.body["items"][0]["queue"], "inbox");
    assert_eq!(first.body["items"][0]["reason"], "it is no event");
    assert_eq!(first.body["items"][0]["sizeBytes"], 3);
    assert!(first.body["items"][0].get("body").is_none(), "{}", first.text);
    let next = first.body["pages"]["next"].as_str().expect("another page");
    let second = instance.get(&format!("/parked?limit=2&cursor={next}")).await;
    assert_eq!(second.body["items"][0]["sys"]["id"], ids[2].as_str());
    assert!(second.body["pages"].get("next").is_none(), "{}", second.text);
    instance.get("/parked?cursor=x").await.is_error(400, "InvalidQuery");
    instance.get("/parked?queue=inbox").await.is_error(400, "InvalidQuery");
}

#[tokio::test]
async fn a_parked_message_is_shown_whole_whatever_its_bytes() {
    let (instance, ids) = instance_with(&[("inbox", b"{\"type\":1}"), ("inbox", &[0xff, 0])]).await;
    assert_eq!(instance.get(&format!("/parked/{}", ids[0])).await.body["body"], "{\"type\":1}");
    let binary = instance.get(&format!("/parked/{}", ids[1])).await;
    assert_eq!(binary.body["bodyBase64"], "/wA=");
    assert!(binary.body.get("body").is_none(), "{}", binary.text);
    for missing in ["/parked/999", "/parked/x", "/parked/-9223372036854775808"] {
        instance.get(missing).await.is_error(404, "NotFound");
    }
}

#[tokio::test]
async fn a_redriven_message_is_in_its_queue_again_and_what_was_none_stays() {
    let (instance, ids) = instance_with(&[("events", b"x"), ("nowhere", b"y")]).await;
    let redrive = async |id: &str| instance.post(&format!("/parked/{id}/redrive"), &json!({})).await;
    assert_eq!(redrive(&ids[0]).await.status, 204);
    assert_eq!(instance.queue.depth(Queue::Events).await.expect("a depth").ready, 1);
    redrive(&ids[0]).await.is_error(404, "NotFound");
    redrive(&ids[1]).await.is_error(409, "Conflict");
    assert_eq!(instance.get(&format!("/parked/{}", ids[1])).await.status, 200, "it stays");
}

#[tokio::test]
async fn a_dropped_message_is_gone() {
    let (instance, ids) = instance_with(&[("inbox", b"x")]).await;
    let path = format!("/parked/{}", ids[0]);
    assert_eq!(instance.delete(&path).await.status, 204);
    instance.delete(&path).await.is_error(404, "NotFound");
    assert_eq!(instance.get("/parked").await.body["items"], json!([]));
}

#[tokio::test]
async fn only_who_rules_the_instance_sees_parked_messages() {
    let (instance, ids) = instance_with(&[("inbox", b"x")]).await;
    let one = format!("/parked/{}", ids[0]);
    let asks = [
        (Method::GET, "/parked".to_owned()),
        (Method::GET, one.clone()),
        (Method::POST, format!("{one}/redrive")),
        (Method::DELETE, one),
    ];
    for (role, space) in [("editor", "*"), ("viewer", "*"), ("publisher", "*"), ("admin", "default")] {
        let token = instance.token(role, space).await;
        for (method, path) in &asks {
            let answer = instance.call_as(&token, method.clone(), path, None).await;
            answer.is_error(403, "AccessDenied");
        }
    }
}

/// An event whose delivery to two webhooks is parked, here and in the log; the message's path.
async fn held(instance: &Instance) -> (Carried, String) {
    let event = event("Entry.publish").id("e1").carried();
    let at = event.head.accepted_at;
    let parked = |webhook| settled(&event, webhook, DeliveryState::Parked, at);
    let records = [matched(&event, &["w1", "w2"], &[]), parked("w1"), parked("w2")];
    instance.bodies.write(&records).await.expect("written");
    let message = deliver(&event, &["w1", "w2"]);
    let mut consumer = Consumers::<DeliverMessage>::consumer(&instance.queue, Message::queue(&message));
    instance.queue.publish(vec![outgoing(message)]).await.expect("published");
    let received = consumer.receive(1).await.expect("received").pop().expect("one");
    received.lease.park("it ends every process").await.expect("parked");
    let listed = instance.get("/parked").await;
    (event, format!("/parked/{}", listed.body["items"][0]["sys"]["id"].as_str().expect("an id")))
}

async fn rows(instance: &Instance) -> Vec<DeliveryRow> {
    let row = instance.bodies.event(&space("default"), &event_id("e1")).await.expect("read");
    row.expect("it is there").deliveries
}

#[tokio::test]
async fn a_parked_message_shows_which_deliveries_wait_for_it() {
    let instance = Instance::start().await;
    let (_, path) = held(&instance).await;
    let shown = instance.get(&path).await;
    let holds = shown.body["holds"].as_array().expect("deliveries");
    assert_eq!(holds.len(), 2, "{}", shown.text);
    assert_eq!((&holds[0]["event"], &holds[1]["webhook"]), (&json!("e1"), &json!("w2")));
    assert_eq!((&holds[0]["space"], &holds[0]["attempts"]), (&json!("default"), &json!(0)));
    assert_eq!(holds[0]["delivery"], rows(&instance).await[0].id.to_string());
}

#[tokio::test]
async fn deliveries_whose_message_is_put_back_are_pending_again() {
    let instance = Instance::start().await;
    let (event, path) = held(&instance).await;
    assert!(rows(&instance).await.iter().all(|row| row.state == DeliveryState::Parked));
    let known = settled(&event, "w2", DeliveryState::Delivered, event.head.accepted_at);
    instance.bodies.write(&[known]).await.expect("written");
    assert_eq!(instance.post(&format!("{path}/redrive"), &json!({})).await.status, 204);
    let rows = rows(&instance).await;
    let states: Vec<_> = rows.iter().map(|row| row.state).collect();
    assert_eq!(states, [DeliveryState::Pending, DeliveryState::Delivered], "what has ended stays");
}

#[tokio::test]
async fn deliveries_whose_message_is_dropped_are_cancelled_and_say_why() {
    let instance = Instance::start().await;
    let (_, path) = held(&instance).await;
    assert_eq!(instance.delete(&path).await.status, 204);
    for row in rows(&instance).await {
        assert_eq!(row.state, DeliveryState::Cancelled);
        let reason = row.reason.expect("a reason");
        assert!(
            reason.contains("a person dropped it") && reason.contains("it ends every process"),
            "{reason}"
        );
    }
}
