//! Postrider's own JSON (DESIGN §4.1), in and out.
//!
//! Out: the event, compact, `data`, `previous` and `related` byte for byte as they came, with the headers
//! `Postrider-Event`, `Postrider-Topic`, `Postrider-Delivery` (the same for all repeats) and `Postrider-Attempt`; a webhook
//! with signing secrets also gets the headers of Standard Webhooks. The CMS's own webhook, as a source received it, stays
//! inside. A coalesced call lists what it stands for as `coalesced`.
//!
//! In: strict. Unknown fields, duplicate fields and texts beyond their limits are refused, all at once, each with its
//! place. `type`, `action` and `resource.id` are required; `occurredAt` is now and `data` is `null` unless given; `null`
//! elsewhere counts as absent, and `coalesced` is passed over. `space` and `environment` may be repeated in the body, and then must be those of the
//! address.

use bytes::Bytes;
use postrider_domain::event::{Actor, Cause, Content, Event, EventHead, Resource, Workflow};
use postrider_domain::id::{EventId, Scope};
use postrider_domain::json::Json;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};

use crate::coalesced;
use crate::dialect::{Dialect, Occasion};
use crate::envelope::write_head;
use crate::fields::{Faults, Fields, LONGEST_TEXT, LONGEST_URL, json};
use crate::read_error::{ReadError, ReadErrors};
use crate::received::{Proof, Received};
use crate::request::{RenderError, Rendered, Said, assemble};
use crate::standard_webhooks;

/// The name webhooks choose it by.
pub const NAME: &str = "native";

const FIELDS: [&str; 15] = [
    "id",
    "space",
    "environment",
    "type",
    "action",
    "occurredAt",
    "resource",
    "actor",
    "workflow",
    "branch",
    "cause",
    "related",
    "data",
    "previous",
    coalesced::MEMBER,
];
const RESOURCE: [&str; 8] = ["id", "contentType", "slug", "locale", "version", "title", "state", "url"];
const ACTOR: [&str; 2] = ["id", "type"];
const WORKFLOW: [&str; 2] = ["from", "to"];
const CAUSE: [&str; 3] = ["kind", "id", "title"];

/// Postrider's own way to speak.
#[derive(Debug, Clone, Copy)]
pub struct Native;

impl Dialect for Native {
    fn name(&self) -> &'static str {
        NAME
    }

    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError> {
        let head = &occasion.event.head;
        let headers: Vec<(String, String)> = [
            ("Content-Type", "application/json".to_owned()),
            ("Postrider-Event", head.id.to_string()),
            ("Postrider-Topic", head.topic()),
            ("Postrider-Delivery", occasion.message_id.to_string()),
            ("Postrider-Attempt", occasion.attempt.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let said = Said { topic: head.topic(), headers, payload: Bytes::from(write_call(occasion)) };
        assemble(occasion, said, |rendered| {
            if occasion.secrets.signing.is_empty() {
                return Ok(Vec::new());
            }
            Ok(standard_webhooks::sign(occasion, rendered.signed_body())?.into())
        })
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof::Key)
    }

    /// Keeps no `source`: the event is all that there is.
    fn read(&self, received: &Received<'_>) -> Result<Event, ReadErrors> {
        read(received.body, received.scope, received.now, received.fallback_id.clone())
    }
}

/// Writes the event of a call, with what the call stands for as its last member, `coalesced`.
pub(crate) fn write_call(occasion: &Occasion<'_>) -> String {
    let event = write_event(occasion.event);
    match occasion.coalesced {
        Some(coalesced) => coalesced::beside(&event, coalesced),
        None => event,
    }
}

/// Writes an event as one line of JSON. What [`read`] makes of it is the same event, sources left out.
pub fn write_event(event: &Event) -> String {
    let mut text = write_head(&event.head);
    // The large parts are spliced in as they are: parsing them would reorder and respace them.
    text.pop();
    let content = &event.content;
    let parts = [
        ("related", content.related.as_ref()),
        ("data", Some(&content.data)),
        ("previous", content.previous.as_ref()),
    ];
    // One allocation of the right size: a body lives as long as its call. Names, quotes and commas take 38 bytes at most.
    let large: usize = parts.iter().filter_map(|(_, part)| Some(part.as_ref()?.as_str().len())).sum();
    text.reserve_exact(large + 38);
    for (name, part) in parts {
        if let Some(part) = part {
            text.push_str(",\"");
            text.push_str(name);
            text.push_str("\":");
            text.push_str(part.as_str());
        }
    }
    text.push('}');
    text
}

/// Reads an event. `now` is when it was accepted; `fallback_id` names it unless it names itself.
pub fn read(text: &str, scope: &Scope, now: Timestamp, fallback_id: EventId) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of_payload(text, &mut faults) else { return Err(faults.into_list()) };
    let id = read_id(&mut fields, &mut faults).unwrap_or(fallback_id);
    check_scope(&mut fields, scope, &mut faults);
    read_rest(fields, (scope, now), id, faults)
}

/// Reads an event of another Postrider: its space and environment are those of the other, and not looked at.
pub(crate) fn read_from_elsewhere(
    text: &str,
    scope: &Scope,
    now: Timestamp,
    fallback_id: EventId,
) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of_payload(text, &mut faults) else { return Err(faults.into_list()) };
    let id = read_id(&mut fields, &mut faults).unwrap_or(fallback_id);
    read_rest(fields, (scope, now), id, faults)
}

