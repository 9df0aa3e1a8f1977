//! The small part of an event, version 1.

use std::borrow::Cow;

use postrider_domain::event::{Actor, Cause, EventHead, Resource, Workflow};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId};
use postrider_domain::topic::{Action, EventType};
use serde::{Deserialize, Serialize};

use crate::fields::{at, instant, within};
use crate::version::{self, V1};
use crate::{DecodeError, Wire};

#[derive(Serialize, Deserialize)]
pub(crate) struct HeadV1<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    space: Cow<'a, str>,
    #[serde(borrow)]
    env: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    action: Cow<'a, str>,
    /// Unix milliseconds, as every instant.
    occurred: i64,
    accepted: i64,
    #[serde(borrow)]
    res: ResourceV1<'a>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    actor: Option<ActorV1<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    wf: Option<WorkflowV1<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    cause: Option<CauseV1<'a>>,
}

#[derive(Serialize, Deserialize)]
struct ResourceV1<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    /// The content type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ct: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slug: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locale: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ver: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct ActorV1<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct WorkflowV1<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
struct CauseV1<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<Cow<'a, str>>,
}

/// A head on its own, as the log keeps it.
#[derive(Serialize, Deserialize)]
struct EnvelopeV1<'a> {
    v: V1,
    #[serde(borrow)]
    head: HeadV1<'a>,
}

impl Wire for EventHead {
    fn encode(&self) -> Vec<u8> {
        version::write(&EnvelopeV1 { v: V1, head: HeadV1::from(self) })
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        within("head", version::read::<EnvelopeV1<'_>>(bytes)?.head.into_domain())
    }
}

fn lent(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(|text| Cow::Borrowed(text.as_str()))
}

fn owned(text: Option<Cow<'_, str>>) -> Option<String> {
    text.map(Cow::into_owned)
}

impl<'a> From<&'a EventHead> for HeadV1<'a> {
    fn from(head: &'a EventHead) -> Self {
        Self {
            id: head.id.as_str().into(),
            space: head.scope.space.as_str().into(),
            env: head.scope.environment.as_str().into(),
            event_type: head.event_type.as_str().into(),
            action: head.action.as_str().into(),
            occurred: head.occurred_at.unix_ms(),
            accepted: head.accepted_at.unix_ms(),
            res: ResourceV1::from(&head.resource),
            actor: head
                .actor
                .as_ref()
                .map(|actor| ActorV1 { id: actor.id.as_str().into(), kind: lent(actor.kind.as_ref()) }),
            wf: head.workflow.as_ref().map(|workflow| WorkflowV1 {
                from: lent(workflow.from.as_ref()),
                to: lent(workflow.to.as_ref()),
            }),
            branch: lent(head.branch.as_ref()),
            cause: head.cause.as_ref().map(|cause| CauseV1 {
                kind: cause.kind.as_str().into(),
                id: lent(cause.id.as_ref()),
                title: lent(cause.title.as_ref()),
            }),
        }
    }
}

impl<'a> From<&'a Resource> for ResourceV1<'a> {
    fn from(resource: &'a Resource) -> Self {
        Self {
            id: resource.id.as_str().into(),
            ct: lent(resource.content_type.as_ref()),
            slug: lent(resource.slug.as_ref()),
            locale: lent(resource.locale.as_ref()),
            ver: resource.version,
            title: lent(resource.title.as_ref()),
            state: lent(resource.state.as_ref()),
            url: lent(resource.url.as_ref()),
        }
    }
}

impl HeadV1<'_> {
    pub(crate) fn into_domain(self) -> Result<EventHead, DecodeError> {
        Ok(EventHead {
            id: at("id", EventId::new(&self.id))?,
            scope: Scope {
                space: at("space", SpaceId::new(&self.space))?,
                environment: at("env", EnvironmentId::new(&self.env))?,
            },
            event_type: at("type", EventType::new(&self.event_type))?,
            action: at("action", Action::new(&self.action))?,
            occurred_at: instant(self.occurred),
            accepted_at: instant(self.accepted),
            resource: self.res.into_domain(),
            actor: self.actor.map(|actor| Actor { id: actor.id.into_owned(), kind: owned(actor.kind) }),
            workflow: self.wf.map(|workflow| Workflow { from: owned(workflow.from), to: owned(workflow.to) }),
            branch: owned(self.branch),
            cause: self.cause.map(|cause| Cause {
                kind: cause.kind.into_owned(),
                id: owned(cause.id),
                title: owned(cause.title),
            }),
        })
    }
}

impl ResourceV1<'_> {
    fn into_domain(self) -> Resource {
        Resource {
            id: self.id.into_owned(),
            content_type: owned(self.ct),
            slug: owned(self.slug),
            locale: owned(self.locale),
            version: self.ver,
            title: owned(self.title),
            state: owned(self.state),
            url: owned(self.url),
        }
    }
}
