//! Reads a webhook definition into a draft. Wrong types are noted in it; what the values mean is control's to judge.

use std::time::Duration;

use postrider_control::FieldFault;
use postrider_control::draft::{HeaderDraft, SigningDraft, SlackTargetDraft, TriggerDraft, WebhookDraft};
use postrider_domain::coalesce::{CoalesceKey, CoalesceRule, CoalesceSetting};
use postrider_domain::webhook::RateLimit;
use serde_json::{Map, Value};

use super::{filter, render};
use crate::body::text_at;
use crate::fields::{Faults, Fields};
use crate::retry_json;

/// What an answer shows and a change need not repeat: taken and left aside without a word.
const READ_ONLY: [&str; 3] = ["sys", "disabled", "status"];

/// The draft, and what was ignored of it, in words. `text` is what the object was read from.
pub(crate) fn read(object: &Map<String, Value>, text: &[u8]) -> (WebhookDraft, Vec<String>) {
    let faults = Faults::default();
    let fields = Fields::top(object, &faults);
    let body = || text_at(text, &["transformation", "body"]);
    let (method, transformation) = render::read_transformation(&fields, body);
    let mut draft = WebhookDraft {
        name: fields.text("name"),
        slack: slack(&fields),
        url: fields.text("url"),
        method,
        active: fields.flag("active"),
        topics: fields.texts("topics"),
        triggers: fields.objects("triggers").iter().map(trigger).collect(),
        content_types: fields.texts("contentTypes").unwrap_or_default(),
        entities: fields.texts("entities").unwrap_or_default(),
        filters: filter::read(&fields),
        changed_fields: fields.texts("changedFields").unwrap_or_default(),
        states: fields.texts("states").unwrap_or_default(),
        headers: fields.objects("headers").iter().map(header).collect(),
        basic_username: fields.text("httpBasicUsername"),
        basic_password: fields.text("httpBasicPassword"),
        dialect: fields.text("dialect"),
        signing: signing(&fields),
        retry: retry_json::read(&fields),
        timeout: fields.duration("timeout"),
        coalesce: coalesce(&fields),
        rate_limit: rate_limit(&fields),
        options: render::read_options(&fields),
        transformation,
        template: render::read_template(&fields),
        faults: Vec::new(),
        default_dialect: None,
    };
    for name in READ_ONLY {
        fields.raw(name);
    }
    fields.ignore_unread();
    drop(fields);
    let (found, ignored) = faults.into_parts();
    draft.faults = found;
    (draft, ignored)
}

fn trigger(fields: &Fields<'_>) -> TriggerDraft {
    let trigger = TriggerDraft {
        event_type: fields.text("type"),
        actions: fields.texts("actions").unwrap_or_default(),
        content_types: fields.texts("contentTypes").unwrap_or_default(),
        entities: fields.texts("entities").unwrap_or_default(),
    };
    fields.refuse_unread();
    trigger
}

fn header(fields: &Fields<'_>) -> HeaderDraft {
    let header = HeaderDraft {
        name: fields.text("key").unwrap_or_default(),
        value: fields.text("value"),
        secret: fields.flag("secret"),
    };
    fields.ignore_unread();
    header
}

/// `{"type": "slack", "connection", "channel", "template"}`; without an action the webhook calls a URL.
fn slack(fields: &Fields<'_>) -> Option<SlackTargetDraft> {
    let action = fields.object("action")?;
    let kind = action.text("type");
    let fix = "use \"slack\", or leave `action` out for an HTTP call";
    match kind.as_deref() {
        Some("slack") => {}
        Some(other) => {
            let problem = "there is no such action";
            action.fault(FieldFault::new(action.path("type"), "in", problem, fix).given(other));
        }
        None if action.raw("type").is_some() => {}
        None => {
            let problem = "the action has no type";
            action.fault(FieldFault::new(action.path("type"), "required", problem, fix));
        }
    }
    let draft = SlackTargetDraft {
        connection: action.text("connection"),
        channel: action.text("channel"),
        template: render::read_template(&action),
    };
    action.refuse_unread();
    Some(draft)
}

/// `secrets` is what an answer shows of them; sent back, it changes nothing.
fn signing(fields: &Fields<'_>) -> SigningDraft {
    match fields.raw("signing") {
        Some(Value::Bool(true)) => SigningDraft::On,
        Some(Value::Bool(false)) => SigningDraft::Off,
        None => SigningDraft::Unsaid,
        Some(_) => {
            let Some(signing) = fields.object("signing") else { return SigningDraft::Unsaid };
            let secret = signing.text("secret");
            signing.raw("secrets");
            signing.refuse_unread();
            secret.map_or(SigningDraft::On, SigningDraft::With)
        }
    }
}

fn coalesce(fields: &Fields<'_>) -> CoalesceSetting {
    match fields.raw("coalesce") {
        Some(Value::Bool(false)) => return CoalesceSetting::Off,
        None => return CoalesceSetting::default(),
        Some(_) => {}
    }
    let Some(rule) = fields.object("coalesce") else { return CoalesceSetting::default() };
    let window = rule.duration("window");
    if window.is_none() && rule.raw("window").is_none() {
        let fix = "give a duration from 1 second to 1 hour";
        rule.fault(FieldFault::new(rule.path("window"), "required", "the window has no length", fix));
    }
    let key = match rule.text("key").as_deref() {
        None | Some("resource") => CoalesceKey::Resource,
        Some("webhook") => CoalesceKey::Webhook,
        Some(other) => {
            let fix = "use \"resource\" or \"webhook\"";
            rule.fault(FieldFault::new(rule.path("key"), "in", "there is no such key", fix).given(other));
            CoalesceKey::Resource
        }
    };
    rule.refuse_unread();
    window.map_or(CoalesceSetting::default(), |window| CoalesceSetting::All(CoalesceRule { window, key }))
}

fn rate_limit(fields: &Fields<'_>) -> Option<RateLimit> {
    let limit = fields.object("rateLimit")?;
    let calls = limit.integer("calls");
    if calls.is_none() && limit.raw("calls").is_none() {
        let fix = "give how many calls `per` may have";
        limit.fault(FieldFault::new(limit.path("calls"), "required", "the limit has no number", fix));
    }
    let per = limit.duration("per").unwrap_or(Duration::from_secs(1));
    limit.refuse_unread();
    Some(RateLimit { calls: calls?, per })
}
