//! Which events a webhook is called for, beyond what the five documents have in common: triggers in each CMS's own words,
//! changes of a model's fields, `changedFields` and `states`; and that explain and preview name the rule that decided.

use reqwest::Method;
use serde_json::{Value, json};

use crate::system::{System, event, webhook};
use crate::target::{Hit, Target};

/// A webhook with triggers and no topics.
fn triggered(url: &str, dialect: &str, triggers: &Value) -> Value {
    let mut hook = webhook(url, &[]);
    hook.as_object_mut().expect("an object").remove("topics");
    hook["dialect"] = json!(dialect);
    hook["triggers"] = triggers.clone();
    hook
}

fn change(id: &str, topic: &str, resource: &Value) -> Value {
    let mut change = event(id, topic);
    change["resource"] = resource.clone();
    change
}

/// The ids of the events that a path was called for, sorted.
fn told(target: &Target, path: &str) -> Vec<String> {
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    let mut told: Vec<String> = target.hits(path).iter().map(|hit| id(&hit.json())).collect();
    told.sort();
    told
}

/// What a webhook decided about an event: whether, by which rule, and how that is said.
async fn decision(system: &System, event: &str, webhook: &str) -> (bool, String, String) {
    let explained = system.call(Method::GET, &format!("/spaces/default/events/{event}/explain"), None).await;
    let webhooks = explained["webhooks"].as_array().expect("webhooks");
    let one = webhooks.iter().find(|one| one["id"] == webhook).expect("it was considered");
    let text = |name: &str| one[name].as_str().expect("a text").to_owned();
    (one["matched"].as_bool().expect("a decision"), text("rule"), text("detail"))
}

/// The same before it happens.
async fn preview(system: &System, webhook: &str, event: &Value) -> (bool, String, String) {
    let path = format!("/spaces/default/webhook_definitions/{webhook}/preview");
    let preview = system.call(Method::POST, &path, Some(&json!({ "event": event }))).await;
    let decision = &preview["decision"];
    let text = |name: &str| decision[name].as_str().unwrap_or_else(|| panic!("{preview}")).to_owned();
    (decision["matched"].as_bool().expect("a decision"), text("rule"), text("detail"))
}

#[tokio::test]
async fn triggers_may_be_written_in_the_words_of_each_cms() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let written = [
        ("/dato", json!([{ "type": "item", "actions": ["publish", "unpublish"], "contentTypes": ["post"] }])),
        ("/stack", json!([{ "type": "content_types.entries", "actions": ["publish"] }])),
        ("/comet", json!([{ "type": "content", "actions": ["published", "deleted"], "entities": ["1"] }])),
        ("/contismo", json!([{ "actions": ["Entry Moved to Trash", "Workflow Transitioned"] }])),
        ("/ours", json!([{ "type": "Entry", "actions": ["publish"] }])),
    ];
    for (path, triggers) in &written {
        let id = system.webhook(&triggered(&target.url(path), "native", triggers)).await;
        let path = format!("/spaces/default/webhook_definitions/{id}");
        let shown = system.call(Method::GET, &path, None).await;
        assert_eq!(shown["triggers"], *triggers, "they are shown as given");
        // What is shown can be sent back.
        let again = system.call(Method::PUT, &path, Some(&shown)).await;
        assert_eq!(again["triggers"], *triggers);
    }
    let (one, two) =
        (json!({ "id": "1", "contentType": "post" }), json!({ "id": "2", "contentType": "page" }));
    let events = [
        change("publish-1", "Entry.publish", &one),
        change("publish-2", "Entry.publish", &two),
        change("unpublish-1", "Entry.unpublish", &one),
        change("trash-1", "Entry.trash", &one),
        change("move-2", "Entry.workflow_transition", &two),
        change("item", "item.publish", &one),
    ];
    system.happen(&events, 2 + 2 + 2 + 2 + 2).await;
    assert_eq!(told(&target, "/dato"), ["publish-1", "unpublish-1"]);
    assert_eq!(told(&target, "/stack"), ["publish-1", "publish-2"]);
    assert_eq!(told(&target, "/comet"), ["publish-1", "trash-1"]);
    assert_eq!(told(&target, "/contismo"), ["move-2", "trash-1"]);
    assert_eq!(told(&target, "/ours"), ["publish-1", "publish-2"]);
}

