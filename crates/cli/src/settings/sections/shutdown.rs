//! `[shutdown]`: how the process stops.

use std::time::Duration;

use crate::settings::key::Key;
use crate::settings::reader::{Reader, duration};

/// How the process stops.
#[derive(Debug, Clone)]
pub struct Stopping {
    /// How long the work in hand may take after the first signal.
    pub grace: Duration,
}

pub(in crate::settings) const KEYS: &[Key] = &[Key::text(
    "shutdown.grace",
    "30s",
    "How long the work in hand may take after SIGTERM. A second SIGTERM stops at once; nothing accepted is lost.",
)];

impl Stopping {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { grace: reader.value("shutdown.grace", duration)? })
    }
}
