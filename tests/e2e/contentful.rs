//! What Contentful's document on webhooks promises (`docs/promises.md`), kept by webhooks of the dialect `contentful`.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::official_client;
use crate::system::{System, webhook};
use crate::target::{Answer, Hit, Target};

/// The table of the document: what happens to each type of resource, and what never does.
const TABLE: [(&str, &[&str], &[&str]); 3] = [
    (
        "ContentType",
        &["create", "save", "publish", "unpublish", "delete"],
        &["auto_save", "archive", "unarchive"],
    ),
    (
        "Entry",
        &["create", "save", "auto_save", "archive", "unarchive", "publish", "unpublish", "delete"],
        &[],
    ),
    (
        "Asset",
        &["create", "save", "auto_save", "archive", "unarchive", "publish", "unpublish", "delete"],
        &[],
    ),
];
/// 64 characters, as Contentful wants them.
const SECRET: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";

fn hook(url: &str, topics: &[&str]) -> Value {
    let mut hook = webhook(url, topics);
    hook["dialect"] = json!("contentful");
    hook
}

fn change(id: &str, event_type: &str, action: &str) -> Value {
    json!({
        "id": id, "type": event_type, "action": action, "occurredAt": "2026-06-22T18:42:22.587Z",
        "resource": { "id": "5KsD", "contentType": "blogPost", "version": 7 },
        "data": { "sys": { "id": "5KsD", "type": event_type }, "fields": { "title": { "en-US": "Hello" } } },
    })
}

fn topic(hit: &Hit) -> String {
    hit.headers["x-contentful-topic"].to_str().expect("text").to_owned()
}

/// The topics of all calls to a path, sorted.
fn topics(target: &Target, path: &str) -> Vec<String> {
    let mut topics: Vec<String> = target.hits(path).iter().map(topic).collect();
    topics.sort();
    topics
}

fn named(event_type: &str, actions: &[&str]) -> Vec<String> {
    let mut topics: Vec<String> =
        actions.iter().map(|action| format!("ContentManagement.{event_type}.{action}")).collect();
    topics.sort();
    topics
}

#[tokio::test]
async fn a_change_of_an_asset_entry_or_content_type_calls_the_url() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system
        .webhook(&hook(
            &target.url("/endpoint?mine=1"),
            &["Asset.publish", "Entry.publish", "ContentType.publish"],
        ))
        .await;
    let events = ["Asset", "Entry", "ContentType"].map(|kind| change(kind, kind, "publish"));
    system.happen(&events, 3).await;
    let hits = target.hits("/endpoint");
    assert_eq!(hits.len(), 3);
    for hit in &hits {
        assert_eq!((hit.method.as_str(), hit.target.as_str()), ("POST", "/endpoint?mine=1"));
        let body = hit.json();
        assert_eq!(body["sys"]["id"], "5KsD", "the resource is told");
    }
}

/// Every Yes of a row of the table is called under its name, every No is taken with a warning.
async fn row(event_type: &str) {
    let (_, yes, no) = TABLE.iter().find(|(kind, ..)| *kind == event_type).expect("a row");
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut own = hook(&target.url("/"), &[]);
    own["topics"] = yes.iter().chain(*no).map(|action| format!("{event_type}.{action}")).collect();
    own["coalesce"] = json!(false);
    let request = system.request(Method::POST, "/spaces/default/webhook_definitions").json(&own);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let warnings: Vec<String> = answer
        .headers()
        .get_all("warning")
        .iter()
        .map(|warning| warning.to_str().expect("text").to_owned())
        .collect();
    for action in *no {
        let topic = format!("{event_type}.{action}");
        assert!(warnings.iter().any(|warning| warning.contains(&topic)), "{topic}: {warnings:?}");
    }
    for action in *yes {
        let topic = format!("{event_type}.{action} ");
        assert!(!warnings.iter().any(|warning| warning.contains(&topic)), "{topic}: {warnings:?}");
    }
    let events: Vec<Value> = yes.iter().map(|action| change(action, event_type, action)).collect();
    system.happen(&events, yes.len() as u64).await;
    assert_eq!(topics(&target, "/"), named(event_type, yes));
}

#[tokio::test]
async fn the_tables_row_of_content_types() {
    row("ContentType").await;
}

#[tokio::test]
async fn the_tables_row_of_entries() {
    row("Entry").await;
}

