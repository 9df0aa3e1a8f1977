//! A webhook as it is sent to us: Contentful's definition and our own fields.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};

use super::filter::Filter;
use super::retry::RetryPolicyBody;
use super::text::{ConnectionId, Duration, LimitText, Name, SecretText};
use super::webhook::SlackType;

/// A webhook. It needs a name, a URL or an action, and topics or triggers. A PUT replaces everything but secrets: a header with
/// `secret` and without a value, a user name without its password, and signing secrets keep what is stored. Unknown fields
/// at the top, in `headers` and in `transformation` are Contentful's to define: they are ignored with a `Warning`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "name": "Search index",
    "url": "https://search.example.com/hooks/content",
    "topics": ["Entry.publish", "Entry.unpublish"],
    "filters": [{"equals": [{"doc": "sys.contentType.sys.id"}, "blogPost"]}],
    "headers": [{"key": "X-Team", "value": "search"}, {"key": "X-Key", "value": "4f1c9a", "secret": true}],
    "signing": true,
}))]
pub(crate) struct WebhookBody {
    name: Name,
    /// Where it calls: `https://`, at most 2,048 bytes, without user name, spaces and control characters. `http://` only
    /// where the operator's setting `outbound.plain_http` allows it.
    #[schema(min_length = 1, max_length = 2048, examples("https://search.example.com/hooks/content"))]
    url: Option<String>,
    action: Option<SlackActionBody>,
    /// What it is called for: `Type.action`, `*` for any; or a dialect's own names. At least one, or a trigger.
    #[schema(max_items = 100, examples(json!(["Entry.publish", "Asset.*"])))]
    topics: Option<Vec<TopicText>>,
    /// Topics with their own limits.
    #[schema(max_items = 100)]
    triggers: Option<Vec<TriggerBody>>,
    /// Limits all topics and triggers to resources of these content types.
    #[schema(max_items = 1000)]
    content_types: Option<Vec<LimitText>>,
    /// Limits all topics and triggers to these resources, by id.
    #[schema(max_items = 1000)]
    entities: Option<Vec<LimitText>>,
    /// Conditions that must all hold.
    #[schema(max_items = 100)]
    filters: Option<Vec<Filter>>,
    /// Only events that changed one of these: JSON pointers into `data`, or names of its top-level fields.
    #[schema(max_items = 100)]
    changed_fields: Option<Vec<LimitText>>,
    /// Only resources in one of these states.
    #[schema(max_items = 100)]
    states: Option<Vec<LimitText>>,
    /// Headers of the call, each name once; a list of 50 at most.
    #[schema(max_items = 50)]
    headers: Option<Vec<HeaderBody>>,
    /// For basic authentication; null or empty ends it.
    #[schema(max_length = 256, pattern = r"^[^:\x00-\x1f\x7f-\x9f]*$")]
    http_basic_username: Option<String>,
    /// Its password: stored sealed, never answered; kept when it is left out.
    #[schema(max_length = 256, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$", write_only)]
    http_basic_password: Option<String>,
    transformation: Option<TransformationBody>,
    /// Method of the call; `transformation.method` says the same and comes first.
    #[schema(inline)]
    method: Option<HttpMethod>,
    /// Whether it is called; true unless given.
    active: Option<bool>,
    #[schema(schema_with = optional_dialect, required = false)]
    dialect: Option<String>,
    /// The dialect's own switches, by name; replaced as a whole.
    options: Option<BTreeMap<String, String>>,
    template: Option<TemplateBody>,
    /// `true` or `{}`: signed, with a secret that is drawn if there is none. `{"secret": …}`: with this one. `false`: not
    /// signed. Left out: as it was, or as the dialect needs it.
    signing: Option<SigningBody>,
    retry_policy: Option<RetryPolicyBody>,
    /// One deadline over the whole call, 1 to 30 seconds.
    timeout: Option<Duration>,
    /// Events of one window become one call with the newest state; `false` sends each one. Left out: `auto_save` has a
    /// window of 20 s per resource.
    coalesce: Option<CoalesceBody>,
    rate_limit: Option<RateLimitBody>,
    /// Taken and left aside, so that what was read can be changed and sent back.
    #[schema(value_type = Option<Value>)]
    sys: Option<()>,
}

/// A message to Slack in place of a call. Then the webhook has no URL, method, headers, authentication, signing,
/// transformation and template of its own.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"type": "slack", "connection": "editors", "channel": "C0123456789"}))]
pub(crate) struct SlackActionBody {
    #[schema(inline)]
    r#type: SlackType,
    connection: ConnectionId,
    /// The channel's id, which a bot needs; an incoming webhook has its own.
    #[schema(
        min_length = 1,
        max_length = 80,
        pattern = r"^[^\s\x00-\x1f\x7f-\x9f]+$",
        examples("C0123456789")
    )]
    channel: Option<String>,
    /// What the message says, in Mustache over the event as Postrider writes it: JSON if it begins with `{`, else its text.
    template: Option<TemplateBody>,
}

/// A topic: `Type.action`, `*` for any type or action; or a dialect's own name.
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 256, examples("Entry.publish"))]
pub(crate) struct TopicText(String);

