//! Events as people read them.

use serde_json::{Value, json};

use super::delivery_text::{generation, why};
use crate::indent::{indented, part};
use crate::output::{fields, table, text};

/// An event with its deliveries and its data, whose text is not taken apart.
pub(super) fn shown(event: &Value, answer: &str) -> String {
    let kind = event.pointer("/resource/contentType").and_then(Value::as_str).unwrap_or_default();
    let head = fields([
        ("event", text(event, "/id")),
        ("topic", text(event, "/topic")),
        ("environment", text(event, "/environment")),
        ("resource", format!("{kind} {}", text(event, "/resource/id")).trim_start().to_owned()),
        ("occurred", text(event, "/occurredAt")),
        ("accepted", text(event, "/acceptedAt")),
    ]);
    let deliveries = event["deliveries"].as_array().cloned().unwrap_or_default();
    let rows = deliveries.iter().map(|delivery| {
        let [webhook, state, calls] =
            ["/webhook", "/state", "/attempt"].map(|pointer| text(delivery, pointer));
        [webhook, generation(delivery), state, calls, why(delivery)]
    });
    let table = if deliveries.is_empty() {
        "No webhook wanted it: postrider events explain says why.".to_owned()
    } else {
        table(["webhook", "sent", "delivery", "calls", "reason or next attempt"], rows)
    };
    let data = part(answer, &["content", "data"]).and_then(|data| indented(&data)).unwrap_or_default();
    format!("{head}\n{table}\n{data}")
}

/// What each webhook made of an event.
pub(super) fn explanation(answer: &Value) -> String {
    let webhooks = answer["webhooks"].as_array().cloned().unwrap_or_default();
    let head = format!(
        "{} {}, accepted {}",
        text(answer, "/event/topic"),
        text(answer, "/event/id"),
        text(answer, "/event/acceptedAt")
    );
    if webhooks.is_empty() {
        return format!("{head}\nNo webhook was there to be considered.");
    }
    let rows = webhooks.iter().flat_map(|webhook| {
        let name = webhook["name"].as_str().map_or_else(|| text(webhook, "/id"), str::to_owned);
        let rule = format!("{}: {}", text(webhook, "/rule"), text(webhook, "/detail"));
        let why =
            if webhook["matched"] == json!(true) { format!("yes, {rule}") } else { format!("no, {rule}") };
        let deliveries = webhook["deliveries"].as_array().cloned().unwrap_or_default();
        let mut rows: Vec<[String; 3]> =
            deliveries.iter().map(|one| [name.clone(), why.clone(), came_of(one)]).collect();
        if rows.is_empty() {
            rows.push([name, why, "-".to_owned()]);
        }
        rows
    });
    let table = table(["webhook", "wanted it?", "what came of it"], rows);
    match answer["unlisted"].as_u64() {
        Some(0) | None => format!("{head}\n{table}"),
        Some(more) => format!("{head}\n{table}\n{more} more webhook(s) did not want it."),
    }
}

/// A delivery and its calls in a few lines.
fn came_of(delivery: &Value) -> String {
    let mut lines = vec![text(delivery, "/state")];
    if delivery["reason"].is_string() {
        lines[0] = format!("{}: {}", lines[0], text(delivery, "/reason"));
    }
    for call in delivery["calls"].as_array().into_iter().flatten() {
        let answer = call["statusCode"]
            .as_u64()
            .map_or_else(|| text(call, "/failure/kind"), |status| status.to_string());
        lines.push(format!("{} attempt {}: {answer}", text(call, "/requestAt"), text(call, "/attempt")));
    }
    if delivery["nextAt"].is_string() {
        lines.push(format!("next at {}", text(delivery, "/nextAt")));
    }
    lines.join("\n")
}
