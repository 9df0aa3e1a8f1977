//! The durable queues. A message is a row of `messages`; it is either `ready` or among the `leases`.
//!
//! - `publish` writes both rows in one piece of work (`publish.rs`).
//! - `receive` moves the first ready rows to the leases (`claim.rs`), then decodes them (`consumer.rs`). Nobody sees a
//!   message before the move is durable, so after a crash everything that was seen comes back as redelivered.
//! - A lease ends through the tray (`endings.rs`): the writer takes all that lie there and ends them together.
//! - What cannot be processed lies in `parked` (`parked.rs`).
//!
//! The [`Board`] knows how much is waiting and leased without asking the file, and wakes who waits.

mod claim;
mod consumer;
pub(crate) mod endings;
mod epoch;
mod lease;
mod parked;
mod publish;
mod stored;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use postrider_domain::message::{Lane, Queue};
use postrider_ports::error::PortResult;
use postrider_ports::queue::{Depth, Depths};
use sqlx::{Connection, Row, SqliteConnection};
use tokio::sync::Notify;

use crate::database::Database;
use crate::fault::port_error;
use endings::Tray;

/// A message that was rejected this often, or was held when its process died, is parked (DESIGN §4.2).
pub(crate) const DELIVERY_LIMIT: i64 = 20;

/// What is known of all queues without reading the file, and where leases are laid down.
#[derive(Default)]
pub(crate) struct Board {
    queues: [Line; Queue::ALL.len()],
    /// Leases that ended and are not yet written.
    pub(crate) tray: Arc<Tray>,
}

/// One queue on the board. The counts follow the commits, so for a moment they may be behind each other.
#[derive(Default)]
pub(crate) struct Line {
    waiting: AtomicI64,
    leased: AtomicI64,
    /// Woken when something may have become ready.
    pub(crate) wake: Notify,
}

/// The number of a queue in the file. Frozen.
pub(crate) fn code(queue: Queue) -> i64 {
    match queue {
        Queue::Events => 1,
        Queue::Deliver(Lane::Fresh) => 2,
        Queue::Deliver(Lane::Late) => 3,
        Queue::Deliver(Lane::Bulk) => 4,
        Queue::Records => 5,
    }
}

impl Board {
    /// Frees what dead processes held, and counts: each death is a failed delivery of all that was held. What reached the
    /// limit is parked at the instant `now` (Unix milliseconds).
    pub(crate) async fn recover(connection: &mut SqliteConnection, now: i64) -> Result<Self, sqlx::Error> {
        let mut freeing = connection.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE messages SET redeliveries = redeliveries + 1, failures = failures + 1 \
             WHERE seq IN (SELECT seq FROM leases)",
        )
        .execute(&mut *freeing)
        .await?;
        parked::put_aside_poison(&mut freeing, now).await?;
        sqlx::raw_sql(
            "INSERT INTO ready (queue, ready_at, seq) SELECT queue, ready_at, seq FROM leases;
             DELETE FROM leases;",
        )
        .execute(&mut *freeing)
        .await?;
        freeing.commit().await?;
        let board = Self::default();
        for queue in Queue::ALL {
            let row = sqlx::query("SELECT COUNT(*) FROM ready WHERE queue = ?1")
                .bind(code(queue))
                .fetch_one(&mut *connection)
                .await?;
            board.line(queue).waiting.store(row.try_get(0)?, Ordering::Relaxed);
        }
        Ok(board)
    }

    /// Wakes everybody who waits for messages.
    fn wake_all(&self) {
        self.queues.iter().for_each(|line| line.wake.notify_waiters());
    }

    /// The line of a queue.
    pub(crate) fn line(&self, queue: Queue) -> &Line {
        // The codes count from 1.
        &self.queues[usize::try_from(code(queue) - 1).unwrap_or(0)]
    }
}

impl Line {
    /// So many were made ready.
    pub(crate) fn came(&self, count: usize) {
        self.waiting.fetch_add(signed(count), Ordering::AcqRel);
        self.wake.notify_waiters();
    }

    /// So many were handed out.
    pub(crate) fn leased(&self, count: usize) {
        self.leased.fetch_add(signed(count), Ordering::AcqRel);
        self.waiting.fetch_sub(signed(count), Ordering::AcqRel);
    }

    /// So many leases ended.
    pub(crate) fn ended(&self, count: usize) {
        self.leased.fetch_sub(signed(count), Ordering::AcqRel);
    }

    /// How many are ready now or later.
    pub(crate) fn waiting(&self) -> u64 {
        u64::try_from(self.waiting.load(Ordering::Acquire)).unwrap_or(0)
    }
}

fn signed(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[async_trait]
impl Depths for Database {
    async fn depth(&self, queue: Queue) -> PortResult<Depth> {
        let line = self.shared.board.line(queue);
        let leased = u64::try_from(line.leased.load(Ordering::Acquire)).unwrap_or(0);
        let waiting = line.waiting();
        if waiting == 0 {
            return Ok(Depth { ready: 0, delayed: 0, leased });
        }
        // Only what lies ahead is counted in the file: a walk over one end of a narrow index.
        let mut reader = self.reader("count messages").await?;
        let row = sqlx::query("SELECT COUNT(*) FROM ready WHERE queue = ?1 AND ready_at > ?2")
            .bind(code(queue))
            .bind(self.shared.clock.now().unix_ms())
            .fetch_one(&mut *reader)
            .await
            .map_err(|error| port_error("count messages", error))?;
        let delayed = u64::try_from(row.get::<i64, _>(0)).unwrap_or(0);
        Ok(Depth { ready: waiting.saturating_sub(delayed), delayed, leased })
    }
}
