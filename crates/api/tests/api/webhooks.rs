//! Making, showing, changing, deleting webhooks; switching them; testing them.

use axum::http::{Method, Request};
use postrider_domain::outcome::FailureKind;
use postrider_domain::webhook::PlainHttp;
use serde_json::{Value, json};

use crate::harness::{Answer, DEFINITIONS, Instance};
use crate::world::answer;

fn one(id: &str) -> String {
    format!("{DEFINITIONS}/{id}")
}

pub(crate) async fn put_at(instance: &Instance, id: &str, version: u64, body: &Value) -> Answer {
    let request = Request::put(one(id))
        .header("authorization", format!("Bearer {}", instance.admin))
        .header("x-contentful-version", version.to_string())
        .body(body.to_string().into())
        .expect("a request");
    instance.send(request).await
}

#[tokio::test]
async fn the_curl_line_of_the_documentation_makes_a_webhook() {
    let instance = Instance::start().await;
    let body = json!({"url": "https://example.com/hook", "name": "foo", "topics": ["*.*"]});
    let made = instance.post(DEFINITIONS, &body).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let sys = &made.body["sys"];
    assert_eq!(sys["type"], "WebhookDefinition");
    assert_eq!(sys["version"], 0);
    assert_eq!(sys["space"]["sys"], json!({"type": "Link", "linkType": "Space", "id": "default"}));
    assert_eq!(sys["createdAt"], "2026-01-01T12:00:00.000Z");
    let id = sys["id"].as_str().expect("an id");
    assert_eq!(id.len(), 22);
    assert_eq!(made.headers["location"].to_str().expect("ASCII"), one(id));
    assert_eq!(made.headers["content-type"], "application/vnd.contentful.management.v1+json");
    assert_eq!(made.body["active"], true);
    assert_eq!(made.body["headers"], json!([]));
    let shown = instance.get(&one(id)).await;
    assert_eq!((shown.status.as_u16(), &shown.body["url"]), (200, &json!("https://example.com/hook")));
}

#[tokio::test]
async fn everything_that_can_be_asked_for_comes_back() {
    let instance = Instance::start().await;
    let asked = json!({
        "name": "all", "url": "https://example.com/a?b=c", "active": true,
        "topics": ["Entry.publish", "Asset.*"],
        "triggers": [{"type": "Entry", "actions": ["save", "publish.*"], "contentTypes": ["blog"], "entities": ["e1"]}],
        "contentTypes": ["blog", "page"], "entities": ["e1", "e2"],
        "filters": [
            {"equals": [{"doc": "sys.environment.sys.id"}, "master"]},
            {"not": {"in": [{"doc": "sys.id"}, ["x", "y"]]}},
            {"regexp": [{"doc": "sys.contentType.sys.id"}, {"pattern": "^b"}]},
        ],
        "changedFields": ["title"], "states": ["published"],
        "headers": [{"key": "X-Plain", "value": "shown"}],
        "transformation": {"method": "PUT"},
        "dialect": "standard-webhooks", "timeout": 10,
        "retryPolicy": {"initial": 2, "factor": 3.0, "maxDelay": 60, "maxAttempts": 4, "jitter": 0.5,
            "on": {"statuses": [404], "anyFailure": false, "transport": true}},
        "coalesce": {"window": 20, "key": "webhook"}, "rateLimit": {"calls": 5, "per": 1},
    });
    let made = instance.post(DEFINITIONS, &asked).await;
    assert_eq!(made.status, 200, "{}", made.text);
    for (field, value) in asked.as_object().expect("an object") {
        assert_eq!(&made.body[field], value, "{field}");
    }
    // What was shown can be sent back unchanged, and is the same again.
    let id = made.body["sys"]["id"].as_str().expect("an id");
    let shown = instance.get(&one(id)).await.body;
    let again = instance.put(&one(id), &shown).await;
    assert_eq!((again.status.as_u16(), again.warnings()), (200, vec![]), "{}", again.text);
    for field in shown.as_object().expect("an object").keys().filter(|field| *field != "sys") {
        assert_eq!(again.body[field], shown[field], "{field}");
    }
    assert_eq!(again.body["sys"]["version"], 1);
}

