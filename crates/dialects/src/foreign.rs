//! Which CMS a payload looks like, so that a webhook sent to the wrong source is refused by name.

use serde_json::value::RawValue;

use crate::ordered::members;
use crate::read_error::{ReadError, ReadErrors};

/// The dialect whose webhook has these members, if it is one that is known by them.
///
/// Sources: `seeds/`, each CMS's printed payloads. Contismo's is ours, since its document prints none.
pub(crate) fn whose(body: &str) -> Option<&'static str> {
    let raw: &RawValue = serde_json::from_str(body).ok()?;
    let members = members(raw)?;
    let has = |name: &str| members.iter().any(|(given, _)| given == name);
    let all = |names: &[&str]| names.iter().all(|name| has(name));
    if all(&["entity_type", "event_type"]) {
        Some("datocms")
    } else if all(&["module", "event"]) {
        Some("contentstack")
    } else if all(&["event", "occurred_at"]) {
        Some("cometcms")
    } else if all(&["event", "occurredAt", "model"]) {
        Some("contismo")
    } else if has("sys") && !has("type") {
        Some("contentful")
    } else if all(&["type", "action", "resource"]) {
        Some("native")
    } else if all(&["type", "timestamp", "data"]) {
        Some("standard-webhooks")
    } else {
        None
    }
}

/// Refuses a webhook that looks like another CMS's, naming both. `expected` says how this dialect's payload looks.
pub(crate) fn refuse(body: &str, dialect: &str, expected: &str) -> Result<(), ReadErrors> {
    let Some(other) = whose(body).filter(|other| *other != dialect) else { return Ok(()) };
    let problem = format!("this is not a webhook of {dialect}, it looks like one of {other}");
    Err(vec![ReadError::new("", problem, format!("{expected}, or give the source the dialect {other}"))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cms_is_known_by_its_members() {
        for (body, expected) in [
            (r#"{"entity_type":"item","event_type":"update","entity":{}}"#, Some("datocms")),
            (r#"{"module":"entry","api_key":"k","event":"publish","data":{}}"#, Some("contentstack")),
            (r#"{"event":"content.published","occurred_at":"…","data":{}}"#, Some("cometcms")),
            (r#"{"event":"Entry Published","occurredAt":"…","project":"p","model":"m"}"#, Some("contismo")),
            (r#"{"sys":{"type":"Entry"},"fields":{}}"#, Some("contentful")),
            (r#"{"type":"Entry","action":"publish","resource":{"id":"1"}}"#, Some("native")),
            (r#"{"type":"Entry.publish","timestamp":"…","data":{}}"#, Some("standard-webhooks")),
            ("{}", None),
            ("[]", None),
            ("", None),
        ] {
            assert_eq!(whose(body), expected, "{body}");
        }
    }
}
