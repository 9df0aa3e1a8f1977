//! What cannot be taken is refused, every field at once, with the place and a way to mend it.

use serde_json::{Value, json};

use crate::harness::{Answer, DEFINITIONS, Instance};

/// A good webhook with some fields replaced.
fn with(changes: &Value) -> Value {
    let mut body = json!({"name": "n", "url": "https://example.com/hook", "topics": ["*.*"]});
    for (field, value) in changes.as_object().expect("an object") {
        body[field] = value.clone();
    }
    body
}

async fn refused(instance: &Instance, changes: &Value) -> Answer {
    let answer = instance.post(DEFINITIONS, &with(changes)).await;
    answer.is_error(422, "ValidationFailed");
    answer
}

#[tokio::test]
async fn every_fault_is_reported_at_once_with_its_path_and_a_fix() {
    let instance = Instance::start().await;
    let body = json!({
        "name": "", "url": "ftp://example.com", "topics": ["Entry", 7],
        "triggers": [{"type": "En try", "actions": ["pub lish"], "color": 1}],
        "filters": [{"equals": [{"doc": "sys.title"}, "x"]}, {"like": 1}],
        "headers": [{"key": "bad name", "value": "x"}, {"key": "Host", "value": "x"}, {"key": "X-A", "value": "a\r\nB: c"}, {"key": "X-B"}],
        "httpBasicUsername": "a:b", "httpBasicPassword": "pass",
        "dialect": "esperanto", "timeout": 31, "retryPolicy": {"maxAttempts": 1000},
        "coalesce": {"window": 7200}, "rateLimit": {"calls": 0}, "signing": {"secret": "short"},
        "states": [""], "active": "yes",
    });
    let answer = instance.post(DEFINITIONS, &body).await;
    answer.is_error(422, "ValidationFailed");
    let faults = answer.faults();
    let paths: Vec<&str> = faults.iter().map(|(path, _)| path.as_str()).collect();
    for path in [
        "name",
        "url",
        "topics[0]",
        "topics[1]",
        "triggers[0].type",
        "triggers[0].actions[0]",
        "triggers[0].color",
        "filters[0]",
        "filters[1]",
        "headers[0].key",
        "headers[1].key",
        "headers[2].value",
        "headers[3].value",
        "httpBasicUsername",
        "dialect",
        "timeout",
        "retryPolicy",
        "coalesce.window",
        "rateLimit.calls",
        "signing.secret",
        "states[0]",
        "active",
    ] {
        assert!(paths.contains(&path), "{path} is not among {paths:?}");
    }
    for error in answer.body["details"]["errors"].as_array().expect("a list") {
        assert!(!error["fix"].as_str().unwrap_or_default().is_empty(), "{error}");
        assert!(!error["details"].as_str().unwrap_or_default().is_empty(), "{error}");
    }
    let message = answer.body["message"].as_str().expect("a message");
    assert!(
        message.contains("native") && message.contains("cometcms"),
        "the known dialects are named: {message}"
    );
    assert_eq!(instance.get(DEFINITIONS).await.body["total"], 0);
}

#[tokio::test]
async fn missing_and_empty_topics_are_named_as_contentful_names_them() {
    let instance = Instance::start().await;
    let named = |answer: &Answer| answer.faults();
    let missing = instance.post(DEFINITIONS, &json!({"name": "n", "url": "https://example.com"})).await;
    assert_eq!(named(&missing), [("topics".to_owned(), "invalid_type".to_owned())]);
    let empty = refused(&instance, &json!({"topics": []})).await;
    assert_eq!(named(&empty), [("topics".to_owned(), "topics".to_owned())]);
    let fine =
        instance.post(DEFINITIONS, &with(&json!({"topics": [], "triggers": [{"type": "Entry"}]}))).await;
    assert_eq!(fine.status, 200, "{}", fine.text);
}

#[tokio::test]
async fn urls_that_cannot_be_called_as_shown_are_refused() {
    let instance = Instance::start().await;
    for bad in [
        json!("example.com"),
        json!(""),
        json!("https://"),
        json!("file:///etc/passwd"),
        json!("javascript:alert(1)"),
        json!("https://exa mple.com"),
        json!("https://example.com/\nx"),
        json!("https://user@example.com"),
        json!(format!("https://example.com/{}", "x".repeat(2048))),
        json!(17),
        json!(["https://example.com"]),
    ] {
        let answer = refused(&instance, &json!({"url": bad})).await;
        assert_eq!(answer.faults().first().map(|(path, _)| path.as_str()), Some("url"), "{bad}");
    }
    let answer = refused(&instance, &json!({"url": "https://user:hunter22@example.com"})).await;
    assert!(!answer.text.contains("hunter22"), "{}", answer.text);
    assert!(answer.text.contains("httpBasicUsername"), "{}", answer.text);
}

