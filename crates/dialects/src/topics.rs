//! Topics in the words of each CMS: the one table that translates them (DESIGN §1).

use postrider_domain::topic::{Action, ActionPattern, EventType, InvalidTopic, TopicPattern};

use crate::{cometcms, contentful, contentstack, contismo, datocms};

/// A topic of a dialect, and the types and actions it means.
struct Foreign {
    given: &'static str,
    event_type: &'static str,
    actions: &'static [&'static str],
}

/// Every dialect with words of its own. No word may stand in two of them with two meanings.
const TABLES: [(&str, &[Foreign]); 4] = [
    (cometcms::NAME, COMETCMS),
    (contismo::NAME, CONTISMO),
    (contentstack::NAME, CONTENTSTACK),
    (datocms::NAME, DATOCMS),
];

/// CometCMS: `seeds/cometcms-webhooks.txt`, "Events". It deletes by moving to the trash and says nothing when the trash
/// is emptied; events of systems without a trash only know `delete`, so both are `content.deleted`.
const COMETCMS: &[Foreign] = &[
    entry("content.created", &["create"]),
    entry("content.updated", &["save"]),
    entry("content.published", &["publish"]),
    entry("content.unpublished", &["unpublish"]),
    entry("content.deleted", &["trash", "delete"]),
    entry("content.restored", &["restore"]),
];

/// Contismo: `seeds/contismo-event-hooks.txt`, "Triggers".
const CONTISMO: &[Foreign] = &[
    entry("Entry Created", &["create"]),
    entry("Entry Updated", &["save"]),
    entry("Entry Published", &["publish"]),
    entry("Entry Unpublished", &["unpublish"]),
    entry("Entry Moved to Trash", &["trash"]),
    entry("Entry Restored", &["restore"]),
    entry("Entry Permanently Deleted", &["delete"]),
    entry("Workflow Transitioned", &["workflow_transition"]),
];

/// Contentstack's channels (`cms-apis.md` §3.2) as far as they name no uid: those are limits (`contentTypes`, `entities`).
/// `{publish|unpublish}` alone is the success, as everywhere.
const CONTENTSTACK: &[Foreign] = &[
    on("content_types.create", "ContentType", &["create"]),
    on("content_types.update", "ContentType", &["save"]),
    on("content_types.delete", "ContentType", &["delete"]),
    entry("content_types.entries.create", &["create"]),
    entry("content_types.entries.update", &["save"]),
    entry("content_types.entries.delete", &["trash", "delete"]),
    entry("content_types.entries.publish", &["publish"]),
    entry("content_types.entries.publish.fail", &["publish.fail"]),
    entry("content_types.entries.unpublish", &["unpublish"]),
    entry("content_types.entries.unpublish.fail", &["unpublish.fail"]),
    entry("content_types.entries.environments.publish.success", &["publish"]),
    entry("content_types.entries.environments.publish.fail", &["publish.fail"]),
    entry("content_types.entries.environments.unpublish.success", &["unpublish"]),
    entry("content_types.entries.environments.unpublish.fail", &["unpublish.fail"]),
    on("content_types.entries.comments.create", "Comment", &["create"]),
    on("content_types.entries.comments.update", "Comment", &["save"]),
    on("content_types.entries.comments.delete", "Comment", &["delete"]),
    on("assets.create", "Asset", &["create"]),
    on("assets.update", "Asset", &["save"]),
    on("assets.delete", "Asset", &["trash", "delete"]),
    on("assets.publish", "Asset", &["publish"]),
    on("assets.publish.fail", "Asset", &["publish.fail"]),
    on("assets.unpublish", "Asset", &["unpublish"]),
    on("assets.unpublish.fail", "Asset", &["unpublish.fail"]),
    on("assets.environments.publish.success", "Asset", &["publish"]),
    on("assets.environments.publish.fail", "Asset", &["publish.fail"]),
    on("assets.environments.unpublish.success", "Asset", &["unpublish"]),
    on("assets.environments.unpublish.fail", "Asset", &["unpublish.fail"]),
    on("global_fields.create", "GlobalField", &["create"]),
    on("global_fields.update", "GlobalField", &["save"]),
    on("global_fields.delete", "GlobalField", &["delete"]),
    on("releases.create", "Release", &["create"]),
    on("releases.update", "Release", &["save"]),
    on("releases.delete", "Release", &["delete"]),
    on("releases.environments.deploy", "Release", &["deploy"]),
    on("releases.environments.deploy.success", "Release", &["deploy"]),
    on("releases.environments.deploy.fail", "Release", &["deploy.fail"]),
];

