//! Writes a webhook. Secrets are never among it but for the one drawn just now.

use postrider_control::webhooks::SavedWebhook;
use postrider_domain::coalesce::{CoalesceKey, CoalesceRule, CoalesceSetting};
use postrider_domain::trigger::{Trigger, Written};
use postrider_domain::webhook::{
    CustomHeader, HeaderValue, HttpTarget, SigningSecret, Status, Wants, Webhook, WebhookAction,
};
use serde_json::{Value, json};

use super::{filter, render};
use crate::links::link;
use crate::{duration_json, retry_json};

/// A webhook that was just made or changed, with the signing secret if one was drawn.
pub(crate) fn write_saved(saved: &SavedWebhook) -> Value {
    let mut written = write(&saved.webhook);
    if let Some(secret) = &saved.new_secret {
        written["signing"]["secret"] = json!(secret.reveal());
    }
    written
}

/// A webhook as it stands.
pub(crate) fn write(webhook: &Webhook) -> Value {
    let mut written = json!({
        "sys": sys(webhook),
        "name": webhook.name,
        "active": webhook.is_active(),
        "dialect": webhook.dialect,
    });
    match &webhook.action {
        WebhookAction::Http(target) => write_target(&mut written, target),
        WebhookAction::Slack(target) => {
            written["action"] = json!({"type": "slack", "connection": target.connection});
            if let Some(channel) = &target.channel {
                written["action"]["channel"] = channel.as_str().into();
            }
            if let Some(template) = &target.template {
                written["action"]["template"] = render::write_template(template);
            }
        }
    }
    write_wants(&mut written, &webhook.wants);
    if !webhook.options.is_empty() {
        written["options"] = json!(webhook.options);
    }
    if let Status::Disabled(disabled) = &webhook.status {
        written["disabled"] = json!({
            "at": disabled.at.to_string(),
            "by": disabled.by.as_str(),
            "reason": disabled.reason,
        });
    }
    if !webhook.signing.is_empty() {
        let secrets: Vec<_> = webhook.signing.iter().map(signing).collect();
        written["signing"] = json!({"secrets": secrets});
    }
    if let Some(policy) = &webhook.retry {
        written["retryPolicy"] = retry_json::write(policy);
    }
    if let Some(timeout) = webhook.timeout {
        written["timeout"] = duration_json::write(timeout);
    }
    match webhook.coalesce {
        CoalesceSetting::AutoSaveOnly => {}
        CoalesceSetting::Off => written["coalesce"] = json!(false),
        CoalesceSetting::All(CoalesceRule { window, key }) => {
            let key = match key {
                CoalesceKey::Webhook => "webhook",
                CoalesceKey::Resource => "resource",
            };
            written["coalesce"] = json!({"window": duration_json::write(window), "key": key});
        }
    }
    if let Some(limit) = webhook.rate_limit {
        written["rateLimit"] = json!({"calls": limit.calls, "per": duration_json::write(limit.per)});
    }
    written
}

fn sys(webhook: &Webhook) -> Value {
    let audit = &webhook.audit;
    json!({
        "type": "WebhookDefinition",
        "id": webhook.id.as_str(),
        "version": webhook.version,
        "space": link("Space", webhook.space.as_str()),
        "createdAt": audit.created_at.to_string(),
        "createdBy": link("User", &audit.created_by),
        "updatedAt": audit.updated_at.to_string(),
        "updatedBy": link("User", &audit.updated_by),
    })
}

fn write_target(written: &mut Value, target: &HttpTarget) {
    written["url"] = json!(target.url);
    written["headers"] = target.headers.iter().map(header).collect();
    render::write(written, target);
    if let Some(auth) = &target.basic_auth {
        written["httpBasicUsername"] = json!(auth.username);
    }
}

fn header(header: &CustomHeader) -> Value {
    match &header.value {
        HeaderValue::Plain(value) => json!({"key": header.name, "value": value}),
        HeaderValue::Open(value) => json!({"key": header.name, "value": value, "secret": false}),
        HeaderValue::Secret(_) => json!({"key": header.name, "secret": true}),
    }
}

fn signing(secret: &SigningSecret) -> Value {
    let mut written = json!({"createdAt": secret.created_at.to_string()});
    if let Some(end) = secret.expires_at {
        written["expiresAt"] = json!(end.to_string());
    }
    written
}

/// A topic that means several patterns is kept once for each, and shown once.
fn write_wants(written: &mut Value, wants: &Wants) {
    let mut topics: Vec<&str> = wants.topics.iter().map(|topic| topic.given.as_str()).collect();
    topics.dedup();
    written["topics"] = json!(topics);
    written["filters"] = wants.filters.iter().map(filter::write).collect();
    let lists = [
        ("contentTypes", &wants.limits.content_types),
        ("entities", &wants.limits.entities),
        ("changedFields", &wants.changed_fields),
        ("states", &wants.states),
    ];
    for (name, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        written[name] = json!(list);
    }
    if !wants.triggers.is_empty() {
        written["triggers"] = wants.triggers.iter().filter_map(trigger).collect();
    }
}

/// A trigger as it was written; `None` for one that belongs to the one before it.
fn trigger(trigger: &Trigger) -> Option<Value> {
    let (event_type, actions) = match &trigger.written {
        Written::Continued => return None,
        Written::InWords { event_type, actions } => (event_type.clone(), actions.clone()),
        Written::Plainly => (
            trigger.event_type.as_ref().map(ToString::to_string),
            trigger.actions.iter().map(ToString::to_string).collect(),
        ),
    };
    let mut written = json!({});
    if let Some(event_type) = event_type {
        written["type"] = json!(event_type);
    }
    for (name, list) in [
        ("actions", &actions),
        ("contentTypes", &trigger.limits.content_types),
        ("entities", &trigger.limits.entities),
    ] {
        if !list.is_empty() {
            written[name] = json!(list);
        }
    }
    Some(written)
}
