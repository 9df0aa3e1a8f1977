//! CloudEvents 1.0, in; out is [`mod@write`] (specification: cloudevents/spec, spec.md, formats/json-format.md, bindings/http-protocol-binding.md).
//!
//! | CloudEvents | event |
//! |---|---|
//! | `type` | `[prefix.]Type.action`: the type is the first segment that begins with an upper-case letter, the action everything after it (`com.example.Entry.publish` is `Entry.publish`); without such a segment it is refused |
//! | `source`, `id` | the id: `ce-` and the first 32 hex digits of SHA-256(source, NUL, id), because only both together name an event |
//! | `subject` | `resource.id`; without it `id`, `sys.id` or `uid` of the data, else it is refused |
//! | `time` | `occurredAt`; now unless given |
//! | `data`, `data_base64`, the body | `data`; must be JSON |
//! | extensions `contenttype locale slug resourceversion resourcetitle resourcestate resourceurl` | `resource` |
//! | extensions `actorid actortype branch workflowfrom workflowto causekind causeid causetitle` | `actor`, `branch`, `workflow`, `cause` |
//!
//! Other extensions are left aside, as the specification asks of receivers.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postrider_domain::event::{Actor, Cause, Content, Event, EventHead, Resource, Workflow};
use postrider_domain::id::{EventId, Scope};
use postrider_domain::json::Json;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::fields::{Faults, Fields, LONGEST_TEXT, LONGEST_URL, bounded, json, kind, value};
use crate::percent;
use crate::read_error::{ReadError, ReadErrors};

pub mod write;

pub use write::{CloudEvents, NAME};

/// The media type of one event in structured mode.
pub const STRUCTURED: &str = "application/cloudevents+json";
/// The media type of a batch: a JSON array of structured events, each for [`read_structured`].
pub const BATCH: &str = "application/cloudevents-batch+json";
/// The header whose presence means binary mode.
pub const BINARY_HEADER: &str = "ce-specversion";

/// The attributes that are read.
const ATTRIBUTES: [&str; 21] = [
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "contenttype",
    "locale",
    "slug",
    "resourceversion",
    "resourcetitle",
    "resourcestate",
    "resourceurl",
    "actorid",
    "actortype",
    "branch",
    "workflowfrom",
    "workflowto",
    "causekind",
    "causeid",
    "causetitle",
];

/// Reads an event in structured mode: one JSON object.
pub fn read_structured(text: &str, scope: &Scope, now: Timestamp) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let Some(mut fields) = Fields::of_payload(text, &mut faults) else { return Err(faults.into_list()) };
    let mut given = Attributes { prefix: "/", values: Vec::new() };
    for name in ATTRIBUTES {
        let Some(raw) = fields.raw(name) else { continue };
        let text = match serde_json::from_str(raw.get()) {
            Ok(Value::String(text)) => text,
            Ok(Value::Number(number)) => number.to_string(),
            Ok(Value::Bool(one)) => one.to_string(),
            _ => {
                let problem = format!("must be a text, number or boolean, not {}", kind(raw));
                faults.add(ReadError::new(fields.at(name), problem, "put it into \"data\""));
                continue;
            }
        };
        given.values.push((name, text));
    }
    let data = structured_data(&mut fields, &mut faults);
    build(&given, data, &Place { scope, now }, faults)
}

/// Reads an event in binary mode: attributes as `ce-*` headers (names in any case, values percent-encoded), the data as the
/// body. Headers that are not `ce-*` are left aside.
pub fn read_binary<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    content_type: Option<&str>,
    body: &str,
    scope: &Scope,
    now: Timestamp,
) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let mut given = Attributes { prefix: "ce-", values: Vec::new() };
    for (header, encoded) in headers {
        let header = header.to_ascii_lowercase();
        let Some(name) =
            header.strip_prefix("ce-").and_then(|name| ATTRIBUTES.into_iter().find(|one| *one == name))
        else {
            continue;
        };
        if given.values.iter().any(|(known, _)| *known == name) {
            faults.add(ReadError::new(header, "is given twice", "keep one of the two"));
        } else if let Some(text) = percent::decode(encoded) {
            given.values.push((name, text));
        } else {
            faults.add(ReadError::new(header, "is not UTF-8 once percent-decoded", "encode it as UTF-8"));
        }
    }
    let data = if body.trim().is_empty() {
        Some(Json::from_checked("null"))
    } else if content_type.is_some_and(is_json) {
        faults.good(value(body, "").map(json))
    } else {
        let problem = format!("the data is {}, not JSON", content_type.unwrap_or("of no stated type"));
        faults.add(ReadError::new("Content-Type", problem, "send JSON data as application/json"));
        None
    };
    build(&given, data, &Place { scope, now }, faults)
}

