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
    /// How its user wrote it.
    pub written: Written,
}

/// How a trigger was written. One of a dialect that means several types is kept as several triggers, one behind the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Written {
    /// In Postrider's words, as they stand in the trigger.
    #[default]
    Plainly,
    /// In a dialect's own words (`item`, `update`); the API shows them so.
    InWords {
        /// The type, if one was given.
        event_type: Option<String>,
        /// The actions.
        actions: Vec<String>,
    },
    /// It belongs to the trigger before it.
    Continued,
}

/// Limits to given content types and entities. An empty list limits nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Only resources of these content types. A content type is of itself; an event of another type that has no content type is
    /// outside.
    pub content_types: Vec<String>,
    /// Only these resources, by id. A change of a field is one of its content type too.
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
        let is_listed = |list: &[String], value: Option<&str>| {
            value.is_some_and(|value| list.iter().any(|given| given == value))
        };
        if !self.content_types.is_empty() && !is_listed(&self.content_types, content_type(head)) {
            return Err(Outside::ContentType);
        }
        let content_type_of_field = content_type(head).filter(|_| head.event_type.as_str() == "Field");
        let is_named = is_listed(&self.entities, Some(&head.resource.id))
            || is_listed(&self.entities, content_type_of_field);
        if !self.entities.is_empty() && !is_named {
            return Err(Outside::Entity);
        }
        Ok(())
    }
}

/// The content type that an event is about: what it says, else, for a change of a content type, that one.
pub fn content_type(head: &EventHead) -> Option<&str> {
    let resource = &head.resource;
    let itself = || (head.event_type.as_str() == "ContentType").then_some(resource.id.as_str());
    resource.content_type.as_deref().or_else(itself)
}

impl Trigger {
    /// Whether type and action are meant, limits left aside.
    pub fn takes(&self, head: &EventHead) -> bool {
        head.event_type.is_meant_by(self.event_type.as_ref())
            && (self.actions.is_empty() || self.actions.iter().any(|pattern| pattern.takes(&head.action)))
    }
}
