//! What a call stands for that was coalesced: told in a header by all, in the body only where that is Postrider's own.

use postrider_dialects::slack::BASE_URL;
use postrider_dialects::{Occasion, Rendered, dialect, names, native, render};
use postrider_domain::gathering::{Coalesced, CoalescedEvent};
use postrider_domain::id::EventId;
use postrider_domain::secret::{OpenedSecrets, Sealed};
use postrider_domain::space::{SlackAccess, SlackConnection, SpaceSettings};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::{Method, MustacheTemplate, Render, SlackTarget, Webhook, WebhookAction};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::samples::{
    body, header, message_id, noon, published, scope, secrets, target, webhook, write, write_for,
};

const HEADER: &str = "X-Postrider-Coalesced";
/// Those whose bodies are nobody else's.
const OWN: [&str; 3] = ["native", "standard-webhooks", "cloudevents"];

fn told(id: &str) -> CoalescedEvent {
    let head = published().head;
    CoalescedEvent { id: EventId::new(id).expect("an id"), ..CoalescedEvent::of(&head) }
}

fn three() -> Coalesced {
    Coalesced { count: 3, events: vec![told("e0"), told("e1"), told("e:2")] }
}

fn made(webhook: &Webhook, coalesced: Option<&Coalesced>) -> Rendered {
    let secrets = secrets(&["secret"]);
    let written = write_for(&published(), webhook, &secrets, coalesced);
    written.unwrap_or_else(|error| panic!("{}: {error}", webhook.dialect))
}

fn expected() -> Value {
    let event = |id| {
        json!({"id": id, "type": "Entry", "action": "publish", "occurredAt": "2025-05-03T12:00:00.250Z",
            "resource": {"id": "7K4p9xQ2mR"}})
    };
    json!({"count": 3, "events": [event("e0"), event("e1"), event("e:2")]})
}

#[test]
fn every_dialect_says_it_in_the_header() {
    for name in names() {
        let rendered = made(&webhook(name), Some(&three()));
        assert_eq!(header(&rendered, HEADER), Some("3; e0 e1 e:2"), "{name}");
        assert_eq!(header(&made(&webhook(name), None), HEADER), None, "{name}");
    }
}

#[test]
fn a_call_without_a_body_says_it_too() {
    let mut get = webhook("native");
    target(&mut get).method = Method::Get;
    assert_eq!(header(&made(&get, Some(&three())), HEADER), Some("3; e0 e1 e:2"));
}

#[test]
fn the_body_of_a_cms_is_what_that_cms_writes() {
    for name in names().iter().filter(|name| !OWN.contains(name)) {
        let (with, without) = (made(&webhook(name), Some(&three())), made(&webhook(name), None));
        assert_eq!(body(&with), body(&without), "{name}");
    }
}

#[test]
fn native_and_standard_webhooks_list_the_events() {
    let native: Value = serde_json::from_str(body(&made(&webhook("native"), Some(&three())))).expect("JSON");
    assert_eq!(native["coalesced"], expected());
    assert_eq!(native["data"], json!({"a": "ä", "b": 1.0}), "the event is there as always");
    let standard = made(&webhook("standard-webhooks"), Some(&three()));
    let standard: Value = serde_json::from_str(body(&standard)).expect("JSON");
    assert_eq!(standard["data"]["coalesced"], expected());
}

#[test]
fn cloudevents_has_two_extensions() {
    let structured = made(&webhook("cloudevents"), Some(&three()));
    let structured: Value = serde_json::from_str(body(&structured)).expect("JSON");
    let extensions = (&structured["coalescedcount"], &structured["coalescedids"]);
    assert_eq!(extensions, (&json!("3"), &json!("e0 e1 e:2")));
    let mut binary = webhook("cloudevents");
    binary.options = [("mode".to_owned(), "binary".to_owned())].into();
    let binary = made(&binary, Some(&three()));
    assert_eq!(header(&binary, "ce-coalescedcount"), Some("3"));
    assert_eq!(header(&binary, "ce-coalescedids"), Some("e0%20e1%20e:2"));
}

