//! What a space has settled for all its webhooks.

use serde_json::json;

use crate::harness::Instance;

const SECRET: &str = "/spaces/default/webhook_settings/signing_secret";
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
