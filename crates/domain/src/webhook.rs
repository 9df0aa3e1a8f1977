//! A webhook: a subscription, and how to render, sign and retry what it asks for.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::coalesce::CoalesceSetting;
use crate::filter::Filter;
use crate::id::{SpaceId, WebhookId};
use crate::json::Json;
use crate::retry::RetryPolicy;
use crate::secret::Sealed;
use crate::timestamp::Timestamp;
use crate::topic::TopicPattern;
use crate::trigger::{Limits, Trigger};

/// A webhook (`webhook_definition` in the API).
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// Unique in the space.
    pub id: WebhookId,
    /// Whose it is.
    pub space: SpaceId,
    /// For people.
    pub name: String,
    /// Whether it is called, and if not, since when and why.
    pub status: Status,
    /// What it subscribes to.
    pub wants: Wants,
    /// What is done when an event matches.
    pub action: WebhookAction,
    /// Which CMS's way of speaking the request follows (`native`, `standard-webhooks`, `cometcms`, …).
    pub dialect: String,
    /// The dialect's own switches (`payloadApiVersion`, …), as the dialect names them.
    pub options: BTreeMap<String, String>,
    /// Secrets that sign its requests, newest first. Those with an end still sign beside the newest until then.
    pub signing: Vec<SigningSecret>,
    /// `None` leaves it to the dialect.
    pub retry: Option<RetryPolicy>,
    /// One deadline over resolve, connect, headers and body; `None` leaves it to the dialect.
    pub timeout: Option<Duration>,
    /// What is coalesced.
    pub coalesce: CoalesceSetting,
    /// How fast it may be called at most.
    pub rate_limit: Option<RateLimit>,
    /// Grows by one with every change, from 0 (as in Contentful's API).
    pub version: u64,
    /// Who made and who last changed it, and when.
    pub audit: Audit,
}

/// What a webhook subscribes to: topics and triggers OR, limits and filters AND.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wants {
    /// Topics, each as given and as understood.
    pub topics: Vec<Topic>,
    /// Triggers with their own limits.
    pub triggers: Vec<Trigger>,
    /// Limits that hold for every topic and trigger.
    pub limits: Limits,
    /// All must pass.
    pub filters: Vec<Filter>,
    /// Only events that changed one of these fields; empty is any. (JSON pointers or top-level names.)
    pub changed_fields: Vec<String>,
    /// Only resources in one of these states; empty is any.
    pub states: Vec<String>,
}

/// A topic as the user gave it (possibly in a dialect's own words) and what it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// As given; the API shows it so.
    pub given: String,
    /// As matched.
    pub pattern: TopicPattern,
}

/// What a webhook does when an event matches.
#[derive(Debug, Clone, PartialEq)]
pub enum WebhookAction {
    /// Calls a URL.
    Http(HttpTarget),
    /// Posts a message to Slack.
    Slack(SlackTarget),
}

/// Where a Slack message goes, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackTarget {
    /// The id of one of the space's connections.
    pub connection: String,
    /// The channel's id, which a bot needs; an incoming webhook has its own.
    pub channel: Option<String>,
    /// `None` is the message that Postrider writes. A body that begins with `{` makes the JSON of the message, another its
    /// text.
    pub template: Option<MustacheTemplate>,
}

/// Where and how an HTTP call goes.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpTarget {
    /// `https://…`, or `http://…` where that is allowed.
    pub url: String,
    /// POST unless said otherwise.
    pub method: Method,
    /// Sent with every call.
    pub headers: Vec<CustomHeader>,
    /// HTTP basic authentication.
    pub basic_auth: Option<BasicAuth>,
    /// How body, URL and headers are made.
    pub render: Render,
}

/// How body, URL and headers of a request are made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Render {
    /// As the dialect writes them.
    #[default]
    Dialect,
    /// Contentful's transformation: JSON pointers `{ /payload/sys/id }` in the body, the URL and header values.
    Transformation(Transformation),
    /// Mustache over the payload of the dialect, in the body and the URL.
    Mustache(MustacheTemplate),
}

/// Contentful's transformation. Its method is [`HttpTarget::method`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transformation {
    /// `Content-Type` of the request; `None` is the dialect's.
    pub content_type: Option<String>,
    /// Whether `Content-Length` is said; `None` leaves it to the client.
    pub include_content_length: Option<bool>,
    /// Any JSON value, its texts may hold pointers; `None` is the payload.
    pub body: Option<Json>,
}

