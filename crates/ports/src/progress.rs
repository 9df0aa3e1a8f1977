//! How far deliveries have come: what a suspect asks before it acts.

use std::time::Duration;

use async_trait::async_trait;
use postrider_domain::delivery::{DeliveryId, Progress};
use postrider_domain::timestamp::Day;

use crate::error::PortResult;

/// How long a mark stands (DESIGN §2).
pub const MARKED_FOR: Duration = Duration::from_mins(10);

/// A delivery to ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Its id.
    pub id: DeliveryId,
    /// The day it is kept under.
    pub day: Day,
}

/// Fresh marks in the cache, written right after a record is confirmed.
#[async_trait]
pub trait Marks: Send + Sync {
    /// Notes how far these deliveries have come, in one round trip. A mark only moves forward
    /// ([`Progress::replaces`]).
    async fn mark(&self, marks: &[(DeliveryId, Progress)]) -> PortResult<()>;

    /// The marks of these deliveries, in the same order, in one round trip.
    async fn marked(&self, ids: &[DeliveryId]) -> PortResult<Vec<Option<Progress>>>;
}

/// The deliveries as the log knows them; may lag behind the marks.
#[async_trait]
pub trait Progresses: Send + Sync {
    /// In the same order, in one query.
    async fn progress(&self, asked: &[Asked]) -> PortResult<Vec<Option<Progress>>>;
}
