//! A database in a directory of its own, with its driver running.

use std::path::Path;
use std::sync::Arc;

use postrider_adapter_sqlite::{Database, FILE_NAME, Settings};
use postrider_domain::message::{DeliverMessage, EventMessage, Lane};
use postrider_domain::timestamp::Timestamp;
use postrider_ports::queue::{Consume, Consumers, Publish};
use postrider_testkit::ManualClock;
use postrider_testkit::builders::{self, outgoing};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// 2026-01-01T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_unix_ms(1_767_268_800_000);

/// A clock that stands at noon.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOON))
}

/// A database and what keeps it going.
pub(crate) struct Rig {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) database: Database,
    driver: JoinHandle<()>,
}

impl Rig {
    /// A new database.
    pub(crate) async fn new() -> Self {
        Self::limited(None).await
    }

    /// A new database of at most so many pages.
    pub(crate) async fn limited(max_pages: Option<u32>) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let clock = clock();
        let settings = Settings { max_pages, ..Settings::new(dir.path()) };
        let (database, driver) =
            Database::open(&settings, Arc::<ManualClock>::clone(&clock)).await.expect("opens");
        Self { dir, clock, database, driver: tokio::spawn(driver.run()) }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Closes it in good order.
    pub(crate) async fn close(self) -> (TempDir, Arc<ManualClock>) {
        self.database.close().await;
        self.driver.await.expect("the driver ends");
        (self.dir, self.clock)
    }

    /// Closes it and opens it again.
    pub(crate) async fn reopen(self) -> Self {
        let (dir, clock) = self.close().await;
        Self::over(dir, clock).await
    }

    /// Opens what lies in a directory.
    pub(crate) async fn over(dir: TempDir, clock: Arc<ManualClock>) -> Self {
        let (database, driver) =
            Database::open(&Settings::new(dir.path()), Arc::<ManualClock>::clone(&clock))
                .await
                .expect("opens");
        Self { dir, clock, database, driver: tokio::spawn(driver.run()) }
    }

    /// The files as a process that was killed now would leave them, opened again.
    pub(crate) async fn after_crash(&self) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        for file in ["postrider.db", "postrider.db-wal"] {
            std::fs::copy(self.path().join(file), dir.path().join(file)).expect("copied");
        }
        Self::over(dir, Arc::clone(&self.clock)).await
    }

    pub(crate) fn events(&self) -> Box<dyn Consume<EventMessage>> {
        self.database.consumer(postrider_domain::message::Queue::Events)
    }

    pub(crate) fn lane(&self, lane: Lane) -> Box<dyn Consume<DeliverMessage>> {
        self.database.consumer(postrider_domain::message::Queue::Deliver(lane))
    }

    /// Publishes events of these ids.
    pub(crate) async fn publish(&self, ids: &[&str]) {
        let batch = ids.iter().map(|id| outgoing(event(id))).collect();
        self.database.publish(batch).await.expect("published");
    }
}

/// The file of a data directory, past the adapter.
pub(crate) async fn by_hand(dir: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(dir.join(FILE_NAME)).create_if_missing(true);
    options.connect().await.expect("opens")
}

pub(crate) fn event(id: &str) -> EventMessage {
    builders::event("Entry.publish").id(id).at(NOON).message()
}

/// An event of about so many bytes.
pub(crate) fn large_event(id: &str, size: usize) -> EventMessage {
    let data = format!("\"{}\"", "x".repeat(size));
    builders::event("Entry.publish").id(id).at(NOON).data(&data).message()
}

pub(crate) fn id_of(message: &EventMessage) -> &str {
    message.event.head.id.as_str()
}
