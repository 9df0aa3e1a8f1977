//! Which topics can ever match, as far as is known. The sets are open: a topic outside is accepted with a warning.

use postrider_dialects::{Dialect, contentful};
use postrider_domain::event::{Actor, EventHead, Resource, Workflow};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId};
use postrider_domain::operational;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{ActionPattern, TopicPattern};

/// Types, with the actions that happen to them. Sources: Contentful's `AppEventPayloadMap` and its page on webhook
/// headers for the first rows; the modules of Contentstack and the entity types of DatoCMS in the words of DESIGN §1; our own
/// operational events last.
const KNOWN: &[(&str, &[&str])] = &[
    ("Entry", CONTENT),
    ("Asset", CONTENT),
    ("ContentType", &["create", "save", "publish", "unpublish", "delete"]),
    ("GlobalField", &["create", "save", "delete"]),
    ("Field", &["create", "save", "delete"]),
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
    ("Environment", &["create", "save", "delete", "deploy", "promote"]),
    ("Branch", &["create", "save", "delete"]),
    ("Taxonomy", &["create", "save", "delete"]),
    ("Variant", &["create", "save", "delete", "publish", "unpublish"]),
    ("BuildTrigger", &["deploy"]),
    ("MaintenanceMode", &["change"]),
    ("CacheTags", &["invalidate"]),
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

/// Why no known event can match a topic, or `None` when one can. `given` names it (`topic Entri.publish`); `patterns` is
/// what it means.
pub(crate) fn doubt(given: &str, patterns: &[TopicPattern]) -> Option<String> {
    let open_end = "it is accepted and will match if one comes";
    if !patterns.iter().any(|pattern| rows(pattern).next().is_some()) {
        return Some(format!("{given}: no event of this type is known yet; {open_end}"));
    }
    if patterns.iter().any(|pattern| rows(pattern).any(|actions| can_happen(&pattern.action, actions))) {
        return None;
    }
    // Contentful's own table says more than that it does not happen.
    let told = patterns.first().and_then(contentful::table::doubt);
    let why = told.unwrap_or_else(|| "no event with this action is known yet".to_owned());
    Some(format!("{given}: {why}; {open_end}"))
}

/// Why none of the events that a topic names can be said in a dialect, or `None` when one can or when it names no single
/// one (`Entry.*`).
pub(crate) fn unsaid(given: &str, patterns: &[TopicPattern], dialect: &dyn Dialect) -> Option<String> {
    let mut reason = None;
    for pattern in patterns {
        reason = Some(dialect.expressible(&example(pattern)?).err()?);
    }
    let name = dialect.name();
    reason.map(|reason| {
        format!("{given}: the dialect {name} cannot say such an event, so none matches: {reason}")
    })
}

/// An event that a pattern names, if it names one. It tells all that an event can tell, so that only type and action decide.
fn example(pattern: &TopicPattern) -> Option<EventHead> {
    let ActionPattern::Plain(action) = &pattern.action else { return None };
    let space = SpaceId::new("default").ok()?;
    let told = || Some("example".to_owned());
    Some(EventHead {
        id: EventId::new("example").ok()?,
        scope: Scope { space, environment: EnvironmentId::master() },
        event_type: pattern.event_type.clone()?,
        action: action.clone(),
        occurred_at: Timestamp::from_unix_ms(0),
        accepted_at: Timestamp::from_unix_ms(0),
        resource: Resource {
            id: "example".to_owned(),
            content_type: told(),
            slug: told(),
            locale: Some("en-US".to_owned()),
            version: Some(1),
            title: told(),
            state: told(),
            url: Some("https://example.com/".to_owned()),
        },
        actor: Some(Actor { id: "example".to_owned(), kind: Some("User".to_owned()) }),
        workflow: Some(Workflow { from: told(), to: told() }),
        branch: None,
        cause: None,
    })
}

/// The actions of each type that a pattern means. What is told of webhooks must be named ([`operational::must_be_named`]).
fn rows(pattern: &TopicPattern) -> impl Iterator<Item = &'static [&'static str]> {
    let wanted = pattern.event_type.as_ref();
    KNOWN
        .iter()
        .filter(move |(name, _)| wanted.map_or(*name != operational::TYPE, |wanted| wanted.as_str() == *name))
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
    use postrider_dialects::topics;

    use super::*;

    #[test]
    fn only_what_no_known_event_can_match_is_doubted() {
        let doubted = |text: &str| doubt(text, &topics::understand(text).expect("a topic")).is_some();
        for fine in
            ["*.*", "Entry.publish", "Entry.*", "*.auto_save", "Entry.publish.start", "Webhook.failing"]
        {
            assert!(!doubted(fine), "{fine}");
        }
        for odd in [
            "Entri.publish",
            "Entry.levitate",
            "*.levitate",
            "*.failing",
            "Task.publish",
            "ContentType.archive",
        ] {
            assert!(doubted(odd), "{odd}");
        }
    }

    #[test]
    fn no_dialect_s_own_word_is_doubted_and_each_can_be_said() {
        for name in postrider_dialects::names() {
            let dialect = postrider_dialects::dialect(name).expect("it is listed");
            for word in topics::own_names(name) {
                let patterns = dialect.topics(word).expect("its own word");
                assert_eq!(doubt(word, &patterns), None, "{name}");
                assert_eq!(unsaid(word, &patterns, dialect), None, "{name}");
            }
        }
    }

    #[test]
    fn contentful_s_no_cells_say_what_happens_instead() {
        let patterns = topics::understand("ContentType.auto_save").expect("a topic");
        let said = doubt("topic ContentType.auto_save", &patterns).expect("a No cell");
        assert!(said.contains("create, save, publish, unpublish, delete"), "{said}");
    }

    #[test]
    fn what_a_dialect_has_no_words_for_is_said() {
        let cometcms = postrider_dialects::dialect("cometcms").expect("a dialect");
        let unsaid = |text: &str| unsaid(text, &topics::understand(text).expect("a topic"), cometcms);
        assert!(unsaid("Release.create").is_some_and(|said| said.contains("cometcms")));
        for fine in ["Entry.publish", "Release.*", "*.create"] {
            assert_eq!(unsaid(fine), None, "{fine}");
        }
    }
}
