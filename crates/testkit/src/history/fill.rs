//! Writes a history into a log, as the log-writers do: batches of some hundred records, several at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use postrider_domain::call::CallRecord;
use postrider_domain::record::Record;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::log::LogWrite;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{History, SPACES, webhook};

/// Batches on the way at a time, as of several log-writers.
const WRITERS: usize = 4;
/// Events of a batch; with deliveries and calls it has some 400 records.
const EVENTS: u64 = 125;
/// Calls that are named for whoever measures.
const SAMPLES: u64 = 500;

/// 1.42 calls an event, rounded down so that there are rather more.
const CALLS_OF_300_EVENTS: u64 = 423;

/// Stores a history of about so many calls. Answers what is where, so that it can be asked for.
///
/// # Panics
/// When the log does not take it.
pub async fn fill(log: Arc<dyn LogWrite>, calls: u64, until: Timestamp) -> Value {
    let history = History { events: calls * 300 / CALLS_OF_300_EVENTS + 1, until };
    let next = Arc::new(AtomicU64::new(0));
    let mut writers = JoinSet::new();
    for _ in 0..WRITERS {
        writers.spawn(write(Arc::clone(&log), history, Arc::clone(&next)));
    }
    let (mut written, mut samples) = (0, Vec::new());
    for (count, named) in writers.join_all().await {
        written += count;
        samples.extend(named);
    }
    let webhooks = |(space, webhooks, _): &(&str, u64, u64)| {
        let ids: Vec<String> = (0..*webhooks).map(|number| webhook(space, number).to_string()).collect();
        json!({"space": space, "webhooks": ids})
    };
    json!({
        "calls": written,
        "events": history.events,
        "until": until.to_string(),
        "spaces": SPACES.iter().map(webhooks).collect::<Vec<_>>(),
        "samples": samples,
    })
}

/// Writes batch after batch, until none is left. Answers how many calls were in them, and names a few.
async fn write(log: Arc<dyn LogWrite>, history: History, next: Arc<AtomicU64>) -> (u64, Vec<Value>) {
    let apart = (history.events / SAMPLES).max(1);
    let (mut calls, mut samples) = (0, Vec::new());
    loop {
        let first = next.fetch_add(EVENTS, Ordering::Relaxed);
        if first >= history.events {
            return (calls, samples);
        }
        let mut batch = Vec::with_capacity(512);
        for number in first..history.events.min(first + EVENTS) {
            let records = history.records(number);
            let found = records.iter().filter_map(|record| match record {
                Record::Call(call) => Some(call.as_ref()),
                _ => None,
            });
            if number.is_multiple_of(apart) {
                samples.extend(found.clone().next().map(sample));
            }
            calls += u64::try_from(found.count()).unwrap_or(0);
            batch.extend(records);
        }
        let poisoned = log.write(&batch).await.expect("the log takes a batch");
        assert!(poisoned.is_empty(), "the log refuses {poisoned:?}");
    }
}

fn sample(call: &CallRecord) -> Value {
    let head = &call.delivery.event;
    json!({
        "space": head.scope.space.as_str(),
        "webhook": call.delivery.webhook.as_str(),
        "event": head.id.as_str(),
        "call": call.id.to_string(),
        "at": call.started_at.to_string(),
    })
}
