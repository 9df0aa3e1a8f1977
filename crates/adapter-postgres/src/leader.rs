//! The one term of the background work: a session-level advisory lock
//! (<https://www.postgresql.org/docs/15/explicit-locking.html#ADVISORY-LOCKS>) on a connection that serves nothing else.
//!
//! The lock lives exactly as long as the connection, so a holder proves with each question that it still has it. How long
//! a dead holder keeps it: a process that is killed lets go at once, because its system closes the connection; one whose
//! machine is gone, that is cut off or that hangs, after [`SILENT`], because the server ends a session that asks nothing
//! for so long. A pooler between us and the server must keep sessions (PgBouncer: `pool_mode = session`); one that does
//! not is noticed, and then nobody leads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::leader::Leadership;
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;

use crate::database::{Database, Shared};
use crate::fault::fail;

/// The lock, "lead" in ASCII; the partitions and the webhooks have locks of their own.
const LOCK: i64 = 0x6c65_6164;
/// A session that asks nothing for so long is ended: six times the 5 s after which a leader asks again.
const SILENT: Duration = Duration::from_secs(30);
/// How long the server may take to answer: with it, a leader that is cut off knows after one question.
const ANSWER: Duration = Duration::from_secs(5);
const WHAT: &str = "ask who leads the background work";

/// Set where the server knows them: 13 and older know no `idle_session_timeout` and fall back on TCP's keepalives, which
/// end a connection after 10 + 4 × 5 = 30 s.
const SESSION: &str = "SELECT set_config(s.name, w.value, false) FROM (VALUES ('idle_session_timeout', $1), \
     ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '4')) AS w(name, value) \
     JOIN pg_settings s ON s.name = w.name";
/// Whether this session has the lock, taking it if it is free. Taken twice it would have to be released twice.
const HOLD: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted \
     AND pid = pg_backend_pid() AND classid = 0 AND objid::bigint = $1 AND objsubid = 1) \
     THEN true ELSE pg_try_advisory_lock($1) END";

/// One process's part in the term. It takes one connection beside those of the pool, from the first question on.
pub struct Term {
    shared: Arc<Shared>,
    silent: Duration,
    /// `None` before the first question, after a failure, and while one is being asked: who stops waiting for an answer
    /// gives up the connection, and with it the term.
    session: Mutex<Option<PgConnection>>,
}

impl Term {
    /// Takes part in the term of this database. Make one for each process, and ask at least every 15 s: a leader that asks
    /// nothing for 30 s loses the term.
    pub fn new(database: &Database) -> Self {
        Self { shared: Arc::clone(&database.shared), silent: SILENT, session: Mutex::default() }
    }

    /// A leader that asks nothing for so long loses the term. Has no effect before Postgres 14.
    #[must_use]
    pub fn lost_after(self, silent: Duration) -> Self {
        Self { silent, ..self }
    }

    /// Asks on the session that is there; a session that broke is replaced once.
    async fn ask(&self, session: &mut Option<PgConnection>) -> Result<bool, sqlx::Error> {
        if let Some(mut connection) = session.take()
            && let Ok(held) = self.ask_on(&mut connection).await
        {
            *session = Some(connection);
            return Ok(held);
        }
        let mut connection = PgConnection::connect_with(&self.shared.pool.connect_options()).await?;
        self.shared.statements.count();
        let silent = format!("{}ms", self.silent.as_millis());
        sqlx::query(SESSION).bind(silent).execute(&mut connection).await?;
        let held = self.ask_on(&mut connection).await?;
        *session = Some(connection);
        Ok(held)
    }

    async fn ask_on(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        self.shared.statements.count();
        sqlx::query_scalar(HOLD).bind(LOCK).fetch_one(connection).await
    }
}

#[async_trait]
impl Leadership for Term {
    async fn hold(&self) -> PortResult<bool> {
        let mut session = self.session.lock().await;
        let asked = tokio::time::timeout(ANSWER, self.ask(&mut session)).await;
        asked.map_or_else(
            |_| {
                Err(PortError::transient(format!(
                    "could not {WHAT}: no answer within {} s",
                    ANSWER.as_secs()
                )))
            },
            |answer| answer.map_err(fail(WHAT)),
        )
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Term").field("place", &self.shared.place).finish_non_exhaustive()
    }
}
