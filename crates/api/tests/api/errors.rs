//! Requests that are wrong as such: paths, methods, bodies, and a store that is away.

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::json;

use crate::harness::{Answer, DEFINITIONS, Instance};

async fn post_raw(instance: &Instance, content_type: Option<&str>, body: impl Into<Body>) -> Answer {
    let request = Request::post(DEFINITIONS).header("authorization", format!("Bearer {}", instance.admin));
    let request =
        content_type.into_iter().fold(request, |request, value| request.header("content-type", value));
    instance.send(request.body(body.into()).expect("a request")).await
}

#[tokio::test]
async fn unknown_paths_and_methods_are_json_errors_too() {
    let instance = Instance::start().await;
    instance.get("/nothing/here").await.is_error(404, "NotFound");
    let wrong = instance.call_as(&instance.admin, Method::PATCH, DEFINITIONS, None).await;
    wrong.is_error(405, "MethodNotAllowed");
    assert!(wrong.headers["allow"].to_str().expect("ASCII").contains("POST"));
    let odd = instance.get("/spaces/%ff").await;
    assert_eq!(odd.status, 400);
    assert_eq!(odd.body["sys"]["type"], "Error");
}

#[tokio::test]
async fn bodies_that_cannot_be_read_say_why() {
    let instance = Instance::start().await;
    let json = Some("application/json");
    let broken = post_raw(&instance, json, "{\"name\": }").await;
    broken.is_error(400, "BadRequest");
    assert!(broken.text.contains("line 1"), "{}", broken.text);
    post_raw(&instance, json, "[1]").await.is_error(400, "BadRequest");
    post_raw(&instance, json, "\"text\"").await.is_error(400, "BadRequest");
    post_raw(&instance, json, vec![b'{', b'"', 0xff, b'"', b'}']).await.is_error(400, "BadRequest");
    post_raw(&instance, json, "[".repeat(100_000)).await.is_error(400, "BadRequest");
    post_raw(&instance, json, format!("{{\"name\":\"{}\"}}", "x".repeat(300_000)))
        .await
        .is_error(413, "PayloadTooLarge");
    let form = post_raw(&instance, Some("application/x-www-form-urlencoded"), "{}").await;
    form.is_error(415, "UnsupportedMediaType");
    assert!(form.text.contains("application/json"), "{}", form.text);
    post_raw(&instance, json, "").await.is_error(422, "ValidationFailed");
}

#[tokio::test]
async fn both_media_types_and_none_are_taken() {
    let instance = Instance::start().await;
    let body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"]}).to_string();
    for kind in [
        None,
        Some("application/json; charset=utf-8"),
        Some("application/vnd.contentful.management.v1+json"),
        Some("Application/JSON"),
    ] {
        assert_eq!(post_raw(&instance, kind, body.clone()).await.status, 200, "{kind:?}");
    }
}

#[tokio::test]
async fn a_store_that_is_away_is_a_503_that_tells_nothing_of_the_inside() {
    let instance = Instance::start().await;
    *instance.store.away.lock().expect("lock") = true;
    let away = instance.get(DEFINITIONS).await;
    away.is_error(503, "ServiceUnavailable");
    assert_eq!(away.headers["retry-after"], "2");
    assert!(!away.text.contains("/var/lib"), "{}", away.text);
}

#[tokio::test]
async fn every_answer_has_its_own_request_id() {
    let instance = Instance::start().await;
    let id = |answer: &Answer| answer.headers["x-contentful-request-id"].to_str().expect("ASCII").to_owned();
    let (first, second) = (instance.get("/spaces").await, instance.get("/spaces").await);
    assert_ne!(id(&first), id(&second));
}