#[tokio::test]
async fn triggers_in_a_dialects_words_are_shown_as_given() {
    let instance = Instance::start().await;
    let triggers = json!([
        {"type": "item_type", "actions": ["update", "delete"], "entities": ["post"]},
        {"type": "content_types.entries", "actions": ["environments.publish.success"]},
        {"type": "content"},
        {"actions": ["Entry Moved to Trash"], "contentTypes": ["blog"]},
        {"type": "Entry", "actions": ["publish"]},
        {"type": "Entry", "actions": ["publish"]},
    ]);
    let body = |triggers: &Value| json!({"name": "n", "url": "https://example.com", "triggers": triggers});
    let made = instance.post(DEFINITIONS, &body(&triggers)).await;
    assert_eq!((made.status.as_u16(), made.warnings()), (200, vec![]), "{}", made.text);
    assert_eq!(made.body["triggers"], triggers);
    let path = one(made.body["sys"]["id"].as_str().expect("an id"));
    let again = instance.put(&path, &instance.get(&path).await.body).await;
    assert_eq!((again.status.as_u16(), &again.body["triggers"]), (200, &triggers), "{}", again.text);
}

#[tokio::test]
async fn an_action_that_a_dialects_type_does_not_have_is_a_fault_or_a_warning() {
    let instance = Instance::start().await;
    let body = |trigger: Value| json!({"name": "n", "url": "https://example.com", "triggers": [trigger]});
    let odd =
        instance.post(DEFINITIONS, &body(json!({"type": "item", "actions": ["publish", "mel t"]}))).await;
    odd.is_error(422, "ValidationFailed");
    assert_eq!(odd.faults()[0].0, "triggers[0].actions[1]");
    let unknown = instance.post(DEFINITIONS, &body(json!({"type": "item", "actions": ["melt"]}))).await;
    assert_eq!(unknown.status, 200, "{}", unknown.text);
    assert!(
        unknown.warnings()[0].contains("triggers[0] item melt: no event of this type is known"),
        "{:?}",
        unknown.warnings()
    );
    let unsaid = json!({"name": "n", "url": "https://example.com", "dialect": "cometcms", "triggers": [{"type": "upload", "actions": ["create"]}]});
    let unsaid = instance.post(DEFINITIONS, &unsaid).await;
    assert!(unsaid.warnings()[0].contains("the dialect cometcms cannot say"), "{:?}", unsaid.warnings());
}

#[tokio::test]
async fn durations_are_seconds_or_texts_and_named_policies_keep_their_name() {
    let instance = Instance::start().await;
    let made = instance
        .post(DEFINITIONS, &json!({"name": "n", "url": "https://example.com", "topics": ["*.*"], "timeout": "2500ms",
            "retryPolicy": {"schedule": ["5s", "1m 30s", 600]}, "coalesce": false, "rateLimit": {"calls": 1, "per": "1m"}}))
        .await;
    assert_eq!(made.status, 200, "{}", made.text);
    assert_eq!(made.body["timeout"], 2.5);
    assert_eq!(made.body["retryPolicy"], json!({"schedule": [5, 90, 600], "jitter": 0.0}));
    assert_eq!(made.body["coalesce"], false);
    assert_eq!(made.body["rateLimit"], json!({"calls": 1, "per": 60}));
    for policy in [json!({"name": "contentstack"}), json!("contentstack")] {
        let body =
            json!({"name": "n", "url": "https://example.com", "topics": ["*.*"], "retryPolicy": policy});
        let named = instance.post(DEFINITIONS, &body).await;
        assert_eq!(named.body["retryPolicy"], json!({"name": "contentstack"}));
    }
}

