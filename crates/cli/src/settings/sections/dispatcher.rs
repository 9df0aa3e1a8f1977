//! `[dispatcher]`: how many calls go out at once, and to whom.

use crate::settings::key::Key;
use crate::settings::reader::{Reader, between};

/// Shares of the calls under way (DESIGN §4.4).
#[derive(Debug, Clone)]
pub struct Dispatcher {
    /// Calls under way at once.
    pub permits: usize,
    /// At most so many of them to one webhook.
    pub per_webhook: usize,
    /// At most so many of them of one space.
    pub per_space: usize,
    /// At most so many of them to one host.
    pub per_host: usize,
    /// Deliveries of replays and huge fan-outs per second beside others.
    pub bulk_per_second: u32,
}

pub(in crate::settings) const KEYS: &[Key] = &[
    Key::number("dispatcher.permits", "640", "Calls under way at once."),
    Key::number("dispatcher.per_webhook", "480", "At most so many of them to one webhook."),
    Key::number("dispatcher.per_space", "560", "At most so many of them of one space."),
    Key::number("dispatcher.per_host", "480", "At most so many of them to one host."),
    Key::number(
        "dispatcher.bulk_per_second",
        "1000",
        "Deliveries of replays and of the far end of huge fan-outs that a dispatcher makes beside others; alone it makes what it can.",
    ),
];

impl Dispatcher {
    pub(in crate::settings) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut share = |name| reader.value(name, between(1, 65_536));
        let (permits, per_webhook) = (share("dispatcher.permits"), share("dispatcher.per_webhook"));
        let (per_space, per_host) = (share("dispatcher.per_space"), share("dispatcher.per_host"));
        let bulk_per_second = reader.value("dispatcher.bulk_per_second", between(1, 1_000_000));
        Some(Self {
            permits: permits?,
            per_webhook: per_webhook?,
            per_space: per_space?,
            per_host: per_host?,
            bulk_per_second: bulk_per_second?,
        })
    }
}