/// The attributes as texts, and how their place is written.
struct Attributes {
    prefix: &'static str,
    values: Vec<(&'static str, String)>,
}

struct Place<'a> {
    scope: &'a Scope,
    now: Timestamp,
}

impl Attributes {
    fn at(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn find(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(given, _)| *given == name).map(|(_, text)| text.as_str())
    }

    fn text(&self, name: &str, longest: usize, faults: &mut Faults) -> Option<String> {
        let text = self.find(name)?;
        faults.good(bounded(&self.at(name), text.to_owned(), longest))
    }

    fn required(&self, name: &str, faults: &mut Faults) -> Option<String> {
        match self.find(name) {
            Some(text) if !text.is_empty() => self.text(name, LONGEST_TEXT, faults),
            _ => {
                let fix = "CloudEvents 1.0 requires specversion, id, source and type";
                faults.add(ReadError::new(self.at(name), "is missing", fix));
                None
            }
        }
    }
}

fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

fn structured_data(fields: &mut Fields<'_>, faults: &mut Faults) -> Option<Json> {
    let media_type = fields.text("datacontenttype", LONGEST_TEXT, faults);
    let (plain, encoded) = (fields.written("data"), fields.raw("data_base64"));
    match (plain, encoded) {
        (Some(_), Some(_)) => {
            faults.add(ReadError::new("/data_base64", "stands beside \"data\"", "keep one of the two"));
            None
        }
        (Some(raw), None) => Some(json(raw)),
        (None, None) => Some(Json::from_checked("null")),
        (None, Some(raw)) => {
            let is_json = media_type.as_deref().is_none_or(is_json);
            let decoded = serde_json::from_str::<String>(raw.get())
                .ok()
                .and_then(|text| STANDARD.decode(text).ok())
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .filter(|_| is_json)
                .and_then(|text| value(&text, "/data_base64").map(json).ok());
            if decoded.is_none() {
                faults.add(ReadError::new("/data_base64", "is not JSON in Base64", "send JSON as \"data\""));
            }
            decoded
        }
    }
}

fn build(
    given: &Attributes,
    data: Option<Json>,
    place: &Place<'_>,
    mut faults: Faults,
) -> Result<Event, ReadErrors> {
    if given.required("specversion", &mut faults).is_some_and(|version| version != "1.0") {
        faults.add(ReadError::new(given.at("specversion"), "is not 1.0", "send CloudEvents 1.0"));
    }
    let (id, source) = (given.required("id", &mut faults), given.required("source", &mut faults));
    let topic = given.required("type", &mut faults).and_then(|text| read_type(given, &text, &mut faults));
    let occurred_at = given.find("time").and_then(|text| {
        faults.good(Timestamp::parse(text).map_err(|error| {
            ReadError::new(
                given.at("time"),
                error.to_string(),
                "correct it, or leave it out for the present instant",
            )
        }))
    });
    let resource = read_resource(given, data.as_ref(), &mut faults);
    let head = read_rest(given, &mut faults);
    let (Some(id), Some(source), Some((event_type, action)), Some(resource), Some(data)) =
        (id, source, topic, resource, data)
    else {
        return Err(faults.into_list());
    };
    faults.into_result()?;
    Ok(Event {
        head: EventHead {
            id: derive_id(&source, &id)?,
            scope: place.scope.clone(),
            event_type,
            action,
            occurred_at: occurred_at.unwrap_or(place.now),
            accepted_at: place.now,
            resource,
            actor: head.actor,
            workflow: head.workflow,
            branch: head.branch,
            cause: head.cause,
        },
        content: Content { data, previous: None, related: None, source: None },
    })
}

