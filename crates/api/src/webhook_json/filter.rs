//! Filters as Contentful writes them: `{"equals": [{"doc": "sys.id"}, "x"]}`, `in`, `regexp`, and `{"not": …}`.

use postrider_control::FieldFault;
use postrider_control::draft::{ConditionDraft, FilterDraft};
use postrider_domain::filter::{Condition, Filter};
use serde_json::{Value, json};

use crate::fields::Fields;

const FORM: &str = "write {\"equals\": [{\"doc\": \"sys.id\"}, \"x\"]}, `in` with a list, `regexp` with {\"pattern\": …}, or {\"not\": …} around one";

/// Reads `filters`; whatever has another form is noted.
pub(super) fn read(webhook: &Fields<'_>) -> Vec<FilterDraft> {
    let filters = webhook.list("filters", FORM, |value| Some(read_one(value))).unwrap_or_default();
    let mut drafts = Vec::with_capacity(filters.len());
    for (at, filter) in filters.into_iter().enumerate() {
        match filter {
            Some(draft) => drafts.push(draft),
            None => webhook.fault(FieldFault::new(
                format!("{}[{at}]", webhook.path("filters")),
                "format",
                "it is no filter",
                FORM,
            )),
        }
    }
    drafts
}

fn read_one(value: &Value) -> Option<FilterDraft> {
    let (operator, operand) = only(value)?;
    if operator == "not" {
        let inner = read_one(operand)?;
        // Contentful's grammar has no double negation.
        return (!inner.negated).then_some(FilterDraft { negated: true, ..inner });
    }
    let [doc, wanted] = operand.as_array()?.as_slice() else { return None };
    let (key, path) = only(doc)?;
    if key != "doc" {
        return None;
    }
    let condition = match operator {
        "equals" => ConditionDraft::Equals(wanted.as_str()?.to_owned()),
        "in" => ConditionDraft::In(
            wanted.as_array()?.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        ),
        "regexp" => ConditionDraft::Regexp(match only(wanted)? {
            ("pattern", pattern) => pattern.as_str()?.to_owned(),
            _ => return None,
        }),
        _ => return None,
    };
    Some(FilterDraft { path: path.as_str()?.to_owned(), condition, negated: false })
}

/// The one field of an object that has one.
fn only(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.iter().next().map(|(key, value)| (key.as_str(), value))
}

pub(super) fn write(filter: &Filter) -> Value {
    let doc = json!({"doc": filter.path.as_str()});
    let written = match &filter.condition {
        Condition::Equals(value) => json!({"equals": [doc, value]}),
        Condition::In(values) => json!({"in": [doc, values]}),
        Condition::Matches(regex) => json!({"regexp": [doc, {"pattern": regex.as_str()}]}),
    };
    if filter.negated { json!({"not": written}) } else { written }
}
