//! The webhooks as management writes them. Every change is noted for the dispatchers in the same transaction.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::webhook::{Disabled, DisabledBy, Status, Webhook};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::registry::{Disable, Registry, Written};
use postrider_wire::Wire;
use sqlx::PgExecutor;

use super::subscriptions::{note, take_turns, webhook as read};
use crate::database::Database;
use crate::fault::fail;
use crate::row;
use crate::statements::Work;

/// Who is named in the audit of a webhook that was disabled by no person.
const OURSELVES: &str = "postrider";

impl Database {
    /// Begins a change of webhooks: nobody else changes one until it ends.
    async fn change(&self, what: &str) -> PortResult<Work> {
        let mut change = self.begin(what).await?;
        take_turns(&mut change).await.map_err(fail(what))?;
        Ok(change)
    }
}

/// Ends a change that changed this webhook.
async fn done(mut change: Work, what: &str, space: &SpaceId, id: &WebhookId) -> PortResult<()> {
    note(&mut change, space, Some(id)).await.map_err(fail(what))?;
    change.commit().await.map_err(fail(what))
}

#[async_trait]
impl Registry for Database {
    async fn create(&self, webhook: &Webhook) -> PortResult<()> {
        let what = "create a webhook";
        let version = column(webhook.version)?;
        let mut change = self.change(what).await?;
        sqlx::query("INSERT INTO webhooks (space, id, version, body) VALUES ($1, $2, $3, $4)")
            .bind(webhook.space.as_str())
            .bind(webhook.id.as_str())
            .bind(version)
            .bind(webhook.encode())
            .execute(&mut change)
            .await
            .map_err(fail(what))?;
        done(change, what, &webhook.space, &webhook.id).await
    }

    async fn update(&self, webhook: &Webhook, expected: u64) -> PortResult<Written> {
        let what = "update a webhook";
        let mut change = self.change(what).await?;
        let Some(known) = find(&mut change, &webhook.space, &webhook.id).await? else {
            return Ok(Written::Missing);
        };
        if known.version != expected {
            return Ok(Written::VersionMismatch { current: known.version });
        }
        replace(&mut change, webhook, what).await?;
        done(change, what, &webhook.space, &webhook.id).await?;
        Ok(Written::Done(Box::new(webhook.clone())))
    }

    async fn delete(&self, space: &SpaceId, id: &WebhookId, expected: Option<u64>) -> PortResult<Written> {
        let what = "delete a webhook";
        let mut change = self.change(what).await?;
        let Some(known) = find(&mut change, space, id).await? else {
            return Ok(Written::Missing);
        };
        if expected.is_some_and(|expected| expected != known.version) {
            return Ok(Written::VersionMismatch { current: known.version });
        }
        sqlx::query("DELETE FROM webhooks WHERE space = $1 AND id = $2")
            .bind(space.as_str())
            .bind(id.as_str())
            .execute(&mut change)
            .await
            .map_err(fail(what))?;
        done(change, what, space, id).await?;
        Ok(Written::Done(Box::new(known)))
    }

    async fn get(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>> {
        find(self.pool(), space, id).await
    }

    async fn list(&self, space: &SpaceId, skip: usize, limit: usize) -> PortResult<(Vec<Webhook>, usize)> {
        let rows = sqlx::query(
            "SELECT id, body FROM webhooks WHERE space = $1 ORDER BY seq DESC LIMIT $2 OFFSET $3",
        )
        .bind(space.as_str())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(i64::try_from(skip).unwrap_or(i64::MAX))
        .fetch_all(self.pool())
        .await
        .map_err(fail("list webhooks"))?;
        let total = sqlx::query("SELECT COUNT(*) AS total FROM webhooks WHERE space = $1")
            .bind(space.as_str())
            .fetch_one(self.pool())
            .await
            .map_err(fail("list webhooks"))?;
        let webhooks = rows.iter().map(|row| read(row::get(row, "id")?, row::get(row, "body")?));
        Ok((webhooks.collect::<PortResult<_>>()?, row::number(&total, "total")?))
    }
}

#[async_trait]
impl Disable for Database {
    async fn disable(&self, space: &SpaceId, id: &WebhookId, why: &Disabled) -> PortResult<bool> {
        let what = "disable a webhook";
        let mut change = self.change(what).await?;
        let found = find(&mut change, space, id).await?;
        let Some(mut webhook) = found.filter(Webhook::is_active) else {
            return Ok(false);
        };
        webhook.version += 1;
        webhook.audit.updated_at = why.at;
        if why.by != DisabledBy::User {
            OURSELVES.clone_into(&mut webhook.audit.updated_by);
        }
        webhook.status = Status::Disabled(why.clone());
        replace(&mut change, &webhook, what).await?;
        done(change, what, space, id).await?;
        Ok(true)
    }
}

async fn find(on: impl PgExecutor<'_>, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>> {
    let row = sqlx::query("SELECT body FROM webhooks WHERE space = $1 AND id = $2")
        .bind(space.as_str())
        .bind(id.as_str())
        .fetch_optional(on)
        .await
        .map_err(fail("read a webhook"))?;
    row.map(|row| read(id.as_str(), row::get(&row, "body")?)).transpose()
}

async fn replace(connection: &mut Work, webhook: &Webhook, what: &str) -> PortResult<()> {
    sqlx::query("UPDATE webhooks SET version = $3, body = $4 WHERE space = $1 AND id = $2")
        .bind(webhook.space.as_str())
        .bind(webhook.id.as_str())
        .bind(column(webhook.version)?)
        .bind(webhook.encode())
        .execute(connection)
        .await
        .map_err(fail(what))?;
    Ok(())
}

/// A version as the column keeps it.
pub(super) fn column(version: u64) -> PortResult<i64> {
    i64::try_from(version).map_err(|_| PortError::permanent(format!("version {version} is out of range")))
}