#[tokio::test]
async fn bounds_hold_on_both_sides() {
    let instance = Instance::start().await;
    let many = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
    let headers =
        |count: usize| (0..count).map(|n| json!({"key": format!("X-{n}"), "value": "v"})).collect::<Vec<_>>();
    for (good, bad) in [
        (json!({"name": "n".repeat(256)}), json!({"name": "n".repeat(257)})),
        (json!({"timeout": 1}), json!({"timeout": 0.9})),
        (json!({"timeout": 30}), json!({"timeout": 30.1})),
        (json!({"contentTypes": many(1000)}), json!({"contentTypes": many(1001)})),
        (json!({"headers": headers(50)}), json!({"headers": headers(51)})),
        (json!({"coalesce": {"window": 1}}), json!({"coalesce": {"window": 0.5}})),
        (json!({"coalesce": {"window": "1h"}}), json!({"coalesce": {"window": "61m"}})),
        (
            json!({"rateLimit": {"calls": 1, "per": "100ms"}}),
            json!({"rateLimit": {"calls": 1, "per": "99ms"}}),
        ),
        (json!({"retryPolicy": {"maxAttempts": 100}}), json!({"retryPolicy": {"maxAttempts": 101}})),
        (json!({"signing": {"secret": "x".repeat(16)}}), json!({"signing": {"secret": "x".repeat(15)}})),
    ] {
        let taken = instance.put(&format!("{DEFINITIONS}/w"), &with(&good)).await;
        assert_eq!(taken.status, 200, "{good}: {}", taken.text);
        refused(&instance, &bad).await;
    }
}

#[tokio::test]
async fn contradictions_and_slips_in_our_own_fields_are_refused() {
    let instance = Instance::start().await;
    for (bad, path) in [
        (json!({"retryPolicy": {"name": "eager"}}), "retryPolicy"),
        (json!({"retryPolicy": {"name": "none", "factor": 2}}), "retryPolicy.name"),
        (json!({"retryPolicy": {"schedule": [1], "initial": 2}}), "retryPolicy.schedule"),
        (json!({"retryPolicy": {"schedule": ["soon"]}}), "retryPolicy.schedule[0]"),
        (json!({"retryPolicy": {"schedule": null, "jitter": 0.5}}), "retryPolicy.schedule"),
        (json!({"retryPolicy": {"name": null}}), "retryPolicy.name"),
        (json!({"retryPolicy": {"retries": 3}}), "retryPolicy.retries"),
        (json!({"retryPolicy": {"on": {"statuses": [42]}}}), "retryPolicy.on.statuses[0]"),
        (json!({"coalesce": {"key": "resource"}}), "coalesce.window"),
        (json!({"coalesce": {"window": 5, "key": "space"}}), "coalesce.key"),
        (json!({"rateLimit": {"per": 1}}), "rateLimit.calls"),
        (json!({"signing": {"secrt": "x"}}), "signing.secrt"),
        (json!({"signing": {"secret": "whsec_no base64"}}), "signing.secret"),
        (json!({"signing": {"secret": "whsec_????????????????"}}), "signing.secret"),
        (json!({"signing": false, "dialect": "standard-webhooks"}), "signing"),
        (json!({"httpBasicPassword": "pass"}), "httpBasicUsername"),
        (json!({"httpBasicUsername": "user"}), "httpBasicPassword"),
        (json!({"headers": [{"key": "X", "value": "1"}, {"key": "x", "value": "2"}]}), "headers[1].key"),
        (json!({"headers": [{"key": "X", "value": "abc", "secret": true}]}), "headers[0].value"),
        (json!({"headers": ["X: y"]}), "headers[0]"),
        (json!({"transformation": {"method": "BREW"}}), "transformation.method"),
        (json!({"template": {"bodi": "x"}}), "template.bodi"),
        (json!({"options": {"concise": true}}), "options.concise"),
        (json!({"filters": [{"regexp": [{"doc": "sys.id"}, {"pattern": "("}]}]}), "filters[0]"),
        (json!({"filters": [{"not": {"not": {"equals": [{"doc": "sys.id"}, "x"]}}}]}), "filters[0]"),
    ] {
        let answer = refused(&instance, &bad).await;
        let faults = answer.faults();
        assert!(faults.iter().any(|(at, _)| at == path), "{bad}: {path} is not among {faults:?}");
    }
}
