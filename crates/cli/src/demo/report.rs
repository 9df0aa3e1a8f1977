//! Compares what came of the script with what must come of it: once by the system's own record, once by the receiver's
//! ledger, and once by verifying every signature.

use std::collections::HashMap;

use postrider_domain::timestamp::Timestamp;
use serde_json::{Value, json};

use super::ledger::Entry;
use super::script::{Expectation, Script, ScriptEvent, ScriptWebhook};
use crate::output::table;
use crate::verify::{Verdict, verify};

/// What is known after the run.
#[derive(Debug, Default)]
pub struct Facts {
    /// When each event was accepted, by its id.
    pub accepted: HashMap<String, Timestamp>,
    /// The deliveries of the system's record, by event and webhook name.
    pub deliveries: HashMap<(String, String), Delivery>,
    /// What the receiver saw.
    pub entries: Vec<Entry>,
    /// The signing secrets, by webhook name.
    pub secrets: HashMap<String, String>,
    /// `webhook-id` of each delivery: event and webhook name.
    pub message_ids: HashMap<String, (String, String)>,
}

/// A delivery as the system recorded it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// `delivered`, `given_up`, …
    pub state: String,
    /// Attempts whose outcome is known.
    pub attempts: usize,
}

/// One line of the table.
#[derive(Debug)]
pub struct Row {
    event: String,
    topic: String,
    webhook: String,
    calls: usize,
    outcome: String,
    receipt_ms: Option<i64>,
    signature: Signature,
    faults: Vec<String>,
}

/// What verification found over all calls of a delivery.
#[derive(Debug, PartialEq, Eq)]
enum Signature {
    /// There was no call.
    NoCall,
    /// Every call verifies.
    Good,
    /// One does not.
    Bad,
}

/// The whole comparison.
#[derive(Debug)]
pub struct Report {
    rows: Vec<Row>,
    stray: Vec<String>,
}

impl Report {
    /// Compares.
    pub fn compare(script: &Script, facts: &Facts) -> Self {
        let mut seen = by_delivery(script, facts);
        let mut rows = Vec::new();
        for event in &script.events {
            for webhook in &script.webhooks {
                let Some(expected) = webhook.expect.iter().find(|one| one.events.contains(&event.id)) else {
                    continue;
                };
                let calls = seen.remove(&(event.id.clone(), webhook.name.clone())).unwrap_or_default();
                rows.push(row(event, webhook, expected, &calls, facts));
            }
        }
        let expected =
            |key: &(String, String)| rows.iter().any(|row| row.event == key.0 && row.webhook == key.1);
        let mut stray: Vec<String> = facts
            .deliveries
            .keys()
            .filter(|key| !expected(key))
            .map(|(event, webhook)| format!("{event} was matched to {webhook}, which does not want it"))
            .collect();
        stray.extend(
            seen.keys()
                .map(|(event, webhook)| format!("{webhook} was called for {event}, which it does not want")),
        );
        stray.sort();
        Self { rows, stray }
    }

    /// Whether everything came out exactly as it must.
    pub fn is_good(&self) -> bool {
        self.stray.is_empty() && self.rows.iter().all(|row| row.faults.is_empty())
    }

    /// The table, and under it every fault.
    pub fn to_text(&self) -> String {
        let head = ["event", "webhook", "calls", "outcome", "accept → receipt", "signature", ""];
        let table = table(head, self.rows.iter().map(Row::cells));
        self.faults().iter().fold(table, |text, fault| format!("{text}\n  ✗ {fault}"))
    }

    /// Every fault in words.
    pub fn faults(&self) -> Vec<String> {
        let of_rows = self.rows.iter().flat_map(|row| {
            row.faults.iter().map(move |fault| format!("{} → {}: {fault}", row.event, row.webhook))
        });
        of_rows.chain(self.stray.iter().cloned()).collect()
    }

    /// The same for programs.
    pub fn to_json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::to_json).collect();
        json!({ "good": self.is_good(), "deliveries": rows, "faults": self.faults() })
    }
}

impl Row {
    fn cells(&self) -> [String; 7] {
        [
            self.event.clone(),
            self.webhook.clone(),
            self.calls.to_string(),
            self.outcome.clone(),
            self.receipt_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms")),
            self.signature.to_string(),
            if self.faults.is_empty() { "✓" } else { "✗" }.to_owned(),
        ]
    }

