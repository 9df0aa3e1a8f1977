//! What Contentful would send of an event.
//!
//! What came in from Contentful leaves as it came. Of any other event the body is made: `{"sys":…}` alone with a type
//! `Deleted…` when an entry, asset or content type is unpublished or deleted; else the resource with its `sys`. `sys` of a
//! publish has the members of the delivery API (`revision`), of everything else those of the management API (`version`).
//!
//! Data that is an entity of Contentful already (an object with an object `sys`) keeps its members, in their order. Other
//! data of an entry or asset becomes its `fields`, each member under the resource's locale (`en-US` where there is none);
//! other data of any other type stands beside `sys`.

use postrider_domain::event::{Actor, Event, EventHead};
use serde_json::value::RawValue;

use crate::ordered::{ObjectWriter, compact, member, members, quote};

/// The locale of fields where the event has none: what a fresh space of Contentful begins with.
const LOCALE: &str = "en-US";
/// Members of `sys` that only the management API shows. `revision` takes the place of the first.
const MANAGEMENT_ONLY: [&str; 10] = [
    "publishedCounter",
    "version",
    "publishedAt",
    "publishedBy",
    "firstPublishedAt",
    "archivedAt",
    "archivedBy",
    "archivedVersion",
    "fieldStatus",
    "automationTags",
];
/// Members of `sys` that are left of what is gone.
const TOMBSTONE: [&str; 8] =
    ["space", "environment", "contentType", "createdBy", "revision", "createdAt", "updatedAt", "locale"];

/// Which of Contentful's shapes an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Of a publish.
    Delivery,
    /// Of everything else that there is.
    Management,
    /// Of what is gone.
    Tombstone,
}

