//! Listens for changes of webhooks and passes them on as hints.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;

use crate::database::Shared;

/// The channel on which changes are told.
pub(crate) const CHANNEL: &str = "postrider_changes";
/// Between two tries to listen while the server is away. Hints are not worth more.
const PAUSE: Duration = Duration::from_secs(1);

/// Brings the hints of `Subscriptions::hint`. Run it beside the services.
#[must_use = "without its driver a database gives no hints"]
pub struct Driver {
    pub(crate) shared: Arc<Shared>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("place", &self.shared.place).finish_non_exhaustive()
    }
}

impl Driver {
    /// Returns when the database is closed. While the server is away it tries again every second.
    pub async fn run(self) {
        let closed = self.shared.pool.close_event();
        let listening = async {
            loop {
                if let Err(error) = self.listen().await {
                    tracing::debug!(%error, place = %self.shared.place, "no hints for now");
                }
                let clock = &self.shared.clock;
                clock.sleep_until(clock.now().plus(PAUSE)).await;
            }
        };
        futures::pin_mut!(closed, listening);
        futures::future::select(closed, listening).await;
    }

    async fn listen(&self) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.shared.pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            // What was told before, or while the connection was lost, nobody heard.
            self.shared.changed.notify_waiters();
            listener.try_recv().await?;
        }
    }
}