#[tokio::test]
async fn topics_are_shown_as_given_and_odd_ones_come_with_a_warning() {
    let instance = Instance::start().await;
    let topics = json!(["content.deleted", "Entri.publish"]);
    let body = json!({"name": "n", "url": "https://example.com", "topics": topics, "colour": "red"});
    let made = instance.post(DEFINITIONS, &body).await;
    assert_eq!(made.body["topics"], topics, "{}", made.text);
    let warnings = made.warnings();
    assert!(
        warnings.iter().any(|text| text.starts_with("199 postrider \"") && text.contains("Entri.publish")),
        "{warnings:?}"
    );
    assert!(warnings.contains(&"199 postrider \"ignored: colour\"".to_owned()), "{warnings:?}");
    assert_eq!(warnings.len(), 2);
}

#[tokio::test]
async fn the_list_is_newest_first_and_pages() {
    let instance = Instance::start().await;
    for id in ["a", "b", "c"] {
        instance.webhook(id).await;
    }
    let listed = instance.get(&format!("{DEFINITIONS}?skip=1&limit=1&select=sys")).await;
    assert_eq!(listed.body["sys"], json!({"type": "Array"}));
    assert_eq!(
        (&listed.body["total"], &listed.body["skip"], &listed.body["limit"]),
        (&json!(3), &json!(1), &json!(1))
    );
    assert_eq!(listed.body["items"][0]["sys"]["id"], "b");
    assert_eq!(listed.body["items"].as_array().expect("a list").len(), 1);
    instance.get(&format!("{DEFINITIONS}?skip=10000")).await.is_error(400, "InvalidQuery");
    instance.get(&format!("{DEFINITIONS}?limit=many")).await.is_error(400, "InvalidQuery");
}

#[tokio::test]
async fn a_list_comes_in_the_order_asked_for_across_its_pages() {
    let instance = Instance::start().await;
    // Made a second apart, so that the last is the newest.
    for (id, name, url) in
        [("b", "2", "https://z.example"), ("c", "1", "https://y.example"), ("a", "1", "https://x.example")]
    {
        let body = json!({"name": name, "url": url, "topics": ["*.*"]});
        assert_eq!(instance.put(&one(id), &body).await.status, 200);
        instance.clock.advance(std::time::Duration::from_secs(1));
    }
    let body = json!({"name": "2", "url": "https://z.example", "topics": ["*.*"]});
    instance.put(&one("b"), &body).await;
    let ids = async |query: &str| {
        let listed = instance.get(&format!("{DEFINITIONS}?{query}")).await.body;
        assert_eq!(listed["total"], 3, "{listed}");
        let items = listed["items"].as_array().expect("a list").iter();
        items.map(|item| item["sys"]["id"].as_str().expect("an id").to_owned()).collect::<String>()
    };
    for (query, wanted) in [
        ("order=sys.id", "abc"),
        ("order=-sys.id", "cba"),
        ("order=sys.createdAt", "bca"),
        ("order=-sys.updatedAt", "bac"),
        ("order=url", "acb"),
        ("order=name,-sys.id", "cab"),
        // What is equal stays newest first.
        ("order=name", "acb"),
        ("order=sys.id&skip=1&limit=1", "b"),
        ("order=sys.id&skip=3", ""),
        ("limit=100", "acb"),
    ] {
        assert_eq!(ids(query).await, wanted, "{query}");
    }
    for bad in ["sys.version", "name,", "-", "--name", "name,name,name,name,name,name"] {
        let refused = instance.get(&format!("{DEFINITIONS}?order={bad}")).await;
        refused.is_error(400, "InvalidQuery");
        assert!(refused.text.contains("sys.updatedAt"), "{}", refused.text);
    }
}

