//! The one form in which fields of webhooks are compared and shown: what means the same to the API is the same here.

use std::time::Duration;

use postrider_domain::retry::{NAMES, RetryPolicy, Schedule};
use serde_json::{Map, Value, json};

/// Fields that hold a duration: a number of seconds or a text such as `10s`.
const DURATIONS: [&str; 6] = ["timeout", "window", "per", "initial", "maxDelay", "schedule"];

/// A value in that form; `None` is what the API takes for absent. No secrets.
pub(super) fn plain(name: &str, value: &Value) -> Option<Value> {
    let absent = match (name, value) {
        (_, Value::Null) | ("httpBasicPassword", _) => true,
        ("active", Value::Bool(active)) => *active,
        ("signing", Value::Bool(signed)) => !signed,
        ("dialect", Value::String(dialect)) => dialect == "native",
        ("transformation", Value::Object(parts)) => said(parts).is_empty(),
        (_, Value::Array(list)) => list.is_empty(),
        (_, Value::Object(fields)) => fields.is_empty() && name != "signing",
        _ => false,
    };
    if absent {
        return None;
    }
    Some(match (name, value) {
        ("signing", Value::Object(_)) => json!(true),
        ("headers", Value::Array(list)) => list.iter().map(header).collect(),
        ("triggers", Value::Array(list)) => list.iter().map(without_empty).collect(),
        ("retryPolicy", value) => policy(value),
        ("coalesce", Value::Object(rule)) => with_default(rule, "key", json!("resource")),
        ("rateLimit", Value::Object(limit)) => with_default(limit, "per", json!(1)),
        ("transformation", Value::Object(parts)) => Value::Object(said(parts)),
        // What is in these is the receiver's: `10s` may be a text there.
        ("template" | "options" | "filters" | "action", value) => value.clone(),
        _ => uniform(name, value),
    })
}

/// The parts of a transformation that change something: POST is the method unless said otherwise.
fn said(parts: &Map<String, Value>) -> Map<String, Value> {
    let idle =
        |name: &str, value: &Value| value.is_null() || (name == "method" && value.as_str() == Some("POST"));
    let said = parts.iter().filter(|(name, value)| !idle(name, value));
    said.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A secret header without its value, since the API does not show it either.
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

/// A list that is empty narrows nothing.
fn without_empty(value: &Value) -> Value {
    let Some(fields) = value.as_object() else { return value.clone() };
    let given = fields
        .iter()
        .filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()));
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn with_default(fields: &Map<String, Value>, name: &str, default: Value) -> Value {
    let mut fields = fields.clone();
    fields.entry(name).or_insert(default);
    uniform("", &Value::Object(fields))
}

/// A policy by its name if it has one, else with all its figures.
fn policy(value: &Value) -> Value {
    let given = match value {
        Value::String(name) => return json!({ "name": name }),
        Value::Object(given) if !given.contains_key("name") => given,
        other => return other.clone(),
    };
    let missing = if given.contains_key("schedule") {
        json!({ "jitter": 0 })
    } else {
        figures(&RetryPolicy::default().schedule)
    };
    let mut whole = missing.as_object().cloned().unwrap_or_default();
    whole.extend(given.iter().map(|(name, value)| (name.clone(), value.clone())));
    let whole = uniform("", &Value::Object(whole));
    let named = |name: &&&str| {
        let policy = RetryPolicy::named(name).ok();
        policy.is_some_and(|policy| {
            policy.on == RetryPolicy::default().on && figures(&policy.schedule) == whole
        })
    };
    NAMES.iter().find(named).map_or(whole, |name| json!({ "name": name }))
}

/// A schedule as the API writes it.
fn figures(schedule: &Schedule) -> Value {
    let seconds = |duration: &Duration| json!(duration.as_secs_f64());
    let written = match schedule {
        Schedule::Exponential { initial, factor, max_delay, max_attempts, jitter } => json!({
            "initial": seconds(initial), "factor": factor, "maxDelay": seconds(max_delay),
            "maxAttempts": max_attempts, "jitter": jitter,
        }),
        Schedule::Explicit { delays, jitter } => {
            json!({ "schedule": delays.iter().map(seconds).collect::<Vec<_>>(), "jitter": jitter })
        }
    };
    uniform("", &written)
}

/// Durations as seconds, and numbers without a needless fraction, wherever they stand.
fn uniform(name: &str, value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(|one| uniform(name, one)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), uniform(name, value))).collect()
        }
        Value::String(text) if DURATIONS.contains(&name) => match humantime::parse_duration(text) {
            Ok(read) => uniform(name, &json!(read.as_secs_f64())),
            Err(_) => value.clone(),
        },
        Value::Number(number) => match number.as_f64() {
            // Exact below 2^53, far beyond any figure of a webhook.
            Some(figure) if figure.fract() == 0.0 && figure.abs() < 9e15 => whole(figure),
            _ => value.clone(),
        },
        other => other.clone(),
    }
}

fn whole(figure: f64) -> Value {
    // `{:.0}` of a whole number below 2^53 is its digits.
    format!("{figure:.0}").parse::<i64>().map_or_else(|_| json!(figure), |number| json!(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_api_takes_for_the_same_is_the_same() {
        for (name, one, other) in [
            ("timeout", json!("1m 30s"), json!(90.0)),
            ("retryPolicy", json!("contentful"), json!({"name": "contentful"})),
            ("retryPolicy", json!({"schedule": ["1s", 60]}), json!({"schedule": [1, "1m"], "jitter": 0.0})),
            (
                "retryPolicy",
                json!({"maxAttempts": 3}),
                json!({"initial": 5, "factor": 4, "maxDelay": "6h", "maxAttempts": 3, "jitter": 0.2}),
            ),
            ("retryPolicy", json!({"initial": "5s"}), json!("default")),
            ("coalesce", json!({"window": "5s"}), json!({"window": 5, "key": "resource"})),
            ("rateLimit", json!({"calls": 5}), json!({"calls": 5, "per": "1s"})),
            ("triggers", json!([{"type": "Entry", "actions": []}]), json!([{"type": "Entry"}])),
            (
                "headers",
                json!([{"key": "a", "secret": true, "value": "x"}]),
                json!([{"key": "a", "secret": true}]),
            ),
            ("transformation", json!({"method": "POST"}), Value::Null),
            ("filters", json!([]), Value::Null),
            (
                "transformation",
                json!({"method": "POST", "body": {"a": 1}}),
                json!({"body": {"a": 1}, "contentType": null}),
            ),
        ] {
            assert_eq!(plain(name, &one), plain(name, &other), "{name}: {one} and {other}");
        }
    }

    #[test]
    fn what_differs_is_not_the_same() {
        for (name, one, other) in [
            ("timeout", json!("30s"), json!(31)),
            ("retryPolicy", json!("contentful"), json!("datocms")),
            ("retryPolicy", json!({"schedule": [1]}), json!({"schedule": [1], "jitter": 0.1})),
            ("coalesce", json!(false), Value::Null),
            ("transformation", json!({"method": "PUT"}), Value::Null),
            ("triggers", json!([{"type": "Entry"}]), json!([{"type": "Asset"}])),
            ("transformation", json!({"body": {"timeout": "10s"}}), json!({"body": {"timeout": 10}})),
            ("options", json!({"concise": "true"}), Value::Null),
        ] {
            assert_ne!(plain(name, &one), plain(name, &other), "{name}: {one} and {other}");
        }
    }
}
