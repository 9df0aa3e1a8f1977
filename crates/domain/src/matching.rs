//! Does this webhook want this event, and which rule decided?

use std::fmt;

use crate::coalesce::CoalesceRule;
use crate::event::EventHead;
use crate::filter::{Filter, FilterPath};
use crate::operational::is_operational;
use crate::trigger::{Outside, Trigger, Written, content_type};
use crate::webhook::{Status, Topic, Webhook};

/// The decision about one webhook for one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether a delivery comes of it.
    pub matched: bool,
    /// Which kind of rule decided.
    pub rule: Rule,
    /// Which one, in words (`topics[1] Entry.*`).
    pub detail: String,
}

/// The kinds of rule that decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// A topic matched, or none did.
    Topic,
    /// A trigger matched, or its limits kept the event out.
    Trigger,
    /// A limit of the whole webhook.
    Limit,
    /// A filter.
    Filter,
    /// `changedFields`.
    ChangedFields,
    /// `states`.
    State,
    /// The webhook is disabled.
    Disabled,
    /// The dialect cannot say this event.
    NotExpressible,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 8] = [
        Self::Topic,
        Self::Trigger,
        Self::Limit,
        Self::Filter,
        Self::ChangedFields,
        Self::State,
        Self::Disabled,
        Self::NotExpressible,
    ];

    /// The stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Trigger => "trigger",
            Self::Limit => "limit",
            Self::Filter => "filter",
            Self::ChangedFields => "changedFields",
            Self::State => "state",
            Self::Disabled => "disabled",
            Self::NotExpressible => "notExpressible",
        }
    }

    /// Reads the stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Verdict {
    fn yes(rule: Rule, detail: String) -> Self {
        Self { matched: true, rule, detail }
    }

    /// The same for an event that does not go out at once: `topics[0] Entry.*; coalesced into one call per resource each 20 s`.
    #[must_use]
    pub fn coalesced(self, rule: CoalesceRule) -> Self {
        Self { detail: format!("{}; coalesced {rule}", self.detail), ..self }
    }

    /// A refusal by a rule.
    pub fn no(rule: Rule, detail: impl Into<String>) -> Self {
        Self { matched: false, rule, detail: detail.into() }
    }
}

/// Decides by everything that the head of an event tells. `changed_fields` and filters on who made the resource are judged
/// by who has the content, with [`needs_content`] saying when that is needed.
pub fn decide(webhook: &Webhook, head: &EventHead) -> Verdict {
    if let Status::Disabled(disabled) = &webhook.status {
        return Verdict::no(Rule::Disabled, format!("disabled since {}: {}", disabled.at, disabled.reason));
    }
    let subscribed = subscription(webhook, head);
    if !subscribed.matched {
        return subscribed;
    }
    restriction(webhook, head).unwrap_or(subscribed)
}

/// Whether the decision also needs the content of the event.
pub fn needs_content(webhook: &Webhook) -> bool {
    let wants = &webhook.wants;
    !wants.changed_fields.is_empty() || wants.filters.iter().any(|one| one.path == FilterPath::CreatedBy)
}

/// The verdict of a filter that an event does not pass.
pub fn filtered(at: usize, filter: &Filter) -> Verdict {
    Verdict::no(Rule::Filter, format!("filters[{at}] on {} is false", filter.path.as_str()))
}

fn subscription(webhook: &Webhook, head: &EventHead) -> Verdict {
    let wants = &webhook.wants;
    for (at, topic) in wants.topics.iter().enumerate() {
        if topic.pattern.takes(&head.event_type, &head.action) {
            let place = place_of_topic(&wants.topics[..=at]);
            return Verdict::yes(Rule::Topic, format!("topics[{place}] {}", topic.given));
        }
    }
    let mut near_miss = None;
    for (at, trigger) in wants.triggers.iter().enumerate().filter(|(_, trigger)| trigger.takes(head)) {
        let place = || name_of_trigger(&wants.triggers[..=at]);
        match trigger.limits.admit(head) {
            Ok(()) => return Verdict::yes(Rule::Trigger, place()),
            Err(outside) => near_miss = Some((place(), outside)),
        }
    }
    match near_miss {
        Some((place, outside)) => {
            Verdict::no(Rule::Trigger, format!("{place} {}", outside_text(outside, head)))
        }
        None if is_operational(head) => {
            let why = "no topic or trigger names the type Webhook, and * does not stand for it";
            Verdict::no(Rule::Topic, why)
        }
        None => Verdict::no(Rule::Topic, format!("no topic or trigger takes {}", head.topic())),
    }
}

/// Where the last of these topics stands in the list that its user gave: one topic may mean several patterns.
fn place_of_topic(topics: &[Topic]) -> usize {
    topics.windows(2).filter(|pair| pair[0].given != pair[1].given).count()
}

/// The last of these triggers as its user knows it: `triggers[1]`, or `triggers[1] (item: update)` in a dialect's words.
fn name_of_trigger(triggers: &[Trigger]) -> String {
    let given: Vec<&Trigger> = triggers.iter().filter(|one| one.written != Written::Continued).collect();
    let place = given.len().saturating_sub(1);
    match given.last().map(|trigger| &trigger.written) {
        Some(Written::InWords { event_type, actions }) => {
            let event_type = event_type.as_deref().unwrap_or("*");
            let actions = if actions.is_empty() { "*".to_owned() } else { actions.join(", ") };
            format!("triggers[{place}] ({event_type}: {actions})")
        }
        _ => format!("triggers[{place}]"),
    }
}

fn restriction(webhook: &Webhook, head: &EventHead) -> Option<Verdict> {
    let wants = &webhook.wants;
    if let Err(outside) = wants.limits.admit(head) {
        return Some(Verdict::no(Rule::Limit, outside_text(outside, head)));
    }
    let fails = |filter: &Filter| !filter.is_of_content(head) && !filter.passes(head);
    if let Some((at, filter)) = wants.filters.iter().enumerate().find(|(_, filter)| fails(filter)) {
        return Some(filtered(at, filter));
    }
    let state = head.resource.state.as_deref();
    if !wants.states.is_empty() && !state.is_some_and(|state| wants.states.iter().any(|one| one == state)) {
        return Some(Verdict::no(Rule::State, format!("state {} is not wanted", state.unwrap_or("(none)"))));
    }
    None
}

fn outside_text(outside: Outside, head: &EventHead) -> String {
    match outside {
        Outside::ContentType => {
            format!("contentTypes do not list {}", content_type(head).unwrap_or("(none)"))
        }
        Outside::Entity => format!("entities do not list {}", head.resource.id),
    }
}