#[tokio::test]
async fn the_tables_row_of_assets() {
    row("Asset").await;
}

#[tokio::test]
async fn the_documents_list_of_topics_takes_what_it_says() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["*.publish", "Asset.delete", "Entry.*"])).await;
    let events = [
        change("e1", "ContentType", "publish"),
        change("e2", "Asset", "delete"),
        change("e3", "Entry", "archive"),
        change("e4", "Asset", "save"),
        change("e5", "ContentType", "delete"),
    ];
    system.happen(&events, 3).await;
    let expected = ["Asset.delete", "ContentType.publish", "Entry.archive"];
    assert_eq!(topics(&target, "/"), expected.map(|topic| format!("ContentManagement.{topic}")));
}

#[tokio::test]
async fn a_star_stands_for_any_type_or_action_future_ones_too() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/type"), &["Hologram.*"])).await;
    system.webhook(&hook(&target.url("/action"), &["*.levitate"])).await;
    system.webhook(&hook(&target.url("/all"), &["*.*"])).await;
    let events = [
        change("e1", "Hologram", "levitate"),
        change("e2", "Hologram", "land"),
        change("e3", "Entry", "publish"),
    ];
    system.happen(&events, 6).await;
    assert_eq!(topics(&target, "/type"), named("Hologram", &["land", "levitate"]));
    assert_eq!(topics(&target, "/action"), named("Hologram", &["levitate"]));
    assert_eq!(target.hits("/all").len(), 3, "subscribed to all actions across all types");
}

#[tokio::test]
async fn a_webhook_is_made_with_url_name_and_topics_and_needs_each() {
    let system = System::start(&[]).await;
    let asked = json!({ "url": "http://127.0.0.1:1/", "name": "foo", "topics": ["*.*"] });
    let path = "/spaces/default/webhook_definitions";
    let made = system.call(Method::POST, path, Some(&asked)).await;
    for (field, value) in asked.as_object().expect("an object") {
        assert_eq!(&made[field], value, "{field}");
        let mut lacking = asked.clone();
        lacking.as_object_mut().expect("an object").remove(field);
        let answer = system.request(Method::POST, path).json(&lacking).send().await.expect("an answer");
        assert_eq!(answer.status(), 422, "{field}");
        let error: Value = answer.json().await.expect("JSON");
        assert_eq!(error["details"]["errors"][0]["path"], field.as_str(), "{error}");
    }
}

#[tokio::test]
async fn the_log_shows_status_errors_and_target_and_the_whole_exchange() {
    let target = Target::start(|hit| Answer::Status(if hit.path == "/good" { 200 } else { 503 })).await;
    let system = System::start(&[]).await;
    let good = system.webhook(&hook(&target.url("/good"), &["*.*"])).await;
    let mut bad = hook(&target.url("/bad"), &["*.*"]);
    bad["retryPolicy"] = json!("none");
    let bad = system.webhook(&bad).await;
    let mut dead = hook("http://127.0.0.1:1/dead", &["*.*"]);
    dead["retryPolicy"] = json!("none");
    let dead = system.webhook(&dead).await;
    system.accept(&change("one", "Entry", "publish")).await;
    system.until("all are done", |balance| balance.of("delivered") + balance.of("given_up") == 3).await;

    for (id, status, url) in [
        (&good, json!(200), target.url("/good")),
        (&bad, json!(503), target.url("/bad")),
        (&dead, Value::Null, "http://127.0.0.1:1/dead".to_owned()),
    ] {
        let list = system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/calls"), None).await;
        let call = &list["items"][0];
        assert_eq!((&call["statusCode"], &call["url"]), (&status, &json!(url)), "{list}");
        assert_eq!(call["eventType"], "publish");
        let errors = call["errors"].as_array().expect("errors");
        assert_eq!(errors.is_empty(), id == &good || id == &bad, "{list}");
        let call = call["sys"]["id"].as_str().expect("an id");
        let path = format!("/spaces/default/webhooks/{id}/calls/{call}");
        let details = system.call(Method::GET, &path, None).await;
        let sent: Value =
            serde_json::from_str(details["request"]["body"].as_str().expect("a text")).expect("JSON");
        assert_eq!(sent["fields"]["title"]["en-US"], "Hello", "{details}");
        assert_eq!(details["response"]["statusCode"], status, "{details}");
    }
}

