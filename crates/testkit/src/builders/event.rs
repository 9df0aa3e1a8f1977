//! Events.

use std::sync::Arc;

use postrider_domain::event::{Actor, Carriage, Carried, Content, Event, EventHead, Resource};
use postrider_domain::id::EnvironmentId;
use postrider_domain::json::Json;
use postrider_domain::message::EventMessage;
use postrider_domain::timestamp::Timestamp;
use postrider_domain::topic::{Action, EventType};

use super::{SPACE, event_id, scope, space};
use crate::clock::START;

/// An event under construction.
#[derive(Debug, Clone)]
pub struct EventBuilder(Event);

/// An event of this topic: id `e1` in `default`/`master`, about resource `r1`, accepted at [`START`].
pub fn event(topic: &str) -> EventBuilder {
    let (event_type, action) = topic.split_once('.').expect("a topic is written Type.action");
    EventBuilder(Event {
        head: EventHead {
            id: event_id("e1"),
            scope: scope(SPACE),
            event_type: EventType::new(event_type).expect("the test gives a valid type"),
            action: Action::new(action).expect("the test gives a valid action"),
            occurred_at: START,
            accepted_at: START,
            resource: Resource { id: "r1".to_owned(), ..Resource::default() },
            actor: None,
            workflow: None,
            branch: None,
            cause: None,
        },
        content: content(r#"{"title":"Hello"}"#),
    })
}

/// A content that is only `data`, which must be JSON.
pub fn content(data: &str) -> Content {
    Content { data: Json::from_checked(data), previous: None, related: None, source: None }
}

impl EventBuilder {
    /// Its id.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.0.head.id = event_id(id);
        self
    }

    /// Its space.
    #[must_use]
    pub fn space(mut self, id: &str) -> Self {
        self.0.head.scope.space = space(id);
        self
    }

    /// Its environment.
    #[must_use]
    pub fn environment(mut self, id: &str) -> Self {
        self.0.head.scope.environment = EnvironmentId::new(id).expect("the test gives a valid environment");
        self
    }

    /// The id of its resource.
    #[must_use]
    pub fn resource(mut self, id: &str) -> Self {
        id.clone_into(&mut self.0.head.resource.id);
        self
    }

    /// The content type of its resource.
    #[must_use]
    pub fn content_type(mut self, id: &str) -> Self {
        self.0.head.resource.content_type = Some(id.to_owned());
        self
    }

    /// The version of its resource.
    #[must_use]
    pub fn version(mut self, version: i64) -> Self {
        self.0.head.resource.version = Some(version);
        self
    }

    /// The state of its resource.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        self.0.head.resource.state = Some(state.to_owned());
        self
    }

    /// The slug of its resource.
    #[must_use]
    pub fn slug(mut self, slug: &str) -> Self {
        self.0.head.resource.slug = Some(slug.to_owned());
        self
    }

    /// Who did it.
    #[must_use]
    pub fn actor(mut self, id: &str) -> Self {
        self.0.head.actor = Some(Actor { id: id.to_owned(), kind: Some("User".to_owned()) });
        self
    }

    /// When it happened and was accepted.
    #[must_use]
    pub fn at(mut self, at: Timestamp) -> Self {
        self.0.head.occurred_at = at;
        self.0.head.accepted_at = at;
        self
    }

    /// Its data, which must be JSON.
    #[must_use]
    pub fn data(mut self, json: &str) -> Self {
        self.0.content.data = Json::from_checked(json);
        self
    }

    /// The data before the change, which must be JSON.
    #[must_use]
    pub fn previous(mut self, json: &str) -> Self {
        self.0.content.previous = Some(Json::from_checked(json));
        self
    }

    /// The event.
    pub fn build(self) -> Event {
        self.0
    }

    /// Its head.
    pub fn head(self) -> Arc<EventHead> {
        Arc::new(self.0.head)
    }

    /// The event as it travels, by value.
    pub fn carried(self) -> Carried {
        let Event { head, content } = self.0;
        Carried { head: Arc::new(head), content: Carriage::Inline(Arc::new(content)) }
    }

    /// The event on its way to be matched.
    pub fn message(self) -> EventMessage {
        EventMessage { event: self.carried() }
    }
}
