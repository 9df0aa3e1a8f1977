//! Deliveries.

use utoipa::ToSchema;

use super::event::EventSummary;
use super::link::{ArraySys, Link, Pages};
use super::only;
use super::text::{DeliveryId, Instant, WebhookId};

only!(DeliveryType = "Delivery");

/// Where a delivery stands.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryState {
    Pending,
    Delivered,
    GivenUp,
    Superseded,
    Skipped,
    Cancelled,
    Parked,
}

/// Where a delivery stands, in DatoCMS's words where it has one.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryStatus {
    Pending,
    Rescheduled,
    Success,
    Failed,
    Superseded,
    Skipped,
    Cancelled,
    Parked,
}

/// Where a delivery may be asked to stand: DatoCMS's words and ours.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeliveryStatusAsked {
    Pending,
    Rescheduled,
    Success,
    Failed,
    Delivered,
    GivenUp,
    Superseded,
    Skipped,
    Cancelled,
    Parked,
}

/// What deliveries can be in order by.
#[derive(ToSchema)]
pub(crate) enum DeliveryOrder {
    #[schema(rename = "-sys.updatedAt")]
    Newest,
    #[schema(rename = "sys.updatedAt")]
    Oldest,
    #[schema(rename = "nextAt")]
    Soonest,
    #[schema(rename = "-nextAt")]
    Latest,
}

/// One event for one webhook.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    sys: DeliverySys,
    event: EventSummary,
    webhook: WebhookId,
    /// 0 for the automatic delivery; each resend is the next.
    generation: u32,
    #[schema(inline)]
    state: DeliveryState,
    /// The same in DatoCMS's words: `pending` had no attempt yet, `rescheduled` waits for another one, `success` is delivered,
    /// `failed` is given up.
    #[schema(inline)]
    status: DeliveryStatus,
    /// Attempts so far.
    attempt: u32,
    /// When the next attempt is due.
    #[schema(required)]
    next_at: Option<Instant>,
    /// Why it ended as it did.
    #[schema(required)]
    reason: Option<String>,
    /// The delivery that carried a newer state instead.
    #[schema(required)]
    superseded_by: Option<DeliveryId>,
}

/// Which delivery.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliverySys {
    #[schema(inline)]
    r#type: DeliveryType,
    id: DeliveryId,
    space: Link,
    environment: Link,
    /// The webhook.
    created_by: Link,
    created_at: Instant,
    updated_at: Instant,
}

/// Deliveries of a space.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryList {
    sys: ArraySys,
    /// How many there are, counted up to 10,000.
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<Delivery>,
    pages: Pages,
    /// There are more than `total` says.
    #[schema(nullable = false)]
    total_is_at_least: Option<bool>,
}
