//! Calls and deliveries: Contentful's log, ours, following, sending again.

use std::time::Duration;

use axum::http::Method;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::Carriage;
use postrider_domain::json::Json;
use postrider_domain::message::Lane;
use postrider_ports::bodies::Bodies;
use serde_json::{Value, json};

use crate::harness::{DEFINITIONS, Instance};

const CALLS: &str = "/spaces/default/calls";
const MS: Duration = Duration::from_millis(1);

fn ids(body: &Value) -> Vec<String> {
    let items = body["items"].as_array().expect("a list");
    items.iter().map(|item| item["sys"]["id"].as_str().expect("an id").to_owned()).collect()
}

/// The query parameter that goes on from an answer.
fn page(body: &Value, which: &str) -> String {
    body["pages"][which].as_str().expect("a cursor").to_owned()
}

#[tokio::test]
async fn contentfuls_log_shows_overview_details_and_health() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let delivery = instance.log_event("e1", "w", DeliveryState::Delivered);
    instance.log_call(&delivery, 500, 20 * MS);
    instance.clock.advance(Duration::from_secs(1));
    let good = instance.log_call(&delivery, 201, 179 * MS).to_string();
    let listed = instance.get("/spaces/default/webhooks/w/calls?limit=1").await;
    assert_eq!((&listed.body["total"], ids(&listed.body)), (&json!(2), vec![good.clone()]));
    let line = &listed.body["items"][0];
    assert_eq!(line["sys"]["type"], "WebhookCallOverview");
    assert_eq!(line["sys"]["createdBy"]["sys"]["linkType"], "WebhookDefinition");
    assert_eq!((&line["statusCode"], &line["eventType"]), (&json!(201), &json!("publish")));
    assert_eq!(line["requestAt"], "2026-01-01T12:00:01.000Z");
    assert_eq!(line["responseAt"], "2026-01-01T12:00:01.179Z");
    assert!(line.get("request").is_none());

    let details = instance.get(&format!("/spaces/default/webhooks/w/calls/{good}")).await.body;
    assert_eq!(details["sys"]["type"], "WebhookCallDetails");
    assert_eq!(details["request"]["timeout"], 15_000);
    assert_eq!(details["request"]["body"], "{\"a\":1}");
    assert_eq!(details["response"]["headers"]["set-cookie"], json!(["a=1", "b=2"]));
    assert_eq!(
        (&details["response"]["body"], &details["response"]["bodyEncoding"]),
        (&json!("/wAB"), &json!("base64"))
    );
    assert_eq!((&details["truncated"], &details["state"]), (&json!(true), &json!("delivered")));
    assert_eq!(details["timings"]["totalMs"], 179.0);
    instance.get(&format!("/spaces/default/webhooks/x/calls/{good}")).await.is_error(404, "NotFound");

    instance.get("/spaces/default/webhooks/nobody/calls").await.is_error(404, "NotFound");

    let health = instance.get("/spaces/default/webhooks/w/health").await.body;
    assert_eq!(
        (&health["sys"]["type"], &health["calls"]),
        (&json!("Webhook"), &json!({"total": 2, "healthy": 1}))
    );
    instance.get("/spaces/default/webhooks/nobody/health").await.is_error(404, "NotFound");
}

