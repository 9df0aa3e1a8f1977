//! What a space has settled for all its webhooks.

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::Instance;

const SECRET: &str = "/spaces/default/webhook_settings/signing_secret";
const CONSTANTS: &str = "/spaces/default/webhook_settings/constants";
const POLICY: &str = "/spaces/default/webhook_settings/retry_policy";

#[tokio::test]
async fn a_spaces_signing_secret_is_set_shown_by_its_end_and_taken_away() {
    let instance = Instance::start().await;
    instance.get(SECRET).await.is_error(404, "NotFound");
    let value = format!("{}-end", "s3cr3t".repeat(10));
    let set = instance.put(SECRET, &json!({"value": value, "sys": {}, "odd": 1})).await;
    assert_eq!((set.status.as_u16(), &set.body["redactedValue"]), (200, &json!("-end")));
    assert_eq!(set.warnings(), ["199 postrider \"ignored: odd\""]);
    let shown = instance.get(SECRET).await;
    assert_eq!(shown.body, set.body);
    assert!(!shown.text.contains("s3cr3t"), "{}", shown.text);
    let refused = instance.put(SECRET, &json!({"value": "short"})).await;
    refused.is_error(422, "ValidationFailed");
    assert_eq!(refused.faults(), [("value".to_owned(), "format".to_owned())]);
    instance.put(SECRET, &json!({})).await.is_error(422, "ValidationFailed");
    assert_eq!(instance.delete(SECRET).await.status, 204);
    instance.delete(SECRET).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_spaces_retry_policy_is_set_within_its_bounds_and_taken_away() {
    let instance = Instance::start().await;
    instance.get(POLICY).await.is_error(404, "NotFound");
    assert_eq!(instance.put(POLICY, &json!({"maxRetries": 99})).await.body["maxRetries"], 99);
    assert_eq!(instance.get(POLICY).await.body["maxRetries"], 99);
    for bad in [json!({"maxRetries": 1}), json!({"maxRetries": 100}), json!({"maxRetries": "5"}), json!({})] {
        instance.put(POLICY, &bad).await.is_error(422, "ValidationFailed");
    }
    assert_eq!(instance.delete(POLICY).await.status, 204);
    instance.delete(POLICY).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_spaces_constants_are_set_all_together_and_taken_away() {
    let instance = Instance::start().await;
    let none = json!({"api_key": null, "site_id": null, "project": null});
    let said = |body: &Value| {
        let mut said = body.clone();
        said.as_object_mut().expect("an object").remove("sys");
        said
    };
    assert_eq!(said(&instance.get(CONSTANTS).await.body), none);
    let set = json!({"api_key": "blt02f7b45378b008ee", "site_id": "205", "project": "Shöp"});
    let answer = instance.put(CONSTANTS, &set).await;
    assert_eq!((answer.status.as_u16(), said(&answer.body)), (200, set));
    assert_eq!(answer.body["sys"]["type"], "WebhookConstants");
    assert_eq!(instance.get(CONSTANTS).await.body, answer.body);
    // What was read can be put back; what is not given goes.
    assert_eq!(instance.put(CONSTANTS, &answer.body).await.body, answer.body);
    let only = instance.put(CONSTANTS, &json!({"site_id": "206"})).await;
    assert_eq!(said(&only.body), json!({"api_key": null, "site_id": "206", "project": null}));
    for _ in 0..2 {
        assert_eq!(instance.delete(CONSTANTS).await.status, 204);
        assert_eq!(said(&instance.get(CONSTANTS).await.body), none);
    }
}

#[tokio::test]
async fn every_fault_of_constants_is_told_at_once_and_changes_nothing() {
    let instance = Instance::start().await;
    let bad = json!({"api_key": " ", "site_id": "x".repeat(129), "project": "a\nb"});
    let refused = instance.put(CONSTANTS, &bad).await;
    refused.is_error(422, "ValidationFailed");
    let fault = |path: &str, name: &str| (path.to_owned(), name.to_owned());
    assert_eq!(
        refused.faults(),
        [fault("api_key", "size"), fault("site_id", "size"), fault("project", "format")]
    );
    let refused = instance.put(CONSTANTS, &json!({"site_id": 205, "siteId": "205"})).await;
    assert_eq!(refused.faults(), [fault("site_id", "type"), fault("siteId", "unknown")]);
    // A body that got lost on the way is no wish to have no constants.
    instance.put(CONSTANTS, &json!({"site_id": "206"})).await;
    instance.call_as(&instance.admin, Method::PUT, CONSTANTS, None).await.is_error(400, "BadRequest");
    assert_eq!(instance.get(CONSTANTS).await.body["site_id"], "206");
    instance.delete(CONSTANTS).await;
    assert!(instance.get(CONSTANTS).await.body["site_id"].is_null());
}
