//! Events and webhooks to try things on, and strategies that make them up.

use std::collections::BTreeMap;

use bytes::Bytes;
use postrider_dialects::{Occasion, RenderError, Rendered, dialect};
use postrider_domain::coalesce::CoalesceSetting;
use postrider_domain::delivery::DeliveryId;
use postrider_domain::event::{Actor, Cause, Content, Event, EventHead, Resource, Workflow};
use postrider_domain::gathering::Coalesced;
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::json::Json;
use postrider_domain::secret::{OpenedSecrets, Sealed};
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use postrider_domain::webhook::{
    Audit, BasicAuth, HttpTarget, Method, Render, Status, Wants, Webhook, WebhookAction,
};
use proptest::option;
use proptest::prelude::*;

pub(crate) fn scope() -> Scope {
    Scope { space: SpaceId::new("blog").expect("space"), environment: EnvironmentId::master() }
}

pub(crate) fn noon() -> Timestamp {
    Timestamp::parse("2025-05-03T12:00:00.250Z").expect("instant")
}

/// The sample that CometCMS's document prints, as an event: `content.published` of the post `my-first-post`.
pub(crate) fn published() -> Event {
    Event {
        head: EventHead {
            id: EventId::new("e1").expect("id"),
            scope: scope(),
            event_type: EventType::new("Entry").expect("type"),
            action: Action::new("publish").expect("action"),
            occurred_at: noon(),
            accepted_at: noon(),
            resource: Resource {
                id: "7K4p9xQ2mR".into(),
                content_type: Some("posts".into()),
                slug: Some("my-first-post".into()),
                ..Resource::default()
            },
            actor: None,
            workflow: None,
            branch: None,
            cause: None,
        },
        content: Content {
            data: Json::from_checked(r#"{ "b": 1.0, "a": "ä" }"#),
            previous: None,
            related: None,
            source: None,
        },
    }
}

pub(crate) fn with_action(event_type: &str, action: &str) -> Event {
    let mut event = published();
    event.head.event_type = EventType::new(event_type).expect("type");
    event.head.action = Action::new(action).expect("action");
    event
}

pub(crate) fn webhook(dialect: &str) -> Webhook {
    Webhook {
        id: WebhookId::new("w1").expect("id"),
        space: scope().space,
        name: "build".into(),
        status: Status::Active,
        wants: Wants::default(),
        action: WebhookAction::Http(HttpTarget {
            url: "https://example.com/hook".into(),
            method: Method::Post,
            headers: Vec::new(),
            basic_auth: None,
            render: Render::Dialect,
        }),
        dialect: dialect.into(),
        options: BTreeMap::new(),
        signing: Vec::new(),
        retry: None,
        timeout: None,
        coalesce: CoalesceSetting::Off,
        rate_limit: None,
        version: 0,
        audit: Audit {
            created_at: noon(),
            created_by: "t".into(),
            updated_at: noon(),
            updated_by: "t".into(),
        },
    }
}

pub(crate) fn target(webhook: &mut Webhook) -> &mut HttpTarget {
    webhook.action.http_mut().expect("samples call a URL")
}

pub(crate) fn basic(webhook: &mut Webhook, username: &str) {
    target(webhook).basic_auth =
        Some(BasicAuth { username: username.into(), password: Sealed::new("sealed") });
}

pub(crate) fn message_id() -> DeliveryId {
    DeliveryId::derive(&scope(), &EventId::new("e1").expect("id"), &WebhookId::new("w1").expect("id"), 0)
}

pub(crate) fn secrets(signing: &[&str]) -> OpenedSecrets {
    OpenedSecrets { signing: signing.iter().map(ToString::to_string).collect(), ..OpenedSecrets::default() }
}

/// Writes an event as its webhook wants it, as the third attempt.
pub(crate) fn write(
    event: &Event,
    webhook: &Webhook,
    secrets: &OpenedSecrets,
) -> Result<Rendered, RenderError> {
    write_for(event, webhook, secrets, None)
}

/// The same for a call that stands for other events too.
pub(crate) fn write_for(
    event: &Event,
    webhook: &Webhook,
    secrets: &OpenedSecrets,
    coalesced: Option<&Coalesced>,
) -> Result<Rendered, RenderError> {
    let space = SpaceSettings::default();
    let occasion = Occasion {
        event,
        webhook,
        space: &space,
        secrets,
        message_id: message_id(),
        coalesced,
        attempt: 3,
        now: noon(),
    };
    dialect(&webhook.dialect).expect("a known dialect").write(&occasion)
}

pub(crate) fn header<'a>(rendered: &'a Rendered, name: &str) -> Option<&'a str> {
    rendered
        .headers
        .iter()
        .find(|(given, _)| given.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

pub(crate) fn body(rendered: &Rendered) -> &str {
    std::str::from_utf8(rendered.body.as_ref().map_or(b"", Bytes::as_ref)).expect("UTF-8")
}

fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| text.replace('\0', "?"))
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<bool>().prop_map(|one| one.to_string()),
        any::<String>().prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4)
                .prop_map(|list| format!("[ {} ]", list.join(" ,"))),
            proptest::collection::vec(inner, 0..4).prop_map(|list| {
                let members: Vec<_> = list.iter().map(|value| format!("\"same\" : {value}")).collect();
                format!("{{{}}}", members.join(", "))
            }),
        ]
    });
    value.prop_map(Json::from_checked)
}

fn resource() -> impl Strategy<Value = Resource> {
    let id = text().prop_map(|text| format!("r{}", text.replace(char::is_control, "")));
    let optional = || option::of(text());
    (id, optional(), optional(), optional(), option::of(any::<i64>()), optional(), optional(), optional())
        .prop_map(|(id, content_type, slug, locale, version, title, state, url)| Resource {
            id,
            content_type,
            slug,
            locale,
            version,
            title,
            state,
            url,
        })
}

/// Any event that the native form can carry.
pub(crate) fn events() -> impl Strategy<Value = Event> {
    let optional = || option::of(text());
    let circumstances = (
        option::of((text(), optional()).prop_map(|(id, kind)| Actor { id: format!("u{id}"), kind })),
        option::of((optional(), optional()).prop_map(|(from, to)| Workflow { from, to })),
        optional(),
        option::of((text(), optional(), optional()).prop_map(|(kind, id, title)| Cause {
            kind: format!("k{kind}"),
            id,
            title,
        })),
    );
    let content = (json(), option::of(json()), option::of(json()));
    let ms = 0..4_102_444_800_000_i64; // until the year 2100
    (
        "[A-Za-z0-9._:-]{1,128}",
        "[A-Z][a-zA-Z]{0,20}",
        "[a-z_]{1,20}(\\.[a-z]{1,9})?",
        ms,
        resource(),
        circumstances,
        content,
    )
        .prop_map(|(id, event_type, action, ms, resource, (actor, workflow, branch, cause), content)| {
            Event {
                head: EventHead {
                    id: EventId::new(&id).expect("id"),
                    scope: scope(),
                    event_type: EventType::new(&event_type).expect("type"),
                    action: Action::new(&action).expect("action"),
                    occurred_at: Timestamp::from_unix_ms(ms),
                    accepted_at: noon(),
                    resource,
                    actor,
                    workflow,
                    branch,
                    cause,
                },
                content: Content {
                    data: content.0,
                    previous: content.1,
                    related: content.2.map(|one| Json::from_checked(format!("[{}]", one.as_str()))),
                    source: None,
                },
            }
        })
}
