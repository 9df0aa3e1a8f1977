//! Forgets what belongs to days gone by. A day goes in one transaction by dropping its partitions; what a delivery that
//! is not at its end still needs is carried over into the default partitions first, which are then swept row by row as deliveries end.

use async_trait::async_trait;
use postrider_domain::timestamp::Day;
use postrider_ports::error::PortResult;
use postrider_ports::log::{Removed, Retention};
use sqlx::AssertSqlSafe;

use crate::database::Database;
use crate::fault::fail;
use crate::partitions::{TABLES, take_turns};
use crate::statements::Work;

/// Rows of one kind that one sweep of the default partitions removes: a transaction of some ten milliseconds.
const CHUNK: i64 = 500;

/// The sweep of the default partitions, in this order. Each statement takes the day and [`CHUNK`].
const SWEEPS: [&str; 4] = [
    "DELETE FROM calls_default WHERE ctid = ANY (ARRAY (SELECT ctid FROM calls_default WHERE day < $1 LIMIT $2))",
    "DELETE FROM deliveries_default WHERE ctid = ANY (ARRAY \
     (SELECT ctid FROM deliveries_default WHERE day < $1 AND state NOT IN ('pending', 'parked') LIMIT $2))",
    // An event stays as long as one delivery of it does: one that is not at its end needs it.
    "DELETE FROM events_default WHERE ctid = ANY (ARRAY (SELECT e.ctid FROM events_default e WHERE day < $1 AND NOT EXISTS \
     (SELECT 1 FROM deliveries d WHERE d.space = e.space AND d.event = e.id AND d.day = e.day) LIMIT $2))",
    "DELETE FROM bodies_default WHERE ctid = ANY (ARRAY (SELECT b.ctid FROM bodies_default b WHERE day < $1 AND NOT EXISTS \
     (SELECT 1 FROM events e WHERE e.body_day = b.day AND e.body_sha256 = b.sha256) LIMIT $2))",
];

/// What is carried over of each of [`TABLES`], `x` being the partition; in the order in which the conditions need it.
const KEEP: [(&str, &str); 3] = [
    ("deliveries", "x.state IN ('pending', 'parked')"),
    (
        "events",
        "EXISTS (SELECT 1 FROM deliveries d WHERE d.space = x.space AND d.event = x.id AND d.day = x.day)",
    ),
    ("bodies", "EXISTS (SELECT 1 FROM events e WHERE e.body_day = x.day AND e.body_sha256 = x.sha256)"),
];

#[async_trait]
impl Retention for Database {
    async fn remove_before(&self, before: Day) -> PortResult<Removed> {
        let what = "remove what is too old";
        let mut removing = self.begin(what).await?;
        let removed = remove(&mut removing, before).await.map_err(fail(what))?;
        removing.commit().await.map_err(fail(what))?;
        Ok(removed)
    }
}

/// Drops the oldest day that has rows, and those before it; sweeps once no day is left to drop.
async fn remove(connection: &mut Work, before: Day) -> Result<Removed, sqlx::Error> {
    take_turns(connection).await?;
    while let Some(day) = oldest_day(connection, before).await? {
        let rows = drop_day(connection, &day).await?;
        if rows > 0 {
            // More days may follow, and the sweep does.
            return Ok(Removed { rows, more: true });
        }
    }
    let mut removed = Removed::default();
    for sweep in SWEEPS {
        let rows =
            sqlx::query(sweep).bind(before.0).bind(CHUNK).execute(&mut *connection).await?.rows_affected();
        removed.rows += rows;
        removed.more |= rows >= u64::try_from(CHUNK).unwrap_or(u64::MAX);
    }
    Ok(removed)
}

/// The oldest day before `before` that has a partition (`20260102`).
async fn oldest_day(connection: &mut Work, before: Day) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT right(c.relname, 8) AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = ANY (ARRAY['events', 'deliveries', 'calls', 'bodies']::regclass[]) \
         AND c.relname ~ '_[0-9]{8}$' \
         AND to_date(right(c.relname, 8), 'YYYYMMDD') - date '1970-01-01' < $1 ORDER BY name LIMIT 1",
    )
    .bind(before.0)
    .fetch_optional(connection)
    .await
}

/// Drops the partitions of a day (`20260102`); returns how many rows went.
async fn drop_day(connection: &mut Work, day: &str) -> Result<u64, sqlx::Error> {
    sqlx::query("LOCK TABLE events, deliveries, calls, bodies IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *connection)
        .await?;
    let mut there = Vec::new();
    for table in TABLES {
        let found: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(format!("{table}_{day}"))
            .fetch_one(&mut *connection)
            .await?;
        if found {
            run(connection, format!("ALTER TABLE {table} DETACH PARTITION {table}_{day}")).await?;
            there.push(table);
        }
    }
    // The triggers hear nothing of a partition that is dropped, but of what is carried over.
    sqlx::query("DELETE FROM delivery_counts WHERE day = to_date($1, 'YYYYMMDD') - date '1970-01-01'")
        .bind(day)
        .execute(&mut *connection)
        .await?;
    let mut kept = 0;
    for (table, condition) in KEEP {
        if there.contains(&table) {
            let carry = format!("INSERT INTO {table} SELECT x.* FROM {table}_{day} x WHERE {condition}");
            kept += run(connection, carry).await?;
        }
    }
    let mut rows = 0;
    for table in there {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}_{day}")))
            .fetch_one(&mut *connection)
            .await?;
        rows += u64::try_from(count).unwrap_or(0);
        run(connection, format!("DROP TABLE {table}_{day}")).await?;
    }
    Ok(rows.saturating_sub(kept))
}

async fn run(connection: &mut Work, statement: String) -> Result<u64, sqlx::Error> {
    Ok(sqlx::query(AssertSqlSafe(statement)).execute(connection).await?.rows_affected())
}
