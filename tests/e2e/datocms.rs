//! What DatoCMS's document on webhooks promises (`docs/promises.md`), kept by webhooks of the dialect `datocms`.

use reqwest::Method;
use serde_json::{Value, json};

use crate::system::{System, webhook};
use crate::target::{Answer, Target};

/// "HTTP request details": the payload of a record update, white space as printed.
const PAYLOAD: &str = r#"{
  "entity_type": "item",
  "event_type": "update",
  "entity": {
    "id": "293467",
    "type": "item",
    "attributes": {
      "created_at": "2018-05-22T10:13:00.461Z",
      "updated_at": "2018-08-02T10:54:09.616Z",
      "is_valid": true,
      "avatar": {
        "path": "/205/1526984443-irene.png",
        "format": "png",
        "size": 242630,
        "alt": null,
        "title": null,
        "width": 329,
        "height": 286
      },
      "name": "Irene Oppo",
      "gallery": []
    },
    "relationships": {
      "item_type": {
        "data": {
          "id": "1423",
          "type": "item_type"
        }
      },
      "published_version": {
        "data": {
          "id": "716593",
          "type": "item_version"
        }
      },
      "current_version": {
        "data": {
          "id": "716593",
          "type": "item_version"
        }
      }
    }
  }
}"#;

/// "Customize the HTTP payload": the template, and what it is converted into.
const TEMPLATE: &str = r#"{
  "message": "{{event_type}} event triggered on {{entity_type}}!",
  "entity_id": "{{#entity}}{{id}}{{/entity}}"
}"#;
const CONVERTED: &str = r#"{
  "message": "update event triggered on item!",
  "entity_id": "123213"
}"#;

fn hook(url: &str, topics: &[&str]) -> Value {
    let mut hook = webhook(url, topics);
    hook["dialect"] = json!("datocms");
    hook
}

/// A webhook with triggers and no topics.
fn triggered(url: &str, triggers: &Value) -> Value {
    let mut hook = hook(url, &[]);
    hook.as_object_mut().expect("an object").remove("topics");
    hook["triggers"] = triggers.clone();
    hook
}

fn change(id: &str, event_type: &str, action: &str, resource: &Value) -> Value {
    json!({ "id": id, "type": event_type, "action": action, "resource": resource, "data": { "title": "Hello" } })
}

fn record(id: &str, action: &str, record: &str, model: &str) -> Value {
    change(id, "Entry", action, &json!({ "id": record, "contentType": model }))
}

/// What was told, sorted: `item update 42`.
fn told(target: &Target, path: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut told: Vec<String> = target
        .hits(path)
        .iter()
        .map(|hit| {
            let body = hit.json();
            let [kind, what, id] =
                [&body["entity_type"], &body["event_type"], &body["entity"]["id"]].map(text);
            format!("{kind} {what} {id}")
        })
        .collect();
    told.sort();
    told
}

#[tokio::test]
async fn any_url_basic_authentication_and_custom_headers() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut lambda = hook(&target.url("/2015-03-31/functions/mine/invocations?q=1"), &["item.update"]);
    lambda["httpBasicUsername"] = json!("editor");
    lambda["httpBasicPassword"] = json!("s3cret");
    lambda["headers"] = json!([{ "key": "X-Api-Key", "value": "k3y-of-mine", "secret": true }, { "key": "X-From", "value": "dato" }]);
    system.webhook(&lambda).await;
    system.happen(&[record("one", "save", "42", "post")], 1).await;
    let hit = &target.hits("/2015-03-31/functions/mine/invocations")[0];
    assert_eq!(hit.target, "/2015-03-31/functions/mine/invocations?q=1");
    // printf editor:s3cret | base64
    assert_eq!(hit.headers["authorization"], "Basic ZWRpdG9yOnMzY3JldA==");
    assert_eq!(
        (&hit.headers["x-api-key"], &hit.headers["x-from"]),
        (&"k3y-of-mine".parse().expect("a value"), &"dato".parse().expect("a value"))
    );
}

