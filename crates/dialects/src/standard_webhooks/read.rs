//! Standard Webhooks, in: what a sender of that specification signs, as a source takes it.
//!
//! | event | from |
//! |---|---|
//! | type and action | `type`, divided at its first dot: `invoice.paid` is the action `paid` of the type `invoice` |
//! | id | `sw-` and the hex SHA-256 of environment and `webhook-id`, joined by NUL: the same for each retry of the sender |
//! | `occurredAt` | `timestamp`; now unless given |
//! | `resource.id` | `id`, `sys.id` or `uid` of the data, else `webhook-id` |
//! | `data` | `data` |
//!
//! `data` that is an event in Postrider's own JSON, as another Postrider sends it, is that event: resource, actor, cause and all
//! else are read from it, but for its id, space and environment.

use postrider_domain::event::{Content, Event, EventHead, Resource, Source};
use postrider_domain::id::EventId;
use postrider_domain::json::Json;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{ID, NAME, SIGNATURE, TIMESTAMP, signature};
use crate::cloudevents::id_in_data;
use crate::fields::{Faults, Fields, LONGEST_TEXT, json, value};
use crate::read_error::{ReadError, ReadErrors};
use crate::received::Received;
use crate::{foreign, native};

/// A signature made further away from now than this, in seconds, is not taken: five minutes, as the specification's own
/// libraries have it.
const TOLERANCE: u64 = 300;
/// The headers of a received webhook that are its sender's own words; the rest is of the way it came.
const KEPT: [&str; 2] = ["content-type", "user-agent"];
const FIX: &str = "send {\"type\": \"Entry.publish\", \"timestamp\": …, \"data\": …}";

/// Whether one of the signatures in the header is that of id, time and body, made within five minutes of now. Takes the
/// same time wherever they differ.
pub(super) fn is_genuine(received: &Received<'_>) -> bool {
    let (Some(id), Some(sent), Some(given)) =
        (received.header(ID), received.header(TIMESTAMP), received.header(SIGNATURE))
    else {
        return false;
    };
    let Ok(seconds) = sent.parse::<i64>() else { return false };
    if received.now.unix_seconds().abs_diff(seconds) > TOLERANCE {
        return false;
    }
    let Ok(right) = signature(received.secret, id, seconds, received.body.as_bytes()) else { return false };
    given.split(' ').fold(false, |found, one| bool::from(one.as_bytes().ct_eq(right.as_bytes())) | found)
}

/// Reads it. Every fault that can be seen at once is told.
pub(super) fn read(received: &Received<'_>) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of_payload(received.body, &mut faults) else {
        return Err(faults.into_list());
    };
    foreign::refuse(received.body, NAME, FIX)?;
    let kind = fields.required("type", FIX, &mut faults).and_then(|text| read_kind(&text, &mut faults));
    let occurred_at = fields.text("timestamp", LONGEST_TEXT, &mut faults).and_then(|text| {
        faults.good(
            Timestamp::parse(&text).map_err(|error| ReadError::new("/timestamp", error.to_string(), FIX)),
        )
    });
    let data = fields.written("data");
    let whole = faults.good(value(received.body, ""));
    let (Some((event_type, action)), Some(whole)) = (kind, whole) else { return Err(faults.into_list()) };
    faults.into_result()?;
    let message = received.header(ID).unwrap_or_default();
    let id = derive_id(received, message)?;
    let mut event = match data.filter(|data| foreign::whose(data.get()) == Some(native::NAME)) {
        Some(told) => relayed(told, received, id)?,
        None => Event {
            head: EventHead {
                id,
                scope: received.scope.clone(),
                event_type,
                action,
                occurred_at: occurred_at.unwrap_or(received.now),
                accepted_at: received.now,
                resource: resource(data, message),
                actor: None,
                workflow: None,
                branch: None,
                cause: None,
            },
            content: Content {
                data: data.map_or_else(|| Json::from_checked("null"), json),
                previous: None,
                related: None,
                source: None,
            },
        },
    };
    let kept = received.headers.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
    event.content.source =
        Some(Source { dialect: NAME.to_owned(), headers: kept.cloned().collect(), body: json(whole) });
    Ok(event)
}

/// The event that another Postrider tells of, under an id of this one.
fn relayed(told: &RawValue, received: &Received<'_>, id: EventId) -> Result<Event, ReadErrors> {
    let read = native::read_from_elsewhere(told.get(), received.scope, received.now, id.clone());
    let mut event = read.map_err(|mut faults| {
        for fault in &mut faults {
            fault.path.insert_str(0, "/data");
        }
        faults
    })?;
    event.head.id = id;
    Ok(event)
}

fn read_kind(text: &str, faults: &mut Faults) -> Option<(EventType, Action)> {
    let fault =
        |problem: String| ReadError::new("/type", problem, "write Type.action, for example Entry.publish");
    let Some((event_type, action)) = text.split_once('.') else {
        faults.add(fault("names no action behind a dot".to_owned()));
        return None;
    };
    let event_type = faults.good(EventType::new(event_type).map_err(|error| fault(error.to_string())));
    let action = faults.good(Action::new(action).map_err(|error| fault(error.to_string())));
    event_type.zip(action)
}

fn resource(data: Option<&RawValue>, message: &str) -> Resource {
    let id = data.map(json).as_ref().and_then(id_in_data);
    let id = id.filter(|id| !id.is_empty() && !id.chars().any(char::is_control));
    Resource { id: id.unwrap_or_else(|| message.to_owned()), ..Resource::default() }
}

fn derive_id(received: &Received<'_>, message: &str) -> Result<EventId, ReadErrors> {
    if message.is_empty() || message.len() > LONGEST_TEXT {
        let problem = format!("must have 1 to {LONGEST_TEXT} characters");
        return Err(vec![ReadError::new(ID, problem, "name each message, and keep the name on retries")]);
    }
    let digest = Sha256::digest(format!("{}\0{message}", received.scope.environment));
    EventId::new(&format!("sw-{}", hex::encode(digest)))
        .map_err(|error| vec![ReadError::new("", error.to_string(), "report it as a defect")])
}
