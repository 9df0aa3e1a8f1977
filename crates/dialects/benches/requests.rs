//! What a request costs to make, signature included: each dialect, events of 1 KB and 100 KB, and Mustache.
//!
//! `cargo bench -p postrider-dialects`; the figures are in `docs/benchmarks.md`.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use postrider_dialects::{Occasion, contentstack, dialect, names};
use postrider_domain::coalesce::CoalesceSetting;
use postrider_domain::delivery::DeliveryId;
use postrider_domain::event::{Content, Event, EventHead, Resource};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::json::Json;
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::space::SpaceSettings;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use postrider_domain::webhook::{
    Audit, HttpTarget, Method, MustacheTemplate, Render, Status, Wants, Webhook, WebhookAction,
};
use serde_json::json;

const SIZES: [(&str, usize); 2] = [("1 KB", 1_000), ("100 KB", 100_000)];
/// The template of DatoCMS's document, over its default payload.
const SMALL: &str = r#"{
  "message": "{{event_type}} event triggered on {{entity_type}}!",
  "entity_id": "{{#entity}}{{id}}{{/entity}}"
}"#;
/// Everything of every block, escaped.
const WHOLE: &str = r#"{"id":"{{entity.id}}","blocks":[{{#entity.attributes.blocks}}{"kind":"{{kind}}","text":"{{text}}"},{{/entity.attributes.blocks}}null]}"#;

fn now() -> Timestamp {
    Timestamp::parse("2026-01-01T12:00:00.000Z").expect("an instant")
}

fn scope() -> Scope {
    Scope { space: SpaceId::new("blog").expect("an id"), environment: EnvironmentId::master() }
}

/// A post of about so many bytes, in blocks of a paragraph each.
fn event(bytes: usize) -> Event {
    let block = json!({ "kind": "text", "text": "Lorem \"ipsum\" dolor sit amet, \u{e9}lit.\n".repeat(4) });
    let blocks = vec![block.clone(); bytes / block.to_string().len()];
    let data = json!({ "title": "A post", "slug": "a-post", "views": 1.5, "blocks": blocks });
    Event {
        head: EventHead {
            id: EventId::new("e1").expect("an id"),
            scope: scope(),
            event_type: EventType::new("Entry").expect("a type"),
            action: Action::new("publish").expect("an action"),
            occurred_at: now(),
            accepted_at: now(),
            resource: Resource {
                id: "5KsD".into(),
                content_type: Some("post".into()),
                slug: Some("a-post".into()),
                locale: Some("en-US".into()),
                version: Some(5),
                ..Resource::default()
            },
            actor: None,
            workflow: None,
            branch: None,
            cause: None,
        },
        content: Content {
            data: Json::from_checked(data.to_string()),
            previous: None,
            related: None,
            source: None,
        },
    }
}

fn webhook(dialect: &str, render: Render) -> Webhook {
    Webhook {
        id: WebhookId::new("w1").expect("an id"),
        space: scope().space,
        name: "build".into(),
        status: Status::Active,
        wants: Wants::default(),
        action: WebhookAction::Http(HttpTarget {
            url: "https://example.com/hook".into(),
            method: Method::Post,
            headers: Vec::new(),
            basic_auth: None,
            render,
        }),
        dialect: dialect.into(),
        options: BTreeMap::new(),
        signing: Vec::new(),
        retry: None,
        timeout: None,
        coalesce: CoalesceSetting::Off,
        rate_limit: None,
        version: 0,
        audit: Audit { created_at: now(), created_by: "t".into(), updated_at: now(), updated_by: "t".into() },
    }
}

/// Makes the request once and hands out its size.
fn write(event: &Event, webhook: &Webhook, space: &SpaceSettings, secrets: &OpenedSecrets) -> usize {
    let message_id = DeliveryId::derive(&scope(), &event.head.id, &webhook.id, 0);
    let occasion =
        Occasion { event, webhook, space, secrets, message_id, coalesced: None, attempt: 1, now: now() };
    let rendered = dialect(&webhook.dialect).expect("known").write(&occasion).expect("a request");
    rendered.body.map_or(0, |body| body.len())
}

fn secrets() -> OpenedSecrets {
    let key = contentstack::new_key().expect("a key");
    OpenedSecrets {
        space_rsa: Some(key.secret),
        signing: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()],
        space_signing: Some("a".repeat(64)),
        ..OpenedSecrets::default()
    }
}

fn dialects(criterion: &mut Criterion) {
    let (space, secrets) = (SpaceSettings::default(), secrets());
    let mut group = criterion.benchmark_group("write and sign");
    for (size, bytes) in SIZES {
        let event = event(bytes);
        group.throughput(Throughput::Bytes(event.content.data.len() as u64));
        for name in names() {
            let webhook = webhook(name, Render::Dialect);
            group.bench_function(BenchmarkId::new(*name, size), |bencher| {
                bencher.iter(|| black_box(write(&event, &webhook, &space, &secrets)));
            });
        }
    }
    group.finish();
}

fn mustache(criterion: &mut Criterion) {
    let (space, secrets) = (SpaceSettings::default(), secrets());
    let mut group = criterion.benchmark_group("mustache over datocms");
    for (size, bytes) in SIZES {
        let event = event(bytes);
        group.throughput(Throughput::Bytes(event.content.data.len() as u64));
        for (name, template) in [("document's template", SMALL), ("every block", WHOLE)] {
            let templates = MustacheTemplate { body: Some(template.to_owned()), escape: None };
            let webhook = webhook("datocms", Render::Mustache(templates));
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| black_box(write(&event, &webhook, &space, &secrets)));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, dialects, mustache);
criterion_main!(benches);