/// DatoCMS's `entity_type.event_type` (npm @datocms/cma-client, `WebhookCreateSchema.events`), and `*` for "all of the
/// above". A change of a field is an update of its model; what goes to the trash is deleted.
const DATOCMS: &[Foreign] = &[
    entry("item.create", &["create"]),
    entry("item.update", &["save"]),
    entry("item.delete", &["delete", "trash"]),
    entry("item.publish", &["publish"]),
    entry("item.unpublish", &["unpublish"]),
    entry("item.*", &["create", "save", "delete", "trash", "publish", "unpublish"]),
    on("item_type.create", "ContentType", &["create"]),
    on("item_type.update", "ContentType", &["save"]),
    on("item_type.update", "Field", &["create", "save", "delete"]),
    on("item_type.delete", "ContentType", &["delete"]),
    on("item_type.*", "ContentType", &["create", "save", "delete"]),
    on("item_type.*", "Field", &["create", "save", "delete"]),
    on("upload.create", "Asset", &["create"]),
    on("upload.update", "Asset", &["save"]),
    on("upload.delete", "Asset", &["delete", "trash"]),
    on("upload.*", "Asset", &["create", "save", "delete", "trash"]),
    on("environment.create", "Environment", &["create"]),
    on("environment.delete", "Environment", &["delete"]),
    on("environment.promote", "Environment", &["promote"]),
    on("environment.deploy", "Environment", &["deploy"]),
    on("environment.*", "Environment", &["*"]),
    on("build_trigger.deploy_started", "BuildTrigger", &["deploy.start"]),
    on("build_trigger.deploy_succeeded", "BuildTrigger", &["deploy"]),
    on("build_trigger.deploy_failed", "BuildTrigger", &["deploy.fail"]),
    on("build_trigger.*", "BuildTrigger", &["*"]),
    on("maintenance_mode.change", "MaintenanceMode", &["change"]),
    on("sso_user.create", "User", &["create"]),
    on("sso_user.update", "User", &["save"]),
    on("sso_user.delete", "User", &["delete"]),
    on("sso_user.*", "User", &["create", "save", "delete"]),
    on("cda_cache_tags.invalidate", "CacheTags", &["invalidate"]),
];

const fn entry(given: &'static str, actions: &'static [&'static str]) -> Foreign {
    on(given, "Entry", actions)
}

const fn on(given: &'static str, event_type: &'static str, actions: &'static [&'static str]) -> Foreign {
    Foreign { given, event_type, actions }
}

fn table(dialect: &str) -> &'static [Foreign] {
    TABLES.iter().find(|(name, _)| *name == dialect).map_or(&[], |(_, table)| table)
}

/// What a topic means: a dialect's own name if it is one, else `Type.action`, possibly as Contentful's header has it
/// (`ContentManagement.Type.action`).
pub fn understand(given: &str) -> Result<Vec<TopicPattern>, InvalidTopic> {
    let given =
        given.strip_prefix(contentful::TOPIC_PREFIX).filter(|rest| rest.contains('.')).unwrap_or(given);
    let all = TABLES.iter().flat_map(|(_, table)| table.iter());
    let named = all.filter(|foreign| foreign.given == given);
    let pairs = named.flat_map(|foreign| foreign.actions.iter().map(|action| (foreign.event_type, *action)));
    let pattern = |(event_type, action)| {
        Ok(TopicPattern {
            event_type: Some(EventType::new(event_type)?),
            action: ActionPattern::parse(action)?,
        })
    };
    let patterns = pairs.map(pattern).collect::<Result<Vec<_>, _>>()?;
    if patterns.is_empty() { Ok(vec![TopicPattern::parse(given)?]) } else { Ok(patterns) }
}

