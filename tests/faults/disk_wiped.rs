//! A single broker loses its disk. All that the log-writer had committed comes back by itself; what was accepted and not
//! committed is lost, and counted.

use std::collections::{BTreeMap, HashSet};

use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::ledger::Ledger;
use crate::process::PATIENCE;
use crate::report::Found;
use crate::stage::{CREW, FLOWING, Stage, WEBHOOKS};

/// Receivers answer at once here, so that what is in hand needs no 35 s to come to an end.
const QUICK: &[&str] = &["reconcile.settle=3s", "reconcile.later=3s"];
/// Records that a dispatcher may have gathered and not yet sent (DESIGN §4.2: 50 in a message), of each of two.
const OPEN_RECORDS: usize = 2 * 50;

/// Events of batches that the old broker took and whose publisher was not told: one batch of 6 of each of 4 publishers. Sent
/// again under the same ids they are taken for repeats.
const UNDER_WAY: usize = 4 * 6;

/// Events that the log knows with their matching: what was committed.
const KNOWN: &str = "SELECT id FROM events WHERE decisions IS NOT NULL";
/// What was put back, without content, and missing: once it is over.
const PUT_BACK: &str = "SELECT put_back || ' ' || without_content || ' ' || coalesce(missing_ms, -1) FROM reconciliations \
     WHERE cause = 'disk_lost' AND ended_at IS NOT NULL AND refused IS NULL";

/// Asks the database until it answers so.
async fn until(stage: &Stage, what: &str, sql: &str, wanted: impl Fn(&[String]) -> bool) -> Vec<String> {
    let asking = async {
        loop {
            let rows = stage.system.composition.ask(sql).await;
            if wanted(&rows) {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{what} did not come"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_loses_its_disk_gets_back_all_that_was_committed() {
    let mut stage = Stage::with("disk-wiped", CREW, QUICK).await;
    stage.load(FLOWING).await;
    stage.flow(FLOWING).await;
    let deliveries = stage.freeze("dispatcher").await;
    stage.own.wipe_rabbitmq().await;
    stage.lost("RabbitMQ's disk wiped", deliveries);
    stage.thaw("dispatcher");
    // Nobody accepts anything now. What log-writers had in hand is in one commit, or in none.
    let committed: HashSet<String> = stage.system.composition.ask(KNOWN).await.into_iter().collect();
    let before: HashSet<String> = stage.accepted().into_iter().collect();
    let began = Instant::now();
    stage.start_blank_rabbitmq().await;
    stage.recover().await;
    let told = until(&stage, "what was put back", PUT_BACK, |rows| !rows.is_empty()).await;
    let recovered = began.elapsed();
    // By now every batch is accepted that was under way when the disk went.
    let meanwhile: HashSet<String> = stage.accepted().into_iter().collect();
    stage.flow(FLOWING).await;
    let (published, series) = stage.unload().await;

    let since: Vec<&String> = published.ids.iter().filter(|id| !meanwhile.contains(*id)).collect();
    let knows_since = |rows: &[String]| {
        let known: HashSet<&String> = rows.iter().collect();
        since.iter().all(|id| known.contains(id))
    };
    until(&stage, "the log of what was accepted since", KNOWN, knows_since).await;
    let settled = |balance: &crate::system::Balance| balance.of("pending") == 0;
    let balance = stage.system.until("nothing is pending", settled).await;
    let known: HashSet<String> = stage.system.composition.ask(KNOWN).await.into_iter().collect();
    let missing: Vec<&String> = published.ids.iter().filter(|id| !known.contains(*id)).collect();

    let lost: Vec<_> = committed.iter().filter(|id| !known.contains(*id)).collect();
    assert!(lost.is_empty(), "what was committed is still there: {lost:?}");
    let uncommitted = before.difference(&committed).count();
    assert!(missing.len() <= uncommitted + UNDER_WAY, "{} of {uncommitted} missing", missing.len());
    let seen = stage.target.by_event();
    let is_seen = |id: &String, hook: usize| seen.contains_key(&(format!("/{hook}"), id.clone()));
    let unseen = known.iter().filter(|id| (0..WEBHOOKS).any(|hook| !is_seen(id, hook))).count();
    let records = Ledger::of_records(&stage.system, &stage.webhooks).await;
    let calls = stage.seen.take();
    let total = (known.len() * WEBHOOKS) as u64;
    println!(
        "disk-wiped: put back, without content, missing ms: {told:?}; missing lag {} events",
        missing.len()
    );
    let losses = std::mem::take(&mut stage.losses);
    let explained = losses.iter().map(|loss| loss.deliveries).sum::<usize>() + OPEN_RECORDS;
    let given_up = balance.of("given_up");
    let found = Found {
        accepted: published.ids.len(),
        deliveries: known.len() * WEBHOOKS,
        repeats: published.repeats,
        states: BTreeMap::from([("delivered".to_owned(), balance.total() - given_up)]),
        difference: i64::try_from(total).expect("small")
            - i64::try_from(balance.total() - given_up).expect("small"),
        unseen,
        calls: calls.calls(),
        invented: records.beyond(&calls).len(),
        again: calls.repeated(),
        explained,
        losses,
        recoveries: std::mem::take(&mut stage.recoveries),
        recovery_bound: stage.recovery_bound,
        also: BTreeMap::from([
            ("acceptedBefore", json!(before.len())),
            ("committed", json!(committed.len())),
            ("missingLagEvents", json!(missing.len())),
            ("putBackWithoutContentMissingMs", json!(told)),
            ("deliveriesOfLostEventsGivenUp", json!(given_up)),
            ("recoveredSeconds", json!(recovered.as_secs_f64())),
        ]),
    };
    found.write(stage.story, &series);
    found.judge();
    stage.end().await;
}
