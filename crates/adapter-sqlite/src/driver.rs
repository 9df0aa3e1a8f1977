//! Group commit: one connection writes; whatever waits goes into one transaction and is synced once.
//!
//! A piece of work runs inside a savepoint, so that one that fails takes no other down; work of a single statement
//! needs none, because SQLite undoes a failed statement by itself. Nobody is answered before the commit. When the
//! transaction as a whole fails (disk full), everyone in it is told so and the next one starts afresh.

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use postrider_domain::timestamp::Timestamp;
use postrider_ports::clock::Clock;
use sqlx::{Connection, SqliteConnection, SqlitePool};
use tokio::sync::mpsc;

use crate::fault::{Fault, again};
use crate::queue::Board;
use crate::queue::endings::{Closing, Endings};
use crate::writer::{Job, Size, Work};

/// How much work one transaction takes at most: enough to share a sync among all that wait, few enough that the first
/// of them is answered soon.
const BATCH: usize = 512;
/// How soon leases that could not be given back (disk full) are tried again.
const RETRY: Duration = Duration::from_millis(200);

/// The engine of a [`crate::Database`]: run it beside the services.
#[must_use = "nothing is written until the driver runs"]
pub struct Driver {
    pub(crate) connection: SqliteConnection,
    pub(crate) readers: SqlitePool,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) board: Arc<Board>,
    pub(crate) clock: Arc<dyn Clock>,
    /// However the driver ends, nobody is left waiting for an answer.
    pub(crate) closing: Closing,
    /// Given free last.
    pub(crate) lock: File,
}

impl Driver {
    /// Writes until [`crate::Database::close`] is called or the last handle, consumer and lease is dropped; then folds
    /// the log into the file and gives the directory free. It outlives a full disk or a failing one: those who asked are
    /// told, and it goes on. Run it until it returns, after the services have stopped.
    pub async fn run(mut self) {
        let mut open = true;
        let mut retry_at = None;
        let mut batch = Vec::with_capacity(BATCH);
        while open {
            tokio::select! {
                count = self.jobs.recv_many(&mut batch, BATCH) => open = count > 0,
                () = self.board.tray.brought() => {}
                () = until(&*self.clock, retry_at) => {}
            }
            while batch.len() < BATCH
                && let Ok(job) = self.jobs.try_recv()
            {
                batch.push(job);
            }
            let mut works = Vec::with_capacity(batch.len());
            for job in batch.drain(..) {
                match job {
                    Job::Work(work) => works.push(work),
                    Job::Close => {
                        self.jobs.close();
                        open = false;
                    }
                }
            }
            self.commit(works).await;
            retry_at = (!self.board.tray.is_empty()).then(|| self.clock.now().plus(RETRY));
        }
        self.finish().await;
    }

    async fn finish(mut self) {
        while let Ok(job) = self.jobs.try_recv() {
            if let Job::Work(work) = job {
                self.commit(vec![work]).await;
            }
        }
        self.commit(Vec::new()).await;
        drop(self.closing);
        self.readers.close().await;
        let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut self.connection).await;
        if let Err(error) = folded.map(drop).and(self.connection.close().await) {
            tracing::warn!(%error, "the write-ahead log stays beside the database file; the next start reads it");
        }
        drop(self.lock);
    }

    async fn commit(&mut self, mut works: Vec<Box<dyn Work>>) {
        let endings = self.board.tray.take();
        if works.is_empty() && endings.is_empty() {
            return;
        }
        match transaction(&mut self.connection, &endings, &mut works).await {
            Ok(faults) => {
                endings.committed(&self.board);
                for (work, fault) in works.into_iter().zip(faults) {
                    match fault {
                        None => work.committed(),
                        Some(fault) => work.failed(fault),
                    }
                }
            }
            Err(fault) => {
                let error = fault.into_port("write");
                tracing::error!(%error, works = works.len(), "a transaction failed");
                rollback(&mut self.connection).await;
                for work in works {
                    work.failed(Fault::Port(again(&error)));
                }
                self.end_alone(endings).await;
            }
        }
    }

    /// What filled the disk need not keep acknowledgements from being written: they make room.
    async fn end_alone(&mut self, endings: Endings) {
        if endings.is_empty() {
            return;
        }
        match transaction(&mut self.connection, &endings, &mut []).await {
            Ok(_) => endings.committed(&self.board),
            Err(fault) => {
                rollback(&mut self.connection).await;
                endings.failed(&self.board, &fault.into_port("end leases"));
            }
        }
    }
}

async fn until(clock: &dyn Clock, at: Option<Timestamp>) {
    match at {
        Some(at) => clock.sleep_until(at).await,
        None => futures::future::pending().await,
    }
}

/// One transaction: what failed by itself is named, in the order of the works; an error means that nothing happened.
async fn transaction(
    connection: &mut SqliteConnection,
    endings: &Endings,
    works: &mut [Box<dyn Work>],
) -> Result<Vec<Option<Fault>>, Fault> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await?;
    endings.apply(connection).await?;
    let mut faults = Vec::with_capacity(works.len());
    for work in works {
        faults.push(one(connection, work.as_mut()).await?);
    }
    sqlx::query("COMMIT").execute(&mut *connection).await?;
    Ok(faults)
}

/// Runs one work. The outer error means that the transaction cannot go on.
async fn one(connection: &mut SqliteConnection, work: &mut dyn Work) -> Result<Option<Fault>, Fault> {
    let several = work.size() == Size::Several;
    if several {
        sqlx::query("SAVEPOINT work").execute(&mut *connection).await?;
    }
    let fault = match work.run(connection).await {
        Ok(()) => None,
        Err(fault) if fault.ends_transaction() => return Err(fault),
        Err(fault) => Some(fault),
    };
    if several && fault.is_some() {
        sqlx::query("ROLLBACK TO work").execute(&mut *connection).await?;
    }
    if several {
        sqlx::query("RELEASE work").execute(&mut *connection).await?;
    }
    Ok(fault)
}

async fn rollback(connection: &mut SqliteConnection) {
    // SQLite may have rolled back by itself; then this is refused, and all is well.
    drop(sqlx::query("ROLLBACK").execute(connection).await);
}
