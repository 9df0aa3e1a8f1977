//! The one error of a port. The constructor carries the decision: who makes it says whether trying again can help.

use std::error::Error;
use std::fmt;

/// Why a port could not do what it was asked.
#[derive(Debug)]
pub struct PortError {
    /// Whether trying again can help.
    pub kind: PortErrorKind,
    /// What was attempted, and on what.
    pub message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What trying again would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortErrorKind {
    /// Trying again later can help: a server is away, a disk is full, a lock is held.
    Transient,
    /// It will fail again: the input cannot be processed by this adapter.
    Permanent,
    /// Someone else was faster: a version or a unique name is taken.
    Conflict,
}

/// What a port answers.
pub type PortResult<T> = Result<T, PortError>;

impl PortError {
    /// A failure that time may heal.
    pub fn transient(message: impl Into<String>) -> Self {
        Self { kind: PortErrorKind::Transient, message: message.into(), source: None }
    }

    /// A failure that repeats.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { kind: PortErrorKind::Permanent, message: message.into(), source: None }
    }

    /// Someone else was faster.
    pub fn conflict(message: impl Into<String>) -> Self {
        Self { kind: PortErrorKind::Conflict, message: message.into(), source: None }
    }

    /// Names the error underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Whether trying again can help.
    pub fn is_transient(&self) -> bool {
        self.kind == PortErrorKind::Transient
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{}: {source}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl Error for PortError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
