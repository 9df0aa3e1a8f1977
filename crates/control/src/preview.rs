//! What would be sent: the decision about an event, and the request it would make, without sending or keeping anything.

use postrider_dialects::mask::MASK;
use postrider_dialects::matching::{Changed, decide_all_but_content, judge_changes};
use postrider_dialects::native;
use postrider_domain::call::RecordedRequest;
use postrider_domain::event::Event;
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::matching::{Verdict, needs_content};
use postrider_domain::token::Permission;
use postrider_domain::webhook::{Status, Webhook};
use postrider_ports::access::Space;

use crate::access::Actor;
use crate::draft::WebhookDraft;
use crate::error::{ControlError, ControlResult, faults_of};
use crate::events::missing_event;
use crate::{Control, random_text};

/// The webhook that a draft is previewed as.
const DRAFT: &str = "preview";

/// Which event is previewed.
#[derive(Debug, Clone, PartialEq)]
pub enum PreviewOf {
    /// One that is given, as a publisher would write it (DESIGN §4.1).
    Given {
        /// JSON text.
        event: String,
        /// Where it would have been sent; the space's first environment unless given.
        environment: Option<EnvironmentId>,
    },
    /// One that was published.
    Stored(EventId),
    /// The event of a test call.
    Sample,
}

/// What would become of an event at a webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// Whether it is delivered, and which rule decides.
    pub decision: Verdict,
    /// For a webhook that is switched off: what the decision would be if it were on.
    pub when_enabled: Option<Verdict>,
    /// The request as it would be sent, whether it matches or not. Secrets and signatures are masked: a signature over an
    /// event that anybody may choose would be as good as the secret.
    pub request: Option<RecordedRequest>,
    /// Why there is no request: what the webhook's owner must mend.
    pub error: Option<String>,
    /// What is odd about a draft, in words.
    pub warnings: Vec<String>,
}

impl Control {
    /// What an event would be to a webhook. Needs `webhooks:list`, for a stored event `calls:read` too.
    pub async fn preview_webhook(
        &self,
        actor: &Actor,
        space: &SpaceId,
        id: &WebhookId,
        of: PreviewOf,
    ) -> ControlResult<Preview> {
        let entered = self.enter(actor, space, Permission::WebhooksList).await?;
        let webhook = self.existing(space, id).await?;
        let event = self.previewed(actor, &entered, of).await?;
        self.preview(&webhook, &event).await
    }

    /// What an event would be to a webhook that is not saved. Faults of the draft are those of saving it. Needs
    /// `webhooks:list`, for a stored event `calls:read` too.
    pub async fn preview_draft(
        &self,
        actor: &Actor,
        space: &SpaceId,
        draft: &WebhookDraft,
        of: PreviewOf,
    ) -> ControlResult<Preview> {
        let entered = self.enter(actor, space, Permission::WebhooksList).await?;
        let id = WebhookId::new(DRAFT).map_err(|error| ControlError::Conflict(error.to_string()))?;
        let connections = self.connections_for(space, draft).await?;
        let built = self.build(actor, space, &id, draft, None, &connections)?;
        let event = self.previewed(actor, &entered, of).await?;
        let preview = self.preview(&built.webhook, &event).await?;
        Ok(Preview { warnings: built.warnings, ..preview })
    }

    async fn preview(&self, webhook: &Webhook, event: &Event) -> ControlResult<Preview> {
        let decision = decide(webhook, event);
        let when_enabled = (!webhook.is_active())
            .then(|| decide(&Webhook { status: Status::Active, ..webhook.clone() }, event));
        let (request, error) = match self.write(webhook, event).await? {
            Ok(written) => (Some(unsigned(written.recorded())), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Ok(Preview { decision, when_enabled, request, error, warnings: Vec::new() })
    }

    async fn previewed(&self, actor: &Actor, space: &Space, of: PreviewOf) -> ControlResult<Event> {
        match of {
            PreviewOf::Given { event, environment } => self.read(space, environment, &event),
            PreviewOf::Stored(id) => {
                self.enter(actor, &space.id, Permission::CallsRead).await?;
                let row = self.deps.log.event(&space.id, &id).await?;
                Ok(row.ok_or_else(|| missing_event(&id))?.event)
            }
            PreviewOf::Sample => self.sample(space),
        }
    }

    /// Reads an event as ingest does.
    fn read(&self, space: &Space, environment: Option<EnvironmentId>, event: &str) -> ControlResult<Event> {
        let environment = environment.or_else(|| space.environments.first().cloned());
        let scope =
            Scope { space: space.id.clone(), environment: environment.unwrap_or_else(EnvironmentId::master) };
        let id = format!("preview-{}", random_text::id(&*self.deps.random));
        let id = EventId::new(&id).map_err(|error| ControlError::Conflict(error.to_string()))?;
        native::read(event, &scope, self.now(), id)
            .map_err(|errors| ControlError::Invalid(faults_of("event", errors)))
    }
}

fn decide(webhook: &Webhook, event: &Event) -> Verdict {
    let dialect = postrider_dialects::dialect(&webhook.dialect);
    let mut verdict = decide_all_but_content(webhook, dialect, &event.head);
    if verdict.matched && needs_content(webhook) {
        verdict = judge_changes(verdict, webhook, &event.head, &Changed::new(&event.content));
    }
    match webhook.coalesce.rule_for(&event.head) {
        Some(rule) if verdict.matched => verdict.coalesced(rule),
        _ => verdict,
    }
}

/// Masks what depends on the signing secret: every dialect signs in headers whose names say so.
fn unsigned(mut request: RecordedRequest) -> RecordedRequest {
    for (name, value) in &mut request.headers {
        if name.to_ascii_lowercase().contains("signature") {
            MASK.clone_into(value);
        }
    }
    request
}
