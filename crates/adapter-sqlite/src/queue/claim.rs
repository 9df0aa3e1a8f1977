//! Moves the first ready messages of a queue to the leases.

use std::sync::Arc;

use futures::TryStreamExt;
use postrider_domain::message::{Queue, TraceContext};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::error::PortResult;
use sqlx::{Row, SqliteConnection};

use super::code;
use super::lease::Hold;
use crate::database::Shared;
use crate::fault::Fault;
use crate::instant;
use crate::writer::{Size, step};

/// A claim ends with the message that brings it to 8 MiB, so that a large `max` cannot fill the memory: 16 records
/// messages of the largest kind (DESIGN §4.2: 256 KiB, and one record of 700 kB on top of it).
const CLAIM_BYTES: usize = 8 * 1024 * 1024;

/// What a claim brought.
pub(super) enum Claim {
    /// At least one message.
    Messages(Vec<Held>),
    /// None is ready; the first that is put off will be then.
    Nothing {
        /// When.
        next: Option<Timestamp>,
    },
}

/// A claimed message, undecoded.
pub(super) struct Held {
    pub(super) hold: Hold,
    pub(super) suspect: bool,
    pub(super) redeliveries: u32,
    pub(super) trace: TraceContext,
    pub(super) body: Vec<u8>,
}

/// A claimed row.
struct ClaimedRow {
    seq: i64,
    suspect: bool,
    redeliveries: u32,
    trace: TraceContext,
    body: Vec<u8>,
}

/// Claims up to `max` messages. What comes back to nobody is ready again, as if it had not been touched.
pub(super) async fn claim(shared: &Arc<Shared>, queue: Queue, max: usize) -> PortResult<Claim> {
    let now = shared.clock.now().unix_ms();
    let max = i64::try_from(max.max(1)).unwrap_or(i64::MAX);
    let holder = Arc::clone(shared);
    let work = step(move |connection| {
        Box::pin(async move {
            let rows = first_ready(connection, queue, now, max).await?;
            let next = if rows.is_empty() { next_ready(connection, queue).await? } else { None };
            Ok((rows, next))
        })
    });
    let then = move |(rows, next): (Vec<ClaimedRow>, Option<Timestamp>)| {
        if rows.is_empty() {
            return Claim::Nothing { next };
        }
        holder.board.line(queue).leased(rows.len());
        Claim::Messages(rows.into_iter().map(|row| row.held(&holder, queue)).collect())
    };
    shared.writer.submit("claim messages", Size::Several, work, then).await
}

async fn first_ready(
    connection: &mut SqliteConnection,
    queue: Queue,
    now: i64,
    max: i64,
) -> Result<Vec<ClaimedRow>, Fault> {
    let mut found = Vec::new();
    let mut last = None;
    let mut bytes = 0;
    {
        // CROSS JOIN keeps SQLite from starting with the messages.
        let mut rows = sqlx::query(
            "SELECT r.ready_at, r.seq, m.suspect, m.redeliveries, m.trace_parent, m.trace_state, m.body \
             FROM ready r CROSS JOIN messages m ON m.seq = r.seq \
             WHERE r.queue = ?1 AND r.ready_at <= ?2 ORDER BY r.ready_at, r.seq LIMIT ?3",
        )
        .bind(code(queue))
        .bind(now)
        .bind(max)
        .fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            let one = ClaimedRow {
                seq: row.try_get(1)?,
                suspect: row.try_get(2)?,
                redeliveries: row.try_get(3)?,
                trace: TraceContext { parent: row.try_get(4)?, state: row.try_get(5)? },
                body: row.try_get(6)?,
            };
            last = Some((row.try_get::<i64, _>(0)?, one.seq));
            bytes += one.body.len();
            found.push(one);
            if bytes >= CLAIM_BYTES {
                break;
            }
        }
    }
    let Some((ready_at, seq)) = last else { return Ok(found) };
    // They are the first of their queue, so a range names them all.
    sqlx::query(
        "INSERT INTO leases (seq, queue, ready_at) SELECT seq, queue, ready_at FROM ready \
         WHERE queue = ?1 AND (ready_at, seq) <= (?2, ?3)",
    )
    .bind(code(queue))
    .bind(ready_at)
    .bind(seq)
    .execute(&mut *connection)
    .await?;
    sqlx::query("DELETE FROM ready WHERE queue = ?1 AND (ready_at, seq) <= (?2, ?3)")
        .bind(code(queue))
        .bind(ready_at)
        .bind(seq)
        .execute(&mut *connection)
        .await?;
    Ok(found)
}

async fn next_ready(connection: &mut SqliteConnection, queue: Queue) -> Result<Option<Timestamp>, Fault> {
    let row = sqlx::query("SELECT MIN(ready_at) AS next FROM ready WHERE queue = ?1")
        .bind(code(queue))
        .fetch_one(connection)
        .await?;
    Ok(instant::maybe_at(&row, "next")?)
}

impl ClaimedRow {
    fn held(self, shared: &Arc<Shared>, queue: Queue) -> Held {
        Held {
            hold: Hold::new(shared, queue, self.seq),
            suspect: self.suspect,
            redeliveries: self.redeliveries,
            trace: self.trace,
            body: self.body,
        }
    }
}