/// The body.
pub(super) fn write(event: &Event) -> String {
    let head = &event.head;
    let data: Option<&RawValue> = serde_json::from_str(event.content.data.as_str()).ok();
    let data_members = data.and_then(members);
    let given = data_members.as_deref().and_then(|all| member(all, "sys")).and_then(members);
    let shape = shape(head);
    let sys = sys(head, shape, given.as_deref().unwrap_or_default());
    let mut out = ObjectWriter::new();
    match (&data_members, given.is_some()) {
        _ if shape == Shape::Tombstone => out.json("sys", &sys),
        (Some(all), true) => {
            for (name, raw) in all {
                out.json(name, if name == "sys" { sys.clone() } else { compact(raw.get()) }.as_str());
            }
        }
        (all, _) if has_fields(head) => {
            out.json("metadata", r#"{"tags":[],"concepts":[]}"#);
            out.json("fields", &fields(head, data, all.as_deref()));
            out.json("sys", &sys);
        }
        (Some(all), _) => {
            out.json("sys", &sys);
            for (name, raw) in all {
                out.json(name, &compact(raw.get()));
            }
        }
        (None, _) => {
            out.json("sys", &sys);
            if let Some(data) = data.filter(|data| data.get() != "null") {
                out.json("data", &compact(data.get()));
            }
        }
    }
    out.finish()
}

fn shape(head: &EventHead) -> Shape {
    let kept = ["Entry", "Asset", "ContentType"].contains(&head.event_type.as_str());
    match super::action_of(head) {
        "unpublish" | "delete" if kept => Shape::Tombstone,
        "publish" => Shape::Delivery,
        _ => Shape::Management,
    }
}

fn has_fields(head: &EventHead) -> bool {
    matches!(head.event_type.as_str(), "Entry" | "Asset")
}

/// The fields of an entry, each by locale. Data with `fields` of its own has them already.
fn fields(head: &EventHead, data: Option<&RawValue>, all: Option<&[(String, &RawValue)]>) -> String {
    let own = all.and_then(|all| member(all, "fields")).filter(|raw| raw.get().starts_with('{'));
    if let Some(own) = own {
        return compact(own.get());
    }
    let locale = head.resource.locale.as_deref().unwrap_or(LOCALE);
    let mut out = ObjectWriter::new();
    let mut field = |name: &str, raw: &RawValue| {
        let mut localised = ObjectWriter::new();
        localised.json(locale, &compact(raw.get()));
        out.json(name, &localised.finish());
    };
    match (all, data) {
        (Some(all), _) => all.iter().for_each(|(name, raw)| field(name, raw)),
        (None, Some(data)) if data.get() != "null" => field("data", data),
        _ => {}
    }
    out.finish()
}

/// `sys`: what the event tells is added to what the data has; type and id are always the event's.
fn sys(head: &EventHead, shape: Shape, given: &[(String, &RawValue)]) -> String {
    let own = own_sys(head, shape);
    let fixed = |name: &str| matches!(name, "type" | "id");
    let mut merged: Vec<(&str, String)> = own.iter().filter(|(name, _)| fixed(name)).cloned().collect();
    let kept = given.iter().filter(|(name, _)| !fixed(name) && belongs(name, shape));
    merged.extend(kept.map(|(name, raw)| (name.as_str(), compact(raw.get()))));
    let has = |merged: &[(&str, String)], wanted: &str| merged.iter().any(|(name, _)| *name == wanted);
    if let Some(count) = member(given, "publishedCounter")
        && shape != Shape::Management
        && !has(&merged, "revision")
    {
        merged.push(("revision", count.get().to_owned()));
    }
    for (name, value) in own {
        if !has(&merged, name) {
            merged.push((name, value));
        }
    }
    let mut out = ObjectWriter::new();
    for (name, value) in &merged {
        out.json(name, value);
    }
    out.finish()
}

fn belongs(name: &str, shape: Shape) -> bool {
    match shape {
        Shape::Management => true,
        Shape::Delivery => !MANAGEMENT_ONLY.contains(&name),
        Shape::Tombstone => TOMBSTONE.contains(&name),
    }
}

/// The members of `sys` that the event itself tells, in Contentful's order.
fn own_sys(head: &EventHead, shape: Shape) -> Vec<(&'static str, String)> {
    let kind = head.event_type.as_str();
    let kind = if shape == Shape::Tombstone { format!("Deleted{kind}") } else { kind.to_owned() };
    let mut sys = vec![
        ("type", quote(&kind)),
        ("id", quote(&head.resource.id)),
        ("space", link("Space", head.scope.space.as_str())),
        ("environment", link("Environment", head.scope.environment.as_str())),
    ];
    if let Some(content_type) = head.resource.content_type.as_deref().filter(|_| kind.ends_with("Entry")) {
        sys.push(("contentType", link("ContentType", content_type)));
    }
    let at = quote(&head.occurred_at.to_string());
    let created = super::action_of(head) == "create";
    let by = head.actor.as_ref().map(link_to);
    if created {
        sys.extend(by.clone().map(|by| ("createdBy", by)));
    }
    let doer = if shape == Shape::Tombstone { "deletedBy" } else { "updatedBy" };
    sys.extend(by.map(|by| (doer, by)));
    if let Some(version) = head.resource.version {
        let version = version.to_string();
        match shape {
            Shape::Management => sys.push(("version", version)),
            Shape::Tombstone => sys.push(("revision", version)),
            Shape::Delivery => {
                sys.push(("revision", version.clone()));
                sys.push(("publishedVersion", version));
            }
        }
    }
    if created {
        sys.push(("createdAt", at.clone()));
    }
    sys.push((if shape == Shape::Tombstone { "deletedAt" } else { "updatedAt" }, at));
    sys
}

/// A link to who did it, as Contentful writes links.
pub(crate) fn link_to(actor: &Actor) -> String {
    link(actor.kind.as_deref().unwrap_or("User"), &actor.id)
}

/// A link, as Contentful writes them.
fn link(kind: &str, id: &str) -> String {
    let mut sys = ObjectWriter::new();
    sys.text("type", "Link");
    sys.text("linkType", kind);
    sys.text("id", id);
    let mut link = ObjectWriter::new();
    link.json("sys", &sys.finish());
    link.finish()
}
