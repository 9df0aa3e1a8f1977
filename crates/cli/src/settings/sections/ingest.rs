//! `[ingest]`: what comes in.

use crate::settings::key::Key;
use crate::settings::reader::{Reader, between, bytes};

/// What comes in.
#[derive(Debug, Clone)]
pub struct Ingest {
    /// Largest event in bytes.
    pub max_event: usize,
    /// Waiting events above which new ones are refused with 503.
    pub max_backlog: u64,
    /// Events per second and space.
    pub rate: u32,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::text("ingest.max_event", "256 KiB", "Largest event; a larger one is answered 413."),
    Key::number(
        "ingest.max_backlog",
        "500000",
        "Waiting messages above which new events are answered 503 with Retry-After.",
    ),
    Key::number(
        "ingest.rate",
        "10000",
        "Events per second and space; more are answered 429 with Retry-After.",
    ),
];

impl Ingest {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let max_event = reader.value("ingest.max_event", |text| {
            bytes(text).and_then(|size| match size {
                1_024..=4_194_304 => Ok(size),
                _ => Err(format!("{text:?} is not from 1 KiB to 4 MiB")),
            })
        });
        let max_backlog = reader.value("ingest.max_backlog", between(1, u64::MAX));
        let rate = reader.value("ingest.rate", between(1, 1_000_000));
        Some(Self { max_event: max_event?, max_backlog: max_backlog?, rate: rate? })
    }
}
