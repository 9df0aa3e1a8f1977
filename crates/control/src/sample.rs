//! Events that nobody published: the sample of a test call, and the ping.

use postrider_domain::event::{Actor, Content, Event, EventHead, Resource};
use postrider_domain::id::{EnvironmentId, EventId, Scope};
use postrider_domain::json::Json;
use postrider_domain::topic::{Action, EventType};
use postrider_domain::webhook::Webhook;
use postrider_ports::access::Space;

use crate::error::{ControlError, ControlResult};
use crate::{Control, random_text};

/// The title by which people tell a test event from a real one.
pub const TEST_TITLE: &str = "Test event from Postrider";
/// The title of a ping.
pub const PING_TITLE: &str = "Ping from Postrider";

impl Control {
    /// An `Entry.publish` of an entry that does not exist.
    pub(crate) fn sample(&self, space: &Space) -> ControlResult<Event> {
        let resource = Resource {
            id: "test".to_owned(),
            content_type: Some("test".to_owned()),
            slug: Some("test".to_owned()),
            locale: None,
            version: Some(1),
            title: Some(TEST_TITLE.to_owned()),
            state: Some("published".to_owned()),
            url: None,
        };
        let data = format!(r#"{{"test":true,"title":"{TEST_TITLE}"}}"#);
        self.made_up(space, ("Entry", "publish"), resource, Json::from_checked(data))
    }

    /// A `Webhook.ping`: small, and about the webhook itself.
    pub(crate) fn ping(&self, space: &Space, webhook: &Webhook) -> ControlResult<Event> {
        let resource = Resource {
            id: webhook.id.to_string(),
            title: Some(PING_TITLE.to_owned()),
            version: i64::try_from(webhook.version).ok(),
            ..Resource::default()
        };
        self.made_up(space, ("Webhook", "ping"), resource, Json::from_checked(r#"{"ping":true}"#))
    }

    fn made_up(
        &self,
        space: &Space,
        (event_type, action): (&str, &str),
        resource: Resource,
        data: Json,
    ) -> ControlResult<Event> {
        let impossible = |error: &dyn std::fmt::Display| ControlError::Conflict(error.to_string());
        let environment = space.environments.first().cloned().unwrap_or_else(EnvironmentId::master);
        let id = format!("test-{}", random_text::id(&*self.deps.random));
        let now = self.now();
        let head = EventHead {
            id: EventId::new(&id).map_err(|error| impossible(&error))?,
            scope: Scope { space: space.id.clone(), environment },
            event_type: EventType::new(event_type).map_err(|error| impossible(&error))?,
            action: Action::new(action).map_err(|error| impossible(&error))?,
            occurred_at: now,
            accepted_at: now,
            resource,
            actor: Some(Actor { id: "postrider".to_owned(), kind: Some("App".to_owned()) }),
            workflow: None,
            branch: None,
            cause: None,
        };
        Ok(Event { head, content: Content { data, previous: None, related: None, source: None } })
    }
}
