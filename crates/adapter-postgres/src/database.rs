//! The handle on the database.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use postrider_domain::timestamp::Day;
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use sqlx::postgres::PgPool;
use tokio::sync::Notify;

use crate::fault::fail;
use crate::settings::Place;
use crate::statements::{OnPool, Statements, Work};

/// The store and the log. Clones share one pool.
#[derive(Clone)]
pub struct Database {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) pool: PgPool,
    pub(crate) statements: Statements,
    pub(crate) place: Place,
    pub(crate) clock: Arc<dyn Clock>,
    /// Wakes whoever waits for a hint.
    pub(crate) changed: Notify,
    /// Days whose partitions are known to exist; bounded by the days that get one.
    pub(crate) days: Mutex<BTreeSet<Day>>,
}

impl Database {
    /// Where it is, for messages.
    pub fn place(&self) -> &Place {
        &self.shared.place
    }

    /// How many SQL statements were sent since it was opened, `BEGIN` and `COMMIT` among them: the cost of what was done
    /// (DESIGN §5).
    pub fn statements(&self) -> u64 {
        self.shared.statements.sent()
    }

    /// Whether it answers.
    pub async fn ping(&self) -> PortResult<()> {
        sqlx::query("SELECT 1").execute(self.pool()).await.map(drop).map_err(fail("ask whether it is there"))
    }

    /// Closes every connection once it is idle; from then on everything fails. The driver ends.
    pub async fn close(&self) {
        self.shared.pool.close().await;
    }

    /// For one statement.
    pub(crate) fn pool(&self) -> OnPool<'_> {
        self.shared.statements.on(&self.shared.pool)
    }

    pub(crate) async fn begin(&self, what: &str) -> PortResult<Work> {
        self.shared.statements.begin(&self.shared.pool).await.map_err(fail(what))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("place", &self.shared.place).finish_non_exhaustive()
    }
}
