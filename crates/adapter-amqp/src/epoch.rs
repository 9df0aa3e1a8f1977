//! The epoch in the broker: durable exchanges, which are gone exactly when the disk with the messages is.
//!
//! An epoch that is kept is one exchange, one that is only begun another, and a third says that there ever was one. All are
//! looked for by passive declarations on a channel of their own: the answer "not found" is an error of the channel (AMQP
//! 0-9-1 §1.7.2.1.6) and closes it. On the usual day there is no such answer; while an epoch is only begun, that is asked
//! first.

use std::sync::atomic::Ordering;

use async_trait::async_trait;
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, ExchangeDeleteOptions};
use lapin::types::FieldTable;
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::reconcile::{BrokerEpoch, Epoch, Standing};

use crate::driver::Amqp;
use crate::session::Session;
use crate::topology::{EPOCHS, epoch_name};

#[async_trait]
impl BrokerEpoch for Amqp {
    async fn standing(&self, epoch: Epoch) -> PortResult<Standing> {
        let session = self.shared.session().await?;
        let id = epoch.0.simple().to_string();
        let mut names = [
            (epoch_name(&id, true), Standing::Kept),
            (epoch_name(&id, false), Standing::Begun),
            (EPOCHS.to_owned(), Standing::Other),
        ];
        if session.is_begun.load(Ordering::Relaxed) {
            names.swap(0, 1);
        }
        for (name, standing) in names {
            if declared(&session, &name, true).await? {
                session.is_begun.store(standing == Standing::Begun, Ordering::Relaxed);
                return Ok(standing);
            }
        }
        Ok(Standing::Blank)
    }

    /// The epoch first: one that stands there without the sign that there ever was one is still found.
    async fn begin(&self, epoch: Epoch) -> PortResult<()> {
        let session = self.shared.session().await?;
        let id = epoch.0.simple().to_string();
        if !declared(&session, &epoch_name(&id, true), true).await? {
            declared(&session, &epoch_name(&id, false), false).await?;
        }
        declared(&session, EPOCHS, false).await.map(drop)
    }

    async fn keep(&self, epoch: Epoch) -> PortResult<()> {
        let session = self.shared.session().await?;
        let id = epoch.0.simple().to_string();
        declared(&session, &epoch_name(&id, true), false).await?;
        declared(&session, EPOCHS, false).await?;
        // What was begun is kept now. One that stays does no harm.
        let channel = session.channel(&session.epochs).await?;
        let begun = epoch_name(&id, false);
        let deleting = channel.exchange_delete(begun.as_str().into(), ExchangeDeleteOptions::default());
        session.answered(deleting).await.map_err(|error| failed(&error))
    }
}

/// Declares it, or only asks for it; whether it is there.
async fn declared(session: &Session, name: &str, passive: bool) -> PortResult<bool> {
    let channel = session.channel(&session.epochs).await?;
    let options = ExchangeDeclareOptions { passive, durable: true, ..ExchangeDeclareOptions::default() };
    let declaring =
        channel.exchange_declare(name.into(), ExchangeKind::Fanout, options, FieldTable::default());
    match session.answered(declaring).await {
        Ok(()) => Ok(true),
        Err(error) if passive && is_missing(&error) => Ok(false),
        Err(error) => Err(failed(&error)),
    }
}

fn is_missing(error: &lapin::Error) -> bool {
    let text = error.to_string();
    text.contains("NOT_FOUND") || text.contains("NOT-FOUND")
}

/// Whether it only says that an epoch is not there, which is an answer and breaks nothing but its channel.
pub(crate) fn is_absence(error: &lapin::Error) -> bool {
    is_missing(error) && error.to_string().contains(EPOCHS)
}

fn failed(error: &lapin::Error) -> PortError {
    PortError::transient("could not look for the epoch on the broker").because(error.clone())
}
