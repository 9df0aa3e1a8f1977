//! What Contismo's document on event hooks promises (`docs/promises.md`), kept by webhooks of the dialect `contismo`.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::system::{System, webhook};
use crate::target::{Answer, Target};

const SECRET: &str = "a-signing-secret-of-contismo";
const HOOKS: &str = "/spaces/default/webhook_definitions";

fn hook(url: &str, triggers: &[&str]) -> Value {
    let mut hook = webhook(url, triggers);
    hook["dialect"] = json!("contismo");
    hook
}

fn entry(id: &str, action: &str) -> Value {
    json!({
        "id": id, "type": "Entry", "action": action, "occurredAt": "2025-05-03T12:00:00.250Z",
        "resource": { "id": "7K4p", "contentType": "posts", "slug": "hello" }, "data": { "title": "Hello" },
    })
}

/// What happened, as it was told, sorted.
fn told(target: &Target, path: &str) -> Vec<String> {
    let mut told: Vec<String> = target
        .hits(path)
        .iter()
        .map(|hit| hit.json()["event"].as_str().expect("a text").to_owned())
        .collect();
    told.sort();
    told
}

/// A webhook on each of these triggers hears of its own action, and no webhook of another's.
async fn triggers(pairs: &[(&str, &str)]) {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    for (at, (trigger, _)) in pairs.iter().enumerate() {
        system.webhook(&hook(&target.url(&format!("/{at}")), &[trigger])).await;
    }
    let actions =
        ["create", "save", "publish", "unpublish", "trash", "restore", "delete", "workflow_transition"];
    let events = actions.map(|action| entry(action, action));
    system.happen(&events, pairs.len() as u64).await;
    for (at, (trigger, _)) in pairs.iter().enumerate() {
        assert_eq!(told(&target, &format!("/{at}")), [*trigger]);
    }
    for (at, (trigger, action)) in pairs.iter().enumerate() {
        let explained =
            system.call(Method::GET, &format!("/spaces/default/events/{action}/explain"), None).await;
        assert!(explained.to_string().contains(trigger), "{at}: {explained}");
    }
}

#[tokio::test]
async fn an_entry_is_created_updated_or_published() {
    triggers(&[("Entry Created", "create"), ("Entry Updated", "save"), ("Entry Published", "publish")]).await;
}

#[tokio::test]
async fn an_entry_is_unpublished_trashed_or_restored() {
    triggers(&[
        ("Entry Unpublished", "unpublish"),
        ("Entry Moved to Trash", "trash"),
        ("Entry Restored", "restore"),
    ])
    .await;
}

#[tokio::test]
async fn an_entry_is_deleted_for_ever_or_moves_in_its_workflow() {
    triggers(&[("Entry Permanently Deleted", "delete"), ("Workflow Transitioned", "workflow_transition")])
        .await;
}

#[tokio::test]
async fn a_hook_on_a_transition_can_be_limited_by_where_it_comes_from_and_goes() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut review = hook(&target.url("/"), &["Workflow Transitioned"]);
    review["filters"] = json!([
        { "equals": [{ "doc": "workflow.from" }, "draft"] },
        { "equals": [{ "doc": "workflow.to" }, "review"] },
    ]);
    system.webhook(&review).await;
    let moved = |id: &str, from: &str, to: &str| {
        let mut moved = entry(id, "workflow_transition");
        moved["workflow"] = json!({ "from": from, "to": to });
        moved
    };
    system
        .happen(
            &[moved("a", "draft", "review"), moved("b", "review", "done"), moved("c", "new", "review")],
            1,
        )
        .await;
    assert_eq!(target.hits("/")[0].json()["workflow"], json!({ "from": "draft", "to": "review" }));
}

#[tokio::test]
async fn a_hook_fires_only_for_the_content_models_it_is_limited_to() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut limited = hook(&target.url("/"), &["Entry Published"]);
    limited["contentTypes"] = json!(["posts", "pages"]);
    system.webhook(&limited).await;
    let of = |id: &str, model: &str| {
        let mut entry = entry(id, "publish");
        entry["resource"]["contentType"] = json!(model);
        entry
    };
    system.happen(&[of("a", "posts"), of("b", "authors"), of("c", "pages")], 2).await;
    let mut models: Vec<Value> = target.hits("/").iter().map(|hit| hit.json()["model"].clone()).collect();
    models.sort_by_key(Value::to_string);
    assert_eq!(models, ["pages", "posts"]);
}

