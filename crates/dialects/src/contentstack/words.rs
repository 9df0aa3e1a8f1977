//! Contentstack's words for types and actions, there and back.
//!
//! | action | event | | type | module |
//! |---|---|---|---|---|
//! | `create` | `create` | | `Entry` | `entry` |
//! | `save` | `update` | | `Asset` | `asset` |
//! | `delete`, `trash` | `delete` | | `ContentType` | `content types` or `content_type` |
//! | `publish`, `unpublish` and their `.start`, `.success`, `.fail` | the same | | `Release` | `release` |
//! | `deploy` and its suffixes | the same | | `Comment`, any other | `comment`, in lower case with underscores |
//!
//! Contentstack says nothing when the trash is emptied, and has no words for archive, restore and automatic saves. `ping`
//! is ours: it tries a webhook out.

use postrider_domain::event::EventHead;
use postrider_domain::topic::{Action, EventType};

/// What happened, in Contentstack's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// `create`, `update`, `delete`, `publish`, `unpublish`, `deploy`, …
    pub event: &'static str,
    /// `success`, `fail` or `start`, when the action tells.
    pub stage: Option<&'static str>,
}

/// Events with stages.
const STAGED: [&str; 3] = ["publish", "unpublish", "deploy"];
const STAGES: [&str; 3] = ["start", "success", "fail"];
/// Events that are said of the resources that have them (discussions, taxonomies), under the same name on both sides.
const OTHERS: [&str; 6] = ["resolve", "reopen", "localize", "unlocalize", "assign", "ping"];

/// The event and its stage, or why Contentstack has none.
pub fn event_of(head: &EventHead) -> Result<Said, String> {
    let action = head.action.as_str();
    let (stem, stage) = match action.rsplit_once('.') {
        Some((stem, suffix)) => (stem, STAGES.into_iter().find(|stage| *stage == suffix)),
        None => (action, None),
    };
    if (stage.is_some() || stem == action)
        && let Some(event) = STAGED.into_iter().find(|event| *event == stem)
    {
        return Ok(Said { event, stage });
    }
    let event = match action {
        "create" | "create.success" => "create",
        "save" | "save.success" => "update",
        "delete" if matches!(head.resource.state.as_deref(), Some("trash" | "trashed")) => {
            return Err("Contentstack says nothing when something leaves the trash for ever".to_owned());
        }
        "delete" | "trash" | "delete.success" => "delete",
        _ => OTHERS
            .into_iter()
            .find(|other| *other == action)
            .ok_or_else(|| format!("Contentstack has no event for action {action}"))?,
    };
    Ok(Said { event, stage: None })
}

/// `entry.publish`, `release.deploy`: how people who know Contentstack would name it.
pub(crate) fn topic_of(head: &EventHead) -> String {
    match event_of(head) {
        Ok(said) => format!("{}.{}", key_of(&head.event_type), said.event),
        Err(_) => head.topic(),
    }
}

/// The name under which the resource stands in `data`: the type in lower case, words joined by underscores.
pub fn key_of(event_type: &EventType) -> String {
    let mut key = String::with_capacity(event_type.as_str().len() + 4);
    for one in event_type.as_str().chars() {
        if one.is_ascii_uppercase() && !key.is_empty() {
            key.push('_');
        }
        key.push(if one == '-' { '_' } else { one.to_ascii_lowercase() });
    }
    key
}

/// The type that a module stands for: `content types`, `content_type` and `content_types` are `ContentType`, every other
/// word in upper camel case.
pub fn type_of(module: &str) -> Option<EventType> {
    if matches!(module, "content types" | "content_types") {
        return EventType::new("ContentType").ok();
    }
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    EventType::new(&module.split(['_', ' ', '-']).filter_map(capital).collect::<String>()).ok()
}

/// The action that an event stands for; `status` is `data.status`.
pub fn action_of(event: &str, status: Option<&str>) -> Option<Action> {
    let name = match event {
        "update" => "save".to_owned(),
        staged if STAGED.contains(&staged) => match status {
            Some("success") => format!("{staged}.success"),
            Some("fail" | "failed" | "failure") => format!("{staged}.fail"),
            _ => staged.to_owned(),
        },
        other => other.to_owned(),
    };
    Action::new(&name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_types_translate_there_and_back() {
        for (module, named, key) in [
            ("entry", "Entry", "entry"),
            ("asset", "Asset", "asset"),
            ("release", "Release", "release"),
            ("comment", "Comment", "comment"),
            ("content types", "ContentType", "content_type"),
            ("content_type", "ContentType", "content_type"),
            ("global_field", "GlobalField", "global_field"),
        ] {
            let event_type = type_of(module).expect(module);
            assert_eq!(event_type.as_str(), named);
            assert_eq!(key_of(&event_type), key);
        }
        assert_eq!(type_of(""), None);
        assert_eq!(type_of("é"), None);
    }

    #[test]
    fn a_status_is_the_stage_of_an_event_that_has_stages() {
        let action = |event, status| action_of(event, status).expect(event).to_string();
        assert_eq!(action("publish", Some("success")), "publish.success");
        assert_eq!(action("publish", Some("failed")), "publish.fail");
        assert_eq!(action("publish", None), "publish");
        assert_eq!(action("publish.start", Some("success")), "publish.start");
        assert_eq!(action("deploy", Some("success")), "deploy.success");
        assert_eq!(action("update", Some("success")), "save");
        assert_eq!(action_of("no good", None), None);
    }
}
