//! Webhooks as a file that people keep: the API's form without what only the server says, and without secrets.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::webhook_form::plain;
use crate::exit::{Code, Failure};

/// What the server alone says about a webhook.
const SERVERS: [&str; 3] = ["sys", "disabled", "status"];
const FORM: &str = "see what `postrider webhooks export` writes: {\"webhooks\": [{\"id\": …}]}";

/// A webhook of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
    /// Where it stands, for people.
    pub(super) place: String,
    /// Its id, `id` in the file.
    pub(super) id: String,
    /// Everything else.
    pub(super) fields: Map<String, Value>,
}

impl Kept {
    /// What a file keeps of a webhook as the server wrote it.
    pub(super) fn of_server(webhook: &Value) -> Self {
        let id = webhook.pointer("/sys/id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut fields = webhook.as_object().cloned().unwrap_or_default();
        fields.retain(|name, _| !SERVERS.contains(&name.as_str()));
        // Its secrets are not shown: `true` draws one for a new webhook and keeps what there is.
        if let Some(signing) = fields.get_mut("signing") {
            *signing = json!(true);
        }
        Self { place: "the server".to_owned(), id, fields }
    }

    /// One that stands at this place of a file.
    fn of_file(webhook: &Value, place: &str) -> anyhow::Result<Self> {
        let refused = |said: String, next: &str| Failure::new(Code::Invalid, said).next(next);
        let fields = webhook.as_object();
        let mut fields = fields.cloned().ok_or_else(|| refused(format!("{place} is no webhook"), FORM))?;
        let id = fields.remove("id");
        let id = id.as_ref().and_then(Value::as_str).filter(|id| !id.is_empty()).ok_or_else(|| {
            let next = format!("give each webhook an \"id\" of your choice, by which apply knows it; {FORM}");
            refused(format!("{place} has no id"), &next)
        })?;
        fields.retain(|name, _| !SERVERS.contains(&name.as_str()));
        // The API takes the method in either place and shows it in this one.
        if let Some(method) = fields.remove("method") {
            let transformation = fields.entry("transformation").or_insert_with(|| json!({}));
            if let Some(parts) = transformation.as_object_mut() {
                parts.entry("method").or_insert(method);
            }
        }
        Ok(Self { place: place.to_owned(), id: id.to_owned(), fields })
    }

    /// As a file has it.
    pub(super) fn written(&self) -> Value {
        let mut fields = self.fields.clone();
        fields.insert("id".to_owned(), json!(self.id));
        Value::Object(fields)
    }

    /// Fields in which this differs from what there is: name, there, here. A field that is absent means its default,
    /// and an absent `signing` means whatever there is. Secrets cannot be compared.
    pub(super) fn differences(&self, there: &Self) -> Vec<(String, Option<Value>, Option<Value>)> {
        let names: BTreeSet<&String> = self.fields.keys().chain(there.fields.keys()).collect();
        let differs = |name: &&String| {
            let [here, there] = [self, there].map(|kept| kept.fields.get(*name));
            let unsaid = name.as_str() == "signing" && here.is_none();
            let plain = |value: Option<&Value>| value.and_then(|value| plain(name, value));
            !unsaid && plain(here) != plain(there)
        };
        let shown = |name: &String| {
            let [there, here] =
                [there, self].map(|kept| kept.fields.get(name).and_then(|value| plain(name, value)));
            (name.clone(), there, here)
        };
        names.into_iter().filter(differs).map(shown).collect()
    }
}

/// The webhooks of files: `{"webhooks": […]}`, a list, or one webhook; in a file any number of these, one after the other.
///
/// # Errors
/// When a file is of another form, or an id is missing or there twice.
pub(super) fn read(files: &[(String, String)]) -> anyhow::Result<Vec<Kept>> {
    let mut seen = BTreeSet::new();
    let mut webhooks = Vec::new();
    for (file, text) in files {
        let mut index = 0;
        for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            let document = document
                .map_err(|error| Failure::new(Code::Invalid, format!("{file} is not JSON: {error}")))?;
            for webhook in listed(&document) {
                let place = format!("{file}: webhooks[{index}]");
                let kept = Kept::of_file(webhook, &place)?;
                if !seen.insert(kept.id.clone()) {
                    let said = format!("{place} has the id {:?}, as another one before it", kept.id);
                    let next = "give each webhook an id of its own";
                    return Err(Failure::new(Code::Invalid, said).next(next).into());
                }
                webhooks.push(kept);
                index += 1;
            }
        }
        if index == 0 && !text.contains('[') {
            return Err(Failure::new(Code::Invalid, format!("{file} holds no list of webhooks"))
                .next(FORM)
                .into());
        }
    }
    Ok(webhooks)
}

/// The webhooks of one document.
fn listed(document: &Value) -> Vec<&Value> {
    match document.get("webhooks").unwrap_or(document) {
        Value::Array(list) => list.iter().collect(),
        one => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(fields: &Value) -> Kept {
        Kept {
            place: String::new(),
            id: "w".to_owned(),
            fields: fields.as_object().cloned().expect("an object"),
        }
    }

    #[test]
    fn what_means_the_same_is_no_difference() {
        let there =
            kept(&json!({"active": true, "dialect": "native", "headers": [{"key": "a", "secret": true}],
            "filters": [], "timeout": 10, "signing": true, "coalesce": {"window": 5, "key": "resource"}}));
        let here =
            kept(&json!({"headers": [{"key": "a", "secret": true, "value": "hush"}], "timeout": "10s",
            "coalesce": {"window": "5s", "key": "resource"}}));
        assert_eq!(here.differences(&there), []);
    }

    #[test]
    fn a_difference_names_the_field_and_both_values_and_no_secret() {
        let there = kept(&json!({"url": "https://a", "active": true, "topics": ["*.*"]}));
        let here = kept(&json!({"url": "https://b", "active": false, "topics": ["*.*"],
            "headers": [{"key": "a", "secret": true, "value": "hush"}]}));
        let found = here.differences(&there);
        assert_eq!(
            found.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(),
            ["active", "headers", "url"]
        );
        assert_eq!(found[2], ("url".to_owned(), Some(json!("https://a")), Some(json!("https://b"))));
        assert!(!format!("{found:?}").contains("hush"));
    }
}
