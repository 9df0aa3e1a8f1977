//! Stores batches of records.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::call::CallRecord;
use postrider_domain::delivery::{DeliveryId, DeliveryRef, DeliveryState, Progress};
use postrider_domain::event::{Carriage, EventHead};
use postrider_domain::record::{MatchRecord, Record, SettledRecord};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use postrider_ports::log::{LogWrite, Poisoned, Reopen};
use postrider_ports::progress::Asked;
use postrider_wire::Wire;
use sqlx::SqliteConnection;

use super::rows::call_day;
use crate::database::Database;
use crate::fault::Fault;
use crate::writer::step;

#[async_trait]
impl LogWrite for Database {
    async fn write(&self, batch: &[Record]) -> PortResult<Vec<Poisoned>> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let batch = batch.to_vec();
        let work = step(move |connection| Box::pin(async move { write_all(connection, &batch).await }));
        self.shared.writer.several("write the log", work).await
    }
}

#[async_trait]
impl Reopen for Database {
    async fn reopen(&self, deliveries: &[Asked], now: Timestamp) -> PortResult<()> {
        let deliveries = deliveries.to_vec();
        let work = step(move |connection| {
            Box::pin(async move {
                for asked in deliveries {
                    sqlx::query(
                        "UPDATE deliveries SET state = 'pending', reason = NULL, updated_at = ?3 \
                         WHERE day = ?1 AND id = ?2 AND state = 'parked'",
                    )
                    .bind(asked.day.0)
                    .bind(asked.id.0.as_bytes().to_vec())
                    .bind(now.unix_ms())
                    .execute(&mut *connection)
                    .await?;
                }
                Ok(())
            })
        });
        self.shared.writer.several("open parked deliveries again", work).await
    }
}

/// Writes all records together; only if one of them fails are they written each in a savepoint of its own.
async fn write_all(connection: &mut SqliteConnection, batch: &[Record]) -> Result<Vec<Poisoned>, Fault> {
    sqlx::query("SAVEPOINT batch").execute(&mut *connection).await?;
    let mut poison = false;
    for record in batch {
        match write(connection, record).await {
            Ok(()) => {}
            Err(fault) if fault.ends_transaction() => return Err(fault),
            Err(_) => {
                poison = true;
                break;
            }
        }
    }
    let mut poisoned = Vec::new();
    if poison {
        sqlx::query("ROLLBACK TO batch").execute(&mut *connection).await?;
        for (index, record) in batch.iter().enumerate() {
            if let Some(fault) = write_apart(connection, record).await? {
                let reason = fault.into_port("store the record").to_string();
                poisoned.push(Poisoned { index, reason });
            }
        }
    }
    sqlx::query("RELEASE batch").execute(connection).await?;
    Ok(poisoned)
}

async fn write_apart(connection: &mut SqliteConnection, record: &Record) -> Result<Option<Fault>, Fault> {
    sqlx::query("SAVEPOINT record").execute(&mut *connection).await?;
    let fault = match write(connection, record).await {
        Ok(()) => None,
        Err(fault) if fault.ends_transaction() => return Err(fault),
        Err(fault) => {
            sqlx::query("ROLLBACK TO record").execute(&mut *connection).await?;
            Some(fault)
        }
    };
    sqlx::query("RELEASE record").execute(connection).await?;
    Ok(fault)
}

async fn write(connection: &mut SqliteConnection, record: &Record) -> Result<(), Fault> {
    match record {
        Record::Matched(matched) => write_match(connection, matched).await,
        Record::Call(call) => write_call(connection, call).await,
        Record::Settled(settled) => write_settled(connection, settled).await,
    }
}

async fn write_match(connection: &mut SqliteConnection, matched: &MatchRecord) -> Result<(), Fault> {
    if matched.part == 0 {
        write_event(connection, matched).await?;
    } else {
        write_head(connection, &matched.event.head).await?;
    }
    write_pending(connection, matched).await
}

