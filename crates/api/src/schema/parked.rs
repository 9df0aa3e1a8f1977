//! Parked messages.

use utoipa::ToSchema;

use super::link::{ArraySys, Pages};
use super::only;
use super::text::{DeliveryId, EnvironmentId, EventId, Instant, ParkedId, SpaceId, WebhookId};

only!(ParkedType = "ParkedMessage");

/// A message that could not be processed.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParkedMessage {
    sys: ParkedSys,
    /// Where it came from.
    queue: String,
    /// Why it could not be processed.
    reason: String,
    parked_at: Instant,
    /// How often it was handed out.
    deliveries: u32,
    size_bytes: u64,
}

/// Which message.
#[derive(ToSchema)]
pub(crate) struct ParkedSys {
    #[schema(inline)]
    r#type: ParkedType,
    id: ParkedId,
}

/// A message that could not be processed, with its body: `body` if it is text, else `bodyBase64`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WholeParkedMessage {
    sys: ParkedSys,
    queue: String,
    reason: String,
    parked_at: Instant,
    deliveries: u32,
    size_bytes: u64,
    #[schema(nullable = false)]
    body: Option<String>,
    #[schema(nullable = false)]
    body_base64: Option<String>,
    holds: Vec<HeldDelivery>,
}

/// A delivery that waits for a parked message: it is `parked` until the message is put back or dropped.
#[derive(ToSchema)]
pub(crate) struct HeldDelivery {
    delivery: DeliveryId,
    space: SpaceId,
    environment: EnvironmentId,
    event: EventId,
    webhook: WebhookId,
    /// 0 for the automatic delivery; each resend is the next.
    generation: u32,
    /// Attempts made before the message was parked.
    attempts: u32,
}

/// Parked messages, oldest first, without their bodies.
#[derive(ToSchema)]
pub(crate) struct ParkedList {
    sys: ArraySys,
    limit: u64,
    items: Vec<ParkedMessage>,
    pages: Pages,
}
