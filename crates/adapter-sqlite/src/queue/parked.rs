//! Messages put aside for a person.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::message::{DeliverMessage, Queue, TraceContext};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{HeldDelivery, Parked, ParkedMessage};
use postrider_wire::Wire;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::publish::NewRow;
use super::{DELIVERY_LIMIT, code};
use crate::database::Database;
use crate::fault::{Fault, port_error};
use crate::instant;
use crate::writer::{Size, step};

/// A list has at most this many messages, and ends with the one that brings it to 8 MiB.
const LIST_LIMIT: usize = 1000;
const LIST_BYTES: usize = 8 * 1024 * 1024;

/// Moves a message from its queue to the parked ones.
pub(super) async fn put_aside(
    connection: &mut SqliteConnection,
    seq: i64,
    queue: Queue,
    reason: &str,
    now: i64,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO parked (queue, reason, parked_at, deliveries, trace_parent, trace_state, body) \
         SELECT ?2, ?3, ?4, redeliveries, trace_parent, trace_state, body FROM messages WHERE seq = ?1",
    )
    .bind(seq)
    .bind(queue.as_str())
    .bind(reason)
    .bind(now)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM messages WHERE seq = ?1").bind(seq).execute(connection).await?;
    Ok(())
}

/// Parks what dead processes held once too often; its leases end with it.
pub(super) async fn put_aside_poison(connection: &mut SqliteConnection, now: i64) -> Result<(), sqlx::Error> {
    let reason = format!(
        "whoever held it never came to an end with it: it was held {DELIVERY_LIMIT} times when the process died, or given up"
    );
    for queue in Queue::ALL {
        sqlx::query(
            "INSERT INTO parked (queue, reason, parked_at, deliveries, trace_parent, trace_state, body) \
             SELECT ?2, ?3, ?4, m.redeliveries, m.trace_parent, m.trace_state, m.body \
             FROM leases l CROSS JOIN messages m ON m.seq = l.seq WHERE l.queue = ?1 AND m.failures >= ?5 ORDER BY l.seq",
        )
        .bind(code(queue))
        .bind(queue.as_str())
        .bind(&reason)
        .bind(now)
        .bind(DELIVERY_LIMIT)
        .execute(&mut *connection)
        .await?;
    }
    sqlx::query(
        "DELETE FROM messages WHERE seq IN \
         (SELECT l.seq FROM leases l CROSS JOIN messages m ON m.seq = l.seq WHERE m.failures >= ?1)",
    )
    .bind(DELIVERY_LIMIT)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM leases WHERE seq NOT IN (SELECT seq FROM messages)").execute(connection).await?;
    Ok(())
}

#[async_trait]
impl Parked for Database {
    async fn park(&self, queue: &str, reason: &str, body: &[u8]) -> PortResult<()> {
        let (queue, reason, body) = (queue.to_owned(), reason.to_owned(), body.to_vec());
        let now = self.shared.clock.now().unix_ms();
        let work = step(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO parked (queue, reason, parked_at, deliveries, body) VALUES (?1, ?2, ?3, 0, ?4)",
                )
                .bind(queue)
                .bind(reason)
                .bind(now)
                .bind(body)
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        self.shared.writer.single("park an input", work).await
    }

    async fn count(&self) -> PortResult<u64> {
        let fail = |error| port_error("count parked messages", error);
        let mut reader = self.reader("count parked messages").await?;
        let row = sqlx::query("SELECT COUNT(*) FROM parked").fetch_one(&mut *reader).await.map_err(fail)?;
        Ok(u64::try_from(row.try_get::<i64, _>(0).map_err(fail)?).unwrap_or(0))
    }

    async fn list(&self, after: Option<i64>, max: usize) -> PortResult<Vec<ParkedMessage>> {
        let fail = |error| port_error("list parked messages", error);
        let mut reader = self.reader("list parked messages").await?;
        let rows = sqlx::query("SELECT * FROM parked WHERE id > ?1 ORDER BY id LIMIT ?2")
            .bind(after.unwrap_or(i64::MIN))
            .bind(i64::try_from(max.min(LIST_LIMIT)).unwrap_or(0));
        let mut list = Vec::new();
        let mut bytes = 0;
        let mut rows = rows.fetch(&mut *reader);
        while let Some(row) = futures::TryStreamExt::try_next(&mut rows).await.map_err(fail)? {
            let message = message(&row).map_err(fail)?;
            bytes += message.body.len();
            list.push(message);
            if bytes >= LIST_BYTES {
                break;
            }
        }
        Ok(list)
    }

    async fn redrive(&self, id: i64) -> PortResult<bool> {
        let board = Arc::clone(&self.shared.board);
        let work = step(move |connection| Box::pin(async move { put_back(connection, id).await }));
        let then = move |queue: Option<Queue>| {
            if let Some(queue) = queue {
                board.line(queue).came(1);
            }
            queue.is_some()
        };
        self.shared.writer.submit("put a parked message back", Size::Several, work, then).await
    }

    async fn discard(&self, id: i64) -> PortResult<bool> {
        let work = step(move |connection| {
            Box::pin(async move {
                let done =
                    sqlx::query("DELETE FROM parked WHERE id = ?1").bind(id).execute(connection).await?;
                Ok(done.rows_affected() > 0)
            })
        });
        self.shared.writer.single("discard a parked message", work).await
    }
}

fn message(row: &SqliteRow) -> Result<ParkedMessage, sqlx::Error> {
    let (queue, body): (String, Vec<u8>) = (row.try_get("queue")?, row.try_get("body")?);
    Ok(ParkedMessage {
        id: row.try_get("id")?,
        holds: holds(&queue, &body),
        queue,
        reason: row.try_get("reason")?,
        parked_at: instant::at(row, "parked_at")?,
        deliveries: row.try_get("deliveries")?,
        body,
    })
}

/// The deliveries that wait for a message of this queue.
fn holds(queue: &str, body: &[u8]) -> Vec<HeldDelivery> {
    match Queue::parse(queue) {
        Some(Queue::Deliver(_)) => {
            DeliverMessage::decode(body).map(|message| HeldDelivery::of(&message)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

async fn put_back(connection: &mut SqliteConnection, id: i64) -> Result<Option<Queue>, Fault> {
    let found =
        sqlx::query("DELETE FROM parked WHERE id = ?1 RETURNING queue, trace_parent, trace_state, body")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await?;
    let Some(row) = found else { return Ok(None) };
    let name: String = row.try_get("queue")?;
    let Some(queue) = Queue::parse(&name) else {
        return Err(Fault::Port(PortError::permanent(format!(
            "parked message {id} came from {name:?}, which is no queue: it never was a message; mend the input and send \
             it again, then discard this"
        ))));
    };
    let trace = TraceContext { parent: row.try_get("trace_parent")?, state: row.try_get("trace_state")? };
    let row = NewRow { queue, ready_at: 0, suspect: true, trace, body: row.try_get("body")? };
    row.insert(connection).await?;
    Ok(Some(queue))
}
