//! The right to process one message, and its four ends.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::message::Queue;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::Lease;
use sqlx::{Row, SqliteConnection};
use tokio::sync::oneshot;

use super::endings::{Ending, How};
use super::{DELIVERY_LIMIT, parked};
use crate::database::Shared;
use crate::fault::Fault;
use crate::writer::{Size, step};

/// A claimed message's hold on it. Dropped, it gives the message back.
pub(super) struct Hold {
    shared: Arc<Shared>,
    queue: Queue,
    seq: i64,
    /// What dropping it means; `None` once it has ended.
    on_drop: Option<How>,
}

/// The lease of a message that was handed out.
pub(super) struct SqliteLease(Hold);

impl Hold {
    /// The hold on a message that was just claimed and that nobody has seen yet.
    pub(super) fn new(shared: &Arc<Shared>, queue: Queue, seq: i64) -> Self {
        Self { shared: Arc::clone(shared), queue, seq, on_drop: Some(How::Unseen) }
    }

    /// It is about to be seen: from now on it comes back as redelivered.
    pub(super) fn hand_out(mut self) -> Box<dyn Lease> {
        self.on_drop = Some(How::Released);
        Box::new(SqliteLease(self))
    }

    /// Gives the message back as if it had not been touched.
    pub(super) async fn give_back(self) -> PortResult<()> {
        self.end(How::Unseen).await
    }

    /// Parks the message.
    pub(super) async fn park(self, reason: &str) -> PortResult<()> {
        self.fail(reason, true).await
    }

    async fn end(self, how: How) -> PortResult<()> {
        let (answer, done) = oneshot::channel();
        let ending = Ending { seq: self.seq, queue: self.queue, how, answer: Some(answer) };
        self.shared.board.tray.bring(ending);
        self.ended();
        done.await.map_err(|_| PortError::transient("could not end a lease: the database is closed"))?
    }

    /// Somebody else has ended it; dropping it means nothing more.
    fn ended(mut self) {
        self.on_drop = None;
    }

    /// Counts a failed delivery; parks the message at the limit, or at once.
    async fn fail(self, reason: &str, at_once: bool) -> PortResult<()> {
        let (seq, queue, reason) = (self.seq, self.queue, reason.to_owned());
        let now = self.shared.clock.now().unix_ms();
        let (shared, writer) = (Arc::clone(&self.shared), self.shared.writer.clone());
        let work = step(move |connection| {
            Box::pin(async move {
                let park = count_failure(connection, seq).await? >= DELIVERY_LIMIT || at_once;
                if park {
                    parked::put_aside(connection, seq, queue, &reason, now).await?;
                } else {
                    make_ready(connection, seq).await?;
                }
                sqlx::query("DELETE FROM leases WHERE seq = ?1").bind(seq).execute(connection).await?;
                Ok(park)
            })
        });
        let then = move |parked: bool| {
            let line = shared.board.line(queue);
            line.ended(1);
            if !parked {
                line.came(1);
            }
            // Ended here and not by the caller, who may be gone: the lease is over now, not when he wakes.
            self.ended();
        };
        writer.submit("park or return a message", Size::Several, work, then).await
    }
}

async fn count_failure(connection: &mut SqliteConnection, seq: i64) -> Result<i64, Fault> {
    let row = sqlx::query(
        "UPDATE messages SET failures = failures + 1, redeliveries = redeliveries + 1 WHERE seq = ?1 \
         RETURNING failures",
    )
    .bind(seq)
    .fetch_one(connection)
    .await?;
    Ok(row.try_get(0)?)
}

async fn make_ready(connection: &mut SqliteConnection, seq: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT OR IGNORE INTO ready (queue, ready_at, seq) SELECT queue, ready_at, seq FROM leases WHERE seq = ?1",
    )
    .bind(seq)
    .execute(connection)
    .await?;
    Ok(())
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(how) = self.on_drop {
            let ending = Ending { seq: self.seq, queue: self.queue, how, answer: None };
            self.shared.board.tray.bring(ending);
        }
    }
}

#[async_trait]
impl Lease for SqliteLease {
    async fn ack(self: Box<Self>) -> PortResult<()> {
        self.0.end(How::Acked).await
    }

    async fn reject(self: Box<Self>, reason: &str) -> PortResult<()> {
        self.0.fail(reason, false).await
    }

    async fn park(self: Box<Self>, reason: &str) -> PortResult<()> {
        self.0.fail(reason, true).await
    }

    async fn release(self: Box<Self>) -> PortResult<()> {
        self.0.end(How::Released).await
    }
}
