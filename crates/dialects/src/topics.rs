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

/// What a trigger in a dialect's own words means: a type of that dialect with its actions (`item` with `publish`, `content` with
/// `published`, `content_types.entries` with `create`), or, without a type, whole topics as actions (`Entry Published`). `None`
/// when there is no such word in it. An error says which action is no word of that type.
///
/// A type without an action, or with `*`, is all that the dialect tells about it.
pub fn understand_trigger(
    event_type: Option<&str>,
    actions: &[String],
) -> Option<Result<Vec<TopicPattern>, (usize, InvalidTopic)>> {
    let all = || TABLES.iter().flat_map(|(_, table)| table.iter());
    let named = |given: &str| all().any(|foreign| foreign.given == given);
    let Some(event_type) = event_type else {
        return actions.iter().any(|action| named(action)).then(|| {
            let each = actions.iter().enumerate().map(|(at, action)| {
                let meant = if named(action) { understand(action) } else { any_type(action) };
                meant.map_err(|error| (at, error))
            });
            Ok(distinct(each.collect::<Result<Vec<_>, _>>()?))
        });
    };
    let rest = |foreign: &Foreign| foreign.given.strip_prefix(event_type)?.strip_prefix('.');
    let first = all().find(|foreign| rest(foreign).is_some())?;
    let whole = || {
        let words: Vec<&str> = match format!("{event_type}.*") {
            star if named(&star) => return understand(&star),
            _ => all()
                .filter(|one| rest(one).is_some() && one.event_type == first.event_type)
                .map(|one| one.given)
                .collect(),
        };
        Ok(words.into_iter().map(understand).collect::<Result<Vec<_>, _>>()?.concat())
    };
    if actions.is_empty() {
        return Some(whole().map(|all| distinct(vec![all])).map_err(|error| (0, error)));
    }
    let each = actions.iter().enumerate().map(|(at, action)| {
        let meant = if action == "*" { whole() } else { understand(&format!("{event_type}.{action}")) };
        meant.map_err(|error| (at, error))
    });
    Some(each.collect::<Result<Vec<_>, _>>().map(distinct))
}

fn any_type(action: &str) -> Result<Vec<TopicPattern>, InvalidTopic> {
    Ok(vec![TopicPattern { event_type: None, action: ActionPattern::parse(action)? }])
}

/// All of them in their order, each once.
fn distinct(lists: Vec<Vec<TopicPattern>>) -> Vec<TopicPattern> {
    let mut distinct = Vec::new();
    for pattern in lists.into_iter().flatten() {
        if !distinct.contains(&pattern) {
            distinct.push(pattern);
        }
    }
    distinct
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

    fn meant(event_type: Option<&str>, actions: &[&str]) -> Option<Vec<String>> {
        let actions: Vec<String> = actions.iter().map(|&action| action.to_owned()).collect();
        let meant = understand_trigger(event_type, &actions)?.expect("words of a dialect");
        Some(meant.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_trigger_may_be_given_in_a_dialects_words() {
        let all = |list: &[&str]| Some(list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(meant(Some("item"), &["publish"]), all(&["Entry.publish"]));
        assert_eq!(
            meant(Some("item"), &["update", "delete"]),
            all(&["Entry.save", "Entry.delete", "Entry.trash"])
        );
        let of_model = ["ContentType.save", "Field.create", "Field.save", "Field.delete"];
        assert_eq!(meant(Some("item_type"), &["update"]), all(&of_model));
        assert_eq!(meant(Some("environment"), &[]), all(&["Environment.*"]));
        assert_eq!(meant(Some("maintenance_mode"), &["*"]), all(&["MaintenanceMode.change"]));
        let of_content = [
            "Entry.create",
            "Entry.save",
            "Entry.publish",
            "Entry.unpublish",
            "Entry.trash",
            "Entry.delete",
            "Entry.restore",
        ];
        assert_eq!(meant(Some("content"), &[]), all(&of_content));
        assert_eq!(meant(Some("content"), &["published"]), all(&["Entry.publish"]));
        let of_types = ["ContentType.create", "ContentType.save", "ContentType.delete"];
        assert_eq!(meant(Some("content_types"), &[]), all(&of_types), "its entries are told apart");
        assert_eq!(meant(Some("content_types.entries"), &["publish.fail"]), all(&["Entry.publish.fail"]));
        assert_eq!(meant(None, &["Entry Published", "archive"]), all(&["Entry.publish", "*.archive"]));
        for plain in [meant(Some("Entry"), &["publish"]), meant(None, &["publish"]), meant(None, &[])] {
            assert_eq!(plain, None, "no word of a dialect");
        }
        let unknown =
            understand_trigger(Some("content_types.entries"), &["create".to_owned(), "melt!".to_owned()]);
        assert_eq!(unknown.expect("its type is").expect_err("no action").0, 1);
    }

    #[test]
    fn every_topic_of_a_dialect_can_be_given_as_a_trigger() {
        for foreign in TABLES.iter().flat_map(|(_, table)| table.iter()) {
            let expected: Vec<_> = printed(foreign.given);
            let split = foreign.given.rsplit_once('.').filter(|_| !foreign.given.contains(' '));
            let given = split.map_or_else(
                || meant(None, &[foreign.given]),
                |(event_type, action)| meant(Some(event_type), &[action]),
            );
            assert_eq!(given, Some(expected), "{}", foreign.given);
        }
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
