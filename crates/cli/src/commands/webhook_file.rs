//! Webhooks as a file that people keep: the API's form without what only the server says, and without secrets.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::exit::{Code, Failure};

/// What the server alone says about a webhook.
const SERVERS: [&str; 3] = ["sys", "disabled", "status"];
/// Fields that hold a duration: a number of seconds or a text such as `10s`.
const DURATIONS: [&str; 6] = ["timeout", "window", "per", "initial", "maxDelay", "schedule"];

/// A webhook of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Kept {
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
        Self { id, fields }
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

/// The webhooks of a file: `{"webhooks": […]}`, or only the list.
///
/// # Errors
/// When it is of another form, or an id is missing or there twice.
pub(super) fn read(file: &Value) -> anyhow::Result<Vec<Kept>> {
    let form = || {
        let said = "the file is no list of webhooks";
        Failure::new(Code::Invalid, said)
            .next("see what `postrider webhooks export` writes: {\"webhooks\": [{\"id\": …}]}")
    };
    let list = file.get("webhooks").unwrap_or(file).as_array().ok_or_else(form)?;
    let mut seen = BTreeSet::new();
    let mut webhooks = Vec::new();
    for (index, webhook) in list.iter().enumerate() {
        let mut fields = webhook.as_object().cloned().ok_or_else(form)?;
        let id = fields.remove("id");
        let id = id.as_ref().and_then(Value::as_str).filter(|id| !id.is_empty()).ok_or_else(|| {
            Failure::new(Code::Invalid, format!("webhooks[{index}] has no id"))
                .next("give each webhook an \"id\" of your choice, such as \"search\": it is what apply knows it by")
        })?;
        if !seen.insert(id.to_owned()) {
            let said = format!("webhooks[{index}] has the id {id:?}, as another one before it");
            return Err(Failure::new(Code::Invalid, said).next("give each webhook an id of its own").into());
        }
        fields.retain(|name, _| !SERVERS.contains(&name.as_str()));
        webhooks.push(Kept { id: id.to_owned(), fields });
    }
    Ok(webhooks)
}

/// A value in the one form in which it is compared and shown; `None` is what the server takes for absent. No secrets.
fn plain(name: &str, value: &Value) -> Option<Value> {
    let absent = match (name, value) {
        (_, Value::Null) | ("httpBasicPassword", _) => true,
        ("active", Value::Bool(active)) => *active,
        ("signing", Value::Bool(signed)) => !signed,
        ("dialect", Value::String(dialect)) => dialect == "native",
        (_, Value::Array(list)) => list.is_empty(),
        _ => false,
    };
    if absent {
        return None;
    }
    Some(match (name, value) {
        ("signing", Value::Object(_)) => json!(true),
        ("headers", Value::Array(list)) => list.iter().map(header).collect(),
        _ => seconds(name, value),
    })
}

fn header(header: &Value) -> Value {
    let mut shown = header.clone();
    if let Some(fields) = shown.as_object_mut() {
        match fields.get("secret") {
            Some(Value::Bool(true)) => drop(fields.remove("value")),
            _ => drop(fields.remove("secret")),
        }
    }
    shown
}

/// Durations as seconds, wherever they stand.
fn seconds(name: &str, value: &Value) -> Value {
    let duration = DURATIONS.contains(&name);
    match value {
        Value::Array(list) => list.iter().map(|one| seconds(name, one)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), seconds(name, value))).collect()
        }
        Value::String(text) if duration => match humantime::parse_duration(text) {
            Ok(read) => json!(read.as_secs_f64()),
            Err(_) => value.clone(),
        },
        Value::Number(number) if duration => {
            number.as_f64().map_or_else(|| value.clone(), |seconds| json!(seconds))
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(fields: &Value) -> Kept {
        Kept { id: "w".to_owned(), fields: fields.as_object().cloned().expect("an object") }
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
