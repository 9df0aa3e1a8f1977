//! Checks what a webhook subscribes to: topics, triggers, limits, filters.

use postrider_dialects::Dialect;
use postrider_dialects::topics::understand_trigger;
use postrider_domain::filter::{Condition, Filter, FilterPath};
use postrider_domain::topic::{ActionPattern, EventType, TopicPattern};
use postrider_domain::trigger::{Limits, Trigger, Written};
use postrider_domain::webhook::{Topic, Wants};

use crate::draft::{ConditionDraft, FilterDraft, TriggerDraft, WebhookDraft};
use crate::error::FieldFault;
use crate::known;

/// Most topics, triggers, actions of a trigger, filters, changed fields or states of one webhook.
const MOST: usize = 100;
/// Most ids in one list.
const MOST_IDS: usize = 1_000;
/// Longest text in such a list, in characters.
const LONGEST: usize = 256;

/// Collects the faults of one webhook, and what is odd but taken.
pub(crate) struct Findings<'a> {
    pub(crate) faults: &'a mut Vec<FieldFault>,
    pub(crate) warnings: &'a mut Vec<String>,
    /// Whether the dialect has to say what is told; a message to Slack is in no dialect.
    pub(crate) is_said: bool,
}

impl Findings<'_> {
    /// Notes why nothing may ever come of a topic.
    fn warn(&mut self, given: &str, patterns: &[TopicPattern], dialect: &dyn Dialect) {
        let unsaid = || self.is_said.then(|| known::unsaid(given, patterns, dialect)).flatten();
        let doubt = known::doubt(given, patterns).or_else(unsaid);
        self.warnings.extend(doubt);
    }
}

/// What is asked for. With faults, the answer is not to be used.
pub(crate) fn wants(draft: &WebhookDraft, dialect: &dyn Dialect, findings: &mut Findings<'_>) -> Wants {
    no_subscription(draft, findings);
    let topics = topics(draft.topics.as_deref().unwrap_or_default(), dialect, findings);
    let triggers = bounded("triggers", &draft.triggers, MOST, findings)
        .iter()
        .enumerate()
        .flat_map(|(at, draft)| self::triggers(at, draft, dialect, findings))
        .collect();
    Wants {
        topics,
        triggers,
        limits: limits("", &draft.content_types, &draft.entities, findings),
        filters: filters(&draft.filters, findings),
        changed_fields: texts("changedFields", &draft.changed_fields, MOST, findings),
        states: texts("states", &draft.states, MOST, findings),
    }
}

fn no_subscription(draft: &WebhookDraft, findings: &mut Findings<'_>) {
    // A list that holds something already faulted is not empty: one fault is enough.
    let begun = draft
        .faults
        .iter()
        .any(|fault| fault.path.starts_with("topics") || fault.path.starts_with("triggers"));
    if !draft.triggers.is_empty() || begun {
        return;
    }
    let fix = "name what to be called for, for example \"Entry.publish\", \"Asset.*\" or \"*.*\"";
    match &draft.topics {
        None => findings.faults.push(FieldFault::new("topics", "invalid_type", "topics are missing", fix)),
        Some(topics) if topics.is_empty() => {
            findings.faults.push(FieldFault::new("topics", "topics", "Topics cannot be empty", fix));
        }
        Some(_) => {}
    }
}

fn topics(given: &[String], dialect: &dyn Dialect, findings: &mut Findings<'_>) -> Vec<Topic> {
    let mut topics = Vec::new();
    for (at, text) in bounded("topics", given, MOST, findings).iter().enumerate() {
        match dialect.topics(text) {
            Ok(patterns) => {
                findings.warn(&format!("topic {text}"), &patterns, dialect);
                topics.extend(patterns.into_iter().map(|pattern| Topic { given: text.clone(), pattern }));
            }
            Err(error) => findings.faults.push(
                FieldFault::new(
                    format!("topics[{at}]"),
                    "format",
                    error.to_string(),
                    "write Type.action, * for any",
                )
                .given(text),
            ),
        }
    }
    topics
}

/// What one trigger means: in Postrider's words one, in a dialect's one for each type.
fn triggers(
    at: usize,
    draft: &TriggerDraft,
    dialect: &dyn Dialect,
    findings: &mut Findings<'_>,
) -> Vec<Trigger> {
    let path = format!("triggers[{at}]");
    let actions = bounded(&format!("{path}.actions"), &draft.actions, MOST, findings);
    let event_type = draft.event_type.as_deref().filter(|text| *text != "*");
    match understand_trigger(event_type, actions) {
        None => vec![trigger(&path, draft, dialect, findings)],
        Some(Err((at, error))) => {
            let fix = "name an action that this type has in the dialect's words, or * for any";
            let fault = FieldFault::new(format!("{path}.actions[{at}]"), "format", error.to_string(), fix);
            findings.faults.push(fault.given(draft.actions.get(at).map_or("", String::as_str)));
            Vec::new()
        }
        Some(Ok(patterns)) => {
            let words = draft.actions.join(", ");
            let given = format!("{path} {} {words}", event_type.unwrap_or("*"));
            findings.warn(given.trim_end(), &patterns, dialect);
            let limits = limits(&format!("{path}."), &draft.content_types, &draft.entities, findings);
            let written = Written::InWords {
                event_type: event_type.map(str::to_owned),
                actions: draft.actions.clone(),
            };
            by_type(&patterns, &limits, &written)
        }
    }
}

