//! Contentful, out: body, headers, how it retries.

use std::time::Duration;

use postrider_dialects::{Dialect, RenderError, Rendered, contentful, dialect};
use postrider_domain::event::{Actor, Cause, Event};
use postrider_domain::json::Json;
use postrider_domain::outcome::{Ended, FailureKind, Outcome};
use postrider_domain::webhook::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::samples::{
    basic, body, events, header, published, scope, secrets, target, webhook, with_action, write,
};

fn contentful() -> &'static dyn Dialect {
    dialect("contentful").expect("known")
}

fn made(event: &Event) -> Rendered {
    write(event, &webhook("contentful"), &secrets(&[])).expect("a request")
}

fn told(event: &Event) -> Value {
    serde_json::from_str(body(&made(event))).expect("JSON")
}

/// An event whose data is an entity of Contentful, as its management API shows it.
fn entity(event_type: &str, action: &str) -> Event {
    let mut event = with_action(event_type, action);
    event.head.resource.version = Some(76);
    event.content.data = Json::from_checked(
        r#"{ "metadata": {"tags": []}, "sys": {"space": {"sys": {"type":"Link","linkType":"Space","id":"theirs"}},
            "id": "other", "type": "Entry", "createdAt": "2025-01-01T00:00:00.000Z", "version": 76,
            "publishedCounter": 35, "publishedVersion": 75, "firstPublishedAt": "2025-02-01T00:00:00.000Z" },
            "fields": { "title": { "en-US": "Hello", "de": "Hallo" }, "n": { "en-US": 1.50 } } }"#,
    );
    event
}

#[test]
fn the_headers_are_those_of_a_real_call() {
    let mut event = published();
    event.head.resource.id = "7K4p9xQ2mR".into();
    let rendered = made(&event);
    for (name, value) in [
        ("X-Contentful-Topic", "ContentManagement.Entry.publish"),
        ("X-Contentful-Webhook-Name", "build"),
        ("X-Contentful-Webhook-Request-Attempt", "3"),
        ("X-Contentful-Event-Datetime", "2025-05-03T12:00:00.250Z"),
        ("X-Contentful-CRN", "crn:contentful:::content:spaces/blog/environments/master/entries/7K4p9xQ2mR"),
        ("Content-Type", "application/vnd.contentful.management.v1+json"),
    ] {
        assert_eq!(header(&rendered, name), Some(value), "{name}");
    }
    let key = header(&rendered, "X-Contentful-Idempotency-Key").expect("a key");
    // Frozen: receivers know repeats by it. printf 6e1c40cc-14cc-0437-f9f8-fa3bcdd750c4 | sha256sum
    assert_eq!(key, "69de6c2480777a9f7575b1dcf6baa63fcf5d024216b276c04a0917e51db8e2c0");
    assert_eq!(header(&rendered, "X-Contentful-Signature"), None, "there is no secret");
    assert_eq!(header(&rendered, "X-Contentful-Release-Id"), None);
}

#[test]
fn the_type_decides_the_place_in_the_crn_and_an_unknown_type_has_none() {
    let crn = |event_type| {
        let rendered = made(&with_action(event_type, "save"));
        header(&rendered, "X-Contentful-CRN").map(|crn| crn.rsplit('/').nth(1).unwrap_or_default().to_owned())
    };
    assert_eq!(crn("Asset").as_deref(), Some("assets"));
    assert_eq!(crn("ContentType").as_deref(), Some("content_types"));
    assert_eq!(crn("Task"), None);
}

#[test]
fn what_brought_it_about_is_in_its_own_header() {
    for (kind, name) in [
        ("release", "X-Contentful-Release-Id"),
        ("release_action", "X-Contentful-Release-Action-Id"),
        ("bulk", "X-Contentful-Bulk-Action-Id"),
        ("schedule", "X-Contentful-Scheduled-Action-Id"),
    ] {
        let mut event = published();
        event.head.cause = Some(Cause { kind: kind.into(), id: Some("r1".into()), title: None });
        assert_eq!(header(&made(&event), name), Some("r1"), "{kind}");
    }
}

#[test]
fn a_name_beyond_visible_ascii_is_percent_encoded() {
    let named = |name: &str| {
        let mut webhook = webhook("contentful");
        webhook.name = name.into();
        let rendered = write(&published(), &webhook, &secrets(&[])).expect("a request");
        header(&rendered, "X-Contentful-Webhook-Name").map(str::to_owned)
    };
    assert_eq!(named("aws lambda 100%").as_deref(), Some("aws lambda 100%"));
    assert_eq!(named("größe 😀").as_deref(), Some("gr%C3%B6%C3%9Fe%20%F0%9F%98%80"));
}

