//! Calls: Contentful's overview and details, and what we know beyond them.

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::delivery::DeliveryState;
use super::event::EventSummary;
use super::link::{ArraySys, Link};
use super::only;
use super::text::{CallId, DeliveryId, Instant, WebhookId};

only!(OverviewType = "WebhookCallOverview", DetailsType = "WebhookCallDetails", Base64 = "base64");

/// A call in a line.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallOverview {
    sys: OverviewSys,
    /// Status of the answer; null when there was none.
    #[schema(required)]
    status_code: Option<u16>,
    /// Why there was no answer, in Contentful's names.
    #[schema(inline)]
    errors: Vec<CallError>,
    /// The event's action.
    #[schema(examples("publish"))]
    event_type: String,
    url: String,
    request_at: Instant,
    #[schema(required)]
    response_at: Option<Instant>,
}

/// Which call.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OverviewSys {
    #[schema(inline)]
    r#type: OverviewType,
    id: CallId,
    space: Link,
    /// The webhook.
    created_by: Link,
    created_at: Instant,
}

/// Why a call had no answer, or none that counts.
#[derive(ToSchema)]
pub(crate) enum CallError {
    TimeoutError,
    ConnectionError,
    NameResolutionError,
    TlsError,
    AddressBlockedError,
    RequestError,
    ProtocolError,
    SlackError,
}

/// A call with everything about it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallDetails {
    sys: DetailsSys,
    /// Status of the answer; null when there was none.
    #[schema(required)]
    status_code: Option<u16>,
    /// Why there was no answer, in Contentful's names.
    #[schema(inline)]
    errors: Vec<CallError>,
    /// The event's action.
    event_type: String,
    url: String,
    request_at: Instant,
    #[schema(required)]
    response_at: Option<Instant>,
    request: CallRequest,
    #[schema(required)]
    response: Option<CallResponse>,
    event: EventSummary,
    webhook: WebhookId,
    /// Which version of the webhook was called.
    webhook_version: u64,
    delivery: DeliveryId,
    /// 0 for the automatic delivery; each resend is the next.
    generation: u32,
    /// From 1.
    attempt: u32,
    /// Where the delivery stood after this call.
    #[schema(inline)]
    state: DeliveryState,
    /// When the next attempt is due.
    #[schema(required)]
    next_at: Option<Instant>,
    timings: Timings,
    #[schema(required)]
    failure: Option<Failure>,
    #[schema(required)]
    diagnosis: Option<Diagnosis>,
    /// Whether the answer's body was longer than what is kept of it.
    truncated: bool,
}

/// Which call.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DetailsSys {
    #[schema(inline)]
    r#type: DetailsType,
    id: CallId,
    space: Link,
    /// The webhook.
    created_by: Link,
    created_at: Instant,
}

/// A request as it was sent; secrets in it are `•••`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallRequest {
    method: String,
    url: String,
    headers: BTreeMap<String, HeaderValues>,
    /// The body as text; in Base64 if it is none.
    body: String,
    #[schema(inline, nullable = false)]
    body_encoding: Option<Base64>,
    /// Time-out in milliseconds.
    timeout: u64,
}

/// An answer as it came; secrets in it are `•••`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallResponse {
    status_code: u16,
    url: String,
    headers: BTreeMap<String, HeaderValues>,
    /// The body as text; in Base64 if it is none.
    body: String,
    #[schema(inline, nullable = false)]
    body_encoding: Option<Base64>,
}

/// The value of a header, or all of them if it came more than once.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum HeaderValues {
    /// The one value.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// How long each part took, in milliseconds; null for parts that there were none of.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timings {
    #[schema(required)]
    resolve_ms: Option<f64>,
    #[schema(required)]
    connect_ms: Option<f64>,
    #[schema(required)]
    first_byte_ms: Option<f64>,
    total_ms: f64,
}

/// Why there was no answer, or why Slack's is no success.
#[derive(ToSchema)]
pub(crate) struct Failure {
    #[schema(inline)]
    kind: FailureKind,
    message: String,
}

/// What a failed call means; null when it succeeded.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Diagnosis {
    /// What happened, in one line.
    #[schema(example = "404: there is nothing at this path")]
    cause: String,
    /// What to do about it, in one line.
    #[schema(example = "check the path of the URL; the host answered")]
    next_step: String,
}

/// The kinds of failure.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FailureKind {
    Timeout,
    Connect,
    Dns,
    Tls,
    AddressBlocked,
    Request,
    Protocol,
    Slack,
}

/// A call in a few lines, where its event and webhook are known from around it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BriefCall {
    id: CallId,
    attempt: u32,
    request_at: Instant,
    #[schema(required)]
    response_at: Option<Instant>,
    #[schema(required)]
    status_code: Option<u16>,
    #[schema(required)]
    failure: Option<Failure>,
    #[schema(inline)]
    state: DeliveryState,
    #[schema(required)]
    next_at: Option<Instant>,
    duration_ms: f64,
}

/// Contentful's list of the calls of a webhook, newest first.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallOverviewList {
    sys: ArraySys,
    /// How many there are, counted up to 10,000.
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<CallOverview>,
    pages: super::link::Pages,
    /// There are more than `total` says.
    #[schema(nullable = false)]
    total_is_at_least: Option<bool>,
}

/// Calls of a space, newest first; those that were waited for, oldest first.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallList {
    sys: ArraySys,
    /// How many there are, counted up to 10,000.
    total: u64,
    skip: u64,
    limit: u64,
    items: Vec<CallDetails>,
    pages: CallPages,
    /// There are more than `total` says.
    #[schema(nullable = false)]
    total_is_at_least: Option<bool>,
    /// With `wait`: there were so many that some may be missing; the list has them all.
    #[schema(nullable = false)]
    skipped: Option<bool>,
}

/// Where a list of calls goes on, either way.
#[derive(ToSchema)]
pub(crate) struct CallPages {
    /// Hand it back as `cursor` for older calls; null on the last page.
    #[schema(required)]
    next: Option<String>,
    /// Hand it back as `cursor`, with `wait`, for calls that end from now on.
    newer: String,
}