#[tokio::test]
async fn an_outbound_request_follows_what_happened_in_the_project() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/endpoint"), &["Entry Published", "Workflow Transitioned"])).await;
    let mut moved = entry("moved", "workflow_transition");
    moved["workflow"] = json!({ "from": "draft", "to": "review" });
    system.happen(&[entry("one", "publish"), moved, entry("other", "save")], 2).await;
    let hits = target.hits("/endpoint");
    let published = hits.iter().find(|hit| hit.json()["event"] == "Entry Published").expect("it was told");
    let printed = r#"{"event":"Entry Published","occurredAt":"2025-05-03T12:00:00.250Z","project":"default","environment":"master","model":"posts","entry":{"id":"7K4p","slug":"hello","data":{"title":"Hello"}}}"#;
    assert_eq!(std::str::from_utf8(&published.body).expect("UTF-8"), printed);
    assert_eq!(published.headers["x-postrider-format"], "contismo-1", "the form is ours and says so");
}

#[tokio::test]
async fn a_hook_needs_a_name_a_trigger_and_a_url() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let whole = hook(&target.url("/"), &["Entry Published"]);
    for (field, path) in [("name", "name"), ("topics", "topics"), ("url", "url")] {
        let mut lacking = whole.clone();
        lacking.as_object_mut().expect("an object").remove(field);
        let answer = system.request(Method::POST, HOOKS).json(&lacking).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{field}");
        let error: Value = answer.json().await.expect("JSON");
        assert_eq!(error["details"]["errors"][0]["path"], path, "{error}");
    }
    let made = system.call(Method::POST, HOOKS, Some(&whole)).await;
    assert_eq!((&made["name"], &made["topics"]), (&whole["name"], &whole["topics"]), "shown as given");
}

#[tokio::test]
async fn the_method_is_post_put_or_patch() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/default"), &["Entry Published"])).await;
    for method in ["POST", "PUT", "PATCH"] {
        let mut hook = hook(&target.url(&format!("/{method}")), &["Entry Published"]);
        hook["transformation"] = json!({ "method": method });
        system.webhook(&hook).await;
    }
    system.happen(&[entry("one", "publish")], 4).await;
    assert_eq!(target.hits("/default")[0].method, "POST");
    for method in ["POST", "PUT", "PATCH"] {
        let hit = &target.hits(&format!("/{method}"))[0];
        assert_eq!((hit.method.as_str(), &hit.json()["event"]), (method, &json!("Entry Published")));
    }
}

#[tokio::test]
async fn secret_headers_are_sent_and_never_shown_again() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut secretive = hook(&target.url("/"), &["Entry Published"]);
    secretive["headers"] = json!([{ "key": "X-Open", "value": "seen" }, { "key": "X-Key", "value": "hidden-value", "secret": true }]);
    let id = system.webhook(&secretive).await;
    system.happen(&[entry("one", "publish")], 1).await;
    let hit = &target.hits("/")[0];
    assert_eq!(
        (&hit.headers["x-open"], &hit.headers["x-key"]),
        (&"seen".parse().expect("a value"), &"hidden-value".parse().expect("a value"))
    );
    let calls = format!("/spaces/default/webhooks/{id}/calls");
    let list = system.call(Method::GET, &calls, None).await;
    let call = list["items"][0]["sys"]["id"].as_str().expect("an id");
    for path in [HOOKS.to_owned(), format!("{HOOKS}/{id}"), format!("{calls}/{call}")] {
        let shown = system.call(Method::GET, &path, None).await.to_string();
        assert!(!shown.contains("hidden-value"), "{path}: {shown}");
    }
}

