//! What CometCMS's document on webhooks promises (`docs/promises.md`), kept by webhooks of the dialect `cometcms`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::program;
use crate::system::{System, webhook};
use crate::target::{Answer, Hit, Target};

const SECRET: &str = "keep-this-private";

/// The three verifiers as the document prints them. Each is told the signature and the secret, reads the body from its
/// standard input, and says what the printed function answers.
const NODE: &str = r#"
const crypto = require("crypto");

function verifySignature(rawBody, secret, signature) {
  const expected =
    "sha256=" +
    crypto.createHmac("sha256", secret).update(rawBody).digest("hex");
  return crypto.timingSafeEqual(Buffer.from(expected), Buffer.from(signature));
}
console.log(verifySignature(require("fs").readFileSync(0), process.argv[2], process.argv[1]));
"#;
const PHP: &str = r"
function verifySignature(string $rawBody, string $secret, string $signature): bool {
    $expected = 'sha256=' . hash_hmac('sha256', $rawBody, $secret);
    return hash_equals($expected, $signature);
}
echo verifySignature(stream_get_contents(STDIN), $argv[2], $argv[1]) ? 'true' : 'false';
";
const PYTHON: &str = r"
import hmac, hashlib

def verify_signature(raw_body: bytes, secret: str, signature: str) -> bool:
    expected = 'sha256=' + hmac.new(
        secret.encode(), raw_body, hashlib.sha256
    ).hexdigest()
    return hmac.compare_digest(expected, signature)

import sys
print('true' if verify_signature(sys.stdin.buffer.read(), sys.argv[2], sys.argv[1]) else 'false')
";

/// How each language takes a program as an argument, with arguments of its own behind it.
const VERIFIERS: [&[&str]; 3] =
    [&["node", "-e", NODE], &["php", "-r", PHP, "--"], &["python3", "-c", PYTHON]];

/// A webhook of CometCMS's dialect with the secret of this story.
fn hook(url: &str, events: &[&str]) -> Value {
    let mut hook = webhook(url, events);
    hook["dialect"] = json!("cometcms");
    hook["signing"] = json!({ "secret": SECRET });
    hook
}

/// The entry of the document's example, and what happened to it.
fn post(id: &str, action: &str) -> Value {
    json!({
        "id": id, "type": "Entry", "action": action, "occurredAt": "2025-05-03T12:00:00.000Z",
        "resource": { "id": "7K4p9xQ2mR", "contentType": "posts", "slug": "my-first-post" },
        "data": { "title": "My first post", "body": "the whole of it" },
    })
}

fn signature(hit: &Hit) -> String {
    hit.headers["x-cometcms-signature"].to_str().expect("text").to_owned()
}

fn named(hit: &Hit) -> String {
    let body = hit.json();
    body["event"].as_str().expect("an event").to_owned()
}

/// Publishes these actions of the post, each once, and returns when each is settled.
async fn happen(system: &System, actions: &[&str], deliveries: u64) {
    let events: Vec<Value> = actions.iter().map(|action| post(&format!("post-{action}"), action)).collect();
    system.accept(&json!(events)).await;
    system.until("all are delivered", |balance| balance.of("delivered") == deliveries).await;
}

async fn verified(verifier: &[&str], body: &[u8], secret: &str, signature: &str) -> bool {
    program::verified(verifier, [signature, secret], body).await
}

#[tokio::test]
async fn several_webhooks_each_hear_of_their_own_events() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/site"), &["content.published", "content.unpublished"])).await;
    system.webhook(&hook(&target.url("/search"), &["content.updated", "content.published"])).await;
    happen(&system, &["create", "save", "publish", "unpublish"], 4).await;
    let mut site: Vec<String> = target.hits("/site").iter().map(named).collect();
    site.sort();
    assert_eq!(site, ["content.published", "content.unpublished"]);
    let mut search: Vec<String> = target.hits("/search").iter().map(named).collect();
    search.sort();
    assert_eq!(search, ["content.published", "content.updated"]);
}

/// One webhook on one event hears of that action and of no other.
async fn only(event: &str, action: &str) {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &[event])).await;
    happen(&system, &["create", "save", "publish", "unpublish", "trash", "restore"], 1).await;
    let hits = target.hits("/");
    assert_eq!((hits.len(), named(&hits[0]).as_str()), (1, event), "{action}");
}

#[tokio::test]
async fn created_is_the_first_save_of_an_entry() {
    only("content.created", "create").await;
}

#[tokio::test]
async fn updated_is_every_later_save() {
    only("content.updated", "save").await;
}

#[tokio::test]
async fn published_and_unpublished_follow_the_status() {
    only("content.published", "publish").await;
    only("content.unpublished", "unpublish").await;
}

#[tokio::test]
async fn deleted_is_the_move_to_the_trash_or_a_delete_without_one() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["content.deleted"])).await;
    // One is moved to the trash and then removed from it, which is silent; another never was there.
    let mut emptied = post("emptied", "delete");
    emptied["resource"]["state"] = json!("trash");
    system.accept(&json!([post("trashed", "trash"), emptied, post("gone", "delete")])).await;
    system.until("two are told", |balance| balance.of("delivered") == 2).await;
    let hits = target.hits("/");
    assert!(hits.iter().all(|hit| named(hit) == "content.deleted"));
    let explained =
        system.call(Method::GET, "/spaces/default/events/emptied/explain", None).await.to_string();
    assert!(explained.contains("leaves the trash for ever"), "{explained}");
}

#[tokio::test]
async fn restored_is_the_way_back_from_the_trash() {
    only("content.restored", "restore").await;
}

