//! Stores batches of records, each in one transaction of a handful of statements.

use std::collections::BTreeSet;

use async_trait::async_trait;
use postrider_domain::event::Carriage;
use postrider_domain::record::Record;
use postrider_domain::timestamp::{Day, Timestamp};
use postrider_ports::error::PortResult;
use postrider_ports::log::{LogWrite, Poisoned, Reopen};
use postrider_ports::progress::Asked;
use postrider_wire::Wire;
use sqlx::Row;

use super::batch::{Batch, DeliveryEntry, EventEntry, EventKey};
use crate::database::Database;
use crate::fault::{fail, is_of_the_row, port_error};
use crate::statements::Work;

const WHAT: &str = "write the log";

#[async_trait]
impl LogWrite for Database {
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let rows = Batch::of(batch);
        self.ensure_days(rows.days()).await?;
        let mut writing = self.begin(WHAT).await?;
        match write(&mut writing, &rows).await {
            Ok(()) => {
                writing.commit().await.map_err(fail(WHAT))?;
                return Ok(Vec::new());
            }
            Err(error) if !is_of_the_row(&error) => return Err(port_error(WHAT, error)),
            Err(_) => writing.rollback().await.map_err(fail(WHAT))?,
        }
        let mut writing = self.begin(WHAT).await?;
        let poisoned = write_apart(&mut writing, batch).await.map_err(fail(WHAT))?;
        writing.commit().await.map_err(fail(WHAT))?;
        Ok(poisoned)
    }
}

#[async_trait]
impl Reopen for Database {
    async fn reopen(&self, deliveries: &[Asked], now: Timestamp) -> PortResult<()> {
        let what = "open parked deliveries again";
        let mut reopening = self.begin(what).await?;
        sqlx::query(
            "UPDATE deliveries d SET state = 'pending', reason = NULL, updated_at = $3 \
             FROM unnest($1::int[], $2::bytea[]) AS a(day, id) \
             WHERE d.day = a.day AND d.id = a.id AND d.state = 'parked'",
        )
        .bind(deliveries.iter().map(|one| one.day.0).collect::<Vec<_>>())
        .bind(deliveries.iter().map(|one| one.id.0.as_bytes().to_vec()).collect::<Vec<_>>())
        .bind(now.unix_ms())
        .execute(&mut reopening)
        .await
        .map_err(fail(what))?;
        reopening.commit().await.map_err(fail(what))
    }
}

/// Finds the poison by halving: a part that fails is undone and written as two, down to single records. One of 500 costs
/// some 2 × log2(500) = 18 parts.
async fn write_apart(connection: &mut Work, batch: &[Record]) -> Result<Vec<Poisoned>, sqlx::Error> {
    let mut poisoned = Vec::new();
    let mut parts = vec![(0, batch)];
    while let Some((start, part)) = parts.pop() {
        sqlx::query("SAVEPOINT part").execute(&mut *connection).await?;
        match write(&mut *connection, &Batch::of(part)).await {
            Ok(()) => {
                sqlx::query("RELEASE part").execute(&mut *connection).await?;
            }
            Err(error) if !is_of_the_row(&error) => return Err(error),
            Err(error) => {
                sqlx::query("ROLLBACK TO part").execute(&mut *connection).await?;
                if part.len() == 1 {
                    let reason = port_error("store the record", error).to_string();
                    poisoned.push(Poisoned { index: start, reason });
                } else {
                    let (left, right) = part.split_at(part.len() / 2);
                    parts.push((start + left.len(), right));
                    parts.push((start, left));
                }
            }
        }
    }
    Ok(poisoned)
}

async fn write(connection: &mut Work, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    write_events(connection, batch).await?;
    let entries: Vec<&DeliveryEntry> = batch.deliveries.values().collect();
    write_deliveries(connection, &entries).await?;
    write_calls(connection, batch).await
}

