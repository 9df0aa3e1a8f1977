//! What users of Contentful's API expect of webhooks: its dialect, warnings for what is ignored, pages, versions.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::harness::{Answer, DEFINITIONS, Instance};
use crate::webhooks::put_at;

#[tokio::test]
async fn who_speaks_contentfuls_media_type_gets_its_dialect_unless_another_is_named_or_there() {
    let instance = Instance::start().await;
    let body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"]});
    let put = async |id: &str, media: &str, body: &Value| {
        let request = Request::put(format!("{DEFINITIONS}/{id}"))
            .header("authorization", format!("Bearer {}", instance.admin))
            .header("content-type", media);
        let sent = request.body(Body::from(body.to_string())).expect("a request");
        instance.send(sent).await.body["dialect"].clone()
    };
    let (theirs, ours) = ("application/vnd.contentful.management.v1+json", "application/json");
    assert_eq!(put("a", theirs, &body).await, "contentful");
    assert_eq!(put("b", ours, &body).await, "native");
    assert_eq!(put("b", theirs, &body).await, "native", "it keeps what it has");
    assert_eq!(put("a", ours, &body).await, "contentful", "it keeps what it has");
    let mut named = body.clone();
    named["dialect"] = json!("datocms");
    assert_eq!(put("a", theirs, &named).await, "datocms");
}

#[tokio::test]
async fn transformations_templates_and_options_come_back_as_given() {
    let instance = Instance::start().await;
    let transformation = json!({"method": "PUT", "contentType": "application/json", "includeContentLength": true,
        "body": {"entry": "{ /payload/sys/id }"}});
    let body = json!({"name": "n", "url": "https://example.com/{ /payload/sys/id }", "topics": ["*.*"],
        "dialect": "contentful", "transformation": transformation});
    let made = instance.post(DEFINITIONS, &body).await;
    assert_eq!((made.status.as_u16(), &made.body["transformation"]), (200, &transformation), "{}", made.text);
    let template = json!({"body": "{\"id\": \"{{entity.id}}\"}", "escape": "json"});
    let body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"], "dialect": "datocms",
        "template": template, "options": {"payloadApiVersion": "3"}});
    let made = instance.post(DEFINITIONS, &body).await;
    assert_eq!((made.status.as_u16(), &made.body["template"]), (200, &template), "{}", made.text);
    assert_eq!(made.body["options"], json!({"payloadApiVersion": "3"}));
}

#[tokio::test]
async fn what_contentful_may_define_is_ignored_with_a_warning_at_any_depth() {
    let instance = Instance::start().await;
    let body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"], "newField": 1,
        "headers": [{"key": "X-A", "value": "1", "odd": true}], "transformation": {"method": "POST", "rest": {}}});
    let made = instance.post(DEFINITIONS, &body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let wanted = ["headers[0].odd", "transformation.rest", "newField"];
    let mut warnings = made.warnings();
    warnings.sort();
    let mut wanted = wanted.map(|path| format!("199 postrider \"ignored: {path}\""));
    wanted.sort();
    assert_eq!(warnings, wanted);
    let many: serde_json::Map<String, Value> = (0..500).map(|n| (format!("odd{n}"), json!(1))).collect();
    let mut body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"]});
    body.as_object_mut().expect("an object").extend(many);
    assert_eq!(instance.post(DEFINITIONS, &body).await.warnings().len(), 10, "each is a header");
    let listed = instance.get(&format!("{DEFINITIONS}?content_type=x&limit=1")).await;
    assert_eq!(listed.warnings(), ["199 postrider \"ignored: the query parameter content_type\""]);
}

#[tokio::test]
async fn a_cursor_leads_through_all_webhooks_while_others_come_and_go() {
    let instance = Instance::start().await;
    for id in ["a", "b", "c", "d"] {
        instance.webhook(id).await;
        instance.clock.advance(Duration::from_millis(1));
    }
    let ids = |answer: &Answer| {
        let items = answer.body["items"].as_array().expect("items").clone();
        items.iter().map(|one| one["sys"]["id"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    let next = |answer: &Answer| answer.body["pages"]["next"].as_str().map(str::to_owned);
    let page = async |cursor: String| instance.get(&format!("{DEFINITIONS}?limit=2&cursor={cursor}")).await;
    let first = instance.get(&format!("{DEFINITIONS}?limit=2")).await;
    assert_eq!(ids(&first), ["d", "c"]);
    let cursor = next(&first).expect("more");
    assert_eq!(ids(&page(cursor.clone()).await), ["b", "a"], "nothing changed");
    instance.webhook("e").await;
    let second = page(cursor.clone()).await;
    assert_eq!((ids(&second), next(&second)), (vec!["b".to_owned(), "a".to_owned()], None), "one came");
    assert_eq!(instance.delete(&format!("{DEFINITIONS}/c")).await.status, 204);
    assert_eq!(ids(&page(cursor.clone()).await), ["b", "a"], "the last one shown went");
    instance.get(&format!("{DEFINITIONS}?cursor=x")).await.is_error(400, "InvalidQuery");
    instance.get(&format!("{DEFINITIONS}?order=name&cursor={cursor}")).await.is_error(400, "InvalidQuery");
}

#[tokio::test]
async fn a_put_with_an_id_makes_once_and_a_stale_version_revives_nothing() {
    let instance = Instance::start().await;
    let body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"]});
    let first = put_at(&instance, "w", 0, &body).await;
    assert_eq!((first.status.as_u16(), &first.body["sys"]["version"]), (200, &json!(0)));
    assert!(first.headers.contains_key("location"));
    let again = instance.put(&format!("{DEFINITIONS}/w"), &body).await;
    assert_eq!((again.status.as_u16(), &again.body["sys"]["version"]), (200, &json!(1)), "the same webhook");
    assert!(!again.headers.contains_key("location"));
    assert_eq!(instance.get(DEFINITIONS).await.body["total"], 1);
    let stale = put_at(&instance, "w", 0, &body).await;
    stale.is_error(409, "VersionMismatch");
    assert_eq!(stale.body["details"], json!({"expected": 0, "current": 1}));
    assert_eq!(instance.delete(&format!("{DEFINITIONS}/w")).await.status, 204);
    put_at(&instance, "w", 1, &body).await.is_error(404, "NotFound");
    assert_eq!(
        put_at(&instance, "w", 0, &body).await.body["sys"]["version"],
        0,
        "0 makes it, as Contentful's client asks"
    );
}

#[tokio::test]
async fn what_is_not_saved_yet_is_previewed_too() {
    let instance = Instance::start().await;
    let draft = json!({"name": "n", "url": "https://example.com", "topics": ["Asset.*"]});
    let path = format!("{DEFINITIONS}/preview");
    let looked = instance.post(&path, &json!({"webhook": draft})).await;
    assert_eq!(
        (looked.status.as_u16(), &looked.body["decision"]["matched"]),
        (200, &json!(false)),
        "{}",
        looked.body
    );
}
