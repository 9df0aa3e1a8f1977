//! Many deliveries that wait in the broker are not taken for lost: not while nobody writes the log, not after a restart of
//! jobs or of the broker, and not by hand.

use std::collections::HashSet;
use std::process::Output;
use std::sync::Arc;

use postrider_testkit::servers::full;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::timeout;

use crate::composition::can_work;
use crate::ledger::Seen;
use crate::process::PATIENCE;
use crate::stage::{FLOWING, Stage};
use crate::system::event;
use crate::target::{Answer, Target};

/// Webhooks whose receiver wants to be asked again in an hour.
const HOOKS: usize = 20;

/// Makes the log say that everything that waits was due two hours ago, or takes that back.
fn aged(sign: char) -> String {
    format!(
        "WITH aged AS (UPDATE deliveries SET next_at = next_at {sign} 7200000, updated_at = updated_at {sign} 7200000 \
         WHERE state = 'pending' AND attempt = 1 RETURNING 1) SELECT count(*)::text FROM aged"
    )
}

async fn reconcile(stage: &Stage, arguments: &[&str]) -> Output {
    let mut command = Command::from(stage.system.composition.operator());
    command.args(["--json", "reconcile"]).args(arguments).kill_on_drop(true);
    timeout(PATIENCE, command.output()).await.expect("it ends").expect("it starts")
}

fn said(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"))
}

/// Publishes events that each webhook of the story wants, in arrays.
async fn publish(stage: &Stage, name: &str, events: usize) {
    let all: Vec<Value> =
        (0..events).map(|number| event(&format!("{name}{number}"), "Asset.publish")).collect();
    for part in all.chunks(500) {
        stage.system.accept(&json!(part)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_wait_are_never_sent_twice() {
    let waiting = if full() { 200_000 } else { 2_000 };
    let mut stage = Stage::start("waiting").await;
    let seen = Arc::new(Seen::default());
    let noted = Arc::clone(&seen);
    let busy = Target::start(move |hit| {
        noted.note(hit);
        // No failure of the receiver: it only wants to be asked later.
        Answer::With(429, "retry-after", "3600".to_owned())
    })
    .await;
    for number in 0..HOOKS {
        let mut hook = crate::system::webhook(&busy.url(&format!("/{number}")), &["Asset.*"]);
        hook["retryPolicy"] = json!({ "schedule": [3600, 3600] });
        stage.system.webhook(&hook).await;
    }
    publish(&stage, "w", waiting / HOOKS).await;
    busy.until(waiting).await;
    let all_wait = "SELECT id FROM deliveries WHERE state = 'pending' AND attempt = 1 LIMIT 1 OFFSET ";
    let known = format!("{}{}", all_wait.replace("SELECT id", "SELECT webhook"), waiting - 1);
    until(&stage, &known).await;

    // Nobody writes the log any more, and records wait.
    for _ in 0..2 {
        stage.kill("log-writer", 0).await;
    }
    publish(&stage, "unwritten", 5).await;
    busy.until(waiting + 5 * HOOKS).await;
    let aged_rows = stage.system.composition.ask(&aged('-')).await;
    assert_eq!(aged_rows, [waiting.to_string()], "the log says that all of them are overdue");

    // Another leader does not know better: it never saw the records written.
    stage.kill("jobs", 0).await;
    stage.start_one("jobs", &[]).await;
    let refused = reconcile(&stage, &["--overdue", "1h"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let why = said(&refused)["refused"].as_str().expect("a reason").to_owned();
    assert!(why.contains("records wait to be written"), "{why}");

    // A broker that comes back with its disk lost nothing.
    stage.own.kill_rabbitmq().await;
    stage.own.start_rabbitmq().await;
    futures::future::join_all(stage.system.processes().iter().map(can_work)).await;
    let refused = reconcile(&stage, &["--overdue", "1h"]).await;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");

    // The log catches up, and is as it was: nothing is overdue.
    stage.system.composition.ask(&aged('+')).await;
    for _ in 0..2 {
        stage.start_one("log-writer", &[]).await;
    }
    until(&stage, &known.replace(&(waiting - 1).to_string(), &(waiting + 5 * HOOKS - 1).to_string())).await;
    stage.load(FLOWING).await;
    stage.recover().await;
    stage.unload().await;
    let done = reconcile(&stage, &["--overdue", "1h"]).await;
    assert_eq!((done.status.code(), said(&done)["putBack"].as_u64()), (Some(0), Some(0)), "{done:?}");
    let runs = said(&reconcile(&stage, &["--list"]).await);
    let causes: HashSet<&str> =
        runs.as_array().expect("runs").iter().filter_map(|run| run["cause"].as_str()).collect();
    assert_eq!(causes, HashSet::from(["by_hand"]), "nothing was put back by itself: {runs}");

    let calls = seen.take();
    println!("waiting: {} deliveries called, {} again", calls.calls(), calls.repeated());
    assert_eq!((calls.calls(), calls.repeated()), (waiting + 5 * HOOKS, 0));
    stage.end().await;
}

/// Asks the database until there is an answer.
async fn until(stage: &Stage, sql: &str) {
    let asking = async {
        while stage.system.composition.ask(sql).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("{sql} had no answer"));
}
