//! Every number of the dispatcher, with its default and where the default comes from (DESIGN §4.4, §4.2, §4.5).

use std::time::Duration;

use postrider_domain::message::BUNDLE_LIMIT;
use thiserror::Error;

/// How one dispatcher behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Who may hold how many calls at once.
    pub shares: ShareSettings,
    /// How many deliveries are held at once, those being called included. Default 4 × 640 permits = 2,560.
    pub room: usize,
    /// Events taken from the queue at once; they share round trips. Default 64.
    pub event_batch: usize,
    /// Batches of events matched side by side. Default 4.
    pub event_concurrency: usize,
    /// An event that more webhooks than this want sends the rest through the lane `bulk`. Default 256 = 16 bundles.
    pub bulk_after: usize,
    /// Deliveries of the lane `bulk` taken per second at least; no more than that, or than the other lanes take, while those
    /// are not quiet. Default 1,000: half of what one worker was measured to make (docs/benchmarks.md), so that beside a
    /// replay or the far end of a huge fan-out the other half is free.
    pub bulk_per_second: u32,
    /// Bytes that the matching index may take, over all spaces. Default 64 MiB.
    pub index_bytes: usize,
    /// How often the version of the subscriptions is compared. Default 500 ms.
    pub refresh: Duration,
    /// How long an index that cannot be verified is used before consumption stops. Default 60 s.
    pub unverified_for: Duration,
    /// When a message to the log closes.
    pub records: RecordSettings,
    /// When a webhook is left alone for a while.
    pub breaker: BreakerSettings,
    /// How long the outcome of a call that was made is held while queues are away, before its message is given back and
    /// the call is made again. Default 60 s.
    pub patience: Duration,
    /// Where Slack's API is. Default `https://slack.com/api/`.
    pub slack_base_url: String,
}

/// How calls are shared out, per worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareSettings {
    /// Calls at once. Default 640.
    pub permits: usize,
    /// Of one webhook. Default 480 = ¾ of the permits.
    pub per_webhook: usize,
    /// Of one space. Default 560 = ⅞ of the permits.
    pub per_space: usize,
    /// To one host. Default 480 = ¾ of the permits.
    pub per_host: usize,
    /// Of all webhooks together that timed out within the last minute. Default 64 = a tenth of the permits.
    pub slow: usize,
}

/// When a message to the log closes: at whichever comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordSettings {
    /// This many records. Default 50.
    pub count: usize,
    /// This many bytes, as estimated. Default 256 KiB.
    pub bytes: usize,
    /// This long after its first record. Default 5 ms.
    pub within: Duration,
}

/// When the circuit breaker of a webhook opens, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerSettings {
    /// After this many failures in a row (time-outs, transport failures, 5xx). Default 10.
    pub failures: usize,
    /// If the first of them is not older than this. Default 60 s: a lone delivery's own retries never open it.
    pub within: Duration,
    /// The first time for so long; doubled with each failed probe. Default 5 s.
    pub shortest: Duration,
    /// Never longer than this. Default 5 min.
    pub longest: Duration,
}

/// A number that cannot work.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("dispatcher setting {name} is {given}, but must be at least {least}")]
pub struct InvalidSetting {
    /// Which.
    pub name: &'static str,
    /// What it is.
    pub given: usize,
    /// What would do.
    pub least: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let shares = ShareSettings::default();
        Self {
            room: 4 * shares.permits,
            shares,
            event_batch: 64,
            event_concurrency: 4,
            bulk_after: 256,
            bulk_per_second: 1000,
            index_bytes: 64 << 20,
            refresh: Duration::from_millis(500),
            unverified_for: Duration::from_secs(60),
            records: RecordSettings::default(),
            breaker: BreakerSettings::default(),
            patience: Duration::from_secs(60),
            slack_base_url: postrider_dialects::slack::BASE_URL.to_owned(),
        }
    }
}

impl Default for ShareSettings {
    fn default() -> Self {
        Self { permits: 640, per_webhook: 480, per_space: 560, per_host: 480, slow: 64 }
    }
}

impl Default for RecordSettings {
    fn default() -> Self {
        Self { count: 50, bytes: 256 << 10, within: Duration::from_millis(5) }
    }
}

impl Default for BreakerSettings {
    fn default() -> Self {
        Self {
            failures: 10,
            within: Duration::from_secs(60),
            shortest: Duration::from_secs(5),
            longest: Duration::from_secs(300),
        }
    }
}

impl Settings {
    /// Checks every number; the first that cannot work is the error.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        // The lane `bulk` gets a quarter of the room at most and must be able to hold one full bundle.
        let least_room = 4 * BUNDLE_LIMIT;
        let bounds = [
            ("permits", self.shares.permits, 1),
            ("per_webhook", self.shares.per_webhook, 1),
            ("per_space", self.shares.per_space, 1),
            ("per_host", self.shares.per_host, 1),
            ("slow", self.shares.slow, 1),
            ("room", self.room, least_room.max(self.shares.permits)),
            ("event_batch", self.event_batch, 1),
            ("event_concurrency", self.event_concurrency, 1),
            ("bulk_per_second", usize::try_from(self.bulk_per_second).unwrap_or(usize::MAX), 1),
            ("records.count", self.records.count, 1),
            ("breaker.failures", self.breaker.failures, 1),
        ];
        let bad = bounds.into_iter().find(|(_, given, least)| given < least);
        bad.map_or(Ok(()), |(name, given, least)| Err(InvalidSetting { name, given, least }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_can_work_and_a_room_without_space_for_a_bundle_cannot() {
        assert_eq!(Settings::default().check(), Ok(()));
        let error = Settings { room: 32, ..Settings::default() }.check().expect_err("too small");
        assert!(error.to_string().contains("room is 32"), "{error}");
    }
}
