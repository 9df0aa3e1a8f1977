//! The events of one window become one call with the newest state.

use reqwest::Method;
use serde_json::{Value, json};

use crate::system::{System, event, webhook};
use crate::target::Target;

fn edit(id: usize, document: &str) -> Value {
    let mut edit = event(&format!("{document}-{id:03}"), "Entry.auto_save");
    edit["resource"] = json!({ "id": document, "version": id });
    edit
}

#[tokio::test]
async fn a_burst_of_edits_is_one_call_with_the_last_state() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = webhook(&target.url("/"), &["Entry.auto_save"]);
    hook["coalesce"] = json!({ "window": 5, "key": "resource" });
    system.webhook(&hook).await;
    let burst = (1..=40).map(|n| edit(n, "one")).chain((1..=40).map(|n| edit(n, "two"))).collect::<Vec<_>>();
    system.accept(&json!(burst)).await;
    let balance =
        system.until("all are settled", |balance| balance.total() == 80 && balance.of("pending") == 0).await;
    assert_eq!((balance.of("delivered"), balance.of("superseded")), (2, 78), "two documents share no window");
    let versions = target
        .hits("/")
        .iter()
        .map(|hit| serde_json::from_slice::<Value>(&hit.body).expect("JSON")["resource"]["version"].clone())
        .collect::<Vec<_>>();
    assert_eq!(versions, [json!(40), json!(40)]);
}

#[tokio::test]
async fn a_lone_edit_is_one_call_and_survives_a_restart_inside_its_window() {
    let (mut system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = webhook(&target.url("/"), &["Entry.auto_save"]);
    hook["coalesce"] = json!({ "window": 10, "key": "resource" });
    system.webhook(&hook).await;
    system.accept(&edit(1, "one")).await;
    system.until("it waits", |balance| balance.of("pending") == 1).await;
    system.kill().await;
    system.run().await;
    system.until("it is delivered", |balance| balance.of("delivered") == 1).await;
    assert_eq!(target.count(), 1);
}

#[tokio::test]
async fn fifty_publishes_of_a_release_are_one_build_that_lists_what_it_stands_for() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let rule = json!({ "window": 5, "key": "webhook" });
    let mut build = webhook(&target.url("/build"), &["Entry.publish"]);
    build["coalesce"] = rule.clone();
    system.webhook(&build).await;
    let mut hook = webhook(&target.url("/cms"), &["Entry.publish"]);
    hook["coalesce"] = rule.clone();
    hook["dialect"] = json!("contentful");
    system.webhook(&hook).await;
    let mut slim = webhook(&target.url("/slim"), &["Entry.publish"]);
    slim["coalesce"] = rule;
    slim["template"] = json!({ "body": "{\"changed\":{{coalesced.count}}}" });
    system.webhook(&slim).await;

    let publish = |n: usize| {
        let mut publish = event(&format!("p-{n:02}"), "Entry.publish");
        publish["resource"] = json!({ "id": format!("entry-{n}"), "version": 100 - n });
        publish["occurredAt"] = json!(format!("2026-01-01T12:00:{n:02}.000Z"));
        publish["cause"] = json!({ "kind": "release", "id": "r1", "title": "Release01" });
        publish
    };
    system.accept(&json!((0..50).map(publish).collect::<Vec<_>>())).await;
    let balance =
        system.until("all are settled", |balance| balance.total() == 150 && balance.of("pending") == 0).await;
    assert_eq!((balance.of("delivered"), balance.of("superseded")), (3, 147));

    let ids: Vec<String> = (0..50).map(|n| format!("p-{n:02}")).collect();
    let header = format!("50; {}", ids.join(" "));
    for path in ["/build", "/cms", "/slim"] {
        let hits = target.hits(path);
        assert_eq!(hits.len(), 1, "{path}: one build");
        assert_eq!(hits[0].headers["x-postrider-coalesced"], header.as_str(), "{path}");
    }
    let built = target.hits("/build")[0].json();
    assert_eq!((&built["id"], &built["coalesced"]["count"]), (&json!("p-49"), &json!(50)), "the newest");
    let listed = built["coalesced"]["events"].as_array().expect("a list");
    assert_eq!(listed.iter().map(|one| one["id"].clone()).collect::<Vec<_>>(), ids);
    assert_eq!(
        listed[7],
        json!({ "id": "p-07", "type": "Entry", "action": "publish", "occurredAt": "2026-01-01T12:00:07.000Z",
            "resource": { "id": "entry-7" } })
    );
    let told = String::from_utf8(target.hits("/cms")[0].body.to_vec()).expect("UTF-8");
    assert!(!told.contains("coalesced"), "the body is what Contentful would send: {told}");
    assert_eq!(target.hits("/slim")[0].body, r#"{"changed":50}"#);

    let explained =
        system.call(Method::GET, "/spaces/default/environments/master/events/p-03/explain", None).await;
    let webhooks = explained["webhooks"].as_array().expect("webhooks");
    assert!(
        webhooks
            .iter()
            .all(|one| one["detail"]
                == "topics[0] Entry.publish; coalesced into one call per webhook each 5 s"),
        "{explained}"
    );
}

#[tokio::test]
async fn an_unpublish_without_a_version_is_newer_than_the_publish_before_it() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = webhook(&target.url("/"), &["Entry.*"]);
    hook["coalesce"] = json!({ "window": 3, "key": "resource" });
    system.webhook(&hook).await;
    let change = |id: &str, topic: &str, resource: Value, second: u32| {
        let mut change = event(id, topic);
        change["resource"] = resource;
        change["occurredAt"] = json!(format!("2026-01-01T12:00:{second:02}.000Z"));
        change
    };
    let (down, up) = (json!({ "id": "doc" }), json!({ "id": "doc", "version": 7 }));
    // The later one comes in first.
    let changes = [change("down", "Entry.unpublish", down, 2), change("up", "Entry.publish", up, 1)];
    system.accept(&json!(changes)).await;
    system.until("both are settled", |balance| balance.total() == 2 && balance.of("pending") == 0).await;
    let told: Vec<Value> = target.hits("/").iter().map(|hit| hit.json()["id"].clone()).collect();
    assert_eq!(told, [json!("down")]);
}