#[tokio::test]
async fn several_triggers_each_fire_and_each_near_miss_does_not() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let triggers = json!([
        { "type": "Entry", "actions": ["publish"], "contentTypes": ["a"] },
        { "type": "Entry", "actions": ["delete"], "entities": ["42"] },
        { "type": "ContentType", "actions": ["save"], "entities": ["b"] },
        { "type": "Asset", "actions": ["delete"] },
    ]);
    system.webhook(&triggered(&target.url("/"), &triggers)).await;
    let model =
        |id: &str, action: &str, model: &str| change(id, "ContentType", action, &json!({ "id": model }));
    let upload = |id: &str, action: &str| change(id, "Asset", action, &json!({ "id": "u1" }));
    let events = [
        record("publish-a", "publish", "1", "a"),
        record("delete-42", "delete", "42", "c"),
        model("update-b", "save", "b"),
        upload("delete-u", "delete"),
        // Near misses: another model, another action, another record, another model, another action.
        record("publish-c", "publish", "1", "c"),
        record("unpublish-a", "unpublish", "1", "a"),
        record("delete-43", "delete", "43", "a"),
        model("update-a", "save", "a"),
        upload("create-u", "create"),
    ];
    system.happen(&events, 4).await;
    let expected = ["item delete 42", "item publish 1", "item_type update b", "upload delete u1"];
    assert_eq!(told(&target, "/"), expected);
}

#[tokio::test]
async fn a_record_is_told_when_created_updated_deleted_published_or_unpublished() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/all"), &["item.*"])).await;
    system.webhook(&hook(&target.url("/some"), &["item.create", "item.unpublish"])).await;
    let actions = ["create", "save", "delete", "publish", "unpublish"];
    let events = actions.map(|action| record(action, action, "42", "post"));
    system.happen(&events, 7).await;
    let all = ["item create 42", "item delete 42", "item publish 42", "item unpublish 42", "item update 42"];
    assert_eq!(told(&target, "/all"), all);
    assert_eq!(told(&target, "/some"), ["item create 42", "item unpublish 42"]);
}

#[tokio::test]
async fn records_can_be_limited_to_given_ones_or_to_given_models() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let of_records = json!([{ "type": "Entry", "entities": ["42", "43"] }]);
    let of_models = json!([{ "type": "Entry", "contentTypes": ["post"] }]);
    system.webhook(&triggered(&target.url("/records"), &of_records)).await;
    system.webhook(&triggered(&target.url("/models"), &of_models)).await;
    let events = [
        record("1", "save", "42", "page"),
        record("2", "save", "44", "post"),
        record("3", "save", "43", "post"),
    ];
    system.happen(&events, 4).await;
    assert_eq!(told(&target, "/records"), ["item update 42", "item update 43"]);
    assert_eq!(told(&target, "/models"), ["item update 43", "item update 44"]);
}

#[tokio::test]
async fn a_model_is_told_when_it_or_one_of_its_fields_changes() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/any"), &["item_type.*"])).await;
    system
        .webhook(&triggered(
            &target.url("/one"),
            &json!([
                { "type": "ContentType", "entities": ["post"] },
                { "type": "Field", "contentTypes": ["post"] },
            ]),
        ))
        .await;
    let model =
        |id: &str, action: &str, model: &str| change(id, "ContentType", action, &json!({ "id": model }));
    let field =
        |id: &str, action: &str| change(id, "Field", action, &json!({ "id": "f1", "contentType": "post" }));
    let events = [
        model("1", "create", "post"),
        model("2", "save", "page"),
        model("3", "delete", "page"),
        field("4", "create"),
        field("5", "save"),
        field("6", "delete"),
    ];
    system.happen(&events, 10).await;
    let mut any = vec!["item_type create post", "item_type delete page", "item_type update page"];
    any.extend(["item_type update post"; 3]);
    assert_eq!(told(&target, "/any"), any);
    assert_eq!(
        told(&target, "/one"),
        ["item_type create post", "item_type update post", "item_type update post", "item_type update post"]
    );
}

