//! What it costs: statements are counted where they are sent, and a batch of any size takes six. Needs the private
//! servers.

use std::sync::Arc;

use postrider_adapter_postgres::{Database, Settings};
use postrider_domain::record::Record;
use postrider_ports::log::LogWrite;
use postrider_ports::registry::Registry;
use postrider_ports::subscriptions::Subscriptions;
use postrider_testkit::builders::{call, event, matched, webhook};
use postrider_testkit::{ManualClock, servers};

async fn open() -> Database {
    let url = servers::postgres::database().await;
    let settings = Settings::new(&url).expect("an address");
    Database::open(&settings, Arc::new(ManualClock::new())).await.expect("opens").0
}

/// The records of so many events, each with one delivered call.
fn stories(count: u32) -> Vec<Record> {
    let story = |number: u32| {
        let event = event("Entry.publish").id(&format!("e{number}")).carried();
        [matched(&event, &["w1"], &[]), call(&event, "w1", 1).record()]
    };
    (0..count).flat_map(story).collect()
}

#[tokio::test]
async fn a_batch_of_any_size_is_six_statements() {
    let database = open().await;
    for count in [1, 60, 500] {
        // Calls that come after their event: the look for unknown events is the sixth statement.
        let (first, late): (Vec<Record>, Vec<Record>) =
            stories(count).into_iter().partition(|record| matches!(record, Record::Matched(_)));
        for (batch, most) in [(first, 5), (late, 6)] {
            let before = database.statements();
            assert_eq!(database.write(&batch).await.expect("written"), []);
            let sent = database.statements() - before;
            assert!((1..=most).contains(&sent), "{sent} statements for {} records", batch.len());
        }
    }
}

#[tokio::test]
async fn every_statement_counts_once_and_so_do_begin_and_commit() {
    let database = open().await;
    let before = database.statements();
    assert_eq!(database.version().await.expect("asked"), 0);
    assert_eq!(database.statements() - before, 1);
    let before = database.statements();
    database.create(&webhook("w1").build()).await.expect("created");
    // BEGIN, the lock, the webhook, its change, the sweep of changes, the hint, COMMIT.
    assert_eq!(database.statements() - before, 7);
}
