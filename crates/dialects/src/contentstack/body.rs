//! The body of a request to a receiver of Contentstack.
//!
//! The order of keys is that of the document (`module, api_key, data, event, triggered_at`; for what a release brought about
//! `event, source, data, api_key, module, triggered_at`), or by option that of live calls (`triggered_at, module, …`).
//! `triggered_at` is when the attempt is made: Contentstack stamps each anew.
//!
//! `data` of an event that did not come from Contentstack always has the resource under its module's name,
//! `content_type.uid`, `environment.name`, `action`, `status` and `locale`, `null` where the event does not tell. The
//! resource is the event's `data` if that is an object, with `title`, `url`, `locale`, `uid` and `_version` added where they
//! are missing; an asset's content type is `built_io_upload`, as in the document's release. Names that begin with `$` get
//! the prefix `cs` that Contentstack gives them.

use postrider_domain::event::{Cause, Event, EventHead};

use super::words::{self, Said};
use super::{CONCISE, EVENTS, MODULE, NAME, ORDER};
use crate::dialect::Occasion;
use crate::js_json::{Js, Unwritable};
use crate::options;

/// What Contentstack calls the content type of an asset (`seeds/contentstack-webhook-format.txt`, the release).
const UPLOAD: &str = "built_io_upload";

/// Writes the body, or says why it cannot be written.
pub(crate) fn write(occasion: &Occasion<'_>) -> Result<String, Unwritable> {
    let event = occasion.event;
    let concise = options::is_on(&CONCISE, &occasion.webhook.options);
    let triggered_at = Js::text(&occasion.now.to_string());
    if let Some(source) = event.content.source.as_ref().filter(|source| source.dialect == NAME) {
        let mut whole = Js::parse(source.body.as_str())?;
        whole.set("triggered_at", triggered_at);
        if let Some(module) = occasion.webhook.options.get(MODULE.name)
            && event.head.event_type.as_str() == "ContentType"
        {
            whole.set("module", Js::text(module));
        }
        if concise && let Some(data) = whole.get("data") {
            let short = shortened(data, &words::key_of(&event.head.event_type));
            whole.set("data", short);
        }
        return Ok(whole.write());
    }
    let said = words::event_of(&event.head).map_err(Unwritable)?;
    let mut data = data(event, said)?;
    if concise {
        data = shortened(&data, &words::key_of(&event.head.event_type));
    }
    let parts = Parts {
        module: Js::text(&module(occasion)),
        api_key: Js::text(api_key(occasion)),
        event: Js::text(&event_name(said, options::value(&EVENTS, &occasion.webhook.options))),
        source: event.head.cause.as_ref().map(source),
        data,
        triggered_at,
    };
    let live = options::value(&ORDER, &occasion.webhook.options) == "live";
    Ok(parts.in_order(concise, live).write())
}

/// The members of a body.
struct Parts {
    module: Js,
    api_key: Js,
    event: Js,
    source: Option<Js>,
    data: Js,
    triggered_at: Js,
}

impl Parts {
    /// In the order of the document, of live calls, or of concise payloads.
    fn in_order(self, concise: bool, live: bool) -> Js {
        let Self { module, api_key, event, source, data, triggered_at } = self;
        let caused = source.is_some();
        let source = source.unwrap_or_else(Js::null);
        let (module, api_key, event) = (("module", module), ("api_key", api_key), ("event", event));
        let (source, data, stamp) = (("source", source), ("data", data), ("triggered_at", triggered_at));
        let ordered = match (concise, live) {
            (true, _) => [module, api_key, event, source, stamp, data],
            (false, true) => [stamp, module, source, api_key, data, event],
            (false, false) if caused => [event, source, data, api_key, module, stamp],
            (false, false) => [module, api_key, data, event, source, stamp],
        };
        let said = ordered.into_iter().filter(|(name, _)| caused || *name != "source");
        Js::Object(said.map(|(name, value)| (name.to_owned(), value)).collect())
    }
}

/// The space's setting, else the space's id. (What came in from Contentstack keeps its own.)
fn api_key<'a>(occasion: &Occasion<'a>) -> &'a str {
    let set = occasion.space.constants.api_key.as_deref();
    set.unwrap_or(occasion.event.head.scope.space.as_str())
}

fn module(occasion: &Occasion<'_>) -> String {
    let event_type = &occasion.event.head.event_type;
    if event_type.as_str() == "ContentType" {
        return options::value(&MODULE, &occasion.webhook.options).to_owned();
    }
    words::key_of(event_type)
}

