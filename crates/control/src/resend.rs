//! Sending again: the next generation of a delivery, with the webhook's latest settings.

use std::sync::Arc;

use postrider_domain::event::{Carriage, Carried, Event, INLINE_LIMIT};
use postrider_domain::id::{CallId, EventId, SpaceId, WebhookId};
use postrider_domain::message::{DeliverMessage, Lane, Target, TraceContext};
use postrider_domain::token::Permission;
use postrider_ports::log::DeliveryRow;
use postrider_ports::queue::Outgoing;

use crate::Control;
use crate::access::Actor;
use crate::error::{ControlError, ControlResult};
use crate::events::missing_event;

impl Control {
    /// Sends the event of a call to its webhook again. Needs `calls:resend`.
    pub async fn resend_call(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: CallId,
    ) -> ControlResult<DeliveryRow> {
        self.enter(actor, space, Permission::CallsResend).await?;
        let call = self.deps.log.call(space, id).await?.ok_or_else(|| ControlError::missing("call", id))?;
        self.send_again(space, &call.delivery.event.id, &call.delivery.webhook).await
    }

    /// Sends an event to a webhook that it matched again. Needs `calls:resend`.
    pub async fn resend_event(
        &self,
        actor: &Actor,
        space: &SpaceId,
        event: &EventId,
        webhook: &WebhookId,
    ) -> ControlResult<DeliveryRow> {
        self.enter(actor, space, Permission::CallsResend).await?;
        self.send_again(space, event, webhook).await
    }

    /// Everything that can fail is asked before the generation is opened; only the queue itself comes after.
    async fn send_again(
        &self,
        space: &SpaceId,
        event: &EventId,
        webhook: &WebhookId,
    ) -> ControlResult<DeliveryRow> {
        if !self.existing(space, webhook).await?.is_active() {
            return Err(ControlError::Conflict(format!(
                "webhook {webhook} is switched off, so nothing is sent to it; enable it first"
            )));
        }
        let row = self.deps.log.event(space, event).await?.ok_or_else(|| missing_event(event))?;
        let carried = self.carry(row.event).await?;
        let opened = self.deps.log.open_generation(space, event, webhook, self.now()).await?;
        let delivery = opened.ok_or_else(|| {
            ControlError::NotFound(format!(
                "event {event} was never due to webhook {webhook}: it did not match"
            ))
        })?;
        let target = Target {
            webhook: webhook.clone(),
            generation: delivery.delivery.generation,
            attempt: 1,
            window: None,
            coalesced: None,
        };
        self.queue(DeliverMessage { event: carried, lane: Lane::Fresh, targets: vec![target] }).await?;
        Ok(delivery)
    }

    /// The event as it travels: large contents are stored again under its own day, which is idempotent.
    async fn carry(&self, event: Event) -> ControlResult<Carried> {
        let content = if event.content.size() <= INLINE_LIMIT {
            Carriage::Inline(Arc::new(event.content))
        } else {
            Carriage::Stored(self.deps.bodies.put(event.head.day(), &event.content).await?)
        };
        Ok(Carried { head: Arc::new(event.head), content })
    }

    /// A first failure may have published all the same, so the second try says that it may be a copy. Should that fail
    /// too, the generation stays pending like any delivery whose message was lost, and `reconcile` finds it.
    async fn queue(&self, message: DeliverMessage) -> ControlResult<()> {
        let outgoing = |suspect| vec![Outgoing::now(message.clone(), suspect, TraceContext::default())];
        if self.deps.deliver.publish(outgoing(false)).await.is_err() {
            self.deps.deliver.publish(outgoing(true)).await?;
        }
        Ok(())
    }
}
