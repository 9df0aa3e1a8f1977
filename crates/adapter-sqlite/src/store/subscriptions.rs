//! The webhooks and settings of spaces as dispatchers see them. This process alone changes them, so the version is known without asking.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::webhook::Webhook;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::subscriptions::{Change, Changes, Snapshot, Subscriptions};
use postrider_wire::Wire;
use sqlx::sqlite::SqliteRow;
use sqlx::{Acquire, Row, SqliteConnection};

use super::settings;
use crate::database::{Database, Shared};
use crate::fault::{Fault, port_error, undecodable};
use crate::writer::{Size, Step, step};

/// So many changes are kept: a dispatcher asks twice a second, so it may sleep through 10,000 of them before it loads
/// every space again.
const KEPT: i64 = 10_000;

/// The present version.
pub(crate) async fn version(connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    // The sequence outlives the rows that are removed.
    let row = sqlx::query(
        "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'changes'), 0) AS version",
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(row.try_get::<i64, _>("version")?).unwrap_or(0))
}

/// What stands for the settings of a space where a webhook's id would stand.
const SETTINGS: &str = "";

/// Notes a change of a webhook, or (`None`) of the settings of the space, in the same transaction; returns the new
/// version.
async fn note(
    connection: &mut SqliteConnection,
    space: &SpaceId,
    id: Option<&WebhookId>,
) -> Result<u64, Fault> {
    let version = sqlx::query("INSERT INTO changes (space, webhook) VALUES (?1, ?2)")
        .bind(space.as_str())
        .bind(id.map_or(SETTINGS, WebhookId::as_str))
        .execute(&mut *connection)
        .await?
        .last_insert_rowid();
    sqlx::query("DELETE FROM changes WHERE version <= ?1").bind(version - KEPT).execute(connection).await?;
    Ok(u64::try_from(version).unwrap_or(0))
}

/// Runs a change of one webhook, or (`None`) of the settings of a space. If `work` says that it changed something, the version grows and is told.
pub(super) async fn change<T, W>(
    shared: &Arc<Shared>,
    what: &'static str,
    (space, id): (SpaceId, Option<WebhookId>),
    work: W,
) -> PortResult<T>
where
    T: Send + 'static,
    W: for<'c> FnOnce(&'c mut SqliteConnection) -> Step<'c, (bool, T)> + Send + 'static,
{
    let told = Arc::clone(shared);
    let noted = step(move |connection| {
        Box::pin(async move {
            let (changed, value) = work(&mut *connection).await?;
            let version = if changed { Some(note(connection, &space, id.as_ref()).await?) } else { None };
            Ok((version, value))
        })
    });
    let then = move |(version, value): (Option<u64>, T)| {
        if let Some(version) = version {
            told.version.fetch_max(version, Ordering::AcqRel);
            told.changed.notify_waiters();
        }
        value
    };
    shared.writer.submit(what, Size::Several, noted, then).await
}

/// Reads a stored webhook.
pub(super) fn webhook(id: &str, body: &[u8]) -> PortResult<Webhook> {
    Webhook::decode(body).map_err(|error| undecodable(&format!("webhook {id}"), &error))
}

/// The change of a row, in its present form.
fn one_change(row: &SqliteRow) -> PortResult<(SpaceId, Change)> {
    let damaged =
        |error| PortError::permanent(format!("a stored change of a webhook cannot be read: {error}"));
    let (space, id): (&str, &str) = (row.get("space"), row.get("webhook"));
    let body: Option<&[u8]> = row.get("body");
    let change = if id == SETTINGS {
        Change::Settings(Box::new(settings::settings(space, body)?))
    } else {
        let webhook = body.map(|body| webhook(id, body)).transpose()?.map(Box::new);
        Change::Webhook(WebhookId::new(id).map_err(damaged)?, webhook)
    };
    Ok((SpaceId::new(space).map_err(damaged)?, change))
}

#[async_trait]
impl Subscriptions for Database {
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot> {
        let fail = |error| port_error("load the webhooks of a space", error);
        let mut reader = self.reader("load the webhooks of a space").await?;
        // One transaction, so that the version is that of these webhooks and settings.
        let mut reading = reader.begin().await.map_err(fail)?;
        let version = version(&mut reading).await.map_err(fail)?;
        let rows = sqlx::query("SELECT id, body FROM webhooks WHERE space = ?1")
            .bind(space.as_str())
            .fetch_all(&mut *reading)
            .await
            .map_err(fail)?;
        let settings =
            settings::find(&mut reading, space).await.map_err(|fault| fault.into_port("load settings"))?;
        reading.commit().await.map_err(fail)?;
        let webhooks = rows.iter().map(|row| webhook(row.get("id"), row.get("body")));
        Ok(Snapshot { version, webhooks: webhooks.collect::<PortResult<_>>()?, settings })
    }

    async fn version(&self) -> PortResult<u64> {
        Ok(self.shared.version.load(Ordering::Acquire))
    }

    async fn changes_since(&self, since: u64) -> PortResult<Changes> {
        let fail = |error| port_error("read the changes of webhooks", error);
        let mut reader = self.reader("read the changes of webhooks").await?;
        let mut reading = reader.begin().await.map_err(fail)?;
        let version = version(&mut reading).await.map_err(fail)?;
        let oldest: Option<i64> = sqlx::query("SELECT MIN(version) FROM changes")
            .fetch_one(&mut *reading)
            .await
            .and_then(|row| row.try_get(0))
            .map_err(fail)?;
        // Complete if the first change after `since` is still there. A version from the future is that of another file.
        let reaches =
            oldest.is_none_or(|oldest| u64::try_from(oldest).unwrap_or(0) <= since.saturating_add(1));
        if since > version || !reaches {
            return Ok(Changes { version, changed: Vec::new(), incomplete: true });
        }
        let rows = sqlx::query(
            "SELECT c.space, c.webhook, COALESCE(w.body, s.body) AS body \
             FROM (SELECT DISTINCT space, webhook FROM changes WHERE version > ?1) c \
             LEFT JOIN webhooks w ON w.space = c.space AND w.id = c.webhook \
             LEFT JOIN space_settings s ON s.space = c.space AND c.webhook = ''",
        )
        .bind(i64::try_from(since).unwrap_or(i64::MAX))
        .fetch_all(&mut *reading)
        .await
        .map_err(fail)?;
        reading.commit().await.map_err(fail)?;
        let changed = rows.iter().map(one_change).collect::<PortResult<_>>()?;
        Ok(Changes { version, changed, incomplete: false })
    }

    async fn hint(&self) {
        self.shared.changed.notified().await;
    }
}
