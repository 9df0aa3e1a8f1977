//! What is sealed with which key is counted, and sealed anew without harm to what happens at the same time.

use axum::http::Method;
use postrider_domain::id::{SourceId, SpaceId, WebhookId};
use postrider_domain::space::{SlackAccess, SlackConnection, SpaceKey, SpaceSettings, SpaceSigning};
use postrider_domain::webhook::Webhook;
use postrider_ports::access::Spaces;
use postrider_ports::registry::Registry;
use postrider_ports::secrets::{Place, RSA, SIGNING, SLACK, SPACE, Secrets};
use postrider_ports::sources::Sources;
use serde_json::{Value, json};

use crate::harness::{Answer, DEFINITIONS, Instance};

const SECRETS: [&str; 4] =
    ["planted-header-value", "planted-password", "planted-signing-secret", "planted-source-secret"];

fn space() -> SpaceId {
    SpaceId::new("default").expect("id")
}

/// A webhook with three secrets.
async fn guarded(instance: &Instance, id: &str) {
    let body = json!({
        "name": "n", "url": "https://example.com/hook", "topics": ["*.*"], "dialect": "standard-webhooks",
        "headers": [{"key": "X-Key", "value": SECRETS[0], "secret": true}],
        "httpBasicUsername": "user", "httpBasicPassword": SECRETS[1], "signing": {"secret": SECRETS[2]},
    });
    let made = instance.put(&format!("{DEFINITIONS}/{id}"), &body).await;
    assert_eq!(made.status, 200, "{}", made.text);
}

async fn source(instance: &Instance) {
    let body = json!({"name": "n", "dialect": "cometcms", "secret": SECRETS[3]});
    let made = instance.put("/spaces/default/sources/cms", &body).await;
    assert_eq!(made.status, 201, "{}", made.text);
}

async fn stored(instance: &Instance, id: &str) -> Webhook {
    let id = WebhookId::new(id).expect("id");
    instance.store.memory.get(&space(), &id).await.expect("here").expect("stored")
}

/// Each key with whether it seals, whether it is there, and how many secrets it sealed of webhooks and sources.
async fn keys(instance: &Instance) -> Vec<(String, bool, bool, u64, u64)> {
    let listed = instance.get("/keys").await;
    assert_eq!(listed.status, 200, "{}", listed.text);
    let count = |key: &Value, kind: &str| key["sealed"][kind].as_u64().expect("a count");
    let items = listed.body["items"].as_array().expect("items").iter();
    items
        .map(|key| {
            let id = key["sys"]["id"].as_str().expect("an id").to_owned();
            (id, key["active"] == true, key["inRing"] == true, count(key, "webhooks"), count(key, "sources"))
        })
        .collect()
}

fn key(id: &str, active: bool, in_ring: bool, webhooks: u64, sources: u64) -> (String, bool, bool, u64, u64) {
    (id.to_owned(), active, in_ring, webhooks, sources)
}

/// Signs a test call of the webhook; the headers that were sent.
async fn test_call(instance: &Instance, id: &str) -> Vec<(String, String)> {
    let called = instance.post(&format!("{DEFINITIONS}/{id}/test"), &json!({})).await;
    assert_eq!(called.status, 200, "{}", called.text);
    let sent = instance.sender.sent();
    let mut headers = sent.last().expect("a request").headers.clone();
    headers.retain(|(name, _)| ["X-Key", "authorization"].iter().any(|one| one.eq_ignore_ascii_case(name)));
    headers
}

async fn reseal(instance: &Instance, order: &Value) -> Answer {
    let done = instance.post("/keys/reseal", order).await;
    assert_eq!(done.status, 200, "{}", done.text);
    done
}

