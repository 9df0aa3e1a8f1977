//! One partition a day of every table that is kept by day.
//!
//! Partitions are made ahead, at the start and by the job that calls [`Days::prepare`]; the writer makes the
//! one it misses. Days far from now get none, whatever a record says, so that a wrong clock cannot make thousands of
//! tables: their rows lie in the default partitions, as do rows that outlive their day (`log/retention.rs`).

use std::ops::RangeInclusive;

use async_trait::async_trait;
use postrider_domain::timestamp::Day;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::log::Days;
use sqlx::{AssertSqlSafe, Row};

use crate::database::{Database, Shared};
use crate::fault::fail;
use crate::statements::Work;

/// The tables that are kept by day. Whoever locks several of them does so in this order.
pub(crate) const TABLES: [&str; 4] = ["events", "deliveries", "calls", "bodies"];

/// The advisory lock of whoever makes or drops partitions: "days" in ASCII.
pub(crate) const LOCK: i64 = 0x6461_7973;

/// Partitions are made for yesterday, whose records are still on the way, and so many days from now on.
const AHEAD: i32 = 3;
/// The writer makes the partition of a day that is at most so long ago: the retention of 30 days, and one for clocks.
const BACK: i32 = 31;

#[async_trait]
impl Days for Database {
    async fn prepare(&self, today: Day) -> PortResult<()> {
        self.ensure_partitions(today).await
    }
}

impl Database {
    /// Makes the partitions from the day before `today` to three days after it. Cheap when they are there.
    pub async fn ensure_partitions(&self, today: Day) -> PortResult<()> {
        self.make(Day(today.0.saturating_sub(1))..=Day(today.0.saturating_add(AHEAD))).await
    }

    /// Makes the partitions of those of these days that should have one and are not known to.
    pub(crate) async fn ensure_days(&self, days: impl Iterator<Item = Day>) -> PortResult<()> {
        let today = self.shared.clock.now().day();
        let wanted = Day(today.0.saturating_sub(BACK))..=Day(today.0.saturating_add(AHEAD));
        for day in days.filter(|day| wanted.contains(day)) {
            if !self.shared.knows(day)? {
                self.make(day..=day).await?;
            }
        }
        Ok(())
    }

    async fn make(&self, days: RangeInclusive<Day>) -> PortResult<()> {
        let (from, to) = (days.start().0, days.end().0);
        for day in (from..=to).map(Day) {
            let what = "make the partitions of a day";
            let mut making = self.begin(what).await?;
            // Whatever is in the way, a lock or a row that came to the default partition just now, is gone the next time.
            let later = |error: sqlx::Error| PortError::transient(format!("could not {what}")).because(error);
            take_turns(&mut making).await.map_err(later)?;
            for table in TABLES {
                make_one(&mut making, table, day).await.map_err(later)?;
            }
            making.commit().await.map_err(fail(what))?;
            self.shared.learn(day)?;
        }
        Ok(())
    }
}

impl Shared {
    fn knows(&self, day: Day) -> PortResult<bool> {
        Ok(self.days.lock().map_err(|_| poisoned())?.contains(&day))
    }

    fn learn(&self, day: Day) -> PortResult<()> {
        let mut days = self.days.lock().map_err(|_| poisoned())?;
        days.insert(day);
        while days.len() > usize::try_from(2 * (BACK + AHEAD)).unwrap_or(1) {
            days.pop_first();
        }
        Ok(())
    }
}

fn poisoned() -> PortError {
    PortError::permanent("a task panicked while it noted a partition")
}

/// One at a time makes or drops partitions, until the end of the transaction. Nobody waits long for the lock of a table
/// behind a slow reader, because everyone else would wait behind that wait.
pub(crate) async fn take_turns(connection: &mut Work) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *connection).await?;
    sqlx::query("SET LOCAL lock_timeout = '3s'").execute(connection).await?;
    Ok(())
}

/// Makes a partition unless it is there, or the default partition has rows of its day already and takes the others too.
async fn make_one(connection: &mut Work, table: &str, day: Day) -> Result<(), sqlx::Error> {
    let name = name(table, day);
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT to_regclass('{name}') IS NOT NULL OR EXISTS (SELECT 1 FROM {table}_default WHERE day = $1) AS done"
    )))
    .bind(day.0)
    .fetch_one(&mut *connection)
    .await?;
    if row.try_get::<bool, _>("done")? {
        return Ok(());
    }
    let (from, to) = (day.0, day.0.saturating_add(1));
    // Rows that come to the default partition between the look and here would make this fail; it is tried again then.
    let make = format!("CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ({from}) TO ({to})");
    sqlx::query(AssertSqlSafe(make)).execute(connection).await?;
    Ok(())
}

/// The name of a partition: `events_20260102`.
pub(crate) fn name(table: &str, day: Day) -> String {
    format!("{table}_{}", day.to_string().replace('-', ""))
}
