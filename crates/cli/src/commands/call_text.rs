//! Calls as people read them.

use serde_json::Value;

use crate::indent::indented;
use crate::output::{fields, instant, table, text, took};

/// A call in a list.
pub(super) type Row = [String; 8];

/// A call as a row of [`listed`].
pub(super) fn row(call: &Value) -> Row {
    [
        text(call, "/sys/id"),
        instant(call, "/requestAt"),
        format!("{} {}", text(call, "/event/topic"), text(call, "/event/id")),
        text(call, "/webhook"),
        text(call, "/attempt"),
        answered(call),
        took(call, "/timings/totalMs"),
        text(call, "/state"),
    ]
}

/// A list of calls, and how to see older ones.
pub(super) fn listed(rows: Vec<Row>, next: Option<String>) -> String {
    if rows.is_empty() {
        return "There is no such call.".to_owned();
    }
    let head = ["call", "at (UTC)", "event", "webhook", "attempt", "answer", "took", "delivery"];
    with_next(table(head, rows), next)
}

/// A list, and how to see its next page.
pub(super) fn with_next(list: String, next: Option<String>) -> String {
    match next {
        Some(next) => format!("{list}\nThere are more: --all, or --cursor {next}"),
        None => list,
    }
}

/// The status, with Slack's code if it has one; or why there is none.
pub(super) fn answered(call: &Value) -> String {
    match call["statusCode"].as_u64() {
        Some(status) => match text(call, "/failure/message").split_once(": ") {
            Some((code, _)) => format!("{status} {code}"),
            None => status.to_string(),
        },
        None => text(call, "/failure/kind"),
    }
}

/// A call as `calls tail` shows it.
pub(super) fn one_line(call: &Value) -> String {
    format!(
        "{}  {:<9} {} {} → {}  attempt {}  {}  {}",
        text(call, "/requestAt"),
        answered(call),
        text(call, "/event/topic"),
        text(call, "/event/id"),
        text(call, "/webhook"),
        text(call, "/attempt"),
        took(call, "/timings/totalMs"),
        text(call, "/sys/id"),
    )
}

/// A call with its request and response.
pub(super) fn shown(call: &Value) -> String {
    let head = fields([
        ("call", text(call, "/sys/id")),
        ("event", format!("{} {}", text(call, "/event/topic"), text(call, "/event/id"))),
        ("webhook", text(call, "/webhook")),
        ("attempt", format!("{} of generation {}", text(call, "/attempt"), text(call, "/generation"))),
        ("delivery", format!("{} afterwards", text(call, "/state"))),
        ("again at", text(call, "/nextAt")),
        ("cause", text(call, "/diagnosis/cause")),
        ("next step", text(call, "/diagnosis/nextStep")),
    ]);
    let sent = format!(
        "{head}\n\n{}  {} {}{}",
        text(call, "/requestAt"),
        text(call, "/request/method"),
        text(call, "/request/url"),
        message(&call["request"])
    );
    format!("{sent}\n\n{}", came(call))
}

/// What came of a call: its answer, or why there was none.
pub(super) fn came(call: &Value) -> String {
    let took = took(call, "/timings/totalMs");
    let failure = call.pointer("/failure/message").and_then(Value::as_str);
    let status = text(call, "/statusCode");
    match failure {
        Some(failure) if call["statusCode"].is_null() => format!("no answer after {took}: {failure}"),
        Some(failure) => {
            format!("answered {status} after {took}: {failure}{}", message(&call["response"]))
        }
        None => format!("answered {status} after {took}{}", message(&call["response"])),
    }
}

/// Headers and body.
pub(super) fn message(message: &Value) -> String {
    let headers = message["headers"].as_object().into_iter().flatten().map(|(name, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("\n  {name}: {value}")
    });
    let headers: Vec<String> = headers.collect();
    let body = message["body"].as_str().unwrap_or_default();
    let body = indented(body).unwrap_or_else(|| body.to_owned());
    let gap = if body.is_empty() { "" } else { "\n\n" };
    format!("{}{gap}{body}", headers.concat())
}
