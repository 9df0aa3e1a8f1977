//! Rate limits and circuit breakers, shared by all dispatchers.

use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::RateLimit;

use crate::error::PortResult;

/// Tokens are leased for slices of this length (DESIGN §5).
pub const LEASE_SLICE: Duration = Duration::from_millis(100);

/// What a lease of tokens brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leased {
    /// Calls that may be made now.
    pub granted: u32,
    /// When to ask again, if fewer were granted than asked for.
    pub again_at: Timestamp,
}

/// Token buckets by webhook. A bucket holds at most one `per` worth of tokens.
#[async_trait]
pub trait Rates: Send + Sync {
    /// Takes up to `wanted` tokens of a webhook's bucket.
    async fn lease(
        &self,
        space: &SpaceId,
        webhook: &WebhookId,
        limit: RateLimit,
        wanted: u32,
    ) -> PortResult<Leased>;
}

/// A circuit breaker's shared state. Closed is the absence of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// No calls until then.
    Open {
        /// When one probe may go out.
        until: Timestamp,
    },
    /// One probe is on its way.
    HalfOpen {
        /// When another worker may probe if that one never reports.
        until: Timestamp,
    },
}

/// The breakers that are not closed.
#[async_trait]
pub trait Breakers: Send + Sync {
    /// The breaker of each webhook, in the same order; `None` is closed.
    async fn breakers(&self, webhooks: &[(SpaceId, WebhookId)]) -> PortResult<Vec<Option<Breaker>>>;

    /// Opens it, or keeps it open longer.
    async fn open(&self, space: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<()>;

    /// Takes the right to probe an open breaker whose time has come: `true` for exactly one worker.
    async fn probe(&self, space: &SpaceId, webhook: &WebhookId, until: Timestamp) -> PortResult<bool>;

    /// A probe succeeded.
    async fn close(&self, space: &SpaceId, webhook: &WebhookId) -> PortResult<()>;
}
