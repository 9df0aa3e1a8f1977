//! What Contentstack's document on the format of its webhooks promises (`docs/promises.md`), kept by webhooks of the dialect
//! `contentstack`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::program;
use crate::system::{System, webhook};
use crate::target::Target;

/// As Contentstack documents it: the signature is that of `JSON.stringify` of the parsed body. Told the signature and the
/// public key, it reads the body from its standard input.
const VERIFIER: &str = r#"
const crypto = require("crypto");
const body = JSON.parse(require("fs").readFileSync(0, "utf8"));
const [signature, key] = process.argv.slice(1);
const verified = crypto.verify(
  "sha256",
  Buffer.from(JSON.stringify(body)),
  { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 },
  Buffer.from(signature.replace(/^v1=/, ""), "base64"),
);
console.log(verified);
"#;

fn hook(url: &str, topics: &[&str]) -> Value {
    let mut hook = webhook(url, topics);
    hook["dialect"] = json!("contentstack");
    hook
}

fn change(id: &str, event_type: &str, action: &str) -> Value {
    json!({
        "id": id, "type": event_type, "action": action,
        "resource": { "id": "blt1", "contentType": "article", "locale": "en-us", "version": 2, "title": "Hello" },
        "data": { "title": "Hello" },
    })
}

/// What each call said, sorted: `entry update`.
fn told(target: &Target, path: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut told: Vec<String> = target
        .hits(path)
        .iter()
        .map(|hit| {
            let body = hit.json();
            format!("{} {}", text(&body["module"]), text(&body["event"]))
        })
        .collect();
    told.sort();
    told
}

/// These of our actions are told as these events; a webhook on each topic hears of its own.
async fn events(pairs: &[(&str, &str)]) {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = hook(&target.url("/"), &["Entry.*"]);
    hook["coalesce"] = json!(false);
    system.webhook(&hook).await;
    let events: Vec<Value> = pairs.iter().map(|(action, _)| change(action, "Entry", action)).collect();
    system.happen(&events, pairs.len() as u64).await;
    let mut expected: Vec<String> = pairs.iter().map(|(_, event)| format!("entry {event}")).collect();
    expected.sort();
    assert_eq!(told(&target, "/"), expected);
}

#[tokio::test]
async fn create_update_and_delete() {
    events(&[("create", "create"), ("save", "update"), ("delete", "delete")]).await;
}

#[tokio::test]
async fn publish_its_start_and_its_failure() {
    events(&[("publish", "publish"), ("publish.start", "publish.start"), ("publish.fail", "publish.fail")])
        .await;
}

#[tokio::test]
async fn unpublish_its_start_and_its_failure() {
    events(&[
        ("unpublish", "unpublish"),
        ("unpublish.start", "unpublish.start"),
        ("unpublish.fail", "unpublish.fail"),
    ])
    .await;
}

#[tokio::test]
async fn a_success_is_named_as_such_by_option_and_in_the_data_otherwise() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/plain"), &["Entry.publish", "Entry.unpublish"])).await;
    let mut suffixed = hook(&target.url("/suffixed"), &["Entry.publish", "Entry.unpublish"]);
    suffixed["options"] = json!({ "events": "suffixed" });
    system.webhook(&suffixed).await;
    system
        .happen(&[change("a", "Entry", "publish.success"), change("b", "Entry", "unpublish.success")], 4)
        .await;
    assert_eq!(told(&target, "/plain"), ["entry publish", "entry unpublish"]);
    assert_eq!(told(&target, "/suffixed"), ["entry publish.success", "entry unpublish.success"]);
    for hit in target.hits("/plain") {
        let body = hit.json();
        assert_eq!((&body["data"]["action"], &body["data"]["status"]), (&body["event"], &json!("success")));
    }
}

#[tokio::test]
async fn the_modules_are_content_types_entry_asset_and_release() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["*.save"])).await;
    let mut live = hook(&target.url("/live"), &["ContentType.save"]);
    live["options"] = json!({ "contentTypeModule": "content_type" });
    system.webhook(&live).await;
    let types = ["ContentType", "Entry", "Asset", "Release"];
    system.happen(&types.map(|kind| change(kind, kind, "save")), 5).await;
    assert_eq!(
        told(&target, "/"),
        ["asset update", "content types update", "entry update", "release update"]
    );
    assert_eq!(told(&target, "/live"), ["content_type update"]);
}

#[tokio::test]
async fn a_comment_and_a_deployment_have_words_too() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["Comment.*", "Release.deploy"])).await;
    system.happen(&[change("a", "Comment", "save"), change("b", "Release", "deploy")], 2).await;
    assert_eq!(told(&target, "/"), ["comment update", "release deploy"]);
}

#[tokio::test]
async fn a_call_is_a_post_of_event_module_api_key_and_data() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/registered?here"), &["Entry.save"])).await;
    system.happen(&[change("one", "Entry", "save")], 1).await;
    let hit = &target.hits("/registered")[0];
    assert_eq!((hit.method.as_str(), hit.target.as_str()), ("POST", "/registered?here"));
    assert_eq!(hit.headers["content-type"], "application/json");
    let body = hit.json();
    assert_eq!(
        (&body["event"], &body["module"], &body["api_key"]),
        (&json!("update"), &json!("entry"), &json!("default"))
    );
    let data = &body["data"];
    assert_eq!((&data["entry"]["title"], &data["entry"]["uid"]), (&json!("Hello"), &json!("blt1")));
    assert_eq!(
        (&data["content_type"]["uid"], &data["environment"]["name"]),
        (&json!("article"), &json!("master"))
    );
    assert_eq!(
        (&data["locale"], &data["action"], &data["status"]),
        (&json!("en-us"), &json!("update"), &json!("success"))
    );
}

