//! Topics in the words of each CMS: the one table that translates them (DESIGN §1).

use postrider_domain::topic::{Action, ActionPattern, EventType, InvalidTopic, TopicPattern};

/// A topic of a dialect, and the types and actions it means.
struct Foreign {
    given: &'static str,
    event_type: &'static str,
    actions: &'static [&'static str],
}

/// CometCMS: `seeds/cometcms-webhooks.txt`, "Events". It deletes by moving to the trash and says nothing when the trash
/// is emptied; events of systems without a trash only know `delete`, so both are `content.deleted`.
const FOREIGN: [Foreign; 6] = [
    entry("content.created", &["create"]),
    entry("content.updated", &["save"]),
    entry("content.published", &["publish"]),
    entry("content.unpublished", &["unpublish"]),
    entry("content.deleted", &["trash", "delete"]),
    entry("content.restored", &["restore"]),
];

const fn entry(given: &'static str, actions: &'static [&'static str]) -> Foreign {
    Foreign { given, event_type: "Entry", actions }
}

/// What a topic means: a dialect's own name if it is one, else `Type.action`.
pub fn understand(given: &str) -> Result<Vec<TopicPattern>, InvalidTopic> {
    let Some(foreign) = FOREIGN.iter().find(|foreign| foreign.given == given) else {
        return Ok(vec![TopicPattern::parse(given)?]);
    };
    let pattern = |action: &&str| {
        Ok(TopicPattern {
            event_type: Some(EventType::new(foreign.event_type)?),
            action: ActionPattern::Plain(Action::new(action)?),
        })
    };
    foreign.actions.iter().map(pattern).collect()
}

/// CometCMS's name for an action of an `Entry`, if it has one. An action's success counts as the action.
pub(crate) fn cometcms_name(action: &Action) -> Option<&'static str> {
    let plain = action.as_str().strip_suffix(".success").unwrap_or(action.as_str());
    FOREIGN.iter().find(|foreign| foreign.actions.contains(&plain)).map(|foreign| foreign.given)
}

/// The action that CometCMS means by a name: the first of those the name stands for.
pub(crate) fn cometcms_action(name: &str) -> Option<&'static str> {
    FOREIGN.iter().find(|foreign| foreign.given == name).and_then(|foreign| foreign.actions.first().copied())
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
        assert_eq!(printed("Entry.publish.*"), ["Entry.publish.*"]);
        assert_eq!(printed("*.*"), ["*.*"]);
        assert!(understand("nonsense").is_err());
    }

    #[test]
    fn every_foreign_name_translates_there_and_back() {
        for foreign in &FOREIGN {
            let action = cometcms_action(foreign.given).expect("known");
            let action = Action::new(action).expect("valid");
            assert_eq!(cometcms_name(&action), Some(foreign.given));
            assert!(understand(foreign.given).is_ok_and(|patterns| !patterns.is_empty()));
        }
    }
}
