//! Secrets go in, are kept when they are not given again, sign, rotate, and never come out.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};

use crate::harness::{DEFINITIONS, Instance};

const PLANTED: [&str; 3] = ["planted-header-value", "planted-password", "planted-signing-secret"];

fn guarded() -> Value {
    json!({
        "name": "n", "url": "https://example.com/hook", "topics": ["*.*"], "dialect": "standard-webhooks",
        "headers": [{"key": "X-Key", "value": PLANTED[0], "secret": true}, {"key": "X-Open", "value": "open"}],
        "httpBasicUsername": "user", "httpBasicPassword": PLANTED[1], "signing": {"secret": PLANTED[2]},
    })
}

#[tokio::test]
async fn no_answer_ever_shows_a_secret_that_was_given() {
    let instance = Instance::start().await;
    let one = format!("{DEFINITIONS}/w");
    let mut answers = vec![instance.put(&one, &guarded()).await];
    assert_eq!(answers[0].body["headers"][0], json!({"key": "X-Key", "secret": true}));
    assert_eq!(answers[0].body["httpBasicUsername"], "user");
    let mut faulty = guarded();
    faulty["name"] = json!("");
    faulty["headers"][0]["value"] = json!(format!("{}\n", PLANTED[0]));
    faulty["httpBasicPassword"] = json!(format!("{}\u{7}", PLANTED[1]));
    faulty["signing"]["secret"] = json!(format!("{} with blank", PLANTED[2]));
    answers.push(instance.put(&one, &faulty).await);
    assert_eq!(answers[1].status, 422);
    for path in ["", "/w"] {
        answers.push(instance.get(&format!("{DEFINITIONS}{path}")).await);
    }
    for action in ["test", "disable", "enable", "signing_secret"] {
        answers.push(instance.post(&format!("{one}/{action}"), &json!({})).await);
    }
    for answer in &answers {
        for secret in PLANTED {
            assert!(!answer.text.contains(secret), "{}", answer.text);
        }
        assert!(!answer.text.contains("v1."), "not even sealed: {}", answer.text);
    }
    // The test itself did use them.
    let sent = instance.sender.sent();
    assert!(sent[0].headers.iter().any(|(_, value)| value == PLANTED[0]));
}

#[tokio::test]
async fn secrets_that_are_not_given_again_stay() {
    let instance = Instance::start().await;
    let one = format!("{DEFINITIONS}/w");
    instance.put(&one, &guarded()).await;
    let shown = instance.get(&one).await.body;
    let again = instance.put(&one, &shown).await;
    assert_eq!(again.status, 200, "{}", again.text);
    assert!(again.body["signing"]["secret"].is_null(), "nothing new was drawn");
    instance.post(&format!("{one}/test"), &json!({})).await;
    let sent = instance.sender.sent();
    let values: Vec<&str> = sent[0].headers.iter().map(|(_, value)| value.as_str()).collect();
    assert!(values.contains(&PLANTED[0]));
    // user:planted-password
    assert!(values.contains(&"Basic dXNlcjpwbGFudGVkLXBhc3N3b3Jk"), "{values:?}");
    // A secret header cannot be turned into an open one without its value.
    let mut opened = shown.clone();
    opened["headers"][0] = json!({"key": "X-Key"});
    instance.put(&one, &opened).await.is_error(422, "ValidationFailed");
    // Both gone: no basic authentication any more.
    let mut without = shown;
    without["httpBasicUsername"] = Value::Null;
    let answer = instance.put(&one, &without).await;
    assert!(answer.body.get("httpBasicUsername").is_none(), "{}", answer.text);
}

#[tokio::test]
async fn a_drawn_signing_secret_is_shown_once_in_the_form_of_its_dialect() {
    let instance = Instance::start().await;
    for (id, dialect) in [("a", "native"), ("b", "standard-webhooks"), ("c", "cometcms")] {
        let one = format!("{DEFINITIONS}/{id}");
        let body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"], "dialect": dialect, "signing": true});
        let made = instance.put(&one, &body).await;
        let secret = made.body["signing"]["secret"].as_str().expect("a secret").to_owned();
        if dialect == "cometcms" {
            assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
        } else {
            assert!(secret.starts_with("whsec_") && secret.len() == 50, "{secret}");
        }
        let shown = instance.get(&one).await;
        assert!(!shown.text.contains(&secret));
        assert_eq!(shown.body["signing"]["secrets"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test]
async fn rotation_lets_the_old_secret_sign_until_the_overlap_is_over() {
    let instance = Instance::start().await;
    let one = format!("{DEFINITIONS}/w");
    instance.put(&one, &guarded()).await;
    let rotated = instance.post(&format!("{one}/signing_secret"), &json!({"overlap": "1h"})).await;
    assert_eq!(rotated.status, 200, "{}", rotated.text);
    let drawn = rotated.body["signing"]["secret"].as_str().expect("a secret");
    assert!(drawn.starts_with("whsec_"));
    let secrets = rotated.body["signing"]["secrets"].as_array().expect("a list").clone();
    assert_eq!(secrets.len(), 2);
    assert!(secrets[0].get("expiresAt").is_none());
    assert_eq!(secrets[1]["expiresAt"], "2026-01-01T13:00:00.000Z");
    let signatures = async || {
        instance.post(&format!("{one}/test"), &json!({})).await;
        let sent = instance.sender.sent();
        let headers = &sent.last().expect("a request").headers;
        let found = headers.iter().find(|(name, _)| name == "webhook-signature");
        found.map(|(_, value)| value.split(' ').count()).unwrap_or_default()
    };
    assert_eq!(signatures().await, 2);
    instance.clock.advance(Duration::from_secs(3600));
    assert_eq!(signatures().await, 1);
    // A given one is not shown, and without overlap counts alone.
    let given =
        instance.post(&format!("{one}/signing_secret"), &json!({"secret": PLANTED[2], "overlap": 0})).await;
    assert!(given.body["signing"].get("secret").is_none(), "{}", given.text);
    assert_eq!(given.body["signing"]["secrets"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn a_rotation_that_cannot_be_is_refused() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let path = format!("{DEFINITIONS}/w/signing_secret");
    for bad in [
        json!({"overlap": "31d"}),
        json!({"overlap": "soon"}),
        json!({"secret": "x"}),
        json!({"secrets": []}),
    ] {
        instance.post(&path, &bad).await.is_error(422, "ValidationFailed");
    }
    instance
        .post(&format!("{DEFINITIONS}/nobody/signing_secret"), &json!({}))
        .await
        .is_error(404, "NotFound");
    let viewer = instance.token("viewer", "default").await;
    instance.call_as(&viewer, Method::POST, &path, None).await.is_error(403, "AccessDenied");
}
