//! Webhooks and settings whose changes are announced: a store that tells the cache of every change it has committed.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::{Disabled, Webhook};
use postrider_ports::access::{Space, Spaces};
use postrider_ports::error::PortResult;
use postrider_ports::registry::{Disable, Registry, Written};

use crate::subscriptions::RedisSubscriptions;

/// The store `S` behind an announcement: [`RedisSubscriptions::published`] after every commit that changed a webhook or the
/// settings of a space.
///
/// An announcement that is lost (Redis is away, the process dies after the commit) is logged and costs time, never a
/// change: the workers find it by themselves. The answer waits for it, because whoever is answered may expect that the
/// next event already meets the change.
pub struct Announced<S> {
    store: Arc<S>,
    subscriptions: Arc<RedisSubscriptions>,
}

impl<S> Announced<S> {
    /// `store` is the truth behind `subscriptions`.
    pub fn new(store: Arc<S>, subscriptions: Arc<RedisSubscriptions>) -> Self {
        Self { store, subscriptions }
    }

    async fn announce(&self, space: &SpaceId, webhook: &WebhookId) {
        if let Err(error) = self.subscriptions.published().await {
            tracing::warn!(%space, %webhook, %error, "a changed webhook was not announced; the workers find it later");
        }
    }

    async fn announce_if_done(&self, written: &Written, space: &SpaceId, webhook: &WebhookId) {
        if matches!(written, Written::Done(_)) {
            self.announce(space, webhook).await;
        }
    }
}

#[async_trait]
impl<S: Registry> Registry for Announced<S> {
    async fn create(&self, webhook: &Webhook) -> PortResult<()> {
        self.store.create(webhook).await?;
        self.announce(&webhook.space, &webhook.id).await;
        Ok(())
    }

    async fn update(&self, webhook: &Webhook, expected: u64) -> PortResult<Written> {
        let written = self.store.update(webhook, expected).await?;
        self.announce_if_done(&written, &webhook.space, &webhook.id).await;
        Ok(written)
    }

    async fn delete(&self, space: &SpaceId, id: &WebhookId, expected: Option<u64>) -> PortResult<Written> {
        let written = self.store.delete(space, id, expected).await?;
        self.announce_if_done(&written, space, id).await;
        Ok(written)
    }

    async fn get(&self, space: &SpaceId, id: &WebhookId) -> PortResult<Option<Webhook>> {
        self.store.get(space, id).await
    }

    async fn list(&self, space: &SpaceId, skip: usize, limit: usize) -> PortResult<(Vec<Webhook>, usize)> {
        self.store.list(space, skip, limit).await
    }
}

#[async_trait]
impl<S: Disable> Disable for Announced<S> {
    async fn disable(&self, space: &SpaceId, id: &WebhookId, why: &Disabled) -> PortResult<bool> {
        let did = self.store.disable(space, id, why).await?;
        if did {
            self.announce(space, id).await;
        }
        Ok(did)
    }
}

#[async_trait]
impl<S: Spaces> Spaces for Announced<S> {
    async fn space(&self, id: &SpaceId) -> PortResult<Option<Space>> {
        self.store.space(id).await
    }

    async fn spaces(&self) -> PortResult<Vec<Space>> {
        self.store.spaces().await
    }

    async fn put_space(&self, space: &Space) -> PortResult<()> {
        self.store.put_space(space).await
    }

    async fn settings(&self, id: &SpaceId) -> PortResult<SpaceSettings> {
        self.store.settings(id).await
    }

    async fn put_settings(&self, id: &SpaceId, settings: &SpaceSettings, expected: u64) -> PortResult<bool> {
        let done = self.store.put_settings(id, settings, expected).await?;
        if done && let Err(error) = self.subscriptions.published().await {
            tracing::warn!(space = %id, %error, "changed settings were not announced; the workers find them later");
        }
        Ok(done)
    }
}
