//! Counts the statements that are sent, because their number per delivery is promised (DESIGN §5), and gives up those whose
//! answer does not come: a server ends in time what takes long, so one that is silent for longer is gone, or the way to it.
//! TCP alone would notice that after a quarter of an hour.
//!
//! Everything but opening goes through one of two places: [`OnPool`] for a statement by itself, [`Work`] for a
//! transaction. Both are executors of sqlx, so whoever asks sees no difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{BoxStream, unfold};
use sqlx::postgres::{PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr, Transaction};
use tokio::time::timeout;

/// How many statements were sent, and how long each may take. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Statements {
    sent: Arc<AtomicU64>,
    silence: Duration,
}

/// Any connection of the pool, for one statement.
#[derive(Debug)]
pub(crate) struct OnPool<'p> {
    pool: &'p PgPool,
    statements: &'p Statements,
}

/// A transaction. Its beginning and its end are statements too; one that is dropped is rolled back.
#[derive(Debug)]
pub(crate) struct Work {
    transaction: Transaction<'static, Postgres>,
    statements: Statements,
}

impl Statements {
    /// None so far. A server that is silent for so long is taken for gone.
    pub(crate) fn new(silence: Duration) -> Self {
        Self { sent: Arc::default(), silence }
    }

    /// So many so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The pool, counted.
    pub(crate) fn on<'p>(&'p self, pool: &'p PgPool) -> OnPool<'p> {
        OnPool { pool, statements: self }
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self, pool: &PgPool) -> Result<Work, Error> {
        let transaction = answered(self.silence, pool.begin()).await?;
        self.count();
        Ok(Work { transaction, statements: self.clone() })
    }

    /// One more.
    pub(crate) fn count(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }
}

impl OnPool<'_> {
    fn silence(&self) -> Duration {
        self.statements.silence
    }
}

impl Work {
    fn silence(&self) -> Duration {
        self.statements.silence
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.statements.count();
        answered(self.statements.silence, self.transaction.commit()).await
    }

    pub(crate) async fn rollback(self) -> Result<(), Error> {
        self.statements.count();
        answered(self.statements.silence, self.transaction.rollback()).await
    }

    fn counted(&mut self) -> &mut PgConnection {
        self.statements.count();
        &mut self.transaction
    }
}

/// What a server answers, unless it is silent for so long.
pub(crate) async fn answered<T>(
    silence: Duration,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    timeout(silence, answer).await.unwrap_or_else(|_| Err(silent(silence)))
}

/// The same for each part of an answer.
fn each_answered<'e, T: 'e>(
    silence: Duration,
    parts: BoxStream<'e, Result<T, Error>>,
) -> BoxStream<'e, Result<T, Error>> {
    let next = move |held: Option<BoxStream<'e, Result<T, Error>>>| async move {
        let mut parts = held?;
        match timeout(silence, parts.next()).await {
            Ok(part) => part.map(|part| (part, Some(parts))),
            Err(_) => Some((Err(silent(silence)), None)),
        }
    };
    Box::pin(unfold(Some(parts), next))
}

fn silent(silence: Duration) -> Error {
    let what = format!("no answer within {} s", silence.as_secs_f32());
    Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, what))
}

/// What every executor must be able to do; the rest of the trait stands on these.
macro_rules! counts {
    ($executor:ty, $lifetime:lifetime, |$self:ident| $counted:expr, |$same:ident| $uncounted:expr) => {
        impl<$lifetime> Executor<$lifetime> for $executor {
            type Database = Postgres;

            fn fetch_many<'e, 'q: 'e, E>(
                $self,
                query: E,
            ) -> BoxStream<'e, Result<Either<PgQueryResult, PgRow>, Error>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let silence = $self.silence();
                each_answered(silence, $counted.fetch_many(query))
            }

            fn fetch_optional<'e, 'q: 'e, E>($self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                let silence = $self.silence();
                Box::pin(answered(silence, $counted.fetch_optional(query)))
            }

            fn prepare_with<'e>(
                $same,
                sql: SqlStr,
                parameters: &'e [PgTypeInfo],
            ) -> BoxFuture<'e, Result<PgStatement, Error>>
            where
                $lifetime: 'e,
            {
                $uncounted.prepare_with(sql, parameters)
            }

            fn describe<'e>($same, sql: SqlStr) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
            where
                $lifetime: 'e,
            {
                $uncounted.describe(sql)
            }
        }
    };
}

counts!(OnPool<'c>, 'c, |self| {
    self.statements.count();
    self.pool
}, |self| self.pool);
counts!(&'c mut Work, 'c, |self| self.counted(), |self| &mut *self.transaction);
