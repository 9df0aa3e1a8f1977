//! What is asked for.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bench::http::Server;

/// Pages before the one that is measured "deep in the list".
const DEEP: usize = 99;

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    /// For people.
    pub(crate) what: &'static str,
    /// The path, in which `{busy}` and `{rare}` stand for webhooks, and `{space}`, `{webhook}`, `{event}`, `{call}`,
    /// `{hour}` for what belongs to a sample: a line with one of these asks for another one every time.
    path: &'static str,
    /// Whether the page is asked for that comes after [`DEEP`] others.
    is_deep: bool,
}

const fn line(what: &'static str, path: &'static str) -> Line {
    Line { what, path, is_deep: false }
}

const fn deep(what: &'static str, path: &'static str) -> Line {
    Line { what, path, is_deep: true }
}

/// All lines. `main` has 60 % of all calls, `tiny` 1 %.
pub(crate) const LINES: [Line; 51] = [
    line("calls, newest", "/spaces/main/calls"),
    line("calls, newest 100 with their bodies", "/spaces/main/calls?limit=100"),
    line("calls of the small space", "/spaces/tiny/calls"),
    line("calls of the webhook with 400,000", "/spaces/main/calls?webhook={busy}"),
    line("calls of a webhook with 40, a week ago", "/spaces/main/calls?webhook={rare}"),
    line("calls that succeeded", "/spaces/main/calls?status=delivered"),
    line("calls after which the delivery was given up", "/spaces/main/calls?state=given_up"),
    line("calls that are tried again", "/spaces/main/calls?state=pending"),
    line("calls, most frequent type and action", "/spaces/main/calls?type=Entry&action=publish"),
    line("calls, type and action, 2 %", "/spaces/main/calls?type=Entry&action=delete"),
    line("calls, rarest type and action", "/spaces/main/calls?type=Release&action=unarchive"),
    line("calls, rare type", "/spaces/main/calls?type=Release"),
    line("calls, rare action", "/spaces/main/calls?action=unarchive"),
    line("calls, most frequent environment", "/spaces/main/calls?environment=master"),
    line("calls, environment with 10 %", "/spaces/main/calls?environment=staging"),
    line("calls, environment with 0.5 %", "/spaces/main/calls?environment=preview-7"),
    line("calls of an event", "/spaces/{space}/calls?event={event}"),
    line("calls of an hour", "/spaces/main/calls?{hour}"),
    line("calls of an hour, given up", "/spaces/main/calls?{hour}&state=given_up"),
    line("calls of a webhook in an hour", "/spaces/main/calls?webhook={busy}&{hour}"),
    line("calls of a webhook, given up", "/spaces/main/calls?webhook={busy}&state=given_up"),
    line("calls of a rare webhook, given up", "/spaces/main/calls?webhook={rare}&state=given_up"),
    line(
        "calls of a webhook, frequent type and action",
        "/spaces/main/calls?webhook={busy}&type=Asset&action=save",
    ),
    line("calls of a webhook, a type it has never had", "/spaces/main/calls?webhook={busy}&type=Release"),
    line(
        "calls of a webhook, all kinds of filter at once",
        "/spaces/main/calls?webhook={busy}&type=Asset&action=unarchive&environment=preview-7&state=given_up",
    ),
    line(
        "calls, frequent type in a rare environment, given up",
        "/spaces/main/calls?type=Entry&environment=preview-7&state=given_up",
    ),
    deep("calls, page 100 by cursor", "/spaces/main/calls"),
    deep("calls of a webhook, page 100 by cursor", "/spaces/main/calls?webhook={busy}"),
    deep("calls given up, page 100 by cursor", "/spaces/main/calls?state=given_up"),
    line("calls, skip=9000", "/spaces/main/calls?skip=9000"),
    line("calls of a webhook, skip=9000", "/spaces/main/calls?webhook={busy}&skip=9000"),
    line("Contentful's overview of a webhook's calls", "/spaces/main/webhooks/{busy}/calls"),
    line("Contentful's overview, skip=9000", "/spaces/main/webhooks/{busy}/calls?skip=9000"),
    line("Contentful's health of the webhook with 400,000 calls", "/spaces/main/webhooks/{busy}/health"),
    line("details of a call", "/spaces/{space}/calls/{call}"),
    line("details of a call, Contentful's path", "/spaces/{space}/webhooks/{webhook}/calls/{call}"),
    line("deliveries, last changed", "/spaces/main/deliveries"),
    line("deliveries of the webhook with 400,000 calls", "/spaces/main/deliveries?webhook={busy}"),
    line("deliveries that wait", "/spaces/main/deliveries?state=pending"),
    line("deliveries that failed and wait", "/spaces/main/deliveries?status=rescheduled"),
    line("deliveries by their next attempt", "/spaces/main/deliveries?order=nextAt"),
    line("deliveries of a webhook, given up", "/spaces/main/deliveries?webhook={busy}&status=given_up"),
    line("deliveries, rare type", "/spaces/main/deliveries?type=Release"),
    line("deliveries, type and action, 2 %", "/spaces/main/deliveries?type=Entry&action=delete"),
    line("deliveries, environment with 0.5 %", "/spaces/main/deliveries?environment=preview-7"),
    line(
        "deliveries of a webhook, a type it has never had",
        "/spaces/main/deliveries?webhook={busy}&type=Release",
    ),
    line("deliveries of an hour, given up", "/spaces/main/deliveries?{hour}&status=given_up"),
    deep("deliveries, page 100 by cursor", "/spaces/main/deliveries"),
    line("an event with its deliveries", "/spaces/{space}/events/{event}"),
    line("why each webhook got an event or not", "/spaces/{space}/events/{event}/explain"),
    line("balance of a space", "/spaces/main/balance"),
];

