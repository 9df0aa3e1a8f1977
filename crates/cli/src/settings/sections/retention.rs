//! `[retention]`: how long the log is kept.

use crate::settings::key::Key;
use crate::settings::reader::{Reader, between};

/// How long the log is kept.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Days; what is still pending stays longer.
    pub days: u16,
}

pub(in crate::settings) const KEYS: &[Key] = &[Key::number(
    "retention.days",
    "30",
    "Days for which events, deliveries and calls are kept: at least 14, because a retry may wait for 12.",
)];

impl Retention {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { days: reader.value("retention.days", between(14, 3650))? })
    }
}
