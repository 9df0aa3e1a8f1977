//! DatoCMS, out and through.

use postrider_dialects::datocms::{NAME, STAMPED, USER_AGENT};
use postrider_dialects::{Dialect, Occasion, Proof, ReadErrors, Received, RenderError, Rendered, dialect};
use postrider_domain::event::Event;
use postrider_domain::id::{EnvironmentId, EventId, Scope};
use postrider_domain::json::Json;
use postrider_domain::retry::RetryPolicy;
use postrider_domain::space::SpaceSettings;
use postrider_domain::topic::{Action, EventType};
use postrider_domain::webhook::Webhook;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::samples::{
    basic, body, events, header, message_id, noon, published, scope, secrets, target, webhook, with_action,
};

/// `seeds/datocms-webhooks.txt`, "HTTP request details": an update of record 293467, white space as printed.
pub(crate) const PRINTED: &str = include_str!("datocms_printed.json");
/// The published example of today's envelope (datocms.com/docs/content-management-api/resources/webhook-call).
pub(crate) const ENVELOPE: &str = r#"{"webhook_call_id":"103216210","event_triggered_at":"2024-08-26T12:49:16Z","attempted_auto_retries_count":0,"webhook_id":"28374","site_id":"205","environment":"main","is_environment_primary":true,"entity_type":"maintenance_mode","event_type":"change","entity":{"id":"maintenance_mode","type":"maintenance_mode","attributes":{"active":false}},"related_entities":[]}"#;

pub(crate) fn datocms() -> &'static dyn Dialect {
    dialect(NAME).expect("known")
}