/// A topic with its own limits. Triggers OR, kinds of limit within one AND, ids within a kind OR.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TriggerBody {
    /// `*` or left out: any type. A dialect's own word (`item`, `content_types.entries`) goes with its own actions.
    #[schema(pattern = r"^(\*|[A-Za-z0-9_.-]{1,48})$", examples("Entry"))]
    r#type: Option<String>,
    /// Left out or empty: any action.
    #[schema(max_items = 100)]
    actions: Option<Vec<ActionText>>,
    #[schema(max_items = 1000)]
    content_types: Option<Vec<LimitText>>,
    #[schema(max_items = 1000)]
    entities: Option<Vec<LimitText>>,
}

/// An action: `publish`, `publish.*` for every suffix, `*` for any; or a dialect's own, and without a type its own topic
/// (`Entry Published`).
#[derive(ToSchema)]
#[schema(max_length = 66, pattern = r"^(\*|[A-Za-z0-9_ -]+(\.[A-Za-z0-9_-]+)*(\.\*)?)$", examples("publish"))]
pub(crate) struct ActionText(String);

/// A header of the call.
#[derive(ToSchema)]
pub(crate) struct HeaderBody {
    /// Its name; none that belongs to the connection.
    #[schema(
        min_length = 1,
        max_length = 256,
        pattern = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        examples("X-Team")
    )]
    key: String,
    /// Its value: visible ASCII, spaces and tabs. A secret one has at least 4 characters, and is kept when left out.
    #[schema(max_length = 4096, pattern = r"^[\t -~]*$", examples("search"))]
    value: Option<String>,
    /// Whether the value is stored sealed and never answered.
    secret: Option<bool>,
}

/// What a call looks like, in Contentful's words. URL, header values and texts of the body may hold JSON pointers into topic,
/// user and payload: `{ /payload/sys/id }`.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransformationBody {
    #[schema(inline)]
    method: Option<HttpMethod>,
    /// `Content-Type` of the call: JSON or a form.
    #[schema(max_length = 256, examples("application/json; charset=utf-8"))]
    content_type: Option<String>,
    /// Whether the call says `Content-Length`.
    include_content_length: Option<bool>,
    /// Any JSON; the payload unless given.
    #[schema(value_type = Value, required = false)]
    body: (),
}

/// A custom payload, in Mustache over the payload of the dialect. The URL is a template too.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateBody {
    /// The payload of the dialect unless given.
    #[schema(examples("{\"text\": \"{{entity.id}}\"}"))]
    body: Option<String>,
    /// What values are made safe for; by the content type unless given.
    #[schema(inline)]
    escape: Option<Escape>,
}

/// What values are made safe for.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Escape {
    /// The inside of a JSON text.
    Json,
    /// HTML and XML.
    Html,
    /// Nothing.
    None,
}

/// The methods of a call.
#[derive(ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum HttpMethod {
    Post,
    Get,
    Put,
    Patch,
    Delete,
}

/// Whether and how calls are signed.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum SigningBody {
    /// Signed or not.
    Flag(bool),
    /// Signed.
    With(SigningSecretBody),
}

/// Signed; with the given secret, or one that is kept or drawn.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SigningSecretBody {
    secret: Option<SecretText>,
    /// What answers show; sent back, it changes nothing.
    #[schema(value_type = Option<Value>)]
    secrets: Option<()>,
}

/// What is coalesced.
#[derive(ToSchema)]
#[serde(untagged)]
pub(crate) enum CoalesceBody {
    /// `false`: nothing.
    Off(bool),
    /// Every event.
    Rule(CoalesceRuleBody),
}

/// One call for all events of a window.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CoalesceRuleBody {
    /// From the first event on, 1 second to 1 hour.
    window: Duration,
    /// What shares a window; `resource` unless given.
    #[schema(inline)]
    key: Option<CoalesceKey>,
}

/// What shares a window.
#[derive(ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CoalesceKey {
    Resource,
    Webhook,
}

/// How fast it is called at most.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RateLimitBody {
    /// So many calls.
    #[schema(minimum = 1, maximum = 1_000_000)]
    calls: u32,
    /// In so long, 0.1 second to 24 hours; a second unless given.
    per: Option<Duration>,
}

/// A new signing secret.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotationBody {
    /// The new secret; drawn when it is left out.
    secret: Option<SecretText>,
    /// How long the old ones sign beside it, at most 30 days; a day unless given.
    overlap: Option<Duration>,
}

fn optional_dialect() -> RefOr<Schema> {
    let names = postrider_control::dialect_names().iter().map(|name| json!(name));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(names.chain([Value::Null])))
        .description(Some(
            "Which CMS's manner the call has; unless given, what exists keeps its own, and what is new is \
             `contentful` if it comes as `application/vnd.contentful.management.v1+json`, else `native`.",
        ))
        .into()
}

/// The dialects there are, so that the document names them all.
pub(crate) fn dialect() -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(postrider_control::dialect_names().iter().copied()))
        .description(Some("Which CMS's manner the call has."))
        .into()
}
