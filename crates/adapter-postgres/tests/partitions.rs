//! Where rows lie: one partition a day, and the default ones for what outlives its day. Needs the private servers.

use std::sync::Arc;

use postrider_adapter_postgres::{Database, Settings};
use postrider_domain::timestamp::Day;
use postrider_ports::log::{LogWrite, Retention};
use postrider_testkit::builders::{call, event, matched};
use postrider_testkit::clock::START;
use postrider_testkit::{ManualClock, servers};
use sqlx::{Connection, PgConnection};

struct Rig {
    database: Database,
    connection: PgConnection,
}

impl Rig {
    async fn new() -> Self {
        let url = servers::postgres::database().await;
        let settings = Settings::new(&url).expect("an address");
        let (database, _) = Database::open(&settings, Arc::new(ManualClock::new())).await.expect("opens");
        Self { database, connection: PgConnection::connect(&url).await.expect("connects") }
    }

    /// Writes an event of a day with a delivered call and a pending delivery.
    async fn write(&self, day: Day) {
        let event = event("Entry.publish").at(day.start()).carried();
        let batch = [matched(&event, &["done", "pending"], &[]), call(&event, "done", 1).record()];
        assert_eq!(self.database.write(&batch).await.expect("written"), []);
    }

    /// The days that have a partition of the deliveries.
    async fn days(&mut self) -> Vec<String> {
        sqlx::query_scalar(
            "SELECT right(relname, 8) FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid \
             WHERE inhparent = 'deliveries'::regclass AND relname <> 'deliveries_default' ORDER BY 1",
        )
        .fetch_all(&mut self.connection)
        .await
        .expect("listed")
    }

    async fn in_default(&mut self) -> i64 {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM deliveries_default");
        count.fetch_one(&mut self.connection).await.expect("counted")
    }
}

fn named(days_before: i32) -> String {
    START.day().minus(days_before).to_string().replace('-', "")
}

#[tokio::test]
async fn partitions_are_made_ahead_and_for_a_day_that_is_missing() {
    let mut rig = Rig::new().await;
    let ahead: Vec<String> = [1, 0, -1, -2, -3].into_iter().map(named).collect();
    assert_eq!(rig.days().await, ahead);
    rig.write(START.day().minus(9)).await;
    assert_eq!(rig.days().await[0], named(9));
    assert_eq!(rig.in_default().await, 0);
}

#[tokio::test]
async fn a_day_far_from_now_gets_no_partition() {
    let mut rig = Rig::new().await;
    let before = rig.days().await;
    rig.write(START.day().minus(400)).await;
    rig.write(START.day().minus(-400)).await;
    assert_eq!(rig.days().await, before);
    assert_eq!(rig.in_default().await, 4);
}

#[tokio::test]
async fn a_forgotten_day_loses_its_partition_and_carries_over_what_is_pending() {
    let mut rig = Rig::new().await;
    rig.write(START.day().minus(9)).await;
    // Of four rows the event and its pending delivery stay.
    let removed = rig.database.remove_before(START.day().minus(1)).await.expect("removed");
    assert_eq!(removed.rows, 2);
    assert_eq!(rig.days().await[0], named(1));
    assert_eq!(rig.in_default().await, 1);
}
