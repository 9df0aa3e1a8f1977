//! The webhooks and settings of spaces as a dispatcher sees them, with a version that grows on every change.

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::Webhook;

use crate::error::PortResult;

/// All webhooks of a space, and its settings, at one version.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The global version it was read at.
    pub version: u64,
    /// Active and disabled ones, in any order.
    pub webhooks: Vec<Webhook>,
    /// What the space has settled for all of them.
    pub settings: SpaceSettings,
}

/// One thing that changed, in its present form.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A webhook was made, changed or deleted (`None`).
    Webhook(WebhookId, Option<Box<Webhook>>),
    /// The settings of the space were changed.
    Settings(Box<SpaceSettings>),
}

/// What changed since a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// The version after these changes.
    pub version: u64,
    /// What changed in which space, each thing once.
    pub changed: Vec<(SpaceId, Change)>,
    /// The list of changes does not reach back that far: load every space again.
    pub incomplete: bool,
}

impl Changes {
    /// The webhooks among them; `None` is deleted.
    pub fn webhooks(&self) -> impl Iterator<Item = (&SpaceId, &WebhookId, Option<&Webhook>)> {
        self.changed.iter().filter_map(|(space, change)| match change {
            Change::Webhook(id, webhook) => Some((space, id, webhook.as_deref())),
            Change::Settings(_) => None,
        })
    }
}

/// The matching view.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// All webhooks of a space, and its settings. An unknown space has none, and default settings.
    async fn load(&self, space: &SpaceId) -> PortResult<Snapshot>;

    /// The global version: one cheap read, asked every 500 ms by each worker (DESIGN §4.5).
    async fn version(&self) -> PortResult<u64>;

    /// What changed after a version.
    async fn changes_since(&self, version: u64) -> PortResult<Changes>;

    /// Returns when something may have changed. Only a hint: it can be lost or come for nothing.
    async fn hint(&self);
}