/// A start or a failure always says so in its name: a receiver that reads nothing else must not take it for a success.
fn event_name(said: Said, style: &str) -> String {
    let staged = matches!(said.event, "publish" | "unpublish" | "deploy");
    match said.stage {
        Some(stage @ ("start" | "fail")) => format!("{}.{stage}", said.event),
        _ if staged && style == "suffixed" => format!("{}.success", said.event),
        _ => said.event.to_owned(),
    }
}

fn source(cause: &Cause) -> Js {
    Js::object([
        ("type", Js::text(&cause.kind)),
        ("title", Js::optional(cause.title.as_deref())),
        ("uid", Js::optional(cause.id.as_deref())),
    ])
}

fn data(event: &Event, said: Said) -> Result<Js, Unwritable> {
    let head = &event.head;
    let key = words::key_of(&head.event_type);
    let mut data = Js::Object(vec![(key.clone(), resource(event)?)]);
    if key != "content_type" {
        let upload = (key == "asset").then_some(UPLOAD);
        let content_type = head.resource.content_type.as_deref().or(upload);
        data.set("content_type", Js::object([("uid", Js::optional(content_type))]));
    }
    data.set("environment", Js::object([("name", Js::text(head.scope.environment.as_str()))]));
    data.set("action", Js::text(said.event));
    data.set("status", Js::text(said.stage.unwrap_or("success")));
    data.set("locale", Js::optional(head.resource.locale.as_deref()));
    if let Some(branch) = &head.branch {
        data.set("branch", Js::object([("uid", Js::text(branch))]));
    }
    Ok(data)
}

fn resource(event: &Event) -> Result<Js, Unwritable> {
    let given = Js::parse(event.content.data.as_str())?;
    let mut object = if given.is_object() { renamed(given, &prefixed) } else { Js::Object(Vec::new()) };
    for (name, value) in described(&event.head) {
        if object.get(name).is_none() {
            object.set(name, value);
        }
    }
    Ok(object)
}

/// What the head of an event tells of its resource, under Contentstack's names.
fn described(head: &EventHead) -> Vec<(&'static str, Js)> {
    let resource = &head.resource;
    let path = resource.slug.as_ref().map(|slug| format!("/{}", slug.trim_start_matches('/')));
    let url = resource.url.clone().filter(|_| head.event_type.as_str() == "Asset").or(path);
    let version = resource.version.map(|version| {
        // Whole numbers up to 2^53 are written by JavaScript as they are; parsing rounds those beyond.
        Js::parse(&version.to_string()).unwrap_or_else(|_| Js::null())
    });
    [
        ("title", resource.title.as_deref().map(Js::text)),
        ("url", url.as_deref().map(Js::text)),
        ("locale", resource.locale.as_deref().map(Js::text)),
        ("uid", Some(Js::text(&resource.id))),
        ("_version", version),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value?)))
    .collect()
}

/// Contentstack's concise form of `data`: `{uid, title, locale, _version}` of the resource and `{uid, title}` of its content
/// type. What the reference does not tell stays as it is, the environment as `{uid, name}`.
fn shortened(data: &Js, key: &str) -> Js {
    let Js::Object(members) = data else { return data.clone() };
    let short = members.iter().map(|(name, value)| {
        let kept: &[&str] = match name.as_str() {
            "content_type" => &["uid", "title"],
            "environment" => &["uid", "name"],
            "entry" | "asset" => &["uid", "title", "locale", "_version"],
            one if one == key => &["uid", "title", "name", "locale", "_version"],
            _ => return (name.clone(), value.clone()),
        };
        let found = kept.iter().filter_map(|one| Some(((*one).to_owned(), value.get(one)?.clone())));
        (name.clone(), if value.is_object() { Js::Object(found.collect()) } else { value.clone() })
    });
    Js::Object(short.collect())
}

/// Every member at every depth under another name.
pub(crate) fn renamed(value: Js, rename: &dyn Fn(&str) -> Option<String>) -> Js {
    match value {
        Js::Scalar(_) => value,
        Js::Array(values) => Js::Array(values.into_iter().map(|one| renamed(one, rename)).collect()),
        Js::Object(members) => {
            let each = |(name, value): (String, Js)| (rename(&name).unwrap_or(name), renamed(value, rename));
            Js::Object(members.into_iter().map(each).collect())
        }
    }
}

/// `$x` as `cs$x`.
fn prefixed(name: &str) -> Option<String> {
    name.starts_with('$').then(|| format!("cs{name}"))
}
