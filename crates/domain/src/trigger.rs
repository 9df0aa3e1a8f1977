//! A trigger: a topic with its own limits. Triggers OR; kinds of limit within one AND; ids within a kind OR.

use crate::event::EventHead;
use crate::topic::{ActionPattern, EventType};

/// One trigger of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// `None` is any type.
    pub event_type: Option<EventType>,
    /// Any of these; empty is any action.
    pub actions: Vec<ActionPattern>,
    /// What it is limited to.
    pub limits: Limits,
}

/// Limits to given content types and entities. An empty list limits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Only entries of these content types; an event without a content type is outside.
    pub content_types: Vec<String>,
    /// Only these resources, by id.
    pub entities: Vec<String>,
}

/// Which limit kept an event out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Its content type is not among those given.
    ContentType,
    /// Its resource is not among those given.
    Entity,
}

impl Limits {
    /// Whether the event lies within, else which limit it misses.
    pub fn admit(&self, head: &EventHead) -> Result<(), Outside> {
        let listed = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|value| list.iter().any(|given| given == value))
        };
        if !listed(&self.content_types, head.resource.content_type.as_deref()) {
            return Err(Outside::ContentType);
        }
        if !listed(&self.entities, Some(&head.resource.id)) {
            return Err(Outside::Entity);
        }
        Ok(())
    }
}

impl Trigger {
    /// Whether type and action are meant, limits left aside.
    pub fn takes(&self, head: &EventHead) -> bool {
        self.event_type.as_ref().is_none_or(|wanted| *wanted == head.event_type)
            && (self.actions.is_empty() || self.actions.iter().any(|pattern| pattern.takes(&head.action)))
    }
}
