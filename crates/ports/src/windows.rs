//! Coalescing windows, shared by all dispatchers (DESIGN §4.4).

use async_trait::async_trait;
use postrider_domain::coalesce::Window;
use postrider_domain::delivery::DeliveryId;
use postrider_domain::timestamp::Timestamp;

use crate::error::PortResult;

pub use postrider_domain::gathering::{Coalesced, CoalescedEvent, Newest};

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

/// A delivery that waits for the end of its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which window, and how new its event is.
    pub window: Window,
    /// Its id. Registered again it counts once.
    pub delivery: DeliveryId,
    /// What a list says of its event.
    pub event: CoalescedEvent,
}

/// The windows. Losing them costs more calls, never fewer, and never an older state alone.
#[async_trait]
pub trait Windows: Send + Sync {
    /// For each: the end of the key's current window if `at` lies before it, else of a window opened now. Atomic per key,
    /// one round trip for all.
    async fn join(&self, openings: &[Opening]) -> PortResult<Vec<Timestamp>>;

    /// Notes deliveries whose publish was confirmed ([`postrider_domain::gathering::Gathering::enter`]). Kept until 10 minutes
    /// after the window's end.
    async fn register(&self, confirmed: &[Entry]) -> PortResult<()>;

    /// The newest of each window (by key and end), `None` when it is not known. The first who asks settles how the window
    /// is ranked ([`postrider_domain::gathering::Gathering::newest`]).
    async fn newest(&self, windows: &[Window]) -> PortResult<Vec<Option<Newest>>>;

    /// What a call of each window stands for, `None` when it is not known.
    async fn coalesced(&self, windows: &[Window]) -> PortResult<Vec<Option<Coalesced>>>;
}