#[tokio::test]
async fn what_is_stored_is_sealed_anew_in_parts_and_stays_what_it_is() {
    let instance = Instance::start().await;
    for id in ["a", "b", "c"] {
        guarded(&instance, id).await;
    }
    source(&instance).await;
    let (before, called) = (stored(&instance, "a").await, test_call(&instance, "a").await);
    assert_eq!(keys(&instance).await, [key("k1", true, true, 9, 1)]);
    instance.ring.set(&["k2", "k1"]);
    assert_eq!(keys(&instance).await, [key("k2", true, true, 0, 0), key("k1", false, true, 9, 1)]);

    // A limit is looked at before each thing, which is sealed as a whole; the settings of a space come last.
    let mut order = json!({"key": "k2", "limit": 4});
    let mut parts = Vec::new();
    loop {
        let done = reseal(&instance, &order).await.body;
        assert_eq!((&done["active"], &done["failures"]), (&json!("k2"), &json!(0)), "{done}");
        let count = |kind: &str| done["resealed"][kind].as_u64().expect("a count");
        parts.push((count("webhooks"), count("sources")));
        if done["next"].is_null() {
            break;
        }
        order["from"] = done["next"].clone();
    }
    assert_eq!(parts, [(6, 0), (3, 1), (0, 0)]);
    assert_eq!(keys(&instance).await, [key("k2", true, true, 9, 1), key("k1", false, true, 0, 0)]);
    let after = stored(&instance, "a").await;
    assert_eq!((after.version, &after.audit), (before.version + 1, &before.audit));
    let again = reseal(&instance, &json!({})).await;
    assert_eq!(again.body["resealed"], json!({"webhooks": 0, "sources": 0, "settings": 0}), "{}", again.text);
    assert_eq!(stored(&instance, "a").await, after, "what is done is passed over");

    // Without the old key everything opens, and is what it was.
    instance.ring.set(&["k2"]);
    assert_eq!(test_call(&instance, "a").await, called);
    assert_eq!(keys(&instance).await, [key("k2", true, true, 9, 1)]);
}

#[tokio::test]
async fn what_others_change_at_the_same_time_is_neither_lost_nor_left_behind() {
    let instance = Instance::start().await;
    guarded(&instance, "w").await;
    source(&instance).await;
    instance.ring.set(&["k2", "k1"]);
    let read = stored(&instance, "w").await;
    let theirs = Webhook { name: "theirs".to_owned(), version: read.version + 1, ..read.clone() };
    *instance.store.meanwhile.lock().expect("lock") = Some(theirs);
    *instance.store.races.lock().expect("lock") = 2;
    let done = reseal(&instance, &json!({})).await;
    assert_eq!(done.body["resealed"]["webhooks"], 3, "{}", done.text);
    let after = stored(&instance, "w").await;
    assert_eq!((after.name.as_str(), after.version), ("theirs", read.version + 2));
    // One that never stops changing is told, and nothing else waits for it.
    instance.ring.set(&["k3", "k2"]);
    *instance.store.races.lock().expect("lock") = 5;
    let done = reseal(&instance, &json!({})).await;
    assert_eq!(
        (&done.body["failures"], &done.body["resealed"]["sources"]),
        (&json!(1), &json!(1)),
        "{}",
        done.text
    );
    let failed = &done.body["failed"][0];
    assert_eq!((&failed["type"], &failed["id"]), (&json!("WebhookDefinition"), &json!("w")), "{failed}");
    assert!(failed["reason"].as_str().expect("a reason").contains("ask again"), "{failed}");
}

