//! What a webhook would do: previews of events that are given, stored or made up, of webhooks that are saved or not.

use axum::body::Body;
use axum::http::Request;
use postrider_domain::delivery::DeliveryState;
use serde_json::{Value, json};

use crate::harness::{DEFINITIONS, Instance};

fn secretive() -> Value {
    json!({"name": "n", "url": "https://example.com/hook", "topics": ["Entry.publish"], "signing": true,
        "headers": [{"key": "X-Key", "value": "hidden-value", "secret": true}]})
}

#[tokio::test]
async fn a_preview_says_what_decides_and_what_would_be_sent_without_secrets() {
    let instance = Instance::start().await;
    assert_eq!(instance.put(&format!("{DEFINITIONS}/w"), &secretive()).await.status, 200);
    let path = format!("{DEFINITIONS}/w/preview");
    let event =
        json!({"type": "Entry", "action": "publish", "resource": {"id": "5KsD"}, "data": {"a": 1.50}});
    let preview = instance.post(&path, &json!({"event": event})).await;
    assert_eq!(preview.status, 200, "{}", preview.text);
    assert_eq!(preview.body["decision"]["matched"], true);
    assert_eq!(preview.body["request"]["headers"]["X-Key"], "•••");
    assert_eq!(preview.body["request"]["headers"]["webhook-signature"], "•••");
    assert!(preview.body["request"]["body"].as_str().expect("a body").contains("5KsD"), "{}", preview.text);
    assert!(!preview.text.contains("hidden-value"), "{}", preview.text);
    assert_eq!(instance.sender.sent().len(), 0, "nothing is sent");

    let other = json!({"event": {"type": "Asset", "action": "publish", "resource": {"id": "a"}}});
    let passed = instance.post(&path, &other).await;
    assert_eq!(
        (&passed.body["decision"]["matched"], &passed.body["decision"]["rule"]),
        (&json!(false), &json!("topic"))
    );
    assert!(passed.body["request"].is_object(), "it is shown all the same: {}", passed.text);
    instance.log_event("e", "w", DeliveryState::Delivered);
    assert_eq!(instance.post(&path, &json!({"eventId": "e"})).await.body["decision"]["matched"], true);
    instance.post(&path, &json!({"eventId": "gone"})).await.is_error(404, "NotFound");
    assert_eq!(instance.post(&path, &json!({})).await.body["decision"]["matched"], true, "the sample");
}

#[tokio::test]
async fn what_is_wrong_with_a_preview_is_said_with_its_path() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let path = format!("{DEFINITIONS}/w/preview");
    let both = instance.post(&path, &json!({"event": {}, "eventId": "e"})).await;
    assert_eq!(both.faults(), [("eventId".to_owned(), "format".to_owned())]);
    let broken = instance.post(&path, &json!({"event": {"type": "Entry", "resource": {"id": "a"}}})).await;
    assert_eq!(broken.faults(), [("event.action".to_owned(), "format".to_owned())], "{}", broken.text);
    let odd = instance.post(&path, &json!({"evnt": {}})).await;
    assert_eq!(odd.faults(), [("evnt".to_owned(), "unknown".to_owned())]);

    let drafts = format!("{DEFINITIONS}/preview");
    instance.post(&drafts, &json!({})).await.is_error(422, "ValidationFailed");
    let refused = instance.post(&drafts, &json!({"webhook": {"name": "n", "topics": ["*.*"]}})).await;
    assert_eq!(refused.faults(), [("url".to_owned(), "required".to_owned())]);
    let mut draft = secretive();
    draft["odd"] = json!(1);
    let preview = instance.post(&drafts, &json!({"webhook": draft})).await;
    assert_eq!(preview.status, 200, "{}", preview.text);
    assert_eq!(preview.warnings(), ["199 postrider \"ignored: odd\""]);
    assert_eq!(instance.get(DEFINITIONS).await.body["total"], 1, "it is not saved");
}

#[tokio::test]
async fn a_spaces_public_key_is_there_for_everybody_once_a_webhook_needs_it() {
    let instance = Instance::start().await;
    let get = async || {
        let request = Request::get("/spaces/default/.well-known/public-keys.json").body(Body::empty());
        instance.send(request.expect("a request")).await
    };
    get().await.is_error(404, "NotFound");
    let webhook =
        json!({"name": "n", "url": "https://example.com", "topics": ["*.*"], "dialect": "contentstack"});
    assert_eq!(instance.post(DEFINITIONS, &webhook).await.status, 200);
    let key = get().await;
    assert_eq!(
        (key.status.as_u16(), &key.headers["content-type"]),
        (200, &"application/json".parse().expect("a value"))
    );
    assert!(key.text.contains("BEGIN RSA PUBLIC KEY") && !key.text.contains("PRIVATE"), "{}", key.text);
}

#[tokio::test]
async fn the_page_of_the_reference_may_load_its_stylesheet_and_nothing_else() {
    let instance = Instance::start().await;
    let get =
        async |path: &str| instance.send(Request::get(path).body(Body::empty()).expect("a request")).await;
    let page = get("/docs").await;
    assert_eq!(page.status, 200);
    let policy = page.headers["content-security-policy"].to_str().expect("ASCII");
    assert!(policy.starts_with("default-src 'none'; style-src 'self';"), "{policy}");
    assert!(page.text.contains("id=\"putWebhook\""));
    assert_eq!(get("/docs/style.css").await.headers["content-type"], "text/css; charset=utf-8");
    assert_eq!(get("/openapi.json").await.body, postrider_api::document());
}

#[tokio::test]
async fn too_many_guesses_from_one_address_have_to_wait() {
    let instance = Instance::start().await;
    let guess = async |n: u32| {
        let peer: std::net::SocketAddr = "192.0.2.1:4000".parse().expect("an address");
        let request = Request::get("/users/me")
            .header("authorization", format!("Bearer prt_guess{n}"))
            .extension(axum::extract::ConnectInfo(peer));
        instance.send(request.body(Body::empty()).expect("a request")).await
    };
    for n in 0..20 {
        guess(n).await.is_error(401, "AccessTokenInvalid");
    }
    let throttled = guess(20).await;
    throttled.is_error(429, "RateLimitExceeded");
    for name in ["retry-after", "x-contentful-ratelimit-reset"] {
        let seconds: u64 = throttled.headers[name].to_str().expect("ASCII").parse().expect("a number");
        assert!((1..=3).contains(&seconds), "{name}: {seconds}");
    }
    let me = instance.get("/users/me").await;
    assert_eq!((&me.body["sys"]["type"], &me.body["role"]), (&json!("User"), &json!("admin")), "{}", me.text);
}