fn read_rest(
    mut fields: Fields<'_>,
    (scope, now): (&Scope, Timestamp),
    id: EventId,
    mut faults: Faults,
) -> Result<Event, ReadErrors> {
    let event_type = fields
        .required("type", "say what it happened to, for example \"type\": \"Entry\"", &mut faults)
        .and_then(|text| {
            faults.good(EventType::new(&text).map_err(|error| invalid(fields.at("type"), &error)))
        });
    let action = fields
        .required("action", "say what happened, for example \"action\": \"publish\"", &mut faults)
        .and_then(|text| {
            faults.good(Action::new(&text).map_err(|error| invalid(fields.at("action"), &error)))
        });
    let occurred_at = read_occurred_at(&mut fields, &mut faults).unwrap_or(now);
    let resource = read_resource(&mut fields, &mut faults);
    let actor = read_actor(&mut fields, &mut faults);
    let workflow = read_workflow(&mut fields, &mut faults);
    let branch = fields.text("branch", LONGEST_TEXT, &mut faults);
    let cause = read_cause(&mut fields, &mut faults);
    let content = Content {
        related: fields.array("related", &mut faults),
        data: fields.written("data").map_or_else(|| Json::from_checked("null"), json),
        previous: fields.raw("previous").map(json),
        source: None,
    };
    fields.refuse_rest(&FIELDS, &mut faults);
    let (Some(event_type), Some(action), Some(resource)) = (event_type, action, resource) else {
        return Err(faults.into_list());
    };
    faults.into_result()?;
    let scope = scope.clone();
    let head = EventHead {
        id,
        scope,
        event_type,
        action,
        occurred_at,
        accepted_at: now,
        resource,
        actor,
        workflow,
        branch,
        cause,
    };
    Ok(Event { head, content })
}

fn invalid(path: String, error: &dyn std::error::Error) -> ReadError {
    ReadError::new(path, error.to_string(), "correct it")
}

fn read_id(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<EventId> {
    let text = fields.text("id", LONGEST_TEXT, faults)?;
    faults.good(EventId::new(&text).map_err(|error| {
        ReadError::new("/id", error.to_string(), "correct it, or leave it out and Postrider draws one")
    }))
}

fn check_scope(fields: &mut Fields<'_>, scope: &Scope, faults: &mut Faults) {
    for (name, wanted) in [("space", scope.space.as_str()), ("environment", scope.environment.as_str())] {
        if let Some(given) = fields.text(name, LONGEST_TEXT, faults).filter(|given| given != wanted) {
            let problem = format!(
                "is {:?} but the event was sent to {wanted:?}",
                given.chars().take(64).collect::<String>()
            );
            faults.add(ReadError::new(
                fields.at(name),
                problem,
                "send it to its own address, or leave the field out",
            ));
        }
    }
}

fn read_occurred_at(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Timestamp> {
    let text = fields.text("occurredAt", LONGEST_TEXT, faults)?;
    faults.good(Timestamp::parse(&text).map_err(|error| {
        ReadError::new(
            "/occurredAt",
            error.to_string(),
            "correct it, or leave it out for the present instant",
        )
    }))
}

fn read_resource(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Resource> {
    const FIX: &str = "name what it happened to, for example \"resource\": { \"id\": \"5KsD\" }";
    let Some(raw) = fields.raw("resource") else {
        faults.add(ReadError::new("/resource", "is missing", FIX));
        return None;
    };
    let mut given = Fields::of(raw, "/resource".to_owned(), faults)?;
    let id = given.required("id", FIX, faults);
    if id.as_ref().is_some_and(|id| id.chars().any(char::is_control)) {
        faults.add(ReadError::new("/resource/id", "contains a control character", "remove it"));
    }
    let resource = Resource {
        id: id.clone().unwrap_or_default(),
        content_type: given.text("contentType", LONGEST_TEXT, faults),
        slug: given.text("slug", LONGEST_TEXT, faults),
        locale: given.text("locale", LONGEST_TEXT, faults),
        version: given.integer("version", faults),
        title: given.text("title", LONGEST_TEXT, faults),
        state: given.text("state", LONGEST_TEXT, faults),
        url: given.text("url", LONGEST_URL, faults),
    };
    given.refuse_rest(&RESOURCE, faults);
    id.map(|_| resource)
}

fn read_actor(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Actor> {
    let mut given = fields.object("actor", faults)?;
    let id = given.required("id", "name who did it, or leave \"actor\" out", faults);
    let kind = given.text("type", LONGEST_TEXT, faults);
    given.refuse_rest(&ACTOR, faults);
    Some(Actor { id: id?, kind })
}

fn read_workflow(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Workflow> {
    let mut given = fields.object("workflow", faults)?;
    let workflow = Workflow {
        from: given.text("from", LONGEST_TEXT, faults),
        to: given.text("to", LONGEST_TEXT, faults),
    };
    given.refuse_rest(&WORKFLOW, faults);
    Some(workflow)
}

fn read_cause(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Cause> {
    let mut given = fields.object("cause", faults)?;
    let kind = given.required(
        "kind",
        "say what brought it about, for example \"release\", or leave \"cause\" out",
        faults,
    );
    let (id, title) = (given.text("id", LONGEST_TEXT, faults), given.text("title", LONGEST_TEXT, faults));
    given.refuse_rest(&CAUSE, faults);
    Some(Cause { kind: kind?, id, title })
}
