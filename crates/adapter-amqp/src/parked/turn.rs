//! One look into the queue at a time: what is taken out to be looked at is missing for everybody else meanwhile.

use lapin::Channel;
use postrider_ports::error::{PortError, PortResult};
use tokio::sync::{Mutex, MutexGuard};

use crate::session::Session;

/// The right to look, and the channel on which all of it happens. Whoever asked may be gone before the look is over; then
/// the channel is closed, and the broker puts everything that was taken out back.
pub(super) struct Turn<'s> {
    slot: MutexGuard<'s, Option<Channel>>,
    over: bool,
}

impl<'s> Turn<'s> {
    /// Waits for one's turn.
    pub(super) async fn begin(session: &'s Session) -> PortResult<Self> {
        let mut slot = session.parked.lock().await;
        if !slot.as_ref().is_some_and(|channel| channel.status().connected()) {
            let fresh = Mutex::default();
            drop(session.channel(&fresh).await?);
            *slot = fresh.into_inner();
        }
        Ok(Self { slot, over: false })
    }

    /// The channel.
    pub(super) fn channel(&self) -> PortResult<&Channel> {
        self.slot.as_ref().ok_or_else(|| PortError::transient("could not open a channel"))
    }

    /// Nothing is in hand any more: the channel stays for the next one.
    pub(super) fn end(mut self) {
        self.over = true;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.over {
            *self.slot = None;
        }
    }
}
