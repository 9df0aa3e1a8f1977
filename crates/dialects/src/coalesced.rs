//! What a coalesced call stands for, in words of Postrider's own: no CMS has any.
//!
//! Every such call says it in the header [`HEADER`]: how many events, then the ids of the first of them. The bodies of `native`
//! and `standard-webhooks` list them as `coalesced`, `cloudevents` has attributes, and Mustache templates see `coalesced` in every
//! dialect; the body of a CMS's dialect stays as that CMS writes it.

use postrider_domain::gathering::{Coalesced, CoalescedEvent};
use serde::Serialize;

/// The header of every call that stands for more than its own event: `3; e-1 e-2 e-3`.
pub(crate) const HEADER: &str = "X-Postrider-Coalesced";
/// Longest list of ids in a header or an attribute, in bytes: a hundred UUIDs are 3.7 KB, and many servers take no header beyond 8.
const LONGEST_IDS: usize = 4 * 1024;
/// The name in bodies and for templates.
pub(crate) const MEMBER: &str = "coalesced";

#[derive(Serialize)]
struct Out<'a> {
    count: u64,
    events: Vec<EventOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventOut<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
    action: &'a str,
    occurred_at: String,
    resource: ResourceOut<'a>,
}

#[derive(Serialize)]
struct ResourceOut<'a> {
    id: &'a str,
}

impl<'a> From<&'a CoalescedEvent> for EventOut<'a> {
    fn from(event: &'a CoalescedEvent) -> Self {
        Self {
            id: event.id.as_str(),
            event_type: event.event_type.as_str(),
            action: event.action.as_str(),
            occurred_at: event.occurred_at.to_string(),
            resource: ResourceOut { id: &event.resource },
        }
    }
}

/// `{"count":2,"events":[{"id":…,"type":…,"action":…,"occurredAt":…,"resource":{"id":…}},…]}`
pub(crate) fn json(coalesced: &Coalesced) -> String {
    let events = coalesced.events.iter().map(EventOut::from).collect();
    serde_json::to_string(&Out { count: coalesced.count, events })
        .expect("plain structs of texts and numbers serialise")
}

/// The value of [`HEADER`].
pub(crate) fn header(coalesced: &Coalesced) -> String {
    format!("{}; {}", coalesced.count, ids(coalesced))
}

/// The ids of the first events, with spaces between them: no id has one.
pub(crate) fn ids(coalesced: &Coalesced) -> String {
    let mut ids = String::new();
    for event in &coalesced.events {
        let id = event.id.as_str();
        if ids.len() + 1 + id.len() > LONGEST_IDS {
            break;
        }
        if !ids.is_empty() {
            ids.push(' ');
        }
        ids.push_str(id);
    }
    ids
}

/// An object with `coalesced` as its last member; what is no object stays as it is.
pub(crate) fn beside(object: &str, coalesced: &Coalesced) -> String {
    let Some(open) = object.trim_end().strip_suffix('}') else { return object.to_owned() };
    let comma = if open.trim_end().ends_with('{') { "" } else { "," };
    format!("{open}{comma}\"{MEMBER}\":{}}}", json(coalesced))
}