#[tokio::test]
async fn a_call_carries_a_signature_that_the_documented_verifier_takes() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["Entry.save"])).await;
    let mut odd = change("odd", "Entry", "save");
    odd["data"] =
        json!({ "title": "ü \"quoted\" </script> 😀", "n": 1.50, "big": 12_345_678_901_234_567_890_u64 });
    system.happen(&[odd], 1).await;
    let keys = system
        .bare(Method::GET, "/spaces/default/.well-known/public-keys.json")
        .send()
        .await
        .expect("an answer");
    let keys: Value = keys.json().await.expect("JSON");
    let key = keys["signing-key"].as_str().expect("a key");
    let hit = &target.hits("/")[0];
    let signature = hit.headers["x-contentstack-request-signature"].to_str().expect("text");
    assert!(verified(&hit.body, signature, key).await);
    let changed = String::from_utf8(hit.body.to_vec()).expect("UTF-8").replace("quoted", "quotes");
    assert!(!verified(changed.as_bytes(), signature, key).await);
}

async fn verified(body: &[u8], signature: &str, key: &str) -> bool {
    program::verified(&["node", "-e", VERIFIER], [signature, key], body).await
}

/// Sends a payload in as Contentstack would; it leaves as the same JSON in the same order but for `triggered_at`.
async fn through(payload: &str, topic: &str) -> Value {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let source = json!({ "name": "Stack", "dialect": "contentstack", "secret": "the-key-of-this-source" });
    system.call(Method::PUT, "/spaces/default/sources/stack", Some(&source)).await;
    system.webhook(&hook(&target.url("/"), &[topic])).await;
    system.webhook(&hook(&target.url("/no"), &["Hologram.*"])).await;
    let path = "/spaces/default/environments/master/sources/stack";
    let sent = system.bare(Method::POST, path).header("content-type", "application/json");
    let answer =
        sent.bearer_auth("the-key-of-this-source").body(payload.to_owned()).send().await.expect("an answer");
    assert_eq!(answer.status(), 202, "{}", answer.text().await.expect("a body"));
    system.until("it is delivered", |balance| balance.of("delivered") == 1).await;
    let hit = &target.hits("/")[0];
    let left = std::str::from_utf8(&hit.body).expect("UTF-8");
    assert_eq!(compact(left), compact(payload), "in the order of its own keys");
    hit.json()
}

/// Without white space outside of texts, and without the instant that is stamped anew.
fn compact(json: &str) -> String {
    let (mut compact, mut inside, mut escaped) = (String::new(), false, false);
    for one in json.chars() {
        if inside || !one.is_whitespace() {
            compact.push(one);
        }
        inside ^= one == '"' && !escaped;
        escaped = inside && one == '\\' && !escaped;
    }
    let stamp = compact.find(r#""triggered_at":""#).expect("it is stamped") + r#""triggered_at":""#.len();
    let end = stamp + compact[stamp..].find('"').expect("an end");
    compact.replace_range(stamp..end, "");
    compact
}

#[tokio::test]
async fn the_printed_update_of_an_entry() {
    let payload = include_str!("../../crates/dialects/tests/samples/contentstack/entry_update.json");
    let told = through(payload, "Entry.save").await;
    assert_eq!(told["data"]["content_type"]["options"]["url_pattern"], "/:title");
}

#[tokio::test]
async fn the_printed_update_of_a_comment() {
    let payload = include_str!("../../crates/dialects/tests/samples/contentstack/comment_update.json");
    let told = through(payload, "Comment.save").await;
    assert_eq!(told["data"]["comment"]["message"], "This is an updated comment.");
}

#[tokio::test]
async fn the_printed_publish_of_an_asset() {
    let payload = include_str!("../../crates/dialects/tests/samples/contentstack/asset_publish.json");
    let told = through(payload, "Asset.publish").await;
    assert_eq!(told["data"]["environment"]["name"], "blank");
}

#[tokio::test]
async fn the_printed_publish_of_an_entry_within_a_release() {
    let payload = include_str!("../../crates/dialects/tests/samples/contentstack/entry_in_release.json");
    let told = through(payload, "Entry.publish").await;
    assert_eq!(told["source"]["title"], "Release01");
}

#[tokio::test]
async fn the_printed_publish_of_an_asset_within_a_release() {
    let payload = include_str!("../../crates/dialects/tests/samples/contentstack/asset_in_release.json");
    let told = through(payload, "Asset.publish").await;
    assert_eq!(told["source"]["title"], "Release02");
}

#[tokio::test]
async fn the_printed_deployment_of_a_release() {
    let payload = include_str!("../../crates/dialects/tests/samples/contentstack/release_deploy.json");
    let told = through(payload, "Release.deploy").await;
    assert_eq!(told["data"]["release"]["items"].as_array().map(Vec::len), Some(4));
}
