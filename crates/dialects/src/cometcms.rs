//! CometCMS, in and out (sources: `seeds/cometcms-webhooks.txt`; andreasjhagen/CometCMS, cms/app/Webhooks).
//!
//! Body: `{"event":…,"occurred_at":…,"data":{"type":…,"id":…,"slug":…}}` with PHP's escaping, byte for byte. `data.type` is
//! the content type ("collection"); a resource without a slug has `null` there. `occurred_at` has whole seconds. CometCMS
//! stamps it at sending and never retries; here it is the instant of the event, the same on every attempt, because a
//! receiver knows a repeat only by it. `X-CometCMS-Signature` is `sha256=` and the hex HMAC-SHA256 of the body under the
//! newest secret, on every request as its document promises (its code leaves it out where there is no secret): a webhook
//! without a secret gets one when it is made, and without one nothing is sent.
//!
//! It has words only for entries with a content type, and of actions only for its six. Emptying the trash is silent. A
//! ping is its "Run now": `{"event":"webhook.manual",…,"data":{"manual":true,"triggered_by":{"id","username","role"}}}`, which
//! nobody can subscribe to.

use bytes::Bytes;
use postrider_domain::event::{Content, Event, EventHead, Resource, Source};
use postrider_domain::id::{EventId, Scope};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::dialect::{Dialect, Occasion};
use crate::escape::php_json;
use crate::fields::{Faults, Fields, LONGEST_TEXT, json, value};
use crate::foreign;
use crate::hash::hmac_sha256;
use crate::read_error::{ReadError, ReadErrors};
use crate::received::{Proof, Received};
use crate::request::{RenderError, Rendered, Said, assemble};
use crate::topics;

/// The name webhooks and sources choose it by.
pub const NAME: &str = "cometcms";
/// The fields of the body that are stamped anew with each attempt: none, `occurred_at` included.
pub const STAMPED: [&str; 0] = [];
/// The header that carries the signature.
pub const SIGNATURE: &str = "X-CometCMS-Signature";
/// The headers of a received webhook that are CometCMS's own words; the rest is of the way it came.
const KEPT: [&str; 3] = ["content-type", "user-agent", "x-cometcms-signature"];
/// What CometCMS sends when a person presses "Run now" to try a webhook.
const MANUAL: &str = "webhook.manual";

/// CometCMS's way to speak.
#[derive(Debug, Clone, Copy)]
pub struct CometCms;

impl Dialect for CometCms {
    fn name(&self) -> &'static str {
        NAME
    }

    fn expressible(&self, head: &EventHead) -> Result<(), String> {
        name_of(head).map(|_| ())
    }

    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError> {
        let said = Said {
            topic: name_of(&occasion.event.head)
                .map_or_else(|_| occasion.event.head.topic(), |(name, _)| name.to_owned()),
            headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
            payload: Bytes::from(write_event(occasion.event)?),
        };
        assemble(occasion, said, |rendered| {
            let newest = occasion.secrets.signing.first().ok_or(RenderError::NoSecret(NAME))?;
            Ok(vec![(SIGNATURE.to_owned(), signature(newest, rendered.signed_body()))])
        })
    }

    fn needs_secret(&self) -> bool {
        true
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof::Signature { header: SIGNATURE })
    }

    fn is_genuine(&self, received: &Received<'_>) -> bool {
        let given = received.header(SIGNATURE).unwrap_or_default();
        verify(received.secret, received.body.as_bytes(), given)
    }

    fn read(&self, received: &Received<'_>) -> Result<Event, ReadErrors> {
        let mut event = read(received.body, received.scope, received.now)?;
        if let Some(source) = &mut event.content.source {
            let kept = received.headers.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
            source.headers = kept.cloned().collect();
        }
        Ok(event)
    }
}

/// Writes the body. What came in from CometCMS leaves as it came.
fn write_event(event: &Event) -> Result<String, RenderError> {
    if let Some(source) = event.content.source.as_ref().filter(|source| source.dialect == NAME) {
        return Ok(source.body.as_str().to_owned());
    }
    let head = &event.head;
    if head.event_type.as_str() == "Webhook" && head.action.as_str() == "ping" {
        return Ok(run_now(head));
    }
    let (name, collection) =
        name_of(head).map_err(|reason| RenderError::NotExpressible { dialect: NAME, reason })?;
    Ok(format!(
        r#"{{"event":{},"occurred_at":"{}","data":{{"type":{},"id":{},"slug":{}}}}}"#,
        php_json(name),
        head.occurred_at.to_seconds_string(),
        php_json(collection),
        php_json(&head.resource.id),
        head.resource.slug.as_deref().map_or_else(|| "null".to_owned(), php_json),
    ))
}

/// What "Run now" sends: who pressed it, as far as the event tells.
fn run_now(head: &EventHead) -> String {
    let optional = |text: Option<&str>| text.map_or_else(|| "null".to_owned(), php_json);
    let actor = head.actor.as_ref();
    let id = optional(actor.map(|actor| actor.id.as_str()));
    format!(
        r#"{{"event":"{MANUAL}","occurred_at":"{}","data":{{"manual":true,"triggered_by":{{"id":{id},"username":{id},"role":{}}}}}}}"#,
        head.occurred_at.to_seconds_string(),
        optional(actor.and_then(|actor| actor.kind.as_deref())),
    )
}