#[test]
fn templates_of_every_dialect_see_it() {
    let template = r#"{"n":"{{coalesced.count}}","ids":"{{#coalesced.events}}{{id}} {{/coalesced.events}}"}"#;
    for name in names() {
        let mut own = webhook(name);
        let body_of = MustacheTemplate { body: Some(template.into()), escape: None };
        target(&mut own).render = Render::Mustache(body_of);
        assert_eq!(body(&made(&own, Some(&three()))), r#"{"n":"3","ids":"e0 e1 e:2 "}"#, "{name}");
        assert_eq!(body(&made(&own, None)), r#"{"n":"","ids":""}"#, "{name}");
        // A template of the URL alone leaves the body as it is.
        target(&mut own).render = Render::Mustache(MustacheTemplate::default());
        target(&mut own).url = "https://example.com/{{coalesced.count}}".into();
        let rendered = made(&own, Some(&three()));
        assert_eq!(rendered.url, "https://example.com/3", "{name}");
        assert_eq!(body(&rendered), body(&made(&webhook(name), Some(&three()))), "{name}");
    }
}

#[test]
fn a_message_to_slack_says_how_many_and_its_template_which() {
    let said = |template: Option<&str>| {
        let template = template.map(|body| MustacheTemplate { body: Some(body.into()), escape: None });
        let target = SlackTarget { connection: "bot".into(), channel: Some("C0123".into()), template };
        let webhook = Webhook { action: WebhookAction::Slack(target), ..webhook("native") };
        let connection = SlackConnection {
            id: "bot".into(),
            name: "Editors".into(),
            access: SlackAccess::Bot { token: Sealed::new("sealed"), team: "Acme".into() },
            created_at: noon(),
            created_by: "t".into(),
        };
        let space = SpaceSettings { slack: vec![connection], ..SpaceSettings::default() };
        let secrets = OpenedSecrets { slack: Some("xoxb-1".into()), ..OpenedSecrets::default() };
        let (event, three) = (published(), three());
        let occasion = Occasion {
            event: &event,
            webhook: &webhook,
            space: &space,
            secrets: &secrets,
            message_id: message_id(),
            attempt: 1,
            coalesced: Some(&three),
            now: noon(),
        };
        let rendered = render(dialect("native").expect("known"), &occasion, BASE_URL).expect("a request");
        body(&rendered).to_owned()
    };
    let own = said(None);
    assert!(own.contains("Stands for") && own.contains("3 events"), "{own}");
    let templated = said(Some("{{coalesced.count}}:{{#coalesced.events}} {{id}}{{/coalesced.events}}"));
    assert!(templated.contains("3: e0 e1 e:2"), "{templated}");
}

#[test]
fn what_another_postrider_coalesced_is_still_its_event() {
    let rendered = made(&webhook("native"), Some(&three()));
    let fallback = EventId::new("fallback").expect("an id");
    let read = native::read(body(&rendered), &scope(), noon(), fallback).expect("an event");
    assert_eq!(read, published());
}

#[test]
fn a_list_that_is_too_long_for_a_header_ends_and_its_count_does_not() {
    let events: Vec<_> = (0..100).map(|n| told(&format!("{n:0>120}"))).collect();
    let many = Coalesced { count: 12_345, events };
    let rendered = made(&webhook("contentful"), Some(&many));
    let value = header(&rendered, HEADER).expect("it is there");
    assert!(value.starts_with("12345; 000") && value.len() < 4200, "{}", value.len());
    assert!(value.split(' ').skip(1).all(|id| id.len() == 120), "no id is cut");
}

#[test]
fn a_webhook_s_own_header_of_that_name_wins() {
    let mut own = secrets(&["secret"]);
    own.headers = vec![("x-postrider-coalesced".into(), "mine".into())];
    let rendered = write_for(&published(), &webhook("native"), &own, Some(&three())).expect("a request");
    let given: Vec<_> =
        rendered.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(HEADER)).collect();
    assert_eq!(given, [&("x-postrider-coalesced".to_owned(), "mine".to_owned())]);
    assert!(write(&published(), &webhook("native"), &own).is_ok());
}

proptest! {
    #[test]
    fn whatever_a_resource_is_called_the_body_stays_json(resource in any::<String>(), at in any::<i32>()) {
        let event = CoalescedEvent { resource: resource.clone(), occurred_at: Timestamp::from_unix_ms(at.into()), ..told("e1") };
        let rendered = made(&webhook("native"), Some(&Coalesced { count: 2, events: vec![event] }));
        let read: Value = serde_json::from_str(body(&rendered)).expect("JSON");
        prop_assert_eq!(&read["coalesced"]["events"][0]["resource"]["id"], &json!(resource));
    }
}
