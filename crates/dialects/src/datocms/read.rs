//! DatoCMS's own webhook as an event.

use postrider_domain::event::{Content, Event, EventHead, Resource, Source};
use postrider_domain::id::{EventId, Scope};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{NAME, words};
use crate::fields::{Faults, Fields, LONGEST_TEXT, LONGEST_URL, json, value};
use crate::foreign;
use crate::mustache::Data;
use crate::read_error::{ReadError, ReadErrors};
use crate::received::Received;

/// The headers of a received webhook that are DatoCMS's own words; the rest is of the way it came.
const KEPT: [&str; 2] = ["content-type", "user-agent"];
const FIX: &str = "send DatoCMS's payload: entity_type, event_type, entity, …";

/// Reads a webhook of DatoCMS: the envelope of today, or the short form of the older payload, without a call's id.
///
/// The event's id is `dc-` and the hex SHA-256 of the environment and `webhook_call_id`, joined by NUL, so that DatoCMS's
/// own retry of a call is no second event; without a call's id, of the environment and the whole body. Members that are
/// not known are kept and ignored: DatoCMS adds some now and then.
pub fn read(received: &Received<'_>) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of_payload(received.body, &mut faults) else {
        return Err(faults.into_list());
    };
    foreign::refuse(received.body, NAME, FIX)?;
    let entity_type = fields.required("entity_type", FIX, &mut faults);
    let event_type = fields.required("event_type", FIX, &mut faults);
    let call = fields.text("webhook_call_id", LONGEST_TEXT, &mut faults);
    let triggered_at = instant(&mut fields, "event_triggered_at", &mut faults);
    let entity = fields.raw("entity");
    let named = entity.and_then(|raw| entity_id(raw, &mut faults));
    if entity.is_none() {
        faults.add(ReadError::new("/entity", "is missing", FIX));
    }
    let (previous, related) = (fields.raw("previous_entity"), fields.array("related_entities", &mut faults));
    let kind = entity_type.zip(event_type).and_then(|(entity_type, event_type)| {
        let kind = kind(&entity_type, &event_type, &mut faults)?;
        Some((kind, entity_type))
    });
    let whole = faults.good(value(received.body, ""));
    let (Some(((event_type, action), entity_type)), Some(entity), Some(id), Some(whole)) =
        (kind, entity, named, whole)
    else {
        return Err(faults.into_list());
    };
    faults.into_result()?;
    let looked_at = Data::parse(entity.get()).map_err(|error| {
        vec![ReadError::new("/entity", format!("is not valid JSON: {error}"), "send one JSON value")]
    })?;
    let head = EventHead {
        id: derive_id(received.scope, call.as_deref(), received.body)?,
        scope: received.scope.clone(),
        occurred_at: triggered_at.or_else(|| changed_at(&looked_at, &action)).unwrap_or(received.now),
        accepted_at: received.now,
        resource: resource(&entity_type, id, &looked_at),
        event_type,
        action,
        actor: None,
        workflow: None,
        branch: None,
        cause: None,
    };
    let kept = received.headers.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
    let source = Source { dialect: NAME.to_owned(), headers: kept.cloned().collect(), body: json(whole) };
    let (data, previous) = (json(entity), previous.map(json));
    Ok(Event { head, content: Content { data, previous, related, source: Some(source) } })
}

fn kind(entity_type: &str, event_type: &str, faults: &mut Faults) -> Option<(EventType, Action)> {
    let action = if entity_type == "field" { "save" } else { words::action_in(event_type) };
    let known = format!("known are {}", words::known_types());
    let ours = EventType::new(words::type_in(entity_type));
    let ours = faults.good(ours.map_err(|error| ReadError::new("/entity_type", error.to_string(), known)));
    let action = Action::new(action).map_err(|error| {
        ReadError::new("/event_type", error.to_string(), "write it as DatoCMS does: update")
    });
    ours.zip(faults.good(action))
}

/// The entity's id: a text, or a number, as some older payloads have it.
fn entity_id(entity: &RawValue, faults: &mut Faults) -> Option<String> {
    let mut entity = Fields::of(entity, "/entity".to_owned(), faults)?;
    if entity.peek("id").is_some_and(|raw| raw.get().starts_with(|one: char| one.is_ascii_digit())) {
        return entity.integer("id", faults).map(|id| id.to_string());
    }
    let id = entity.required("id", FIX, faults)?;
    if id.chars().any(char::is_control) {
        faults.add(ReadError::new("/entity/id", "contains a control character", "remove it"));
        return None;
    }
    Some(id)
}

fn instant(fields: &mut Fields<'_>, name: &str, faults: &mut Faults) -> Option<Timestamp> {
    let text = fields.text(name, LONGEST_TEXT, faults)?;
    faults.good(
        Timestamp::parse(&text).map_err(|error| {
            ReadError::new(fields.at(name), error.to_string(), "write 2024-08-26T12:49:16Z")
        }),
    )
}

/// When an entity says it was changed; only a create or update happened then.
fn changed_at(entity: &Data<'_>, action: &Action) -> Option<Timestamp> {
    if !matches!(action.as_str(), "create" | "save") {
        return None;
    }
    let at = |path: [&str; 2]| Timestamp::parse(&entity.text_at(&path)?).ok();
    at(["meta", "updated_at"]).or_else(|| at(["attributes", "updated_at"]))
}

/// What the entity tells. Texts that do not fit are left out: only `data` promises to be complete.
fn resource(entity_type: &str, id: String, entity: &Data<'_>) -> Resource {
    let fitting = |path: &[&str], longest: usize| {
        let text = entity.text_at(path)?;
        (!text.is_empty() && text.len() <= longest && !text.contains('\0')).then_some(text)
    };
    let text = |path: &[&str]| fitting(path, LONGEST_TEXT);
    let model = text(&["relationships", "item_type", "data", "id"]);
    let version = text(&["meta", "current_version"])
        .or_else(|| text(&["relationships", "current_version", "data", "id"]));
    let content_type = match entity_type {
        "item_type" => Some(id.clone()),
        _ => model.clone(),
    };
    let title = text(&["attributes", "title"])
        .or_else(|| text(&["attributes", "name"]))
        .or_else(|| text(&["attributes", "filename"]));
    Resource {
        id: if entity_type == "field" { model.unwrap_or(id) } else { id },
        content_type,
        slug: text(&["attributes", "slug"]),
        locale: None,
        version: version.and_then(|number| number.parse().ok()),
        title,
        state: text(&["meta", "status"]),
        url: fitting(&["attributes", "url"], LONGEST_URL),
    }
}

fn derive_id(scope: &Scope, call: Option<&str>, body: &str) -> Result<EventId, ReadErrors> {
    let what = match call {
        Some(call) => format!("{}\0{call}", scope.environment),
        None => format!("{}\0\0{body}", scope.environment),
    };
    EventId::new(&format!("dc-{}", hex::encode(Sha256::digest(what))))
        .map_err(|error| vec![ReadError::new("", error.to_string(), "report it as a defect")])
}
