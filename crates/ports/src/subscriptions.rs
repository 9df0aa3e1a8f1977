//! The webhooks as a dispatcher sees them: per space, with a version that grows on every change.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::webhook::Webhook;

use crate::error::PortResult;

/// All webhooks of a space at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The global version it was read at.
    pub version: u64,
    /// Active and disabled ones, in any order.
    pub webhooks: Vec<Webhook>,
}

/// What changed since a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// The version after these changes.
    pub version: u64,
    /// Which webhooks of which spaces were made, changed or deleted, each with its present form (`None` = deleted).
    pub changed: Vec<(SpaceId, WebhookId, Option<Webhook>)>,
    /// The list of changes does not reach back that far: load every space again.
    pub incomplete: bool,
}

/// The matching view.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// All webhooks of a space. An unknown space has none.
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot>;

    /// The global version: one cheap read, asked every 500 ms by each worker (DESIGN §4.5).
    async fn version(&self) -> PortResult<u64>;

    /// What changed after a version.
    async fn changes_since(&self, version: u64) -> PortResult<Changes>;

    /// Returns when something may have changed. Only a hint: it can be lost or come for nothing.
    async fn hint(&self);
}
