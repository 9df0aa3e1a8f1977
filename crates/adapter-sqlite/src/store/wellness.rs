//! Which webhooks are not well.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::operational::{Condition, Ill};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::wellness::{LISTED, Patient, Wellness};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::access::id;
use super::registry::column;
use crate::database::Database;
use crate::fault::port_error;
use crate::instant;
use crate::writer::step;

#[async_trait]
impl Wellness for Database {
    async fn note(&self, space: &SpaceId, webhook: &WebhookId, found: &Condition) -> PortResult<Condition> {
        let (space, webhook, found) = (space.clone(), webhook.clone(), found.clone());
        let work = step(move |connection| {
            Box::pin(async move {
                let row = sqlx::query("SELECT * FROM ill_webhooks WHERE space = ?1 AND webhook = ?2")
                    .bind(space.as_str())
                    .bind(webhook.as_str())
                    .fetch_optional(&mut *connection)
                    .await?;
                let known = row.as_ref().map(condition).transpose()?;
                let noted = match (found.after(known.as_ref()), known) {
                    (None, Some(known)) => return Ok(known),
                    (after, _) => after.unwrap_or(found),
                };
                sqlx::query(
                    "INSERT OR REPLACE INTO ill_webhooks \
                     (space, webhook, ill, at, since, version, reason, last_status, told) \
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )
                .bind(space.as_str())
                .bind(webhook.as_str())
                .bind(noted.ill.as_str())
                .bind(noted.at.unix_ms())
                .bind(noted.since.unix_ms())
                .bind(column(noted.webhook_version)?)
                .bind(&noted.reason)
                .bind(noted.last_status)
                .bind(noted.told)
                .execute(connection)
                .await?;
                Ok(noted)
            })
        });
        self.shared.writer.several("note that a webhook is not well", work).await
    }

    async fn told(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        let told = "UPDATE ill_webhooks SET told = 1 WHERE space = ?1 AND webhook = ?2 AND at = ?3";
        self.change_noted("note that it was told of a webhook", told, space, webhook, at).await
    }

    async fn forget(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        let forget = "DELETE FROM ill_webhooks WHERE space = ?1 AND webhook = ?2 AND at = ?3";
        self.change_noted("note that a webhook is well", forget, space, webhook, at).await
    }

    async fn ill(&self) -> PortResult<Vec<Patient>> {
        let what = "list the webhooks that are not well";
        let mut reader = self.reader(what).await?;
        let rows = sqlx::query("SELECT * FROM ill_webhooks ORDER BY at DESC LIMIT ?1")
            .bind(i64::try_from(LISTED).unwrap_or(i64::MAX))
            .fetch_all(&mut *reader)
            .await
            .map_err(|error| port_error(what, error))?;
        let patient = |row: &SqliteRow| {
            let (space, webhook) = (id(row, "space", SpaceId::new)?, id(row, "webhook", WebhookId::new)?);
            Ok((space, webhook, condition(row)?))
        };
        rows.iter().map(patient).collect()
    }
}

impl Database {
    /// Runs a statement about what was noted of a webhook at that instant, and about nothing noted since.
    async fn change_noted(
        &self,
        what: &'static str,
        sql: &'static str,
        space: &SpaceId,
        webhook: &WebhookId,
        at: Timestamp,
    ) -> PortResult<()> {
        let (space, webhook) = (space.clone(), webhook.clone());
        let work = step(move |connection| {
            Box::pin(async move {
                let statement = sqlx::query(sql).bind(space.as_str()).bind(webhook.as_str());
                statement.bind(at.unix_ms()).execute(connection).await?;
                Ok(())
            })
        });
        self.shared.writer.single(what, work).await
    }
}

fn condition(row: &SqliteRow) -> PortResult<Condition> {
    let sql = |error| port_error("read a stored row", error);
    let ill: &str = row.try_get("ill").map_err(sql)?;
    let version: i64 = row.try_get("version").map_err(sql)?;
    let damaged =
        |what: String| PortError::permanent(format!("a stored row is not as it was written: {what}"));
    Ok(Condition {
        ill: Ill::parse(ill).ok_or_else(|| damaged(format!("ill is {ill}")))?,
        at: instant::at(row, "at").map_err(sql)?,
        since: instant::at(row, "since").map_err(sql)?,
        webhook_version: u64::try_from(version).map_err(|_| damaged(format!("version is {version}")))?,
        reason: row.try_get("reason").map_err(sql)?,
        last_status: row.try_get("last_status").map_err(sql)?,
        told: row.try_get("told").map_err(sql)?,
    })
}
