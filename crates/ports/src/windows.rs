//! Coalescing windows, shared by all dispatchers (DESIGN §4.4).

use async_trait::async_trait;
use postrider_domain::coalesce::{Rank, Window};
use postrider_domain::delivery::DeliveryId;
use postrider_domain::timestamp::Timestamp;

use crate::error::PortResult;

/// A window to be joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The window's owner ([`postrider_domain::coalesce::CoalesceRule::key_for`]).
    pub key: String,
    /// When the event was accepted.
    pub at: Timestamp,
    /// Where the window ends if this event opens it: `at` + the rule's length.
    pub ends_at: Timestamp,
}

/// The newest known delivery of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// How new it is.
    pub rank: Rank,
    /// Which it is.
    pub delivery: DeliveryId,
}

/// The windows. Losing them costs more calls, never fewer, and never an older state alone.
#[async_trait]
pub trait Windows: Send + Sync {
    /// For each: the end of the key's current window if `at` lies before it, else of a window opened now. Atomic per key,
    /// one round trip for all.
    async fn join(&self, openings: &[Opening]) -> PortResult<Vec<Timestamp>>;

    /// Notes deliveries whose publish was confirmed; the highest rank of a window stays. Kept until 10 minutes after the
    /// window's end.
    async fn register(&self, confirmed: &[(Window, DeliveryId)]) -> PortResult<()>;

    /// The newest of each window (by key and end), `None` when it is not known.
    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>>;
}
