//! What Postrider tells about webhooks themselves: events of the type [`TYPE`], to which webhooks subscribe as to any other.
//!
//! A webhook that is not well has a [`Condition`]. It begins when a delivery is given up or the circuit breaker opens, gets
//! worse when the webhook is disabled by the receiver (410) or after days of failures, and ends with the first success.
//! Each of the three is one event: `Webhook.failing`, `Webhook.disabled`, `Webhook.recovered`.
//!
//! What becomes of the deliveries of such events never makes another one, so that two webhooks that tell of each other do not
//! go on for ever. For the same reason only a topic or trigger that names the type takes them: `*.*` does not.

use std::time::Duration;

use crate::event::EventHead;
use crate::id::{EventId, WebhookId};
use crate::timestamp::Timestamp;
use crate::topic::EventType;

/// The type of these events.
pub const TYPE: &str = "Webhook";

/// A webhook whose every call failed for so long is disabled (DESIGN §4.4: 5 days).
pub const FAILING_FOR: Duration = Duration::from_hours(5 * 24);

/// Whether a type is taken only where it is named.
pub fn must_be_named(event_type: &EventType) -> bool {
    event_type.as_str() == TYPE
}

/// Whether an event tells of a webhook.
pub fn is_operational(head: &EventHead) -> bool {
    must_be_named(&head.event_type)
}

/// What is told of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum News {
    /// It was well, and now deliveries fail.
    Failing,
    /// It was disabled by the receiver or by Postrider.
    Disabled,
    /// It was not well, and a call succeeded.
    Recovered,
}

/// How a webhook that is not well stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ill {
    /// Its deliveries fail.
    Failing,
    /// It was disabled by the receiver or by Postrider.
    Disabled,
}

/// A webhook that is not well. There is none for one that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How it stands.
    pub ill: Ill,
    /// Since when it stands so.
    pub at: Timestamp,
    /// Since when it is not well: from its first failure on.
    pub since: Timestamp,
    /// Which version of the webhook was called. One that was changed or enabled since has a higher one.
    pub webhook_version: u64,
    /// Why, in words for people.
    pub reason: String,
    /// The status of the last answer; `None` when there was no answer.
    pub last_status: Option<u16>,
    /// Whether the event that tells of it is accepted.
    pub told: bool,
}

impl News {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Failing, Self::Disabled, Self::Recovered];

    /// The action of its event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Disabled => "disabled",
            Self::Recovered => "recovered",
        }
    }

    /// The id of its event: the same whoever tells it and however often, so that it is one event.
    ///
    /// `Webhook.disabled:<webhook>:<milliseconds since 1970>`: 18 + 64 + 1 + 20 = 103 characters at most, of 128.
    pub fn event_id(self, webhook: &WebhookId, condition: &Condition) -> Option<EventId> {
        EventId::new(&format!("{TYPE}.{}:{webhook}:{}", self.as_str(), condition.at.unix_ms())).ok()
    }
}

impl Ill {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Failing, Self::Disabled];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        self.news().as_str()
    }

    /// Reads the stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// What is told when it begins.
    pub fn news(self) -> News {
        match self {
            Self::Failing => News::Failing,
            Self::Disabled => News::Disabled,
        }
    }
}

impl Condition {
    /// What is noted when `self` is found while `known` is noted; `None` when that stays. A disabled webhook fails again only
    /// once it was enabled, which makes it another version: calls that were under way when it was disabled say nothing new.
    pub fn after(&self, known: Option<&Self>) -> Option<Self> {
        let Some(known) = known else { return Some(self.clone()) };
        let is_newer = self.webhook_version > known.webhook_version;
        // Two conditions of a webhook never begin at the same instant: the instant tells them apart.
        let next = Self { at: self.at.max(known.at.plus(Duration::from_millis(1))), ..self.clone() };
        match (known.ill, self.ill) {
            (Ill::Failing, Ill::Disabled) => Some(Self { since: known.since, ..next }),
            (Ill::Disabled, _) if is_newer => Some(next),
            _ => None,
        }
    }

    /// Whether a success of this version of the webhook ends it. One that was under way when the webhook was disabled does
    /// not.
    pub fn ends_by(&self, webhook_version: u64) -> bool {
        self.ill == Ill::Failing || webhook_version > self.webhook_version
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn condition(ill: Ill, at: i64, webhook_version: u64) -> Condition {
        let at = Timestamp::from_unix_ms(at);
        Condition {
            ill,
            at,
            since: at,
            webhook_version,
            reason: String::new(),
            last_status: None,
            told: false,
        }
    }

    #[test]
    fn it_gets_worse_and_only_another_version_begins_anew() {
        let failing = condition(Ill::Failing, 1, 1);
        assert_eq!(failing.after(None), Some(failing.clone()));
        assert_eq!(condition(Ill::Failing, 2, 7).after(Some(&failing)), None, "it fails already");
        let disabled = condition(Ill::Disabled, 3, 1);
        let worse = disabled.after(Some(&failing)).expect("it got worse");
        assert_eq!((worse.ill, worse.since, worse.at), (Ill::Disabled, failing.since, disabled.at));
        let at_once = condition(Ill::Disabled, 1, 1).after(Some(&failing)).expect("it got worse");
        assert!(at_once.at > failing.at, "the instant tells them apart");
        for ill in Ill::ALL {
            assert_eq!(condition(ill, 4, 1).after(Some(&worse)), None, "it was under way");
            let anew = condition(ill, 4, 2);
            assert_eq!(anew.after(Some(&worse)), Some(anew.clone()), "it was enabled");
        }
    }

    #[test]
    fn a_success_that_was_under_way_does_not_heal_what_was_disabled() {
        assert!(condition(Ill::Failing, 1, 1).ends_by(1));
        assert!(!condition(Ill::Disabled, 1, 1).ends_by(1));
        assert!(condition(Ill::Disabled, 1, 1).ends_by(2));
    }

    proptest! {
        #[test]
        fn every_webhook_and_instant_makes_an_event_id(id in "[A-Za-z0-9._-]{1,64}", at in any::<i64>()) {
            let webhook = WebhookId::new(&id).expect("valid");
            for news in News::ALL {
                let id = news.event_id(&webhook, &condition(Ill::Failing, at, 1));
                prop_assert!(id.is_some());
            }
        }
    }
}
