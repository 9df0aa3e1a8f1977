//! `[api]`: how often management may be asked.

use crate::settings::key::Key;
use crate::settings::reader::{Reader, between};

/// How often management may be asked.
#[derive(Debug, Clone)]
pub struct Api {
    /// Requests per second of one token, in one process.
    pub requests_per_second: u32,
}

pub(in crate::settings) const KEYS: &[Key] = &[Key::number(
    "api.requests_per_second",
    "200",
    "Management requests per second and token; twice as many at once, more are answered 429 with Retry-After.",
)];

impl Api {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let requests_per_second = reader.value("api.requests_per_second", between(1, 100_000));
        Some(Self { requests_per_second: requests_per_second? })
    }
}
