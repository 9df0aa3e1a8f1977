//! A webhook as somebody asks for it: texts that are not checked yet. Absent is `None` or empty.

use std::collections::BTreeMap;
use std::time::Duration;

use postrider_domain::coalesce::CoalesceSetting;
use postrider_domain::json::Json;
use postrider_domain::retry::{RetryOn, Schedule};
use postrider_domain::webhook::RateLimit;

use crate::error::FieldFault;

/// Everything a webhook is asked to be. An update replaces everything, but secrets that are not given again stay.
#[derive(Clone, Default)]
pub struct WebhookDraft {
    /// For people, 1 to 256 characters.
    pub name: Option<String>,
    /// A message to Slack in place of a call; then there is no URL.
    pub slack: Option<SlackTargetDraft>,
    /// Where it calls.
    pub url: Option<String>,
    /// POST unless given.
    pub method: Option<String>,
    /// `None` is active, on update too (Contentful's rule).
    pub active: Option<bool>,
    /// `None` differs from empty only in what the fault says.
    pub topics: Option<Vec<String>>,
    /// Topics with their own limits.
    pub triggers: Vec<TriggerDraft>,
    /// Limits every topic and trigger.
    pub content_types: Vec<String>,
    /// Limits every topic and trigger.
    pub entities: Vec<String>,
    /// All must pass.
    pub filters: Vec<FilterDraft>,
    /// Only events that changed one of these.
    pub changed_fields: Vec<String>,
    /// Only resources in one of these states.
    pub states: Vec<String>,
    /// Sent with every call.
    pub headers: Vec<HeaderDraft>,
    /// Basic authentication; `None` is none.
    pub basic_username: Option<String>,
    /// Kept on update when only the user name is given.
    pub basic_password: Option<String>,
    /// How the request is written. Unless given, a webhook that exists keeps its dialect.
    pub dialect: Option<String>,
    /// The dialect of a new webhook that names none; `native` unless given. (`contentful` for who speaks in its media type.)
    pub default_dialect: Option<String>,
    /// The dialect's own switches; replaced as a whole.
    pub options: BTreeMap<String, String>,
    /// Contentful's transformation; its method is [`Self::method`].
    pub transformation: Option<TransformationDraft>,
    /// Mustache templates: the URL is one too.
    pub template: Option<TemplateDraft>,
    /// How it is signed.
    pub signing: SigningDraft,
    /// `None` leaves it to the dialect.
    pub retry: Option<RetryDraft>,
    /// `None` leaves it to the dialect.
    pub timeout: Option<Duration>,
    /// What is coalesced.
    pub coalesce: CoalesceSetting,
    /// How fast it may be called.
    pub rate_limit: Option<RateLimit>,
    /// What whoever read this draft found wrong already; reported together with what is found here.
    pub faults: Vec<FieldFault>,
}

/// A transformation as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransformationDraft {
    /// `Content-Type` of the request.
    pub content_type: Option<String>,
    /// Whether `Content-Length` is said.
    pub include_content_length: Option<bool>,
    /// Any JSON value; its texts may hold pointers.
    pub body: Option<Json>,
}

/// A message to Slack as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlackTargetDraft {
    /// The id of one of the space's connections.
    pub connection: Option<String>,
    /// The channel's id, which a bot needs.
    pub channel: Option<String>,
    /// What the message says; `None` is what Postrider writes.
    pub template: Option<TemplateDraft>,
}

/// Templates as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TemplateDraft {
    /// The custom payload; `None` is the dialect's.
    pub body: Option<String>,
    /// `json`, `html` or `none`; `None` follows the content type.
    pub escape: Option<String>,
}

/// A trigger as asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriggerDraft {
    /// `None` or `*` is any.
    pub event_type: Option<String>,
    /// Empty is any.
    pub actions: Vec<String>,
    /// Limits.
    pub content_types: Vec<String>,
    /// Limits.
    pub entities: Vec<String>,
}

/// A filter as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterDraft {
    /// Where to look (`sys.id`, …).
    pub path: String,
    /// What must hold there.
    pub condition: ConditionDraft,
    /// Must not hold.
    pub negated: bool,
}

/// A condition as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConditionDraft {
    /// The value is this.
    Equals(String),
    /// The value is one of these.
    In(Vec<String>),
    /// The value matches this regular expression.
    Regexp(String),
}

/// A header as asked for.
#[derive(Clone, PartialEq, Eq)]
pub struct HeaderDraft {
    /// Its name.
    pub name: String,
    /// `None` keeps the value that a secret header has.
    pub value: Option<String>,
    /// `true` is never shown again; `false` is shown, and that it was said so.
    pub secret: Option<bool>,
}

impl HeaderDraft {
    /// Whether its value is to be hidden.
    pub fn is_secret(&self) -> bool {
        self.secret == Some(true)
    }
}

/// What is asked about signing.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum SigningDraft {
    /// Nothing: a new webhook gets a secret if its dialect needs one, an old one keeps what it has.
    #[default]
    Unsaid,
    /// No signature.
    Off,
    /// Signed, with the secret it has, else with a new one drawn here.
    On,
    /// Signed with this secret from now on.
    With(String),
}

/// A retry policy as asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum RetryDraft {
    /// One of the named ones.
    Named(String),
    /// Its own.
    Own {
        /// The delays.
        schedule: Schedule,
        /// Which failures are retried.
        on: RetryOn,
    },
}
