//! The epoch of the queues: a row beside them, and so as durable as they are.

use async_trait::async_trait;
use postrider_ports::error::PortResult;
use postrider_ports::reconcile::{BrokerEpoch, Epoch, Standing};
use sqlx::Row;

use crate::database::Database;
use crate::fault::port_error;
use crate::writer::step;

#[async_trait]
impl BrokerEpoch for Database {
    async fn standing(&self, epoch: Epoch) -> PortResult<Standing> {
        let what = "read the epoch of the queues";
        let mut reader = self.reader(what).await?;
        let rows =
            sqlx::query("SELECT epoch = ?1 AS is_it, kept FROM queue_epochs ORDER BY is_it DESC LIMIT 1")
                .bind(epoch.0.as_bytes().as_slice())
                .fetch_optional(&mut *reader)
                .await
                .map_err(|error| port_error(what, error))?;
        Ok(match rows.map(|row| (row.get::<bool, _>("is_it"), row.get::<bool, _>("kept"))) {
            None => Standing::Blank,
            Some((false, _)) => Standing::Other,
            Some((true, true)) => Standing::Kept,
            Some((true, false)) => Standing::Begun,
        })
    }

    async fn begin(&self, epoch: Epoch) -> PortResult<()> {
        self.write_epoch(epoch, false).await
    }

    async fn keep(&self, epoch: Epoch) -> PortResult<()> {
        self.write_epoch(epoch, true).await
    }
}

impl Database {
    async fn write_epoch(&self, epoch: Epoch, kept: bool) -> PortResult<()> {
        let work = step(move |connection| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO queue_epochs (epoch, kept) VALUES (?1, ?2) \
                     ON CONFLICT (epoch) DO UPDATE SET kept = MAX(kept, excluded.kept)",
                )
                .bind(epoch.0.as_bytes().to_vec())
                .bind(kept)
                .execute(connection)
                .await?;
                Ok(())
            })
        });
        self.shared.writer.single("note the epoch of the queues", work).await
    }
}