    fn to_json(&self) -> Value {
        json!({
            "event": self.event, "topic": self.topic, "webhook": self.webhook, "calls": self.calls, "outcome": self.outcome,
            "acceptToReceiptMs": self.receipt_ms, "signature": self.signature.to_string(), "faults": self.faults,
        })
    }
}

impl std::fmt::Display for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoCall => "-",
            Self::Good => "verified",
            Self::Bad => "NOT VERIFIED",
        })
    }
}

fn row(
    event: &ScriptEvent,
    webhook: &ScriptWebhook,
    expected: &Expectation,
    calls: &[&Entry],
    facts: &Facts,
) -> Row {
    let mut faults = Vec::new();
    let delivery = facts.deliveries.get(&(event.id.clone(), webhook.name.clone()));
    let outcome = delivery.map_or("missing", |delivery| delivery.state.as_str());
    if outcome != expected.outcome {
        faults.push(format!("its outcome is {outcome}, it must be {}", expected.outcome));
    }
    if let Some(delivery) = delivery.filter(|delivery| delivery.attempts != expected.calls) {
        faults
            .push(format!("the record has {} call(s), there must be {}", delivery.attempts, expected.calls));
    }
    if calls.len() != expected.calls {
        faults.push(format!("the receiver saw {} call(s), it must see {}", calls.len(), expected.calls));
    }
    let signature = signature(webhook, calls, facts, &mut faults);
    if let Some(call) = calls.iter().find(|call| !carries(webhook, event, call)) {
        let size = call.call.body.len();
        faults.push(format!("a body of {size} bytes does not carry the event's data as it was published"));
    }
    let taken = calls.iter().find(|call| call.status.is_success());
    let receipt_ms = taken.and_then(|call| {
        let accepted = facts.accepted.get(&event.id)?;
        Some(call.call.at.unix_ms() - accepted.unix_ms())
    });
    Row {
        event: event.id.clone(),
        topic: event.topic.clone(),
        webhook: webhook.name.clone(),
        calls: calls.len(),
        outcome: outcome.to_owned(),
        receipt_ms,
        signature,
        faults,
    }
}

fn signature(
    webhook: &ScriptWebhook,
    calls: &[&Entry],
    facts: &Facts,
    faults: &mut Vec<String>,
) -> Signature {
    let secrets: Vec<String> = facts.secrets.get(&webhook.name).cloned().into_iter().collect();
    let verdicts: Vec<Verdict> = calls.iter().map(|entry| verify(entry.call.signed(), &secrets)).collect();
    match verdicts.iter().find(|verdict| !verdict.is_verified()) {
        _ if verdicts.is_empty() => Signature::NoCall,
        None => Signature::Good,
        Some(bad) => {
            faults.push(format!("its signature: {bad}"));
            Signature::Bad
        }
    }
}

/// Whether a call carries the data as published: byte for byte, wherever the dialect has a place for it. CometCMS's
/// payload only refers to the document.
fn carries(webhook: &ScriptWebhook, event: &ScriptEvent, entry: &Entry) -> bool {
    let wanted = if webhook.definition["dialect"] == "cometcms" { &event.resource } else { &event.data };
    String::from_utf8_lossy(&entry.call.body).contains(wanted.as_str())
}

/// The calls of each delivery. A call tells its delivery by `webhook-id`; CometCMS's has none and names the resource.
fn by_delivery<'a>(script: &Script, facts: &'a Facts) -> HashMap<(String, String), Vec<&'a Entry>> {
    let mut seen: HashMap<_, Vec<&Entry>> = HashMap::new();
    for entry in &facts.entries {
        let by_id = entry.call.header("webhook-id").and_then(|id| facts.message_ids.get(id)).cloned();
        let key = by_id.unwrap_or_else(|| (resource_event(script, entry), entry.webhook.clone()));
        seen.entry(key).or_default().push(entry);
    }
    seen
}

fn resource_event(script: &Script, entry: &Entry) -> String {
    let body: Value = serde_json::from_slice(&entry.call.body).unwrap_or_default();
    let resource = body.pointer("/data/id").and_then(Value::as_str).unwrap_or_default();
    let event = script.events.iter().find(|event| event.resource == resource);
    event.map_or_else(|| "an unknown event".to_owned(), |event| event.id.clone())
}
