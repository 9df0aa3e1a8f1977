//! What a webhook would do.

use utoipa::ToSchema;

use super::call::CallRequest;
use super::event::Rule;
use super::link::Link;
use super::only;
use super::publish::EventBody;
use super::text::{EnvironmentId, EventId};
use super::webhook_body::WebhookBody;

only!(PreviewType = "WebhookPreview");

/// The event to look at: `event` or `eventId`, or neither for the sample of a test call.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct PreviewBody {
    /// As it would be published.
    event: Option<EventBody>,
    /// Where `event` would be published; the space's first environment unless given.
    environment: Option<EnvironmentId>,
    /// One that was published.
    event_id: Option<EventId>,
}

/// A webhook that is not saved, and the event to look at.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DraftPreviewBody {
    webhook: WebhookBody,
    /// As it would be published.
    event: Option<EventBody>,
    /// Where `event` would be published; the space's first environment unless given.
    environment: Option<EnvironmentId>,
    /// One that was published.
    event_id: Option<EventId>,
}

/// What would become of an event at a webhook.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Preview {
    sys: PreviewSys,
    decision: Verdict,
    /// For a webhook that is switched off: what the decision would be if it were on.
    #[schema(required)]
    when_enabled: Option<Verdict>,
    /// The request as it would be sent, whether it matches or not; secrets and signatures are `•••`.
    #[schema(required)]
    request: Option<CallRequest>,
    /// Why there is no request: what the webhook's owner must mend.
    #[schema(required)]
    error: Option<String>,
}

/// Whose preview.
#[derive(ToSchema)]
pub(crate) struct PreviewSys {
    #[schema(inline)]
    r#type: PreviewType,
    space: Link,
}

/// Whether an event is delivered, and which rule decides.
#[derive(ToSchema)]
pub(crate) struct Verdict {
    matched: bool,
    #[schema(inline)]
    rule: Rule,
    detail: String,
}