#[tokio::test]
async fn the_secrets_of_a_space_are_sealed_anew_too() {
    let instance = Instance::start().await;
    let (space, now) = (space(), instance.now());
    let place = |owner, field| Place { space: &space, owner, field };
    let seal =
        |owner, field| instance.ring.seal(place(owner, field), "planted-space-secret").expect("sealed");
    let made = || (now, "somebody".to_owned());
    let ((created_at, created_by), (connected_at, connected_by)) = (made(), made());
    let access = SlackAccess::Incoming { url: seal("news", SLACK) };
    let settings = SpaceSettings {
        version: 1,
        signing: Some(SpaceSigning {
            secret: seal(SPACE, SIGNING),
            last_four: "cret".into(),
            created_at,
            created_by,
        }),
        rsa: Some(SpaceKey { secret: seal(SPACE, RSA), public_pem: "open".into(), created_at }),
        slack: vec![SlackConnection {
            id: "news".into(),
            name: "News".into(),
            access,
            created_at: connected_at,
            created_by: connected_by,
        }],
        ..SpaceSettings::default()
    };
    assert!(instance.sources.put_settings(&space, &settings, 0).await.expect("stored"));
    instance.ring.set(&["k2", "k1"]);
    let listed = instance.get("/keys").await;
    assert_eq!(listed.body["items"][1]["sealed"]["settings"], 3, "{}", listed.text);
    let done = reseal(&instance, &json!({})).await;
    assert_eq!(
        (&done.body["resealed"]["settings"], &done.body["next"]),
        (&json!(3), &Value::Null),
        "{}",
        done.text
    );
    let listed = instance.get("/keys").await;
    assert_eq!(listed.body["items"][0]["sealed"]["settings"], 3, "{}", listed.text);
    let after = instance.sources.settings(&space).await.expect("here");
    assert_eq!((after.version, &after.slack[0].name), (2, &settings.slack[0].name));
    instance.ring.set(&["k2"]);
    let secret = after.signing.expect("it stays").secret;
    assert_eq!(instance.ring.open(place(SPACE, SIGNING), &secret).expect("opens"), "planted-space-secret");
}

#[tokio::test]
async fn a_lost_key_is_named_and_what_it_sealed_heals_when_it_is_back() {
    let instance = Instance::start().await;
    guarded(&instance, "old").await;
    instance.ring.set(&["k2"]);
    guarded(&instance, "new").await;
    assert_eq!(keys(&instance).await, [key("k2", true, true, 3, 0), key("k1", false, false, 3, 0)]);
    let done = reseal(&instance, &json!({})).await;
    assert_eq!(done.body["failures"], 3, "{}", done.text);
    let reason = done.body["failed"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("\"k1\"") && reason.contains("not in the key ring"), "{reason}");
    let refused = instance.post(&format!("{DEFINITIONS}/old/test"), &json!({})).await;
    refused.is_error(409, "Conflict");
    assert!(refused.text.contains("k1"), "{}", refused.text);
    test_call(&instance, "new").await;

    instance.ring.set(&["k2", "k1"]);
    test_call(&instance, "old").await;
    let done = reseal(&instance, &json!({"key": "k2"})).await;
    assert_eq!((&done.body["failures"], &done.body["resealed"]["webhooks"]), (&json!(0), &json!(3)));
}

#[tokio::test]
async fn a_source_that_is_changed_without_its_secret_is_sealed_with_the_active_key() {
    let instance = Instance::start().await;
    source(&instance).await;
    instance.ring.set(&["k2", "k1"]);
    let body = json!({"name": "another", "dialect": "cometcms"});
    assert_eq!(instance.put("/spaces/default/sources/cms", &body).await.status, 200);
    assert_eq!(keys(&instance).await, [key("k2", true, true, 0, 1), key("k1", false, true, 0, 0)]);
    let id = SourceId::new("cms").expect("id");
    let source = instance.sources.source(&space(), &id).await.expect("here").expect("stored");
    assert_eq!(source.name, "another");
}

#[tokio::test]
async fn an_order_that_cannot_be_is_refused() {
    let instance = Instance::start().await;
    guarded(&instance, "w").await;
    for (body, path) in [
        (json!({"limit": 0}), "limit"),
        (json!({"limit": 1001}), "limit"),
        (json!({"from": "no space"}), "from"),
        (json!({"keys": "k2"}), "keys"),
    ] {
        let refused = instance.post("/keys/reseal", &body).await;
        refused.is_error(422, "ValidationFailed");
        assert_eq!(refused.faults()[0].0, path, "{}", refused.text);
    }
    let other = instance.post("/keys/reseal", &json!({"key": "k9"})).await;
    other.is_error(409, "Conflict");
    assert!(other.text.contains("k1") && other.text.contains("k9"), "{}", other.text);
    for (role, space) in [("editor", "*"), ("viewer", "*"), ("admin", "default")] {
        let token = instance.token(role, space).await;
        instance.call_as(&token, Method::GET, "/keys", None).await.is_error(403, "AccessDenied");
        let reseal = instance.call_as(&token, Method::POST, "/keys/reseal", Some(&json!({}))).await;
        reseal.is_error(403, "AccessDenied");
    }
}
