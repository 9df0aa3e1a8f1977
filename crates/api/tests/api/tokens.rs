//! Tokens, and what each of them may do.

use axum::body::Body;
use axum::http::{Method, Request};
use postrider_ports::access::Tokens;
use serde_json::json;

use crate::harness::{DEFINITIONS, Instance};

#[tokio::test]
async fn without_a_good_token_there_is_no_answer_but_401() {
    let instance = Instance::start().await;
    let with = |value: Option<&str>| {
        let request = Request::get("/spaces");
        let request =
            value.into_iter().fold(request, |request, value| request.header("authorization", value));
        request.body(Body::empty()).expect("a request")
    };
    for bad in
        [None, Some("Bearer"), Some("Bearer "), Some("Basic dTpw"), Some("Bearer prt_wrong"), Some("prt_x")]
    {
        let answer = instance.send(with(bad)).await;
        answer.is_error(401, "AccessTokenInvalid");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let good = format!("bearer {}", instance.admin);
    assert_eq!(instance.send(with(Some(&good))).await.status, 200);
}

#[tokio::test]
async fn a_token_is_shown_once_and_stored_as_a_hash() {
    let instance = Instance::start().await;
    let body =
        json!({"name": "ci", "role": "editor", "space": "default", "expiresAt": "2026-02-01T00:00:00Z"});
    let made = instance.post("/tokens", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let token = made.body["token"].as_str().expect("a token");
    assert!(token.starts_with("prt_") && token.len() == 47, "{token}");
    assert_eq!(made.body["prefix"], token[..8]);
    let listed = instance.get("/tokens").await;
    assert_eq!(listed.body["total"], 2);
    assert!(!listed.text.contains(token));
    assert_eq!(listed.body["items"][1]["expiresAt"], "2026-02-01T00:00:00.000Z");
    let stored = format!("{:?}", Tokens::list(&*instance.sources).await.expect("the tokens"));
    assert!(!stored.contains(token));
}

#[tokio::test]
async fn a_token_ends_when_it_expires_and_when_it_is_revoked() {
    let instance = Instance::start().await;
    let body =
        json!({"name": "t", "role": "viewer", "space": "default", "expiresAt": "2026-01-01T13:00:00Z"});
    let token = instance.post("/tokens", &body).await.body["token"].as_str().expect("a token").to_owned();
    let status = async || instance.call_as(&token, Method::GET, "/spaces/default", None).await;
    assert_eq!(status().await.status, 200);
    instance.clock.advance(std::time::Duration::from_secs(3600));
    let over = status().await;
    over.is_error(401, "AccessTokenInvalid");
    assert!(over.text.contains("expired"), "{}", over.text);

    let made = instance.post("/tokens", &json!({"name": "t", "role": "viewer", "space": "*"})).await;
    let (token, id) =
        (made.body["token"].as_str().expect("a token"), made.body["sys"]["id"].as_str().expect("an id"));
    assert_eq!(instance.delete(&format!("/tokens/{id}")).await.status, 204);
    let revoked = instance.call_as(token, Method::GET, "/spaces", None).await;
    revoked.is_error(401, "AccessTokenInvalid");
    assert!(revoked.text.contains("revoked"), "{}", revoked.text);
    instance.delete("/tokens/nobody").await.is_error(404, "NotFound");
}

#[tokio::test]
async fn the_last_token_that_rules_cannot_be_revoked() {
    let instance = Instance::start().await;
    let id = instance.get("/tokens").await.body["items"][0]["sys"]["id"].as_str().expect("an id").to_owned();
    instance.delete(&format!("/tokens/{id}")).await.is_error(409, "Conflict");
    instance.token("admin", "*").await;
    assert_eq!(instance.delete(&format!("/tokens/{id}")).await.status, 204);
}

#[tokio::test]
async fn a_token_that_cannot_be_made_is_refused_field_by_field() {
    let instance = Instance::start().await;
    let none = instance.post("/tokens", &json!({})).await;
    none.is_error(422, "ValidationFailed");
    let paths: Vec<_> = none.faults().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["name", "role", "space"]);
    let bad = json!({"name": "n", "role": "king", "space": "a.b", "expiresAt": "soon", "color": 1});
    let bad = instance.post("/tokens", &bad).await;
    let paths: Vec<_> = bad.faults().into_iter().map(|(path, _)| path).collect();
    assert_eq!(paths, ["role", "space", "expiresAt", "color"]);
    let past = json!({"name": "n", "role": "viewer", "space": "*", "expiresAt": "2025-01-01T00:00:00Z"});
    instance.post("/tokens", &past).await.is_error(422, "ValidationFailed");
    let nowhere = json!({"name": "n", "role": "viewer", "space": "nowhere"});
    instance.post("/tokens", &nowhere).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_role_allows_what_it_bundles_and_nothing_else() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let hook = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"]});
    let one = format!("{DEFINITIONS}/w");
    let asks = [
        (Method::GET, one.clone(), "viewer editor admin"),
        (Method::GET, DEFINITIONS.to_owned(), "viewer editor admin"),
        (Method::GET, "/spaces/default/calls".to_owned(), "viewer editor admin"),
        (Method::GET, "/spaces/default/deliveries".to_owned(), "viewer editor admin"),
        (Method::GET, "/spaces/default/balance".to_owned(), "viewer editor admin"),
        (Method::GET, "/spaces/default/webhooks/w/calls".to_owned(), "viewer editor admin"),
        (Method::GET, "/spaces/default/webhooks/w/health".to_owned(), "viewer editor admin"),
        (Method::GET, "/spaces/default".to_owned(), "viewer editor admin publisher"),
        (Method::PUT, one.clone(), "editor admin"),
        (Method::POST, format!("{one}/test"), "editor admin"),
        (Method::POST, format!("{one}/disable"), "editor admin"),
        (Method::POST, format!("{one}/enable"), "editor admin"),
        (Method::GET, "/tokens".to_owned(), "admin"),
        (Method::PUT, "/spaces/default/environments/stage".to_owned(), "admin"),
        (Method::POST, DEFINITIONS.to_owned(), "editor admin"),
    ];
    for role in ["viewer", "publisher", "editor", "admin"] {
        let token = instance.token(role, "default").await;
        for (method, path, allowed) in &asks {
            let body = (*method != Method::GET).then_some(&hook);
            let answer = instance.call_as(&token, method.clone(), path, body).await;
            if allowed.split(' ').any(|one| one == role) {
                assert!(answer.status.is_success(), "{role} {method} {path}: {}", answer.text);
            } else {
                answer.is_error(403, "AccessDenied");
                assert!(answer.text.contains("permission"), "{}", answer.text);
            }
        }
    }
}

#[tokio::test]
async fn a_token_of_one_space_sees_no_other() {
    let instance = Instance::start().await;
    instance.put("/spaces/other", &json!({"name": "Other"})).await;
    let token = instance.token("admin", "other").await;
    let hidden = instance.call_as(&token, Method::GET, DEFINITIONS, None).await;
    let missing = instance.call_as(&token, Method::GET, "/spaces/nowhere/webhook_definitions", None).await;
    hidden.is_error(404, "NotFound");
    missing.is_error(404, "NotFound");
    let text =
        |answer: &crate::harness::Answer| answer.body["message"].as_str().expect("a message").to_owned();
    assert_eq!(text(&hidden).replace("default", "?"), text(&missing).replace("nowhere", "?"));
    let spaces = instance.call_as(&token, Method::GET, "/spaces", None).await;
    assert_eq!((&spaces.body["total"], &spaces.body["items"][0]["sys"]["id"]), (&json!(1), &json!("other")));
    // It manages the tokens of its space, not those of the instance, and rules nothing beyond.
    let tokens = instance.call_as(&token, Method::GET, "/tokens", None).await;
    assert_eq!(tokens.body["total"], 1);
    let wide = json!({"name": "n", "role": "viewer", "space": "*"});
    instance.call_as(&token, Method::POST, "/tokens", Some(&wide)).await.is_error(403, "AccessDenied");
    instance
        .call_as(&token, Method::PUT, "/spaces/third", Some(&json!({})))
        .await
        .is_error(403, "AccessDenied");
}