#[tokio::test]
async fn a_request_is_a_post_of_exactly_the_printed_payload() {
    let target = Target::start(|hit| Answer::Status(if hit.before == 0 { 500 } else { 200 })).await;
    let system = System::start(&[]).await;
    let mut patient = hook(&target.url("/"), &["content.published"]);
    patient["retryPolicy"] = json!({ "schedule": [1.0] });
    let id = system.webhook(&patient).await;
    happen(&system, &["publish"], 1).await;
    let hits = target.hits("/");
    assert_eq!(hits.len(), 2, "it was tried again");
    for hit in &hits {
        assert_eq!(hit.headers["content-type"], "application/json");
        let body = std::str::from_utf8(&hit.body).expect("UTF-8");
        let printed = r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{"type":"posts","id":"7K4p9xQ2mR","slug":"my-first-post"}}"#;
        assert_eq!(body, printed, "the same bytes on every attempt, the instant included");
    }
    let call = system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/calls"), None).await;
    let call = call["items"][0]["sys"]["id"].as_str().expect("an id").to_owned();
    let details =
        system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/calls/{call}"), None).await;
    assert_eq!(details["request"]["method"], "POST");
}

#[tokio::test]
async fn the_data_is_a_reference_by_collection_id_and_slug() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["content.updated"])).await;
    let mut page = post("page", "save");
    page["resource"] = json!({ "id": "a/b", "contentType": "pages", "slug": "über-uns" });
    system.accept(&page).await;
    target.until(1).await;
    let body = String::from_utf8(target.hits("/")[0].body.to_vec()).expect("UTF-8");
    assert!(
        body.ends_with(r#""data":{"type":"pages","id":"a/b","slug":"\u00fcber-uns"}}"#),
        "as PHP writes it: {body}"
    );
}

#[tokio::test]
async fn the_payload_holds_nothing_of_the_entry_itself() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/any/endpoint?of=yours"), &["content.published"])).await;
    happen(&system, &["publish"], 1).await;
    let body = target.hits("/any/endpoint")[0].json();
    assert_eq!(
        body.as_object().expect("an object").keys().collect::<Vec<_>>(),
        ["data", "event", "occurred_at"]
    );
    assert!(!body.to_string().contains("My first post"), "{body}");
}

#[tokio::test]
async fn every_request_is_signed_over_its_raw_body_a_test_call_too() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let id = system.webhook(&hook(&target.url("/"), &["*.*"])).await;
    happen(&system, &["publish"], 1).await;
    system.call(Method::POST, &format!("/spaces/default/webhook_definitions/{id}/test"), None).await;
    let hits = target.hits("/");
    assert_eq!(hits.len(), 2);
    for hit in &hits {
        let signature = signature(hit);
        assert!(signature.starts_with("sha256=") && signature.len() == 7 + 64, "{signature}");
        assert!(verified(VERIFIERS[2], &hit.body, SECRET, &signature).await);
    }
}

#[tokio::test]
async fn the_printed_verifiers_take_what_was_delivered_and_nothing_else() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["content.updated"])).await;
    let mut odd = post("odd", "save");
    odd["resource"]["slug"] = json!("quote \" slash / ü 😀");
    system.accept(&odd).await;
    target.until(1).await;
    let hit = &target.hits("/")[0];
    let (body, signature) = (hit.body.to_vec(), signature(hit));
    let mut changed = body.clone();
    changed[10] ^= 1;
    for verifier in VERIFIERS {
        assert!(verified(verifier, &body, SECRET, &signature).await, "{}", verifier[0]);
        assert!(!verified(verifier, &changed, SECRET, &signature).await, "a changed byte: {}", verifier[0]);
        assert!(!verified(verifier, &body, "another", &signature).await, "another secret: {}", verifier[0]);
    }
}

#[tokio::test]
async fn the_secret_is_shown_once_if_drawn_and_never_again() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut bare = hook(&target.url("/"), &["content.published"]);
    bare.as_object_mut().expect("an object").remove("signing");
    let made = system.call(Method::POST, "/spaces/default/webhook_definitions", Some(&bare)).await;
    let secret = made["signing"]["secret"].as_str().expect("a webhook without a secret gets one").to_owned();
    happen(&system, &["publish"], 1).await;
    let hit = &target.hits("/")[0];
    assert!(verified(VERIFIERS[2], &hit.body, &secret, &signature(hit)).await);
    let id = made["sys"]["id"].as_str().expect("an id");
    for path in [
        "/spaces/default/webhook_definitions".to_owned(),
        format!("/spaces/default/webhook_definitions/{id}"),
    ] {
        let shown = system.call(Method::GET, &path, None).await.to_string();
        assert!(!shown.contains(&secret), "{path}");
    }
}

/// The document's steps: a build hook that ignores signatures and answers 200 with nothing.
#[tokio::test]
async fn a_netlify_build_hook_builds_on_publish_and_unpublish() {
    let (system, netlify) = (System::start(&[]).await, Target::willing().await);
    let url = netlify.url("/build_hooks/5c23fc9f0a1d");
    system.webhook(&hook(&url, &["content.published", "content.unpublished"])).await;
    happen(&system, &["save", "publish", "unpublish"], 2).await;
    let builds = netlify.hits("/build_hooks/5c23fc9f0a1d");
    assert_eq!(builds.len(), 2, "published and unpublished each start one build, updated none");
    assert!(builds.iter().all(|hit| signature(hit).starts_with("sha256=")), "signed regardless");
}