/// A minute of edits, one a second, in real time. A second is 10 ms too long, so that no edit comes at the very instant at
/// which a window ends.
#[tokio::test]
async fn a_minute_of_edits_calls_an_auto_save_webhook_three_times() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["Entry.auto_save"])).await;
    system.accept(&change("warm", "Entry", "save")).await;
    let mut second = tokio::time::interval(Duration::from_millis(1_010));
    for edit in 1..=60 {
        second.tick().await;
        let mut edited = change(&format!("edit-{edit}"), "Entry", "auto_save");
        edited.as_object_mut().expect("an object").remove("occurredAt");
        edited["resource"]["version"] = json!(edit);
        edited["data"]["fields"]["title"]["en-US"] = json!(edit);
        system.accept(&edited).await;
    }
    let settled = |balance: &crate::system::Balance| balance.of("delivered") + balance.of("superseded") == 60;
    let balance = system.until("each edit is settled", settled).await;
    assert_eq!((balance.of("delivered"), target.count()), (3, 3));
    let states: Vec<i64> = target
        .hits("/")
        .iter()
        .map(|hit| {
            let body = hit.json();
            body["fields"]["title"]["en-US"].as_i64().expect("a number")
        })
        .collect();
    assert_eq!(states, [20, 40, 60], "the newest state of each window");
}

#[tokio::test]
async fn every_delivered_request_passes_contentfuls_own_verifier() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let secret = json!({ "value": SECRET });
    system.call(Method::PUT, "/spaces/default/webhook_settings/signing_secret", Some(&secret)).await;
    system.webhook(&hook(&target.url("/plain"), &["Entry.*"])).await;
    let mut odd = hook(&target.url("/odd%20path?a=1&b=x%20y&c=%C3%BC"), &["Entry.*"]);
    odd["headers"] = json!([{ "key": "X-Own", "value": "  spaced  " }, { "key": "X-Key", "value": "hidden", "secret": true }]);
    odd["httpBasicUsername"] = json!("user");
    odd["httpBasicPassword"] = json!("password");
    system.webhook(&odd).await;
    let mut asking = hook(&target.url("/get?id={ /payload/sys/id }"), &["Entry.*"]);
    asking["transformation"] = json!({ "method": "GET" });
    system.webhook(&asking).await;
    system.happen(&[change("one", "Entry", "publish"), change("two", "Entry", "delete")], 6).await;

    let hits: Vec<Hit> =
        ["/plain", "/odd%20path", "/get"].iter().flat_map(|path| target.hits(path)).collect();
    assert_eq!(hits.len(), 6);
    assert!(
        hits.iter().all(|hit| hit.method != "GET" || (hit.body.is_empty() && hit.target == "/get?id=5KsD"))
    );
    let mut requests: Vec<Value> = hits.iter().map(|hit| official_client::request(hit, SECRET)).collect();
    assert_eq!(official_client::verified(&requests).await, vec![true; 6]);
    for request in &mut requests {
        request["path"] = json!(format!("{}x", request["path"].as_str().expect("a path")));
    }
    assert_eq!(
        official_client::verified(&requests).await,
        vec![false; 6],
        "another path is not what was signed"
    );
}

#[tokio::test]
async fn each_attempt_is_signed_anew_under_one_idempotency_key() {
    let target = Target::start(|hit| Answer::Status(if hit.before == 0 { 500 } else { 200 })).await;
    let system = System::start(&[]).await;
    let secret = json!({ "value": SECRET });
    system.call(Method::PUT, "/spaces/default/webhook_settings/signing_secret", Some(&secret)).await;
    let mut patient = hook(&target.url("/"), &["*.*"]);
    patient["retryPolicy"] = json!({ "schedule": [1.0] });
    system.webhook(&patient).await;
    system.happen(&[change("one", "Entry", "publish")], 1).await;
    let hits = target.hits("/");
    let of = |name: &str| {
        hits.iter().map(|hit| hit.headers[name].to_str().expect("text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("x-contentful-webhook-request-attempt"), ["1", "2"]);
    let keys = of("x-contentful-idempotency-key");
    assert_eq!((keys[0].len(), &keys[0]), (64, &keys[1]), "the same for each attempt");
    let signatures = of("x-contentful-signature");
    assert_ne!(signatures[0], signatures[1]);
    let requests: Vec<Value> = hits.iter().map(|hit| official_client::request(hit, SECRET)).collect();
    assert_eq!(official_client::verified(&requests).await, [true, true]);
}