#[test]
fn a_publish_has_the_shape_of_the_delivery_api() {
    let told = told(&entity("Entry", "publish"));
    let sys = &told["sys"];
    assert_eq!((&sys["type"], &sys["id"]), (&json!("Entry"), &json!("7K4p9xQ2mR")));
    assert_eq!((&sys["revision"], &sys["publishedVersion"]), (&json!(35), &json!(75)));
    assert_eq!(sys["space"]["sys"]["id"], "theirs", "what the entity says stays");
    assert_eq!(sys["environment"]["sys"]["id"], "master", "what it leaves out is added");
    assert_eq!(sys["contentType"]["sys"]["id"], "posts");
    for gone in ["version", "publishedCounter", "firstPublishedAt"] {
        assert_eq!(sys.get(gone), None, "{gone}");
    }
    assert_eq!(told["fields"]["title"]["de"], "Hallo");
}

#[test]
fn a_save_has_the_shape_of_the_management_api_compact_and_in_its_order() {
    for action in ["create", "save", "auto_save", "archive", "unarchive"] {
        let rendered = made(&entity("Entry", action));
        let text = body(&rendered);
        assert!(
            text.starts_with(r#"{"metadata":{"tags":[]},"sys":{"type":"Entry","id":"7K4p9xQ2mR","space":"#),
            "{text}"
        );
        let end = r#""fields":{"title":{"en-US":"Hello","de":"Hallo"},"n":{"en-US":1.50}}}"#;
        assert!(text.ends_with(end), "{text}");
        assert!(text.contains(r#""version":76,"publishedCounter":35"#), "{text}");
        assert!(!text.contains("revision"), "{text}");
    }
}

#[test]
fn what_is_gone_is_told_by_sys_alone() {
    for (event_type, deleted) in
        [("Entry", "DeletedEntry"), ("Asset", "DeletedAsset"), ("ContentType", "DeletedContentType")]
    {
        for action in ["unpublish", "delete"] {
            let mut event = entity(event_type, action);
            event.head.actor = Some(Actor { id: "u1".into(), kind: None });
            let told = told(&event);
            let members = told.as_object().expect("an object");
            assert_eq!(members.keys().collect::<Vec<_>>(), ["sys"]);
            let sys = &told["sys"];
            assert_eq!((&sys["type"], &sys["id"]), (&json!(deleted), &json!("7K4p9xQ2mR")));
            assert_eq!(sys["deletedAt"], "2025-05-03T12:00:00.250Z");
            assert_eq!(sys["deletedBy"]["sys"]["id"], "u1");
            assert_eq!((&sys["revision"], sys.get("version")), (&json!(35), None));
            assert_eq!(sys["space"]["sys"]["id"], "theirs");
            assert_eq!(sys["environment"]["sys"]["id"], "master");
            let has_type = sys.get("contentType").is_some();
            assert_eq!(has_type, event_type == "Entry");
        }
    }
    assert_eq!(told(&with_action("Task", "delete"))["sys"]["type"], "Task");
}

#[test]
fn data_of_another_cms_becomes_fields_by_locale() {
    let mut event = with_action("Entry", "save");
    event.head.resource.version = Some(7);
    event.head.actor = Some(Actor { id: "u1".into(), kind: Some("AppDefinition".into()) });
    event.content.data = Json::from_checked(r#"{ "b": 1.0, "a": [ "ä" ] }"#);
    let rendered = made(&event);
    let expected =
        r#"{"metadata":{"tags":[],"concepts":[]},"fields":{"b":{"en-US":1.0},"a":{"en-US":["ä"]}},"#
            .to_owned()
            + r#""sys":{"type":"Entry","id":"7K4p9xQ2mR","#
            + r#""space":{"sys":{"type":"Link","linkType":"Space","id":"blog"}},"#
            + r#""environment":{"sys":{"type":"Link","linkType":"Environment","id":"master"}},"#
            + r#""contentType":{"sys":{"type":"Link","linkType":"ContentType","id":"posts"}},"#
            + r#""updatedBy":{"sys":{"type":"Link","linkType":"AppDefinition","id":"u1"}},"#
            + r#""version":7,"updatedAt":"2025-05-03T12:00:00.250Z"}}"#;
    assert_eq!(body(&rendered), expected);

    event.head.resource.locale = Some("de".into());
    assert_eq!(told(&event)["fields"]["b"], json!({"de": 1.0}));
    event.content.data = Json::from_checked("null");
    assert_eq!(told(&event)["fields"], json!({}));
    event.content.data = Json::from_checked("[1]");
    assert_eq!(told(&event)["fields"], json!({"data": {"de": [1]}}));
    event.content.data = Json::from_checked(r#"{"id":7,"fields":{"t":{"fr":"x"}}}"#);
    assert_eq!(told(&event)["fields"], json!({"t": {"fr": "x"}}));
}

#[test]
fn other_types_stand_beside_their_sys() {
    let mut event = with_action("Release", "create");
    event.content.data = Json::from_checked(r#"{ "title": "R1" }"#);
    let told = told(&event);
    assert_eq!((&told["title"], &told["sys"]["type"]), (&json!("R1"), &json!("Release")));
    assert_eq!(told["sys"]["createdAt"], "2025-05-03T12:00:00.250Z");
    event.content.data = Json::from_checked("7");
    assert_eq!(self::told(&event)["data"], 7);
}

#[test]
fn actions_of_others_are_said_in_contentfuls_words() {
    let topic = |event_type, action| {
        header(&made(&with_action(event_type, action)), "X-Contentful-Topic").map(str::to_owned)
    };
    for (action, said) in [
        ("publish.success", "publish"),
        ("trash", "archive"),
        ("restore", "unarchive"),
        ("workflow_transition", "workflow_transition"),
        ("levitate", "levitate"),
    ] {
        assert_eq!(topic("Entry", action), Some(format!("ContentManagement.Entry.{said}")));
        assert!(contentful().expressible(&with_action("Entry", action).head).is_ok());
    }
    for unsaid in ["publish.start", "publish.fail"] {
        let event = with_action("Entry", unsaid);
        assert!(contentful().expressible(&event.head).is_err(), "{unsaid}");
        let error = write(&event, &webhook("contentful"), &secrets(&[])).expect_err(unsaid);
        assert!(matches!(error, RenderError::NotExpressible { dialect: "contentful", .. }));
    }
}

#[test]
fn custom_headers_and_basic_authentication_go_along() {
    let mut webhook = webhook("contentful");
    basic(&mut webhook, "Aladdin");
    let mut secrets = secrets(&[]);
    secrets.basic_password = Some("open sesame".into());
    secrets.headers = vec![("X-Topic".into(), "{ /topic }".into())];
    let rendered = write(&published(), &webhook, &secrets).expect("a request");
    assert_eq!(header(&rendered, "authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(header(&rendered, "x-topic"), Some("ContentManagement.Entry.publish"));
    target(&mut webhook).method = Method::Get;
    let rendered = write(&published(), &webhook, &secrets).expect("a request");
    assert_eq!((rendered.body.as_ref(), header(&rendered, "content-type")), (None, None));
}

#[test]
fn the_idempotency_key_is_of_the_delivery_and_not_of_the_attempt() {
    let key = |event: &Event| header(&made(event), "X-Contentful-Idempotency-Key").map(str::to_owned);
    let one = key(&published()).expect("a key");
    assert_eq!(one.len(), 64);
    assert_eq!(key(&with_action("Entry", "save")).as_deref(), Some(one.as_str()), "the message id decides");
}

#[test]
fn it_tries_twice_more_after_30_s_and_only_on_429_and_5xx() {
    let policy = contentful().default_policy();
    let after = |attempt| policy.next_delay(attempt, None, 0.9);
    assert_eq!(
        [after(1), after(2), after(3)],
        [Some(Duration::from_secs(30)), Some(Duration::from_secs(30)), None]
    );
    assert_eq!(contentful().default_timeout(), Duration::from_secs(30));
    let judge = |ended| contentful().judge(&ended, &policy.on);
    let status = |status| judge(Ended::Answered { status, retry_after: None });
    for again in [429, 500, 502, 503, 504] {
        assert_eq!(status(again), Outcome::Retry { not_before: None }, "{again}");
    }
    for done in [301, 302, 400, 401, 404, 408, 422, 425] {
        assert_eq!(status(done), Outcome::Final, "{done}");
    }
    assert_eq!(status(204), Outcome::Success);
    for kind in FailureKind::ALL {
        assert_eq!(judge(Ended::Failed(kind)), Outcome::Final, "{kind}");
    }
}

proptest! {
    #[test]
    fn whatever_happened_is_said_as_json_with_its_id_and_sendable_headers(event in events()) {
        if contentful().expressible(&event.head).is_err() {
            return Ok(());
        }
        let rendered = made(&event);
        let told: Value = serde_json::from_str(body(&rendered)).expect("JSON");
        prop_assert_eq!(told["sys"]["id"].as_str(), Some(event.head.resource.id.as_str()));
        for (name, value) in &rendered.headers {
            prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", name);
        }
        prop_assert_eq!(header(&rendered, "X-Contentful-Topic").map(|topic| topic.starts_with(
            &format!("ContentManagement.{}.", event.head.event_type))), Some(true));
        prop_assert_eq!(told["sys"]["space"]["sys"]["id"].as_str().is_some(), true);
        prop_assert_eq!(&event.head.scope, &scope());
    }
}

#[test]
fn what_is_kept_and_what_is_stamped_are_two_lists() {
    for name in contentful::KEPT {
        assert!(!contentful::STAMPED.contains(&name), "{name}");
    }
}
