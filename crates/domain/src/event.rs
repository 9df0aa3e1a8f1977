//! An event: one thing that happened to one resource (DESIGN §4.1).

use std::sync::Arc;

use crate::id::{EventId, Scope};
use crate::json::Json;
use crate::timestamp::{Day, Timestamp};
use crate::topic::{Action, EventType};

/// Everything about an event that matching, routing and lists need; small, and always travels by value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHead {
    /// Unique in the space.
    pub id: EventId,
    /// Space and environment.
    pub scope: Scope,
    /// `Entry`, `Asset`, …: an open set.
    pub event_type: EventType,
    /// `publish`, `auto_save`, `publish.success`, …: an open set.
    pub action: Action,
    /// When it happened, as the publisher says.
    pub occurred_at: Timestamp,
    /// When we accepted it. Its day is the day under which event and deliveries are kept.
    pub accepted_at: Timestamp,
    /// The resource.
    pub resource: Resource,
    /// Who did it.
    pub actor: Option<Actor>,
    /// For a workflow transition: from where to where.
    pub workflow: Option<Workflow>,
    /// The branch of the content, where the CMS has branches.
    pub branch: Option<String>,
    /// What larger thing brought it about (a release, a bulk action).
    pub cause: Option<Cause>,
}

/// The resource an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// The CMS's id of it.
    pub id: String,
    /// The content type (model, collection) of an entry.
    pub content_type: Option<String>,
    /// The part of its address that people see.
    pub slug: Option<String>,
    /// The locale, where the event is about one.
    pub locale: Option<String>,
    /// A number that grows with each change; the newest wins when events are coalesced.
    pub version: Option<i64>,
    /// For people.
    pub title: Option<String>,
    /// `draft`, `published`, …: an open set.
    pub state: Option<String>,
    /// Where to look at it.
    pub url: Option<String>,
}

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The CMS's id of the user or app.
    pub id: String,
    /// `User`, `App`, …
    pub kind: Option<String>,
}

/// A workflow transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workflow {
    /// The state before.
    pub from: Option<String>,
    /// The state after.
    pub to: Option<String>,
}

/// The larger thing an event is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// `release`, `bulk`, `schedule`, …
    pub kind: String,
    /// Its id in the CMS.
    pub id: Option<String>,
    /// For people.
    pub title: Option<String>,
}

/// The part of an event that can be large: kept byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The resource itself.
    pub data: Json,
    /// The resource before the change.
    pub previous: Option<Json>,
    /// A JSON array of related resources.
    pub related: Option<Json>,
    /// The webhook of the CMS as it was received, when the event came in through a source.
    pub source: Option<Source>,
}

/// A CMS's own webhook, as received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The dialect it was read with.
    pub dialect: String,
    /// The headers that the dialect needs again, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Json,
}

/// A complete event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The small part.
    pub head: EventHead,
    /// The large part.
    pub content: Content,
}

/// Where a content is kept when it is too large to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyRef {
    /// The day of acceptance: bodies are kept by day.
    pub day: Day,
    /// SHA-256 of the stored bytes.
    pub sha256: [u8; 32],
    /// How many bytes are stored.
    pub length: u32,
}

/// How the content travels with a message: by value up to 32 KiB, beyond that by reference (DESIGN §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carriage {
    /// Inside the message. Shared, because one event fans out into many messages.
    Inline(Arc<Content>),
    /// In the body store, committed before the message that names it.
    Stored(BodyRef),
}

/// Contents up to this many bytes travel inside the message: 32 KiB (DESIGN §4.2).
pub const INLINE_LIMIT: usize = 32 * 1024;

/// An event as it travels between services. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// The small part.
    pub head: Arc<EventHead>,
    /// The large part, or where it is.
    pub content: Carriage,
}

impl EventHead {
    /// `Type.action`, as webhooks subscribe to it.
    pub fn topic(&self) -> String {
        format!("{}.{}", self.event_type, self.action)
    }

    /// The day under which the event and its deliveries are kept.
    pub fn day(&self) -> Day {
        self.accepted_at.day()
    }
}

impl Content {
    /// How many bytes it would carry, headers and envelope left out.
    pub fn size(&self) -> usize {
        let optional = |part: &Option<Json>| part.as_ref().map_or(0, Json::len);
        self.data.len()
            + optional(&self.previous)
            + optional(&self.related)
            + self.source.as_ref().map_or(0, |source| source.body.len())
    }
}
