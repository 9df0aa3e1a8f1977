//! The small part of an event as Postrider's own JSON: the form that `native` writes and reads.

use postrider_domain::event::{EventHead, Resource};
use serde::Serialize;

/// Writes everything but the content, as one closed object.
pub(crate) fn write_head(head: &EventHead) -> String {
    let envelope = Envelope {
        id: head.id.as_str(),
        space: head.scope.space.as_str(),
        environment: head.scope.environment.as_str(),
        event_type: head.event_type.as_str(),
        action: head.action.as_str(),
        occurred_at: head.occurred_at.to_string(),
        resource: ResourceOut::of(&head.resource),
        actor: head.actor.as_ref().map(|actor| ActorOut { id: &actor.id, kind: actor.kind.as_deref() }),
        workflow: head
            .workflow
            .as_ref()
            .map(|flow| WorkflowOut { from: flow.from.as_deref(), to: flow.to.as_deref() }),
        branch: head.branch.as_deref(),
        cause: head.cause.as_ref().map(|cause| CauseOut {
            kind: &cause.kind,
            id: cause.id.as_deref(),
            title: cause.title.as_deref(),
        }),
    };
    serde_json::to_string(&envelope).expect("plain structs of texts and numbers serialise")
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    id: &'a str,
    space: &'a str,
    environment: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    action: &'a str,
    occurred_at: String,
    resource: ResourceOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<ActorOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<WorkflowOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<CauseOut<'a>>,
}

/// What is known of the resource; what is not known is left out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourceOut<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    slug: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

impl<'a> ResourceOut<'a> {
    pub(crate) fn of(resource: &'a Resource) -> Self {
        Self {
            id: &resource.id,
            content_type: resource.content_type.as_deref(),
            slug: resource.slug.as_deref(),
            locale: resource.locale.as_deref(),
            version: resource.version,
            title: resource.title.as_deref(),
            state: resource.state.as_deref(),
            url: resource.url.as_deref(),
        }
    }

    /// For where the content type stands elsewhere.
    pub(crate) fn without_content_type(self) -> Self {
        Self { content_type: None, ..self }
    }
}

#[derive(Serialize)]
struct ActorOut<'a> {
    id: &'a str,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
}

#[derive(Serialize)]
struct WorkflowOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<&'a str>,
}

#[derive(Serialize)]
struct CauseOut<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}
