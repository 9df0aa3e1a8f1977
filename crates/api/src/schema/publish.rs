//! What the doors of events take and answer. The doors are not part of this crate (`openapi/doors.rs`).

use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use super::text::{EnvironmentId, EventId, Instant, SpaceId};

/// A text of at most 1,024 bytes.
#[derive(ToSchema)]
#[schema(max_length = 1024)]
pub(crate) struct ShortText(String);

/// One thing that happened to one resource. Unknown fields are refused.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "type": "Entry",
    "action": "publish",
    "resource": {"id": "5KsD", "contentType": "blogPost", "version": 5, "title": "Hello"},
    "data": {"headline": "Hello"},
}))]
pub(crate) struct EventBody {
    /// Names the event, once in its space; drawn when it is left out. The same id twice is one event.
    id: Option<EventId>,
    /// May repeat the space of the address.
    space: Option<SpaceId>,
    /// May repeat the environment of the address.
    environment: Option<EnvironmentId>,
    /// What kind of resource: `Entry`, `Asset`, `ContentType`, … An open set.
    #[schema(pattern = "^[A-Za-z0-9_-]{1,48}$", examples("Entry"))]
    r#type: String,
    /// What happened: `publish`, `auto_save`, `publish.success`, … An open set.
    #[schema(max_length = 64, pattern = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$", examples("publish"))]
    action: String,
    /// When it happened; now unless given.
    occurred_at: Option<Instant>,
    resource: ResourceBody,
    actor: Option<ActorBody>,
    workflow: Option<WorkflowBody>,
    branch: Option<ShortText>,
    cause: Option<CauseBody>,
    /// Related resources, kept byte for byte.
    #[schema(value_type = Option<Vec<Value>>)]
    related: Option<()>,
    /// The resource itself: any JSON, kept byte for byte.
    #[schema(value_type = Value, required = false)]
    data: (),
    /// The resource before the change: any JSON, kept byte for byte.
    #[schema(value_type = Value, required = false)]
    previous: (),
}

/// What an event is about.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResourceBody {
    /// The CMS's id of it.
    #[schema(min_length = 1, max_length = 1024, pattern = r"^[^\x00-\x1f\x7f-\x9f]+$", examples("5KsD"))]
    id: String,
    content_type: Option<ShortText>,
    slug: Option<ShortText>,
    locale: Option<ShortText>,
    /// Grows with each change; the highest wins when events are coalesced.
    version: Option<i64>,
    title: Option<ShortText>,
    state: Option<ShortText>,
    #[schema(max_length = 2048)]
    url: Option<String>,
}

/// Who did it.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ActorBody {
    #[schema(min_length = 1, max_length = 1024)]
    id: String,
    r#type: Option<ShortText>,
}

/// From which state to which.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkflowBody {
    from: Option<ShortText>,
    to: Option<ShortText>,
}

/// The larger thing the event is part of.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CauseBody {
    #[schema(min_length = 1, max_length = 1024, examples("release"))]
    kind: String,
    id: Option<ShortText>,
    title: Option<ShortText>,
}

/// An event, or a list of them.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum EventsBody {
    /// One event.
    One(EventBody),
    /// Several.
    Many(EventList),
}

/// Up to 500 events, taken together or not at all.
#[derive(ToSchema)]
#[schema(min_items = 1, max_items = 500)]
pub(crate) struct EventList(Vec<EventBody>);

/// A CloudEvent 1.0 in structured mode. The type is `[prefix.]Type.action`; without a subject, the data names the resource.
#[derive(ToSchema)]
#[schema(example = json!({
    "specversion": "1.0",
    "id": "a1",
    "source": "/cms",
    "type": "com.example.Entry.publish",
    "subject": "5KsD",
    "data": {"headline": "Hello"},
}))]
pub(crate) struct CloudEvent {
    #[schema(pattern = "^1\\.0$", examples("1.0"))]
    specversion: String,
    #[schema(schema_with = attribute)]
    id: String,
    #[schema(schema_with = attribute)]
    source: String,
    #[schema(min_length = 1, max_length = 1024, examples("com.example.Entry.publish"))]
    r#type: String,
    #[schema(schema_with = attribute, required = false)]
    subject: Option<String>,
    time: Option<Instant>,
    /// Any JSON.
    #[schema(value_type = Value, required = false)]
    data: (),
    /// The data as Base64 of JSON.
    data_base64: Option<String>,
}

/// An attribute: a text, or a number or truth value that is taken as its text.
fn attribute() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Number, Type::Boolean]))
        .min_length(Some(1))
        .max_length(Some(1024))
        .into()
}

/// What became of a publication.
#[derive(ToSchema)]
pub(crate) struct Published {
    /// In the order in which the events were given.
    events: Vec<PublishedEvent>,
}

/// One event that was published.
#[derive(ToSchema)]
pub(crate) struct PublishedEvent {
    id: EventId,
    #[schema(inline)]
    status: PublishedStatus,
}

/// Whether the event is new.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PublishedStatus {
    /// It is durable, and will be delivered.
    Accepted,
    /// It was accepted before.
    Duplicate,
}

/// Why something was not published.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Refused {
    error: Refusal,
    request_id: String,
}

/// Why something was not published.
#[derive(ToSchema)]
pub(crate) struct Refusal {
    /// The class, stable.
    #[schema(inline)]
    code: RefusalCode,
    message: String,
    fix: String,
    /// Each single fault, at most 100.
    details: Vec<RefusalDetail>,
}

/// The classes of refusals.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RefusalCode {
    #[schema(rename = "invalid_utf8")]
    InvalidUtf8,
    MalformedJson,
    BrokenBody,
    Unauthenticated,
    Forbidden,
    NotFound,
    WrongMethod,
    TooSlow,
    IdTaken,
    TooLarge,
    UnsupportedMediaType,
    InvalidEvent,
    TooManyEvents,
    Overloaded,
    Unavailable,
    Internal,
}

/// One fault of one event.
#[derive(ToSchema)]
pub(crate) struct RefusalDetail {
    /// Which event of the request, from 0.
    index: u32,
    /// A JSON pointer or a header; empty for the whole event.
    path: String,
    problem: String,
    fix: String,
}
