//! What cannot be rendered, matched or read: refused when it is saved if it can be known then, otherwise a failed call that
//! says why, and nothing beside it suffers.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{System, webhook};
use crate::target::Target;

const WEBHOOKS: &str = "/spaces/default/webhook_definitions";

/// The status and all faults of an answer to a webhook that somebody wants to make.
async fn refused(system: &System, more: &Value) -> String {
    let mut hook = webhook("https://receiver.example/", &["*.*"]);
    let hook_members = hook.as_object_mut().expect("an object");
    hook_members.extend(more.as_object().expect("an object").clone());
    let answer = system.request(Method::POST, WEBHOOKS).json(&hook).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{more}");
    let body: Value = answer.json().await.expect("JSON");
    body["details"]["errors"].to_string()
}

#[tokio::test]
async fn what_can_be_known_when_it_is_saved_is_refused_then_with_its_place() {
    let system = System::start(&[]).await;
    let doc = json!({ "doc": "sys.id" });
    let cases: &[(Value, &[&str])] = &[
        (
            json!({ "template": { "body": "{\n  \"a\": \"{{#b}}\"\n}" } }),
            &["template.body", "line 2, column 9", "never closed"],
        ),
        (
            json!({ "template": { "body": "{{> other}}" } }),
            &["template.body", "line 1, column 1", "write out"],
        ),
        (json!({ "template": { "body": "x", "escape": "klingon" } }), &["template.escape", "json"]),
        (
            json!({ "dialect": "contentful", "transformation": { "body": { "a": "{ /paylod/sys }" } } }),
            &["transformation", "/paylod", "payload"],
        ),
        (
            json!({ "dialect": "contentful", "template": { "body": "x" }, "transformation": { "contentType": "a/b" } }),
            &["template", "transformation"],
        ),
        (json!({ "filters": [{ "regexp": [doc, { "pattern": "(a" }] }] }), &["filters[0]", "(a"]),
        (
            json!({ "filters": [{ "regexp": [doc, { "pattern": "a{9999}{9999}" }] }] }),
            &["filters[0]", "size"],
        ),
        (
            json!({ "filters": [{ "equals": [{ "doc": "sys.nothing" }, "x"] }] }),
            &["filters[0]", "sys.nothing", "sys.id"],
        ),
        (json!({ "headers": [{ "key": "X-Name", "value": "Zoë" }] }), &["headers[0].value", "ASCII"]),
        (json!({ "dialect": "klingon" }), &["dialect", "klingon", "native"]),
    ];
    for (more, words) in cases {
        let said = refused(&system, more).await;
        for word in *words {
            assert!(said.contains(word), "{more}: {word} is not named: {said}");
        }
    }
}

/// The one call of a webhook, once its delivery is given up.
async fn failed(system: &System, id: &str) -> Value {
    system.until("it is given up", |balance| balance.of("given_up") == 1).await;
    let calls = system.call(Method::GET, &format!("/spaces/default/calls?webhook={id}"), None).await;
    let calls = calls["items"].as_array().expect("a list").clone();
    assert_eq!(calls.len(), 1, "what no repetition can mend is not repeated: {calls:?}");
    let call = calls[0]["sys"]["id"].as_str().expect("an id");
    system.call(Method::GET, &format!("/spaces/default/calls/{call}"), None).await
}

#[tokio::test]
async fn a_template_that_makes_no_json_is_a_failed_call_that_says_why_and_is_sent_when_mended() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = webhook(&target.url("/made"), &["Entry.publish"]);
    hook["template"] = json!({ "body": r#"{"title": {{data.title}}}"# });
    let id = system.webhook(&hook).await;
    system.webhook(&webhook(&target.url("/plain"), &["Entry.publish"])).await;
    let event = json!({ "id": "one", "type": "Entry", "action": "publish", "resource": { "id": "1" }, "data": { "title": "Hello" } });
    system.accept(&event).await;

    let call = failed(&system, &id).await.to_string();
    for word in ["application/json", "line 1", "in quotes"] {
        assert!(call.contains(word), "{word} is not said: {call}");
    }
    target.until(1).await;
    assert_eq!(target.hits("/made").len(), 0, "nothing was sent");

    let path = format!("{WEBHOOKS}/{id}");
    hook["template"] = json!({ "body": r#"{"title": "{{data.title}}"}"# });
    let saved = system.request(Method::PUT, &path).header("x-contentful-version", "0").json(&hook);
    assert_eq!(saved.send().await.expect("an answer").status(), StatusCode::OK);
    let calls = system.call(Method::GET, &format!("/spaces/default/calls?webhook={id}"), None).await;
    let call = calls["items"][0]["sys"]["id"].as_str().expect("an id");
    system.call(Method::POST, &format!("/spaces/default/calls/{call}/resend"), None).await;
    target.until(2).await;
    assert_eq!(target.hits("/made")[0].body, r#"{"title": "Hello"}"#.as_bytes());
}

#[tokio::test]
async fn a_template_that_grows_without_end_is_stopped_and_nobody_waits_for_it() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = webhook(&target.url("/grows"), &["Entry.publish"]);
    hook["template"] = json!({ "body": "{{#data.list}}{{#data.list}}{{#data.list}}x{{/data.list}}{{/data.list}}{{/data.list}}" });
    hook["headers"] = json!([{ "key": "Content-Type", "value": "text/plain" }]);
    let id = system.webhook(&hook).await;
    system.webhook(&webhook(&target.url("/plain"), &["Entry.publish"])).await;
    let list = vec![1; 1000];
    let event = json!({ "id": "one", "type": "Entry", "action": "publish", "resource": { "id": "1" }, "data": { "list": list } });
    system.accept(&event).await;

    let call = failed(&system, &id).await.to_string();
    assert!(call.contains("template of the body") && call.contains("line 1"), "{call}");
    target.until(1).await;
    assert_eq!((target.hits("/grows").len(), target.hits("/plain").len()), (0, 1));
}

#[tokio::test]
async fn the_payload_of_another_cms_is_refused_naming_what_was_expected() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&webhook(&target.url("/"), &["*.*"])).await;
    let of_cometcms = r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{"type":"posts","id":"1","slug":null}}"#;
    // Contentful's are signed: another CMS's never gets so far.
    for (dialect, words) in
        [("datocms", ["entity_type", "event_type"]), ("contentstack", ["module", "event"])]
    {
        let source = json!({ "name": dialect, "dialect": dialect, "secret": "the-key-of-the-source" });
        system.call(Method::PUT, &format!("/spaces/default/sources/{dialect}"), Some(&source)).await;
        let path = format!("/spaces/default/environments/master/sources/{dialect}");
        let request = system.bare(Method::POST, &path).header("content-type", "application/json");
        let answer = request.header("authorization", "Bearer the-key-of-the-source").body(of_cometcms);
        let answer = answer.send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{dialect}");
        let said = answer.text().await.expect("text");
        for word in words {
            assert!(said.contains(word), "{dialect}: {word} is not named: {said}");
        }
    }
    // What came after is through: had they been taken in, they would be as well.
    system.accept(&crate::system::event("last", "Entry.publish")).await;
    let balance = system.until("the last is delivered", |balance| balance.of("delivered") == 1).await;
    assert_eq!((balance.total(), target.count()), (1, 1));
}