async fn write_event(connection: &mut SqliteConnection, matched: &MatchRecord) -> Result<(), Fault> {
    let head = &matched.event.head;
    let (content, body) = match &matched.event.content {
        Carriage::Inline(content) => (Some(content.encode()), None),
        Carriage::Stored(body) => (None, Some(body)),
    };
    sqlx::query(
        "INSERT INTO events (day, space, id, head, decisions, unlisted, body_sha256, body_day, body_length, content) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) \
         ON CONFLICT (space, id, day) DO UPDATE SET decisions = excluded.decisions, unlisted = excluded.unlisted, \
         body_sha256 = excluded.body_sha256, body_day = excluded.body_day, body_length = excluded.body_length, \
         content = excluded.content WHERE events.decisions IS NULL",
    )
    .bind(head.day().0)
    .bind(head.scope.space.as_str())
    .bind(head.id.as_str())
    .bind(head.encode())
    .bind(matched.decisions.encode())
    .bind(matched.unlisted)
    .bind(body.map(|body| body.sha256.to_vec()))
    .bind(body.map(|body| body.day.0))
    .bind(body.map(|body| body.length))
    .bind(content)
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_pending(connection: &mut SqliteConnection, matched: &MatchRecord) -> Result<(), Fault> {
    let head = &matched.event.head;
    for decision in matched.decisions.iter().filter(|decision| decision.verdict.matched) {
        let row = NewDelivery {
            delivery: &DeliveryRef {
                event: Arc::clone(head),
                webhook: decision.webhook.clone(),
                generation: 0,
            },
            progress: Progress { state: DeliveryState::Pending, attempt: 0 },
            next_at: decision.due_at,
            reason: None,
            superseded_by: None,
            at: matched.at,
        };
        row.insert(connection).await?;
    }
    Ok(())
}

async fn write_call(connection: &mut SqliteConnection, call: &CallRecord) -> Result<(), Fault> {
    let head = &call.delivery.event;
    sqlx::query(
        "INSERT INTO calls (day, id, space, environment, event, type, action, webhook, state, started_at, record) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (day, id) DO NOTHING",
    )
    .bind(call_day(call.id).0)
    .bind(call.id.0.as_bytes().as_slice())
    .bind(head.scope.space.as_str())
    .bind(head.scope.environment.as_str())
    .bind(head.id.as_str())
    .bind(head.event_type.as_str())
    .bind(head.action.as_str())
    .bind(call.delivery.webhook.as_str())
    .bind(call.state.as_str())
    .bind(call.started_at.unix_ms())
    .bind(call.encode())
    .execute(&mut *connection)
    .await?;
    let row = NewDelivery {
        delivery: &call.delivery,
        progress: Progress { state: call.state, attempt: call.attempt },
        next_at: call.next_at,
        reason: None,
        superseded_by: None,
        at: call.started_at.plus(call.timings.total),
    };
    settle(connection, &row).await
}

async fn write_settled(connection: &mut SqliteConnection, settled: &SettledRecord) -> Result<(), Fault> {
    let row = NewDelivery {
        delivery: &settled.delivery,
        progress: Progress { state: settled.state, attempt: settled.attempt },
        next_at: None,
        reason: Some(&settled.reason),
        superseded_by: settled.by,
        at: settled.at,
    };
    settle(connection, &row).await
}

/// Takes a delivery further. It is there already unless its record came before that of the matching, and only then does
/// its event have to be looked after.
async fn settle(connection: &mut SqliteConnection, row: &NewDelivery<'_>) -> Result<(), Fault> {
    if row.advance(connection).await? {
        return Ok(());
    }
    write_head(connection, &row.delivery.event).await?;
    row.insert(connection).await
}

/// Makes sure that a delivery has an event to be listed with; the record of its matching completes it.
async fn write_head(connection: &mut SqliteConnection, head: &EventHead) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO events (day, space, id, head) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (space, id, day) DO NOTHING",
    )
    .bind(head.day().0)
    .bind(head.scope.space.as_str())
    .bind(head.id.as_str())
    .bind(head.encode())
    .execute(connection)
    .await?;
    Ok(())
}

/// A delivery as far as it has come.
pub(super) struct NewDelivery<'a> {
    pub(super) delivery: &'a DeliveryRef,
    pub(super) progress: Progress,
    pub(super) next_at: Option<Timestamp>,
    pub(super) reason: Option<&'a str>,
    pub(super) superseded_by: Option<DeliveryId>,
    pub(super) at: Timestamp,
}

impl NewDelivery<'_> {
    /// Takes a row that is there further; `false` if there is none, or it stays. The WHERE is [`Progress::replaces`] in
    /// SQL, the new attempt [`Progress::following`].
    async fn advance(&self, connection: &mut SqliteConnection) -> Result<bool, Fault> {
        let done = sqlx::query(
            "UPDATE deliveries SET state = ?3, attempt = max(attempt, ?4), next_at = ?5, reason = ?6, superseded_by = ?7, \
             updated_at = ?8 WHERE day = ?1 AND id = ?2 AND state IN ('pending', 'parked') \
             AND (?3 NOT IN ('pending', 'parked') OR ?4 > attempt \
             OR (?4 = attempt AND ?3 = 'parked' AND state = 'pending'))",
        )
        .bind(self.delivery.event.day().0)
        .bind(self.delivery.id().0.as_bytes().to_vec())
        .bind(self.progress.state.as_str())
        .bind(self.progress.attempt)
        .bind(self.next_at.map(Timestamp::unix_ms))
        .bind(self.reason)
        .bind(self.superseded_by.map(|by| by.0.as_bytes().to_vec()))
        .bind(self.at.unix_ms())
        .execute(connection)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Makes the row if there is none.
    pub(super) async fn insert(&self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        let head = &self.delivery.event;
        sqlx::query(
            "INSERT INTO deliveries (day, id, space, environment, event, type, action, webhook, generation, state, \
             attempt, next_at, reason, superseded_by, updated_at) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) \
             ON CONFLICT (day, id) DO NOTHING",
        )
        .bind(head.day().0)
        .bind(self.delivery.id().0.as_bytes().to_vec())
        .bind(head.scope.space.as_str())
        .bind(head.scope.environment.as_str())
        .bind(head.id.as_str())
        .bind(head.event_type.as_str())
        .bind(head.action.as_str())
        .bind(self.delivery.webhook.as_str())
        .bind(self.delivery.generation)
        .bind(self.progress.state.as_str())
        .bind(self.progress.attempt)
        .bind(self.next_at.map(Timestamp::unix_ms))
        .bind(self.reason)
        .bind(self.superseded_by.map(|by| by.0.as_bytes().to_vec()))
        .bind(self.at.unix_ms())
        .execute(connection)
        .await?;
        Ok(())
    }
}
