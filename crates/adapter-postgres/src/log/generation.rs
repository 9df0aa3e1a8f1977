//! Opens the next generation of a delivery: a resend.

use postrider_domain::delivery::{DeliveryRef, DeliveryState, Progress};
use postrider_domain::id::{EventId, SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::DeliveryRow;

use super::batch::DeliveryEntry;
use super::rows;
use super::write::write_deliveries;
use crate::database::Database;
use crate::fault::fail;
use crate::row;

/// One caller at a time for each event and webhook, so two callers get two generations.
pub(super) async fn open(
    database: &Database,
    space: &SpaceId,
    event: &EventId,
    webhook: &WebhookId,
    now: Timestamp,
) -> PortResult<Option<DeliveryRow>> {
    let what = "open the next generation of a delivery";
    let mut opening = database.begin(what).await?;
    // Two that share a hash wait for each other, no more. The two numbers keep clear of the locks of one number.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext($1), hashtext($2))")
        .bind(format!("{space}/{event}"))
        .bind(webhook.as_str())
        .execute(&mut opening)
        .await
        .map_err(fail(what))?;
    // Generations are counted over all days: the id of a delivery does not know the day.
    let last = sqlx::query(
        "SELECT d.generation, e.head FROM deliveries d \
         JOIN events e ON e.space = d.space AND e.id = d.event AND e.day = d.day \
         WHERE d.space = $1 AND d.event = $2 AND d.webhook = $3 ORDER BY d.generation DESC, d.day DESC LIMIT 1",
    )
    .bind(space.as_str())
    .bind(event.as_str())
    .bind(webhook.as_str())
    .fetch_optional(&mut opening)
    .await
    .map_err(fail(what))?;
    let Some(last) = last else { return Ok(None) };
    let generation = row::number::<u32>(&last, "generation")?.saturating_add(1);
    let entry = DeliveryEntry {
        delivery: DeliveryRef { event: rows::head(&last)?, webhook: webhook.clone(), generation },
        progress: Progress { state: DeliveryState::Pending, attempt: 0 },
        next_at: Some(now),
        reason: None,
        superseded_by: None,
        at: now,
    };
    write_deliveries(&mut opening, &[&entry]).await.map_err(fail(what))?;
    opening.commit().await.map_err(fail(what))?;
    Ok(Some(DeliveryRow {
        id: entry.delivery.id(),
        delivery: entry.delivery,
        state: entry.progress.state,
        attempt: entry.progress.attempt,
        next_at: entry.next_at,
        reason: None,
        superseded_by: None,
        updated_at: now,
    }))
}