pub(crate) fn read_in(text: &str, scope: &Scope) -> Result<Event, ReadErrors> {
    let headers: Vec<_> = [("content-type", "application/json"), ("authorization", "Bearer key")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let drawn = EventId::new("drawn").expect("an id");
    datocms().read(&Received {
        method: "POST",
        path: "/",
        headers: &headers,
        body: text,
        scope,
        now: noon(),
        secret: "key",
        fallback_id: &drawn,
    })
}

pub(crate) fn read(text: &str) -> Event {
    read_in(text, &scope()).expect("an event")
}

fn write_as(event: &Event, webhook: &Webhook, attempt: u32) -> Result<Rendered, RenderError> {
    let mut space = SpaceSettings::default();
    space.constants.site_id = Some("205".into());
    let secrets = secrets(&[]);
    let (message_id, now) = (message_id(), noon());
    datocms().write(&Occasion {
        event,
        webhook,
        space: &space,
        secrets: &secrets,
        message_id,
        coalesced: None,
        attempt,
        now,
    })
}

pub(crate) fn write(event: &Event) -> String {
    body(&write_as(event, &webhook(NAME), 1).expect("a request")).to_owned()
}

fn write_older(event: &Event) -> String {
    let mut webhook = webhook(NAME);
    webhook.options.insert("payloadApiVersion".into(), "2".into());
    body(&write_as(event, &webhook, 1).expect("a request")).to_owned()
}

pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// A record of the model `posts` that was updated.
fn update() -> Event {
    let mut event = with_action("Entry", "save");
    event.head.resource.version = Some(7);
    event.head.resource.state = Some("updated".into());
    event.content.data = Json::from_checked(r#"{"title":"New","views":1.10}"#);
    event.content.previous = Some(Json::from_checked(r#"{"title":"Old","views":1}"#));
    event
}

#[test]
fn a_record_leaves_in_the_envelope_of_the_published_example() {
    let text = write(&update());
    let expected = format!(
        concat!(
            r#"{{"webhook_call_id":"{}","event_triggered_at":"2025-05-03T12:00:00Z","attempted_auto_retries_count":0,"#,
            r#""webhook_id":"w1","site_id":"205","environment":"master","is_environment_primary":true,"#,
            r#""entity_type":"item","event_type":"update","entity":{{"id":"7K4p9xQ2mR","type":"item","#,
            r#""attributes":{{"title":"New","views":1.10}},"#,
            r#""relationships":{{"item_type":{{"data":{{"id":"posts","type":"item_type"}}}}}},"#,
            r#""meta":{{"updated_at":"2025-05-03T12:00:00.250Z","status":"updated","current_version":"7"}}}},"#,
            r#""previous_entity":{{"id":"7K4p9xQ2mR","type":"item","attributes":{{"title":"Old","views":1}},"#,
            r#""relationships":{{"item_type":{{"data":{{"id":"posts","type":"item_type"}}}}}}}},"#,
            r#""related_entities":[]}}"#
        ),
        message_id()
    );
    assert_eq!(text, expected);
}

#[test]
fn the_members_stand_in_the_order_of_the_published_example() {
    let mut event = with_action("MaintenanceMode", "change");
    event.head.resource.id = "maintenance_mode".into();
    event.content.data = Json::from_checked(r#"{"active":false}"#);
    let ours = write(&event);
    let names = |text: &str| {
        let members: Vec<_> =
            ENVELOPE.split('"').filter(|part| text.contains(&format!("\"{part}\":"))).collect();
        members.into_iter().map(|name| text.find(&format!("\"{name}\":")).expect("there")).collect::<Vec<_>>()
    };
    assert_eq!(parsed(&ours)["entity"], parsed(ENVELOPE)["entity"]);
    assert_eq!(names(&ours).len(), names(ENVELOPE).len());
    assert!(names(&ours).is_sorted() && names(ENVELOPE).is_sorted());
}

#[test]
fn its_headers_are_those_of_datocms_and_nothing_is_signed() {
    let mut webhook = webhook(NAME);
    basic(&mut webhook, "user");
    let rendered = write_as(&update(), &webhook, 1).expect("a request");
    let names: Vec<_> = rendered.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Accept", "User-Agent", "Content-Type", "Authorization"]);
    assert_eq!(header(&rendered, "accept"), Some("*/*"));
    assert_eq!(header(&rendered, "user-agent"), Some(USER_AGENT));
    assert_eq!(header(&rendered, "content-type"), Some("application/json"));
}

#[test]
fn only_the_count_of_retries_differs_between_attempts() {
    let attempt = |attempt| {
        let rendered = write_as(&update(), &webhook(NAME), attempt).expect("a request");
        body(&rendered).to_owned()
    };
    let counted =
        attempt(1).replace(r#""attempted_auto_retries_count":0"#, r#""attempted_auto_retries_count":6"#);
    assert_eq!(attempt(7), counted);
}

#[test]
fn site_and_environment_are_those_of_the_space_where_nothing_is_set() {
    let mut event = update();
    event.head.scope.environment = EnvironmentId::new("staging").expect("an id");
    let (space, secrets) = (SpaceSettings::default(), secrets(&[]));
    let webhook = webhook(NAME);
    let occasion = Occasion {
        event: &event,
        webhook: &webhook,
        space: &space,
        secrets: &secrets,
        message_id: message_id(),
        coalesced: None,
        attempt: 1,
        now: noon(),
    };
    let made = parsed(body(&datocms().write(&occasion).expect("a request")));
    assert_eq!((&made["site_id"], &made["environment"]), (&json!("blog"), &json!("staging")));
    assert_eq!(made["is_environment_primary"], false);
}

#[test]
fn the_state_before_is_told_of_updated_records_only() {
    for (event_type, action, told) in [
        ("Entry", "save", true),
        ("Entry", "publish", false),
        ("Asset", "save", false),
        ("ContentType", "save", false),
    ] {
        let mut event = with_action(event_type, action);
        event.content.previous = Some(Json::from_checked(r#"{"a":1}"#));
        assert_eq!(parsed(&write(&event)).get("previous_entity").is_some(), told, "{event_type}.{action}");
    }
}

#[test]
fn data_in_the_shape_of_datocms_or_contentful_become_attributes_and_nothing_is_lost() {
    let attributes = |data: &str| {
        let mut event = update();
        event.content.data = Json::from_checked(data);
        parsed(&write(&event))["entity"].clone()
    };
    let entity =
        json!({ "id": "1", "type": "item", "attributes": { "a": 1 }, "relationships": {}, "meta": {} });
    assert_eq!(attributes(&entity.to_string()), entity);
    let contentful = json!({ "sys": { "id": "1" }, "fields": { "title": { "en": "Hi" } } });
    assert_eq!(attributes(&contentful.to_string())["attributes"], contentful["fields"]);
    assert_eq!(attributes(r#"{"type":"item","b":2}"#)["attributes"], json!({ "type": "item", "b": 2 }));
    assert_eq!(attributes("null")["attributes"], json!({}));
    assert_eq!(attributes("[1]")["attributes"], json!({ "value": [1] }));
}

#[test]
fn a_change_of_a_field_is_an_update_of_its_model() {
    for action in ["create", "save", "delete"] {
        let mut event = with_action("Field", action);
        event.head.resource.content_type = Some("1423".into());
        let made = parsed(&write(&event));
        assert_eq!((&made["entity_type"], &made["event_type"]), (&json!("item_type"), &json!("update")));
        assert_eq!((&made["entity"]["id"], &made["entity"]["type"]), (&json!("1423"), &json!("item_type")));
        assert_eq!(made["related_entities"][0]["id"], "7K4p9xQ2mR");
        let patterns = datocms().topics("item_type.update").expect("a topic");
        assert!(patterns.iter().any(|one| one.takes(&event.head.event_type, &event.head.action)), "{action}");
    }
    assert!(datocms().expressible(&with_action("Field", "publish").head).is_err());
    let field = r#"{"entity_type":"field","event_type":"delete","entity":{"id":"9","type":"field","relationships":{"item_type":{"data":{"id":"1423","type":"item_type"}}}}}"#;
    let head = read(field).head;
    assert_eq!((head.topic().as_str(), head.resource.id.as_str()), ("ContentType.save", "1423"));
    assert_eq!(head.resource.content_type.as_deref(), Some("1423"));
}

#[test]
fn what_datocms_has_no_word_for_is_not_expressible() {
    let said = |event_type, action| datocms().expressible(&with_action(event_type, action).head).is_ok();
    for (event_type, action) in [
        ("Entry", "create"),
        ("Entry", "save"),
        ("Entry", "publish"),
        ("Entry", "publish.success"),
        ("Entry", "unpublish"),
        ("Entry", "trash"),
        ("Entry", "delete"),
        ("ContentType", "save"),
        ("Asset", "delete"),
        ("Environment", "deploy"),
        ("Environment", "promote"),
        ("BuildTrigger", "deploy"),
        ("BuildTrigger", "deploy.fail"),
        ("CacheTags", "invalidate"),
        ("Webhook", "ping"),
    ] {
        assert!(said(event_type, action), "{event_type}.{action}");
    }
    for (event_type, action) in [
        ("Entry", "auto_save"),
        ("Entry", "archive"),
        ("Entry", "restore"),
        ("Entry", "workflow_transition"),
        ("Entry", "publish.fail"),
        ("Entry", "deploy"),
        ("Asset", "publish"),
        ("ContentType", "publish"),
        ("Environment", "publish"),
        ("Release", "publish"),
        ("Webhook", "failing"),
    ] {
        assert!(!said(event_type, action), "{event_type}.{action}");
    }
    let mut trashed = with_action("Entry", "delete");
    trashed.head.resource.state = Some("trashed".into());
    assert!(datocms().expressible(&trashed.head).is_err());
    let error = write_as(&with_action("Release", "publish"), &webhook(NAME), 1).expect_err("no word");
    assert!(matches!(error, RenderError::NotExpressible { dialect: "datocms", .. }), "{error}");
}

#[test]
fn what_came_in_leaves_as_it_came_but_for_what_is_stamped() {
    assert_eq!(write(&read(PRINTED)), PRINTED, "the short form has nothing to stamp");
    let spaced = format!("\n {}", ENVELOPE.replace(':', " :\t").replace("12 :\t49 :\t16", "12:49:16"));
    let expected = spaced
        .replace(r#""103216210""#, &format!("{:?}", message_id().to_string()))
        .replace(r#""28374""#, r#""w1""#)
        .replace(r#""attempted_auto_retries_count" :	0"#, r#""attempted_auto_retries_count" :	1"#);
    let event = read(&spaced);
    let sent = write_as(&event, &webhook(NAME), 2).expect("a request");
    assert_eq!(body(&sent), expected.trim_start());
}

#[test]
fn the_older_shape_is_what_the_document_prints() {
    assert_eq!(write_older(&read(PRINTED)), PRINTED);
    let made = write_older(&update());
    assert_eq!(
        made,
        concat!(
            r#"{"entity_type":"item","event_type":"update","entity":{"id":"7K4p9xQ2mR","type":"item","#,
            r#""attributes":{"updated_at":"2025-05-03T12:00:00.250Z","is_valid":true,"title":"New","views":1.10},"#,
            r#""relationships":{"item_type":{"data":{"id":"posts","type":"item_type"}},"#,
            r#""current_version":{"data":{"id":"7","type":"item_version"}}}}}"#
        )
    );
    let today = json!({
        "webhook_call_id": "1", "entity_type": "item", "event_type": "publish",
        "entity": {
            "id": "1", "type": "item", "attributes": { "name": "A" },
            "relationships": { "item_type": { "data": { "id": "m", "type": "item_type" } } },
            "meta": { "created_at": "c", "updated_at": "u", "status": "published", "current_version": "5", "is_valid": false }
        },
        "related_entities": []
    });
    let version = json!({ "data": { "id": "5", "type": "item_version" } });
    assert_eq!(
        parsed(&write_older(&read(&today.to_string()))),
        json!({
            "entity_type": "item", "event_type": "publish",
            "entity": {
                "id": "1", "type": "item",
                "attributes": { "created_at": "c", "updated_at": "u", "is_valid": false, "name": "A" },
                "relationships": {
                    "item_type": { "data": { "id": "m", "type": "item_type" } },
                    "published_version": version, "current_version": version
                }
            }
        })
    );
}

#[test]
fn its_option_is_checked() {
    let options = |value: &str| [("payloadApiVersion".to_owned(), value.to_owned())].into();
    assert_eq!(datocms().check_options(&options("2")), Ok(()));
    assert!(datocms().check_options(&options("1")).expect_err("a fault")[0].fix.contains("3, 2"));
}

#[test]
fn it_retries_and_waits_as_its_document_says_and_sends_a_key() {
    assert_eq!(Ok(datocms().default_policy()), RetryPolicy::named("datocms"));
    assert_eq!(datocms().default_policy().max_attempts(), 8);
    assert_eq!(datocms().default_timeout().as_secs(), 8);
    assert_eq!(datocms().proof(), Some(Proof::Key));
}

/// What DatoCMS could send, in any order of members.
fn payloads() -> impl Strategy<Value = Value> {
    let entity_type =
        prop::sample::select(vec!["item", "item_type", "upload", "environment", "build_trigger", "field"]);
    let event_type = prop::sample::select(vec!["create", "update", "delete", "publish", "deploy_failed"]);
    let envelope = prop::collection::btree_map(
        prop::sample::select(vec!["site_id", "environment", "is_environment_primary", "future"]),
        prop_oneof![any::<String>().prop_map(Value::from), any::<i64>().prop_map(Value::from)],
        0..4,
    );
    let stamped = prop::option::of((1..9_u64, 0..7_u32));
    (entity_type, event_type, "[^\\p{C}]{1,20}", any::<String>(), envelope, stamped).prop_map(
        |(entity_type, event_type, id, title, envelope, stamped)| {
            let mut payload = json!({
                "entity_type": entity_type, "event_type": event_type,
                "entity": { "id": id, "type": entity_type, "attributes": { "title": title } },
            });
            if let Some((call, retries)) = stamped {
                payload["webhook_call_id"] = call.to_string().into();
                payload["attempted_auto_retries_count"] = retries.into();
                payload["webhook_id"] = "9".into();
            }
            for (name, value) in envelope {
                payload[name] = value;
            }
            payload
        },
    )
}

proptest! {
    #[test]
    fn through_datocms_only_the_stamped_members_differ(payload in payloads(), pretty in any::<bool>(), attempt in 1..9_u32) {
        let text = if pretty { format!("{payload:#}") } else { payload.to_string() };
        let event = read(&text);
        let sent = write_as(&event, &webhook(NAME), attempt).expect("a request");
        let (mut came, mut left) = (payload, parsed(body(&sent)));
        for name in STAMPED {
            prop_assert_eq!(came.get(name).is_some(), left.get(name).is_some());
            for value in [&mut came, &mut left] {
                value.as_object_mut().expect("an object").remove(name);
            }
        }
        prop_assert_eq!(came, left);
    }

    #[test]
    fn whatever_is_written_is_json_with_the_resource_in_it(mut event in events(), older in any::<bool>()) {
        event.head.event_type = EventType::new("Entry").expect("a type");
        event.head.action = Action::new("save").expect("an action");
        let text = if older { write_older(&event) } else { write(&event) };
        let made: Value = parsed(&text);
        prop_assert_eq!(made["entity"]["id"].as_str(), Some(event.head.resource.id.as_str()));
        let model = &made["entity"]["relationships"]["item_type"]["data"]["id"];
        prop_assert_eq!(model.as_str(), event.head.resource.content_type.as_deref());
        // What DatoCMS would send, DatoCMS's reader takes.
        prop_assert!(read_in(&text, &scope()).is_ok());
    }
}

#[test]
fn a_webhook_with_several_events_leaves_each_in_its_own_words() {
    let mut webhook = webhook(NAME);
    target(&mut webhook).url = "https://example.com/dato".into();
    let rendered = write_as(&published(), &webhook, 1).expect("a request");
    let made = parsed(body(&rendered));
    assert_eq!((&made["entity_type"], &made["event_type"]), (&json!("item"), &json!("publish")));
    assert_eq!(made["entity"]["meta"]["status"], "published");
    assert_eq!(rendered.url, "https://example.com/dato");
}
