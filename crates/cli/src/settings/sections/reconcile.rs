//! `[reconcile]`: how carefully `jobs` puts back what a broker lost with its disk.

use std::time::Duration;

use crate::settings::key::Key;
use crate::settings::reader::{Reader, between, duration};

/// How carefully open deliveries are put back.
#[derive(Debug, Clone)]
pub struct Reconcile {
    /// How long dispatchers have to bring to an end what they had in hand.
    pub settle: Duration,
    /// How much later than its instant a retry comes that is put back.
    pub later: Duration,
    /// Deliveries that are put back per second, at most.
    pub rate: u32,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::text(
        "reconcile.settle",
        "35s",
        "After the broker lost its disk nothing is put back for so long: longer than the longest time-out of a webhook.",
    ),
    Key::text(
        "reconcile.later",
        "1m",
        "A retry that is put back comes so much later, so that an original that lives after all goes first.",
    ),
    Key::number("reconcile.rate", "1000", "Deliveries put back per second, at most."),
];

impl Reconcile {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let settle = reader.value("reconcile.settle", duration);
        let later = reader.value("reconcile.later", duration);
        let rate = reader.value("reconcile.rate", between(4, 100_000));
        Some(Self { settle: settle?, later: later?, rate: rate? })
    }
}
