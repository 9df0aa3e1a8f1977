//! What is noted of webhooks that are not well, and the memory of ids.

use std::sync::Arc;

use async_trait::async_trait;
use postrider_domain::id::{EventId, SpaceId, WebhookId};
use postrider_domain::operational::Condition;
use postrider_domain::timestamp::Timestamp;
use postrider_ports::claims::{Claimed, Claims};
use postrider_ports::error::PortResult;
use postrider_ports::wellness::{Patient, Wellness};

use crate::fakes::Servers;

#[async_trait]
impl Wellness for Servers {
    async fn note(&self, space: &SpaceId, webhook: &WebhookId, found: &Condition) -> PortResult<Condition> {
        let ward = Arc::clone(&self.lock().ward);
        self.taps.pass("wellness.note", async || ward.note(space, webhook, found).await).await?
    }

    async fn told(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        let ward = Arc::clone(&self.lock().ward);
        self.taps.pass("wellness.told", async || ward.told(space, webhook, at).await).await?
    }

    async fn forget(&self, space: &SpaceId, webhook: &WebhookId, at: Timestamp) -> PortResult<()> {
        let ward = Arc::clone(&self.lock().ward);
        self.taps.pass("wellness.forget", async || ward.forget(space, webhook, at).await).await?
    }

    async fn ill(&self) -> PortResult<Vec<Patient>> {
        let ward = Arc::clone(&self.lock().ward);
        self.taps.pass("wellness.ill", async || ward.ill().await).await?
    }
}

#[async_trait]
impl Claims for Servers {
    async fn claim(
        &self,
        _: &SpaceId,
        wanted: &[(EventId, [u8; 32])],
        now: Timestamp,
    ) -> PortResult<Vec<Claimed>> {
        let claim = async || {
            let mut state = self.lock();
            let claim = |(id, _): &(EventId, _)| match state.claims.get(id) {
                None => {
                    state.claims.insert(id.clone(), (now, false));
                    Claimed::Fresh
                }
                Some((accepted_at, false)) => Claimed::Pending { accepted_at: *accepted_at },
                Some((accepted_at, true)) => Claimed::Committed { accepted_at: *accepted_at },
            };
            wanted.iter().map(claim).collect()
        };
        self.taps.pass("claims.claim", claim).await
    }

    async fn commit(&self, _: &SpaceId, ids: &[(EventId, [u8; 32])], at: Timestamp) -> PortResult<()> {
        let commit = async || {
            let mut state = self.lock();
            state.claims.extend(ids.iter().map(|(id, _)| (id.clone(), (at, true))));
        };
        self.taps.pass("claims.commit", commit).await
    }

    async fn release(&self, _: &SpaceId, ids: &[EventId]) -> PortResult<()> {
        let mut state = self.lock();
        state.claims.retain(|id, _| !ids.contains(id));
        Ok(())
    }
}