/// The event's name and its collection, or why it has none.
fn name_of(head: &EventHead) -> Result<(&'static str, &str), String> {
    if head.event_type.as_str() != "Entry" {
        return Err(format!("CometCMS speaks only of entries, not of type {}", head.event_type));
    }
    let Some(name) = topics::entry_name(NAME, &head.action) else {
        return Err(format!("CometCMS has no event for action {}", head.action));
    };
    let was_in_trash = matches!(head.resource.state.as_deref(), Some("trash" | "trashed"));
    if head.action.as_str() == "delete" && was_in_trash {
        return Err("CometCMS says nothing when an entry leaves the trash for ever".to_owned());
    }
    match head.resource.content_type.as_deref() {
        Some(collection) => Ok((name, collection)),
        None => Err("CometCMS names the collection, and the event has no contentType".to_owned()),
    }
}

/// `sha256=` and the hex HMAC-SHA256 of a body.
pub fn signature(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(hmac_sha256(secret.as_bytes(), &[body])))
}

/// Whether a received signature is that of the body. Takes the same time wherever the two differ.
pub fn verify(secret: &str, body: &[u8], given: &str) -> bool {
    signature(secret, body).as_bytes().ct_eq(given.trim().as_bytes()).into()
}

/// Reads a webhook of CometCMS. It has no event id, so one is derived: `cc-` and the hex SHA-256 of environment, event,
/// id and `occurred_at`, joined by NUL: sent to two environments it is two events. `occurred_at` has whole seconds: two changes of the same kind to the same entry within a
/// second are one event. "Run now" becomes `Webhook.manual`, which only a topic that names the type takes.
pub fn read(text: &str, scope: &Scope, now: Timestamp) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of_payload(text, &mut faults) else { return Err(faults.into_list()) };
    foreign::refuse(text, NAME, "send CometCMS's payload: event, occurred_at, data")?;
    let event =
        fields.required("event", "send CometCMS's payload, for example content.published", &mut faults);
    let occurred = fields.required("occurred_at", "send CometCMS's payload", &mut faults);
    let raw_data = fields.raw("data");
    if raw_data.is_none() {
        faults.add(ReadError::new("/data", "is missing", "send CometCMS's payload"));
    }
    let mut data = raw_data.and_then(|raw| Fields::of(raw, "/data".to_owned(), &mut faults));
    let (Some(event), Some(occurred), Some(raw_data), Some(data)) =
        (event, occurred, raw_data, data.as_mut())
    else {
        return Err(faults.into_list());
    };
    let occurred_at = faults.good(
        Timestamp::parse(&occurred)
            .map_err(|error| ReadError::new("/occurred_at", error.to_string(), "send CometCMS's payload")),
    );
    let kind = read_kind(&event, &mut faults);
    let resource = read_resource(&event, data, &mut faults);
    let whole = faults.good(value(text, ""));
    let (Some(occurred_at), Some((event_type, action)), Some(resource), Some(whole)) =
        (occurred_at, kind, resource, whole)
    else {
        return Err(faults.into_list());
    };
    faults.into_result()?;
    let head = EventHead {
        id: derive_id(scope, &event, &resource.id, &occurred)?,
        scope: scope.clone(),
        event_type,
        action,
        occurred_at,
        accepted_at: now,
        resource,
        actor: None,
        workflow: None,
        branch: None,
        cause: None,
    };
    let source = Source { dialect: NAME.to_owned(), headers: Vec::new(), body: json(whole) };
    Ok(Event {
        head,
        content: Content { data: json(raw_data), previous: None, related: None, source: Some(source) },
    })
}

fn read_kind(event: &str, faults: &mut Faults) -> Option<(EventType, Action)> {
    let (event_type, action) = if event == MANUAL {
        ("Webhook", "manual")
    } else if let Some(action) = topics::action_of(NAME, event) {
        ("Entry", action)
    } else {
        let problem = format!("{:?} is no event of CometCMS", event.chars().take(64).collect::<String>());
        let fix = "known are content.created, updated, published, unpublished, deleted, restored";
        faults.add(ReadError::new("/event", problem, fix));
        return None;
    };
    // Both are constants of this file and of the table of topics, which its tests read.
    Some((EventType::new(event_type).ok()?, Action::new(action).ok()?))
}

fn read_resource(event: &str, data: &mut Fields<'_>, faults: &mut Faults) -> Option<Resource> {
    if event == MANUAL {
        return Some(Resource { id: "manual".to_owned(), ..Resource::default() });
    }
    let id = data.required("id", "send CometCMS's payload", faults);
    let content_type = data.required("type", "send CometCMS's payload", faults);
    let slug = data.text("slug", LONGEST_TEXT, faults);
    Some(Resource { id: id?, content_type: Some(content_type?), slug, ..Resource::default() })
}

fn derive_id(scope: &Scope, event: &str, id: &str, occurred_at: &str) -> Result<EventId, ReadErrors> {
    let digest = Sha256::digest(format!("{}\0{event}\0{id}\0{occurred_at}", scope.environment));
    EventId::new(&format!("cc-{}", hex::encode(digest)))
        .map_err(|error| vec![ReadError::new("", error.to_string(), "report it as a defect")])
}