/// `com.example.Entry.publish.success`: type `Entry`, action `publish.success`.
fn read_type(given: &Attributes, text: &str, faults: &mut Faults) -> Option<(EventType, Action)> {
    let begins = |segment: &str| segment.starts_with(|first: char| first.is_ascii_uppercase());
    let mut rest = text;
    while !begins(rest) {
        match rest.split_once('.') {
            Some((_, after)) => rest = after,
            None => break,
        }
    }
    let read =
        match rest.split_once('.').filter(|_| begins(rest)) {
            Some((event_type, action)) => EventType::new(event_type)
                .and_then(|event_type| Ok((event_type, Action::new(action)?)))
                .map_err(|error| error.to_string()),
            None => Err("has no segment that begins with an upper-case letter and is followed by an action"
                .to_owned()),
        };
    faults.good(read.map_err(|problem| {
        ReadError::new(
            given.at("type"),
            problem,
            "write [prefix.]Type.action, for example com.example.Entry.publish",
        )
    }))
}

fn read_resource(given: &Attributes, data: Option<&Json>, faults: &mut Faults) -> Option<Resource> {
    let version = given.find("resourceversion").and_then(|text| {
        faults.good(text.parse().map_err(|_| {
            ReadError::new(given.at("resourceversion"), "must be a whole number", "write digits only")
        }))
    });
    let id = given.text("subject", LONGEST_TEXT, faults).or_else(|| data.and_then(id_in_data));
    let Some(id) = id.filter(|id| !id.is_empty() && !id.chars().any(char::is_control)) else {
        let problem = "names no resource, nor does the data (id, sys.id or uid)";
        faults.add(ReadError::new(given.at("subject"), problem, "set subject to the resource's id"));
        return None;
    };
    Some(Resource {
        id,
        content_type: given.text("contenttype", LONGEST_TEXT, faults),
        slug: given.text("slug", LONGEST_TEXT, faults),
        locale: given.text("locale", LONGEST_TEXT, faults),
        version,
        title: given.text("resourcetitle", LONGEST_TEXT, faults),
        state: given.text("resourcestate", LONGEST_TEXT, faults),
        url: given.text("resourceurl", LONGEST_URL, faults),
    })
}

/// What most data call themselves by.
pub(crate) fn id_in_data(data: &Json) -> Option<String> {
    let data: Value = serde_json::from_str(data.as_str()).ok()?;
    let found = ["/id", "/sys/id", "/uid"].into_iter().find_map(|pointer| data.pointer(pointer))?;
    match found {
        Value::String(text) if text.len() <= LONGEST_TEXT => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

struct Rest {
    actor: Option<Actor>,
    workflow: Option<Workflow>,
    branch: Option<String>,
    cause: Option<Cause>,
}

fn read_rest(given: &Attributes, faults: &mut Faults) -> Rest {
    let mut text = |name| given.text(name, LONGEST_TEXT, faults);
    let (from, to) = (text("workflowfrom"), text("workflowto"));
    let (actor_type, cause_id, cause_title) = (text("actortype"), text("causeid"), text("causetitle"));
    Rest {
        actor: text("actorid").map(|id| Actor { id, kind: actor_type }),
        workflow: (from.is_some() || to.is_some()).then_some(Workflow { from, to }),
        branch: text("branch"),
        cause: text("causekind").map(|kind| Cause { kind, id: cause_id, title: cause_title }),
    }
}

fn derive_id(source: &str, id: &str) -> Result<EventId, ReadErrors> {
    let digest = Sha256::digest(format!("{source}\0{id}"));
    EventId::new(&format!("ce-{}", hex::encode(&digest[..16])))
        .map_err(|error| vec![ReadError::new("", error.to_string(), "report it as a defect")])
}