#[tokio::test]
async fn a_change_replaces_everything_and_an_old_version_is_refused() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let body = json!({"name": "new", "url": "https://example.com/2", "topics": ["Entry.publish"]});
    let changed = put_at(&instance, "w", 0, &body).await;
    assert_eq!((changed.status.as_u16(), &changed.body["name"]), (200, &json!("new")));
    assert_eq!(changed.body["sys"]["version"], 1);
    assert!(changed.headers.get("location").is_none());
    let late = put_at(&instance, "w", 0, &body).await;
    late.is_error(409, "VersionMismatch");
    assert!(late.body["message"].as_str().expect("a message").contains("version 1"), "{}", late.text);
    assert_eq!(instance.get(&one("w")).await.body["sys"]["version"], 1);
    // Without the header the last one wins, as with Contentful.
    assert_eq!(instance.put(&one("w"), &body).await.body["sys"]["version"], 2);
    put_at(&instance, "gone", 3, &body).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_change_without_an_expected_version_is_tried_again_after_a_race_but_not_for_ever() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let body = json!({"name": "new", "url": "https://example.com/2", "topics": ["Entry.publish"]});
    *instance.store.races.lock().expect("lock") = 2;
    assert_eq!(instance.put(&one("w"), &body).await.body["name"], "new");
    *instance.store.races.lock().expect("lock") = 100;
    instance.put(&one("w"), &body).await.is_error(409, "Conflict");
}

