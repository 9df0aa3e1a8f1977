//! The webhooks as management writes them.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::webhook::{Disabled, Webhook};

use crate::error::PortResult;

/// What a versioned write met.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Done; this is how it stands now.
    Done(Box<Webhook>),
    /// It has another version than the one expected.
    VersionMismatch {
        /// The version it has.
        current: u64,
    },
    /// There is none of that id.
    Missing,
}

/// The write side.
#[async_trait]
pub trait Registry: Send + Sync {
    /// Stores a new webhook; a conflict when the id is taken.
    async fn create(&self, webhook: &Webhook) -> PortResult<()>;

    /// Replaces a webhook if it still has the `expected` version; `webhook.version` is what it gets.
    async fn update(&self, webhook: &Webhook, expected: u64) -> PortResult<Written>;

    /// Deletes it, whatever its version unless one is expected. `Done` carries its last form.
    async fn delete(&self, space: &SpaceId, id: &WebhookId, expected: Option<u64>) -> PortResult<Written>;

    /// One webhook.
    async fn get(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>>;

    /// Those of a space, newest first, and how many there are in all.
    async fn list(&self, space: &SpaceId, skip: usize, limit: usize) -> PortResult<(Vec<Webhook>, usize)>;
}

/// Switching off from where deliveries are made.
#[async_trait]
pub trait Disable: Send + Sync {
    /// Disables it unless it already is; `true` when this call did it. The version grows.
    async fn disable(&self, space: &SpaceId, id: &WebhookId, why: &Disabled) -> PortResult<bool>;
}
