//! The webhooks and settings of spaces as dispatchers see them: each read is one statement, and so of one instant.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::Webhook;
use postrider_ports::error::PortResult;
use postrider_ports::subscriptions::{Change, Changes, Snapshot, Subscriptions};
use postrider_wire::Wire;
use sqlx::postgres::PgRow;

use super::settings::settings;
use crate::database::Database;
use crate::driver::CHANNEL;
use crate::fault::{fail, undecodable};
use crate::row;
use crate::statements::Work;

/// So many changes are kept: a dispatcher asks twice a second, so it may sleep through 10,000 of them before it loads
/// every space again.
const KEPT: i64 = 10_000;
/// The advisory lock of whoever changes a webhook or settings: "hook" in ASCII.
const LOCK: i64 = 0x686f_6f6b;

/// One at a time changes webhooks and settings, until the end of the transaction: versions become visible in their order, so that
/// nobody who has seen one misses a lower one that was committed later.
pub(super) async fn take_turns(connection: &mut Work) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(connection).await?;
    Ok(())
}

/// Notes a change of a webhook, or (`None`) of the settings of the space, in the same transaction. The hint leaves with
/// its commit.
pub(super) async fn note(
    connection: &mut Work,
    space: &SpaceId,
    id: Option<&WebhookId>,
) -> Result<(), sqlx::Error> {
    let version: i64 =
        sqlx::query_scalar("INSERT INTO changes (space, webhook) VALUES ($1, $2) RETURNING version")
            .bind(space.as_str())
            .bind(id.map(WebhookId::as_str))
            .fetch_one(&mut *connection)
            .await?;
    sqlx::query("DELETE FROM changes WHERE version <= $1")
        .bind(version - KEPT)
        .execute(&mut *connection)
        .await?;
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(connection).await?;
    Ok(())
}

/// Reads a stored webhook.
pub(super) fn webhook(id: &str, body: &[u8]) -> PortResult<Webhook> {
    Webhook::decode(body).map_err(|error| undecodable(&format!("webhook {id}"), &error))
}

/// The webhook of a row, if the row has one.
fn maybe_webhook(row: &PgRow, id: &str) -> PortResult<Option<Webhook>> {
    row::get::<Option<&[u8]>>(row, "body")?.map(|body| webhook(id, body)).transpose()
}

/// The change of a row, in its present form.
fn change(row: &PgRow) -> PortResult<(SpaceId, Change)> {
    let space = row::id(row, "space", SpaceId::new)?;
    let change = match row::get::<Option<&str>>(row, "webhook")? {
        Some(id) => {
            let webhook = maybe_webhook(row, id)?.map(Box::new);
            Change::Webhook(row::id(row, "webhook", WebhookId::new)?, webhook)
        }
        None => Change::Settings(Box::new(settings(space.as_str(), row::get(row, "body")?)?)),
    };
    Ok((space, change))
}

#[async_trait]
impl Subscriptions for Database {
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot> {
        // One row for the version and the settings, one for each webhook: a statement sees one instant.
        let rows = sqlx::query(
            "SELECT v.version, NULL AS id, s.body FROM (SELECT COALESCE(MAX(version), 0) AS version FROM changes) v \
             LEFT JOIN space_settings s ON s.space = $1 \
             UNION ALL SELECT 0, w.id, w.body FROM webhooks w WHERE w.space = $1",
        )
        .bind(space.as_str())
        .fetch_all(self.pool())
        .await
        .map_err(fail("load the webhooks of a space"))?;
        let mut snapshot = Snapshot { version: 0, webhooks: Vec::new(), settings: SpaceSettings::default() };
        for row in &rows {
            if let Some(id) = row::get::<Option<&str>>(row, "id")? {
                snapshot.webhooks.extend(maybe_webhook(row, id)?);
            } else {
                snapshot.version = row::number(row, "version")?;
                snapshot.settings = settings(space.as_str(), row::get(row, "body")?)?;
            }
        }
        Ok(snapshot)
    }

    async fn version(&self) -> PortResult<u64> {
        // Not the sequence: that has counted before the change is there to be read.
        let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM changes")
            .fetch_one(self.pool())
            .await
            .map_err(fail("read the version of the webhooks"))?;
        row::number(&row, "version")
    }

    async fn changes_since(&self, since: u64) -> PortResult<Changes> {
        let rows = sqlx::query(
            "SELECT v.version, v.oldest, c.space, c.webhook, COALESCE(w.body, s.body) AS body FROM \
             (SELECT COALESCE(MAX(version), 0) AS version, COALESCE(MIN(version), 0) AS oldest FROM changes) v \
             LEFT JOIN (SELECT DISTINCT space, webhook FROM changes WHERE version > $1) c ON true \
             LEFT JOIN webhooks w ON w.space = c.space AND w.id = c.webhook \
             LEFT JOIN space_settings s ON s.space = c.space AND c.webhook IS NULL",
        )
        .bind(i64::try_from(since).unwrap_or(i64::MAX))
        .fetch_all(self.pool())
        .await
        .map_err(fail("read the changes of webhooks"))?;
        let mut changes = Changes { version: 0, changed: Vec::new(), incomplete: false };
        for row in &rows {
            changes.version = row::number(row, "version")?;
            // Complete if the first change after `since` is still there. A version from the future is that of another
            // database.
            let oldest: u64 = row::number(row, "oldest")?;
            changes.incomplete = since > changes.version || oldest > since.saturating_add(1);
            if row::get::<Option<&str>>(row, "space")?.is_some() {
                changes.changed.push(change(row)?);
            }
        }
        if changes.incomplete {
            changes.changed.clear();
        }
        Ok(changes)
    }

    async fn hint(&self) {
        self.shared.changed.notified().await;
    }
}
