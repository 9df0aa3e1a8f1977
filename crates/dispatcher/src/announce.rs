//! Telling what became of a webhook: an event like any other, accepted as ingest accepts those of others. Its id says all
//! that counts (which webhook, what, since when), so that however many workers tell it, it is one event.

use std::sync::Arc;
use std::time::Duration;

use postrider_domain::event::{Actor, Carriage, Carried, Content, EventHead, Resource};
use postrider_domain::id::{EnvironmentId, EventId, Scope, SpaceId, WebhookId};
use postrider_domain::json::Json;
use postrider_domain::message::{EventMessage, TraceContext};
use postrider_domain::operational::{Condition, News, TYPE};
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};
use postrider_ports::claims::{Claimed, Claims};
use postrider_ports::error::{PortError, PortResult};
use postrider_ports::queue::{Outgoing, Publish};
use serde_json::json;
use tracing::warn;

/// Claims compare bodies. Of two events with one of our ids, either is as good.
const ANY_BODY: [u8; 32] = [0; 32];

/// A claim without a commit that is younger than this is somebody's who is just telling the same. Beside him it would be
/// told twice, since the records that tell copies apart are not written yet; an older one is of somebody who died.
pub(crate) const BEING_TOLD: Duration = Duration::from_secs(5);

/// What became of telling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Announced {
    /// The event is accepted, now or before.
    Accepted,
    /// Another worker is about to tell it.
    Elsewhere,
}

/// Publishes events about webhooks.
pub(crate) struct Announcer {
    pub(crate) claims: Arc<dyn Claims>,
    pub(crate) events: Arc<dyn Publish<EventMessage>>,
}

/// What is told.
pub(crate) struct Notice<'n> {
    /// Whose webhook.
    pub(crate) space: &'n SpaceId,
    /// Which.
    pub(crate) webhook: &'n WebhookId,
    /// Its name.
    pub(crate) name: &'n str,
    /// What became of it.
    pub(crate) news: News,
    /// How it stands, or stood until now.
    pub(crate) condition: &'n Condition,
    /// When that was noticed.
    pub(crate) at: Timestamp,
    /// Why, in words.
    pub(crate) reason: &'n str,
    /// The status of the answer that it follows from.
    pub(crate) last_status: Option<u16>,
}

impl Announcer {
    /// Returns once the event is accepted or another worker is seen to publish it. What is told without the memory of ids
    /// may be told once more.
    pub(crate) async fn announce(
        &self,
        notice: &Notice<'_>,
        trace: TraceContext,
        now: Timestamp,
    ) -> PortResult<Announced> {
        let named = notice.news.event_id(notice.webhook, notice.condition);
        let id = named.ok_or_else(|| PortError::permanent("an event about a webhook has no id"))?;
        let claimed = self.claims.claim(notice.space, &[(id.clone(), ANY_BODY)], now).await;
        let (suspect, accepted_at) = match claimed.map(|mut claimed| claimed.pop()) {
            Ok(Some(Claimed::Committed { .. } | Claimed::OtherBody)) => return Ok(Announced::Accepted),
            Ok(Some(Claimed::Pending { accepted_at })) if now < accepted_at.plus(BEING_TOLD) => {
                return Ok(Announced::Elsewhere);
            }
            Ok(Some(Claimed::Pending { accepted_at })) => (true, accepted_at),
            Ok(Some(Claimed::Fresh)) => (false, now),
            Ok(Some(Claimed::FreshButForgetful) | None) => (true, now),
            Err(error) => {
                warn!(%error, event = %id, "an id cannot be claimed; the event is told as a suspect");
                (true, now)
            }
        };
        let event = notice.event(id.clone(), accepted_at)?;
        let message = EventMessage { event };
        self.events.publish(vec![Outgoing { message, suspect, not_before: None, trace }]).await?;
        if let Err(error) = self.claims.commit(notice.space, &[(id, ANY_BODY)], accepted_at).await {
            warn!(%error, "an accepted id could not be noted; a repeat will be a suspect");
        }
        Ok(Announced::Accepted)
    }
}

impl Notice<'_> {
    /// The event: about the webhook, in the environment that every space has.
    fn event(&self, id: EventId, accepted_at: Timestamp) -> PortResult<Carried> {
        let never = |error| PortError::permanent(format!("an event about a webhook: {error}"));
        let state = match self.news {
            News::Failing => "failing",
            News::Disabled => "disabled",
            News::Recovered => "active",
        };
        let head = EventHead {
            id,
            scope: Scope { space: self.space.clone(), environment: EnvironmentId::master() },
            event_type: EventType::new(TYPE).map_err(never)?,
            action: Action::new(self.news.as_str()).map_err(never)?,
            occurred_at: self.at,
            accepted_at,
            resource: Resource {
                id: self.webhook.to_string(),
                title: Some(self.name.to_owned()),
                state: Some(state.to_owned()),
                ..Resource::default()
            },
            actor: Some(Actor { id: "postrider".to_owned(), kind: Some("App".to_owned()) }),
            workflow: None,
            branch: None,
            cause: None,
        };
        let data = json!({
            "webhook": { "id": self.webhook.as_str(), "name": self.name },
            "state": state,
            "reason": self.reason,
            "lastStatus": self.last_status,
            "since": self.condition.since.to_string(),
        });
        let data = Json::from_checked(data.to_string());
        let content = Content { data, previous: None, related: None, source: None };
        Ok(Carried { head: Arc::new(head), content: Carriage::Inline(Arc::new(content)) })
    }
}
