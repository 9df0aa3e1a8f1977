//! Contents too large to travel with a message, stored once by hash (DESIGN §4.2).

use async_trait::async_trait;
use postrider_domain::event::{BodyRef, Content};
use postrider_domain::timestamp::Day;

use crate::error::PortResult;

/// The body store. Idempotency key: (day, SHA-256).
#[async_trait]
pub trait Bodies: Send + Sync {
    /// Stores a content under a day; durable when it returns.
    async fn put(&self, day: Day, content: &Content) -> PortResult<BodyRef>;

    /// Fetches it; a permanent error when it is gone (retention) or no longer has its hash.
    async fn get(&self, body: &BodyRef) -> PortResult<Content>;
}