#[tokio::test]
async fn an_upload_and_a_deployed_environment_are_told() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system
        .webhook(&hook(&target.url("/uploads"), &["upload.create", "upload.update", "upload.delete"]))
        .await;
    system.webhook(&hook(&target.url("/deploys"), &["environment.deploy"])).await;
    let upload = |action: &str| change(action, "Asset", action, &json!({ "id": "u1" }));
    let events = [
        upload("create"),
        upload("save"),
        upload("delete"),
        change("deploy", "Environment", "deploy", &json!({ "id": "main" })),
        change("made", "Environment", "create", &json!({ "id": "sandbox" })),
    ];
    system.happen(&events, 4).await;
    assert_eq!(told(&target, "/uploads"), ["upload create u1", "upload delete u1", "upload update u1"]);
    assert_eq!(told(&target, "/deploys"), ["environment deploy main"]);
}

#[tokio::test]
async fn the_documents_template_over_its_update_gives_the_printed_body() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let mut custom = hook(&target.url("/items/{{entity.id}}"), &["item.update"]);
    custom["template"] = json!({ "body": TEMPLATE });
    system.webhook(&custom).await;
    system.happen(&[record("one", "save", "123213", "post")], 1).await;
    let hits = target.hits("/items/123213");
    assert_eq!(std::str::from_utf8(&hits[0].body).expect("UTF-8"), CONVERTED);
    assert_eq!(hits[0].headers["content-type"], "application/json");
}

#[tokio::test]
async fn a_template_draws_on_the_payload_that_would_have_been_sent() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/plain"), &["item.update"])).await;
    let mut custom = hook(&target.url("/custom"), &["item.update"]);
    custom["template"] = json!({ "body": r#"{"title":"{{entity.attributes.title}}","site":"{{site_id}}","of":"{{entity_type}}"}"# });
    system.webhook(&custom).await;
    let mut quoted = record("one", "save", "42", "post");
    quoted["data"] = json!({ "title": "He said \"hi\"\n& <left>" });
    system.happen(&[quoted], 2).await;
    let (plain, custom) = (target.hits("/plain")[0].json(), target.hits("/custom")[0].json());
    assert_eq!(custom["title"], plain["entity"]["attributes"]["title"], "a quote does not break the body");
    assert_eq!((&custom["site"], &custom["of"]), (&plain["site_id"], &plain["entity_type"]));
}

#[tokio::test]
async fn a_payload_that_is_not_json_has_the_content_type_it_is_given() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    for (path, media, template) in [
        ("/xml", "application/xml", "<title>{{entity.attributes.title}}</title>"),
        ("/text", "text/plain; charset=utf-8", "New title: {{entity.attributes.title}}"),
    ] {
        let mut custom = hook(&target.url(path), &["item.update"]);
        custom["template"] = json!({ "body": template });
        custom["headers"] = json!([{ "key": "Content-Type", "value": media }]);
        system.webhook(&custom).await;
    }
    let mut odd = record("one", "save", "42", "post");
    odd["data"] = json!({ "title": "Salt & <pepper>" });
    system.happen(&[odd], 2).await;
    let (xml, text) = (&target.hits("/xml")[0], &target.hits("/text")[0]);
    assert_eq!(xml.headers["content-type"], "application/xml");
    assert_eq!(xml.body, "<title>Salt &amp; &lt;pepper&gt;</title>");
    assert_eq!(text.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(text.body, "New title: Salt & <pepper>");
}

#[tokio::test]
async fn a_request_is_a_post_of_json_with_all_that_is_known() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    system.webhook(&hook(&target.url("/"), &["item.update"])).await;
    let mut update = record("one", "save", "42", "post");
    update["previous"] = json!({ "title": "Hi" });
    update["related"] = json!([{ "id": "post", "type": "item_type" }]);
    system.happen(&[update], 1).await;
    let hit = &target.hits("/")[0];
    assert_eq!(
        (hit.method.as_str(), &hit.headers["content-type"]),
        ("POST", &"application/json".parse().expect("a value"))
    );
    let body = hit.json();
    assert_eq!(body["entity"]["attributes"]["title"], "Hello");
    assert_eq!(body["entity"]["relationships"]["item_type"]["data"]["id"], "post");
    assert_eq!(body["previous_entity"]["attributes"]["title"], "Hi");
    assert_eq!(body["related_entities"][0]["id"], "post");
    assert_eq!((&body["environment"], &body["is_environment_primary"]), (&json!("master"), &json!(true)));
}

