//! Webhooks as people read them.

use serde_json::{Value, json};

use super::call_text::came;
use crate::client::Answer;
use crate::output::{Output, fields, table, text};

/// A webhook that was made or changed, with a secret that was drawn for it, this once.
pub(super) fn saved(what: &str, answer: &Answer, output: Output) {
    output.answer(answer, |webhook| {
        let secret = match webhook.pointer("/signing/secret").and_then(Value::as_str) {
            Some(secret) => format!("\nIts signing secret, shown this once: {secret}"),
            None => String::new(),
        };
        format!("{what} {} ({}){secret}", text(webhook, "/sys/id"), text(webhook, "/name"))
    });
}

/// All of a space.
pub(super) fn listed(webhooks: &[Value]) -> String {
    if webhooks.is_empty() {
        return "There is no webhook yet: postrider webhooks create --help".to_owned();
    }
    let rows = webhooks.iter().map(|webhook| {
        let [id, name, dialect] = ["/sys/id", "/name", "/dialect"].map(|pointer| text(webhook, pointer));
        let calls = slack(webhook).unwrap_or_else(|| text(webhook, "/url"));
        [id, name, calls, subscribed(webhook), dialect, active(webhook).to_owned()]
    });
    table(["id", "name", "calls", "for", "dialect", "active"], rows)
}

/// One with all its settings; those that have their default are left out.
pub(super) fn shown(webhook: &Value) -> String {
    let list = |name: &str| {
        let values = webhook[name].as_array().into_iter().flatten();
        values.map(plain).collect::<Vec<_>>().join("\n")
    };
    let secrets = webhook.pointer("/signing/secrets").and_then(Value::as_array);
    let signing = secrets.into_iter().flatten().map(|secret| match secret["expiresAt"].as_str() {
        Some(end) => format!("secret of {}, until {end}", text(secret, "/createdAt")),
        None => format!("secret of {}", text(secret, "/createdAt")),
    });
    let headers = webhook["headers"].as_array().into_iter().flatten().map(|header| {
        let value =
            if header["secret"] == json!(true) { "•••".to_owned() } else { text(header, "/value") };
        format!("{}: {value}", text(header, "/key"))
    });
    let json = |name: &str| webhook.get(name).map_or_else(String::new, plain);
    fields([
        ("webhook", text(webhook, "/sys/id")),
        ("name", text(webhook, "/name")),
        ("active", activity(webhook)),
        ("calls", called(webhook)),
        ("dialect", text(webhook, "/dialect")),
        ("topics", list("topics")),
        ("triggers", list("triggers")),
        ("content types", list("contentTypes")),
        ("entities", list("entities")),
        ("filters", list("filters")),
        ("changed fields", list("changedFields")),
        ("states", list("states")),
        ("headers", headers.collect::<Vec<_>>().join("\n")),
        ("basic auth", text(webhook, "/httpBasicUsername")),
        ("signing", signing.collect::<Vec<_>>().join("\n")),
        ("body", json("transformation")),
        ("template", json("template")),
        ("message", webhook.pointer("/action/template").map_or_else(String::new, plain)),
        ("options", json("options")),
        ("retry", json("retryPolicy")),
        ("timeout", seconds(webhook, "/timeout")),
        ("coalesce", json("coalesce")),
        ("rate limit", json("rateLimit")),
        ("version", text(webhook, "/sys/version")),
        ("made", audited(webhook, "created")),
        ("changed", audited(webhook, "updated")),
    ])
}

/// How a webhook has been doing.
pub(super) fn health(answer: &Value) -> String {
    let [total, healthy] = ["/calls/total", "/calls/healthy"].map(|at| text(answer, at));
    if total == "0" {
        return "It has not been called yet.".to_owned();
    }
    format!("{healthy} of {total} calls on record succeeded")
}

/// A call that was made just now, with what came of it.
pub(super) fn tried(call: &Value) -> String {
    format!("{} {}\n{}", text(call, "/request/method"), text(call, "/request/url"), came(call))
}

/// Contentful's list of a webhook's calls.
pub(super) fn called_list(answer: &Value) -> String {
    let calls = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    if calls.is_empty() {
        return "There is no call of it on record.".to_owned();
    }
    let rows = calls.iter().map(|call| {
        let answer = match call["statusCode"].as_u64() {
            Some(status) => status.to_string(),
            None => call["errors"].as_array().into_iter().flatten().map(plain).collect(),
        };
        let [id, action, url] = ["/sys/id", "/eventType", "/url"].map(|pointer| text(call, pointer));
        [id, crate::output::instant(call, "/requestAt"), action, answer, url]
    });
    let table = table(["call", "at (UTC)", "action", "answer", "url"], rows);
    let number = |name: &str| answer[name].as_u64().unwrap_or_default();
    let shown = number("skip") + number("limit");
    if shown < number("total") {
        return format!("{table}\n{} in all; the next: --skip {shown}", number("total"));
    }
    table
}

/// What a webhook subscribes to, in a few words.
fn subscribed(webhook: &Value) -> String {
    let list = |name: &str| webhook[name].as_array().cloned().unwrap_or_default();
    let mut parts: Vec<String> = list("topics").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    for (count, one) in [(list("triggers").len(), "trigger"), (list("filters").len(), "filter")] {
        match count {
            0 => {}
            1 => parts.push(format!("1 {one}")),
            many => parts.push(format!("{many} {one}s")),
        }
    }
    parts.join(", ")
}

fn active(webhook: &Value) -> &'static str {
    if webhook["active"] == json!(false) { "no" } else { "yes" }
}

fn activity(webhook: &Value) -> String {
    let Some(disabled) = webhook.get("disabled").filter(|disabled| disabled.is_object()) else {
        return active(webhook).to_owned();
    };
    let reason = disabled["reason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"));
    format!("no, since {} by {}{reason}", text(disabled, "/at"), text(disabled, "/by"))
}

/// Where it posts, if it posts to Slack.
pub(super) fn slack(webhook: &Value) -> Option<String> {
    let action = webhook.get("action").filter(|action| action["type"] == "slack")?;
    let channel =
        action["channel"].as_str().map_or_else(String::new, |channel| format!(", channel {channel}"));
    Some(format!("Slack: {}{channel}", text(action, "/connection")))
}

fn called(webhook: &Value) -> String {
    if let Some(slack) = slack(webhook) {
        return slack;
    }
    let method = webhook.pointer("/transformation/method").and_then(Value::as_str).unwrap_or("POST");
    format!("{method} {}", text(webhook, "/url"))
}

fn audited(webhook: &Value, what: &str) -> String {
    let by = text(webhook, &format!("/sys/{what}By/sys/id"));
    format!("{} by {by}", text(webhook, &format!("/sys/{what}At")))
}

fn seconds(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).map_or_else(String::new, |seconds| format!("{seconds} s"))
}

/// A text as it is, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
