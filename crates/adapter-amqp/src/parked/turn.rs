//! One look into the queue at a time, over all processes: what is taken out to be looked at is missing for everybody else
//! meanwhile, so a list would lack it and a message would not be found.

use std::sync::Arc;
use std::time::Duration;

use lapin::Channel;
use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use postrider_ports::error::{PortError, PortResult};
use tokio::sync::{Mutex, MutexGuard};

use crate::driver::Shared;
use crate::session::Session;
use crate::topology::TURN;

/// Somebody else looks: until the next try. A look at a thousand messages takes some hundred milliseconds.
const AGAIN: Duration = Duration::from_millis(25);
/// So many tries at most: 10 s, twice what a look at ten thousand messages takes.
const TRIES: usize = 400;

/// The right to look, and the channel on which all of it happens. Whoever asked may be gone before the look is over; then
/// the channel is closed, and the broker puts everything that was taken out back.
pub(super) struct Turn<'s> {
    session: &'s Arc<Session>,
    shared: &'s Shared,
    slot: MutexGuard<'s, Option<Channel>>,
    over: bool,
}

impl<'s> Turn<'s> {
    /// Waits for one's turn.
    pub(super) async fn begin(session: &'s Arc<Session>, shared: &'s Shared) -> PortResult<Self> {
        let slot = session.parked.lock().await;
        let mut turn = Self { session, shared, slot, over: true };
        for _ in 0..TRIES {
            if turn.take().await? {
                turn.over = false;
                return Ok(turn);
            }
            tokio::time::sleep(AGAIN).await;
        }
        Err(PortError::transient("another process is looking at the parked messages; try again"))
    }

    /// Whether the turn could be had.
    async fn take(&mut self) -> PortResult<bool> {
        if !self.slot.as_ref().is_some_and(|channel| channel.status().connected()) {
            let fresh = Mutex::default();
            drop(self.session.channel(&fresh).await?);
            *self.slot = fresh.into_inner();
        }
        // Nothing of it need outlive the connection, whatever the broker makes of queues by default.
        let mut arguments = FieldTable::default();
        arguments.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("classic")));
        let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let declaring = self.channel()?.queue_declare(TURN.into(), options, arguments);
        match self.session.answered(declaring).await {
            Ok(_) => Ok(true),
            // The refusal closes the channel.
            Err(error) if error.to_string().contains("RESOURCE") => {
                *self.slot = None;
                Ok(false)
            }
            Err(error) => {
                *self.slot = None;
                Err(PortError::transient("could not get a turn to look at the parked messages")
                    .because(error))
            }
        }
    }

    /// The channel.
    pub(super) fn channel(&self) -> PortResult<&Channel> {
        self.slot.as_ref().ok_or_else(|| PortError::transient("could not open a channel"))
    }

    /// Nothing is in hand any more: the channel stays for the next one.
    pub(super) async fn end(mut self) {
        let deleting = self.slot.as_ref().map(|channel| delete(self.session, channel));
        let deleted = match deleting {
            Some(deleting) => deleting.await,
            None => true,
        };
        self.over = deleted;
    }
}

async fn delete(session: &Session, channel: &Channel) -> bool {
    let deleting = channel.queue_delete(TURN.into(), QueueDeleteOptions::default());
    session.answered(deleting).await.is_ok()
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        let Some(channel) = self.slot.take() else { return };
        let session = Arc::clone(self.session);
        self.shared.give(Box::pin(async move {
            // Closed with its connection at the latest; then everything is back, and the next one may look.
            drop(session.answered(channel.close(200, "given up".into())).await);
            if let Ok(channel) = session.channel(&session.questions).await {
                delete(&session, &channel).await;
            }
        }));
    }
}
