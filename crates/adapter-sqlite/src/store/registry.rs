//! The webhooks as management writes them. Every change is noted for the dispatchers in the same transaction.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::webhook::{Disabled, DisabledBy, Status, Webhook};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::registry::{Disable, Registry, Written};
use postrider_wire::Wire;
use sqlx::{Row, SqliteConnection};

use super::subscriptions::{change, webhook as read};
use crate::database::Database;
use crate::fault::{Fault, port_error};
use crate::writer::step;

/// Who is named in the audit of a webhook that was disabled by no person.
const OURSELVES: &str = "postrider";

#[async_trait]
impl Registry for Database {
    async fn create(&self, webhook: &Webhook) -> PortResult<()> {
        let (space, id) = (webhook.space.clone(), webhook.id.clone());
        let place = (space.clone(), Some(id.clone()));
        let (version, body) = (column(webhook.version)?, webhook.encode());
        let work = step(move |connection| {
            Box::pin(async move {
                sqlx::query("INSERT INTO webhooks (space, id, version, body) VALUES (?1, ?2, ?3, ?4)")
                    .bind(space.as_str())
                    .bind(id.as_str())
                    .bind(version)
                    .bind(body)
                    .execute(connection)
                    .await?;
                Ok((true, ()))
            })
        });
        change(&self.shared, "create a webhook", place, work).await
    }

    async fn update(&self, webhook: &Webhook, expected: u64) -> PortResult<Written> {
        let place = (webhook.space.clone(), Some(webhook.id.clone()));
        let webhook = webhook.clone();
        let work = step(move |connection| {
            Box::pin(async move {
                let Some(known) = find(connection, &webhook.space, &webhook.id).await? else {
                    return Ok((false, Written::Missing));
                };
                if known.version != expected {
                    return Ok((false, Written::VersionMismatch { current: known.version }));
                }
                replace(connection, &webhook).await?;
                Ok((true, Written::Done(Box::new(webhook))))
            })
        });
        change(&self.shared, "update a webhook", place, work).await
    }

    async fn delete(&self, space: &SpaceId, id: &WebhookId, expected: Option<u64>) -> PortResult<Written> {
        let (space, id) = (space.clone(), id.clone());
        let place = (space.clone(), Some(id.clone()));
        let work = step(move |connection| {
            Box::pin(async move {
                let Some(known) = find(connection, &space, &id).await? else {
                    return Ok((false, Written::Missing));
                };
                if expected.is_some_and(|expected| expected != known.version) {
                    return Ok((false, Written::VersionMismatch { current: known.version }));
                }
                sqlx::query("DELETE FROM webhooks WHERE space = ?1 AND id = ?2")
                    .bind(space.as_str())
                    .bind(id.as_str())
                    .execute(connection)
                    .await?;
                Ok((true, Written::Done(Box::new(known))))
            })
        });
        change(&self.shared, "delete a webhook", place, work).await
    }

    async fn get(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>> {
        let mut reader = self.reader("read a webhook").await?;
        find(&mut reader, space, id).await.map_err(|fault| fault.into_port("read a webhook"))
    }

    async fn list(&self, space: &SpaceId, skip: usize, limit: usize) -> PortResult<(Vec<Webhook>, usize)> {
        let fail = |error| port_error("list webhooks", error);
        let mut reader = self.reader("list webhooks").await?;
        let rows = sqlx::query(
            "SELECT id, body FROM webhooks WHERE space = ?1 ORDER BY seq DESC LIMIT ?2 OFFSET ?3",
        )
        .bind(space.as_str())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(i64::try_from(skip).unwrap_or(i64::MAX))
        .fetch_all(&mut *reader)
        .await
        .map_err(fail)?;
        let total = sqlx::query("SELECT COUNT(*) FROM webhooks WHERE space = ?1")
            .bind(space.as_str())
            .fetch_one(&mut *reader)
            .await
            .and_then(|row| row.try_get::<i64, _>(0))
            .map_err(fail)?;
        let webhooks = rows.iter().map(|row| read(row.get("id"), row.get("body")));
        Ok((webhooks.collect::<PortResult<_>>()?, usize::try_from(total).unwrap_or(0)))
    }
}

#[async_trait]
impl Disable for Database {
    async fn disable(&self, space: &SpaceId, id: &WebhookId, why: &Disabled) -> PortResult<bool> {
        let (space, id) = (space.clone(), id.clone());
        let place = (space.clone(), Some(id.clone()));
        let why = why.clone();
        let work = step(move |connection| {
            Box::pin(async move {
                let found = find(connection, &space, &id).await?;
                let Some(mut webhook) = found.filter(Webhook::is_active) else {
                    return Ok((false, false));
                };
                webhook.version += 1;
                webhook.audit.updated_at = why.at;
                if why.by != DisabledBy::User {
                    OURSELVES.clone_into(&mut webhook.audit.updated_by);
                }
                webhook.status = Status::Disabled(why);
                replace(connection, &webhook).await?;
                Ok((true, true))
            })
        });
        change(&self.shared, "disable a webhook", place, work).await
    }
}

async fn find(
    connection: &mut SqliteConnection,
    space: &SpaceId,
    id: &WebhookId,
) -> Result<Option<Webhook>, Fault> {
    let row = sqlx::query("SELECT body FROM webhooks WHERE space = ?1 AND id = ?2")
        .bind(space.as_str())
        .bind(id.as_str())
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| read(id.as_str(), row.get("body"))).transpose()?)
}

async fn replace(connection: &mut SqliteConnection, webhook: &Webhook) -> Result<(), Fault> {
    sqlx::query("UPDATE webhooks SET version = ?3, body = ?4 WHERE space = ?1 AND id = ?2")
        .bind(webhook.space.as_str())
        .bind(webhook.id.as_str())
        .bind(column(webhook.version)?)
        .bind(webhook.encode())
        .execute(connection)
        .await?;
    Ok(())
}

/// A version as the column keeps it.
pub(super) fn column(version: u64) -> PortResult<i64> {
    i64::try_from(version).map_err(|_| PortError::permanent(format!("version {version} is out of range")))
}
