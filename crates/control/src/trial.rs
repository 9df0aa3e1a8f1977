//! A call right now: a made-up event, sent at once, through the same dialect, guard and mask as every other call.

use postrider_dialects::RenderError;
use postrider_domain::call::{CallRecord, Failure};
use postrider_domain::delivery::DeliveryState;
use postrider_domain::event::Event;
use postrider_domain::id::{SpaceId, WebhookId};
use postrider_domain::outcome::{Ended, Outcome};
use postrider_domain::token::Permission;
use postrider_domain::webhook::Webhook;
use postrider_ports::access::Space;
use postrider_ports::clock::draw_call_id;
use postrider_ports::sender::{Request, Sent};

use crate::Control;
use crate::access::Actor;
use crate::error::{ControlError, ControlResult, FieldFault};
use crate::writing::{Written, retry_policy};

pub use crate::sample::{PING_TITLE, TEST_TITLE};

impl Control {
    /// Sends a sample `Entry.publish` to a webhook, once, whether it is switched on or not, and whatever it subscribes
    /// to. The call is not logged: the log tells of what happened (as the documents of the CMSs have it), and whoever tests sees
    /// the whole call in the answer. Needs `webhooks:update`.
    pub async fn test_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
    ) -> ControlResult<CallRecord> {
        let (space, webhook) = self.to_try(actor, space, id).await?;
        self.try_now(&webhook, &self.sample(&space)?).await
    }

    /// Sends a small `Webhook.ping` to a webhook, once, whether it is switched on or not, and whatever it subscribes to:
    /// it says nothing about content, so that a receiver need not know how to handle any. The call is not logged. Needs
    /// `webhooks:update`.
    pub async fn ping_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
    ) -> ControlResult<CallRecord> {
        let (space, webhook) = self.to_try(actor, space, id).await?;
        self.try_now(&webhook, &self.ping(&space, &webhook)?).await
    }

    async fn to_try(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
    ) -> ControlResult<(Space, Webhook)> {
        let entered = self.enter(actor, space, Permission::WebhooksUpdate).await?;
        Ok((entered, self.existing(space, id).await?))
    }

    async fn try_now(&self, webhook: &Webhook, event: &Event) -> ControlResult<CallRecord> {
        let written = self.write(webhook, event).await?.map_err(|error| {
            let fix = match error {
                RenderError::NotExpressible { .. } => "choose another dialect, or preview a real event",
                _ => "change the webhook and try again",
            };
            ControlError::fault(FieldFault::new("webhook", "request", error.to_string(), fix))
        })?;
        Ok(self.call_now(webhook, written).await)
    }

    async fn call_now(&self, webhook: &Webhook, written: Written) -> CallRecord {
        let request = written.recorded();
        let Written { delivery, dialect, rendered, mask, timeout, connect, settings } = written;
        let id = draw_call_id(&*self.deps.clock, &*self.deps.random);
        let started_at = self.now();
        let Sent { result, timings } = self
            .deps
            .sender
            .send(Request {
                method: rendered.method.as_str().to_owned(),
                url: rendered.url,
                headers: rendered.headers,
                body: rendered.body,
                timeout,
                connect,
            })
            .await;
        let ended = match &result {
            Ok(response) => Ended::Answered { status: response.status, retry_after: None },
            Err(failure) => Ended::Failed(failure.kind),
        };
        let policy = retry_policy(webhook, &settings, dialect);
        let answer = (&ended, result.as_ref().ok());
        let taken =
            postrider_dialects::judge(dialect, &webhook.action, answer, &policy.on) == Outcome::Success;
        let (response, failure) = match result {
            Ok(response) => {
                let refused = postrider_dialects::refusal(&webhook.action, &response);
                (Some(mask.response(&response)), refused)
            }
            Err(Failure { kind, message }) => (None, Some(Failure { kind, message: mask.text(&message) })),
        };
        CallRecord {
            id,
            delivery,
            attempt: 1,
            started_at,
            timings,
            request,
            response,
            failure,
            state: if taken { DeliveryState::Delivered } else { DeliveryState::GivenUp },
            next_at: None,
            webhook_version: webhook.version,
        }
    }
}