/// The paths of a line, to be asked for in turn.
pub(crate) async fn paths(line: &Line, api: &Server, filled: &Value) -> Result<Vec<String>> {
    let webhooks = filled["spaces"][0]["webhooks"].as_array().context("webhooks")?;
    let end =
        |webhook: Option<&Value>| webhook.and_then(Value::as_str).map(str::to_owned).context("a webhook");
    let (busy, rare) = (end(webhooks.first())?, end(webhooks.last())?);
    let path = line.path.replace("{busy}", &busy).replace("{rare}", &rare);
    if line.is_deep {
        return Ok(vec![follow(api, &path).await?]);
    }
    if !path.contains('{') {
        return Ok(vec![path]);
    }
    let samples = filled["samples"].as_array().context("samples")?;
    ensure!(samples.len() >= 100, "only {} samples", samples.len());
    samples.iter().map(|sample| fill_in(&path, sample)).collect()
}

/// What belongs to a sample, in its places.
fn fill_in(path: &str, sample: &Value) -> Result<String> {
    let mut path = path.to_owned();
    for name in ["space", "webhook", "event", "call"] {
        let value = sample[name].as_str().with_context(|| format!("a sample without {name}"))?;
        path = path.replace(&format!("{{{name}}}"), value);
    }
    // `2026-01-02T03:04:05.678Z`: the hour that holds the instant.
    let hour = sample["at"].as_str().and_then(|at| at.get(..13)).context("a sample without an instant")?;
    Ok(path.replace("{hour}", &format!("from={hour}:00:00Z&to={hour}:59:59.999Z")))
}

/// The path of the page that comes after [`DEEP`] others.
async fn follow(api: &Server, path: &str) -> Result<String> {
    let mark = if path.contains('?') { '&' } else { '?' };
    let mut here = path.to_owned();
    for page in 0..DEEP {
        let answer = api.ask_json("GET", &here, "").await?;
        let next = answer["pages"]["next"].as_str().with_context(|| format!("page {page} is the last"))?;
        here = format!("{path}{mark}cursor={next}");
    }
    Ok(here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_sample_fills_every_place() {
        let sample = json!({"space": "s", "webhook": "w", "event": "e", "call": "c", "at": "2026-01-02T03:04:05.678Z"});
        let filled = fill_in("/{space}/{webhook}/{event}/{call}?{hour}", &sample).expect("complete");
        assert_eq!(filled, "/s/w/e/c?from=2026-01-02T03:00:00Z&to=2026-01-02T03:59:59.999Z");
        assert!(LINES.iter().all(|line| {
            let path = line.path.replace("{busy}", "b").replace("{rare}", "r");
            !fill_in(&path, &sample).expect("complete").contains('{')
        }));
    }
}
