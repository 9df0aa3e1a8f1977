//! `[limits]`: how much a space may have.

use crate::settings::key::Key;
use crate::settings::reader::{Reader, between};

/// How much a space may have.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Webhooks of one space.
    pub webhooks: usize,
    /// Sources of one space.
    pub sources: usize,
    /// Valid tokens of one space.
    pub tokens: usize,
    /// Environments of one space.
    pub environments: usize,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::number("limits.webhooks_per_space", "10000", "Webhooks of a space; one more is answered 409."),
    Key::number("limits.sources_per_space", "100", "Sources of a space; one more is answered 409."),
    Key::number("limits.tokens_per_space", "1000", "Valid tokens of a space; one more is answered 409."),
    Key::number(
        "limits.environments_per_space",
        "1000",
        "Environments of a space; one more is answered 409.",
    ),
];

impl Limits {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let webhooks = reader.value("limits.webhooks_per_space", between(1, 1_000_000));
        let sources = reader.value("limits.sources_per_space", between(1, 10_000));
        let tokens = reader.value("limits.tokens_per_space", between(1, 100_000));
        let environments = reader.value("limits.environments_per_space", between(1, 10_000));
        Some(Self { webhooks: webhooks?, sources: sources?, tokens: tokens?, environments: environments? })
    }
}
