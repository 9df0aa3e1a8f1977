//! `docs/guides/zapier.md`, against a stand-in for Zapier and for the services behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use postrider_tests::markdown::{Block, block, blocks};
use serde_json::{Value, json};

use super::stand_in::{Received, StandIn};
use crate::shell::Shell;
use crate::system::System;

const PAGE: &str = "docs/guides/zapier.md";
/// Where Zapier's hooks are; the stand-in takes its place.
const ZAPIER: &str = "https://hooks.zapier.com";
const HOOK: &str = "/hooks/catch/1234567/f8f22dgg/";

/// The fields of a call as Zapier shows them to the actions of a Zap.
type Fields = BTreeMap<String, String>;

/// What nested JSON becomes: one field for each value, named by its path.
fn flatten(name: &str, value: &Value, fields: &mut Fields) {
    let nested = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}__{key}") };
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(key, value)| flatten(&nested(key), value, fields));
        }
        Value::String(text) => drop(fields.insert(name.to_owned(), text.clone())),
        other => drop(fields.insert(name.to_owned(), other.to_string())),
    }
}

/// An action's text with the trigger's fields where its braces are.
fn filled(action: &str, fields: &Fields) -> String {
    fields
        .iter()
        .fold(action.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value))
}

/// A Zap: the fields that its trigger caught, call by call.
type Zap = Arc<Mutex<Vec<Fields>>>;

/// Zapier takes whatever is not empty and says so at once, but for the first `throttled` calls.
async fn zapier(throttled: usize) -> (StandIn, Zap) {
    let (zap, asked) = (Zap::default(), Arc::new(Mutex::new(0)));
    let caught = Arc::clone(&zap);
    let service = StandIn::start("Zapier", move |call: Received| {
        let (caught, asked) = (Arc::clone(&caught), Arc::clone(&asked));
        async move { catch(&call, &caught, &mut asked.lock().expect("sound"), throttled) }
    });
    (service.await, zap)
}

fn catch(call: &Received, caught: &Mutex<Vec<Fields>>, asked: &mut usize, throttled: usize) -> Response {
    assert_eq!((&call.method, call.path.as_str()), (&Method::POST, HOOK));
    *asked += 1;
    if *asked <= throttled {
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "1")]).into_response();
    }
    let mut fields = Fields::new();
    flatten("", &serde_json::from_slice(&call.body).unwrap_or(Value::Null), &mut fields);
    caught.lock().expect("sound").push(fields);
    let said =
        json!({ "attempt": "018f2d1a", "id": "018f2d1a", "request_id": "018f2d1a", "status": "success" });
    Json(said).into_response()
}

async fn connected(system: &System, zapier: &StandIn) -> (Shell, Vec<Block>) {
    let (shell, page) = (Shell::of(system), blocks(PAGE));
    let trigger = &block(&page, "The Zap's trigger", "sh").text;
    assert!(trigger.contains(&format!("{ZAPIER}{HOOK}")), "{trigger}");
    let made = trigger.replace(ZAPIER, &zapier.url("")) + &block(&page, "The webhook", "sh").text;
    shell.run(&made).await;
    (shell, page)
}

fn published(content_type: &str, title: &str) -> Value {
    json!({ "type": "Entry", "action": "publish", "actor": { "id": "Ada" },
        "resource": { "id": title, "contentType": content_type, "title": title, "url": "https://example.com/p/1" },
        "data": { "summary": "In two\nlines", "body": "x".repeat(1000) } })
}

#[tokio::test]
async fn a_published_post_becomes_an_email_and_a_social_post() {
    let (system, (zapier, zap)) = (System::start(&[]).await, zapier(0).await);
    let (_shell, page) = connected(&system, &zapier).await;
    let title = r#"He said "hi" \ & <left> 😀"#;
    system.happen(&[published("blogPost", title), published("page", "Imprint")], 1).await;
    let caught = zap.lock().expect("sound").clone();
    assert_eq!(caught.len(), 1, "only posts");
    let action = |info: &str| filled(&block(&page, "The Zap's actions", info).text, &caught[0]);
    assert_eq!(
        action("text e-mail"),
        format!(
            "To: editors@example.com\nSubject: Online: {title}\n\n{title} by Ada is online: https://example.com/p/1\n\nIn two\nlines\n"
        )
    );
    assert_eq!(action("text post"), format!("New: {title} https://example.com/p/1\n"));
}

#[tokio::test]
async fn a_test_call_shows_zapier_every_field_that_the_actions_use() {
    let (system, (zapier, zap)) = (System::start(&[]).await, zapier(0).await);
    let (shell, page) = connected(&system, &zapier).await;
    shell.run(&block(&page, "The webhook", "sh test").text).await;
    let caught = zap.lock().expect("sound").clone();
    for info in ["text e-mail", "text post"] {
        let text = filled(&block(&page, "The Zap's actions", info).text, &caught[0]);
        assert!(!text.contains("{{"), "{info} uses a field that the webhook does not send: {text}");
    }
}

#[tokio::test]
async fn what_zapier_throttles_comes_again_under_the_same_event() {
    let (system, (zapier, zap)) = (System::start(&[]).await, zapier(1).await);
    let (_shell, _page) = connected(&system, &zapier).await;
    system.happen(&[published("blogPost", "Hello")], 1).await;
    let calls = zapier.received();
    assert_eq!(calls.len(), 2, "refused, then taken");
    assert_eq!(calls[0].body, calls[1].body, "the same event, by which a Zap knows a repeat");
    assert!(!calls[0].json()["event"].as_str().expect("an id").is_empty());
    assert_eq!(zap.lock().expect("sound").len(), 1);
}

#[tokio::test]
async fn without_a_template_zapier_names_the_whole_payload_by_its_paths() {
    let (system, (zapier, zap)) = (System::start(&[]).await, zapier(0).await);
    let mut hook = json!({ "name": "all of it", "url": zapier.url(HOOK), "topics": ["Entry.publish"] });
    system.webhook(&hook).await;
    hook["dialect"] = json!("datocms");
    system.webhook(&hook).await;
    system.happen(&[published("blogPost", "Hello")], 2).await;
    let mut caught = zap.lock().expect("sound").clone();
    caught.sort_by_key(|fields| fields.contains_key("event_type"));
    let [native, datocms] = &caught[..] else { panic!("{caught:?}") };
    assert_eq!((&*native["resource__title"], &*native["data__summary"]), ("Hello", "In two\nlines"));
    assert_eq!(
        (&*datocms["event_type"], &*datocms["entity__attributes__summary"]),
        ("publish", "In two\nlines")
    );
}
