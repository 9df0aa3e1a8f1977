//! Opens the next generation of a delivery: a resend.

use postrider_domain::delivery::{DeliveryRef, DeliveryState, Progress};
use postrider_domain::id::{EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::DeliveryRow;
use sqlx::SqliteConnection;

use super::rows;
use super::write::NewDelivery;
use crate::database::Database;
use crate::fault::Fault;
use crate::writer::step;

/// One piece of work of the one writer, so two callers get two generations.
pub(super) async fn open(
    database: &Database,
    space: &SpaceId,
    event: &EventId,
    webhook: &WebhookId,
    now: Timestamp,
) -> PortResult<Option<DeliveryRow>> {
    let (space, event, webhook) = (space.clone(), event.clone(), webhook.clone());
    let work =
        step(move |connection| Box::pin(async move { next(connection, &space, &event, webhook, now).await }));
    database.shared.writer.several("open the next generation of a delivery", work).await
}

async fn next(
    connection: &mut SqliteConnection,
    space: &SpaceId,
    event: &EventId,
    webhook: WebhookId,
    now: Timestamp,
) -> Result<Option<DeliveryRow>, Fault> {
    // Generations are counted over all days: the id of a delivery does not know the day.
    let last = sqlx::query(
        "SELECT d.generation, e.head FROM deliveries d \
         JOIN events e ON e.space = d.space AND e.id = d.event AND e.day = d.day \
         WHERE d.space = ?1 AND d.event = ?2 AND d.webhook = ?3 ORDER BY d.generation DESC, d.day DESC LIMIT 1",
    )
    .bind(space.as_str())
    .bind(event.as_str())
    .bind(webhook.as_str())
    .fetch_optional(&mut *connection)
    .await?;
    let Some(last) = last else { return Ok(None) };
    let generation = rows::get::<u32>(&last, "generation")? + 1;
    let delivery = DeliveryRef { event: rows::head(&last)?, webhook, generation };
    let progress = Progress { state: DeliveryState::Pending, attempt: 0 };
    let row = NewDelivery {
        delivery: &delivery,
        progress,
        next_at: Some(now),
        reason: None,
        superseded_by: None,
        at: now,
    };
    row.insert(connection).await?;
    Ok(Some(DeliveryRow {
        id: delivery.id(),
        delivery,
        state: progress.state,
        attempt: progress.attempt,
        next_at: Some(now),
        reason: None,
        superseded_by: None,
        updated_at: now,
    }))
}
