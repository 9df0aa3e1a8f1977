//! Claims on event ids: the same id accepted twice is one event (DESIGN §2).

use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::id::{EventId, SpaceId};
use postrider_domain::timestamp::Timestamp;

use crate::error::PortResult;

/// How long a claim stands without a commit.
pub const PENDING_FOR: Duration = Duration::from_secs(30);
/// How long a committed id is remembered.
pub const COMMITTED_FOR: Duration = Duration::from_hours(24);

/// What a claim met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// Nobody had it: publish, then commit.
    Fresh,
    /// The memory of ids was lost not long ago, so it may have been accepted before: publish as a suspect, then commit.
    FreshButForgetful,
    /// Somebody claimed it and has not committed. Publish under the same id and the same acceptance instant, as a
    /// suspect, then commit.
    Pending {
        /// When the first claim was made; copies share it, so that they fall on the same day.
        accepted_at: Timestamp,
    },
    /// It was accepted: answer as then, publish nothing.
    Committed {
        /// When it was accepted.
        accepted_at: Timestamp,
    },
    /// It was claimed or accepted with another body.
    OtherBody,
}

/// The memory of accepted ids.
#[async_trait]
pub trait Claims: Send + Sync {
    /// Claims ids of one space, each with the SHA-256 of its body, in one round trip; answers in the same order. Two
    /// equal ids in one batch are judged one after the other.
    async fn claim(
        &self,
        space: &SpaceId,
        wanted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<Vec<Claimed>>;

    /// The messages of these claims are confirmed.
    async fn commit(
        &self,
        space: &SpaceId,
        accepted: &[(EventId, [u8; 32])],
        accepted_at: Timestamp,
    ) -> PortResult<()>;

    /// The messages of these claims were certainly not published: let others try at once.
    async fn release(&self, space: &SpaceId, ids: &[EventId]) -> PortResult<()>;
}
