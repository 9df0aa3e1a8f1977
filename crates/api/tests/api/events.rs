//! Events: shown byte for byte, explained webhook by webhook, sent again.

use std::time::Duration;

use axum::http::Method;
use postrider_domain::delivery::DeliveryState;
use serde_json::{Value, json};

use crate::harness::Instance;

const EVENT: &str = "/spaces/default/events/e1";

#[tokio::test]
async fn an_event_is_shown_with_its_data_as_it_came() {
    let instance = Instance::start().await;
    instance.log_event("e1", "w", DeliveryState::Delivered);
    let shown = instance.get(EVENT).await;
    assert_eq!(shown.status, 200, "{}", shown.text);
    assert!(shown.text.contains(r#""data":{"z":1.50,"a":[ 2 ]}"#), "{}", shown.text);
    assert_eq!((&shown.body["type"], &shown.body["topic"]), (&json!("Entry"), &json!("Entry.publish")));
    assert_eq!(shown.body["actor"], json!({"id": "u1", "type": "User"}));
    assert_eq!(shown.body["decisions"][0]["matched"], true);
    assert_eq!(shown.body["deliveries"][0]["state"], "delivered");
    assert_eq!(shown.body["unlisted"], 2);
    let inside = instance.get("/spaces/default/environments/master/events/e1").await;
    assert_eq!(inside.text, shown.text);
    for missing in [
        "/spaces/default/environments/stage/events/e1",
        "/spaces/default/events/e2",
        "/spaces/default/events/a%20b",
    ] {
        instance.get(missing).await.is_error(404, "NotFound");
    }
}

#[tokio::test]
async fn an_explanation_names_rule_calls_and_what_is_pending() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let delivery = instance.log_event("e1", "w", DeliveryState::Pending);
    instance.log_call(&delivery, 503, Duration::from_millis(7));
    let explained = instance.get(&format!("{EVENT}/explain")).await;
    assert_eq!(explained.status, 200, "{}", explained.text);
    let webhooks = explained.body["webhooks"].as_array().expect("a list");
    assert_eq!(webhooks.len(), 2);
    let (hit, miss) = (&webhooks[0], &webhooks[1]);
    assert_eq!((&hit["id"], &hit["name"], &hit["matched"]), (&json!("w"), &json!("n"), &json!(true)));
    assert_eq!((&hit["rule"], &hit["detail"]), (&json!("topic"), &json!("topics[0] *.*")));
    let pending = &hit["deliveries"][0];
    assert_eq!(
        (&pending["state"], &pending["nextAt"]),
        (&json!("pending"), &json!("2026-01-01T12:00:05.000Z"))
    );
    assert_eq!(
        (&pending["calls"][0]["statusCode"], &pending["calls"][0]["durationMs"]),
        (&json!(503), &json!(7.0))
    );
    assert_eq!(
        (&miss["matched"], &miss["name"], &miss["deliveries"]),
        (&json!(false), &Value::Null, &json!([]))
    );
    assert_eq!((&explained.body["unlisted"], &explained.body["moreCalls"]), (&json!(2), &json!(false)));
    let inside = instance.get("/spaces/default/environments/master/events/e1/explain").await;
    assert_eq!(inside.text, explained.text);
    instance.get("/spaces/default/environments/stage/events/e1/explain").await.is_error(404, "NotFound");
    instance.get("/spaces/default/events/e9/explain").await.is_error(404, "NotFound");
}

#[tokio::test]
async fn an_event_is_sent_again_to_a_webhook_that_it_matched() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    instance.webhook("v").await;
    instance.log_event("e1", "w", DeliveryState::Delivered);
    let again = instance.post(&format!("{EVENT}/resend"), &json!({"webhook": "w"})).await;
    assert_eq!((again.status.as_u16(), &again.body["generation"]), (202, &json!(1)));
    let third = instance.post(&format!("{EVENT}/resend"), &json!({"webhook": "w"})).await;
    assert_eq!(third.body["generation"], 2);
    let unmatched = instance.post(&format!("{EVENT}/resend"), &json!({"webhook": "v"})).await;
    unmatched.is_error(404, "NotFound");
    assert!(unmatched.text.contains("did not match"), "{}", unmatched.text);
    for bad in
        [json!({}), json!({"webhook": 1}), json!({"webhook": "a b"}), json!({"webhook": "w", "now": true})]
    {
        instance.post(&format!("{EVENT}/resend"), &bad).await.is_error(422, "ValidationFailed");
    }
    instance
        .post("/spaces/default/events/e9/resend", &json!({"webhook": "w"}))
        .await
        .is_error(404, "NotFound");
    let viewer = instance.token("viewer", "default").await;
    let body = json!({"webhook": "w"});
    instance
        .call_as(&viewer, Method::POST, &format!("{EVENT}/resend"), Some(&body))
        .await
        .is_error(403, "AccessDenied");
    assert_eq!(instance.published().len(), 2);
}
