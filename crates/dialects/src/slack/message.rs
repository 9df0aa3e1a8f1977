//! What people read in Slack about an event.
//!
//! Blocks: a section with what happened and the title (a link where the event has a URL), a section with content type,
//! actor, state, locale, workflow, cause and what a coalesced call stands for as far as the event tells, and a line with space, environment and time. `text` is
//! the same in one line, for notifications. Texts are cut to Slack's limits with an ellipsis; `&`, `<` and `>` are escaped as
//! Slack asks, so that no title can mention `<!channel>`; `verbatim` keeps Slack from finding names and links by itself.
//!
//! A template (Mustache over the event in Postrider's own JSON) replaces it: what begins with `{` makes the JSON of the
//! message (`text`, `blocks`, …), anything else its `text`. The values it inserts are escaped for Slack, and in JSON for JSON.

use postrider_domain::event::EventHead;
use postrider_domain::gathering::Coalesced;
use postrider_domain::webhook::{MustacheTemplate, SlackTarget};
use serde_json::{Map, Value, json};

use crate::dialect::Occasion;
use crate::js_json::Js;
use crate::mustache::{Data, Escaping, Limits, Partials, Template};
use crate::native::write_call;
use crate::request::RenderError;

/// Longest text of a section, in characters (Block Kit, "Section block").
pub const LONGEST_TEXT: usize = 3000;
/// Longest field of a section (ibid.).
const LONGEST_FIELD: usize = 2000;
/// Longest `text` of a message that a template may make (chat.postMessage: longer ones are cut).
const LONGEST_MESSAGE: usize = 40_000;
/// Most blocks of a message (Block Kit, "Blocks").
const MOST_BLOCKS: usize = 50;

/// Writes the message, channel left out.
pub(crate) fn write(
    occasion: &Occasion<'_>,
    target: &SlackTarget,
) -> Result<Map<String, Value>, RenderError> {
    let mut message = match target.template.as_ref().and_then(|one| Some((one, one.body.as_deref()?))) {
        Some((settings, template)) => from_template(occasion, settings, template)?,
        None => own(&occasion.event.head, occasion.coalesced),
    };
    for unfurl in ["unfurl_links", "unfurl_media"] {
        message.entry(unfurl).or_insert(Value::Bool(false));
    }
    Ok(message)
}

fn own(head: &EventHead, coalesced: Option<&Coalesced>) -> Map<String, Value> {
    let what = format!("{} {}", head.event_type, happened(head.action.as_str()));
    let title = title(head);
    let place = link(head).map_or_else(
        || escaped(title, 1000),
        |url| format!("<{url}|{}>", escaped(&title.replace('|', "¦"), 1000)),
    );
    let mut blocks =
        vec![json!({"type": "section", "text": mrkdwn(&format!("*{}*\n{place}", escaped(&what, 200)))})];
    let fields: Vec<Value> = facts(head, coalesced)
        .into_iter()
        .map(|(name, value)| mrkdwn(&format!("*{name}*\n{}", escaped(&value, LONGEST_FIELD - 40))))
        .collect();
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    let at = head.occurred_at;
    let where_and_when = format!(
        "{} / {} · <!date^{}^{{date_short_pretty}} {{time}}|{at}>",
        escaped(head.scope.space.as_str(), 100),
        escaped(head.scope.environment.as_str(), 100),
        at.unix_seconds()
    );
    blocks.push(json!({"type": "context", "elements": [mrkdwn(&where_and_when)]}));
    let actor = head.actor.as_ref().map_or_else(String::new, |actor| format!(" by {}", actor.id));
    let text = escaped(&format!("{what}: {title}{actor}"), LONGEST_TEXT);
    [("text".to_owned(), text.into()), ("blocks".to_owned(), blocks.into())].into_iter().collect()
}

fn mrkdwn(text: &str) -> Value {
    json!({"type": "mrkdwn", "text": text, "verbatim": true})
}

/// What people call the resource.
fn title(head: &EventHead) -> &str {
    let resource = &head.resource;
    let named = [&resource.title, &resource.slug].into_iter().flatten().find(|text| !text.trim().is_empty());
    named.unwrap_or(&resource.id)
}

/// The resource's address, as it may stand between `<` and `|`.
fn link(head: &EventHead) -> Option<String> {
    let url = head.resource.url.as_deref()?;
    let web = url.starts_with("https://") || url.starts_with("http://");
    let plain = url.chars().all(|one| !one.is_control() && !one.is_whitespace());
    let safe = || url.replace('|', "%7C").replace('<', "%3C").replace('>', "%3E").replace('&', "&amp;");
    (web && plain && url.len() <= 1500).then(safe)
}

