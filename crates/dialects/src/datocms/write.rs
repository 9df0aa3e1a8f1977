//! An event as the body that DatoCMS would send.

use std::collections::BTreeMap;

use postrider_domain::event::{Event, Source};
use postrider_domain::id::EnvironmentId;
use serde_json::value::RawValue;

use super::words::{self, Words};
use super::{NAME, STAMPED, VERSION, entity};
use crate::dialect::Occasion;
use crate::options;
use crate::ordered::{ObjectWriter, member, members, quote, text};
use crate::request::RenderError;

/// Writes the body.
pub(super) fn body(occasion: &Occasion<'_>) -> Result<String, RenderError> {
    let event = occasion.event;
    let is_older = options::value(&VERSION, &occasion.webhook.options) == "2";
    if let Some(source) = event.content.source.as_ref().filter(|source| source.dialect == NAME) {
        let older = if is_older { older_of(source) } else { None };
        return Ok(older.unwrap_or_else(|| stamp(source.body.as_str(), &stamps(occasion))));
    }
    let words =
        words::of(&event.head).map_err(|reason| RenderError::NotExpressible { dialect: NAME, reason })?;
    let entity = entity_of(event, &words);
    Ok(if is_older {
        older_body(words.entity_type, &words.event_type, &entity)
    } else {
        envelope(occasion, &words, &entity)
    })
}

fn entity_of(event: &Event, words: &Words<'_>) -> String {
    let head = &event.head;
    match &head.resource.content_type {
        Some(model) if words.of_field => entity::write_model(model),
        _ => {
            let meta = entity::meta(head, words);
            entity::write(head, words.entity_type, event.content.data.as_str(), Some(&meta))
        }
    }
}

/// Today's body (the published example of the documentation gives the order).
fn envelope(occasion: &Occasion<'_>, words: &Words<'_>, entity: &str) -> String {
    let Event { head, content } = occasion.event;
    let stamps = stamps(occasion);
    let stamped = |name: &str| stamps.get(name).map_or("null", String::as_str);
    let site = occasion.space.constants.site_id.as_deref();
    let is_primary = head.scope.environment == EnvironmentId::master();
    let mut body = ObjectWriter::new();
    body.json("webhook_call_id", stamped("webhook_call_id"));
    body.text("event_triggered_at", &head.occurred_at.to_seconds_string());
    body.json("attempted_auto_retries_count", stamped("attempted_auto_retries_count"));
    body.json("webhook_id", stamped("webhook_id"));
    body.text("site_id", site.unwrap_or(head.scope.space.as_str()));
    body.text("environment", head.scope.environment.as_str());
    body.json("is_environment_primary", if is_primary { "true" } else { "false" });
    body.text("entity_type", words.entity_type);
    body.text("event_type", &words.event_type);
    body.json("entity", entity);
    if let Some(previous) = &content.previous
        && words.topic() == "item.update"
    {
        body.json("previous_entity", &entity::write(head, "item", previous.as_str(), None));
    }
    let related = content.related.as_ref().map_or("[]", |related| related.as_str());
    let field = || format!("[{}]", entity::write(head, "field", content.data.as_str(), None));
    let field = words.of_field.then(field);
    body.json("related_entities", field.as_deref().unwrap_or(related));
    body.finish()
}

/// The body that the document prints.
fn older_body(entity_type: &str, event_type: &str, entity: &str) -> String {
    let mut body = ObjectWriter::new();
    body.text("entity_type", entity_type);
    body.text("event_type", event_type);
    body.json("entity", &entity::older(entity));
    body.finish()
}

/// A body of today in the older shape; `None` when it has that shape already.
fn older_of(source: &Source) -> Option<String> {
    let given = members(serde_json::from_str(source.body.as_str()).ok()?)?;
    let is_of_today =
        given.iter().any(|(name, _)| !matches!(name.as_str(), "entity_type" | "event_type" | "entity"));
    let word = |name: &str| member(&given, name).and_then(text);
    let older = older_body(&word("entity_type")?, &word("event_type")?, member(&given, "entity")?.get());
    is_of_today.then_some(older)
}

/// The values of [`STAMPED`] for this send, as JSON.
fn stamps(occasion: &Occasion<'_>) -> BTreeMap<&'static str, String> {
    let [call, retries, webhook] = STAMPED;
    BTreeMap::from([
        (call, quote(&occasion.message_id.to_string())),
        (retries, occasion.attempt.saturating_sub(1).to_string()),
        (webhook, quote(occasion.webhook.id.as_str())),
    ])
}

/// Writes the stamped members of a received body anew, and nothing else: no other byte changes.
fn stamp(body: &str, stamps: &BTreeMap<&'static str, String>) -> String {
    let Some(given) = serde_json::from_str(body).ok().and_then(members) else { return body.to_owned() };
    let mut out = String::with_capacity(body.len() + 64);
    let mut copied = 0;
    for (name, raw) in given {
        if let Some(value) = stamps.get(name.as_str())
            && let Some(at) = place(body, raw)
        {
            out.push_str(&body[copied..at]);
            out.push_str(value);
            copied = at + raw.get().len();
        }
    }
    out.push_str(&body[copied..]);
    out
}

/// Where a value that borrows from a text begins in it.
fn place(text: &str, raw: &RawValue) -> Option<usize> {
    let at = raw.get().as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    (at + raw.get().len() <= text.len()).then_some(at)
}
