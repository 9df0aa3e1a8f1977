//! One event for 10,000 webhooks: how soon the first gets it, what it costs, and what the events of others feel of it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Bound, MOST_MIB, Story, peak_of, webhooks};
use crate::bench::book::{Book, now};
use crate::bench::figures::{Latencies, thousandths};
use crate::bench::load::flood;
use crate::bench::reading::{Reading, peaks};
use crate::bench::receiver::{Manner, Receiver};
use crate::bench::run::{Lab, Space};
use crate::bench::system::System;

/// The others' pace, and how many of theirs each part of a round has: ten seconds, as long as the far end takes at the
/// pace of bulk.
const PER_SECOND: u32 = 100;
const OTHERS: usize = 1000;
/// Without and with, alternating: 3,000 samples each.
const ROUNDS: usize = 3;
/// From the answer 202 to the first receipt.
const FIRST_MS: f64 = 50.0;
/// The others' p95, beside ÷ alone.
const SLOWER: f64 = 2.0;
/// The peak of memory after all rounds ÷ after the first: what a fan-out takes is given back.
const GROWTH: f64 = 1.15;
/// Per delivery, as DESIGN §5 has it for a fan-out of ten and more.
const COSTS: [(&str, &str, f64); 3] = [
    ("broker messages per delivery", "broker_published", 0.5),
    ("answers of Redis per delivery", "redis_round_trips", 0.1),
    ("SQL statements per delivery", "sql_statements", 0.05),
];
/// How long the whole fan-out may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A huge fan-out that arrived.
struct Fanned {
    accepted_to_first_ms: f64,
    all_seconds: f64,
}

/// Runs it.
pub(super) async fn run(lab: &mut Lab, webhooks: usize) -> Result<Story> {
    let system = System::distributed(&lab.binary, &mut lab.servers).await?;
    let story = tell(lab, &system, webhooks).await.with_context(|| system.errors())?;
    system.stop(&lab.servers).await?;
    Ok(story)
}

async fn tell(lab: &Lab, system: &System, webhooks: usize) -> Result<Story> {
    let others = Space::open(system, &lab.receiver, "others", 1, Manner::AtOnce).await?;
    let load = lab.hanging.open(&Arc::new(Book::new(webhooks, 0)));
    let url = |at| format!("http://{}{}", lab.hanging.address(), Receiver::path(load, Manner::AtOnce, at));
    webhooks::space(system, "huge", (0..webhooks).map(url).collect()).await?;
    others.warm_up().await?;

    // The first one loads the index of the space; it is told, but counts for nothing.
    let cold = fan_out(lab, system, load, webhooks, "cold").await?;
    let before = Reading::take(system, &lab.servers).await?;
    let by_itself = fan_out(lab, system, load, webhooks, "itself").await?;
    logged(system, 2 * webhooks).await?;
    let after = Reading::take(system, &lab.servers).await?;
    let first_peak = peak_of(&peaks(system, &lab.servers)?);

    let (mut alone, mut beside, mut fanned) = (Vec::new(), Vec::new(), vec![by_itself]);
    for round in 0..ROUNDS {
        alone.extend(others.pace(&format!("alone-{round}"), OTHERS, PER_SECOND).await?.latencies.all());
        let name = format!("beside-{round}");
        let (pace, fan) = tokio::join!(
            others.pace(&name, OTHERS, PER_SECOND),
            fan_out(lab, system, load, webhooks, &name),
        );
        beside.extend(pace?.latencies.all());
        fanned.push(fan?);
    }
    logged(system, (2 + ROUNDS) * webhooks).await?;
    let (alone, beside) = (Latencies::of(alone), Latencies::of(beside));
    let peaks = peaks(system, &lab.servers)?;
    let cost = after.cost(&before, webhooks);

    let worst = fanned.iter().map(|one| one.accepted_to_first_ms).fold(0.0, f64::max);
    let ratio = beside.percentile_ms(95) / alone.percentile_ms(95);
    let mut bounds = vec![
        Bound::new("first receipt after the event was accepted", "ms", FIRST_MS, worst),
        Bound::new("p95 of other events, beside ÷ alone", "×", SLOWER, ratio),
        Bound::new("peak memory of a process", "MiB", MOST_MIB, peak_of(&peaks)),
        Bound::new(
            "peak memory after all rounds ÷ after the first",
            "×",
            GROWTH,
            peak_of(&peaks) / first_peak,
        ),
    ];
    bounds.extend(COSTS.map(|(what, counter, most)| Bound::new(what, "", most, sum(&cost[counter]))));
    let fans: Vec<Value> = fanned.iter().map(Fanned::json).collect();
    let run = json!({
        "cold_index": cold.json(), "fan_outs": fans, "others_ms_alone": alone.json(), "others_ms_beside": beside.json(),
        "samples": alone.len(), "per_delivery": cost, "peak_mib": peaks,
        "distribution_ms": { "alone": alone.every_percent(), "beside": beside.every_percent() },
    });
    let what = format!("one event for {webhooks} webhooks, beside {PER_SECOND} other events a second");
    Ok(Story { name: "huge fan-out", what, bounds, runs: vec![run] })
}

/// Publishes one event for all webhooks, and waits until each has it exactly once.
async fn fan_out(lab: &Lab, system: &System, load: usize, webhooks: usize, name: &str) -> Result<Fanned> {
    let book = Arc::new(Book::new(webhooks, 1));
    lab.hanging.replace(load, &book);
    let mut door = system.door("huge");
    door.prefix = format!("huge-{name}");
    let started = now();
    flood(&door, &book, 1).await?;
    let accepted = now();
    let arrived = tokio::time::timeout(PATIENCE, book.until_complete()).await;
    ensure!(arrived.is_ok(), "{} of {webhooks} webhooks never got the event", book.missing());
    let account = book.account()?;
    let first = started + account.latencies.percentile(0);
    Ok(Fanned {
        accepted_to_first_ms: first.saturating_duration_since(accepted).as_secs_f64() * 1e3,
        all_seconds: account.took.as_secs_f64(),
    })
}

async fn logged(system: &System, deliveries: usize) -> Result<()> {
    let wanted = json!({ "delivered": deliveries });
    let reached = async {
        loop {
            let states = system.states("huge").await?;
            let only: Value = states
                .as_object()
                .map(|all| all.iter().filter(|(_, count)| **count != json!(0)))
                .map_or(Value::Null, |all| {
                    all.map(|(state, count)| (state.clone(), count.clone())).collect()
                });
            if only == wanted {
                return Ok::<(), anyhow::Error>(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, reached).await {
        Ok(reached) => reached,
        Err(_) => anyhow::bail!("on record stands {} instead of {wanted}", system.states("huge").await?),
    }
}

fn sum(by_process: &Value) -> f64 {
    by_process.as_object().map_or(0.0, |all| all.values().filter_map(Value::as_f64).sum())
}

impl Fanned {
    fn json(&self) -> Value {
        json!({
            "first_receipt_ms_after_accepted": thousandths(self.accepted_to_first_ms),
            "all_received_after_seconds": thousandths(self.all_seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_summed_over_processes() {
        assert!((sum(&json!({ "dispatcher": 0.2, "log-writer": 0.1 })) - 0.3).abs() < 1e-9);
        assert!(sum(&Value::Null).abs() < f64::EPSILON);
    }
}
