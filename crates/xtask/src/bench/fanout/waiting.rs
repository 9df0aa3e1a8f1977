//! 500,000 deliveries wait because their receivers are down: what it takes of memory and messages, what new events of
//! others feel of it, and how the receivers are treated that return.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Bound, MOST_MIB, Story, peak_of, webhooks};
use crate::bench::book::{Book, now};
use crate::bench::figures::{Latencies, number, thousandths};
use crate::bench::http::Connection;
use crate::bench::load::{CONNECTIONS, Door};
use crate::bench::reading::{Reading, peaks};
use crate::bench::receiver::{Manner, Receiver};
use crate::bench::run::{Lab, Space};
use crate::bench::system::System;

/// Webhooks whose receivers are down.
const WEBHOOKS: usize = 100;
/// Webhooks of a space of their own on the same receiver. They have [`BURST_BEFORE`] events while it is down, so that their
/// breakers open, and a burst of [`BURST`] as it returns: more than each may take at first, and little in all.
const BURSTING: usize = 5;
const BURST_BEFORE: usize = 20;
const BURST: usize = 200;
/// The others' pace, and how many of theirs are measured before, while all wait, and as the receivers return.
const PER_SECOND: u32 = 100;
const OTHERS: usize = 2000;
/// New events' p95 while so much waits ÷ before.
const SLOWER: f64 = 3.0;
/// Published by all processes per waiting delivery until the receivers return: the event's share, the bundle's share, one
/// deferral, and at most so much more for what came back and was put off again meanwhile.
const MESSAGES: f64 = 3.0;
/// Calls of one webhook in its first second, as the ramp allows them (crates/dispatcher/src/ramp.rs): ten, and the probe.
const FIRST_SECOND: f64 = 11.0;
/// In its first three seconds: 10 + 20 + 40, and the probe.
const THREE_SECONDS: f64 = 71.0;
/// How long until all are on record as waiting, and until the first receivers are found again: a breaker's longest pause is
/// five minutes.
const PATIENCE: Duration = Duration::from_secs(420);
/// Bursting webhooks that must have been found again: more than half.
const FOUND: usize = BURSTING / 2 + 1;

/// Runs it.
pub(super) async fn run(lab: &mut Lab, events: usize) -> Result<Story> {
    let system = System::distributed(&lab.binary, &mut lab.servers).await?;
    let story = tell(lab, &system, events).await.with_context(|| system.errors())?;
    system.stop(&lab.servers).await?;
    Ok(story)
}

async fn tell(lab: &Lab, system: &System, events: usize) -> Result<Story> {
    let others = Space::open(system, &lab.receiver, "others", 1, Manner::AtOnce).await?;
    // Nobody listens there until later.
    let away = Receiver::free([127, 0, 0, 3]).await?;
    let url = |at| format!("http://{away}{}", Receiver::path(0, Manner::AtOnce, at));
    webhooks::space(system, "down", (0..WEBHOOKS).map(url).collect()).await?;
    let url = |at| format!("http://{away}{}", Receiver::path(1, Manner::AtOnce, at));
    webhooks::space(system, "burst", (0..BURSTING).map(url).collect()).await?;
    others.warm_up().await?;
    let before = others.pace("before", OTHERS, PER_SECOND).await?.latencies;

    let read = Reading::take(system, &lab.servers).await?;
    let (book, burst) =
        (Arc::new(Book::new(WEBHOOKS, events)), Arc::new(Book::new(BURSTING, BURST_BEFORE + BURST)));
    let started = now();
    publish(&system.door("down"), &book, 0..events).await?;
    publish(&system.door("burst"), &burst, 0..BURST_BEFORE).await?;
    let waiting = events * WEBHOOKS;
    until_waiting(system, waiting).await?;
    let filled = started.elapsed();
    let during = others.pace("during", OTHERS, PER_SECOND).await?.latencies;
    let cost = Reading::take(system, &lab.servers).await?.cost(&read, waiting);
    let put_off = peaks(system, &lab.servers)?;
    println!("{waiting} wait after {:.0} s", filled.as_secs_f64());

    let receiver = Receiver::start_at(away).await?;
    receiver.open(&book);
    receiver.open(&burst);
    let returned = now();
    publish(&system.door("burst"), &burst, BURST_BEFORE..BURST_BEFORE + BURST).await?;
    let ((), after) = tokio::join!(until_found(&burst), others.pace("after", OTHERS, PER_SECOND));
    let after = after?.latencies;
    let found = found(&burst);
    ensure!(found.len() >= FOUND, "{} of {BURSTING} webhooks were called after {PATIENCE:?}", found.len());
    let took = returned.elapsed();

    let peaks = peaks(system, &lab.servers)?;
    let states = system.states("down").await?;
    let lost = total(&states).abs_diff(waiting);
    let closed = states.as_object().map_or(0, |all| {
        let open = |state: &str| matches!(state, "pending" | "delivered");
        all.iter().filter(|(state, _)| !open(state)).filter_map(|(_, count)| count.as_u64()).sum()
    });
    let most = |seconds| found.iter().map(|calls| within(calls, seconds)).max().unwrap_or(0);
    let published = sum(&cost["broker_published"]);
    let bounds = vec![
        Bound::new("peak memory of a process", "MiB", MOST_MIB, peak_of(&peaks)),
        Bound::new("p95 of new events while all wait ÷ before", "×", SLOWER, ratio(&during, &before)),
        Bound::new("p95 of new events as receivers return ÷ before", "×", SLOWER, ratio(&after, &before)),
        Bound::new("broker messages per waiting delivery", "", MESSAGES, published),
        Bound::new("calls of a returning webhook in its first second", "", FIRST_SECOND, number(most(1))),
        Bound::new("calls of it in its first three seconds", "", THREE_SECONDS, number(most(3))),
        Bound::new("deliveries missing in the balance", "", 0.0, number(lost)),
        Bound::new(
            "deliveries ended without success",
            "",
            0.0,
            number(usize::try_from(closed).unwrap_or(usize::MAX)),
        ),
    ];
    let run = json!({
        "waiting": waiting, "filled_seconds": thousandths(filled.as_secs_f64()),
        "others_ms_before": before.json(), "others_ms_during": during.json(), "others_ms_after": after.json(),
        "distribution_ms": {
            "before": before.every_percent(), "during": during.every_percent(), "after": after.every_percent(),
        },
        "samples": before.len(), "per_waiting_delivery": cost, "peak_mib_waiting": put_off, "peak_mib": peaks,
        "returning": {
            "webhooks_found": found.len(), "after_seconds": thousandths(took.as_secs_f64()),
            "calls": found.iter().map(Vec::len).sum::<usize>(), "most_in_seconds": [most(1), most(2), most(3), most(4)],
        },
        "states": states,
    });
    let what = format!("{waiting} deliveries of {WEBHOOKS} webhooks wait, then their receivers return");
    Ok(Story { name: "waiting deliveries", what, bounds, runs: vec![run] })
}

