//! Filters as Contentful defines them: `equals`, `in`, `regexp`, each possibly negated, over paths of the event's
//! `sys` object, and beyond those over the two ends of a workflow transition. All filters of a webhook must hold. A path the
//! event does not have makes the filter false (source: Contentful's documentation of webhook filters), negated or not
//! (chosen; Contentful does not say). Unknown paths are refused.

use regex::{Regex, RegexBuilder};
use thiserror::Error;

use crate::event::EventHead;

/// Compiled regular expressions larger than this are refused: 64 KiB holds any sane id pattern.
const REGEX_LIMIT: usize = 64 * 1024;

/// A part of the event that a filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterPath {
    /// `sys.id`
    Id,
    /// `sys.environment.sys.id`
    Environment,
    /// `sys.contentType.sys.id`
    ContentType,
    /// `sys.createdBy.sys.id`: the actor of a `create`, else what the data says.
    CreatedBy,
    /// `sys.updatedBy.sys.id`: the actor of anything but an unpublish or delete.
    UpdatedBy,
    /// `sys.deletedBy.sys.id`: the actor of an unpublish or delete.
    DeletedBy,
    /// `workflow.from`: the state before a workflow transition (Contismo).
    WorkflowFrom,
    /// `workflow.to`: the state after it.
    WorkflowTo,
}

/// A condition on one path.
#[derive(Debug, Clone)]
pub enum Condition {
    /// The value is this text.
    Equals(String),
    /// The value is one of these.
    In(Vec<String>),
    /// The value matches. Linear-time matching, so no pattern can stall a worker.
    Matches(Regex),
}

/// One filter of a webhook.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Where to look.
    pub path: FilterPath,
    /// What must hold there.
    pub condition: Condition,
    /// `not`: the condition must not hold (the path must exist all the same).
    pub negated: bool,
}

/// A filter that cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InvalidFilter {
    /// The path is not one an event has.
    #[error("filter path {0:?} is not known; known are {known}", known = FilterPath::ALL.map(FilterPath::as_str).join(", "))]
    Path(String),
    /// The regular expression does not parse, or compiles to more than 64 KiB.
    #[error("regular expression {pattern:?} cannot be used: {reason}")]
    Regex {
        /// As given.
        pattern: String,
        /// Why not.
        reason: String,
    },
}

impl FilterPath {
    /// Every path, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Id,
        Self::Environment,
        Self::ContentType,
        Self::CreatedBy,
        Self::UpdatedBy,
        Self::DeletedBy,
        Self::WorkflowFrom,
        Self::WorkflowTo,
    ];

    /// Reads `sys.id`, … ; `sys.updated.sys.id`, as some pages print it, is taken for `sys.updatedBy.sys.id`.
    pub fn parse(text: &str) -> Result<Self, InvalidFilter> {
        if text == "sys.updated.sys.id" {
            return Ok(Self::UpdatedBy);
        }
        Self::ALL
            .into_iter()
            .find(|path| path.as_str() == text)
            .ok_or_else(|| InvalidFilter::Path(text.into()))
    }

    /// The path as people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Id => "sys.id",
            Self::Environment => "sys.environment.sys.id",
            Self::ContentType => "sys.contentType.sys.id",
            Self::CreatedBy => "sys.createdBy.sys.id",
            Self::UpdatedBy => "sys.updatedBy.sys.id",
            Self::DeletedBy => "sys.deletedBy.sys.id",
            Self::WorkflowFrom => "workflow.from",
            Self::WorkflowTo => "workflow.to",
        }
    }

    fn of(self, head: &EventHead) -> Option<&str> {
        let actor = head.actor.as_ref().map(|actor| actor.id.as_str());
        let removes = matches!(head.action.as_str(), "unpublish" | "delete");
        match self {
            Self::Id => Some(&head.resource.id),
            Self::Environment => Some(head.scope.environment.as_str()),
            Self::ContentType => head.resource.content_type.as_deref(),
            Self::CreatedBy => actor.filter(|_| head.action.as_str() == "create"),
            Self::UpdatedBy => actor.filter(|_| !removes),
            Self::DeletedBy => actor.filter(|_| removes),
            Self::WorkflowFrom => head.workflow.as_ref()?.from.as_deref(),
            Self::WorkflowTo => head.workflow.as_ref()?.to.as_deref(),
        }
    }
}

impl Condition {
    /// Compiles a regular expression condition, refusing what is malformed or too large.
    pub fn matches(pattern: &str) -> Result<Self, InvalidFilter> {
        RegexBuilder::new(pattern).size_limit(REGEX_LIMIT).build().map(Self::Matches).map_err(|error| {
            InvalidFilter::Regex { pattern: pattern.chars().take(80).collect(), reason: error.to_string() }
        })
    }

    fn holds(&self, value: &str) -> bool {
        match self {
            Self::Equals(wanted) => value == wanted,
            Self::In(wanted) => wanted.iter().any(|one| one == value),
            Self::Matches(regex) => regex.is_match(value),
        }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Equals(a), Self::Equals(b)) => a == b,
            (Self::In(a), Self::In(b)) => a == b,
            (Self::Matches(a), Self::Matches(b)) => a.as_str() == b.as_str(),
            _ => false,
        }
    }
}

impl PartialEq for Filter {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.negated == other.negated && self.condition == other.condition
    }
}

impl Filter {
    /// Whether the event passes, as far as its head tells: who has the content judges what [`Self::is_of_content`].
    pub fn passes(&self, head: &EventHead) -> bool {
        self.takes(self.path.of(head))
    }

    /// Whether a value passes; `None` is a path that the event does not have.
    pub fn takes(&self, value: Option<&str>) -> bool {
        value.is_some_and(|value| self.condition.holds(value) != self.negated)
    }

    /// Whether only the content tells: who made the resource is not in the head of a later event.
    pub fn is_of_content(&self, head: &EventHead) -> bool {
        self.path == FilterPath::CreatedBy && self.path.of(head).is_none()
    }
}
