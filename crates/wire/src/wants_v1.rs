//! What a webhook subscribes to, version 1. Topics, actions and filter paths stand as people write them.

use postrider_domain::filter::{Condition, Filter, FilterPath};
use postrider_domain::topic::{ActionPattern, EventType, TopicPattern};
use postrider_domain::trigger::{Limits, Trigger, Written};
use postrider_domain::webhook::{Topic, Wants};
use serde::{Deserialize, Serialize};

use crate::DecodeError;
use crate::fields::{at, within};

#[derive(Serialize, Deserialize)]
pub(crate) struct WantsV1 {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    topics: Vec<TopicV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    triggers: Vec<TriggerV1>,
    #[serde(default, skip_serializing_if = "LimitsV1::is_empty")]
    limits: LimitsV1,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    filters: Vec<FilterV1>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    states: Vec<String>,
}

/// `as` is the pattern it means, where that is not what was given.
#[derive(Serialize, Deserialize)]
struct TopicV1 {
    given: String,
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct TriggerV1 {
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actions: Vec<String>,
    #[serde(default, skip_serializing_if = "LimitsV1::is_empty")]
    limits: LimitsV1,
    /// As it was written in a dialect's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given: Option<GivenV1>,
    /// It belongs to the trigger before it.
    #[serde(default, skip_serializing_if = "is_false")]
    more: bool,
}

#[derive(Serialize, Deserialize)]
struct GivenV1 {
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actions: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(flag: &bool) -> bool {
    !flag
}

#[derive(Default, Serialize, Deserialize)]
struct LimitsV1 {
    /// Content types.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    cts: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entities: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct FilterV1 {
    path: String,
    #[serde(default)]
    not: bool,
    #[serde(rename = "if")]
    condition: ConditionV1,
}

#[derive(Serialize, Deserialize)]
enum ConditionV1 {
    #[serde(rename = "equals")]
    Equals(String),
    #[serde(rename = "in")]
    In(Vec<String>),
    #[serde(rename = "matches")]
    Matches(String),
}

impl From<&Wants> for WantsV1 {
    fn from(wants: &Wants) -> Self {
        Self {
            topics: wants.topics.iter().map(TopicV1::from).collect(),
            triggers: wants.triggers.iter().map(TriggerV1::from).collect(),
            limits: LimitsV1::from(&wants.limits),
            filters: wants.filters.iter().map(FilterV1::from).collect(),
            fields: wants.changed_fields.clone(),
            states: wants.states.clone(),
        }
    }
}

impl From<&Topic> for TopicV1 {
    fn from(topic: &Topic) -> Self {
        let pattern = topic.pattern.to_string();
        Self { given: topic.given.clone(), pattern: (pattern != topic.given).then_some(pattern) }
    }
}

impl From<&Trigger> for TriggerV1 {
    fn from(trigger: &Trigger) -> Self {
        Self {
            event_type: trigger.event_type.as_ref().map(ToString::to_string),
            actions: trigger.actions.iter().map(ToString::to_string).collect(),
            limits: LimitsV1::from(&trigger.limits),
            given: match &trigger.written {
                Written::InWords { event_type, actions } => {
                    Some(GivenV1 { event_type: event_type.clone(), actions: actions.clone() })
                }
                Written::Plainly | Written::Continued => None,
            },
            more: trigger.written == Written::Continued,
        }
    }
}

impl From<&Limits> for LimitsV1 {
    fn from(limits: &Limits) -> Self {
        Self { cts: limits.content_types.clone(), entities: limits.entities.clone() }
    }
}

impl From<&Filter> for FilterV1 {
    fn from(filter: &Filter) -> Self {
        let condition = match &filter.condition {
            Condition::Equals(value) => ConditionV1::Equals(value.clone()),
            Condition::In(values) => ConditionV1::In(values.clone()),
            Condition::Matches(regex) => ConditionV1::Matches(regex.as_str().to_owned()),
        };
        Self { path: filter.path.as_str().to_owned(), not: filter.negated, condition }
    }
}

/// Reads each part of a list, naming the one that is wrong.
fn each<V, T>(
    list: Vec<V>,
    name: &str,
    into: fn(V) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let numbered = list.into_iter().enumerate();
    numbered.map(|(index, one)| within(&format!("{name}[{index}]"), into(one))).collect()
}

impl WantsV1 {
    pub(crate) fn into_domain(self) -> Result<Wants, DecodeError> {
        Ok(Wants {
            topics: each(self.topics, "topics", TopicV1::into_domain)?,
            triggers: each(self.triggers, "triggers", TriggerV1::into_domain)?,
            limits: self.limits.into_domain(),
            filters: each(self.filters, "filters", FilterV1::into_domain)?,
            changed_fields: self.fields,
            states: self.states,
        })
    }
}

impl TopicV1 {
    fn into_domain(self) -> Result<Topic, DecodeError> {
        let pattern = TopicPattern::parse(self.pattern.as_deref().unwrap_or(&self.given));
        Ok(Topic { pattern: at("as", pattern)?, given: self.given })
    }
}

impl TriggerV1 {
    fn into_domain(self) -> Result<Trigger, DecodeError> {
        let actions = self.actions.iter().map(|action| at("actions", ActionPattern::parse(action)));
        Ok(Trigger {
            event_type: self.event_type.map(|text| at("type", EventType::new(&text))).transpose()?,
            actions: actions.collect::<Result<_, _>>()?,
            limits: self.limits.into_domain(),
            written: match self.given {
                _ if self.more => Written::Continued,
                Some(given) => Written::InWords { event_type: given.event_type, actions: given.actions },
                None => Written::Plainly,
            },
        })
    }
}

impl LimitsV1 {
    fn is_empty(&self) -> bool {
        self.cts.is_empty() && self.entities.is_empty()
    }

    fn into_domain(self) -> Limits {
        Limits { content_types: self.cts, entities: self.entities }
    }
}

impl FilterV1 {
    fn into_domain(self) -> Result<Filter, DecodeError> {
        Ok(Filter {
            path: at("path", FilterPath::parse(&self.path))?,
            condition: match self.condition {
                ConditionV1::Equals(value) => Condition::Equals(value),
                ConditionV1::In(values) => Condition::In(values),
                ConditionV1::Matches(pattern) => at("if.matches", Condition::matches(&pattern))?,
            },
            negated: self.not,
        })
    }
}