/// At most ten, which is what a section takes.
fn facts(head: &EventHead, coalesced: Option<&Coalesced>) -> Vec<(&'static str, String)> {
    let resource = &head.resource;
    let arrow = |from: Option<&String>, to: Option<&String>| {
        format!("{} → {}", from.map_or("?", String::as_str), to.map_or("?", String::as_str))
    };
    let cause = head.cause.as_ref().map(|cause| {
        let named = cause.title.as_ref().or(cause.id.as_ref());
        named.map_or_else(|| cause.kind.clone(), |name| format!("{} {name}", cause.kind))
    });
    [
        ("Type", resource.content_type.clone()),
        ("By", head.actor.as_ref().map(|actor| actor.id.clone())),
        ("State", resource.state.clone()),
        ("Locale", resource.locale.clone()),
        ("Workflow", head.workflow.as_ref().map(|flow| arrow(flow.from.as_ref(), flow.to.as_ref()))),
        ("Because of", cause),
        ("Stands for", coalesced.map(|all| format!("{} events", all.count))),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name, value.filter(|value| !value.trim().is_empty())?)))
    .collect()
}

/// An action in the words of people.
fn happened(action: &str) -> String {
    let (stem, stage) = match action.split_once('.') {
        Some((stem, "success")) => (stem, ""),
        Some((stem, "start")) => (stem, " (started)"),
        Some((stem, "fail")) => (stem, " (failed)"),
        _ => (action, ""),
    };
    let words = match stem {
        "create" => "created",
        "save" => "updated",
        "auto_save" => "saved automatically",
        "publish" => "published",
        "unpublish" => "unpublished",
        "archive" => "archived",
        "unarchive" => "unarchived",
        "trash" => "moved to the trash",
        "restore" => "restored",
        "delete" => "deleted",
        "workflow_transition" => "moved on in its workflow",
        "deploy" => "deployed",
        other => return other.replace(['_', '.'], " ") + stage,
    };
    words.to_owned() + stage
}

/// One line, escaped for Slack and at most `longest` characters after that; what is cut off ends in an ellipsis.
pub(crate) fn escaped(text: &str, longest: usize) -> String {
    let mut pieces = text.chars().map(|one| match one {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        one if one.is_control() => " ".to_owned(),
        one => one.to_string(),
    });
    let (mut out, mut length) = (String::new(), 0);
    while let Some(piece) = pieces.next() {
        let more = piece.chars().count();
        if length + more > longest || (length + more == longest && pieces.next().is_some()) {
            out.push('…');
            return out;
        }
        out.push_str(&piece);
        length += more;
    }
    out
}

fn from_template(
    occasion: &Occasion<'_>,
    settings: &MustacheTemplate,
    template: &str,
) -> Result<Map<String, Value>, RenderError> {
    let makes_json = template.trim_start().starts_with('{') && !template.trim_start().starts_with("{{");
    let fault = |fault: String| RenderError::Template { part: "message", fault };
    let event = Js::parse(&write_call(occasion)).map_err(|error| fault(error.0))?;
    let event = for_slack(event).write();
    let data = Data::parse(&event).map_err(|_| RenderError::PayloadNotJson)?;
    let suited = if makes_json { Escaping::Json } else { Escaping::None };
    let escaping = settings.escape.map_or(suited, Escaping::from);
    let made = Template::parse(template)
        .map_err(|faults| fault(faults.first().map(ToString::to_string).unwrap_or_default()))?
        .render(&data, escaping, &Partials::default(), Limits::default())
        .map_err(|one| fault(one.to_string()))?;
    if !makes_json {
        return Ok([("text".to_owned(), made.into())].into_iter().collect()).and_then(checked);
    }
    let message: Map<String, Value> = serde_json::from_str(&made).map_err(|error| RenderError::NotJson {
        content_type: "application/json".to_owned(),
        reason: error.to_string(),
    })?;
    checked(message)
}

/// Refuses what Slack would refuse, with words that help more.
fn checked(message: Map<String, Value>) -> Result<Map<String, Value>, RenderError> {
    let text = message.get("text").and_then(Value::as_str).unwrap_or_default();
    let blocks = message.get("blocks").and_then(Value::as_array).map_or(0, Vec::len);
    let problem = if text.trim().is_empty() && blocks == 0 {
        Some("makes a message without text and without blocks; let it make one of them".to_owned())
    } else if text.chars().count() > LONGEST_MESSAGE {
        Some(format!("makes a text of more than {LONGEST_MESSAGE} characters; say less"))
    } else if blocks > MOST_BLOCKS {
        Some(format!("makes {blocks} blocks, and Slack takes {MOST_BLOCKS}; join some"))
    } else {
        None
    };
    match problem {
        Some(fault) => Err(RenderError::Template { part: "message", fault }),
        None => Ok(message),
    }
}

/// Every text of a value escaped for Slack, names of members left as they are.
fn for_slack(value: Js) -> Js {
    match value {
        Js::Scalar(text) => Js::Scalar(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")),
        Js::Array(values) => Js::Array(values.into_iter().map(for_slack).collect()),
        Js::Object(members) => {
            Js::Object(members.into_iter().map(|(name, value)| (name, for_slack(value))).collect())
        }
    }
}
