//! Looking after webhooks that are not well: one whose every call failed for days is disabled, what was left half-done is
//! finished, and what was deleted is forgotten. Dispatchers tell of what is noted here.

use std::sync::Arc;

use postrider_domain::call::CallRecord;
use postrider_domain::delivery::DeliveryState;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::operational::{Condition, FAILING_FOR, Ill};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::webhook::{Disabled, DisabledBy, Webhook};
use postrider_ports::clock::Clock;
use postrider_ports::error::PortResult;
use postrider_ports::log::{LogQuery, LogRead};
use postrider_ports::registry::{Disable, Registry};
use postrider_ports::wellness::{Patient, Wellness};
use tracing::{info, warn};

/// Goes its rounds among those who are not well.
pub struct Nurse {
    /// What is noted of them.
    pub wellness: Arc<dyn Wellness>,
    /// What they are.
    pub registry: Arc<dyn Registry>,
    /// Switches them off.
    pub disable: Arc<dyn Disable>,
    /// How their calls ended.
    pub log: Arc<dyn LogRead>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl Nurse {
    /// Looks at everyone once. What fails for one is tried again in the next round.
    ///
    /// # Errors
    /// When nobody knows who is not well.
    pub async fn round(&self) -> PortResult<()> {
        for patient in self.wellness.ill().await? {
            let (space, webhook, _) = &patient;
            if let Err(fault) = self.visit(&patient).await {
                warn!(%fault, %space, %webhook, "a webhook that is not well could not be looked after");
            }
        }
        Ok(())
    }

    async fn visit(&self, (space, id, condition): &Patient) -> PortResult<()> {
        let Some(webhook) = self.registry.get(space, id).await? else {
            return self.wellness.forget(space, id, condition.at).await;
        };
        match condition.ill {
            // Whoever noted that died before it was done.
            Ill::Disabled if webhook.is_active() && webhook.version == condition.webhook_version => {
                self.switch_off(&webhook, condition).await
            }
            Ill::Failing if webhook.is_active() => match self.hopeless(&webhook, condition).await? {
                Some(found) => {
                    let noted = self.wellness.note(space, id, &found).await?;
                    self.switch_off(&webhook, &noted).await
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// What is to be noted of a webhook that is to be given up: its calls failed for [`FAILING_FOR`], the newest of them too,
    /// and none succeeded meanwhile. Changing or enabling it is a new beginning, and without calls nobody knows.
    async fn hopeless(&self, webhook: &Webhook, condition: &Condition) -> PortResult<Option<Condition>> {
        let since = condition.since.max(webhook.audit.updated_at);
        let now = self.clock.now();
        if now < since.plus(FAILING_FOR) {
            return Ok(None);
        }
        let Some(newest) = self.newest(&webhook.space, &webhook.id, None, None).await? else {
            return Ok(None);
        };
        if newest.started_at < since.plus(FAILING_FOR) || newest.state == DeliveryState::Delivered {
            return Ok(None);
        }
        let delivered = Some(DeliveryState::Delivered);
        if self.newest(&webhook.space, &webhook.id, delivered, Some(since)).await?.is_some() {
            return Ok(None);
        }
        Ok(Some(Condition {
            ill: Ill::Disabled,
            at: now,
            since: condition.since,
            webhook_version: webhook.version,
            reason: format!("every call since {since} failed, for {} days", FAILING_FOR.as_secs() / 86_400),
            last_status: newest.response.map(|response| response.status),
            told: false,
        }))
    }

    async fn newest(
        &self,
        space: &SpaceId,
        webhook: &WebhookId,
        state: Option<DeliveryState>,
        from: Option<Timestamp>,
    ) -> PortResult<Option<CallRecord>> {
        let query = LogQuery { webhook: Some(webhook.clone()), state, from, limit: 1, ..LogQuery::default() };
        Ok(self.log.calls(space, &query).await?.items.into_iter().next())
    }

    async fn switch_off(&self, webhook: &Webhook, condition: &Condition) -> PortResult<()> {
        let by = if condition.last_status == Some(410) { DisabledBy::Gone } else { DisabledBy::Failing };
        let why = Disabled { at: condition.at, by, reason: condition.reason.clone() };
        if self.disable.disable(&webhook.space, &webhook.id, &why).await? {
            info!(space = %webhook.space, webhook = %webhook.id, reason = why.reason, "webhook disabled");
        }
        Ok(())
    }
}
