//! A webhook of Contentstack, read into an event.
//!
//! | payload | event |
//! |---|---|
//! | `module`, `event`, `data.status` | type and action: `publish` with status `success` is `publish.success` |
//! | `data.<module>` | `data`, the prefix of `cs$…` names taken off; its `uid`, `title` (`name`, `filename`), `_version`, `url` |
//! | `data.content_type.uid` | `resource.contentType` |
//! | `data.locale`, else `data.<module>.locale` | `resource.locale` |
//! | `data.branch.uid` | `branch` |
//! | `source` | `cause` |
//! | `triggered_at` | `occurredAt` |
//!
//! Contentstack names no event, so an id is derived: `cs-` and the hex SHA-256 of the environment and the whole body without
//! `triggered_at`, which each of its attempts stamps anew. Version, locale and environment alone would make one event of a
//! publish, an unpublish and the next publish of the same version.

use postrider_domain::event::{Actor, Cause, Content, Event, EventHead, Resource, Source};
use postrider_domain::id::{EventId, Scope};
use postrider_domain::json::Json;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::body::renamed;
use super::{NAME, STAMPED, words};
use crate::fields::{Faults, Fields, LONGEST_TEXT, LONGEST_URL, json, value};
use crate::foreign;
use crate::js_json::Js;
use crate::read_error::{ReadError, ReadErrors};

const FIX: &str = "send Contentstack's payload: module, api_key, data, event, triggered_at";

/// Reads it. Every fault is named at once.
pub fn read(text: &str, scope: &Scope, now: Timestamp) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of_payload(text, &mut faults) else { return Err(faults.into_list()) };
    foreign::refuse(text, NAME, FIX)?;
    let module = fields.required("module", FIX, &mut faults);
    let event = fields.required("event", FIX, &mut faults);
    fields.required("api_key", FIX, &mut faults);
    let occurred_at = read_instant(&mut fields, &mut faults);
    let cause = read_cause(&mut fields, &mut faults);
    let raw = fields.raw("data");
    if raw.is_none() {
        faults.add(ReadError::new("/data", "is missing", FIX));
    }
    let data = raw.and_then(|raw| Fields::of(raw, "/data".to_owned(), &mut faults));
    let (Some(module), Some(event), Some(mut data)) = (module, event, data) else {
        return Err(faults.into_list());
    };
    let status = data.text("status", LONGEST_TEXT, &mut faults);
    let kind = read_kind(&module, &event, status.as_deref(), &mut faults);
    let Some((event_type, action)) = kind else { return Err(faults.into_list()) };
    let subject = read_subject(&mut data, &event_type, &action, &mut faults);
    let branch =
        data.object("branch", &mut faults).and_then(|mut one| one.text("uid", LONGEST_TEXT, &mut faults));
    let whole = faults.good(value(text, ""));
    let id = faults.good(derive_id(scope, text));
    let (Some(subject), Some(whole), Some(id)) = (subject, whole, id) else { return Err(faults.into_list()) };
    faults.into_result()?;
    let head = EventHead {
        id,
        scope: scope.clone(),
        event_type,
        action,
        occurred_at: occurred_at.unwrap_or(now),
        accepted_at: now,
        resource: subject.resource,
        actor: subject.actor,
        workflow: None,
        branch,
        cause,
    };
    let source = Source { dialect: NAME.to_owned(), headers: Vec::new(), body: json(whole) };
    Ok(Event {
        head,
        content: Content { data: subject.data, previous: None, related: None, source: Some(source) },
    })
}

