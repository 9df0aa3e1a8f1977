//! Why a payload was refused: where, what, and how to mend it.

use std::fmt;

/// One fault of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadError {
    /// Where: a JSON pointer (RFC 6901) into the payload, empty for the whole; for CloudEvents in binary mode the header
    /// (`ce-type`).
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// How to mend it.
    pub fix: String,
}

/// Every fault that was found, at least one.
pub type ReadErrors = Vec<ReadError>;

impl ReadError {
    pub(crate) fn new(path: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { path: path.into(), problem: problem.into(), fix: fix.into() }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.path.is_empty() { "the body" } else { &self.path };
        write!(f, "{place}: {}; {}", self.problem, self.fix)
    }
}

impl std::error::Error for ReadError {}