/// A custom payload. The URL's template is [`HttpTarget::url`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MustacheTemplate {
    /// `None` is the payload of the dialect.
    pub body: Option<String>,
    /// What `{{x}}` escapes for; `None` follows the content type.
    pub escape: Option<Escape>,
}

/// What a value is made safe for when it is put into a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// The inside of a JSON string.
    Json,
    /// HTML and XML text, as the Mustache specification says.
    Html,
    /// Nothing.
    None,
}

/// Whether `http://` targets are allowed. `https://` always is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PlainHttp {
    /// Never: the default.
    #[default]
    Never,
    /// Only to this machine (127.0.0.0/8, ::1, localhost): `demo`, and `serve` on a loopback address.
    Loopback,
    /// To any address the guard lets through.
    Always,
}

/// The methods a webhook may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// The default.
    #[default]
    Post,
    /// Carries no body.
    Get,
    /// As POST.
    Put,
    /// As POST.
    Patch,
    /// Carries no body.
    Delete,
}

/// A header sent with every call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomHeader {
    /// As given.
    pub name: String,
    /// Plain or sealed.
    pub value: HeaderValue,
}

/// A header's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// Shown by the API.
    Plain(String),
    /// The same; its user said that it is no secret, and is told so again.
    Open(String),
    /// Never shown again.
    Secret(Sealed),
}

/// HTTP basic authentication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BasicAuth {
    /// Shown.
    pub username: String,
    /// Never shown again.
    pub password: Sealed,
}

/// A secret that signs requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningSecret {
    /// Sealed.
    pub secret: Sealed,
    /// From when it signs.
    pub created_at: Timestamp,
    /// Until when it signs beside newer ones; the newest has no end.
    pub expires_at: Option<Timestamp>,
}

/// At most `calls` calls per `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// How many.
    pub calls: u32,
    /// In how long.
    pub per: Duration,
}

/// Whether a webhook is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It is.
    Active,
    /// It is not.
    Disabled(Disabled),
}

/// Why a webhook is not called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// Since when.
    pub at: Timestamp,
    /// Who decided.
    pub by: DisabledBy,
    /// In words.
    pub reason: String,
}

/// Who switched a webhook off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledBy {
    /// A person, through the API.
    User,
    /// The receiver, with 410 Gone.
    Gone,
    /// Postrider, after days of failures only.
    Failing,
}

/// Who made and who changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// When it was made.
    pub created_at: Timestamp,
    /// By which token.
    pub created_by: String,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// By which token.
    pub updated_by: String,
}

impl WebhookAction {
    /// The HTTP call, if it is one.
    pub fn http(&self) -> Option<&HttpTarget> {
        match self {
            Self::Http(target) => Some(target),
            Self::Slack(_) => None,
        }
    }

    /// The Slack message, if it is one.
    pub fn slack(&self) -> Option<&SlackTarget> {
        match self {
            Self::Slack(target) => Some(target),
            Self::Http(_) => None,
        }
    }

    /// The HTTP call, if it is one, to change.
    pub fn http_mut(&mut self) -> Option<&mut HttpTarget> {
        match self {
            Self::Http(target) => Some(target),
            Self::Slack(_) => None,
        }
    }
}

impl Webhook {
    /// Whether events are delivered to it.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// The secrets that sign a request made now, newest first.
    pub fn signing_at(&self, now: Timestamp) -> impl Iterator<Item = &Sealed> {
        self.signing
            .iter()
            .filter(move |one| one.expires_at.is_none_or(|end| now < end))
            .map(|one| &one.secret)
    }
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 5] = [Self::Post, Self::Get, Self::Put, Self::Patch, Self::Delete];

    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Reads a method in upper case.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == text)
    }

    /// GET and DELETE calls carry no body (Contentful's rule).
    pub fn carries_body(self) -> bool {
        !matches!(self, Self::Get | Self::Delete)
    }
}

impl Escape {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Json, Self::Html, Self::None];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Html => "html",
            Self::None => "none",
        }
    }

    /// Reads the stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|escape| escape.as_str() == text)
    }
}

impl DisabledBy {
    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}
