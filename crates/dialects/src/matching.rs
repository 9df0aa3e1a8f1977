//! The parts of a decision that `domain` cannot make: whether the dialect has words for the event, and what takes a look at
//! the content: whether one of the fields changed that the webhook cares about, and who made the resource.

use postrider_domain::event::{Content, EventHead};
use postrider_domain::filter::Filter;
use postrider_domain::matching::{Rule, Verdict, decide, filtered};
use postrider_domain::webhook::Webhook;
use serde_json::Value;

use crate::dialect::Dialect;

/// Decides by everything but the content. An unknown dialect (`None`) says nothing here: it is a fault of the webhook
/// that its owner sees in the call record. A message to Slack needs no words of a dialect.
pub fn decide_all_but_content(webhook: &Webhook, dialect: Option<&dyn Dialect>, head: &EventHead) -> Verdict {
    let verdict = decide(webhook, head);
    match dialect {
        Some(dialect) if verdict.matched && webhook.action.http().is_some() => {
            match dialect.expressible(head) {
                Ok(()) => verdict,
                Err(reason) => Verdict::no(Rule::NotExpressible, reason),
            }
        }
        _ => verdict,
    }
}

/// What a match becomes by `changedFields`, and by filters on `sys.createdBy.sys.id`: Contentful's data says there who made
/// the resource.
pub fn judge_changes(matched: Verdict, webhook: &Webhook, head: &EventHead, changed: &Changed) -> Verdict {
    let wants = &webhook.wants;
    let fails = |filter: &Filter| filter.is_of_content(head) && !filter.takes(changed.created_by());
    if let Some((at, filter)) = wants.filters.iter().enumerate().find(|(_, filter)| fails(filter)) {
        return filtered(at, filter);
    }
    let fields = &wants.changed_fields;
    if !fields.is_empty() && changed.first(fields).is_none() {
        return Verdict::no(Rule::ChangedFields, format!("none of {} changed", fields.join(", ")));
    }
    matched
}

/// What an event changed: the resource now and before, parsed once for all webhooks that ask.
#[derive(Debug)]
pub struct Changed {
    data: Value,
    previous: Value,
}

impl Changed {
    /// Parses the content. An event that does not say what was before counts as having changed everything it has: a new
    /// resource has, and otherwise a call too many is better than one too few.
    pub fn new(content: &Content) -> Self {
        let read = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        Self {
            data: read(content.data.as_str()),
            previous: content.previous.as_ref().map_or(Value::Null, |previous| read(previous.as_str())),
        }
    }

    fn created_by(&self) -> Option<&str> {
        self.data.pointer("/sys/createdBy/sys/id")?.as_str()
    }

    /// The first of these fields that changed. A field is a JSON pointer (RFC 6901), or the name of a top-level field.
    pub fn first<'a>(&self, fields: &'a [String]) -> Option<&'a str> {
        fields.iter().map(String::as_str).find(|field| at(&self.data, field) != at(&self.previous, field))
    }
}

fn at<'a>(value: &'a Value, field: &str) -> Option<&'a Value> {
    if field.starts_with('/') { value.pointer(field) } else { value.get(field) }
}

#[cfg(test)]
mod tests {
    use postrider_domain::json::Json;

    use super::*;

    fn first_changed(previous: Option<&str>, fields: &[&str]) -> Option<String> {
        let data = r#"{"title": "new", "slug": "same", "fields": {"body": {"en": 2}}}"#;
        let content = Content {
            data: Json::from_checked(data),
            previous: previous.map(Json::from_checked),
            related: None,
            source: None,
        };
        let fields: Vec<String> = fields.iter().map(|&field| field.to_owned()).collect();
        Changed::new(&content).first(&fields).map(str::to_owned)
    }

    #[test]
    fn a_field_is_a_top_level_name_or_a_pointer() {
        let previous = Some(r#"{"slug":"same","title":"old","fields":{"body":{"en":1},"gone":1}}"#);
        assert_eq!(first_changed(previous, &["slug", "title"]).as_deref(), Some("title"));
        assert_eq!(first_changed(previous, &["/fields/body/en"]).as_deref(), Some("/fields/body/en"));
        assert_eq!(first_changed(previous, &["/fields/gone"]).as_deref(), Some("/fields/gone"));
        assert_eq!(first_changed(previous, &["slug", "none", "/fields/none"]), None);
    }

    #[test]
    fn without_a_before_everything_there_has_changed() {
        assert_eq!(first_changed(None, &["none", "slug"]).as_deref(), Some("slug"));
        assert_eq!(first_changed(None, &["none"]), None);
    }
}
