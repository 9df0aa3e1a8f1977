//! Events in JSON: the form of DESIGN §4.1, with what became of them.

use postrider_control::EventRow;
use postrider_domain::event::{Content, EventHead, Resource};
use postrider_domain::json::Json;
use postrider_domain::record::Decision;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use crate::delivery_json;
use crate::links::link;

/// An event in a few lines, for lists.
pub(crate) fn summary(head: &EventHead) -> Value {
    json!({
        "id": head.id.as_str(),
        "type": head.event_type.as_str(),
        "action": head.action.as_str(),
        "topic": head.topic(),
        "environment": head.scope.environment.as_str(),
        "occurredAt": head.occurred_at.to_string(),
        "acceptedAt": head.accepted_at.to_string(),
        "resource": resource(&head.resource),
    })
}

fn resource(resource: &Resource) -> Value {
    let mut written = json!({"id": resource.id});
    let texts = [
        ("contentType", &resource.content_type),
        ("slug", &resource.slug),
        ("locale", &resource.locale),
        ("title", &resource.title),
        ("state", &resource.state),
        ("url", &resource.url),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            written[name] = json!(text);
        }
    }
    if let Some(version) = resource.version {
        written["version"] = json!(version);
    }
    written
}

/// What was decided about one webhook.
pub(crate) fn decision(decision: &Decision) -> Value {
    let mut written = json!({
        "webhook": link("WebhookDefinition", decision.webhook.as_str()),
        "matched": decision.verdict.matched,
        "rule": decision.verdict.rule.as_str(),
        "detail": decision.verdict.detail,
    });
    if let Some(due) = decision.due_at {
        written["dueAt"] = json!(due.to_string());
    }
    written
}

/// A whole event. Its data is shown byte for byte, so it is not taken apart.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WholeEvent {
    sys: Value,
    #[serde(flatten)]
    head: serde_json::Map<String, Value>,
    decisions: Vec<Value>,
    unlisted: u32,
    deliveries: Vec<Value>,
    content: Contents,
}

#[derive(Debug, Serialize)]
struct Contents {
    data: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    related: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<ShownSource>,
}

#[derive(Debug, Serialize)]
struct ShownSource {
    dialect: String,
    body: Box<RawValue>,
}

/// An event with what became of it.
pub(crate) fn whole(row: &EventRow) -> WholeEvent {
    let head = &row.event.head;
    let mut fields = summary(head);
    if let Some(actor) = &head.actor {
        fields["actor"] = json!({"id": actor.id, "type": actor.kind});
    }
    if let Some(workflow) = &head.workflow {
        fields["workflow"] = json!({"from": workflow.from, "to": workflow.to});
    }
    if let Some(branch) = &head.branch {
        fields["branch"] = json!(branch);
    }
    if let Some(cause) = &head.cause {
        fields["cause"] = json!({"kind": cause.kind, "id": cause.id, "title": cause.title});
    }
    let sys = json!({
        "type": "Event",
        "id": head.id.as_str(),
        "space": link("Space", head.scope.space.as_str()),
        "environment": link("Environment", head.scope.environment.as_str()),
        "createdAt": head.accepted_at.to_string(),
    });
    WholeEvent {
        sys,
        head: fields.as_object().cloned().unwrap_or_default(),
        decisions: row.decisions.iter().map(decision).collect(),
        unlisted: row.unlisted,
        deliveries: row.deliveries.iter().map(delivery_json::write).collect(),
        content: contents(&row.event.content),
    }
}

fn contents(content: &Content) -> Contents {
    Contents {
        data: raw(&content.data),
        previous: content.previous.as_ref().map(raw),
        related: content.related.as_ref().map(raw),
        source: content
            .source
            .as_ref()
            .map(|source| ShownSource { dialect: source.dialect.clone(), body: raw(&source.body) }),
    }
}

/// Stored JSON was checked when it came in; should it be broken all the same, it is shown as a text.
fn raw(json: &Json) -> Box<RawValue> {
    let text = json.as_str();
    RawValue::from_string(text.to_owned()).or_else(|_| to_raw_value(text)).unwrap_or_default()
}