fn read_instant(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Timestamp> {
    let text = fields.text("triggered_at", LONGEST_TEXT, faults)?;
    faults.good(
        Timestamp::parse(&text).map_err(|error| ReadError::new("/triggered_at", error.to_string(), FIX)),
    )
}

fn read_cause(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Cause> {
    let mut given = fields.object("source", faults)?;
    let kind = given.required("type", "say release, or leave \"source\" out", faults)?;
    let (id, title) = (given.text("uid", LONGEST_TEXT, faults), given.text("title", LONGEST_TEXT, faults));
    Some(Cause { kind, id, title })
}

fn read_kind(
    module: &str,
    event: &str,
    status: Option<&str>,
    faults: &mut Faults,
) -> Option<(EventType, Action)> {
    let shown = |text: &str| text.chars().take(64).collect::<String>();
    let event_type = words::type_of(module);
    if event_type.is_none() {
        let fix = "known are entry, asset, content types, content_type, release, comment, global_field";
        faults.add(ReadError::new(
            "/module",
            format!("{:?} is no module of Contentstack", shown(module)),
            fix,
        ));
    }
    let action = words::action_of(event, status);
    if action.is_none() {
        let fix = "known are create, update, delete, publish, unpublish (also with .start, .success, .fail) and deploy";
        faults.add(ReadError::new("/event", format!("{:?} is no event of Contentstack", shown(event)), fix));
    }
    Some((event_type?, action?))
}

/// What an event is about.
struct Subject {
    resource: Resource,
    actor: Option<Actor>,
    data: Json,
}

fn read_subject(
    data: &mut Fields<'_>,
    event_type: &EventType,
    action: &Action,
    faults: &mut Faults,
) -> Option<Subject> {
    let key = words::key_of(event_type);
    let Some(raw) = data.raw(&key) else {
        faults.add(ReadError::new(format!("/data/{key}"), "is missing", FIX));
        return None;
    };
    let mut given = Fields::of(raw, format!("/data/{key}"), faults)?;
    let id = given.required("uid", FIX, faults);
    let named = ["title", "name", "filename"].into_iter().find_map(|name| title(given.raw(name)));
    let url = given.text("url", LONGEST_URL, faults);
    let (slug, url) = match url {
        Some(path) if path.starts_with('/') => (last_segment(&path), None),
        url => (None, url.filter(|url| url.contains("://"))),
    };
    let own_locale = given.text("locale", LONGEST_TEXT, faults);
    let content_type =
        data.object("content_type", faults).and_then(|mut one| one.text("uid", LONGEST_TEXT, faults));
    let resource = Resource {
        id: id?,
        content_type,
        slug,
        locale: data.text("locale", LONGEST_TEXT, faults).or(own_locale),
        version: given.integer("_version", faults),
        title: named,
        state: published(action).map(str::to_owned),
        url,
    };
    let actor =
        ["deleted_by", "updated_by", "created_by"].into_iter().find_map(|name| actor(given.raw(name)));
    Some(Subject { resource, actor, data: without_prefix(raw) })
}

/// A name for people; what is too long for one, or no text, is none.
fn title(raw: Option<&RawValue>) -> Option<String> {
    let text: String = serde_json::from_str(raw?.get()).ok()?;
    (!text.is_empty() && text.len() <= LONGEST_TEXT && !text.contains('\0')).then_some(text)
}

fn last_segment(path: &str) -> Option<String> {
    let last = path.trim_end_matches('/').rsplit('/').next()?;
    (!last.is_empty()).then(|| last.to_owned())
}

fn published(action: &Action) -> Option<&'static str> {
    matches!(action.as_str(), "publish" | "publish.success").then_some("published")
}

/// A user by its uid, or as an object with one.
fn actor(raw: Option<&RawValue>) -> Option<Actor> {
    let value: serde_json::Value = serde_json::from_str(raw?.get()).ok()?;
    let id = value.as_str().or_else(|| value.get("uid")?.as_str())?;
    let good = !id.is_empty() && id.len() <= LONGEST_TEXT && !id.contains('\0');
    good.then(|| Actor { id: id.to_owned(), kind: Some("User".to_owned()) })
}

/// The resource under the names that the CMS's own programs know: `$x` for `cs$x`. Without such names byte for byte.
fn without_prefix(raw: &RawValue) -> Json {
    if !raw.get().contains("\"cs$") {
        return json(raw);
    }
    let bare = |name: &str| name.strip_prefix("cs").filter(|rest| rest.starts_with('$')).map(str::to_owned);
    Js::parse(raw.get()).map_or_else(|_| json(raw), |value| Json::from_checked(renamed(value, &bare).write()))
}

fn derive_id(scope: &Scope, text: &str) -> Result<EventId, ReadError> {
    let whole = Js::parse(text).map_err(|error| ReadError::new("", error.0, FIX))?;
    let Js::Object(mut members) = whole else { return Err(ReadError::new("", "must be an object", FIX)) };
    members.retain(|(name, _)| !STAMPED.contains(&name.as_str()));
    let mut hash = Sha256::new();
    hash.update(scope.environment.as_str());
    hash.update([0]);
    hash.update(Js::Object(members).write());
    EventId::new(&format!("cs-{}", hex::encode(hash.finalize())))
        .map_err(|error| ReadError::new("", error.to_string(), "report it as a defect"))
}
