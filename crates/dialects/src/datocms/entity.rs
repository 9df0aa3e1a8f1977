//! A resource as an entity of DatoCMS's API: version 3 for native events, and the older shape made of that.

use std::borrow::Cow;

use postrider_domain::event::EventHead;
use serde_json::value::RawValue;

use super::words::Words;
use crate::fields::Pairs;
use crate::ordered::{ObjectWriter, member, members, quote, text};

/// Writes the resource in version 3: `{id, type, attributes}`, for records also `relationships` and `meta`.
///
/// Data that already are an entity of this type leave as they are. Of Contentful's entities the `fields` become the
/// attributes; any other object becomes them whole. `meta` tells of now, so the state before has none.
pub(super) fn write(head: &EventHead, entity_type: &str, data: &str, meta: Option<&str>) -> String {
    // Read once: a resource can be large.
    let given = serde_json::from_str::<Pairs<'_>>(data).map(|pairs| pairs.0).ok();
    if given.as_ref().is_some_and(|given| is_entity(given, entity_type)) {
        return data.to_owned();
    }
    let mut entity = ObjectWriter::new();
    entity.text("id", &head.resource.id);
    entity.text("type", entity_type);
    entity.json("attributes", &attributes(data, given.as_deref()));
    if entity_type == "item" {
        entity.json("relationships", &relationships(head));
        if let Some(meta) = meta {
            entity.json("meta", meta);
        }
    }
    entity.finish()
}

/// The model of a field, as far as an event about the field tells.
pub(super) fn write_model(model: &str) -> String {
    let mut entity = ObjectWriter::new();
    entity.text("id", model);
    entity.text("type", "item_type");
    entity.json("attributes", "{}");
    entity.finish()
}

fn is_entity(given: &[(String, &RawValue)], entity_type: &str) -> bool {
    let is_type = member(given, "type").and_then(text).as_deref() == Some(entity_type);
    is_type && member(given, "attributes").is_some_and(|raw| raw.get().starts_with('{'))
}

fn attributes<'a>(data: &'a str, given: Option<&[(String, &'a RawValue)]>) -> Cow<'a, str> {
    let Some(given) = given else {
        return if data == "null" { "{}".into() } else { format!(r#"{{"value":{data}}}"#).into() };
    };
    let fields = member(given, "fields").filter(|raw| raw.get().starts_with('{'));
    match (member(given, "sys"), fields) {
        (Some(_), Some(fields)) => fields.get().into(),
        _ => data.into(),
    }
}

fn relationships(head: &EventHead) -> String {
    let mut relationships = ObjectWriter::new();
    if let Some(model) = &head.resource.content_type {
        relationships.json("item_type", &link(model, "item_type"));
    }
    relationships.finish()
}

fn link(id: &str, entity_type: &str) -> String {
    format!(r#"{{"data":{{"id":{},"type":{}}}}}"#, quote(id), quote(entity_type))
}

/// What is known of times, status and version.
pub(super) fn meta(head: &EventHead, words: &Words<'_>) -> String {
    let status = head.resource.state.as_deref().or(match words.event_type.as_ref() {
        "publish" => Some("published"),
        "unpublish" => Some("draft"),
        _ => None,
    });
    let at = head.occurred_at.to_string();
    let mut meta = ObjectWriter::new();
    if words.event_type == "create" {
        meta.text("created_at", &at);
    }
    meta.text("updated_at", &at);
    if words.event_type == "publish" {
        meta.text("published_at", &at);
    }
    if let Some(status) = status {
        meta.text("status", status);
    }
    if let Some(version) = head.resource.version {
        meta.text("current_version", &version.to_string());
    }
    meta.finish()
}

/// A version-3 entity in the older shape: times and validity among the attributes, versions among the relationships, no
/// `meta`. An entity without `meta` has that shape already.
pub(super) fn older(entity: &str) -> String {
    let Some(given) = serde_json::from_str(entity).ok().and_then(members) else { return entity.to_owned() };
    let Some(meta) = member(&given, "meta").and_then(members) else { return entity.to_owned() };
    let mut older = ObjectWriter::new();
    for (name, raw) in &given {
        match name.as_str() {
            "meta" => {}
            "attributes" => older.json(name, &older_attributes(raw, &meta)),
            "relationships" => older.json(name, &older_relationships(raw, &meta)),
            _ => older.json(name, raw.get()),
        }
    }
    older.finish()
}

fn older_attributes(attributes: &RawValue, meta: &[(String, &RawValue)]) -> String {
    let own = members(attributes).unwrap_or_default();
    let mut older = ObjectWriter::new();
    let defaults = [("created_at", None), ("updated_at", None), ("is_valid", Some("true"))];
    for (name, default) in defaults.into_iter().filter(|(name, _)| member(&own, name).is_none()) {
        if let Some(value) = member(meta, name).map(RawValue::get).or(default) {
            older.json(name, value);
        }
    }
    for (name, raw) in &own {
        older.json(name, raw.get());
    }
    older.finish()
}

fn older_relationships(relationships: &RawValue, meta: &[(String, &RawValue)]) -> String {
    let own = members(relationships).unwrap_or_default();
    let mut older = ObjectWriter::new();
    for (name, raw) in &own {
        older.json(name, raw.get());
    }
    let version = member(meta, "current_version").and_then(text).map(|id| link(&id, "item_version"));
    let is_published = member(meta, "status").and_then(text).as_deref() == Some("published");
    let published = version.clone().filter(|_| is_published);
    for (name, link) in [("published_version", published), ("current_version", version)] {
        if let Some(link) = link.filter(|_| member(&own, name).is_none()) {
            older.json(name, &link);
        }
    }
    older.finish()
}