/// Publishes events as a good sender does: what is refused for a while is sent again.
async fn publish(door: &Door, book: &Arc<Book>, events: std::ops::Range<usize>) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(events.start));
    let mut senders = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let (door, book, next, end) = (door.clone(), Arc::clone(book), Arc::clone(&next), events.end);
        senders.spawn(async move {
            let mut connection = Connection::open(door.address).await?;
            loop {
                let event = next.fetch_add(1, Ordering::Relaxed);
                if event >= end {
                    return Ok::<(), anyhow::Error>(());
                }
                book.send(event, now());
                let request = door.event(event);
                loop {
                    let answer = connection.send(&request).await?;
                    match answer.status {
                        200 | 202 => break,
                        429 | 503 => tokio::time::sleep(Duration::from_millis(200)).await,
                        status => bail!("not accepted: {status} {}", String::from_utf8_lossy(&answer.body)),
                    }
                }
            }
        });
    }
    while let Some(sent) = senders.join_next().await {
        sent.context("a sender panicked")??;
    }
    Ok(())
}

async fn until_waiting(system: &System, waiting: usize) -> Result<()> {
    let reached = async {
        loop {
            let states = system.states("down").await?;
            if states["pending"].as_u64() == u64::try_from(waiting).ok() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, reached).await {
        Ok(reached) => reached,
        Err(_) => bail!("of {waiting} deliveries on record: {}", system.states("down").await?),
    }
}

/// Until enough webhooks were called again and had ten seconds to grow, or patience ends.
async fn until_found(book: &Book) {
    let grown = async {
        loop {
            let old =
                |calls: &Vec<Instant>| calls.first().is_some_and(|first| first.elapsed().as_secs() >= 10);
            if found(book).iter().filter(|calls| old(calls)).count() >= FOUND {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    // What is missing then is said by who asked.
    drop(tokio::time::timeout(PATIENCE, grown).await);
}

/// The calls of each webhook that was called, in order.
fn found(book: &Book) -> Vec<Vec<Instant>> {
    let calls = (0..BURSTING).map(|webhook| book.arrivals(webhook));
    calls.filter(|calls| !calls.is_empty()).collect()
}

/// How many calls came within so many seconds of the first.
fn within(calls: &[Instant], seconds: u64) -> usize {
    let Some(first) = calls.first() else { return 0 };
    calls.iter().filter(|at| at.duration_since(*first) < Duration::from_secs(seconds)).count()
}

fn ratio(with: &Latencies, without: &Latencies) -> f64 {
    with.percentile_ms(95) / without.percentile_ms(95)
}

fn total(states: &Value) -> usize {
    let all = states.as_object().map_or(0, |all| all.values().filter_map(Value::as_u64).sum());
    usize::try_from(all).unwrap_or(usize::MAX)
}

fn sum(by_process: &Value) -> f64 {
    by_process.as_object().map_or(0.0, |all| all.values().filter_map(Value::as_f64).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_from_the_first() {
        let first = now();
        let calls: Vec<Instant> =
            [0, 999, 1000, 2999, 3000].map(|ms| first + Duration::from_millis(ms)).into();
        assert_eq!([within(&calls, 1), within(&calls, 3), within(&[], 1)], [2, 4, 0]);
    }
}
