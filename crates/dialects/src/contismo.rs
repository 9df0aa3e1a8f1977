//! Contismo, in and out (source: `seeds/contismo-event-hooks.txt`).
//!
//! The document names eight triggers, three methods and the header `X-EventHook-Signature` with an HMAC-SHA256. It prints no
//! payload and not how the code is written: both are **ours**, and each request says so in `X-Postrider-Format: contismo-1`.
//!
//! ```json
//! {"event":"Entry Published","occurredAt":"2025-05-03T12:00:00.250Z","project":"blog","environment":"master","model":"posts",
//!  "entry":{"id":"7K4p9xQ2mR","slug":"my-first-post","data":{}},"workflow":{"from":"draft","to":"review"}}
//! ```
//!
//! `event` is the trigger's name as the document prints it, `project` the space's setting or its id, `model` the content
//! type, `entry.data` the event's data byte for byte; `workflow` stands only where the event has one. `slug`, `locale`,
//! `version`, `title`, `state` and `url` of the entry are left out where the event does not tell. The signature is `sha256=`
//! and the hex HMAC of the body under the newest secret; without a secret there is none.
//!
//! Nothing is stamped per attempt: what came in from Contismo leaves byte for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use postrider_domain::event::{Content, Event, EventHead, Resource, Source, Workflow};
use postrider_domain::id::{EventId, Scope};
use postrider_domain::json::Json;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use serde::Serialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::dialect::{Dialect, Occasion};
use crate::envelope::ResourceOut;
use crate::fields::{Faults, Fields, LONGEST_TEXT, LONGEST_URL, json, value};
use crate::foreign;
use crate::hash::hmac_sha256;
use crate::options::{self, Switch};
use crate::read_error::{ReadError, ReadErrors};
use crate::received::{Proof, Received};
use crate::request::{RenderError, Rendered, Said, assemble};
use crate::topics;

/// The name webhooks and sources choose it by.
pub const NAME: &str = "contismo";
/// The header that carries the signature.
pub const SIGNATURE: &str = "X-EventHook-Signature";
/// The header that says whose form the body has.
pub const FORMAT: (&str, &str) = ("X-Postrider-Format", "contismo-1");
/// The fields of the body that are stamped anew with each attempt: none.
pub const STAMPED: [&str; 0] = [];
/// `signatureFormat`: how the code is written.
pub const SIGNATURE_FORMAT: Switch = Switch {
    name: "signatureFormat",
    values: &["sha256=hex", "hex", "base64"],
    meaning: "how X-EventHook-Signature writes the HMAC-SHA256 of the body; the document does not say",
};
/// What tries a webhook out; the name is ours.
const PING: &str = "Ping";
/// The headers of a received webhook that are Contismo's own words; the rest is of the way it came.
const KEPT: [&str; 3] = ["content-type", "user-agent", "x-eventhook-signature"];
const FIX: &str =
    "send {\"event\": \"Entry Published\", \"occurredAt\": …, \"model\": …, \"entry\": {\"id\": …}}";

/// Contismo's way to speak.
#[derive(Debug, Clone, Copy)]
pub struct Contismo;

impl Dialect for Contismo {
    fn name(&self) -> &'static str {
        NAME
    }

    fn expressible(&self, head: &EventHead) -> Result<(), String> {
        name_of(head).map(|_| ())
    }

    fn write(&self, occasion: &Occasion<'_>) -> Result<Rendered, RenderError> {
        let head = &occasion.event.head;
        let headers = [("Content-Type", "application/json"), FORMAT];
        let said = Said {
            topic: name_of(head).map_or_else(|_| head.topic(), str::to_owned),
            headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            payload: Bytes::from(write_event(occasion)?),
        };
        let format = options::value(&SIGNATURE_FORMAT, &occasion.webhook.options);
        assemble(occasion, said, |rendered| {
            let newest = occasion.secrets.signing.first();
            let signed = newest
                .map(|secret| (SIGNATURE.to_owned(), signature(secret, rendered.signed_body(), format)));
            Ok(signed.into_iter().collect())
        })
    }

    fn switches(&self) -> &'static [Switch] {
        &[SIGNATURE_FORMAT]
    }

    fn proof(&self) -> Option<Proof> {
        Some(Proof::Either { header: SIGNATURE })
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    event: &'a str,
    occurred_at: String,
    project: &'a str,
    environment: &'a str,
    model: Option<&'a str>,
}

#[derive(Serialize)]
struct Transition<'a> {
    from: Option<&'a str>,
    to: Option<&'a str>,
}

/// Writes the body. What came in from Contismo leaves as it came.
fn write_event(occasion: &Occasion<'_>) -> Result<String, RenderError> {
    let (head, content) = (&occasion.event.head, &occasion.event.content);
    if let Some(source) = content.source.as_ref().filter(|source| source.dialect == NAME) {
        return Ok(source.body.as_str().to_owned());
    }
    let is_ping = head.event_type.as_str() == "Webhook" && head.action.as_str() == "ping";
    let event = if is_ping { Ok(PING) } else { name_of(head) };
    let event = event.map_err(|reason| RenderError::NotExpressible { dialect: NAME, reason })?;
    let resource = &head.resource;
    let project = occasion.space.constants.project.as_deref();
    let mut text = open(&Envelope {
        event,
        occurred_at: head.occurred_at.to_string(),
        project: project.unwrap_or(head.scope.space.as_str()),
        environment: head.scope.environment.as_str(),
        model: resource.content_type.as_deref(),
    });
    text.push_str(",\"entry\":");
    if is_ping {
        text.push_str("null");
    } else {
        text.push_str(&open(&ResourceOut::of(resource).without_content_type()));
        // Spliced in as it is: parsing would reorder and respace it.
        text.push_str(",\"data\":");
        text.push_str(content.data.as_str());
        text.push('}');
    }
    if let Some(Workflow { from, to }) = &head.workflow {
        text.push_str(",\"workflow\":");
        text.push_str(&open(&Transition { from: from.as_deref(), to: to.as_deref() }));
        text.push('}');
    }
    text.push('}');
    Ok(text)
}

