//! Writes the request that an event makes of a webhook, now, as a delivery would.

use std::sync::Arc;
use std::time::Duration;

use postrider_dialects::dialect::deadlines;
use postrider_dialects::mask::Mask;
use postrider_dialects::{Dialect, Occasion, RenderError, Rendered};
use postrider_domain::call::RecordedRequest;
use postrider_domain::delivery::DeliveryRef;
use postrider_domain::event::Event;
use postrider_domain::retry::RetryPolicy;
use postrider_domain::space::SpaceSettings;
use postrider_domain::webhook::Webhook;
use postrider_ports::secrets::open_webhook;

use crate::Control;
use crate::assembly::dialect;
use crate::error::ControlResult;

/// A request that is ready to leave, with everything around it.
pub(crate) struct Written {
    pub(crate) delivery: DeliveryRef,
    pub(crate) dialect: &'static dyn Dialect,
    pub(crate) rendered: Rendered,
    pub(crate) mask: Mask,
    pub(crate) timeout: Duration,
    pub(crate) connect: Option<Duration>,
    pub(crate) settings: SpaceSettings,
}

impl Written {
    /// As it may be shown: without secrets.
    pub(crate) fn recorded(&self) -> RecordedRequest {
        self.mask.request(&self.rendered, self.timeout)
    }
}

impl Control {
    /// The first attempt of the event's delivery to the webhook. The inner error is one that the webhook's owner must
    /// mend.
    pub(crate) async fn write(
        &self,
        webhook: &Webhook,
        event: &Event,
    ) -> ControlResult<Result<Written, RenderError>> {
        let dialect = dialect(&webhook.dialect)?;
        let settings = self.settings_of(&webhook.space).await?;
        let now = self.now();
        let secrets = open_webhook(&*self.deps.secrets, webhook, &settings, dialect.signs_with_space(), now)
            .map_err(crate::keys::shut)?;
        let head = Arc::new(event.head.clone());
        let delivery = DeliveryRef { event: head, webhook: webhook.id.clone(), generation: 0 };
        let occasion = Occasion {
            event,
            webhook,
            space: &settings,
            secrets: &secrets,
            message_id: delivery.message_id(),
            coalesced: None,
            attempt: 1,
            now,
        };
        let (timeout, connect) = deadlines(dialect, webhook);
        Ok(postrider_dialects::render(dialect, &occasion, &self.settings.slack_base_url).map(|rendered| {
            Written {
                delivery,
                dialect,
                rendered,
                mask: Mask::new(webhook, &secrets),
                timeout,
                connect,
                settings,
            }
        }))
    }
}

/// How a webhook's failed deliveries are retried: as it says itself, else as its space says, else as its dialect does.
pub(crate) fn retry_policy(
    webhook: &Webhook,
    settings: &SpaceSettings,
    dialect: &dyn Dialect,
) -> RetryPolicy {
    let own = webhook.retry.clone().or_else(|| settings.retry_policy());
    own.unwrap_or_else(|| dialect.default_policy())
}
