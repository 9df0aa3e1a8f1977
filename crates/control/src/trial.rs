//! A test call: a sample event, sent at once, through the same dialect, guard and mask as every other call.

use std::sync::Arc;

use postrider_dialects::mask::Mask;
use postrider_dialects::{Dialect, Occasion, Rendered};
use postrider_domain::call::{CallRecord, Failure};
use postrider_domain::delivery::{DeliveryRef, DeliveryState};
use postrider_domain::event::{Actor as EventActor, Content, Event, EventHead, Resource};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::json::Json;
use postrider_domain::outcome::{Ended, Outcome};
use postrider_domain::secret::OpenedSecrets;
use postrider_domain::space::SpaceSettings;
use postrider_domain::token::Permission;
use postrider_domain::topic::{Action, EventType};
use postrider_domain::webhook::Webhook;
use postrider_ports::access::Space;
use postrider_ports::clock::draw_call_id;
use postrider_ports::secrets::open_webhook;
use postrider_ports::sender::{Request, Sent};

use crate::access::Actor;
use crate::assembly::dialect;
use crate::error::{ControlError, ControlResult, FieldFault};
use crate::{Control, random_text};

/// The title by which people tell a test event from a real one.
pub const TEST_TITLE: &str = "Test event from Postrider";

impl Control {
    /// Sends a sample `Entry.publish` to a webhook, once, whether it is switched on or not, and whatever it subscribes
    /// to. The call is not logged. Needs `webhooks:update`.
    pub async fn test_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
    ) -> ControlResult<CallRecord> {
        let entered = self.enter(actor, space, Permission::WebhooksUpdate).await?;
        let webhook = self.existing(space, id).await?;
        let dialect = dialect(&webhook.dialect)?;
        let event = self.sample(&entered)?;
        let delivery =
            DeliveryRef { event: Arc::new(event.head.clone()), webhook: id.clone(), generation: 0 };
        let space = &SpaceSettings::default();
        let secrets = open_webhook(&*self.deps.secrets, &webhook, space, self.now())?;
        let occasion = Occasion {
            event: &event,
            webhook: &webhook,
            space,
            secrets: &secrets,
            message_id: delivery.message_id(),
            attempt: 1,
            now: self.now(),
        };
        let rendered = dialect.write(&occasion).map_err(|error| {
            let fix = "change the webhook and test again";
            ControlError::fault(FieldFault::new("webhook", "request", error.to_string(), fix))
        })?;
        Ok(self.call_now(&webhook, dialect, &secrets, (delivery, rendered)).await)
    }

    async fn call_now(
        &self,
        webhook: &Webhook,
        dialect: &dyn Dialect,
        secrets: &OpenedSecrets,
        (delivery, rendered): (DeliveryRef, Rendered),
    ) -> CallRecord {
        let timeout = webhook.timeout.unwrap_or_else(|| dialect.default_timeout());
        let mask = Mask::new(webhook, secrets);
        let request = mask.request(&rendered, timeout);
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
            })
            .await;
        let ended = match &result {
            Ok(response) => Ended::Answered { status: response.status, retry_after: None },
            Err(failure) => Ended::Failed(failure.kind),
        };
        let policy = webhook.retry.clone().unwrap_or_else(|| dialect.default_policy());
        let taken = dialect.judge(&ended, &policy.on) == Outcome::Success;
        let (response, failure) = match result {
            Ok(response) => (Some(mask.response(&response)), None),
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

    fn sample(&self, space: &Space) -> ControlResult<Event> {
        let impossible = |error: &dyn std::fmt::Display| ControlError::Conflict(error.to_string());
        let environment = space.environments.first().cloned().unwrap_or_else(EnvironmentId::master);
        let id = format!("test-{}", random_text::id(&*self.deps.random));
        let now = self.now();
        let head = EventHead {
            id: EventId::new(&id).map_err(|error| impossible(&error))?,
            scope: Scope { space: space.id.clone(), environment },
            event_type: EventType::new("Entry").map_err(|error| impossible(&error))?,
            action: Action::new("publish").map_err(|error| impossible(&error))?,
            occurred_at: now,
            accepted_at: now,
            resource: Resource {
                id: "test".to_owned(),
                content_type: Some("test".to_owned()),
                slug: Some("test".to_owned()),
                locale: None,
                version: Some(1),
                title: Some(TEST_TITLE.to_owned()),
                state: Some("published".to_owned()),
                url: None,
            },
            actor: Some(EventActor { id: "postrider".to_owned(), kind: Some("App".to_owned()) }),
            workflow: None,
            branch: None,
            cause: None,
        };
        let data = Json::from_checked(format!(r#"{{"test":true,"title":"{TEST_TITLE}"}}"#));
        Ok(Event { head, content: Content { data, previous: None, related: None, source: None } })
    }
}
