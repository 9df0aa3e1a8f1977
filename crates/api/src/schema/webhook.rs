//! A webhook as it is answered.

use std::collections::BTreeMap;

use utoipa::ToSchema;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, ObjectBuilder, Schema, Type,
};
use utoipa::openapi::{Ref, RefOr};

use super::filter::Filter;
use super::link::{ArraySys, Link, Pages};
use super::only;
use super::retry::RetryPolicy;
use super::text::{Instant, Seconds, WebhookId};
use super::webhook_body::{CoalesceKey, Escape, HttpMethod, dialect};

only!(WebhookType = "WebhookDefinition", HealthType = "Webhook", SlackType = "slack");

/// A webhook. Secrets are never among it, but for a signing secret drawn just now.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Webhook {
    sys: WebhookSys,
    name: String,
    /// Where it calls; absent if it posts to Slack.
    #[schema(nullable = false)]
    url: Option<String>,
    topics: Vec<String>,
    filters: Vec<Filter>,
    #[schema(nullable = false)]
    headers: Option<Vec<Header>>,
    /// What it does instead of a call.
    #[schema(nullable = false)]
    action: Option<SlackAction>,
    /// Whether it is called.
    active: bool,
    #[schema(schema_with = dialect)]
    dialect: String,
    #[schema(nullable = false)]
    triggers: Option<Vec<Trigger>>,
    #[schema(nullable = false)]
    content_types: Option<Vec<String>>,
    #[schema(nullable = false)]
    entities: Option<Vec<String>>,
    #[schema(nullable = false)]
    changed_fields: Option<Vec<String>>,
    #[schema(nullable = false)]
    states: Option<Vec<String>>,
    #[schema(nullable = false)]
    transformation: Option<Transformation>,
    #[schema(nullable = false)]
    template: Option<Template>,
    /// The dialect's own switches.
    #[schema(nullable = false)]
    options: Option<BTreeMap<String, String>>,
    #[schema(nullable = false)]
    http_basic_username: Option<String>,
    /// Since when, by whom and why it is not called.
    #[schema(nullable = false)]
    disabled: Option<Disabled>,
    #[schema(nullable = false)]
    signing: Option<Signing>,
    #[schema(nullable = false)]
    retry_policy: Option<RetryPolicy>,
    #[schema(nullable = false)]
    timeout: Option<Seconds>,
    #[schema(nullable = false)]
    coalesce: Option<Coalesce>,
    #[schema(nullable = false)]
    rate_limit: Option<RateLimit>,
}

/// A message to Slack.
#[derive(ToSchema)]
pub(crate) struct SlackAction {
    #[schema(inline)]
    r#type: SlackType,
    /// The connection it goes through.
    connection: String,
    #[schema(nullable = false)]
    channel: Option<String>,
    /// What the message says.
    #[schema(nullable = false)]
    template: Option<Template>,
}

/// Who made a webhook and who changed it.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookSys {
    #[schema(inline)]
    r#type: WebhookType,
    id: WebhookId,
    /// Grows by one with every change, from 0.
    #[schema(minimum = 0)]
    version: u64,
    space: Link,
    created_at: Instant,
    created_by: Link,
    updated_at: Instant,
    updated_by: Link,
}

/// A header of the call. The value of a secret one is not shown.
#[derive(ToSchema)]
pub(crate) struct Header {
    key: String,
    #[schema(nullable = false)]
    value: Option<String>,
    #[schema(nullable = false)]
    secret: Option<bool>,
}

/// A topic with its own limits.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Trigger {
    #[schema(nullable = false)]
    r#type: Option<String>,
    #[schema(nullable = false)]
    actions: Option<Vec<String>>,
    #[schema(nullable = false)]
    content_types: Option<Vec<String>>,
    #[schema(nullable = false)]
    entities: Option<Vec<String>>,
}

/// What a call looks like, in Contentful's words.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transformation {
    #[schema(inline, nullable = false)]
    method: Option<HttpMethod>,
    #[schema(nullable = false)]
    content_type: Option<String>,
    #[schema(nullable = false)]
    include_content_length: Option<bool>,
    /// Any JSON.
    #[schema(value_type = Value, required = false)]
    body: (),
}

/// A custom payload, in Mustache.
#[derive(ToSchema)]
pub(crate) struct Template {
    #[schema(nullable = false)]
    body: Option<String>,
    #[schema(inline, nullable = false)]
    escape: Option<Escape>,
}

/// Why a webhook is not called.
#[derive(ToSchema)]
pub(crate) struct Disabled {
    at: Instant,
    /// `user`, or the rule that did it.
    by: String,
    reason: String,
}

/// The secrets that sign the calls, newest first, without the secrets themselves.
#[derive(ToSchema)]
pub(crate) struct Signing {
    secrets: Vec<SigningSecret>,
    /// The secret that was drawn just now: shown this once.
    #[schema(nullable = false)]
    secret: Option<String>,
}

/// A secret that signs the calls.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningSecret {
    created_at: Instant,
    /// Until when an old one signs beside the newest.
    #[schema(nullable = false)]
    expires_at: Option<Instant>,
}

/// What is coalesced.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum Coalesce {
    /// `false`: nothing.
    Off(bool),
    /// Every event.
    Rule(CoalesceRule),
}

/// One call for all events of a window.
#[derive(ToSchema)]
pub(crate) struct CoalesceRule {
    window: Seconds,
    #[schema(inline)]
    key: CoalesceKey,
}

/// How fast it is called at most.
#[derive(ToSchema)]
pub(crate) struct RateLimit {
    #[schema(minimum = 1)]
    calls: u32,
    per: Seconds,
}

/// A part of the webhooks of a space.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WebhookList {
    sys: ArraySys,
    /// How many there are.
    total: u64,
    skip: u64,
    limit: u64,
    #[schema(schema_with = listed)]
    items: Vec<Webhook>,
    pages: Pages,
    /// There are more than `total` says.
    #[schema(nullable = false)]
    total_is_at_least: Option<bool>,
}

/// With `select` an item has the fields that it names, and always `sys.type` and `sys.id`.
fn listed() -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let sys = ObjectBuilder::new().property("type", text()).property("id", text());
    let sys =
        sys.required("type").required("id").additional_properties(Some(AdditionalProperties::FreeForm(true)));
    let selected = ObjectBuilder::new()
        .description(Some("With `select`: the fields that it names."))
        .property("sys", sys)
        .required("sys")
        .additional_properties(Some(AdditionalProperties::FreeForm(true)));
    let whole = Ref::from_schema_name("Webhook");
    ArrayBuilder::new().items(AnyOfBuilder::new().item(whole).item(selected)).into()
}

/// How a webhook has been doing, over the calls in the log.
#[derive(ToSchema)]
pub(crate) struct Health {
    sys: HealthSys,
    calls: HealthCalls,
}

/// Whose health.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthSys {
    #[schema(inline)]
    r#type: HealthType,
    id: WebhookId,
    space: Link,
    created_by: Link,
}

/// The newest calls in the log, at most 10,000.
#[derive(ToSchema)]
pub(crate) struct HealthCalls {
    total: u64,
    /// Those that the receiver took.
    healthy: u64,
}