/// A trigger for each type among the patterns, the first of them as it was written.
fn by_type(patterns: &[TopicPattern], limits: &Limits, written: &Written) -> Vec<Trigger> {
    let mut triggers: Vec<Trigger> = Vec::new();
    for TopicPattern { event_type, action } in patterns {
        if let Some(known) = triggers.iter_mut().find(|one| one.event_type == *event_type) {
            known.actions.push(action.clone());
            continue;
        }
        let written = if triggers.is_empty() { written.clone() } else { Written::Continued };
        let (event_type, actions) = (event_type.clone(), vec![action.clone()]);
        triggers.push(Trigger { event_type, actions, limits: limits.clone(), written });
    }
    triggers
}

fn trigger(path: &str, draft: &TriggerDraft, dialect: &dyn Dialect, findings: &mut Findings<'_>) -> Trigger {
    let event_type = draft.event_type.as_deref().filter(|text| *text != "*");
    let event_type = event_type.and_then(|text| match EventType::new(text) {
        Ok(event_type) => Some(event_type),
        Err(error) => {
            let fix = "name a type such as Entry, or * for any";
            findings
                .faults
                .push(FieldFault::new(format!("{path}.type"), "format", error.to_string(), fix).given(text));
            None
        }
    });
    let mut actions = Vec::new();
    let name = format!("{path}.actions");
    for (at, text) in draft.actions.iter().take(MOST).enumerate() {
        match ActionPattern::parse(text) {
            Ok(action) => actions.push(action),
            Err(error) => findings.faults.push(
                FieldFault::new(
                    format!("{name}[{at}]"),
                    "format",
                    error.to_string(),
                    "write publish, publish.* or *",
                )
                .given(text),
            ),
        }
    }
    for action in &actions {
        let pattern = TopicPattern { event_type: event_type.clone(), action: action.clone() };
        let given = format!("{path} {pattern}");
        findings.warn(&given, &[pattern], dialect);
    }
    let limits = limits(&format!("{path}."), &draft.content_types, &draft.entities, findings);
    Trigger { event_type, actions, limits, written: Written::Plainly }
}

fn limits(path: &str, content_types: &[String], entities: &[String], findings: &mut Findings<'_>) -> Limits {
    Limits {
        content_types: texts(&format!("{path}contentTypes"), content_types, MOST_IDS, findings),
        entities: texts(&format!("{path}entities"), entities, MOST_IDS, findings),
    }
}

fn filters(drafts: &[FilterDraft], findings: &mut Findings<'_>) -> Vec<Filter> {
    let mut filters = Vec::new();
    for (at, draft) in bounded("filters", drafts, MOST, findings).iter().enumerate() {
        let path = FilterPath::parse(&draft.path);
        let condition = match &draft.condition {
            ConditionDraft::Equals(value) => Ok(Condition::Equals(value.clone())),
            ConditionDraft::In(values) if values.is_empty() || values.len() > MOST_IDS => {
                let problem = format!("`in` lists {} values", values.len());
                let fix = format!("list 1 to {MOST_IDS}");
                findings.faults.push(FieldFault::new(format!("filters[{at}]"), "size", problem, fix));
                continue;
            }
            ConditionDraft::In(values) => Ok(Condition::In(values.clone())),
            ConditionDraft::Regexp(pattern) => Condition::matches(pattern),
        };
        match (path, condition) {
            (Ok(path), Ok(condition)) => filters.push(Filter { path, condition, negated: draft.negated }),
            (path, condition) => {
                for error in [path.err(), condition.err()].into_iter().flatten() {
                    let fix = "see the known paths, and the syntax of the regex crate for patterns";
                    let fault = FieldFault::new(format!("filters[{at}]"), "format", error.to_string(), fix);
                    findings.faults.push(fault);
                }
            }
        }
    }
    filters
}

fn texts(path: &str, given: &[String], most: usize, findings: &mut Findings<'_>) -> Vec<String> {
    for (at, text) in bounded(path, given, most, findings).iter().enumerate() {
        if text.is_empty() || text.chars().count() > LONGEST || text.chars().any(char::is_control) {
            let fix = "use 1 to 256 characters, no control characters";
            findings.faults.push(
                FieldFault::new(format!("{path}[{at}]"), "format", "it is no such text", fix).given(text),
            );
        }
    }
    given.to_vec()
}

/// The list, or nothing of it and a fault when it is too long.
fn bounded<'l, T>(path: &str, list: &'l [T], most: usize, findings: &mut Findings<'_>) -> &'l [T] {
    if list.len() <= most {
        return list;
    }
    let problem = format!("there are {} of them", list.len());
    findings.faults.push(FieldFault::new(path, "size", problem, format!("give at most {most}")));
    &[]
}
