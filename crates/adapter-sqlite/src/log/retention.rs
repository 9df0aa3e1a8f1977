//! Forgets what belongs to days gone by, a bounded part at a time.

use async_trait::async_trait;
use postrider_domain::timestamp::Day;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Days, Removed, Retention};
use sqlx::SqliteConnection;

use crate::database::Database;
use crate::fault::Fault;
use crate::writer::step;

/// Rows of one kind that one piece of work removes: a transaction of some ten milliseconds, between which others write.
const CHUNK: i64 = 500;

/// What is removed, in this order. Each statement takes the day and [`CHUNK`].
const STEPS: [&str; 4] = [
    "DELETE FROM calls WHERE seq IN (SELECT seq FROM calls WHERE day < ?1 LIMIT ?2)",
    "DELETE FROM deliveries WHERE seq IN \
     (SELECT seq FROM deliveries WHERE day < ?1 AND state NOT IN ('pending', 'parked') LIMIT ?2)",
    // An event stays as long as one delivery of it does: one that is not at its end needs it.
    "DELETE FROM events WHERE seq IN (SELECT seq FROM events e WHERE day < ?1 AND NOT EXISTS \
     (SELECT 1 FROM deliveries d WHERE d.space = e.space AND d.event = e.id AND d.day = e.day) LIMIT ?2)",
    "DELETE FROM bodies WHERE seq IN (SELECT seq FROM bodies b WHERE day < ?1 AND NOT EXISTS \
     (SELECT 1 FROM events e WHERE e.body_day = b.day AND e.body_sha256 = b.sha256) LIMIT ?2)",
];

#[async_trait]
impl Days for Database {
    /// One table has room for every day.
    async fn prepare(&self, _: Day) -> PortResult<()> {
        Ok(())
    }
}

#[async_trait]
impl Retention for Database {
    async fn remove_before(&self, before: Day) -> PortResult<Removed> {
        let work = step(move |connection| Box::pin(async move { remove(connection, before).await }));
        self.shared.writer.several("remove what is too old", work).await
    }
}

async fn remove(connection: &mut SqliteConnection, before: Day) -> Result<Removed, Fault> {
    let mut removed = Removed::default();
    for step in STEPS {
        let rows =
            sqlx::query(step).bind(before.0).bind(CHUNK).execute(&mut *connection).await?.rows_affected();
        removed.rows += rows;
        removed.more |= rows >= u64::try_from(CHUNK).unwrap_or(u64::MAX);
    }
    // Gives freed pages back to the disk: 1024 pages of 4 KiB, 4 MiB at a time.
    sqlx::query("PRAGMA incremental_vacuum(1024)").fetch_all(connection).await?;
    Ok(removed)
}
