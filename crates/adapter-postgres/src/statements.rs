//! Counts the statements that are sent, because their number per delivery is promised (DESIGN §5).
//!
//! Everything but opening goes through one of two places: [`OnPool`] for a statement by itself, [`Work`] for a
//! transaction. Both are executors of sqlx, so whoever asks sees no difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use sqlx::postgres::{PgPool, PgQueryResult, PgRow, PgStatement, PgTypeInfo};
use sqlx::{Describe, Either, Error, Execute, Executor, PgConnection, Postgres, SqlStr, Transaction};

/// How many statements were sent. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statements(Arc<AtomicU64>);

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
    /// So many so far.
    pub(crate) fn sent(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// The pool, counted.
    pub(crate) fn on<'p>(&'p self, pool: &'p PgPool) -> OnPool<'p> {
        OnPool { pool, statements: self }
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self, pool: &PgPool) -> Result<Work, Error> {
        let transaction = pool.begin().await?;
        self.count();
        Ok(Work { transaction, statements: self.clone() })
    }

    /// One more.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Work {
    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.statements.count();
        self.transaction.commit().await
    }

    pub(crate) async fn rollback(self) -> Result<(), Error> {
        self.statements.count();
        self.transaction.rollback().await
    }

    fn counted(&mut self) -> &mut PgConnection {
        self.statements.count();
        &mut self.transaction
    }
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
                $counted.fetch_many(query)
            }

            fn fetch_optional<'e, 'q: 'e, E>($self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
            where
                $lifetime: 'e,
                E: 'q + Execute<'q, Postgres>,
            {
                $counted.fetch_optional(query)
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
