//! The right to process one message, and its four ends.

use async_trait::async_trait;
use postrider_ports::error::PortResult;
use postrider_ports::queue::Lease;

use crate::entry::Hold;

/// The lease of a message that was handed out. Dropped, the message waits in its line again.
pub(crate) struct AmqpLease(pub(crate) Hold);

#[async_trait]
impl Lease for AmqpLease {
    async fn ack(self: Box<Self>) -> PortResult<()> {
        self.0.ack().await
    }

    async fn reject(self: Box<Self>, reason: &str) -> PortResult<()> {
        self.0.reject(reason).await
    }

    async fn park(self: Box<Self>, reason: &str) -> PortResult<()> {
        self.0.park(reason).await
    }

    async fn release(self: Box<Self>) -> PortResult<()> {
        drop(self);
        Ok(())
    }
}
