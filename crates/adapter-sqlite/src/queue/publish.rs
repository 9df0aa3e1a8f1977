//! Puts messages in: a batch is one piece of work, stored wholly or not at all.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::message::{Queue, TraceContext};
use postrider_ports::error::PortResult;
use postrider_ports::queue::{Outgoing, Publish};
use sqlx::SqliteConnection;

use super::code;
use super::stored::Stored;
use crate::database::Database;
use crate::fault::Fault;
use crate::writer::{Size, step};

/// A message as it is written.
pub(super) struct NewRow {
    pub(super) queue: Queue,
    /// Unix milliseconds; 0 is at once.
    pub(super) ready_at: i64,
    pub(super) suspect: bool,
    pub(super) trace: TraceContext,
    pub(super) body: Vec<u8>,
}

impl NewRow {
    fn new<M: Stored>(outgoing: Outgoing<M>) -> Self {
        let queue = match outgoing.not_before {
            Some(_) => outgoing.message.put_off(),
            None => outgoing.message.queue(),
        };
        Self {
            queue,
            ready_at: outgoing.not_before.map_or(0, |at| at.unix_ms().max(0)),
            suspect: outgoing.suspect,
            trace: outgoing.trace,
            body: outgoing.message.encode(),
        }
    }

    /// Writes the message and makes it ready.
    pub(super) async fn insert(&self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        let seq = sqlx::query(
            "INSERT INTO messages (suspect, trace_parent, trace_state, body) VALUES (?1, ?2, ?3, ?4)",
        )
        .bind(self.suspect)
        .bind(self.trace.parent.as_deref())
        .bind(self.trace.state.as_deref())
        .bind(self.body.as_slice())
        .execute(&mut *connection)
        .await?
        .last_insert_rowid();
        sqlx::query("INSERT INTO ready (queue, ready_at, seq) VALUES (?1, ?2, ?3)")
            .bind(code(self.queue))
            .bind(self.ready_at)
            .bind(seq)
            .execute(&mut *connection)
            .await?;
        Ok(())
    }
}

#[async_trait]
impl<M: Stored> Publish<M> for Database {
    async fn publish(&self, batch: Vec<Outgoing<M>>) -> PortResult<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let rows: Vec<NewRow> = batch.into_iter().map(NewRow::new).collect();
        let mut counts: BTreeMap<Queue, usize> = BTreeMap::new();
        for row in &rows {
            *counts.entry(row.queue).or_default() += 1;
        }
        let board = Arc::clone(&self.shared.board);
        let work = step(move |connection| {
            Box::pin(async move {
                for row in &rows {
                    row.insert(connection).await?;
                }
                Ok(())
            })
        });
        let then = move |()| counts.into_iter().for_each(|(queue, count)| board.line(queue).came(count));
        self.shared.writer.submit("store messages", Size::Several, work, then).await
    }
}