/// An object whose last bracket is left to the caller.
fn open(object: &impl Serialize) -> String {
    let mut text = serde_json::to_string(object).expect("plain structs of texts and numbers serialise");
    text.pop();
    text
}

/// The trigger's name, or why there is none.
fn name_of(head: &EventHead) -> Result<&'static str, String> {
    if head.event_type.as_str() != "Entry" {
        return Err(format!("Contismo speaks only of entries, not of type {}", head.event_type));
    }
    topics::entry_name(NAME, &head.action)
        .ok_or_else(|| format!("Contismo has no trigger for action {}", head.action))
}

/// The HMAC-SHA256 of a body in one of the formats of [`SIGNATURE_FORMAT`].
pub fn signature(secret: &str, body: &[u8], format: &str) -> String {
    let code = hmac_sha256(secret.as_bytes(), &[body]);
    match format {
        "hex" => hex::encode(code),
        "base64" => STANDARD.encode(code),
        _ => format!("sha256={}", hex::encode(code)),
    }
}

/// Whether a received signature is that of the body, in any of the formats. Takes the same time wherever they differ.
pub fn verify(secret: &str, body: &[u8], given: &str) -> bool {
    let right =
        |format: &str| bool::from(signature(secret, body, format).as_bytes().ct_eq(given.trim().as_bytes()));
    SIGNATURE_FORMAT.values.iter().fold(false, |found, format| right(format) | found)
}

/// Reads a webhook of the form that is written here. The event's name counts whatever its case and punctuation. It has no
/// id, so one is derived: `ct-` and the hex SHA-256 of environment and body.
pub fn read(text: &str, scope: &Scope, now: Timestamp) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of_payload(text, &mut faults) else { return Err(faults.into_list()) };
    foreign::refuse(text, NAME, FIX)?;
    let kind = fields.required("event", FIX, &mut faults).and_then(|name| read_kind(&name, &mut faults));
    let occurred_at = fields.text("occurredAt", LONGEST_TEXT, &mut faults).and_then(|text| {
        faults.good(
            Timestamp::parse(&text).map_err(|error| ReadError::new("/occurredAt", error.to_string(), FIX)),
        )
    });
    let model = fields.text("model", LONGEST_TEXT, &mut faults);
    let workflow = fields.object("workflow", &mut faults).map(|mut flow| Workflow {
        from: flow.text("from", LONGEST_TEXT, &mut faults),
        to: flow.text("to", LONGEST_TEXT, &mut faults),
    });
    let entry = read_entry(&mut fields, model, &mut faults);
    let whole = faults.good(value(text, ""));
    let (Some((event_type, action)), Some((resource, data)), Some(whole)) = (kind, entry, whole) else {
        return Err(faults.into_list());
    };
    faults.into_result()?;
    let head = EventHead {
        id: derive_id(scope, text)?,
        scope: scope.clone(),
        event_type,
        action,
        occurred_at: occurred_at.unwrap_or(now),
        accepted_at: now,
        resource,
        actor: None,
        workflow,
        branch: None,
        cause: None,
    };
    let source = Source { dialect: NAME.to_owned(), headers: Vec::new(), body: json(whole) };
    Ok(Event { head, content: Content { data, previous: None, related: None, source: Some(source) } })
}

fn read_kind(given: &str, faults: &mut Faults) -> Option<(EventType, Action)> {
    let plain =
        |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let mut known = topics::own_names(NAME);
    let Some(name) = known.find(|name| plain(name) == plain(given)) else {
        let problem = format!("{:?} is no trigger of Contismo", given.chars().take(64).collect::<String>());
        let known = topics::own_names(NAME).collect::<Vec<_>>().join(", ");
        faults.add(ReadError::new("/event", problem, format!("known are {known}")));
        return None;
    };
    // Both are constants of this crate, which the tests of the table of topics read.
    Some((EventType::new("Entry").ok()?, Action::new(topics::action_of(NAME, name)?).ok()?))
}

fn read_entry(
    fields: &mut Fields<'_>,
    model: Option<String>,
    faults: &mut Faults,
) -> Option<(Resource, Json)> {
    let Some(raw) = fields.raw("entry") else {
        faults.add(ReadError::new("/entry", "is missing", FIX));
        return None;
    };
    let mut entry = Fields::of(raw, "/entry".to_owned(), faults)?;
    let id = entry.required("id", FIX, faults);
    let resource = Resource {
        id: id.clone().unwrap_or_default(),
        content_type: model,
        slug: entry.text("slug", LONGEST_TEXT, faults),
        locale: entry.text("locale", LONGEST_TEXT, faults),
        version: entry.integer("version", faults),
        title: entry.text("title", LONGEST_TEXT, faults),
        state: entry.text("state", LONGEST_TEXT, faults),
        url: entry.text("url", LONGEST_URL, faults),
    };
    // An entry without `data` is its own data.
    let data = entry.written("data").map_or_else(|| json(raw), json);
    id.map(|_| (resource, data))
}

fn derive_id(scope: &Scope, text: &str) -> Result<EventId, ReadErrors> {
    let digest = Sha256::digest(format!("{}\0{text}", scope.environment));
    EventId::new(&format!("ct-{}", hex::encode(digest)))
        .map_err(|error| vec![ReadError::new("", error.to_string(), "report it as a defect")])
}
