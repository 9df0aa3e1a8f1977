//! The handle: every durable port over one file.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use sqlx::SqlitePool;
use tokio::sync::Notify;

use crate::driver::Driver;
use crate::fault::port_error;
use crate::open;
use crate::open_error::OpenError;
use crate::queue::Board;
use crate::queue::endings::Closing;
use crate::store;
use crate::writer::Writer;

/// Where the file is, and how large it may grow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The data directory. It is made if it is missing.
    pub dir: PathBuf,
    /// How many pages of 4 KiB the file may have; `None` leaves it to the disk.
    pub max_pages: Option<u32>,
}

/// One file that is queue, store and log. Implements `Publish`, `Consumers`, `Depths`, `Parked`; `Spaces`, `Tokens`,
/// `Registry`, `Disable`, `Subscriptions`, `Bodies`; `LogWrite`, `LogRead`, `Progresses`, `Retention`. Clones are
/// cheap and mean the same file.
#[derive(Clone)]
pub struct Database {
    pub(crate) shared: Arc<Shared>,
}

/// What all clones share.
pub(crate) struct Shared {
    pub(crate) writer: Writer,
    pub(crate) readers: SqlitePool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) board: Arc<Board>,
    /// The global version of the webhooks; this process alone changes it.
    pub(crate) version: AtomicU64,
    /// Woken when it grows.
    pub(crate) changed: Notify,
}

impl Settings {
    /// A directory, without a limit.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), max_pages: None }
    }
}

impl Database {
    /// Opens the data directory, making it, the file and its tables where they are missing. Nothing can be written until
    /// the driver runs, and the directory is this process's alone until the driver has returned.
    pub async fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(Self, Driver), OpenError> {
        let mut opened = open::open(settings).await?;
        let file = settings.dir.join(open::FILE_NAME);
        let sql = |error: sqlx::Error| OpenError::from_sql(&file, &error);
        let board = Arc::new(Board::recover(&mut opened.writer, clock.now().unix_ms()).await.map_err(sql)?);
        let version = store::subscriptions::version(&mut opened.writer).await.map_err(sql)?;
        let (writer, jobs) = Writer::new();
        let shared = Shared {
            writer,
            readers: opened.readers.clone(),
            clock: Arc::clone(&clock),
            board: Arc::clone(&board),
            version: AtomicU64::new(version),
            changed: Notify::new(),
        };
        let driver = Driver {
            connection: opened.writer,
            readers: opened.readers,
            jobs,
            closing: Closing(Arc::clone(&board)),
            board,
            clock,
            lock: opened.lock,
        };
        Ok((Self { shared: Arc::new(shared) }, driver))
    }

    /// Lets the driver finish what was asked before and end; everything asked later fails. Leases that are still held
    /// are handed out again at the next start.
    pub async fn close(&self) {
        self.shared.writer.close().await;
    }

    /// A connection to read with. `what` completes "could not …".
    pub(crate) async fn reader(&self, what: &str) -> PortResult<sqlx::pool::PoolConnection<sqlx::Sqlite>> {
        self.shared.readers.acquire().await.map_err(|error| port_error(what, error))
    }
}
