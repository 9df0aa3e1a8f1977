//! What `postrider doctor` learns of a Postgres server and its schema, whatever generation that has.

use std::cmp::Ordering;

use postrider_domain::timestamp::{Day, Timestamp};
use postrider_ports::clock::Clock;
use postrider_ports::doctor::Finding;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{Connection, Row};

use crate::open::{self, SCHEMA};
use crate::partitions::name;
use crate::settings::Settings;

/// The oldest release that has all we use (partitions with defaults and keys), and the oldest that ends silent sessions.
const OLDEST: i32 = 12;
const KNOWS_SILENCE: i32 = 14;
/// What a process takes beside its pool: one connection listens, one has the term.
const BESIDE: i64 = 2;

/// Everything that any server can be asked, in one statement.
const SERVER: &str = "SELECT current_setting('server_version') AS version, \
     current_setting('server_version_num')::int / 10000 AS major, pg_is_in_recovery() AS standby, \
     (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now, current_setting('max_connections')::bigint \
     - current_setting('superuser_reserved_connections')::bigint AS most, \
     (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used, \
     to_regclass('postrider') IS NOT NULL AS ours";

impl Settings {
    /// Looks at the server and the schema, and changes nothing. A server that cannot be reached is one finding.
    pub async fn findings(&self, clock: &dyn Clock) -> Vec<Finding> {
        let mut connection = match open::connect(&self.place(), &open::limited(self)).await {
            Ok(connection) => connection,
            Err(error) => {
                let change = "Start it, or mend postgres.url as the message says.";
                return vec![Finding::fault("connection", error.to_string(), change)];
            }
        };
        let looked = look(&mut connection, self, clock).await;
        // Nothing was changed: an error while closing loses nothing.
        drop(connection.close().await);
        looked.unwrap_or_else(|error| {
            let change = "Let the user of postgres.url read the catalogues, or mend what the message names.";
            vec![Finding::fault("connection", format!("{}: {error}", self.place()), change)]
        })
    }
}

async fn look(
    connection: &mut PgConnection,
    settings: &Settings,
    clock: &dyn Clock,
) -> Result<Vec<Finding>, sqlx::Error> {
    let before = clock.now();
    let row = sqlx::query(SERVER).fetch_one(&mut *connection).await?;
    let theirs = Timestamp::from_unix_ms(row.try_get("now")?);
    let mut findings = vec![of_version(&row)?];
    findings.push(Finding::clock(theirs, before, clock.now()));
    if row.try_get("standby")? {
        let change = "Name the primary in postgres.url: a standby takes no writes.";
        findings.push(Finding::fault("role", "standby", change));
    }
    findings.push(of_connections(&row, settings)?);
    if !row.try_get::<bool, _>("ours")? {
        findings.push(Finding::fault("schema", "there is none", "Run `postrider migrate`."));
        return Ok(findings);
    }
    let generation: i32 =
        sqlx::query_scalar("SELECT max(generation) FROM postrider").fetch_one(&mut *connection).await?;
    findings.push(of_generation(generation));
    findings.push(of_days(connection, clock.now().day()).await?);
    Ok(findings)
}

fn of_version(row: &PgRow) -> Result<Finding, sqlx::Error> {
    let found = format!("PostgreSQL {}", row.try_get::<&str, _>("version")?);
    let major: i32 = row.try_get("major")?;
    Ok(if major < OLDEST {
        Finding::fault("version", found, format!("Update it: {OLDEST} is the oldest that works."))
    } else if major < KNOWS_SILENCE {
        let change = format!(
            "Update it to {KNOWS_SILENCE} or later: this one lets a leader that hangs keep the background work for ever."
        );
        Finding::warning("version", found, change)
    } else {
        Finding::fine("version", found)
    })
}

fn of_connections(row: &PgRow, settings: &Settings) -> Result<Finding, sqlx::Error> {
    let (most, used): (i64, i64) = (row.try_get("most")?, row.try_get("used")?);
    let process = i64::from(settings.connections).saturating_add(BESIDE);
    let found = format!("{used} of {most} are used; a process takes up to {process}");
    Ok(if used.saturating_add(process) > most {
        let change =
            "Raise max_connections, or lower postgres.connections: the next process would find none left.";
        Finding::warning("connections", found, change)
    } else {
        Finding::fine("connections", found)
    })
}

fn of_generation(generation: i32) -> Finding {
    let found = format!("generation {generation}, this binary knows {SCHEMA}");
    match generation.cmp(&SCHEMA) {
        Ordering::Greater => {
            Finding::fault("schema", found, "Start the release that made the schema, or a later one.")
        }
        Ordering::Less => Finding::fault("schema", found, "Run `postrider migrate`."),
        Ordering::Equal => Finding::fine("schema", found),
    }
}

/// Whether today and tomorrow have their partitions; those of the two days after are made by the day.
async fn of_days(connection: &mut PgConnection, today: Day) -> Result<Finding, sqlx::Error> {
    let mut missing = Vec::new();
    for day in [today, Day(today.0.saturating_add(1))] {
        let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
            .bind(name("deliveries", day))
            .fetch_one(&mut *connection)
            .await?;
        if !there {
            missing.push(day.to_string());
        }
    }
    Ok(if missing.is_empty() {
        Finding::fine("partitions", "today's and tomorrow's are there")
    } else {
        Finding::warning(
            "partitions",
            format!("missing for {}", missing.join(" and ")),
            "Start `postrider jobs`: it makes them ahead. Until then the log-writer makes each with its first record.",
        )
    })
}
