//! Coalescing: the events of one window become one call with the newest state (DESIGN §4.4).

use std::cmp::Ordering;
use std::fmt;
use std::time::Duration;

use crate::event::EventHead;
use crate::id::{EventId, WebhookId};
use crate::timestamp::Timestamp;

/// Contentful counts a document as active for 20 s after an edit and calls once per such window.
pub const AUTO_SAVE_WINDOW: Duration = Duration::from_secs(20);
/// A window may last at most an hour: longer, and nobody would still call it an event.
pub const LONGEST_WINDOW: Duration = Duration::from_hours(1);

/// What a webhook says about coalescing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum CoalesceSetting {
    /// `auto_save` by document in windows of 20 s; everything else is sent at once.
    #[default]
    AutoSaveOnly,
    /// Nothing is coalesced.
    Off,
    /// Everything the webhook matches.
    All(CoalesceRule),
}

/// How long a window is, and what shares one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CoalesceRule {
    /// Fixed from the first event of the window.
    pub window: Duration,
    /// What shares a window.
    pub key: CoalesceKey,
}

/// What shares a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoalesceKey {
    /// All events of the webhook in one environment.
    Webhook,
    /// Events of the same resource.
    Resource,
}

/// What tells which of two events of a window is newer, compared as a [`Ranking`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank {
    /// `resource.version`.
    pub version: Option<i64>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// The last word.
    pub event: EventId,
}

/// How the events of a window are compared. Versions say most, but tell nothing about an event without one, such as many an
/// unpublish: "compare versions where both have one, else times" is no order, since three events can each be newer than the
/// next. So a whole window is ranked in one of two ways, and each of them is a total order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ranking {
    /// The higher version, else the later occurrence, else the greater id. For windows of one resource in which every event
    /// has a version, or none has.
    Version,
    /// The later occurrence; at the same instant what has no version, else the higher version, else the greater id. For
    /// windows in which only some events have a version, and for those of many resources, whose versions count apart.
    Time,
}

/// Which window a delivery belongs to; travels with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Names the window's owner: space, environment, webhook and, by resource, type and id.
    pub key: String,
    /// When the window ends and its newest delivery is due.
    pub ends_at: Timestamp,
    /// How new this delivery's event is.
    pub rank: Rank,
}

impl CoalesceSetting {
    /// The rule that applies to an event, if any.
    pub fn rule_for(self, head: &EventHead) -> Option<CoalesceRule> {
        match self {
            Self::AutoSaveOnly if head.action.as_str() == "auto_save" => {
                Some(CoalesceRule { window: AUTO_SAVE_WINDOW, key: CoalesceKey::Resource })
            }
            Self::AutoSaveOnly | Self::Off => None,
            Self::All(rule) => Some(rule),
        }
    }
}

impl CoalesceRule {
    /// The key under which an event's window is kept. Parts are joined by `/`; only the last part is free text.
    pub fn key_for(&self, webhook: &WebhookId, head: &EventHead) -> String {
        let owner = format!("{}/{}/{webhook}", head.scope.space, head.scope.environment);
        match self.key {
            CoalesceKey::Webhook => owner,
            CoalesceKey::Resource => format!("{owner}/{}/{}", head.event_type, head.resource.id),
        }
    }
}

impl Rank {
    /// How new an event is.
    pub fn of(head: &EventHead) -> Self {
        Self { version: head.resource.version, occurred_at: head.occurred_at, event: head.id.clone() }
    }

    /// Compares two events of one window: greater is newer, equal is the same event.
    pub fn compare(&self, other: &Self, by: Ranking) -> Ordering {
        let (version, time) = (self.version.cmp(&other.version), self.occurred_at.cmp(&other.occurred_at));
        let bare = self.version.is_none().cmp(&other.version.is_none());
        let first = match by {
            Ranking::Version => version.then(time),
            Ranking::Time => time.then(bare).then(version),
        };
        first.then_with(|| self.event.cmp(&other.event))
    }
}

impl Window {
    /// Whether it is of one resource, see [`CoalesceRule::key_for`]: three parts name the webhook, two more the resource.
    pub fn is_of_one_resource(&self) -> bool {
        self.key.split('/').count() > 3
    }
}

/// For people: `into one call per resource each 20 s`.
impl fmt::Display for CoalesceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = match self.key {
            CoalesceKey::Webhook => "webhook",
            CoalesceKey::Resource => "resource",
        };
        write!(f, "into one call per {per} each {} s", self.window.as_secs_f64())
    }
}
