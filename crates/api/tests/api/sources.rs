//! Sources.

use axum::http::Method;
use postrider_domain::id::{SourceId, SpaceId};
use postrider_ports::sources::Sources;
use serde_json::{Value, json};

use crate::harness::Instance;

const SOURCES: &str = "/spaces/default/sources";

async fn stored(instance: &Instance, id: &str) -> String {
    let (space, id) = (SpaceId::new("default").expect("an id"), SourceId::new(id).expect("an id"));
    let source = instance.sources.source(&space, &id).await.expect("read").expect("there");
    source.secret.as_str().to_owned()
}

#[tokio::test]
async fn a_drawn_secret_is_shown_once_and_kept_sealed() {
    let instance = Instance::start().await;
    let made = instance.post(SOURCES, &json!({"name": "Blog CMS", "dialect": "cometcms"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.body["sys"]["id"].as_str().expect("an id").to_owned();
    let secret = made.body["secret"].as_str().expect("a secret");
    assert_eq!(secret.len(), 64);
    assert_eq!(made.body["sys"]["type"], "Source");
    assert_eq!(made.body["path"], format!("/spaces/default/environments/master/sources/{id}"));
    assert_eq!(made.headers["location"], format!("{SOURCES}/{id}"));
    assert!(!stored(&instance, &id).await.contains(secret));
    let shown = instance.get(&format!("{SOURCES}/{id}")).await;
    assert_eq!(shown.body["name"], "Blog CMS");
    let listed = instance.get(SOURCES).await;
    assert_eq!((listed.body["total"].as_u64(), &listed.body["items"][0]), (Some(1), &shown.body));
    assert!(!shown.text.contains(secret) && shown.body.get("secret").is_none());
}

#[tokio::test]
async fn a_source_is_made_and_changed_under_a_given_id_and_keeps_its_secret_unless_told() {
    let instance = Instance::start().await;
    let path = format!("{SOURCES}/cms-1");
    let given =
        json!({"name": "One", "dialect": "cometcms", "secret": "sixteen characters".replace(' ', "-")});
    let made = instance.put(&path, &given).await;
    assert_eq!((made.status.as_u16(), made.body.get("secret")), (201, None), "{}", made.text);
    let first = stored(&instance, "cms-1").await;

    instance.clock.advance(std::time::Duration::from_secs(60));
    let mut changed = instance.get(&path).await.body;
    changed["name"] = json!("Two");
    let put = instance.put(&path, &changed).await;
    assert_eq!((put.status.as_u16(), &put.body["name"]), (200, &json!("Two")), "{}", put.text);
    assert_eq!(put.body["sys"]["createdAt"], "2026-01-01T12:00:00.000Z");
    assert_eq!(put.body["sys"]["updatedAt"], "2026-01-01T12:01:00.000Z");
    assert_eq!(stored(&instance, "cms-1").await, first);

    changed["secret"] = json!("another-long-secret");
    instance.put(&path, &changed).await;
    assert_ne!(stored(&instance, "cms-1").await, first);

    assert_eq!(instance.delete(&path).await.status, 204);
    instance.delete(&path).await.is_error(404, "NotFound");
    instance.get(&path).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn every_fault_is_named_and_no_secret_is_repeated() {
    let instance = Instance::start().await;
    let bad = json!({"name": " ", "dialect": "cloudevents", "secret": "tooshort"});
    let refused = instance.post(SOURCES, &bad).await;
    refused.is_error(422, "ValidationFailed");
    for word in ["name", "dialect", "native, standard-webhooks, cometcms", "secret"] {
        assert!(refused.text.contains(word), "{word}: {}", refused.text);
    }
    assert!(!refused.text.contains("tooshort"));
    instance.post(SOURCES, &json!({"nam": "x", "dialect": 7})).await.is_error(422, "ValidationFailed");
    assert_eq!(instance.get(SOURCES).await.body["items"], Value::Array(Vec::new()));
}

#[tokio::test]
async fn sources_need_the_right_to_manage_integrations() {
    let instance = Instance::start().await;
    let body = json!({"name": "CMS", "dialect": "native"});
    for role in ["viewer", "publisher"] {
        let token = instance.token(role, "default").await;
        instance.call_as(&token, Method::GET, SOURCES, None).await.is_error(403, "AccessDenied");
        instance.call_as(&token, Method::POST, SOURCES, Some(&body)).await.is_error(403, "AccessDenied");
    }
    let editor = instance.token("editor", "default").await;
    assert_eq!(instance.call_as(&editor, Method::POST, SOURCES, Some(&body)).await.status, 201);
    let elsewhere = instance.call_as(&editor, Method::GET, "/spaces/other/sources", None).await;
    elsewhere.is_error(404, "NotFound");
}
