//! Opens the database: looks at it, brings the schema up to date, makes the partitions of the next days.

use std::sync::Arc;
use std::time::Duration;

use postrider_ports::clock::Clock;
use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Notify;

use crate::database::{Database, Shared};
use crate::driver::Driver;
use crate::open_error::OpenError;
use crate::settings::{Place, Settings};
use crate::statements::{Statements, answered};

/// The generation of the schema that this binary works with, at most.
pub const SCHEMA: i32 = 1;

/// How long a server may take to answer a new connection.
const CONNECT: Duration = Duration::from_secs(10);

impl Database {
    /// Connects, migrates under an advisory lock (all services may start at once), and makes the partitions of the days
    /// around now. Run the driver beside the services.
    pub async fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<(Self, Driver), OpenError> {
        let place = settings.place();
        let options = limited(settings);
        let mut connection = connect(&place, &options).await?;
        migrate(&place, &mut connection).await?;
        // Everything is done: an error while closing loses nothing.
        drop(connection.close().await);
        let patience = settings.patience;
        let pool = PgPoolOptions::new()
            // One more than asked for: the driver keeps one.
            .max_connections(settings.connections.saturating_add(1))
            .acquire_timeout(settings.patience)
            // A connection whose statement was given up would keep its place for as long as TCP believes in it.
            .after_release(move |connection, _| {
                Box::pin(answered(patience, async move { connection.ping().await.map(|()| true) }))
            })
            .connect_lazy_with(options);
        let shared = Arc::new(Shared {
            pool,
            statements: Statements::new(settings.statement_timeout.saturating_add(settings.patience)),
            place: place.clone(),
            clock: Arc::clone(&clock),
            changed: Notify::new(),
            days: std::sync::Mutex::default(),
        });
        let database = Self { shared: Arc::clone(&shared) };
        database
            .ensure_partitions(clock.now().day())
            .await
            .map_err(|error| OpenError::Migration { place, source: error.into() })?;
        Ok((database, Driver { shared }))
    }
}

/// The options of every connection: what hangs is ended by the server. Every statement here is short; compiling one or
/// starting helpers for it takes longer than the statement. Long lists have an index in their order: where the planner does
/// not know whose rows are asked for, it would rather sort all of them.
pub(crate) fn limited(settings: &Settings) -> PgConnectOptions {
    let ms = settings.statement_timeout.as_millis().to_string();
    settings
        .options
        .clone()
        .options([("statement_timeout", ms.as_str()), ("idle_in_transaction_session_timeout", ms.as_str())])
        .options([("jit", "off"), ("max_parallel_workers_per_gather", "0"), ("enable_sort", "off")])
        .disable_statement_logging()
}

pub(crate) async fn connect(place: &Place, options: &PgConnectOptions) -> Result<PgConnection, OpenError> {
    let silent = || {
        let what = format!("no answer within {} s", CONNECT.as_secs());
        sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
    };
    let connected = tokio::time::timeout(CONNECT, PgConnection::connect_with(options)).await;
    connected.unwrap_or_else(|_| Err(silent())).map_err(|error| OpenError::of(place, error))
}

async fn migrate(place: &Place, connection: &mut PgConnection) -> Result<(), OpenError> {
    let sql = |error| OpenError::of(place, error);
    // A migration may take long, and waits for whoever migrates at the same time.
    sqlx::query("SET statement_timeout = 0").execute(&mut *connection).await.map_err(sql)?;
    let ours: bool = sqlx::query_scalar("SELECT to_regclass('postrider') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(sql)?;
    if ours {
        let found: i32 = sqlx::query_scalar("SELECT max(generation) FROM postrider")
            .fetch_one(&mut *connection)
            .await
            .map_err(sql)?;
        if found > SCHEMA {
            return Err(OpenError::Newer { place: place.clone(), found, known: SCHEMA });
        }
    }
    // A newer release may have added to the schema: what we do not know there does not disturb us. The migrator holds an
    // advisory lock meanwhile.
    let mut migrations = sqlx::migrate!("./migrations");
    migrations.set_ignore_missing(true);
    // `run` does the same over a generic connection, whose future the compiler cannot see to be Send.
    migrations.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            OpenError::of(place, error)
        }
        other => OpenError::Migration { place: place.clone(), source: other.into() },
    })
}