#[tokio::test]
async fn a_webhook_is_deleted_once_and_only_at_the_expected_version() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let at = |version: &str| {
        Request::delete(one("w"))
            .header("authorization", format!("Bearer {}", instance.admin))
            .header("x-contentful-version", version)
            .body(axum::body::Body::empty())
            .expect("a request")
    };
    instance.send(at("7")).await.is_error(409, "VersionMismatch");
    instance.send(at("seven")).await.is_error(400, "BadRequest");
    let deleted = instance.send(at("0")).await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    instance.delete(&one("w")).await.is_error(404, "NotFound");
    instance.get(&one("w")).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_webhook_is_switched_off_and_on_and_says_why_it_is_off() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let off = instance.post(&format!("{}/disable", one("w")), &json!({})).await;
    assert_eq!(off.body["active"], false);
    assert_eq!(off.body["disabled"]["by"], "user");
    assert_eq!(off.body["sys"]["version"], 1);
    // Again changes nothing.
    let again = instance.post(&format!("{}/disable", one("w")), &json!({})).await;
    assert_eq!(again.body["sys"]["version"], 1);
    // Sent back with a change it stays off, and keeps its reason.
    let mut shown = again.body.clone();
    shown["name"] = json!("renamed");
    let kept = instance.put(&one("w"), &shown).await;
    assert_eq!((&kept.body["active"], &kept.body["disabled"]), (&json!(false), &shown["disabled"]));
    let on = instance.post(&format!("{}/enable", one("w")), &json!({})).await;
    assert_eq!((&on.body["active"], &on.body["disabled"]), (&json!(true), &Value::Null));
    instance.post(&format!("{}/enable", one("nobody")), &json!({})).await.is_error(404, "NotFound");
    instance.post(&format!("{}/disable", one("nobody")), &json!({})).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_test_call_goes_out_at_once_signed_and_is_shown_masked() {
    let instance = Instance::start().await;
    let body = json!({"name": "n", "url": "https://example.com/hook", "topics": ["Asset.*"], "active": false,
        "dialect": "standard-webhooks", "headers": [{"key": "X-Key", "value": "s3cret-value", "secret": true}]});
    instance.put(&one("w"), &body).await;
    instance.sender.script("https://example.com/hook", [Ok(answer(200, b"fine"))]);
    let tested = instance.post(&format!("{}/test", one("w")), &json!({})).await;
    assert_eq!(tested.status, 200, "{}", tested.text);
    assert_eq!(tested.body["statusCode"], 200);
    assert_eq!(tested.body["response"]["body"], "fine");
    assert_eq!(tested.body["request"]["headers"]["X-Key"], "•••");
    assert_eq!(tested.body["event"]["resource"]["title"], "Test event from Postrider");
    assert_eq!(tested.body["state"], "delivered");
    let sent = instance.sender.sent();
    let header = |name: &str| {
        let found = sent[0].headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    assert_eq!(header("x-key"), "s3cret-value");
    assert!(header("webhook-signature").starts_with("v1,"));
    assert!(instance.store.calls.lock().expect("lock").is_empty(), "a test is not logged");
}

#[tokio::test]
async fn a_test_call_that_fails_says_how() {
    let instance = Instance::start().await;
    instance.webhook("w").await;
    let failure = postrider_domain::call::Failure {
        kind: FailureKind::AddressBlocked,
        message: "10.0.0.1 is private".into(),
    };
    instance.sender.script("https://example.com/hook", [Err(failure), Ok(answer(500, b"broken"))]);
    let tested = instance.post(&format!("{}/test", one("w")), &json!({})).await;
    assert_eq!(tested.body["failure"], json!({"kind": "address_blocked", "message": "10.0.0.1 is private"}));
    assert_eq!((&tested.body["response"], &tested.body["statusCode"]), (&Value::Null, &Value::Null));
    assert_eq!(tested.body["state"], "given_up");
    let broken = instance.post(&format!("{}/test", one("w")), &json!({})).await;
    assert_eq!((&broken.body["statusCode"], &broken.body["state"]), (&json!(500), &json!("given_up")));
    instance.post(&format!("{}/test", one("nobody")), &json!({})).await.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_space_takes_only_so_many_webhooks() {
    let instance = Instance::start().await;
    for id in ["a", "b", "c", "d", "e"] {
        instance.webhook(id).await;
    }
    let body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"]});
    instance.post(DEFINITIONS, &body).await.is_error(409, "Conflict");
}

#[tokio::test]
async fn plain_http_is_taken_where_the_operator_allows_it() {
    let hook = |url: &str| json!({"name": "n", "url": url, "topics": ["*.*"]});
    let taken =
        async |instance: &Instance, url: &str| instance.post(DEFINITIONS, &hook(url)).await.status == 200;
    let loopback = Instance::start_with(PlainHttp::Loopback).await;
    for near in ["http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]/x"] {
        assert!(taken(&loopback, near).await, "{near}");
    }
    for far in ["http://example.com", "http://10.0.0.1", "http://localhost.example.com"] {
        assert!(!taken(&loopback, far).await, "{far}");
    }
    assert!(taken(&Instance::start_with(PlainHttp::Always).await, "http://example.com").await);
    let refused = Instance::start().await.post(DEFINITIONS, &hook("http://127.0.0.1")).await;
    refused.is_error(422, "ValidationFailed");
    assert!(refused.text.contains("outbound.plain_http"), "{}", refused.text);
}

#[tokio::test]
async fn a_webhook_cannot_be_made_under_an_id_that_is_none() {
    let instance = Instance::start().await;
    let body = json!({"name": "n", "url": "https://example.com", "topics": ["*.*"]});
    let answer = instance.call_as(&instance.admin, Method::PUT, &one("a%20b"), Some(&body)).await;
    answer.is_error(404, "NotFound");
}

#[tokio::test]
async fn a_header_that_is_said_to_be_no_secret_is_returned_as_it_was_said() {
    let instance = Instance::start().await;
    let headers = json!([
        {"key": "X-Plain", "value": "shown"},
        {"key": "X-Open", "value": "shown too", "secret": false},
    ]);
    let mut hook =
        json!({"name": "n", "url": "https://example.com/hook", "topics": ["*.*"], "headers": headers});
    let made = instance.post(DEFINITIONS, &hook).await;
    assert_eq!(made.body["headers"], headers);
    let id = made.body["sys"]["id"].as_str().expect("an id");
    assert_eq!(instance.get(&one(id)).await.body["headers"], headers);
    hook["headers"] = json!([{"key": "X-Open", "secret": true}]);
    let hidden = put_at(&instance, id, 0, &hook).await;
    assert_eq!(hidden.body["headers"], json!([{"key": "X-Open", "secret": true}]), "{}", hidden.text);
}