#[tokio::test]
async fn the_printed_payload_leaves_as_it_came() {
    let (system, target) = (System::start(&[]).await, Target::willing().await);
    let source = json!({ "name": "Dato", "dialect": "datocms", "secret": "the-key-of-this-source" });
    system.call(Method::PUT, "/spaces/default/sources/dato", Some(&source)).await;
    system.webhook(&hook(&target.url("/"), &["item.update"])).await;
    let mut older = hook(&target.url("/older"), &["item.update"]);
    older["options"] = json!({ "payloadApiVersion": "2" });
    system.webhook(&older).await;
    let path = "/spaces/default/environments/master/sources/dato";
    let sent = system.bare(Method::POST, path).header("content-type", "application/json");
    let sent = sent.bearer_auth("the-key-of-this-source").body(PAYLOAD).send().await.expect("an answer");
    assert_eq!(sent.status(), 202, "{}", sent.text().await.expect("a body"));
    system.until("both are delivered", |balance| balance.of("delivered") == 2).await;
    for path in ["/", "/older"] {
        assert_eq!(std::str::from_utf8(&target.hits(path)[0].body).expect("UTF-8"), PAYLOAD, "{path}");
    }
}

#[tokio::test]
async fn every_call_is_an_object_with_all_about_it_that_can_be_browsed() {
    let target = Target::start(|hit| Answer::Status(if hit.path == "/good" { 200 } else { 404 })).await;
    let system = System::start(&[]).await;
    let good = system.webhook(&hook(&target.url("/good"), &["item.*"])).await;
    let mut bad = hook(&target.url("/bad"), &["item.*"]);
    bad["retryPolicy"] = json!("none");
    let bad = system.webhook(&bad).await;
    system.accept(&record("one", "save", "42", "post")).await;
    system.until("both are done", |balance| balance.of("delivered") + balance.of("given_up") == 2).await;
    for (webhook, state) in [(&good, "delivered"), (&bad, "given_up")] {
        let path =
            format!("/spaces/default/deliveries?webhook={webhook}&status={state}&type=Entry&action=save");
        let list = system.call(Method::GET, &path, None).await;
        assert_eq!(list["items"].as_array().map(Vec::len), Some(1), "{list}");
        let path = format!("/spaces/default/webhooks/{webhook}/calls");
        let calls = system.call(Method::GET, &path, None).await;
        let call = calls["items"][0]["sys"]["id"].as_str().expect("an id");
        let details = system.call(Method::GET, &format!("{path}/{call}"), None).await;
        assert!(
            details["request"]["body"].as_str().expect("a body").contains("webhook_call_id"),
            "{details}"
        );
        assert_eq!(details["response"]["statusCode"], if state == "delivered" { 200 } else { 404 });
    }
}

#[tokio::test]
async fn what_went_wrong_can_be_sent_again_by_hand() {
    let target = Target::start(|hit| Answer::Status(if hit.path == "/moved" { 200 } else { 404 })).await;
    let system = System::start(&[]).await;
    let mut wrong = hook(&target.url("/old"), &["item.*"]);
    wrong["retryPolicy"] = json!("none");
    let id = system.webhook(&wrong).await;
    system.accept(&record("one", "save", "42", "post")).await;
    system.until("it is given up", |balance| balance.of("given_up") == 1).await;
    let calls = system.call(Method::GET, &format!("/spaces/default/webhooks/{id}/calls"), None).await;
    let call = calls["items"][0]["sys"]["id"].as_str().expect("an id").to_owned();

    wrong["url"] = json!(target.url("/moved"));
    system.call(Method::PUT, &format!("/spaces/default/webhook_definitions/{id}"), Some(&wrong)).await;
    system.call(Method::POST, &format!("/spaces/default/calls/{call}/resend"), None).await;
    target.until(2).await;
    let (old, moved) = (target.hits("/old"), target.hits("/moved"));
    assert_eq!((old.len(), moved.len()), (1, 1), "the latest settings");
    assert_eq!(old[0].json()["entity"], moved[0].json()["entity"]);
}
