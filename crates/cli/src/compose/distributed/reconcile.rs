//! Asks the leader of the jobs to put back what is overdue, and waits for what comes of it. The request is a row in
//! Postgres: it needs no broker here, and goes on when this process ends.

use std::sync::Arc;
use std::time::Duration;

use postrider_adapter_postgres::Database;
use postrider_ports::clock::Clock;
use postrider_ports::reconcile::{Cause, Epoch, Reconciliations, Run};

use super::servers::{cannot_open, database_settings};
use crate::compose::clock::SystemClock;
use crate::compose::random::OsRandom;
use crate::exit::{Code, Failure};
use crate::settings::Settings;

/// Between two looks at how far it has come.
const LOOK: Duration = Duration::from_millis(500);
/// A leader takes it up within 5 s; another one that must notice first that the leader is gone, within 35.
const TAKEN_UP: Duration = Duration::from_secs(40);

/// What was put back, as the database knows it.
pub struct Runs {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl Runs {
    /// Reaches the database.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let opened = Database::open(&database_settings(settings)?, clock.clone()).await;
        let (database, driver) = opened.map_err(|error| cannot_open(&error))?;
        // Nobody waits for hints here.
        drop(driver);
        Ok(Self { database, clock })
    }

    /// The last runs, the latest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self) -> anyhow::Result<Vec<Run>> {
        Ok(self.database.runs().await?)
    }

    /// Asks to put back what is overdue by more than this, and waits until that is done or refused.
    ///
    /// # Errors
    /// When another run goes on, or nobody takes it up.
    pub async fn put_back(&self, overdue: Duration) -> anyhow::Result<Run> {
        let now = self.clock.now();
        let before = now.minus(overdue);
        let asked = Run::new(Epoch::draw(&OsRandom), Cause::ByHand, now);
        let asked = Run { until: before, due_before: Some(before), ..asked };
        if !self.database.enter(&asked).await? {
            let failure = Failure::new(Code::Failure, "another putting back of deliveries has not ended");
            return Err(failure.next("postrider reconcile --list").into());
        }
        loop {
            self.clock.sleep_until(self.clock.now().plus(LOOK)).await;
            let found = self.database.runs().await?.into_iter().find(|run| run.id == asked.id);
            let Some(run) = found else {
                return Err(Failure::new(Code::Failure, "the request is gone from the database").into());
            };
            if run.ended.is_some() {
                return Ok(run);
            }
            let now = self.clock.now();
            if run.began_at.is_none() && now > asked.asked_at.plus(TAKEN_UP) {
                let why = format!("no `jobs` process took it up within {} s", TAKEN_UP.as_secs());
                let withdrawn = run.ended(now, Some(why));
                if self.database.advance(&run, &withdrawn).await? {
                    return Ok(withdrawn);
                }
            }
        }
    }

    /// Closes the connections.
    pub async fn close(self) {
        self.database.close().await;
    }
}