/// Stores the events whose matching is in the batch, and the heads of those that nothing is known of yet: most calls come
/// after their event, whose head need not travel again.
async fn write_events(connection: &mut Work, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    let bare: Vec<&EventKey> =
        batch.events.iter().filter(|(_, event)| event.matched.is_none()).map(|(key, _)| key).collect();
    let mut unknown: BTreeSet<&EventKey> = BTreeSet::new();
    if !bare.is_empty() {
        let missing = sqlx::query(
            "SELECT a.place FROM unnest($1::text[], $2::text[], $3::int[]) WITH ORDINALITY AS a(space, id, day, place) \
             WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.space = a.space AND e.id = a.id AND e.day = a.day)",
        )
        .bind(bare.iter().map(|key| key.0.as_str()).collect::<Vec<_>>())
        .bind(bare.iter().map(|key| key.1.as_str()).collect::<Vec<_>>())
        .bind(bare.iter().map(|key| key.2.0).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
        for row in missing {
            // Ordinality counts from 1.
            let place = usize::try_from(row.try_get::<i64, _>("place")? - 1).unwrap_or(0);
            unknown.extend(bare.get(place).copied());
        }
    }
    let events: Vec<(&EventKey, &EventEntry<'_>)> = batch
        .events
        .iter()
        .filter(|(key, event)| event.matched.is_some() || unknown.contains(*key))
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    insert_events(connection, &events).await
}

async fn insert_events(
    connection: &mut Work,
    events: &[(&EventKey, &EventEntry<'_>)],
) -> Result<(), sqlx::Error> {
    let carriages: Vec<_> =
        events.iter().map(|(_, event)| event.matched.map(|matched| &matched.event.content)).collect();
    let bodies: Vec<_> = carriages
        .iter()
        .map(|carriage| match carriage {
            Some(Carriage::Stored(body)) => Some(body),
            _ => None,
        })
        .collect();
    let contents = carriages.iter().map(|carriage| match carriage {
        Some(Carriage::Inline(content)) => Some(content.encode()),
        _ => None,
    });
    let decisions = events.iter().map(|(_, event)| event.matched.map(|matched| matched.decisions.encode()));
    let unlisted =
        events.iter().map(|(_, event)| event.matched.map_or(0, |matched| i64::from(matched.unlisted)));
    sqlx::query(
        "INSERT INTO events (day, space, id, head, decisions, unlisted, body_sha256, body_day, body_length, content) \
         SELECT * FROM unnest($1::int[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[], $7::bytea[], \
         $8::int[], $9::bigint[], $10::bytea[]) \
         ON CONFLICT (space, id, day) DO UPDATE SET decisions = excluded.decisions, unlisted = excluded.unlisted, \
         body_sha256 = excluded.body_sha256, body_day = excluded.body_day, body_length = excluded.body_length, \
         content = excluded.content WHERE events.decisions IS NULL AND excluded.decisions IS NOT NULL",
    )
    .bind(events.iter().map(|(key, _)| key.2.0).collect::<Vec<_>>())
    .bind(events.iter().map(|(key, _)| key.0.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|(key, _)| key.1.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, event)| event.head.encode()).collect::<Vec<Vec<u8>>>())
    .bind(decisions.collect::<Vec<Option<Vec<u8>>>>())
    .bind(unlisted.collect::<Vec<_>>())
    .bind(bodies.iter().map(|body| body.map(|body| body.sha256.to_vec())).collect::<Vec<_>>())
    .bind(bodies.iter().map(|body| body.map(|body| body.day.0)).collect::<Vec<_>>())
    .bind(bodies.iter().map(|body| body.map(|body| i64::from(body.length))).collect::<Vec<_>>())
    .bind(contents.collect::<Vec<Option<Vec<u8>>>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes deliveries, or takes them further. The WHERE is `Progress::replaces` in SQL.
pub(super) async fn write_deliveries(
    connection: &mut Work,
    rows: &[&DeliveryEntry],
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let head = |row: &&DeliveryEntry| row.delivery.event.clone();
    let heads: Vec<_> = rows.iter().map(head).collect();
    sqlx::query(
        "INSERT INTO deliveries (day, id, space, environment, event, type, action, webhook, generation, state, attempt, \
         next_at, reason, superseded_by, updated_at) \
         SELECT * FROM unnest($1::int[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
         $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::bigint[], $13::bytea[], $14::bytea[], $15::bigint[]) \
         ON CONFLICT (day, id) DO UPDATE SET state = excluded.state, \
         attempt = GREATEST(deliveries.attempt, excluded.attempt), \
         next_at = excluded.next_at, reason = excluded.reason, superseded_by = excluded.superseded_by, \
         updated_at = excluded.updated_at \
         WHERE deliveries.state IN ('pending', 'parked') AND (excluded.state NOT IN ('pending', 'parked') \
         OR excluded.attempt > deliveries.attempt OR (excluded.attempt = deliveries.attempt \
         AND excluded.state = 'parked' AND deliveries.state = 'pending'))",
    )
    .bind(heads.iter().map(|head| head.day().0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.delivery.id().0.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.scope.space.as_str()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.scope.environment.as_str()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.id.as_str()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.event_type.as_str()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.action.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.delivery.webhook.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| i64::from(row.delivery.generation)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.progress.state.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| i64::from(row.progress.attempt)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.next_at.map(Timestamp::unix_ms)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.reason.as_ref().map(|it| it.as_bytes().to_vec())).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.superseded_by.map(|by| by.0.as_bytes().to_vec())).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.at.unix_ms()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_calls(connection: &mut Work, batch: &Batch<'_>) -> Result<(), sqlx::Error> {
    if batch.calls.is_empty() {
        return Ok(());
    }
    let day = |key: &(Day, uuid::Uuid)| key.0.0;
    let calls: Vec<_> = batch.calls.values().collect();
    let heads: Vec<_> = calls.iter().map(|call| &call.delivery.event).collect();
    sqlx::query(
        "INSERT INTO calls (day, id, space, environment, event, type, action, webhook, state, started_at, record) \
         SELECT * FROM unnest($1::int[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
         $8::text[], $9::text[], $10::bigint[], $11::bytea[]) ON CONFLICT (day, id) DO NOTHING",
    )
    .bind(batch.calls.keys().map(day).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.id.0.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.scope.space.as_str()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.scope.environment.as_str()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.id.as_str()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.event_type.as_str()).collect::<Vec<_>>())
    .bind(heads.iter().map(|head| head.action.as_str()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.delivery.webhook.as_str()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.state.as_str()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.started_at.unix_ms()).collect::<Vec<_>>())
    .bind(calls.iter().map(|call| call.encode()).collect::<Vec<Vec<u8>>>())
    .execute(connection)
    .await?;
    Ok(())
}
