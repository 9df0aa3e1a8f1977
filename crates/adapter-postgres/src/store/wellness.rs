//! Which webhooks are not well.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::operational::{Condition, Ill};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::wellness::{LISTED, Patient, Wellness};
use sqlx::postgres::PgRow;

use super::registry::column;
use crate::database::Database;
use crate::fault::{damaged, fail};
use crate::row;
use crate::statements::Work;

/// How often a note is tried when what was noted is forgotten at the same instant.
const TRIES: usize = 3;

#[async_trait]
impl Wellness for Database {
    async fn note(&self, space: &SpaceId, webhook: &WebhookId, found: &Condition) -> PortResult<Condition> {
        for _ in 0..TRIES {
            if let Some(noted) = self.try_note(space, webhook, found).await? {
                return Ok(noted);
            }
        }
        Err(PortError::transient("could not note that a webhook is not well: it recovers all the time"))
    }

    async fn told(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        sqlx::query("UPDATE ill_webhooks SET told = true WHERE space = $1 AND webhook = $2 AND at = $3")
            .bind(space.as_str())
            .bind(webhook.as_str())
            .bind(at.unix_ms())
            .execute(self.pool())
            .await
            .map_err(fail("note that it was told of a webhook"))?;
        Ok(())
    }

    async fn forget(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        sqlx::query("DELETE FROM ill_webhooks WHERE space = $1 AND webhook = $2 AND at = $3")
            .bind(space.as_str())
            .bind(webhook.as_str())
            .bind(at.unix_ms())
            .execute(self.pool())
            .await
            .map_err(fail("note that a webhook is well"))?;
        Ok(())
    }

    async fn ill(&self) -> PortResult<Vec<Patient>> {
        let rows = sqlx::query("SELECT * FROM ill_webhooks ORDER BY at DESC LIMIT $1")
            .bind(i64::try_from(LISTED).unwrap_or(i64::MAX))
            .fetch_all(self.pool())
            .await
            .map_err(fail("list the webhooks that are not well"))?;
        let patient = |row: &PgRow| {
            let (space, webhook) =
                (row::id(row, "space", SpaceId::new)?, row::id(row, "webhook", WebhookId::new)?);
            Ok((space, webhook, condition(row)?))
        };
        rows.iter().map(patient).collect()
    }
}

impl Database {
    /// `None`: what was noted was forgotten at the same instant.
    async fn try_note(
        &self,
        space: &SpaceId,
        webhook: &WebhookId,
        found: &Condition,
    ) -> PortResult<Option<Condition>> {
        let what = "note that a webhook is not well";
        let mut work = self.begin(what).await?;
        let inserted = put(&mut work, space, webhook, found, "ON CONFLICT DO NOTHING").await?;
        let row = sqlx::query("SELECT * FROM ill_webhooks WHERE space = $1 AND webhook = $2 FOR UPDATE")
            .bind(space.as_str())
            .bind(webhook.as_str())
            .fetch_optional(&mut work)
            .await
            .map_err(fail(what))?;
        let Some(known) = row.as_ref().map(condition).transpose()? else { return Ok(None) };
        let noted = match found.after(Some(&known)).filter(|_| !inserted) {
            Some(after) => {
                let replace = "ON CONFLICT (space, webhook) DO UPDATE SET ill = excluded.ill, at = excluded.at, \
                               since = excluded.since, version = excluded.version, reason = excluded.reason, \
                               last_status = excluded.last_status, told = excluded.told";
                put(&mut work, space, webhook, &after, replace).await?;
                after
            }
            None => known,
        };
        work.commit().await.map_err(fail(what))?;
        Ok(Some(noted))
    }
}

/// Whether a row was written.
async fn put(
    work: &mut Work,
    space: &SpaceId,
    webhook: &WebhookId,
    condition: &Condition,
    on_conflict: &'static str,
) -> PortResult<bool> {
    let insert = format!(
        "INSERT INTO ill_webhooks (space, webhook, ill, at, since, version, reason, last_status, told) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) {on_conflict}"
    );
    let done = sqlx::query(sqlx::AssertSqlSafe(insert))
        .bind(space.as_str())
        .bind(webhook.as_str())
        .bind(condition.ill.as_str())
        .bind(condition.at.unix_ms())
        .bind(condition.since.unix_ms())
        .bind(column(condition.webhook_version)?)
        .bind(&condition.reason)
        .bind(condition.last_status.map(i32::from))
        .bind(condition.told)
        .execute(work)
        .await
        .map_err(fail("note that a webhook is not well"))?;
    Ok(done.rows_affected() > 0)
}

fn condition(row: &PgRow) -> PortResult<Condition> {
    let ill: &str = row::get(row, "ill")?;
    let status: Option<i32> = row::get(row, "last_status")?;
    Ok(Condition {
        ill: Ill::parse(ill).ok_or_else(|| damaged(format!("ill is {ill}")))?,
        at: row::at(row, "at")?,
        since: row::at(row, "since")?,
        webhook_version: row::number(row, "version")?,
        reason: row::get(row, "reason")?,
        last_status: status.and_then(|status| u16::try_from(status).ok()),
        told: row::get(row, "told")?,
    })
}
