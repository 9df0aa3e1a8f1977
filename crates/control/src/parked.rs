//! Parked messages: what could not be processed, looked at, put back or dropped by a person. They are of no one space (what
//! is malformed may name none), so only who rules the instance may see them.

use postrider_domain::delivery::DeliveryState;
use postrider_domain::record::{Record, SettledRecord};
use postrider_ports::error::{PortError, PortErrorKind};
use postrider_ports::progress::Asked;
use postrider_ports::queue::{HeldDelivery, ParkedMessage};

use crate::Control;
use crate::access::Actor;
use crate::error::{ControlError, ControlResult};

/// A part of the list, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedPage {
    /// The messages.
    pub messages: Vec<ParkedMessage>,
    /// Whether there are more after the last of them.
    pub more: bool,
}

impl Control {
    /// Up to `limit` parked messages after this id; fewer when they are large. Needs `admin` of the instance.
    pub async fn parked(&self, actor: &Actor, after: Option<i64>, limit: usize) -> ControlResult<ParkedPage> {
        actor.must_rule()?;
        let messages = self.deps.parked.list(after, limit).await?;
        let more = match messages.last() {
            Some(last) => !self.deps.parked.list(Some(last.id), 1).await?.is_empty(),
            None => false,
        };
        Ok(ParkedPage { messages, more })
    }

    /// One parked message. Needs `admin` of the instance.
    pub async fn parked_message(&self, actor: &Actor, id: i64) -> ControlResult<ParkedMessage> {
        actor.must_rule()?;
        let found = self.deps.parked.list(id.checked_sub(1), 1).await?;
        found.into_iter().find(|message| message.id == id).ok_or_else(|| missing(id))
    }

    /// Puts it back where it was, as a suspect; the deliveries that wait for it are pending again. What never was a message
    /// cannot go back. Needs `admin` of the instance.
    pub async fn redrive(&self, actor: &Actor, id: i64) -> ControlResult<()> {
        let message = self.parked_message(actor, id).await?;
        // Permanent: the port has no queue for it.
        let refused = |error: PortError| match error.kind {
            PortErrorKind::Permanent => ControlError::Conflict(error.to_string()),
            _ => error.into(),
        };
        if !self.deps.parked.redrive(id).await.map_err(refused)? {
            return Err(missing(id));
        }
        if message.holds.is_empty() {
            return Ok(());
        }
        let asked = |held: &HeldDelivery| Asked { id: held.delivery.id(), day: held.delivery.event.day() };
        let waiting: Vec<Asked> = message.holds.iter().map(asked).collect();
        // It is back in its queue, and that is what was asked; should this fail, the log hears of it with the next attempt.
        drop(self.deps.reopen.reopen(&waiting, self.now()).await);
        Ok(())
    }

    /// Deletes it for ever. The deliveries that wait for it are cancelled, with the reason; that comes first, so that no
    /// delivery waits for what is not there. Needs `admin` of the instance.
    pub async fn drop_parked(&self, actor: &Actor, id: i64) -> ControlResult<()> {
        let message = self.parked_message(actor, id).await?;
        let at = self.now();
        let cancelled = |held: &HeldDelivery| {
            Record::Settled(SettledRecord {
                delivery: held.delivery.clone(),
                state: DeliveryState::Cancelled,
                attempt: held.attempt,
                reason: format!(
                    "its message was parked and a person dropped it; it was parked because {}",
                    message.reason
                ),
                by: None,
                at,
            })
        };
        let records: Vec<Record> = message.holds.iter().map(cancelled).collect();
        if !records.is_empty() {
            self.deps.write.write(&records).await?;
        }
        if self.deps.parked.discard(id).await? { Ok(()) } else { Err(missing(id)) }
    }
}

fn missing(id: i64) -> ControlError {
    ControlError::missing("parked message", id)
}
