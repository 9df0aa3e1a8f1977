//! What a server's words mean for people: bodies of errors, and warnings.

use serde_json::Value;

/// What an error body says, in lines for people: management speaks Contentful's form, ingest its own.
pub(super) fn problem(body: &Value) -> Option<String> {
    let error = body.get("error").unwrap_or(body);
    let message = error.get("message")?.as_str()?;
    let details = error.pointer("/details/errors").or_else(|| error.get("details")).and_then(Value::as_array);
    let lines = details.into_iter().flatten().map(|detail| {
        let part = |name: &str| detail.get(name).and_then(Value::as_str).unwrap_or_default();
        let event = detail.get("index").map_or_else(String::new, |index| format!("event {index} "));
        let said = [part("details"), part("problem")].concat();
        format!("\n  - {event}{}: {said}; {}", part("path"), part("fix"))
    });
    let lines: Vec<String> = lines.collect();
    // Management repeats the details in its message, after the first colon.
    let head = if lines.is_empty() { message } else { message.split(": ").next().unwrap_or(message) };
    let text = format!("{head}{}", lines.concat());
    match error.get("fix").and_then(Value::as_str) {
        Some(fix) => Some(format!("{text}\n  {fix}")),
        None => Some(text),
    }
}

/// The text of `199 postrider "…"` (RFC 7234 §5.5).
pub(super) fn warning(value: &str) -> String {
    let text = value.split_once('"').map_or(value, |(_, text)| text);
    text.trim_end_matches('"').to_owned()
}
