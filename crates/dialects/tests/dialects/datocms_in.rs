//! DatoCMS, in.

use postrider_domain::id::{EnvironmentId, Scope};
use proptest::prelude::*;
use serde_json::json;

use crate::datocms::{ENVELOPE, PRINTED, datocms, parsed, read, read_in, write};
use crate::samples::scope;

#[test]
fn the_printed_record_is_read_as_an_update_of_its_entry() {
    let head = read(PRINTED).head;
    assert_eq!(head.topic(), "Entry.save");
    assert_eq!(head.resource.id, "293467");
    assert_eq!(head.resource.content_type.as_deref(), Some("1423"));
    assert_eq!(head.resource.version, Some(716_593));
    assert_eq!(head.resource.title.as_deref(), Some("Irene Oppo"));
    assert_eq!(head.occurred_at.to_string(), "2018-08-02T10:54:09.616Z");
}

#[test]
fn the_envelope_of_today_is_read_with_all_it_tells() {
    let text = json!({
        "webhook_call_id": "1", "event_triggered_at": "2024-08-26T12:49:16Z", "attempted_auto_retries_count": 0,
        "webhook_id": "2", "site_id": "205", "environment": "main", "is_environment_primary": true,
        "entity_type": "item", "event_type": "publish",
        "entity": {
            "id": "BIt7Q", "type": "item",
            "attributes": { "title": "Hello", "slug": "hello" },
            "relationships": { "item_type": { "data": { "id": "m1", "type": "item_type" } } },
            "meta": { "status": "published", "current_version": "12" }
        },
        "previous_entity": { "id": "BIt7Q" }, "related_entities": [{ "id": "m1", "type": "item_type" }]
    });
    let event = read(&text.to_string());
    let resource = &event.head.resource;
    assert_eq!(event.head.topic(), "Entry.publish");
    assert_eq!(event.head.occurred_at.to_seconds_string(), "2024-08-26T12:49:16Z");
    assert_eq!((resource.slug.as_deref(), resource.state.as_deref()), (Some("hello"), Some("published")));
    assert_eq!((resource.title.as_deref(), resource.version), (Some("Hello"), Some(12)));
    assert_eq!(parsed(event.content.data.as_str()), text["entity"]);
    assert_eq!(parsed(event.content.previous.expect("told").as_str()), text["previous_entity"]);
    assert_eq!(parsed(event.content.related.expect("told").as_str()), text["related_entities"]);
    let source = event.content.source.expect("kept");
    assert_eq!(source.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    assert_eq!(parsed(source.body.as_str()), text);
}

#[test]
fn each_type_is_read_as_ours() {
    for (entity_type, event_type, topic) in [
        ("item", "create", "Entry.create"),
        ("item", "unpublish", "Entry.unpublish"),
        ("item_type", "update", "ContentType.save"),
        ("upload", "delete", "Asset.delete"),
        ("environment", "deploy", "Environment.deploy"),
        ("build_trigger", "deploy_started", "BuildTrigger.deploy.start"),
        ("build_trigger", "deploy_succeeded", "BuildTrigger.deploy.success"),
        ("build_trigger", "deploy_failed", "BuildTrigger.deploy.fail"),
        ("maintenance_mode", "change", "MaintenanceMode.change"),
        ("sso_user", "update", "User.save"),
        ("cda_cache_tags", "invalidate", "CacheTags.invalidate"),
        ("hologram", "melt", "hologram.melt"),
    ] {
        let text = json!({ "entity_type": entity_type, "event_type": event_type, "entity": { "id": "1" } })
            .to_string();
        let event = read(&text);
        assert_eq!(event.head.topic(), topic);
        assert_eq!(datocms().expressible(&event.head), Ok(()), "{topic}");
        assert_eq!(write(&event), text);
        let given = format!("{entity_type}.{event_type}");
        if entity_type != "hologram" {
            let patterns = datocms().topics(&given).expect("a topic");
            assert!(
                patterns.iter().any(|one| one.takes(&event.head.event_type, &event.head.action)),
                "{given} takes {topic}"
            );
        }
    }
}

#[test]
fn a_model_is_limited_by_its_id_in_either_way() {
    let text = r#"{"entity_type":"item_type","event_type":"update","entity":{"id":1423,"type":"item_type","attributes":{"name":"Post"}}}"#;
    let resource = read(text).head.resource;
    assert_eq!((resource.id.as_str(), resource.content_type.as_deref()), ("1423", Some("1423")));
    assert_eq!(resource.title.as_deref(), Some("Post"));
}

#[test]
fn a_retry_of_datocms_is_the_same_event_and_another_call_is_another() {
    let id = |text: &str| read(text).head.id;
    let first = ENVELOPE.to_owned();
    let retried = first.replace(r#""attempted_auto_retries_count":0"#, r#""attempted_auto_retries_count":3"#);
    assert_eq!(id(&first), id(&retried));
    assert_ne!(id(&first), id(&first.replace("103216210", "103216211")));
    let staging = Scope { environment: EnvironmentId::new("staging").expect("an id"), ..scope() };
    assert_ne!(read_in(&first, &staging).expect("an event").head.id, id(&first));
    assert_eq!(id(PRINTED), id(PRINTED));
    assert_ne!(id(PRINTED), id(&PRINTED.replace("Irene", "Irena")));
    // Frozen: a repeat is known by it. printf 'master\000103216210' | sha256sum
    assert_eq!(id(&first).as_str(), "dc-6d8359bbf9f62225b6fddef632afc3e6a969d91e427810dbf6b17e6fe8cac81e");
}

#[test]
fn what_datocms_does_not_send_is_refused_with_all_faults() {
    let faults = |text: &str| read_in(text, &scope()).expect_err("faults");
    let paths = |text: &str| faults(text).iter().map(|fault| fault.path.clone()).collect::<Vec<_>>();
    assert_eq!(paths("{}"), ["/entity_type", "/event_type", "/entity"]);
    assert_eq!(
        paths(
            r#"{"entity_type":"a b","event_type":"","event_triggered_at":"x","entity":{"id":true},"related_entities":{}}"#
        ),
        ["/event_type", "/event_triggered_at", "/entity/id", "/related_entities"]
    );
    assert_eq!(paths(r#"{"entity_type":"a b","event_type":"x","entity":{"id":"1"}}"#), ["/entity_type"]);
    assert_eq!(paths("[]"), [""]);
}

#[test]
fn the_payload_of_another_cms_is_named_with_what_was_expected() {
    for (text, whose) in [
        (r#"{"sys":{"type":"Entry","id":"1"},"fields":{}}"#, "contentful"),
        (r#"{"module":"entry","api_key":"k","event":"publish","data":{}}"#, "contentstack"),
        (r#"{"event":"content.published","occurred_at":"2025-05-03T12:00:00Z","data":{}}"#, "cometcms"),
    ] {
        let faults = read_in(text, &scope()).expect_err("not DatoCMS's");
        let told = faults[0].to_string();
        assert!(told.contains("not a webhook of datocms, it looks like one of"), "{told}");
        assert!(told.contains(whose) && told.contains("entity_type, event_type, entity"), "{told}");
    }
}

proptest! {
    #[test]
    fn no_body_makes_the_reader_panic(text in r#"[{}\[\]":,a-z0-9_ ]{0,60}"#, id in any::<String>()) {
        let _ = read_in(&text, &scope());
        let odd = json!({ "entity_type": id, "event_type": id, "entity": { "id": id }, "webhook_call_id": id });
        let _ = read_in(&odd.to_string(), &scope());
    }
}
