//! How leases end: they are laid into a tray, and the writer ends all that lie there with a few statements.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use postrider_domain::message::Queue;
use postrider_ports::error::{PortError, PortResult};
use sqlx::SqliteConnection;
use tokio::sync::{Notify, oneshot};

use super::Board;
use crate::fault::{Fault, again};

/// The end of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    /// The message is done with.
    Acked,
    /// It was handed out, and is again.
    Released,
    /// It was claimed, but nobody saw it.
    Unseen,
}

/// One lease that ended.
pub(crate) struct Ending {
    pub(crate) seq: i64,
    pub(crate) queue: Queue,
    pub(crate) how: How,
    /// Who waits for it to be durable.
    pub(crate) answer: Option<oneshot::Sender<PortResult<()>>>,
}

/// Where ended leases lie until they are written. Never more than there were leases.
#[derive(Default)]
pub(crate) struct Tray {
    lying: Mutex<Lying>,
    brought: Notify,
}

#[derive(Default)]
struct Lying {
    endings: Vec<Ending>,
    closed: bool,
}

/// What the writer took from the tray.
pub(crate) struct Endings(Vec<Ending>);

/// Closes the tray when it is dropped: what lies there then, and what comes later, is answered with an error, and who
/// waits for messages is woken to find it closed.
pub(crate) struct Closing(pub(crate) Arc<Board>);

impl Tray {
    /// Lays an ending down.
    pub(crate) fn bring(&self, ending: Ending) {
        let mut lying = self.lock();
        if lying.closed {
            drop(lying);
            ending.answer(Err(closed()));
            return;
        }
        lying.endings.push(ending);
        drop(lying);
        self.brought.notify_one();
    }

    /// Returns once something was laid down.
    pub(crate) async fn brought(&self) {
        self.brought.notified().await;
    }

    /// Whether nothing lies there.
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().endings.is_empty()
    }

    /// Whether the driver has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Takes everything.
    pub(crate) fn take(&self) -> Endings {
        Endings(std::mem::take(&mut self.lock().endings))
    }

    fn close(&self) {
        let mut lying = self.lock();
        lying.closed = true;
        let left = std::mem::take(&mut lying.endings);
        drop(lying);
        for ending in left {
            ending.answer(Err(closed()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Lying> {
        self.lying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.tray.close();
        self.0.wake_all();
    }
}

fn closed() -> PortError {
    PortError::transient("could not end a lease: the database is closed; the message is handed out again")
}

impl Ending {
    fn answer(self, result: PortResult<()>) {
        if let Some(answer) = self.answer {
            // Who no longer waits needs no answer.
            drop(answer.send(result));
        }
    }
}

impl Endings {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes all of them.
    pub(crate) async fn apply(&self, connection: &mut SqliteConnection) -> Result<(), Fault> {
        if let Some(acked) = self.numbers(|how| how == How::Acked) {
            sqlx::query("DELETE FROM messages WHERE seq IN (SELECT value FROM json_each(?1))")
                .bind(acked)
                .execute(&mut *connection)
                .await?;
        }
        if let Some(released) = self.numbers(|how| how == How::Released) {
            sqlx::query(
                "UPDATE messages SET redeliveries = redeliveries + 1 \
                 WHERE seq IN (SELECT value FROM json_each(?1))",
            )
            .bind(released)
            .execute(&mut *connection)
            .await?;
        }
        if let Some(back) = self.numbers(|how| how != How::Acked) {
            sqlx::query(
                "INSERT OR IGNORE INTO ready (queue, ready_at, seq) SELECT queue, ready_at, seq FROM leases \
                 WHERE seq IN (SELECT value FROM json_each(?1))",
            )
            .bind(back)
            .execute(&mut *connection)
            .await?;
        }
        if let Some(all) = self.numbers(|_| true) {
            sqlx::query("DELETE FROM leases WHERE seq IN (SELECT value FROM json_each(?1))")
                .bind(all)
                .execute(&mut *connection)
                .await?;
        }
        Ok(())
    }

    /// They are durable: counts them and tells.
    pub(crate) fn committed(self, board: &Board) {
        let mut counts: BTreeMap<Queue, (usize, usize)> = BTreeMap::new();
        for ending in &self.0 {
            let (ended, back) = counts.entry(ending.queue).or_default();
            *ended += 1;
            *back += usize::from(ending.how != How::Acked);
        }
        for (queue, (ended, back)) in counts {
            board.line(queue).ended(ended);
            if back > 0 {
                board.line(queue).came(back);
            }
        }
        for ending in self.0 {
            ending.answer(Ok(()));
        }
    }

    /// They could not be written: those who wait are told, and the messages, which nobody holds any more, go back to the
    /// tray to be handed out again.
    pub(crate) fn failed(self, board: &Board, error: &PortError) {
        let mut back = Vec::with_capacity(self.0.len());
        for ending in self.0 {
            let how = if ending.how == How::Unseen { How::Unseen } else { How::Released };
            back.push(Ending { seq: ending.seq, queue: ending.queue, how, answer: None });
            ending.answer(Err(again(error)));
        }
        board.tray.lock().endings.append(&mut back);
    }

    /// The numbers of some of them as a JSON array, the form in which SQLite takes a list.
    fn numbers(&self, which: impl Fn(How) -> bool) -> Option<String> {
        let mut numbers =
            self.0.iter().filter(|ending| which(ending.how)).map(|ending| ending.seq).peekable();
        numbers.peek()?;
        let texts: Vec<String> = numbers.map(|seq| seq.to_string()).collect();
        Some(format!("[{}]", texts.join(",")))
    }
}
