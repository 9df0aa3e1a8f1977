//! Topics: `Type.action`. The type ends at the first dot; an action may have dots. `*` stands for any type or any
//! action, those that do not exist yet included (DESIGN §1).

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::operational::must_be_named;

/// Longest type or action, in bytes. Both become part of an AMQP routing key, which ends at 255 bytes:
/// 64 (space) + 64 (environment) + 48 + 64 + 3 dots = 243.
const LONGEST_TYPE: usize = 48;
const LONGEST_ACTION: usize = 64;

/// A text that is no type, action or topic.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidTopic {
    /// The type is empty, too long or has other characters.
    #[error("type {0:?} is not valid: 1 to {LONGEST_TYPE} of A-Z a-z 0-9 _ -")]
    Type(String),
    /// The action is empty, too long or has other characters.
    #[error(
        "action {0:?} is not valid: 1 to {LONGEST_ACTION} of A-Z a-z 0-9 _ -, parts joined by single dots"
    )]
    Action(String),
    /// No dot between type and action.
    #[error("topic {0:?} has no action: write Type.action, for example Entry.publish, Entry.* or *.*")]
    NoAction(String),
}

fn part(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// What kind of resource an event is about. An open set.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventType(Arc<str>);

impl EventType {
    /// Checks and takes a type.
    pub fn new(text: &str) -> Result<Self, InvalidTopic> {
        if part(text, LONGEST_TYPE) { Ok(Self(text.into())) } else { Err(InvalidTopic::Type(shown(text))) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is this type, or any type is meant (`None`). What is told of webhooks is never meant by any type.
    pub fn is_meant_by(&self, wanted: Option<&Self>) -> bool {
        wanted.map_or_else(|| !must_be_named(self), |wanted| wanted == self)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What happened. An open set; a suffix after a dot tells the stage (`publish.start`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Action(Arc<str>);

impl Action {
    /// Checks and takes an action.
    pub fn new(text: &str) -> Result<Self, InvalidTopic> {
        let good = text.len() <= LONGEST_ACTION && text.split('.').all(|piece| part(piece, LONGEST_ACTION));
        if good { Ok(Self(text.into())) } else { Err(InvalidTopic::Action(shown(text))) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The action side of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ActionPattern {
    /// `*`: any action.
    Any,
    /// `publish`: this action, and this action's success (`publish.success`); no other suffix.
    Plain(Action),
    /// `publish.*`: this action with any suffix, or with none.
    Suffixed(Action),
}

impl ActionPattern {
    /// Reads `*`, `publish`, `publish.start` or `publish.*`.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        match text {
            "*" => Ok(Self::Any),
            _ => match text.strip_suffix(".*") {
                Some(stem) => Action::new(stem).map(Self::Suffixed),
                None => Action::new(text).map(Self::Plain),
            },
        }
    }

    /// Whether an action is meant.
    pub fn takes(&self, action: &Action) -> bool {
        match self {
            Self::Any => true,
            Self::Plain(plain) => {
                action == plain || action.as_str().strip_suffix(".success") == Some(plain.as_str())
            }
            Self::Suffixed(stem) => {
                action == stem
                    || action.as_str().strip_prefix(stem.as_str()).is_some_and(|rest| rest.starts_with('.'))
            }
        }
    }
}

impl fmt::Display for ActionPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Plain(action) => action.fmt(f),
            Self::Suffixed(stem) => write!(f, "{stem}.*"),
        }
    }
}

/// A subscription to topics: a type or any, and an action pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TopicPattern {
    /// `None` is `*`.
    pub event_type: Option<EventType>,
    /// Which actions.
    pub action: ActionPattern,
}

impl TopicPattern {
    /// Reads `Type.action`, either side possibly `*`.
    pub fn parse(text: &str) -> Result<Self, InvalidTopic> {
        let (event_type, action) = text.split_once('.').ok_or_else(|| InvalidTopic::NoAction(shown(text)))?;
        let event_type = if event_type == "*" { None } else { Some(EventType::new(event_type)?) };
        Ok(Self { event_type, action: ActionPattern::parse(action)? })
    }

    /// Whether events of this type and action are meant.
    pub fn takes(&self, event_type: &EventType, action: &Action) -> bool {
        event_type.is_meant_by(self.event_type.as_ref()) && self.action.takes(action)
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event_type {
            Some(event_type) => write!(f, "{event_type}.{}", self.action),
            None => write!(f, "*.{}", self.action),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(pattern: &str, topic: &str) -> bool {
        let (event_type, action) = topic.split_once('.').expect("a dot");
        TopicPattern::parse(pattern)
            .expect("a pattern")
            .takes(&EventType::new(event_type).expect("type"), &Action::new(action).expect("action"))
    }

    #[test]
    fn wildcards_stand_on_either_side_and_for_what_does_not_exist_yet() {
        for topic in ["Entry.publish", "Asset.delete", "Hologram.levitate", "Entry.publish.start"] {
            assert!(takes("*.*", topic));
        }
        assert!(takes("*.publish", "Hologram.publish"));
        assert!(takes("Entry.*", "Entry.levitate"));
        assert!(!takes("Entry.*", "Asset.publish"));
    }

    #[test]
    fn events_about_webhooks_are_taken_by_name_only() {
        for pattern in ["*.*", "*.failing", "*.failing.*", "Webhooks.*"] {
            assert!(!takes(pattern, "Webhook.failing"), "{pattern}");
        }
        for pattern in ["Webhook.*", "Webhook.failing"] {
            assert!(takes(pattern, "Webhook.failing"), "{pattern}");
        }
    }

    #[test]
    fn a_plain_action_takes_its_success_and_no_other_suffix() {
        assert!(takes("Entry.publish", "Entry.publish"));
        assert!(takes("Entry.publish", "Entry.publish.success"));
        assert!(!takes("Entry.publish", "Entry.publish.start"));
        assert!(!takes("Entry.publish", "Entry.publish.fail"));
        assert!(!takes("Entry.publish", "Entry.publisher"));
        assert!(!takes("Entry.publish.start", "Entry.publish"));
    }

    #[test]
    fn a_starred_suffix_takes_every_suffix_and_none() {
        for topic in ["Entry.publish", "Entry.publish.start", "Entry.publish.fail"] {
            assert!(takes("Entry.publish.*", topic));
        }
        assert!(!takes("Entry.publish.*", "Entry.publisher"));
    }

    #[test]
    fn what_is_no_topic_is_refused_with_an_example() {
        let error = TopicPattern::parse("Entry").expect_err("no action");
        assert!(error.to_string().contains("Entry.publish"), "{error}");
        for bad in ["", ".", "Entry.", ".publish", "Entry..x", "En try.x", "*.*.x", "Entry.publish."] {
            assert!(TopicPattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_pattern_prints_as_it_was_written() {
        for text in ["*.*", "*.publish", "Entry.*", "Entry.publish.*", "Entry.publish.start"] {
            assert_eq!(TopicPattern::parse(text).expect("pattern").to_string(), text);
        }
    }
}
