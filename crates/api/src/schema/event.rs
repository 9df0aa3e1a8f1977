//! Events, and what became of them.

use utoipa::ToSchema;

use super::call::BriefCall;
use super::delivery::{Delivery, DeliveryState};
use super::link::Link;
use super::only;
use super::text::{DeliveryId, EnvironmentId, EventId, Instant, WebhookId};

only!(EventType = "Event", ExplanationType = "EventExplanation");

/// An event in a few lines.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventSummary {
    id: EventId,
    #[schema(examples("Entry"))]
    r#type: String,
    #[schema(examples("publish"))]
    action: String,
    #[schema(examples("Entry.publish"))]
    topic: String,
    environment: EnvironmentId,
    occurred_at: Instant,
    accepted_at: Instant,
    resource: Resource,
}

/// What an event is about.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Resource {
    /// The CMS's id of it.
    id: String,
    #[schema(nullable = false)]
    content_type: Option<String>,
    #[schema(nullable = false)]
    slug: Option<String>,
    #[schema(nullable = false)]
    locale: Option<String>,
    /// Grows with each change.
    #[schema(nullable = false)]
    version: Option<i64>,
    #[schema(nullable = false)]
    title: Option<String>,
    #[schema(nullable = false)]
    state: Option<String>,
    #[schema(nullable = false)]
    url: Option<String>,
}

/// An event with its content and what became of it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    sys: EventSys,
    id: EventId,
    r#type: String,
    action: String,
    topic: String,
    environment: EnvironmentId,
    occurred_at: Instant,
    accepted_at: Instant,
    resource: Resource,
    #[schema(nullable = false)]
    actor: Option<Person>,
    #[schema(nullable = false)]
    workflow: Option<WorkflowStep>,
    #[schema(nullable = false)]
    branch: Option<String>,
    #[schema(nullable = false)]
    cause: Option<EventCause>,
    /// What was decided about each webhook considered; at most 100 that did not match.
    decisions: Vec<Decision>,
    /// How many more webhooks did not match.
    unlisted: u32,
    deliveries: Vec<Delivery>,
    content: EventContent,
}

/// Which event.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventSys {
    #[schema(inline)]
    r#type: EventType,
    id: EventId,
    space: Link,
    environment: Link,
    created_at: Instant,
}

/// Who caused an event.
#[derive(ToSchema)]
pub(crate) struct Person {
    id: String,
    #[schema(required)]
    r#type: Option<String>,
}

/// From which state to which.
#[derive(ToSchema)]
pub(crate) struct WorkflowStep {
    #[schema(required)]
    from: Option<String>,
    #[schema(required)]
    to: Option<String>,
}

/// The larger thing an event is part of.
#[derive(ToSchema)]
pub(crate) struct EventCause {
    #[schema(examples("release"))]
    kind: String,
    #[schema(required)]
    id: Option<String>,
    #[schema(required)]
    title: Option<String>,
}

/// The content of an event, byte for byte as it came.
#[derive(ToSchema)]
pub(crate) struct EventContent {
    /// The resource itself: any JSON.
    #[schema(value_type = Value)]
    data: (),
    /// The resource before the change: any JSON.
    #[schema(value_type = Value, required = false)]
    previous: (),
    /// Related resources.
    #[schema(value_type = Vec<Value>, required = false)]
    related: (),
    #[schema(nullable = false)]
    source: Option<EventSource>,
}

/// A CMS's own webhook, as a source received it.
#[derive(ToSchema)]
pub(crate) struct EventSource {
    dialect: String,
    #[schema(value_type = Value)]
    body: (),
}

/// What was decided about one webhook.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decision {
    webhook: Link,
    matched: bool,
    #[schema(inline)]
    rule: Rule,
    detail: String,
    /// When its delivery is due, if not at once.
    #[schema(nullable = false)]
    due_at: Option<Instant>,
}

/// The rules that can decide.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Rule {
    Topic,
    Trigger,
    Limit,
    Filter,
    ChangedFields,
    State,
    Disabled,
    NotExpressible,
}

/// Why each webhook was or was not called, what was called, and what is pending.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    sys: ExplanationSys,
    event: EventSummary,
    webhooks: Vec<ExplainedWebhook>,
    /// How many more webhooks did not match.
    unlisted: u32,
    /// There are more calls than are shown.
    more_calls: bool,
}

/// Which event.
#[derive(ToSchema)]
pub(crate) struct ExplanationSys {
    #[schema(inline)]
    r#type: ExplanationType,
    id: EventId,
    space: Link,
    environment: Link,
}

/// What one webhook made of an event.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedWebhook {
    id: WebhookId,
    /// Its name now; null when it was deleted.
    #[schema(required)]
    name: Option<String>,
    #[schema(nullable = false)]
    matched: Option<bool>,
    #[schema(inline, nullable = false)]
    rule: Option<Rule>,
    #[schema(nullable = false)]
    detail: Option<String>,
    /// When its delivery is due, if not at once.
    due_at: Option<Instant>,
    deliveries: Vec<ExplainedDelivery>,
}

/// A delivery with its calls.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedDelivery {
    id: DeliveryId,
    generation: u32,
    #[schema(inline)]
    state: DeliveryState,
    attempt: u32,
    #[schema(required)]
    next_at: Option<Instant>,
    #[schema(required)]
    reason: Option<String>,
    #[schema(required)]
    superseded_by: Option<DeliveryId>,
    /// First attempt first.
    calls: Vec<BriefCall>,
}

/// Which webhook an event is sent to again.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResendBody {
    webhook: WebhookId,
}
