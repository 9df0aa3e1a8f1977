//! Which topics can ever match, as far as is known. The sets are open: a topic outside is accepted with a warning.

use postrider_domain::topic::{ActionPattern, TopicPattern};

/// Types, with the actions that happen to them. Sources: Contentful's `AppEventPayloadMap` and its page on webhook
/// headers for the first rows; Contentstack's modules and DatoCMS's build triggers in the words of DESIGN §1; our own
/// operational events last.
const KNOWN: &[(&str, &[&str])] = &[
    ("Entry", CONTENT),
    ("Asset", CONTENT),
    ("ContentType", &["create", "save", "publish", "unpublish", "delete"]),
    ("GlobalField", &["create", "save", "delete"]),
    ("ReleaseEntry", &["save", "auto_save"]),
    ("Task", &["create", "save", "delete"]),
    ("Comment", &["create", "save", "delete"]),
    ("Discussion", &["create", "save", "delete"]),
    ("Release", &["create", "save", "delete", "publish", "unpublish", "deploy"]),
    ("ReleaseAction", &["create", "execute"]),
    ("BulkAction", &["create", "execute"]),
    ("ScheduledAction", &["create", "save", "delete", "execute"]),
    ("Workflow", &["create", "save", "delete", "complete", "workflow_transition"]),
    ("AppInstallation", &["create", "save", "delete"]),
    ("TemplateInstallation", &["complete"]),
    ("EnvironmentAlias", &["create", "save", "delete"]),
    ("Environment", &["create", "save", "delete", "deploy"]),
    ("Branch", &["create", "save", "delete"]),
    ("Taxonomy", &["create", "save", "delete"]),
    ("Variant", &["create", "save", "delete", "publish", "unpublish"]),
    ("BuildTrigger", &["deploy"]),
    ("Job", &["publish", "unpublish", "execute", "complete"]),
    ("User", &["create", "save", "delete"]),
    ("Webhook", &["failing", "disabled", "recovered"]),
];

const CONTENT: &[&str] = &[
    "create",
    "save",
    "auto_save",
    "publish",
    "unpublish",
    "archive",
    "unarchive",
    "trash",
    "restore",
    "delete",
    "workflow_transition",
];

/// Why no known event can match a topic, or `None` when one can. `patterns` is what the topic means.
pub(crate) fn doubt(given: &str, patterns: &[TopicPattern]) -> Option<String> {
    let open_end = "it is accepted and will match if one comes";
    if !patterns.iter().any(|pattern| rows(pattern).next().is_some()) {
        return Some(format!("topic {given}: no event of this type is known yet; {open_end}"));
    }
    let happens =
        patterns.iter().any(|pattern| rows(pattern).any(|actions| can_happen(&pattern.action, actions)));
    (!happens).then(|| format!("topic {given}: no event with this action is known yet; {open_end}"))
}

/// The actions of each type that a pattern means.
fn rows(pattern: &TopicPattern) -> impl Iterator<Item = &'static [&'static str]> {
    let wanted = pattern.event_type.as_ref();
    KNOWN
        .iter()
        .filter(move |(name, _)| wanted.is_none_or(|wanted| wanted.as_str() == *name))
        .map(|(_, actions)| *actions)
}

fn can_happen(pattern: &ActionPattern, actions: &[&str]) -> bool {
    match pattern {
        ActionPattern::Any => true,
        ActionPattern::Plain(action) | ActionPattern::Suffixed(action) => {
            action.as_str().split('.').next().is_some_and(|stem| actions.contains(&stem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_no_known_event_can_match_is_doubted() {
        let doubted = |text: &str| doubt(text, &[TopicPattern::parse(text).expect("a topic")]).is_some();
        for fine in
            ["*.*", "Entry.publish", "Entry.*", "*.auto_save", "Entry.publish.start", "Webhook.failing"]
        {
            assert!(!doubted(fine), "{fine}");
        }
        for odd in ["Entri.publish", "Entry.levitate", "*.levitate", "Task.publish"] {
            assert!(doubted(odd), "{odd}");
        }
    }
}
