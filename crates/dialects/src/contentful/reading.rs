//! Contentful's own webhook, read into an event.
//!
//! | event | from |
//! |---|---|
//! | type and action | `X-Contentful-Topic`, the action in lower case (some topics are printed `Task.Create`) |
//! | id | `cf-` and `X-Contentful-Idempotency-Key`, which is the same for Contentful's own retries; without one `cf-` and the hex SHA-256 of environment, topic, `sys.id` and `X-Contentful-Event-Datetime` (or the body), joined by NUL |
//! | `occurredAt` | `X-Contentful-Event-Datetime`, else `sys.deletedAt`, `sys.updatedAt`, `sys.createdAt`, else now |
//! | resource | `sys.id`, `sys.contentType.sys.id`, `sys.locale`; the version is `sys.version`, else `sys.publishedVersion` (they count alike; `sys.revision` counts otherwise and is not taken) |
//! | its title and slug, for people | `fields.title` or `fields.name`, `fields.slug`, of `sys.locale` or the first locale that has a text; of a content type its `name` |
//! | its state | what was done, else what `sys` says of an entry, asset or content type |
//! | actor | `sys.deletedBy`, else `sys.updatedBy`, else `sys.createdBy` |
//! | branch | `sys.environment.sys.id`, where it is not the environment of the address: the address decides, since an alias and its environment have two names |
//! | cause | the header of a release, a release action, a bulk action or a scheduled action, the first of them |
//!
//! A transformation on Contentful's side that changes the body takes away what is read here: it is refused.

use postrider_domain::event::{Actor, Cause, Content, Event, EventHead, Resource, Source};
use postrider_domain::id::EventId;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{CAUSES, KEPT, NAME, TOPIC_PREFIX};
use crate::fields::{Faults, LONGEST_TEXT, json, kind, value};
use crate::ordered;
use crate::pointer::Tree;
use crate::read_error::{ReadError, ReadErrors};
use crate::received::Received;

const TOPIC: &str = "X-Contentful-Topic";
const SEND: &str = "send Contentful's own webhook, without a transformation of its body";

/// Reads it. Every fault that can be seen at once is told.
pub(super) fn read(received: &Received<'_>) -> Result<Event, ReadErrors> {
    let mut faults = Faults::default();
    let topic = read_topic(received, &mut faults);
    let raw = faults.good(value(received.body, ""));
    let entity = raw.and_then(|raw| Entity::of(raw, &mut faults));
    let id = entity.as_ref().and_then(|entity| entity.id(&mut faults));
    let (Some((event_type, action)), Some(raw), Some(entity), Some(id)) = (topic, raw, entity, id) else {
        return Err(faults.into_list());
    };
    faults.into_result()?;
    let environment = entity.text(&["sys", "environment", "sys", "id"]);
    let resource = entity.resource(id, &event_type, &action);
    let head = EventHead {
        id: event_id(received, &resource.id)?,
        scope: received.scope.clone(),
        event_type,
        action,
        occurred_at: entity.occurred_at(received).unwrap_or(received.now),
        accepted_at: received.now,
        resource,
        actor: entity.actor(),
        workflow: None,
        branch: environment.filter(|given| given != received.scope.environment.as_str()),
        cause: cause(received),
    };
    let kept = |name: &str| KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name));
    let headers = received.headers.iter().filter(|(name, _)| kept(name)).cloned().collect();
    let body = json(raw);
    let source = Source { dialect: NAME.to_owned(), headers, body: body.clone() };
    Ok(Event { head, content: Content { data: body, previous: None, related: None, source: Some(source) } })
}

fn read_topic(received: &Received<'_>, faults: &mut Faults) -> Option<(EventType, Action)> {
    let Some(given) = received.header(TOPIC) else {
        faults.add(ReadError::new(TOPIC, "is missing", SEND));
        return None;
    };
    let fault = |problem: String| ReadError::new(TOPIC, problem, "a topic is ContentManagement.Type.action");
    let Some((event_type, action)) = given.strip_prefix(TOPIC_PREFIX).and_then(|rest| rest.split_once('.'))
    else {
        faults.add(fault(format!("is {:?}, which is no topic", given.chars().take(64).collect::<String>())));
        return None;
    };
    let (event_type, action) = (EventType::new(event_type), Action::new(&action.to_ascii_lowercase()));
    let event_type = faults.good(event_type.map_err(|error| fault(error.to_string())));
    let action = faults.good(action.map_err(|error| fault(error.to_string())));
    event_type.zip(action)
}

/// A body of Contentful.
struct Entity<'a>(Tree<'a>);

impl<'a> Entity<'a> {
    fn of(raw: &'a RawValue, faults: &mut Faults) -> Option<Self> {
        if !raw.get().starts_with('{') {
            faults.add(ReadError::new("", format!("must be an object, not {}", kind(raw)), SEND));
            return None;
        }
        let entity = Self(Tree::new(raw));
        if !entity.0.find(&["sys"]).is_some_and(|sys| sys.get().starts_with('{')) {
            faults.add(ReadError::new("/sys", "is missing: it names the resource", SEND));
            return None;
        }
        Some(entity)
    }

