//! Opens the file: takes the lock, looks whose file it is before touching it, migrates it, frees dead leases.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection, SqlitePool};

use crate::database::Settings;
use crate::lock;
use crate::open_error::OpenError;

/// The database's file in the data directory.
pub const FILE_NAME: &str = "postrider.db";
/// SQLite's `application_id` of our files: "PSTR" in ASCII.
pub const APPLICATION_ID: i64 = 0x5053_5452;
/// SQLite's `user_version` of our files: the generation of the schema. It grows only with a change that older binaries
/// cannot work with; additive migrations leave it.
pub const SCHEMA: i64 = 1;

/// How SQLite files begin (<https://www.sqlite.org/fileformat.html> §1.3).
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How long a lock of another program (a backup, a shell) is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// Connections that read. Reads are short; three let a slow list and a depth pass each other.
const READERS: u32 = 3;
/// Page caches, in KiB (negative is SQLite's sign for KiB): 8 MiB for the writer, 2 MiB for each reader, so that all
/// of them together stay far below the 150 MiB that the process may use.
const WRITER_CACHE: &str = "-8192";
const READER_CACHE: &str = "-2048";
/// The WAL is folded into the file every 16 MiB: 4096 pages of 4 KiB. Rarer than SQLite's own 1000, because every
/// checkpoint is two more syncs.
const CHECKPOINT_PAGES: &str = "4096";
/// After a checkpoint the WAL's file is cut back to 64 MiB.
const WAL_LIMIT: &str = "67108864";

/// An open file.
pub(crate) struct Opened {
    /// Held as long as the file is.
    pub(crate) lock: File,
    /// The one connection that writes.
    pub(crate) writer: SqliteConnection,
    /// Those that read.
    pub(crate) readers: SqlitePool,
}

/// Opens or makes the file of a data directory.
pub(crate) async fn open(settings: &Settings) -> Result<Opened, OpenError> {
    let dir = settings.dir.as_path();
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => return Err(OpenError::NotADirectory(dir.to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(dir).map_err(|error| OpenError::from_io(dir, &error))?;
        }
        Err(error) => return Err(OpenError::from_io(dir, &error)),
    }
    let lock = lock::take(dir)?;
    let path = dir.join(FILE_NAME);
    look(&path).await?;
    let writer = write_connection(&path, settings.max_pages).await.map_err(|error| cause(&path, &error))?;
    let readers = SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(0)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options(&path).pragma("query_only", "ON").pragma("cache_size", READER_CACHE))
        .await
        .map_err(|error| OpenError::from_sql(&path, &error))?;
    Ok(Opened { lock, writer, readers })
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .statement_cache_capacity(100)
        // A reader fills at most 8 rows ahead: rows may hold bodies of 700 kB.
        .row_buffer_size(8)
        .disable_statement_logging()
}

async fn write_connection(path: &Path, max_pages: Option<u32>) -> Result<SqliteConnection, MigrateError> {
    let mut options = options(path)
        .create_if_missing(true)
        // Before the first table: it decides how the file is laid out.
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("cache_size", WRITER_CACHE)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", WAL_LIMIT);
    if let Some(pages) = max_pages {
        options = options.pragma("max_page_count", pages.to_string());
    }
    let mut connection = options.connect().await.map_err(MigrateError::Execute)?;
    // A newer release may have added to the schema: what we do not know there does not disturb us.
    let mut migrations = sqlx::migrate!("./migrations");
    migrations.set_ignore_missing(true);
    // `run` does the same over a generic connection, whose future the compiler cannot see to be Send.
    migrations.run_direct(None, &mut connection, false).await?;
    Ok(connection)
}

/// Refuses what is not ours, without changing a byte of it.
async fn look(path: &PathBuf) -> Result<(), OpenError> {
    let mut start = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(OpenError::from_io(path, &error)),
        Ok(file) => {
            file.take(16).read_to_end(&mut start).map_err(|error| OpenError::from_io(path, &error))?;
        }
    }
    if start.is_empty() {
        return Ok(());
    }
    if start != MAGIC {
        return Err(OpenError::NotADatabase(path.clone()));
    }
    let sql = |error: &sqlx::Error| OpenError::from_sql(path, error);
    let mut connection = options(path).read_only(true).connect().await.map_err(|error| sql(&error))?;
    // A start that was broken off before its first migration leaves a file of nobody's that holds nothing.
    let row = sqlx::query(
        "SELECT a.application_id, u.user_version, \
         (SELECT COUNT(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name <> '_sqlx_migrations') \
         FROM pragma_application_id a, pragma_user_version u",
    )
    .fetch_one(&mut connection)
    .await
    .map_err(|error| sql(&error))?;
    let (found, version, tables): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
    // It only read: an error while closing loses nothing.
    drop(connection.close().await);
    if found != APPLICATION_ID && (found != 0 || tables > 0) {
        return Err(OpenError::Foreign { path: path.clone(), found });
    }
    if version > SCHEMA {
        return Err(OpenError::Newer { path: path.clone(), found: version, known: SCHEMA });
    }
    Ok(())
}

fn cause(path: &Path, error: &MigrateError) -> OpenError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            OpenError::from_sql(path, error)
        }
        other => OpenError::Other { path: path.to_owned(), reason: other.to_string() },
    }
}