#[tokio::test]
async fn requests_are_signed_when_there_is_a_secret() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/bare"), &["Entry Published"])).await;
    let mut signed = hook(&target.url("/signed"), &["Entry Published"]);
    signed["signing"] = json!({ "secret": SECRET });
    system.webhook(&signed).await;
    let mut fixed = entry("one", "publish");
    fixed["data"] = json!({});
    system.happen(&[fixed], 2).await;
    assert!(!target.hits("/bare")[0].headers.contains_key("x-eventhook-signature"));
    // printf '%s' '{"event":"Entry Published","occurredAt":"2025-05-03T12:00:00.250Z","project":"default",
    // "environment":"master","model":"posts","entry":{"id":"7K4p","slug":"hello","data":{}}}' (in one line)
    // | openssl dgst -sha256 -hmac a-signing-secret-of-contismo
    let signature = &target.hits("/signed")[0].headers["x-eventhook-signature"];
    assert_eq!(signature, "sha256=459c7caaf783896b5972f12ae3c96bfe49c77ce9f6c79127891a50ea210b987b");
}
#[tokio::test]
async fn the_delivery_log_of_a_hook_tells_success_from_failure() {
    let target = Target::start(|hit| Answer::Status(if hit.path == "/good" { 204 } else { 500 })).await;
    let system = System::start(&[]).await;
    let good = system.webhook(&hook(&target.url("/good"), &["Entry Published"])).await;
    let mut bad = hook(&target.url("/bad"), &["Entry Published"]);
    bad["retryPolicy"] = json!("none");
    let bad = system.webhook(&bad).await;
    system.accept(&entry("one", "publish")).await;
    system.until("both are done", |balance| balance.of("delivered") + balance.of("given_up") == 2).await;
    for (id, status, healthy) in [(good, 204, 1), (bad, 500, 0)] {
        let list = system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/calls"), None).await;
        assert_eq!(
            (&list["total"], &list["items"][0]["statusCode"]),
            (&json!(1), &json!(status)),
            "its own only"
        );
        let health = system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/health"), None).await;
        assert_eq!(health["calls"], json!({ "total": 1, "healthy": healthy }));
    }
}

#[tokio::test]
async fn the_log_names_cause_and_next_step() {
    let target = Target::start(|hit| {
        Answer::Status(match hit.path.as_str() {
            "/locked" => 401,
            "/forbidden" => 403,
            _ => 404,
        })
    })
    .await;
    let system = System::start(&[]).await;
    let cases = [
        (target.url("/wrong/path"), "404", "path"),
        (target.url("/locked"), "401", "authentication"),
        (target.url("/forbidden"), "403", "authentication"),
        ("https://no-such-host.invalid/".to_owned(), "no-such-host.invalid", "host"),
    ];
    let mut ids = Vec::new();
    for (url, ..) in &cases {
        let mut hook = hook(url, &["Entry Published"]);
        hook["retryPolicy"] = json!("none");
        ids.push(system.webhook(&hook).await);
    }
    system.accept(&entry("one", "publish")).await;
    system.until("all are given up", |balance| balance.of("given_up") == 4).await;
    for (id, (url, cause, step)) in ids.iter().zip(&cases) {
        let calls = format!("/spaces/default/calls?webhook={id}");
        let list = system.call(Method::GET, &calls, None).await;
        let call = list["items"][0]["sys"]["id"].as_str().expect("an id").to_owned();
        let details = system.call(Method::GET, &format!("/spaces/default/calls/{call}"), None).await;
        let said = details["diagnosis"].to_string();
        assert!(said.contains(cause) && said.contains(step), "{url}: {details}");
    }
}

#[tokio::test]
async fn each_right_to_list_create_update_or_delete_hooks_is_its_own() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let id = system.webhook(&hook(&target.url("/"), &["Entry Published"])).await;
    let mut allowed = Vec::new();
    for role in ["publisher", "viewer", "editor", "admin"] {
        let token = json!({ "name": role, "role": role, "space": "default" });
        let token = system.call(Method::POST, "/tokens", Some(&token)).await;
        let token = token["token"].as_str().expect("a token").to_owned();
        let one = format!("{HOOKS}/{id}");
        let other = system.webhook(&hook(&target.url("/"), &["Entry Published"])).await;
        let changed = hook(&target.url("/"), &["Entry Updated"]);
        for (method, path, body) in [
            (Method::GET, HOOKS.to_owned(), None),
            (Method::POST, HOOKS.to_owned(), Some(&changed)),
            (Method::PUT, one.clone(), Some(&changed)),
            (Method::DELETE, format!("{HOOKS}/{other}"), None),
        ] {
            let mut request = system.bare(method.clone(), &path).bearer_auth(&token);
            if let Some(body) = body {
                request = request.json(body);
            }
            let status = request.send().await.expect("an answer").status();
            assert!(status.is_success() || status == StatusCode::FORBIDDEN, "{role} {method}: {status}");
            if status.is_success() {
                allowed.push(format!("{role} {method}"));
            }
        }
    }
    let all = ["editor", "admin"]
        .iter()
        .flat_map(|role| ["GET", "POST", "PUT", "DELETE"].map(|method| format!("{role} {method}")));
    let expected: Vec<String> = std::iter::once("viewer GET".to_owned()).chain(all).collect();
    assert_eq!(allowed, expected);
}