    /// A text of sensible length.
    fn text(&self, path: &[&str]) -> Option<String> {
        let text = self.0.find(path).and_then(ordered::text)?;
        (!text.is_empty() && text.len() <= LONGEST_TEXT && !text.contains('\0')).then_some(text)
    }

    fn integer(&self, path: &[&str]) -> Option<i64> {
        self.0.find(path)?.get().parse().ok()
    }

    fn id(&self, faults: &mut Faults) -> Option<String> {
        let id = self.text(&["sys", "id"]).filter(|id| !id.chars().any(char::is_control));
        if id.is_none() {
            let problem = format!("is missing, or no text of up to {LONGEST_TEXT} bytes");
            faults.add(ReadError::new("/sys/id", problem, SEND));
        }
        id
    }

    fn occurred_at(&self, received: &Received<'_>) -> Option<Timestamp> {
        let stamped = received.header("X-Contentful-Event-Datetime").map(str::to_owned);
        let told = ["deletedAt", "updatedAt", "createdAt"].map(|name| self.text(&["sys", name]));
        [stamped].into_iter().chain(told).flatten().find_map(|text| Timestamp::parse(&text).ok())
    }

    fn resource(&self, id: String, event_type: &EventType, action: &Action) -> Resource {
        let title = || self.localised("title").or_else(|| self.localised("name"));
        Resource {
            id,
            content_type: self.text(&["sys", "contentType", "sys", "id"]),
            slug: self.localised("slug"),
            locale: self.text(&["sys", "locale"]),
            version: self.integer(&["sys", "version"]).or_else(|| self.integer(&["sys", "publishedVersion"])),
            title: title().or_else(|| self.text(&["name"])),
            state: self.state(event_type, action).map(str::to_owned),
            url: None,
        }
    }

    /// A field: by locale as the management API shows it, or plain.
    fn localised(&self, name: &str) -> Option<String> {
        let own = self.text(&["sys", "locale"]).and_then(|locale| self.text(&["fields", name, &locale]));
        own.or_else(|| self.text(&["fields", name])).or_else(|| {
            let locales = ordered::members(self.0.find(&["fields", name])?)?;
            locales.iter().find_map(|(locale, _)| self.text(&["fields", name, locale]))
        })
    }

    fn state(&self, event_type: &EventType, action: &Action) -> Option<&'static str> {
        if !["Entry", "Asset", "ContentType"].contains(&event_type.as_str()) {
            return None;
        }
        let has = |name| self.0.find(&["sys", name]).is_some_and(|raw| raw.get() != "null");
        let (version, published) =
            (self.integer(&["sys", "version"]), self.integer(&["sys", "publishedVersion"]));
        Some(match action.as_str() {
            "publish" => "published",
            "delete" => "deleted",
            "archive" => "archived",
            "unpublish" | "unarchive" => "draft",
            _ if has("archivedVersion") || has("archivedAt") => "archived",
            // Publishing makes a version of its own: an entry without changes is one beyond the published version.
            _ => match (version, published) {
                (Some(version), Some(published)) if version > published.saturating_add(1) => "changed",
                (_, Some(_)) => "published",
                _ => "draft",
            },
        })
    }

    fn actor(&self) -> Option<Actor> {
        ["deletedBy", "updatedBy", "createdBy"].into_iter().find_map(|by| {
            let id = self.text(&["sys", by, "sys", "id"])?;
            Some(Actor { id, kind: self.text(&["sys", by, "sys", "linkType"]) })
        })
    }
}

fn cause(received: &Received<'_>) -> Option<Cause> {
    CAUSES.into_iter().find_map(|(kind, name)| {
        let id = received.header(name).filter(|id| !id.is_empty() && id.len() <= LONGEST_TEXT)?;
        Some(Cause { kind: kind.to_owned(), id: Some(id.to_owned()), title: None })
    })
}

fn event_id(received: &Received<'_>, resource: &str) -> Result<EventId, ReadErrors> {
    let key = received.header("X-Contentful-Idempotency-Key").map(str::to_ascii_lowercase);
    let hex = |key: &String| key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let key = key.filter(hex).unwrap_or_else(|| {
        let environment = &received.scope.environment;
        let topic = received.header(TOPIC).unwrap_or_default();
        let told = received.header("X-Contentful-Event-Datetime").unwrap_or(received.body);
        hex::encode(Sha256::digest(format!("{environment}\0{topic}\0{resource}\0{told}")))
    });
    EventId::new(&format!("cf-{key}"))
        .map_err(|error| vec![ReadError::new("", error.to_string(), "report it as a defect")])
}