/// The topics that a dialect has words for, in its own words.
pub fn own_names(dialect: &str) -> impl Iterator<Item = &'static str> {
    let rows = table(dialect);
    let first = move |(at, one): &(usize, &Foreign)| rows[..*at].iter().all(|other| other.given != one.given);
    rows.iter().enumerate().filter(first).map(|(_, foreign)| foreign.given)
}

/// A dialect's name for an action of an `Entry`, if it has one. An action's success counts as the action.
pub(crate) fn entry_name(dialect: &str, action: &Action) -> Option<&'static str> {
    let plain = action.as_str().strip_suffix(".success").unwrap_or(action.as_str());
    let found = table(dialect)
        .iter()
        .find(|foreign| foreign.event_type == "Entry" && foreign.actions.contains(&plain))?;
    Some(found.given)
}

/// The action that a dialect means by a name: the first of those the name stands for.
pub(crate) fn action_of(dialect: &str, name: &str) -> Option<&'static str> {
    table(dialect)
        .iter()
        .find(|foreign| foreign.given == name)
        .and_then(|foreign| foreign.actions.first().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(given: &str) -> Vec<String> {
        understand(given).expect("a topic").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_topic_may_be_given_in_a_dialects_words_or_in_ours() {
        assert_eq!(printed("content.published"), ["Entry.publish"]);
        assert_eq!(printed("content.deleted"), ["Entry.trash", "Entry.delete"]);
        assert_eq!(printed("Entry Moved to Trash"), ["Entry.trash"]);
        assert_eq!(printed("Workflow Transitioned"), ["Entry.workflow_transition"]);
        assert_eq!(printed("content_types.entries.environments.publish.success"), ["Entry.publish"]);
        assert_eq!(printed("releases.environments.deploy.fail"), ["Release.deploy.fail"]);
        assert_eq!(printed("item.delete"), ["Entry.delete", "Entry.trash"]);
        assert_eq!(
            printed("item_type.update"),
            ["ContentType.save", "Field.create", "Field.save", "Field.delete"]
        );
        assert_eq!(printed("environment.*"), ["Environment.*"]);
        assert_eq!(printed("Entry.publish.*"), ["Entry.publish.*"]);
        assert_eq!(printed("*.*"), ["*.*"]);
        assert_eq!(printed("ContentManagement.Entry.*"), ["Entry.*"]);
        assert!(understand("nonsense").is_err());
    }

    #[test]
    fn every_foreign_name_translates_there_and_back() {
        for (dialect, table) in &TABLES[..2] {
            for foreign in *table {
                let action = action_of(dialect, foreign.given).expect("known");
                let action = Action::new(action).expect("valid");
                assert_eq!(entry_name(dialect, &action), Some(foreign.given));
            }
        }
    }

    #[test]
    fn no_word_stands_for_two_things_and_each_means_something() {
        let words: Vec<_> = TABLES.iter().flat_map(|(_, table)| table.iter()).collect();
        for (at, foreign) in words.iter().enumerate() {
            assert!(
                understand(foreign.given).is_ok_and(|patterns| !patterns.is_empty()),
                "{}",
                foreign.given
            );
            let other =
                |other: &&Foreign| other.given != foreign.given || other.event_type != foreign.event_type;
            assert!(words[at + 1..].iter().all(other), "{}", foreign.given);
        }
        assert_eq!(own_names(contismo::NAME).count(), 8, "Contismo's eight triggers");
    }
}