#[tokio::test]
async fn calls_are_narrowed_and_paged_by_cursor() {
    let instance = Instance::start().await;
    let delivery = instance.log_event("e1", "w", DeliveryState::Pending);
    let other = instance.log_event("e2", "v", DeliveryState::Delivered);
    let mut all = Vec::new();
    for status in [500, 500, 200] {
        all.insert(
            0,
            instance.log_call(if status == 200 { &other } else { &delivery }, status, MS).to_string(),
        );
        instance.clock.advance(Duration::from_secs(10));
    }
    let first = instance.get(&format!("{CALLS}?limit=2")).await.body;
    assert_eq!(ids(&first), all[..2]);
    let second = instance.get(&format!("{CALLS}?limit=2&cursor={}", page(&first, "next"))).await.body;
    assert_eq!((ids(&second), &second["pages"]["next"]), (all[2..].to_vec(), &Value::Null));
    for (query, count) in [
        ("webhook=w", 2),
        ("event=e2", 1),
        ("state=delivered", 1),
        ("status=pending", 2),
        ("type=Asset", 0),
        ("action=publish", 3),
        ("environment=master", 3),
        ("from=2026-01-01T12:00:10Z", 2),
        ("to=2026-01-01T12:00:10Z", 1),
        ("from=2026-01-01T12:00:10Z&to=2026-01-01T12:00:20Z", 1),
    ] {
        let listed = instance.get(&format!("{CALLS}?{query}")).await;
        assert_eq!(listed.body["total"], count, "{query}: {}", listed.text);
    }
    for bad in
        ["webhok=w", "state=lost", "from=yesterday", "cursor=x", "limit=-1", "event=a%20b", "wait=long"]
    {
        instance.get(&format!("{CALLS}?{bad}")).await.is_error(400, "InvalidQuery");
    }
    let one = instance.get(&format!("{CALLS}/{}", all[0])).await.body;
    assert_eq!((&one["event"]["id"], &one["webhook"]), (&json!("e2"), &json!("v")));
    instance.get(&format!("{CALLS}/0190a1b2-0000-7000-8000-000000000000")).await.is_error(404, "NotFound");
    instance.get(&format!("{CALLS}/nonsense")).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_tail_shows_each_call_once_in_the_order_they_ended() {
    let instance = Instance::start().await;
    let delivery = instance.log_event("e1", "w", DeliveryState::Pending);
    let before = instance.log_call(&delivery, 200, MS).to_string();
    instance.clock.advance(Duration::from_secs(5));
    let listed = instance.get(&format!("{CALLS}?limit=1")).await.body;
    assert_eq!(ids(&listed), [before]);

    let slow = instance.log_call(&delivery, 500, Duration::from_secs(12)).to_string();
    instance.clock.advance(Duration::from_secs(2));
    let quick = instance.log_call(&delivery, 200, 30 * MS).to_string();
    // The slow one is under way still: it ends at 12:00:17, and is shown a second later.
    let first = instance.get(&format!("{CALLS}?cursor={}&wait=5", page(&listed, "newer"))).await.body;
    assert_eq!(ids(&first), [quick]);
    let second = instance.get(&format!("{CALLS}?cursor={}&wait=25", page(&first, "newer"))).await.body;
    assert_eq!((ids(&second), &second["skipped"]), (vec![slow], &json!(false)));
    assert_eq!(instance.now().to_string(), "2026-01-01T12:00:18.000Z");
    let third = instance.get(&format!("{CALLS}?cursor={}&wait=25", page(&second, "newer"))).await.body;
    assert_eq!((ids(&third), page(&third, "newer")), (vec![], page(&second, "newer")));
    assert_eq!(
        instance.now().to_string(),
        "2026-01-01T12:00:43.000Z",
        "it waited as long as it was asked to"
    );
}

#[tokio::test]
async fn a_tail_without_a_cursor_waits_for_the_next_call() {
    let instance = Instance::start().await;
    let delivery = instance.log_event("e1", "w", DeliveryState::Pending);
    instance.log_call(&delivery, 200, MS);
    instance.clock.advance(Duration::from_secs(60));
    let next = instance.log_call(&delivery, 200, MS).to_string();
    let tail = instance.get(&format!("{CALLS}?wait=3")).await.body;
    assert_eq!(ids(&tail), [next]);
    let listed = instance.get(&format!("{CALLS}?limit=1")).await.body;
    let older = page(&listed, "next");
    instance.get(&format!("{CALLS}?cursor={older}&wait=3")).await.is_error(400, "InvalidQuery");
}

#[tokio::test]
async fn a_tail_does_not_hold_up_a_process_that_stops() {
    let instance = Instance::start().await;
    instance.shutdown.begin();
    let before = instance.now();
    let tail = instance.get(&format!("{CALLS}?wait=25")).await;
    assert_eq!((tail.status.as_u16(), ids(&tail.body)), (200, vec![]));
    assert_eq!(instance.now(), before, "it did not wait");
}

#[tokio::test]
async fn a_call_is_sent_again_as_the_next_generation() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let delivery = instance.log_event("e1", "w", DeliveryState::GivenUp);
    let call = instance.log_call(&delivery, 500, MS);
    let again = instance.post(&format!("{CALLS}/{call}/resend"), &json!({})).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["generation"], &again.body["state"]),
        (202, &json!(1), &json!("pending"))
    );
    let messages = instance.published();
    let [message] = messages.as_slice() else { panic!("one message") };
    assert_eq!((message.suspect, message.message.lane), (false, Lane::Fresh));
    let target = &message.message.targets[0];
    assert_eq!(
        (target.webhook.as_str(), target.generation, target.attempt, &target.window),
        ("w", 1, 1, &None)
    );
    let Carriage::Inline(content) = &message.message.event.content else {
        panic!("small contents travel along")
    };
    assert_eq!(content.data.as_str(), r#"{"z":1.50,"a":[ 2 ]}"#);
}

#[tokio::test]
async fn a_large_event_is_sent_again_by_reference_and_a_doubtful_publish_as_a_suspect() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let delivery = instance.log_event("e1", "w", DeliveryState::GivenUp);
    let large = format!("\"{}\"", "x".repeat(40_000));
    instance.store.events.lock().expect("lock")[0].event.content.data = Json::from_checked(large);
    instance.queue.refuse_publishes(1);
    let call = instance.log_call(&delivery, 500, MS);
    assert_eq!(instance.post(&format!("{CALLS}/{call}/resend"), &json!({})).await.status, 202);
    let messages = instance.published();
    assert!(messages[0].suspect);
    let Carriage::Stored(body) = &messages[0].message.event.content else {
        panic!("large contents are stored")
    };
    assert_eq!(body.day, delivery.event.day());
    assert_eq!(instance.bodies.get(body).await.expect("the body").data.as_str().len(), 40_002);
    instance.queue.refuse_publishes(2);
    let away = instance.post(&format!("{CALLS}/{call}/resend"), &json!({})).await;
    away.is_error(503, "ServiceUnavailable");
}

#[tokio::test]
async fn what_cannot_be_sent_again_says_why() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let delivery = instance.log_event("e1", "w", DeliveryState::GivenUp);
    let call = instance.log_call(&delivery, 500, MS);
    let resend = format!("{CALLS}/{call}/resend");
    instance.post(&format!("{DEFINITIONS}/w/disable"), &json!({})).await;
    let off = instance.post(&resend, &json!({})).await;
    off.is_error(409, "Conflict");
    assert!(off.text.contains("enable"), "{}", off.text);
    instance.delete(&format!("{DEFINITIONS}/w")).await;
    instance.post(&resend, &json!({})).await.is_error(404, "NotFound");
    instance
        .post(&format!("{CALLS}/0190a1b2-0000-7000-8000-000000000000/resend"), &json!({}))
        .await
        .is_error(404, "NotFound");
    let viewer = instance.token("viewer", "default").await;
    instance.call_as(&viewer, Method::POST, &resend, None).await.is_error(403, "AccessDenied");
    assert!(instance.published().is_empty());
}