#[tokio::test]
async fn a_change_of_a_field_is_an_update_of_its_model_also_under_a_limit_to_that_model() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let by_entity = json!([
        { "type": "upload", "actions": ["delete"] },
        { "type": "item_type", "actions": ["update"], "entities": ["post"] },
    ]);
    let by_entity = system.webhook(&triggered(&target.url("/entity"), "datocms", &by_entity)).await;
    let by_type = json!([{ "type": "item_type", "actions": ["update"], "contentTypes": ["post"] }]);
    system.webhook(&triggered(&target.url("/type"), "datocms", &by_type)).await;
    let mut by_topic = webhook(&target.url("/topic"), &["item_type.update"]);
    by_topic["dialect"] = json!("datocms");
    by_topic["entities"] = json!(["post"]);
    system.webhook(&by_topic).await;
    let field = |model: &str| json!({ "id": format!("{model}-title"), "contentType": model });
    let events = [
        change("created", "Field.create", &field("post")),
        change("saved", "Field.save", &field("post")),
        change("deleted", "Field.delete", &field("post")),
        change("other", "Field.save", &field("page")),
        // A model is one of itself, whether the event says so or not.
        change("model", "ContentType.save", &json!({ "id": "post" })),
        change("model-other", "ContentType.save", &json!({ "id": "page" })),
    ];
    system.happen(&events, 3 * 4).await;
    for path in ["/entity", "/type", "/topic"] {
        let models = target.hits(path).iter().map(Hit::json).collect::<Vec<_>>();
        assert_eq!(models.len(), 4, "{path}");
        for body in models {
            assert_eq!((&body["entity_type"], &body["event_type"]), (&json!("item_type"), &json!("update")));
            assert_eq!(body["entity"]["id"], "post", "{path}");
        }
    }
    let named = "triggers[1] (item_type: update)".to_owned();
    assert_eq!(decision(&system, "saved", &by_entity).await, (true, "trigger".into(), named.clone()));
    let outside = format!("{named} entities do not list page-title");
    assert_eq!(decision(&system, "other", &by_entity).await, (false, "trigger".into(), outside.clone()));
    let other = change("not-sent", "Field.save", &field("page"));
    assert_eq!(preview(&system, &by_entity, &other).await, (false, "trigger".into(), outside));
}

#[tokio::test]
async fn changed_fields_are_found_by_what_was_there_before() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut hook = webhook(&target.url("/"), &["Entry.*"]);
    hook["changedFields"] = json!(["price", "/fields/title/en"]);
    let id = system.webhook(&hook).await;
    let save = |id: &str, data: Value, previous: Option<Value>| {
        let mut save = event(id, "Entry.save");
        save["data"] = data;
        if let Some(previous) = previous {
            save["previous"] = previous;
        }
        save
    };
    let before = || Some(json!({ "price": 1, "stock": 5, "fields": { "title": { "en": "a", "de": "b" } } }));
    let with = |price: u32, stock: u32, en: &str, de: &str| json!({ "price": price, "stock": stock, "fields": { "title": { "en": en, "de": de } } });
    let unmoved = save("stock", with(1, 6, "a", "c"), before());
    let events = [
        save("price", with(2, 5, "a", "b"), before()),
        save("title", with(1, 5, "x", "b"), before()),
        save("new", with(1, 5, "a", "b"), None),
        unmoved.clone(),
    ];
    system.happen(&events, 3).await;
    assert_eq!(told(&target, "/"), ["new", "price", "title"], "without a before all of it is new");
    let expected = (false, "changedFields".into(), "none of price, /fields/title/en changed".into());
    assert_eq!(decision(&system, "stock", &id).await, expected);
    assert_eq!(preview(&system, &id, &unmoved).await, expected);
}

#[tokio::test]
async fn states_limit_a_webhook_and_by_default_none_is_muted() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&webhook(&target.url("/all"), &["Entry.save"])).await;
    let mut published = webhook(&target.url("/published"), &["Entry.save"]);
    published["states"] = json!(["published", "changed"]);
    let published = system.webhook(&published).await;
    let save = |id: &str, state: Option<&str>| match state {
        Some(state) => change(id, "Entry.save", &json!({ "id": id, "state": state })),
        None => change(id, "Entry.save", &json!({ "id": id })),
    };
    let events = [
        save("draft", Some("draft")),
        save("published", Some("published")),
        save("changed", Some("changed")),
        save("stateless", None),
    ];
    system.happen(&events, 4 + 2).await;
    assert_eq!(told(&target, "/all"), ["changed", "draft", "published", "stateless"]);
    assert_eq!(told(&target, "/published"), ["changed", "published"]);
    let expected = (false, "state".into(), "state draft is not wanted".into());
    assert_eq!(decision(&system, "draft", &published).await, expected);
    assert_eq!(preview(&system, &published, &save("later", Some("draft"))).await, expected);
}

#[tokio::test]
async fn a_preview_says_that_a_call_would_wait_for_its_window() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let id = system.webhook(&webhook(&target.url("/"), &["Entry.*"])).await;
    let edit = change("edit", "Entry.auto_save", &json!({ "id": "1" }));
    let detail = "topics[0] Entry.*; coalesced into one call per resource each 20 s";
    assert_eq!(preview(&system, &id, &edit).await, (true, "topic".into(), detail.into()));
    let save = change("save", "Entry.save", &json!({ "id": "1" }));
    assert_eq!(preview(&system, &id, &save).await, (true, "topic".into(), "topics[0] Entry.*".into()));
}
